# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts are of one cluster."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan import clusters


def result(*keys: str, members: t.Sequence[str] = (), replica_of: str | None = None) -> dict[str, t.Any]:
    """What mysql_require_ssl returns."""
    cluster = {"identifiers": list(keys), "members": dict.fromkeys(members, "a member")}
    return {"cluster": cluster, "server": {"read_only": False, "replica_of": replica_of}}


def found(**results: dict[str, t.Any]) -> dict[str, list[str]]:
    """Of hosts that have the addresses 192.0.2.1, .2 and so on, in their order."""
    return clusters.members_of(results, {name: (f"192.0.2.{n}", 3306) for n, name in enumerate(results, 1)})


def test_servers_know_each_other() -> None:
    assert found(
        one=result("galera a", members=["galera b"]),
        two=result("galera b", members=["galera a"]),
        other=result("galera c"),
    ) == {"one": ["two"], "two": ["one"]}


def test_replicas_of_replicas() -> None:
    assert found(
        source=result("server_uuid a", members=["server_uuid b"]),
        replica=result("server_uuid b", members=["server_uuid c"]),
        last=result("server_uuid c"),
    ) == {"source": ["replica", "last"], "replica": ["last"]}


def test_clusters_that_were_made_by_one_recipe() -> None:
    """MariaDB's numbers are the same in both, so a replica has to name the source as well."""
    key = "server_id 2 of 1"
    assert found(
        a=result(members=[key]),
        b=result(members=[key]),
        of_a=result(key, replica_of="192.0.2.1:3306"),
        of_b=result(key, replica_of="192.0.2.2:3306"),
        elsewhere=result(key, replica_of="192.0.2.1:3307"),
        filtered=result(key),
    ) == {"a": ["of_a"], "b": ["of_b"]}


def test_names_and_addresses() -> None:
    results = {
        "source": result(members=["server_id 2 of 1"]),
        "replica": result("server_id 2 of 1", replica_of="127.0.0.1:3306"),
        "other": result("server_id 2 of 1", replica_of="no-such-name.invalid:3306"),
    }
    endpoints = dict.fromkeys(results, ("localhost", 3306))
    assert clusters.members_of(results, endpoints) == {"source": ["replica"]}


def test_who_is_missing() -> None:
    source = result("server_uuid a", members=["server_uuid b"])
    assert clusters.wanted({"source": source, "failed": {"failed": True}})
    assert not clusters.wanted({"source": source, "replica": result("server_uuid b")})


def test_a_port_that_is_no_number() -> None:
    """The host's own check says so."""
    assert clusters.endpoint_of({"login_host": "a", "login_port": "zz"}) is None
    assert clusters.endpoint_of({"login_host": "a", "login_port": "3307"}) == ("a", 3307)
    assert clusters.endpoint_of({"login_host": "a"}) == ("a", 3306)


def test_the_option() -> None:
    endpoints = [("db.example.com", 3306), ("2001:db8::1", 3307)]
    assert clusters.option(None, endpoints) == ["db.example.com:3306", "[2001:db8::1]:3307"]
    assert clusters.option("a,b", endpoints[:1]) == ["a", "b", "db.example.com:3306"]
    assert clusters.endpoint_of({"login_host": "db"}) == ("db", 3306)
    assert clusters.endpoint_of({"login_port": 3306}) is None
