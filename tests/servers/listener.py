# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A port of this machine with a thread for each client."""

from __future__ import annotations

import socket
import threading
import typing as t
from types import TracebackType

_SECONDS = 10


class Listener:
    """Listens from the start, and accepts within ``with``; ``port`` is where."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> t.Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A listener that is only closed leaves accept() waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(_SECONDS)

    def accepted(self, client: socket.socket) -> None:
        """Take note of a client, before its thread begins."""

    def serve(self, client: socket.socket) -> None:
        """All there is to do for a client, whose connection is this one's to close."""
        raise NotImplementedError

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            self.accepted(client)
            thread = threading.Thread(target=self.serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()
