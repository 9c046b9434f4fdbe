# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody on the path: lets TLS pass, and makes a session of his own of every login that comes without it.

A challenge that is answered outside TLS can be answered with the same bytes inside a TLS session that the interceptor
makes with the real server. The client is told that its login was refused.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading

from .listener import Listener

_CLIENT_SSL = 0x800
_HEADER = 4
_FIXED = 32
_CHUNK = 65536
_OK, _SWITCH = b"\x00", b"\xfe"
_FAST_AUTH_OK = b"\x01\x03"
_REFUSED = b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied"


class Interceptor(Listener):
    """Relays what comes to ``port`` to another port of this machine.

    :ivar answers: The users whose challenge was answered outside TLS.
    :ivar sessions: What ``CURRENT_USER()`` was in the sessions that were made of these answers.
    """

    def __init__(self, target: int, context: ssl.SSLContext) -> None:
        super().__init__()
        self.answers: list[str] = []
        self.sessions: list[str] = []
        self.connections = 0
        self._target = target
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._context = context

    def accepted(self, client: socket.socket) -> None:
        self.connections += 1

    def serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server, contextlib.suppress(OSError):
            _number, greeting = _read(server)
            _write(client, 0, greeting)
            number, first = _read(client)
            flags = int.from_bytes(first[:4], "little")
            if flags & _CLIENT_SSL:
                _write(server, number, first)
                _relay(client, server)
            elif first:
                self._log_in_as_him(client, server, first)

    def _log_in_as_him(self, client: socket.socket, server: socket.socket, login: bytes) -> None:
        user, answer = _user_and_answer(login)
        if answer:
            self.answers.append(user)
        flags = int.from_bytes(login[:4], "little") | _CLIENT_SSL
        login = flags.to_bytes(4, "little") + login[4:]
        _write(server, 1, login[:_FIXED])
        with self._context.wrap_socket(server) as tls:
            _write(tls, 2, login)
            number, reply = _read(tls)
            refusal = 2
            if reply[:1] == _SWITCH:  # The plugin of the account is another one than that of the greeting.
                _write(client, 2, reply)
                refusal, answer = _read(client)
                refusal += 1
                if answer:
                    self.answers.append(user)
                _write(tls, number + 1, answer)
                number, reply = _read(tls)
            if reply == _FAST_AUTH_OK:
                number, reply = _read(tls)
            if reply[:1] == _OK:
                self.sessions.append(_current_user(tls))
            _write(client, refusal, _REFUSED)


def _user_and_answer(login: bytes) -> tuple[str, bytes]:
    """Protocol::HandshakeResponse41: after 32 fixed bytes a user, and an authentication response with its length."""
    user, _end, rest = login[_FIXED:].partition(b"\0")
    return user.decode(), rest[1 : 1 + rest[0]] if rest else b""


def _current_user(tls: ssl.SSLSocket) -> str:
    _write(tls, 0, b"\x03SELECT CURRENT_USER()")
    seen = b""
    while b"@" not in seen:
        _number, payload = _read(tls)
        if payload[:1] == b"\xff":
            return "?"
        # Column definitions name the expression; the row is a text with its length.
        seen = payload[1:] if payload[:1] != b"\x03" or b"CURRENT_USER" not in payload else b""
    return seen.decode()


def _relay(one: socket.socket, other: socket.socket) -> None:
    thread = threading.Thread(target=_pass_on, args=(other, one), daemon=True)
    thread.start()
    _pass_on(one, other)
    thread.join(10)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


def _read(connection: socket.socket) -> tuple[int, bytes]:
    header = _exactly(connection, _HEADER)
    return header[3], _exactly(connection, int.from_bytes(header[:3], "little"))


def _exactly(connection: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        chunk = connection.recv(length - len(received))
        if not chunk:
            raise ConnectionError("closed")
        received += chunk
    return received


def _write(connection: socket.socket, number: int, payload: bytes) -> None:
    connection.sendall(len(payload).to_bytes(3, "little") + bytes([number & 0xFF]) + payload)
