# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work on many servers at once, in threads of one process."""

from __future__ import annotations

import collections
import queue
import threading
import time
import typing as t
import warnings

Item = t.TypeVar("Item")
Result = t.TypeVar("Result")

# How long the main thread sleeps at most before it can notice a signal.
_POLL_SECONDS = 0.2
# An item counts as waiting for somebody else, and not as work, after this time and after so many times what the quick
# ones of the last items took. On a busy machine all of them are slow, and more at a time would not help.
_WAITING_SECONDS = 0.5
_TIMES_QUICK = 4
_LAST = 64
# There are more at a time only while the process uses less than this share of a core.
_BUSY_SHARE = 0.4


class Pool(t.Generic[Item, Result]):
    """Work on items, so many at a time; those that only wait do not count, up to a limit.

    The threads are daemons: an interrupt does not wait for servers that don't answer.

    :arg work: What is done with an item. It must not raise.
    :arg at_once: How many items are worked on at a time.
    :arg most: How many there may be with those that wait; ``at_once`` by default.
    :arg few: How many it begins with, ``at_once`` by default. Threads that do not wait for the network wait for each
        other, and each change from one to another takes time; so there are more only while the process has time left.
    """

    def __init__(
        self, work: t.Callable[[Item], Result], at_once: int, most: int | None = None, few: int | None = None
    ) -> None:
        self._work = work
        self._at_once = max(1, at_once)
        self._few = min(self._at_once, few or self._at_once)
        self._most = max(self._at_once, most or 0)
        self._todo: queue.SimpleQueue[tuple[Item] | None] = queue.SimpleQueue()
        self._finished: queue.SimpleQueue[tuple[Item, Result, float]] = queue.SimpleQueue()
        self._last: collections.deque[float] = collections.deque(maxlen=_LAST)
        self._running: dict[int, tuple[Item, float]] = {}
        self._stopped = threading.Event()

    def run(self, items: t.Iterable[Item]) -> t.Generator[tuple[Item, Result] | None, None, None]:
        """Each item and its result as they finish, and None now and then in between.

        Items are taken from their iterator as they are needed, in the thread that takes the results.
        """
        left = iter(items)
        more, threads, outstanding = True, 0, 0
        at_once = wanted = self._few
        counted, used = time.monotonic(), time.process_time()
        # Filters of warnings belong to the process, so that no thread can have its own (see certificates).
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                while more or outstanding:
                    since = time.monotonic() - counted
                    if since > _POLL_SECONDS:
                        if time.process_time() - used < _BUSY_SHARE * since:
                            at_once = min(self._at_once, at_once + self._few)
                        counted, used = time.monotonic(), time.process_time()
                        wanted = min(self._most, at_once + len(self.waiting(self._patience())))
                    feeding = more and outstanding < wanted + at_once
                    if feeding:
                        try:
                            self._todo.put((next(left),))
                            outstanding += 1
                        except StopIteration:
                            more = feeding = False
                            if not outstanding:
                                break
                    if threads < min(outstanding, wanted):
                        threads += 1
                        threading.Thread(target=self._serve, daemon=True).start()
                    try:
                        found = self._finished.get(block=not feeding, timeout=None if feeding else _POLL_SECONDS)
                    except queue.Empty:
                        yield None
                        continue
                    outstanding -= 1
                    self._last.append(found[2])
                    yield found[0], found[1]
            finally:
                self._stopped.set()
                for _thread in range(threads):
                    self._todo.put(None)

    def waiting(self, seconds: float) -> list[Item]:
        """What has been worked on for longer than that, in the order of beginning."""
        now = time.monotonic()
        return [item for item, since in self.running() if now - since > seconds]

    def running(self) -> list[tuple[Item, float]]:
        """What is worked on and since when, by the clock of this machine, in the order of beginning."""
        return sorted(self._running.values(), key=lambda one: one[1])

    def _patience(self) -> float:
        """After how many seconds an item counts as waiting."""
        quick = sorted(self._last)[len(self._last) // 4] if self._last else _WAITING_SECONDS
        return max(_WAITING_SECONDS, _TIMES_QUICK * quick)

    def _serve(self) -> None:
        number = threading.get_ident()
        while True:
            taken = self._todo.get()
            if taken is None or self._stopped.is_set():
                return
            began = time.monotonic()
            self._running[number] = (taken[0], began)
            result = self._work(taken[0])
            del self._running[number]
            self._finished.put((taken[0], result, time.monotonic() - began))
