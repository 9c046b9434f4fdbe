# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.filter.planned_hosts import FilterModule

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


def test_without_a_plan() -> None:
    nothing: dict[str, t.Any] = {host: {} for host in ("x", "a", "b", "r", "s")}
    skipped = {**nothing, "a": {"__mysql_tls_planned": {"skipped": True}}}
    for hostvars in (nothing, skipped):
        assert planned_hosts(hostvars, pattern="db*") == "db*"
        assert planned_hosts(hostvars, followers=True) == ["!all"]
    none = {**nothing, "a": {"__mysql_tls_planned": {**PLANNED, "hosts": [], "plans": {}}}}
    assert planned_hosts(none) == ["!all"]
