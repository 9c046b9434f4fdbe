# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Spreading numbered pieces of work over forked processes.

Not the multiprocessing module: its queues need semaphores, which containers often lack, and its processes do not end
when the one that wants their results is interrupted.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import struct
import threading
import typing as t
from contextlib import suppress

_NUMBER = struct.Struct(">I")
_POLL_SECONDS = 0.2
_CHUNK_BYTES = 1 << 16
# POSIX's least PIPE_BUF: a write of so much is never split.
_WHOLE_BYTES = 512

Result = tuple[int, t.Any]
Results = t.Generator[t.Optional[Result], None, None]
# Takes numbers, and yields each with its result, which JSON can hold; None in between says that there is none yet.
Work = t.Callable[[t.Iterator[int]], Results]


def spread(total: int, processes: int, work: Work) -> Results:
    """Do pieces of work in processes, each of which takes the next number when it is free.

    The results come as they are ready, by number, and None now and then in between. A process that dies leaves out
    what it was at. Call it in a process without threads; closing the iterator ends the processes.

    :arg total: How many pieces, numbered from 0.
    :arg work: Is called in each process with the numbers that are left for it.
    """
    numbers_out, numbers_in = os.pipe()
    results: dict[int, bytearray] = {}
    children: list[int] = []
    try:
        for _index in range(processes):
            read_end, write_end = os.pipe()
            try:
                child = os.fork()
            except OSError:  # as many as the machine lets us have
                os.close(read_end)
                os.close(write_end)
                if children:
                    break
                os.close(numbers_in)
                raise
            if child == 0:
                _be_a_worker(work, numbers_out, write_end, [numbers_in, read_end, *results])
            os.close(write_end)
            results[read_end] = bytearray()
            children.append(child)
        threading.Thread(target=_hand_out, args=(total, numbers_in), daemon=True).start()
        yield from _collect(results)
    finally:
        os.close(numbers_out)
        for descriptor in results:
            os.close(descriptor)
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _hand_out(total: int, numbers_in: int) -> None:
    """Write every number; in a thread, as a pipe takes only so many that nobody has read."""
    numbers = b"".join(_NUMBER.pack(number) for number in range(total))
    with suppress(OSError):  # all who read have gone
        for start in range(0, len(numbers), _WHOLE_BYTES):
            os.write(numbers_in, numbers[start : start + _WHOLE_BYTES])
    os.close(numbers_in)


def _collect(results: dict[int, bytearray]) -> Results:
    with selectors.DefaultSelector() as selector:
        for descriptor in results:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            for key, _events in selector.select(_POLL_SECONDS):
                received = os.read(key.fd, _CHUNK_BYTES)
                if not received:
                    selector.unregister(key.fd)
                results[key.fd] += received
                yield from _whole_ones(results[key.fd])
            yield None


def _whole_ones(received: bytearray) -> t.Iterator[Result]:
    """Take the results that are complete off the front."""
    while len(received) >= _NUMBER.size:
        end = _NUMBER.size + _NUMBER.unpack_from(received)[0]
        if len(received) < end:
            return
        yield _result(received[_NUMBER.size : end])
        del received[:end]


def _result(content: bytearray) -> Result:
    number, found = json.loads(content)
    return number, found


def _be_a_worker(work: Work, numbers_out: int, write_end: int, not_ours: t.Iterable[int]) -> t.NoReturn:
    """Work until there is nothing left, and leave without anything that belongs to the process that forked."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for descriptor in not_ours:
            os.close(descriptor)
        with os.fdopen(write_end, "wb") as f:
            for result in work(_take(numbers_out)):
                if result is not None:
                    content = json.dumps(result).encode("utf-8")
                    f.write(_NUMBER.pack(len(content)) + content)
                    f.flush()
    finally:
        os._exit(0)


def _take(numbers_out: int) -> t.Iterator[int]:
    while True:
        # All processes read from the same pipe. One read gets all four bytes: they were written by fours.
        received = os.read(numbers_out, _NUMBER.size)
        if not received:
            return
        yield _NUMBER.unpack(received)[0]
