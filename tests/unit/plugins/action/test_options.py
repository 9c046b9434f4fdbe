# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of actions without a module, and the version of the collection."""

from __future__ import annotations

import importlib
import typing as t

import pytest
import yaml
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import run_identity

_PLUGINS = "ansible_collections.dbtls.rds_mysql.plugins"


@pytest.mark.parametrize(
    "name",
    [
        "mysql_tls_bundles",
        "mysql_tls_history",
        "mysql_tls_plan",
        "mysql_tls_rds",
        "mysql_tls_readiness",
        "mysql_tls_records",
        "mysql_tls_report",
        "mysql_tls_variables",
        "mysql_tls_watch",
    ],
)
def test_documentation_and_options_say_the_same(name: str) -> None:
    """There is no module that a sanity test could compare them for."""
    action = importlib.import_module(f"{_PLUGINS}.action.{name}")
    documented = importlib.import_module(f"{_PLUGINS}.modules.{name}")
    documentation = yaml.safe_load(documented.DOCUMENTATION)
    options: dict[str, dict[str, t.Any]] = dict(documentation["options"])
    for fragment in documentation["extends_documentation_fragment"]:
        options |= fragment_options(fragment)
    said = {
        name: {key: value for key, value in option.items() if key not in ("description", "version_added")}
        for name, option in options.items()
    }
    assert said == action.ARGUMENT_SPEC
    used = {name for task in yaml.safe_load(documented.EXAMPLES) for name in str(task).replace("'", " ").split()}
    assert set(options) <= used


def fragment_options(name: str) -> dict[str, dict[str, t.Any]]:
    """The options of a documentation fragment, such as dbtls.rds_mysql.state.readiness."""
    _namespace, _collection, module, *part = name.split(".")
    fragment = importlib.import_module(f"{_PLUGINS}.doc_fragments.{module}").ModuleDocFragment
    text = getattr(fragment, part[0].upper() if part else "DOCUMENTATION")
    options: dict[str, dict[str, t.Any]] = yaml.safe_load(text)["options"]
    return options


def test_version() -> None:
    """That of galaxy.yml, in a checkout."""
    assert run_identity.collection_version().count(".") == 2
