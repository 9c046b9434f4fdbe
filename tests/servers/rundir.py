# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Temporary directories of running servers, which the next run removes if their owner was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

_PREFIX = "dbtls-server-"

# unix(7): sun_path holds 108 bytes with the closing zero. MySQL puts ".lock" behind the name of its socket.
_LONGEST_SOCKET = 107 - len(".lock")


class RunDirectory:
    """A fresh private directory with a path short enough for a unix socket in it.

    It is marked by a locked file. The kernel drops the lock when the owner ends, in whatever way, and then whoever
    makes the next directory removes this one.
    """

    def __init__(self) -> None:
        parent = Path(tempfile.gettempdir())
        if len(os.fsencode(parent / f"{_PREFIX}12345678" / "s")) > _LONGEST_SOCKET:
            parent = Path("/tmp")
        _sweep(parent)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        # Renamed once locked, so that nobody sees it unlocked while we live.
        self._lock: IO[bytes] = open(self.path / "new-owner", "wb")  # noqa: SIM115 (held as long as the directory)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self.path / "new-owner").rename(self.path / "owner")

    def remove(self) -> None:
        """Delete it with everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _sweep(parent: Path) -> None:
    for mark in parent.glob(f"{_PREFIX}*/owner"):
        try:
            with open(mark, "rb") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(mark.parent, ignore_errors=True)
        except OSError:
            # In use, gone already, or another user's.
            continue
