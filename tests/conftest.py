# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For all tests: where they import from, how long Hypothesis waits, and what a skip means in CI."""

from __future__ import annotations

import os
import sys
import typing as t
from pathlib import Path

import hypothesis
import pytest

# Where ansible-test runs them, only the collection as a whole can be imported.
if (_root := str(Path(__file__).parents[1])) not in sys.path:
    sys.path.insert(0, _root)

# A busy machine is no fault.
hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("busy")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> t.Iterator[None]:
    """In CI a skip is a failure: what a test needs has to be there, and what does not apply is not collected."""
    outcome: t.Any = yield
    report = outcome.get_result()
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skips, which in CI is a failure: {report.longrepr[-1]}"
