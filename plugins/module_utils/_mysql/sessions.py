# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is connected to a server right now, and how."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session


@dataclass(frozen=True)
class LiveSession:
    """Another client's session.

    ``transport`` is as performance_schema names it, None where only the process list shows the session.
    ``local``: it comes over a Unix socket, as far as the process list tells.
    """

    connection_id: int
    user: str
    host: str
    transport: str | None
    command: str
    local: bool = False

    @property
    def plaintext(self) -> bool:
        """Whether it crosses a network without TLS; Unix sockets, pipes and shared memory do not cross one."""
        return self.transport == "TCP/IP"

    @property
    def encrypted(self) -> bool:
        """Whether it uses TLS."""
        return self.transport == "SSL/TLS"

    def describe(self) -> dict[str, t.Any]:
        """For the return value ``plaintext_sessions``."""
        return {
            "user": self.user,
            "host": self.host,
            "connection_id": self.connection_id,
            "command": self.command,
            "transport": self.transport,
        }


def live_sessions(session: Session, dialect: Dialect) -> tuple[LiveSession, ...] | None:
    """Every other client's session, or None where this login or this server cannot tell."""
    if not dialect.sees_session_transport:
        return None
    try:
        rows = session.query(dialect.sessions_query)
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return None
    return tuple(
        LiveSession(int(connection_id), str(user), str(host or ""), str(transport), str(command))
        for connection_id, user, host, transport, command in rows
    )


def listed_sessions(session: Session) -> tuple[LiveSession, ...] | None:
    """Every other client's session as the process list has it, or None where it shows this login only its own."""
    try:
        # Needs PROCESS, as seeing the sessions of others does, also where a role gives it.
        session.query("SELECT 1 FROM information_schema.INNODB_TRX LIMIT 1")
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return None
    rows = session.query(
        "SELECT ID, USER, HOST, COMMAND FROM information_schema.processlist WHERE ID <> CONNECTION_ID()"
    )
    return tuple(
        LiveSession(int(number), str(user), host, None, str(command), local=not port)
        for number, user, address, command in rows
        for host, port in [_split(str(address or ""))]
    )


def _split(address: str) -> tuple[str, str]:
    """Host and port of a client; over a Unix socket there is no port."""
    host, colon, port = address.rpartition(":")
    return (host, port) if colon and port.isdigit() else (address, "")
