# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals that would end the process, kept until the work is at a place where it can stop."""

from __future__ import annotations

import signal
import threading
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError

# Ctrl-C, a polite kill, the end of the terminal or SSH connection that the module runs under, and the timeout of
# Ansible's task, which raises an exception wherever the work is, in the middle of a rollback too.
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM")


class Interrupted(RdsMysqlError):
    """Somebody wants the work to stop."""


class Interrupts:
    """A ``with`` block in which such signals only leave a note; :meth:`check` reads it.

    In the middle of a packet an exception would leave a session that nobody can talk over any more, and this may be
    the one session that can still put things right. Every wait is bounded, so the note is read soon enough. Outside
    the main thread, where Python has no signal handlers, this does nothing.
    """

    def __init__(self) -> None:
        self._received: str | None = None
        self._before: dict[signal.Signals, t.Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)):
                handler = signal.getsignal(number)
                # One that is ignored (nohup) stays so; None is a handler that is not Python's and can't be put back.
                if handler not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *unused: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        del frame
        self._received = signal.Signals(number).name

    @property
    def received(self) -> str | None:
        """The name of the signal that has come; None where none has."""
        return self._received

    def check(self) -> None:
        """Go on, unless a signal has come.

        :raises Interrupted: naming it.
        """
        if self._received:
            raise Interrupted(f"The task was interrupted ({self._received}).")
