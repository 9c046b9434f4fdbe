# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client that leaves a server in one of many ways: ``python -m tests.functional.disconnect_variants HOST PORT WAY``.

Ways that begin with ``tls-`` bring TLS up first. The page "Reading the status" has what servers make of them.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from collections.abc import Callable

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import handshake
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.context import ssl_context

Stream = socket.socket


def _packet(payload: bytes, number: int) -> bytes:
    return struct.pack("<I", len(payload) | number << 24) + payload


def _read(stream: Stream) -> bytes:
    header = stream.recv(4, socket.MSG_WAITALL) if not isinstance(stream, ssl.SSLSocket) else _exactly(stream, 4)
    return _exactly(stream, int.from_bytes(header[:3], "little"))


def _exactly(stream: Stream, length: int) -> bytes:
    data = b""
    while len(data) < length:
        chunk = stream.recv(length - len(data))
        if not chunk:
            break
        data += chunk
    return data


def _login(greeting: handshake.Greeting, number: int, in_tls: bool, user: bytes, plugin: str) -> bytes:
    """An empty login with a user name and a plugin put in."""
    named = handshake.Greeting(greeting.raw_version, greeting.capabilities, plugin)
    payload = handshake.empty_login(named, number, handshake.request_payload(greeting, with_tls=in_tls))[4:]
    return _packet(payload[:32] + user + payload[32:], number)


def _close(stream: Stream, greeting: handshake.Greeting, number: int) -> None:
    """Without a word."""


def _reset(stream: Stream, greeting: handshake.Greeting, number: int) -> None:
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _half_close(stream: Stream, greeting: handshake.Greeting, number: int) -> None:
    stream.shutdown(socket.SHUT_WR)


def _close_notify(stream: Stream, greeting: handshake.Greeting, number: int) -> None:
    assert isinstance(stream, ssl.SSLSocket)
    stream.unwrap()


def _quit(stream: Stream, greeting: handshake.Greeting, number: int) -> None:
    stream.sendall(_packet(handshake.COM_QUIT, number))
    _read(stream)


def _empty_packet(stream: Stream, greeting: handshake.Greeting, number: int) -> None:
    stream.sendall(_packet(b"", number))
    _read(stream)


def _unknown_user(stream: Stream, greeting: handshake.Greeting, number: int) -> None:
    in_tls = isinstance(stream, ssl.SSLSocket)
    stream.sendall(_login(greeting, number, in_tls, b"no_such_user", greeting.auth_plugin))
    _read(stream)


def _other_plugin(stream: Stream, greeting: handshake.Greeting, number: int) -> None:
    """Of which the server has to make another, and waits for an answer to that."""
    in_tls = isinstance(stream, ssl.SSLSocket)
    stream.sendall(_login(greeting, number, in_tls, b"no_such_user", "no_such_plugin"))
    assert _read(stream)[:1] == b"\xfe"


WAYS: dict[str, Callable[[Stream, handshake.Greeting, int], None]] = {
    "close": _close,
    "reset": _reset,
    "half-close": _half_close,
    "quit": _quit,
    "empty-packet": _empty_packet,
    "unknown-user": _unknown_user,
    "other-plugin": _other_plugin,
    "tls-close": _close,
    "tls-reset": _reset,
    "tls-close-notify": _close_notify,
    "tls-quit": _quit,
    "tls-empty-packet": _empty_packet,
    "tls-unknown-user": _unknown_user,
    "tls-other-plugin": _other_plugin,
}
# These end before TLS is up.
IN_BETWEEN = ("request-tls-and-close", "refuse-the-certificate")


def leave(host: str, port: int, way: str) -> None:
    """Connect, read the greeting, and go."""
    with socket.create_connection((host, port), 10) as connection:
        greeting = handshake.parse_greeting(_read(connection), host)
        if way in WAYS and not way.startswith("tls-"):
            _go(WAYS[way], connection, greeting, 1)
            return
        connection.sendall(handshake.ssl_request(greeting))
        if way == "request-tls-and-close":
            return
        context = ssl_context(None, check_hostname=False, tls_min_version="TLSv1")
        if way == "refuse-the-certificate":
            context.verify_mode = ssl.CERT_REQUIRED
            try:
                context.wrap_socket(connection)
            except ssl.SSLCertVerificationError:
                return
            raise AssertionError("It was to be refused")
        with context.wrap_socket(connection) as tls:
            _go(WAYS[way], tls, greeting, 2)


def _go(
    how: Callable[[Stream, handshake.Greeting, int], None], stream: Stream, greeting: handshake.Greeting, number: int
) -> None:
    try:
        how(stream, greeting, number)
    except OSError as e:
        # The server may be gone first, and is not polite about TLS.
        print(e, file=sys.stderr)


if __name__ == "__main__":
    leave(sys.argv[1], int(sys.argv[2]), sys.argv[3])
