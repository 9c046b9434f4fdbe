# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PyMySQL's connection, held to what this collection promises of a login."""

from __future__ import annotations

import functools
import socket
import ssl
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import MissingLibrary
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import authentication, handshake
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import (
    CR_MALFORMED_PACKET,
    CR_SERVER_LOST,
    CR_SSL_CONNECTION_ERROR,
)

if t.TYPE_CHECKING:
    from pymysql.connections import Connection
else:
    Connection = object  # PyMySQL may lack

AfterTlsHandshake = t.Callable[[ssl.SSLSocket, bytes], None]
"""Is shown a connection with its TLS handshake done and the payload of its SSLRequest, and may raise."""


def connection_class() -> t.Any:
    """``LoginConnection`` on top of PyMySQL's connection.

    :raises MissingLibrary: without PyMySQL.
    """
    try:
        from pymysql import connections
    except ImportError as e:
        raise MissingLibrary("PyMySQL", "log in to MySQL and MariaDB", e) from e
    return _on_top_of(connections.Connection)


@functools.lru_cache(maxsize=1)
def _on_top_of(base: type) -> type:
    return type("LoginConnection", (LoginConnection, base), {})


class LoginConnection(Connection):
    """A connection that logs in where a server has greeted already.

    PyMySQL before 1.2 answers requests for full authentication without asking, and takes any packet but an error
    for a successful login; no version bounds the time of a login as a whole.

    :arg opened: The connection and the greeting.
    :arg transport: What may be answered over it.
    :arg after_tls_handshake: Called before anything is sent over TLS.
    """

    server_capabilities: int
    _read_timeout: float
    _sock: t.Any
    _rfile: t.Any
    _force_close: t.Callable[[], None]

    def __init__(
        self,
        opened: handshake.OpenConnection,
        transport: authentication.Transport,
        after_tls_handshake: AfterTlsHandshake | None,
        **options: t.Any,
    ) -> None:
        self._opened = opened
        self._transport = transport
        self._after_tls_handshake = after_tls_handshake
        self._logging_in = self._authenticating = True
        self._greeting_left = opened.packet
        self._ssl_request = b""
        self._last_packet: t.Any = None
        super().__init__(defer_connect=True, **options)

    def log_in(self) -> None:
        """Log in; fails as PyMySQL does, or as ``transport`` and ``after_tls_handshake`` do."""
        if self.unix_socket:
            self._secure = True
        else:  # as PyMySQL does for the sockets that it makes itself
            self._opened.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._opened.connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.connect(self._opened.connection)
        if not hasattr(self, "set_character_set"):
            # PyMySQL before 1.1 trusts in the character set of the login, which some servers are told to skip.
            self.query("SET NAMES utf8mb4")
        self._logging_in = False
        self._sock.settimeout(self._read_timeout)

    def _request_authentication(self) -> None:
        super()._request_authentication()  # type: ignore[misc]  # not in the stubs
        if not self._last_packet.is_ok_packet():
            raise _operational_error(CR_MALFORMED_PACKET, "unexpected packet during authentication")
        self._authenticating = False

    def write_packet(self, payload: bytes) -> None:
        if self.ssl and not isinstance(self._sock, ssl.SSLSocket):
            if self._ssl_request or not handshake.is_ssl_request(payload):
                raise _operational_error(CR_SSL_CONNECTION_ERROR, "a login without TLS")
            self._ssl_request = payload
        elif self.ssl and self._after_tls_handshake:
            hook, self._after_tls_handshake = self._after_tls_handshake, None
            hook(self._sock, self._ssl_request)
        super().write_packet(payload)

    def _read_packet(self, *arguments: t.Any, **keywords: t.Any) -> t.Any:
        packet = super()._read_packet(*arguments, **keywords)  # type: ignore[no-untyped-call]
        if self._authenticating:
            self._transport.admit(self, packet)
            self._last_packet = packet
        return packet

    def _read_bytes(self, num_bytes: int) -> t.Any:
        if not self._logging_in:
            return super()._read_bytes(num_bytes)  # type: ignore[misc]
        received, self._greeting_left = self._greeting_left[:num_bytes], self._greeting_left[num_bytes:]
        try:
            while len(received) < num_bytes:
                self._sock.settimeout(self._opened.deadline.remaining())
                chunk = self._rfile.read1(num_bytes - len(received))
                if not chunk:
                    break
                received += chunk
        except OSError as e:
            self._force_close()
            raise _operational_error(CR_SERVER_LOST, f"Lost connection to MySQL server ({e})") from e
        if len(received) < num_bytes:
            self._force_close()
            raise _operational_error(CR_SERVER_LOST, "Lost connection to MySQL server")
        return received


def _operational_error(code: int, text: str) -> Exception:
    from pymysql.err import OperationalError

    return OperationalError(code, text)
