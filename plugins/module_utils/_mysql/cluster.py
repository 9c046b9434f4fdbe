# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other servers that have the same accounts: replicas, Aurora readers, Galera nodes, members of a replication group.

Accounts replicate, and sessions do not: a client of a replica is locked out by what is changed on its source.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect, is_on
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import ServerIdentity
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.replication import ServerRole
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.sessions import listed_sessions, live_sessions


@dataclass(frozen=True)
class Member:
    """A server of the cluster. ``key`` tells it from the others, as both it and they know it."""

    key: str
    name: str


def find_members(session: Session, dialect: Dialect) -> tuple[Member, ...]:
    """The other servers that get this one's accounts, as far as it knows them.

    :raises QueryFailed: where this login may not see them, and there are some, or may be.
    """
    return (
        *_replicas(session, dialect),
        *_aurora_readers(session, dialect),
        *_galera_nodes(session, dialect),
        *_group_members(session, dialect),
    )


def own_keys(session: Session, dialect: Dialect, role: ServerRole, identity: ServerIdentity) -> frozenset[str]:
    """What others know this server as."""
    keys = set()
    if not dialect.is_mariadb:
        keys.add(f"server_uuid {identity.server_id}")
    if role.source_ids:
        own = _value(session, "server_id")
        keys |= {_replica_key(own, source) for source in role.source_ids}
    if dialect.managed_by == "aurora":
        keys.add(f"aurora {_value(session, 'aurora_server_id')}")
    if is_on(dialect.variables.get("wsrep_on")):
        keys.add(f"galera {_galera_status(session).own}")
    return frozenset(keys)


def _replicas(session: Session, dialect: Dialect) -> list[Member]:
    """Only who is connected is told, which is who gets changes. Source: "SHOW REPLICAS", MySQL Reference Manual."""
    try:
        rows = session.query(dialect.replicas_statement)
    except QueryFailed as e:
        if e.connection_lost or _has_dump_sessions(session, dialect):
            raise
        return []
    return [Member(_key_of_replica(row), _replica_name(row)) for row in rows]


def _key_of_replica(row: tuple[t.Any, ...]) -> str:
    """Of Server_Id, Host (report_host of the replica, mostly empty), Port, Source_Id, and on MySQL Replica_UUID."""
    if len(row) > 4 and row[4]:
        return f"server_uuid {row[4]}"
    return _replica_key(row[0], row[3])


def _replica_key(replica: t.Any, source: t.Any) -> str:
    """Where servers have no identifier of their own, other clusters may use the same numbers."""
    return f"{SERVER_IDS} {replica} of {source}"


SERVER_IDS = "server_id"
"""Begins the keys that are not unique."""


def _replica_name(row: tuple[t.Any, ...]) -> str:
    host = str(row[1] or "")
    return f"the replica {host}:{row[2]}" if host else f"the replica with server_id {row[0]}"


def _has_dump_sessions(session: Session, dialect: Dialect) -> bool:
    """Whether somebody reads the binary log, which others than replicas do as well; also where that is not visible."""
    sessions = live_sessions(session, dialect)
    if sessions is None:
        sessions = listed_sessions(session)
    return sessions is None or any(one.command.startswith("Binlog Dump") for one in sessions)


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
    """Other nodes. Source: "mysql.wsrep_cluster_members Table", MariaDB Documentation (from MariaDB 10.4 on)."""
    if not is_on(dialect.variables.get("wsrep_on")):
        return []
    status = _galera_status(session)
    if status.size < 2:
        return []
    rows = session.query("SELECT node_uuid, node_name, node_incoming_address FROM mysql.wsrep_cluster_members")
    return [Member(f"galera {key}", _node_name(name, address)) for key, name, address in rows if key != status.own]


def _group_members(session: Session, dialect: Dialect) -> list[Member]:
    """Of InnoDB Cluster. Source: "The replication_group_members Table", MySQL Reference Manual."""
    if not dialect.variables.get("group_replication_group_name"):
        return []
    # A server that has left its group knows itself alone, perhaps without its identifier.
    rows = session.query(
        "SELECT MEMBER_ID, MEMBER_HOST, MEMBER_PORT FROM performance_schema.replication_group_members "
        "WHERE MEMBER_ID NOT IN ('', @@server_uuid)"
    )
    return [Member(f"server_uuid {key}", f"the group member {host}:{port}") for key, host, port in rows]


def _node_name(name: t.Any, address: t.Any) -> str:
    # A node that was told no address of its own is "AUTO".
    where = "" if str(address) in ("", "AUTO") else f" ({address})"
    return f"the Galera node {name}{where}"


class _GaleraStatus(t.NamedTuple):
    own: str
    size: int


def _galera_status(session: Session) -> _GaleraStatus:
    """By which a node is known to the others, and how many there are."""
    rows = session.query("SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_gcomm_uuid', 'wsrep_cluster_size')")
    status = {str(name): str(value) for name, value in rows}
    size = status.get("wsrep_cluster_size", "")
    return _GaleraStatus(status.get("wsrep_gcomm_uuid", ""), int(size) if size.isdigit() else 0)


def _value(session: Session, variable: str) -> str:
    return str(session.query(f"SELECT @@{variable}")[0][0])
