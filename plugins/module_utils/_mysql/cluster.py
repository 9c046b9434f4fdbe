# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other servers that have the same accounts: replicas, Aurora readers, Galera nodes.

Accounts replicate, and sessions do not: a client of a replica is locked out by what is changed on its source.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect, is_on
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session


@dataclass(frozen=True)
class Member:
    """A server of the cluster. ``key`` tells it from the others, as both it and they know it."""

    key: str
    name: str


def find_members(session: Session, dialect: Dialect) -> tuple[Member, ...]:
    """The other servers that get this one's accounts, as far as it knows them.

    :raises QueryFailed: where this login may not see them, and there are some, or may be.
    """
    return (*_replicas(session, dialect), *_aurora_readers(session, dialect), *_galera_nodes(session, dialect))


def own_keys(session: Session, dialect: Dialect) -> frozenset[str]:
    """What others know this server as."""
    keys = {f"server_id {_value(session, 'server_id')}"}
    if dialect.managed_by == "aurora":
        keys.add(f"aurora {_value(session, 'aurora_server_id')}")
    if is_on(dialect.variables.get("wsrep_on")):
        nodes, index = _galera_status(session)
        keys.update(f"galera {node}" for number, node in enumerate(nodes) if number == index)
    return frozenset(keys)


def _replicas(session: Session, dialect: Dialect) -> list[Member]:
    """Only who is connected is told, which is who gets changes. Source: "SHOW REPLICAS", MySQL Reference Manual."""
    try:
        rows = session.query(dialect.replicas_statement)
    except QueryFailed as e:
        if e.connection_lost or _has_dump_sessions(session):
            raise
        return []
    # Server_Id, Host (report_host of the replica, mostly empty), Port, ...
    return [Member(f"server_id {row[0]}", _replica_name(row)) for row in rows]


def _replica_name(row: tuple[t.Any, ...]) -> str:
    host = str(row[1] or "")
    return f"the replica {host}:{row[2]}" if host else f"the replica with server_id {row[0]}"


def _has_dump_sessions(session: Session) -> bool:
    """Whether somebody reads the binary log, which others than replicas do as well."""
    return bool(session.query("SELECT 1 FROM information_schema.processlist WHERE COMMAND LIKE 'Binlog Dump%' LIMIT 1"))


def _aurora_readers(session: Session, dialect: Dialect) -> list[Member]:
    """Readers of this cluster that are there. Source: "Aurora MySQL information_schema tables", Amazon Aurora Guide."""
    if dialect.managed_by != "aurora":
        return []
    rows = session.query(
        "SELECT SERVER_ID FROM information_schema.replica_host_status WHERE SERVER_ID <> @@aurora_server_id "
        "AND LAST_UPDATE_TIMESTAMP > NOW() - INTERVAL 3 MINUTE"
    )
    return [Member(f"aurora {name}", f"the Aurora instance {name}") for (name,) in rows]


def _galera_nodes(session: Session, dialect: Dialect) -> list[Member]:
    if not is_on(dialect.variables.get("wsrep_on")):
        return []
    nodes, index = _galera_status(session)
    return [Member(f"galera {node}", f"the Galera node {node}") for number, node in enumerate(nodes) if number != index]


def _galera_status(session: Session) -> tuple[list[str], int]:
    """Addresses of all nodes, in the same order on each, and which of them this one is."""
    rows = session.query("SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_incoming_addresses', 'wsrep_local_index')")
    status = {str(name): str(value) for name, value in rows}
    nodes = [node for node in status.get("wsrep_incoming_addresses", "").split(",") if node]
    index = status.get("wsrep_local_index", "")
    return nodes, int(index) if index.isdigit() and int(index) < len(nodes) else -1


def _value(session: Session, variable: str) -> str:
    return str(session.query(f"SELECT @@{variable}")[0][0])
