# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache directory, and building something in it exactly once, whoever else is trying at the same time."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def say(message: str) -> None:
    """A progress line for a person; stdout is kept for what programs read."""
    print(message, file=sys.stderr, flush=True)


def cache_root() -> Path:
    """Where unpacked servers and initialised data directories are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "dbtls-rds-mysql" / "servers"


@contextmanager
def _locked(key: str) -> Iterator[None]:
    locks = cache_root() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with open(locks / f"{key}.lock", "w", encoding="ascii") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that is preparing {key}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        # The kernel drops the lock with the descriptor, so a killed process never leaves one behind.
        yield


def build_once(kind: str, name: str, build: Callable[[Path], None], *, again: bool = False) -> Path:
    """The directory ``<cache>/<kind>/<name>``, made by ``build(empty directory)`` if it is not there yet.

    The directory appears whole or not at all: it is built under another name and renamed. With ``again`` it is built
    anew, and the old one stays until the new one is complete.
    """
    target = cache_root() / kind / name
    if target.is_dir() and not again:
        return target
    with _locked(f"{kind}-{name}"):
        if target.is_dir() and not again:
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        # We hold the lock, so whatever lies here under our prefix was left by a process that was killed.
        for stale in target.parent.glob(f".new-{name}-*"):
            shutil.rmtree(stale, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix=f".new-{name}-", dir=target.parent))
        try:
            build(new)
            if target.is_dir():
                old = Path(tempfile.mkdtemp(prefix=f".new-{name}-old-", dir=target.parent))
                target.rename(old / name)
                new.rename(target)
                shutil.rmtree(old, ignore_errors=True)
            else:
                new.rename(target)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
    return target
