# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.inventory.data import InventoryData
from ansible.inventory.host import Host
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.dbtls.rds_mysql.plugins.filter.planned_hosts import FilterModule
from hypothesis import example, given
from hypothesis import strategies as st

PLANNED = {"hosts": ["b", "a"], "read_only": ["r", "s"], "plans": {"a": {}, "r": {"accounts": []}}}


def planned_hosts(hostvars: dict[str, t.Any], **options: t.Any) -> t.Any:
    return FilterModule().filters()["planned_hosts"](["x", "a", "b", "r", "s"], hostvars, **options)


def of(**more: t.Any) -> dict[str, t.Any]:
    found: dict[str, t.Any] = {host: {} for host in ("x", "a", "b", "r", "s")}
    found.update(a={"__mysql_tls_planned": PLANNED}, **more)
    return found


def test_the_order_of_a_plan() -> None:
    assert planned_hosts(of()) == ["b", "a"]
    assert planned_hosts(of(), followers=True) == ["r"]
    late = of(b={"mysql_tls_change": {"reason": "changed_since_plan"}})
    assert planned_hosts(late, followers=True) == ["r", "b"]


@given(st.lists(st.text(alphabet="ab1._-, :[]!&~*?()'\\\"\u00e9\U0001f600", min_size=1), min_size=1, unique=True))
@example(["a b", "a,b", "axb"])
def test_a_name_is_the_pattern_of_one_host(names: list[str]) -> None:
    """Also one that Ansible would take for several patterns, or for a wildcard."""
    inventory = InventoryData()
    for name in (*names, "a", "b", "axb", "other"):
        inventory.hosts[name] = Host(name)
        inventory.groups["all"].add_host(inventory.hosts[name])
    manager = InventoryManager(DataLoader(), parse=False)
    manager._inventory = inventory
    planned = {"hosts": names, "read_only": [], "plans": {}}
    patterns = FilterModule().filters()["planned_hosts"](["a"], {"a": {"__mysql_tls_planned": planned}})
    assert [host.name for host in manager.get_hosts(patterns)] == names


def test_without_a_plan() -> None:
    nothing: dict[str, t.Any] = {host: {} for host in ("x", "a", "b", "r", "s")}
    skipped = {**nothing, "a": {"__mysql_tls_planned": {"skipped": True}}}
    for hostvars in (nothing, skipped):
        assert planned_hosts(hostvars, pattern="db*") == "db*"
        assert planned_hosts(hostvars, followers=True) == ["!all"]
    none = {**nothing, "a": {"__mysql_tls_planned": {**PLANNED, "hosts": [], "plans": {}}}}
    assert planned_hosts(none) == ["!all"]
