# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _collections() -> t.Iterator[None]:
    """ansible-test finds the collection by an import hook, which a Python that a test starts does not have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[5]), prepend=os.pathsep)
        yield
