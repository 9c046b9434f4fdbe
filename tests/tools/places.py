# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where things are: the checkout, what is generated in it, and the user's cache."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout, which is the root of the collection."""

BUILD = ROOT / "build"
"""Everything generated in the checkout; ``make clean`` removes it."""

COLLECTIONS = BUILD / "collections"
"""For ANSIBLE_COLLECTIONS_PATH and PYTHONPATH: the directory above ``ansible_collections``."""

STAGE = COLLECTIONS / "ansible_collections" / "dbtls" / "rds_mysql"
"""The copy of the collection that the gates run on, at a path where Ansible finds it."""

REQUIREMENTS = ROOT / "tests" / "requirements"


def cache_root() -> Path:
    """What is kept between runs and shared by all clones of this user."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "dbtls-rds-mysql"


def say(message: str) -> None:
    """A progress line, in order with the output of the programs that we start."""
    sys.stderr.flush()
    print(message, flush=True)


@contextmanager
def locked(path: Path, waiting_for: str) -> Iterator[int]:
    """Hold an exclusive lock on this file, and give its descriptor.

    The kernel drops the lock when the last process that has the descriptor ends, however that happens: pass it on to a
    program that must not outlive the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process: {waiting_for}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()
