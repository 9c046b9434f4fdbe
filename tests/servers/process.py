# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Child processes that do not outlive this one, whatever way it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_PR_SET_PDEATHSIG = 1

_spawners: dict[int, ThreadPoolExecutor] = {}


def spawn(command: Sequence[str], *, log: Path, cwd: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start ``command`` with its output appended to ``log``; it gets SIGTERM when this process dies, even by SIGKILL.

    Linux sends that signal when the *thread* that started the child ends (prctl(2), PR_SET_PDEATHSIG), so all children
    are started from one thread that lives as long as the process. It is kept per process id: a fork has no threads.
    """
    spawner = _spawners.setdefault(os.getpid(), ThreadPoolExecutor(1, thread_name_prefix="servers"))

    def start() -> subprocess.Popen[bytes]:
        with open(log, "ab") as output:
            return subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=dict(environment),
                preexec_fn=_die_with_parent(),  # noqa: PLW1509 (it takes no lock and allocates nothing)
            )

    return spawner.submit(start).result()


def _die_with_parent() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    # Loaded before the fork: between fork and exec there must be no import and no lock.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def free_port(address: str) -> int:
    """A TCP port that nothing listens on at ``address`` right now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind(("" if address == "*" else address, 0))
        return int(probe.getsockname()[1])
