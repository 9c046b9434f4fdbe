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
    """Another client's session; ``transport`` as performance_schema names it."""

    connection_id: int
    user: str
    host: str
    transport: str
    command: str

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
        return {"user": self.user, "host": self.host, "connection_id": self.connection_id, "command": self.command}


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
