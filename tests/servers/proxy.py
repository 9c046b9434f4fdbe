# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A web proxy on this machine: CONNECT, which is all that https needs. It counts what it passes on."""

from __future__ import annotations

import socket
import socketserver
import threading
from types import TracebackType

from .listener import Listener

_CHUNK = 65536
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """``targets`` lists the hosts that were asked for, such as 127.0.0.1:8443; ``bytes`` counts both directions.

    With ``port`` every one of them is this port of this machine.
    """

    def __init__(self, port: int | None = None) -> None:
        self.port = port
        self.targets: list[str] = []
        self.bytes = 0
        self._server = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(address, _Handler)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        method, target, _version = self.rfile.readline().decode("ascii").split()
        while self.rfile.readline().strip():
            pass
        self.server.proxy.targets.append(target)
        if method != "CONNECT":
            self.wfile.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return
        host, _colon, port = target.rpartition(":")
        address = (host, int(port)) if self.server.proxy.port is None else ("127.0.0.1", self.server.proxy.port)
        with socket.create_connection(address) as upstream:
            self.wfile.write(_ESTABLISHED)
            answers = threading.Thread(target=self._pass_on, args=(upstream, self.connection), daemon=True)
            answers.start()
            self._pass_on(self.connection, upstream)
            answers.join()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while chunk := source.recv(_CHUNK):
                self.server.proxy.bytes += len(chunk)
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # One side has gone; the other will notice.


class Relay(Listener):
    """Passes on what comes to ``port`` to another port of this machine; ``bytes`` counts both directions.

    ``sent`` is what clients have sent, as somebody on the network would have captured it.
    """

    def __init__(self, target: int) -> None:
        super().__init__()
        self.bytes = 0
        self.sent = bytearray()
        self._target = target
        self._open = 0
        self._changed = threading.Condition()

    def settle(self) -> None:
        """Wait until nothing is on its way any more."""
        with self._changed:
            self._changed.wait_for(lambda: not self._open, timeout=10)

    def accepted(self, client: socket.socket) -> None:
        with self._changed:
            self._open += 2

    def serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            answers = threading.Thread(target=self._pass_on, args=(server, client, bytearray()), daemon=True)
            answers.start()
            self._pass_on(client, server, self.sent)
            answers.join()

    def _pass_on(self, source: socket.socket, target: socket.socket, sent: bytearray) -> None:
        try:
            while chunk := source.recv(_CHUNK):
                with self._changed:
                    self.bytes += len(chunk)
                    sent += chunk
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # One side has gone.
        with self._changed:
            self._open -= 1
            self._changed.notify_all()
