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
    """A moment by which something has to be done, so many seconds from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, 0 or less once there are none."""
        return self._end - time.monotonic()

    def remaining(self) -> float:
        """Seconds that are left, as a socket takes them for its timeout.

        :raises socket.timeout: when there are none.
        """
        left = self.left
        if left <= 0:
            raise socket.timeout("timed out")
        return left
