# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers on loopback that have one packet for everybody, or none, and a wait for their client."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SECONDS = 2


@contextmanager
def answering(payload: bytes) -> Iterator[int]:
    """Its port. Each client gets this packet, may say something, and is hung up on."""
    packet = len(payload).to_bytes(3, "little") + b"\0" + payload
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _address = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    connection.settimeout(_SECONDS)
                    connection.sendall(packet)
                    connection.recv(1024)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def silent_server() -> Iterator[int]:
    """Its port. It takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


def wait_for_client(port: int) -> None:
    """Until somebody has connected to this port, whether that was accepted or not."""
    deadline = time.monotonic() + 120
    # proc(5): local address and port in hexadecimal, then the remote one, then the state, of which 01 is established.
    while not re.search(rf":{port:04X} \S+ 01 ", Path("/proc/net/tcp").read_text("ascii")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
