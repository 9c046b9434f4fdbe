# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_tls_report's options, and its version."""

from __future__ import annotations

import typing as t

import yaml
from ansible_collections.dbtls.rds_mysql.plugins.action import mysql_tls_report as action
from ansible_collections.dbtls.rds_mysql.plugins.modules import mysql_tls_report as documented


def test_documentation_and_options_say_the_same() -> None:
    """There is no module that a sanity test could compare them for."""
    options: dict[str, dict[str, t.Any]] = yaml.safe_load(documented.DOCUMENTATION)["options"]
    said = {
        name: {key: value for key, value in option.items() if key != "description"} for name, option in options.items()
    }
    assert said == action.ARGUMENT_SPEC
    used = {name for task in yaml.safe_load(documented.EXAMPLES) for name in str(task).replace("'", " ").split()}
    assert set(options) <= used


def test_version() -> None:
    """That of galaxy.yml, in a checkout."""
    assert action.collection_version().count(".") == 2
