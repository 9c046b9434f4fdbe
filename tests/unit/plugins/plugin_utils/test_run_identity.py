# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which inventory a run was on."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.run_identity import run_of

NOW = "2026-11-28T02:00:00Z"
WRITTEN_BY_AWX = {"ansible_inventory_sources": ["/runner/inventory"]}


@pytest.mark.parametrize(
    ("variables", "inventory"),
    [
        ({}, ()),
        ({"ansible_inventory_sources": "/etc/hosts"}, ("/etc/hosts",)),
        ({"ansible_inventory_sources": ["/a/one", "/a/two"]}, ("/a/one", "/a/two")),
        (
            {**WRITTEN_BY_AWX, "awx_inventory_id": 3, "awx_inventory_name": "team/prod"},
            ("team/prod (AWX inventory 3)",),
        ),
        ({**WRITTEN_BY_AWX, "tower_inventory_id": 3}, ("unnamed (AWX inventory 3)",)),
    ],
)
def test_the_inventory_of_a_run(variables: dict[str, t.Any], inventory: tuple[str, ...]) -> None:
    """AWX writes every inventory to the same place, and says which one it is."""
    assert run_of(variables, NOW).inventory == inventory
