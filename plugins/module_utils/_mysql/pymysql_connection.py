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
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import Deadline
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import authentication, handshake
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import (
    CR_MALFORMED_PACKET,
    CR_NET_PACKET_TOO_LARGE,
    CR_SERVER_GONE_ERROR,
    CR_SERVER_LOST,
    CR_SSL_CONNECTION_ERROR,
)

if t.TYPE_CHECKING:
    from pymysql.connections import Connection
else:
    Connection = object  # PyMySQL may lack

# An answer of a login takes a few hundred bytes, and a key or a certificate at most a few thousand.
_MOST_BYTES_OF_A_LOGIN = 1024 * 1024
_MOST_PACKETS_OF_A_LOGIN = 100
# A row of mysql.user as it is read here takes some 100 bytes. The values of 16 MB take 350 MB at most, when each is as
# short as a value can be.
MOST_BYTES_OF_A_RESULT = 16 * 1024 * 1024
MOST_ROWS_OF_A_RESULT = 50_000
# Columns come before the rows, and something to end each.
_MOST_PACKETS_OF_A_RESULT = MOST_ROWS_OF_A_RESULT + 200
_CHUNK = 16 * 1024
_LARGEST_CHUNK = 1024 * 1024

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
    for a successful login; no version bounds the time or the size of a login or an answer as a whole.

    :arg opened: The connection and the greeting.
    :arg transport: What may be answered over it.
    :arg after_tls_handshake: Called before anything is sent over TLS.
    """

    server_capabilities: int
    _sock: t.Any
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
        self._authenticating = True
        self._unread, self._at = opened.packet, 0
        self._ssl_request = b""
        self._last_packet: t.Any = None
        self.bound(opened.deadline, _MOST_BYTES_OF_A_LOGIN, _MOST_PACKETS_OF_A_LOGIN)
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

    def bound(self, deadline: Deadline, most_bytes: int, most_packets: int) -> None:
        """What is read and written from now on is bounded by these."""
        self._deadline = deadline
        self._bytes_left = self._most_bytes = most_bytes
        self._packets_left = self._most_packets = most_packets

    def begin_statement(self, deadline: Deadline) -> None:
        """The same, for a statement and its answer."""
        self.bound(deadline, MOST_BYTES_OF_A_RESULT, _MOST_PACKETS_OF_A_RESULT)

    def _read_packet(self, *arguments: t.Any, **keywords: t.Any) -> t.Any:
        self._packets_left -= 1
        if self._packets_left < 0:
            self._force_close()
            raise _operational_error(CR_NET_PACKET_TOO_LARGE, f"more than {self._most_packets} packets")
        packet = super()._read_packet(*arguments, **keywords)  # type: ignore[no-untyped-call]  # the stubs have no types for it
        if self._authenticating:
            self._transport.admit(self, packet)
            self._last_packet = packet
        return packet

    def _read_bytes(self, num_bytes: int) -> bytes:
        end = self._at + num_bytes
        if end > len(self._unread):
            self._receive(num_bytes)
            end = num_bytes
        received, self._at = self._unread[self._at : end], end
        return received

    def _receive(self, num_bytes: int) -> None:
        """Have at least so many bytes to read."""
        chunks = [self._unread[self._at :]]
        missing = num_bytes - len(chunks[0])
        if missing > self._bytes_left:
            self._force_close()
            raise _operational_error(CR_NET_PACKET_TOO_LARGE, f"more than {self._most_bytes} bytes")
        try:
            while missing > 0:
                self._sock.settimeout(self._deadline.remaining())
                chunk = self._sock.recv(max(_CHUNK, min(missing, _LARGEST_CHUNK)))
                if not chunk:
                    break
                chunks.append(chunk)
                missing -= len(chunk)
                self._bytes_left -= len(chunk)
        except OSError as e:
            self._force_close()
            why = f" (no complete answer within {self._deadline})" if isinstance(e, socket.timeout) else ""
            raise _operational_error(CR_SERVER_LOST, "Lost connection to MySQL server" + why) from e
        if missing > 0:
            self._force_close()
            raise _operational_error(CR_SERVER_LOST, "Lost connection to MySQL server")
        self._unread, self._at = b"".join(chunks), 0

    def _write_bytes(self, data: bytes) -> None:
        try:
            self._sock.settimeout(self._deadline.remaining())
            self._sock.sendall(data)
        except OSError as e:
            self._force_close()
            raise _operational_error(CR_SERVER_GONE_ERROR, f"MySQL server has gone away ({e})") from e


def _operational_error(code: int, text: str) -> Exception:
    from pymysql.err import OperationalError

    return OperationalError(code, text)
