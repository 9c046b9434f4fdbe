# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy that sends some statements to one server and all others to another one, as those that separate reads do.

It knows the one account that logs in through it, ends TLS, and makes a session with both servers for each client
("Connection Phase" and "Text Protocol", MySQL Source Code Documentation).
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any

from .listener import Listener
from .pki import TlsFiles

# CLIENT_LONG_PASSWORD, CLIENT_LONG_FLAG, CLIENT_PROTOCOL_41, CLIENT_SSL, CLIENT_TRANSACTIONS, CLIENT_SECURE_CONNECTION,
# CLIENT_MULTI_RESULTS, CLIENT_PLUGIN_AUTH
_CAPABILITIES = 0x1 | 0x4 | 0x200 | 0x800 | 0x2000 | 0x8000 | 0x20000 | 0x80000
_UTF8MB4 = 45
_AUTOCOMMIT = 2
_OK = b"\x00\x00\x00\x02\x00\x00\x00"
_COM_QUIT, _COM_QUERY = 1, 3
_OK_HEADER, _EOF_HEADER, _ERR_HEADER = 0x00, 0xFE, 0xFF
_TRANSACTION = re.compile(r"(START TRANSACTION|BEGIN)\b", re.IGNORECASE)
_END = re.compile(r"(COMMIT|ROLLBACK)\b", re.IGNORECASE)


class SplittingProxy(Listener):
    """Statements that match ``reads`` go to ``reader``, unless they are in a transaction; all others to ``writer``.

    :arg connect: Makes a PyMySQL connection to a port of this machine as the account that logs in here.
    """

    def __init__(
        self, writer: int, reader: int, reads: str, version: str, certificate: TlsFiles, connect: Callable[[int], Any]
    ) -> None:
        super().__init__()
        self.written: list[str] = []
        self._ports = writer, reader
        self._reads = re.compile(reads, re.IGNORECASE)
        self._version = version
        self._connect = connect
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate.cert, certificate.key)

    def serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), client:
            _write(client, 0, self._greeting())
            _read(client)  # SSLRequest
            with self._tls.wrap_socket(client, server_side=True) as tls:
                number, _response = _read(tls)
                _write(tls, number + 1, _OK)
                writer, reader = (self._connect(port) for port in self._ports)
                with writer, reader:
                    self._pass_on(tls, writer, reader)

    def _greeting(self) -> bytes:
        salt = b"01234567890123456789"
        return (
            b"\x0a"
            + self._version.encode()
            + b"\0"
            + struct.pack("<I", 7)
            + salt[:8]
            + b"\0"
            + struct.pack("<HBHH", _CAPABILITIES & 0xFFFF, _UTF8MB4, _AUTOCOMMIT, _CAPABILITIES >> 16)
            + bytes([len(salt) + 1])
            + bytes(10)
            + salt[8:]
            + b"\0mysql_native_password\0"
        )

    def _pass_on(self, client: ssl.SSLSocket, writer: Any, reader: Any) -> None:
        in_transaction = False
        while True:
            _number, packet = _read(client)
            if packet[0] == _COM_QUIT:
                return
            text = packet[1:].decode("utf-8", "replace") if packet[0] == _COM_QUERY else ""
            in_transaction = bool(_TRANSACTION.match(text)) or (in_transaction and not _END.match(text))
            reads = bool(self._reads.match(text)) and not in_transaction
            if not reads:
                self.written.append(text)
            server = (reader if reads else writer)._sock
            _write(server, 0, packet)
            for number, answer in _answer(server):
                _write(client, number, answer)


def _answer(server: socket.socket) -> list[tuple[int, bytes]]:
    packets = [_read(server)]
    if packets[0][1][0] in (_OK_HEADER, _ERR_HEADER):
        return packets
    ends = 0
    while ends < 2:  # After the columns, and after the rows.
        packets.append(_read(server))
        payload = packets[-1][1]
        if payload[0] == _ERR_HEADER:
            break
        ends += payload[0] == _EOF_HEADER and len(payload) < 9
    return packets


def _read(connection: socket.socket) -> tuple[int, bytes]:
    header = _exactly(connection, 4)
    return header[3], _exactly(connection, int.from_bytes(header[:3], "little"))


def _exactly(connection: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        chunk = connection.recv(length - len(received))
        if not chunk:
            raise EOFError
        received += chunk
    return received


def _write(connection: socket.socket, number: int, payload: bytes) -> None:
    connection.sendall(len(payload).to_bytes(3, "little") + bytes([number & 0xFF]) + payload)
