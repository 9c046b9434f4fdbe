# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is connected to a server right now, and how."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session


@dataclass(frozen=True)
class LiveSession:
    """Another client's session.

    ``transport`` is as performance_schema names it, None where only the process list shows the session.
    ``local``: it comes over a Unix socket, as far as the process list tells. ``client_host``: the client's own address,
    where ``host`` is a proxy's that ends TLS, and ``client_encrypted`` whether it uses TLS as far as there.
    """

    connection_id: int
    user: str
    host: str
    transport: str | None
    command: str
    local: bool = False
    client_host: str | None = None
    client_encrypted: bool = True

    @property
    def plaintext(self) -> bool:
        """Whether it crosses a network without TLS; Unix sockets, pipes and shared memory do not cross one."""
        return self.transport == "TCP/IP"

    @property
    def encrypted(self) -> bool:
        """Whether it uses TLS."""
        return self.transport == "SSL/TLS"

    @property
    def of_no_client(self) -> bool:
        """Whether it is a thread of the server itself, or a login under way, as the process list has them."""
        return self.command == "Daemon" or self.user in ("system user", "unauthenticated user")

    @property
    def client(self) -> str:
        """Where the client is, as far as that is known."""
        return self.client_host or self.host

    @property
    def encrypted_to_client(self) -> bool:
        """Whether it uses TLS as far as the client, and not just from a proxy on."""
        return self.encrypted and self.client_encrypted

    @property
    def plaintext_to_client(self) -> bool:
        """Whether some part of the way crosses a network without TLS."""
        return self.plaintext or not self.client_encrypted

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


WHY_HIDDEN = "X Protocol, or performance_schema_max_thread_instances is too small"


def not_in_performance_schema(session: Session, seen: t.Container[int]) -> tuple[LiveSession, ...] | None:
    """Sessions that performance_schema.threads has not shown; None where there may be some that this login cannot see.

    Measured: clients of MySQL's X Protocol are not in it, nor are those for which it had no room
    (performance_schema_max_thread_instances).

    :arg seen: The connection numbers of those that it has shown.
    """
    rows = session.query(
        "SHOW GLOBAL STATUS WHERE Variable_name IN ('Mysqlx_sessions', 'Performance_schema_thread_instances_lost')"
    )
    if not any(str(value) not in ("", "0") for _name, value in rows):
        return ()
    listed = listed_sessions(session)
    if listed is None:
        return None
    return tuple(one for one in listed if one.connection_id not in seen and not one.of_no_client)


def behind_proxies(session: Session, found: t.Sequence[LiveSession]) -> tuple[LiveSession, ...] | None:
    """The same sessions, with what proxies that end TLS tell of their clients; None where this login may not see that.

    MySQL Router adds these attributes to its connection to the server, that of the cipher only if the client uses TLS.
    """
    if not any(one.encrypted for one in found):
        return tuple(found)
    try:
        rows = session.query(
            "SELECT PROCESSLIST_ID, ATTR_NAME, ATTR_VALUE FROM performance_schema.session_connect_attrs "
            "WHERE ATTR_NAME IN ('_client_ip', '_client_ssl_cipher')"
        )
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return None
    attributes: dict[int, dict[str, str]] = {}
    for number, name, value in rows:
        attributes.setdefault(int(number), {})[str(name)] = str(value)
    return tuple(
        replace(one, client_host=told["_client_ip"], client_encrypted="_client_ssl_cipher" in told)
        if one.encrypted and "_client_ip" in (told := attributes.get(one.connection_id, {}))
        else one
        for one in found
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
