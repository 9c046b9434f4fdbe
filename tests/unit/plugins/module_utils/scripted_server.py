# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server on loopback that says what a test tells it to, and remembers every byte it was sent."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NONCE = b"12345678" + b"abcdefghijkl"
CAPABILITIES = 0x00000001 | 0x00000200 | 0x00008000 | 0x00080000
CLIENT_SSL = 0x00000800


def greeting(*, tls: bool, plugin: bytes = b"mysql_native_password", version: bytes = b"8.0.36") -> bytes:
    """The payload of Protocol::HandshakeV10."""
    flags = CAPABILITIES | (CLIENT_SSL if tls else 0)
    head = b"\x0a" + version + b"\0" + struct.pack("<I", 7) + NONCE[:8] + b"\0"
    head += struct.pack("<HBHHB", flags & 0xFFFF, 33, 2, flags >> 16, 21)
    return head + b"\0" * 10 + NONCE[8:] + b"\0" + plugin + b"\0"


def packet(payload: bytes, number: int) -> bytes:
    """A packet with its header."""
    return struct.pack("<I", len(payload) | (number & 0xFF) << 24) + payload


class Conversation:
    """One accepted connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = b""
        self._number = 0

    def send(self, payload: bytes) -> None:
        """Send one packet, numbered as the protocol wants it."""
        self.connection.sendall(packet(payload, self._number))
        self._number += 1

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.connection.sendall(data)

    def receive(self) -> bytes:
        """One packet's payload; empty at the end of the connection."""
        header = self._exactly(4)
        if not header:
            return b""
        self._number = header[3] + 1
        return self._exactly(int.from_bytes(header[:3], "little"))

    def restart_numbers(self) -> None:
        """A command begins."""
        self._number = 0

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Go on in TLS."""
        self.connection = context.wrap_socket(self.connection, server_side=True)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            chunk = self.connection.recv(count - len(data))
            if not chunk:
                return b""
            data += chunk
        self.received += data
        return data


class ScriptedServer:
    """Plays one script on the first connection, the next on the second, and so on.

    ``received`` is what all connections have sent, ``connections`` how many there were.
    """

    def __init__(self) -> None:
        self.port = 0
        self.received = b""
        self.connections = 0

    def play(self, script: Callable[[Conversation], None], connection: socket.socket) -> None:
        """Play a script on a connection, to its end."""
        connection.settimeout(10)
        conversation = Conversation(connection)
        self.connections += 1
        try:
            with contextlib.suppress(OSError):
                script(conversation)
        finally:
            conversation.connection.close()
            self.received += conversation.received


@contextlib.contextmanager
def scripted(*scripts: Callable[[Conversation], None]) -> Iterator[ScriptedServer]:
    """Listen, and play the scripts one after the other to whoever connects."""
    server = ScriptedServer()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        done, over = threading.Event(), threading.Event()

        def play() -> None:
            for script in scripts:
                # Short waits, because the client may give up before it comes to the later scripts.
                for _wait in range(200):
                    if over.is_set() and len(scripts) > 1:
                        break
                    listener.settimeout(0.05)
                    with contextlib.suppress(OSError):
                        connection, _address = listener.accept()
                        server.play(script, connection)
                        break
            done.set()

        thread = threading.Thread(target=play, daemon=True)
        thread.start()
        yield server
        over.set()
        thread.join(120)
        assert done.is_set()
