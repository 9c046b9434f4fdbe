# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses of a host, in bounded time.

The C library asks each name server several times, for 5 seconds each, and nothing can interrupt it, Ctrl-C included. So
a thread asks, and is left behind where no answer comes in time.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import Deadline

_POLL_SECONDS = 0.2

Found = list[tuple[int, t.Any]]
"""Address families, and addresses as the socket module takes them."""


class NameLookupTimeout(OSError):
    """No name server has answered in time."""


def look_up(host: str, port: int, deadline: Deadline) -> Found:
    """The addresses of a host.

    :raises OSError: when it has none.
    :raises NameLookupTimeout: when the answer does not come in time.
    """
    try:
        return _ask(host, port, socket.AI_NUMERICHOST)
    except OSError:  # not an address, so there is somebody to ask
        pass
    answer: queue.SimpleQueue[Found | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(_ask(host, port, 0))
        except Exception as e:  # noqa: BLE001  raised below, where somebody is to hear it
            answer.put(e)

    threading.Thread(target=ask, daemon=True).start()
    while deadline.left > 0:
        # Python only looks after signals between waits, where another thread has received them.
        with contextlib.suppress(queue.Empty):
            found = answer.get(timeout=min(max(deadline.left, 0), _POLL_SECONDS))
            if isinstance(found, Exception):
                raise found
            return found
    raise NameLookupTimeout


def _ask(host: str, port: int, flags: int) -> Found:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, address) for family, _type, _protocol, _name, address in found]
