# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server on loopback that has one packet for everybody."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

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
