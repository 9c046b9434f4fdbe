# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time of day, and deadlines."""

from __future__ import annotations

import datetime as dt
import socket
import time


def utc_now() -> dt.datetime:
    """The time now, aware, in UTC, to the second."""
    return dt.datetime.now(dt.timezone.utc).replace(microsecond=0)


def iso8601(moment: dt.datetime) -> str:
    """``2026-11-24T15:40:00Z``."""
    return moment.astimezone(dt.timezone.utc).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


class Deadline:
    """A moment by which something has to be done, so many seconds from now.

    :arg note: What the time is for, as messages continue after the seconds.
    :arg outer: A deadline that holds as well, and may still be extended.
    """

    def __init__(self, seconds: float, note: str = "", outer: Deadline | None = None) -> None:
        self.seconds = seconds
        self._note = note
        self._outer = outer
        self._end = time.monotonic() + seconds

    def within(self, seconds: float) -> Deadline:
        """A deadline so many seconds from now, which cannot be later than this one."""
        return Deadline(seconds, outer=self)

    def extend(self) -> None:
        """Begin again: the same number of seconds from now."""
        self._end = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """Seconds that are left, 0 or less once there are none."""
        left = self._end - time.monotonic()
        return left if self._outer is None else min(left, self._outer.left)

    def remaining(self) -> float:
        """Seconds that are left, as a socket takes them for its timeout.

        :raises socket.timeout: when there are none.
        """
        left = self.left
        if left <= 0:
            raise socket.timeout("timed out")
        return left

    def __str__(self) -> str:
        """For messages: the time that was too short, such as ``30 seconds``."""
        if self._outer is not None and self._outer.left <= 0:
            return str(self._outer)
        return f"{self.seconds:g} seconds{self._note}"
