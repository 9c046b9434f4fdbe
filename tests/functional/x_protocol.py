# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of MySQL's X Protocol, as far as a login ("X Protocol", MySQL Source Code Documentation)."""

from __future__ import annotations

import hashlib
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager

# Mysqlx.ClientMessages.Type and Mysqlx.ServerMessages.Type
_CAPABILITIES_SET, _AUTHENTICATE_START, _AUTHENTICATE_CONTINUE = 2, 4, 5
_OK, _CONTINUE, _AUTHENTICATED, _NOTICE = 0, 3, 4, 11
_SECONDS = 60


@contextmanager
def x_session(port: int, user: str, password: str, *, encrypted: bool) -> Iterator[None]:
    """Logged in over TCP. Without TLS the server has to know the password from a login with it."""
    with socket.create_connection(("127.0.0.1", port), _SECONDS) as plain:
        connection: socket.socket = plain
        if encrypted:
            # A capability has a name and a value, which is a scalar (1) of the type boolean (7): true.
            value = _number(1, 1) + _field(2, _number(1, 7) + _number(8, 1))
            _ask(connection, _CAPABILITIES_SET, _field(1, _field(1, _field(1, b"tls") + _field(2, value))), _OK)
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = context.wrap_socket(plain)
            login = b"\0" + user.encode() + b"\0" + password.encode()
            _ask(connection, _AUTHENTICATE_START, _field(1, b"PLAIN") + _field(2, login), _AUTHENTICATED)
        else:
            challenge = _ask(connection, _AUTHENTICATE_START, _field(1, b"SHA256_MEMORY"), _CONTINUE)[2:]
            answer = b"\0" + user.encode() + b"\0" + _scramble(password.encode(), challenge).hex().upper().encode()
            _ask(connection, _AUTHENTICATE_CONTINUE, _field(1, answer), _AUTHENTICATED)
        with connection:
            yield


def _ask(connection: socket.socket, kind: int, content: bytes, expected: int) -> bytes:
    """Send a message, and return the content of the answer, which has to be of the expected type."""
    connection.sendall(struct.pack("<IB", len(content) + 1, kind) + content)
    while True:
        length, found = struct.unpack("<IB", _read(connection, 5))
        answer = _read(connection, length - 1)
        if found != _NOTICE:
            assert found == expected, (found, answer)
            return answer


def _read(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        chunk = connection.recv(count - len(received))
        assert chunk, "the server has closed the connection"
        received += chunk
    return received


def _field(number: int, content: bytes) -> bytes:
    """A text or a message in protobuf's encoding, shorter than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def _number(number: int, value: int) -> bytes:
    return bytes([number << 3, value])


def _scramble(password: bytes, challenge: bytes) -> bytes:
    once = hashlib.sha256(password).digest()
    twice = hashlib.sha256(hashlib.sha256(once).digest() + challenge).digest()
    return bytes(a ^ b for a, b in zip(once, twice, strict=True))
