# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time that passes only when somebody waits, and what happens at its hours."""

from __future__ import annotations

import heapq
import typing as t


class Clock:
    """In seconds, in place of the module ``time``; :meth:`at` makes something happen at its hour.

    It starts where a machine's monotonic clock may be, so that a mistaken difference to 0 shows.
    """

    def __init__(self, now: float = 100_000.0) -> None:
        self.now = now
        self._events: list[tuple[float, int, t.Callable[[], None]]] = []
        self._number = 0

    def monotonic(self) -> float:
        """As that of ``time``."""
        return self.now

    time = monotonic
    perf_counter = monotonic

    def sleep(self, seconds: float) -> None:
        """As that of ``time``; what is due meanwhile happens, each at its hour."""
        assert seconds >= 0, f"sleep({seconds})"
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _number, event = heapq.heappop(self._events)
            event()
        self.now = end

    def at(self, when: float, event: t.Callable[[], None]) -> None:
        """Let it happen then, or at the next occasion."""
        self._number += 1
        heapq.heappush(self._events, (max(when, self.now), self._number, event))

    def drain(self) -> None:
        """Until nothing is due any more."""
        while self._events:
            self.sleep(max(0.0, self._events[0][0] - self.now))
