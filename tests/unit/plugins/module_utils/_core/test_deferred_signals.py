# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would end the work in the middle of a packet waits until it can stop."""

from __future__ import annotations

import signal

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.deferred_signals import Interrupted, Interrupts


class TimedOut(BaseException):
    """As Ansible raises it for the timeout of a task."""


def _on_alarm(number: int, frame: object) -> None:
    raise TimedOut


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGALRM"])
def test_a_signal_leaves_a_note(name: str) -> None:
    """Also the alarm of a task's timeout, which would end a rollback."""
    number = signal.Signals[name]
    before = signal.signal(number, _on_alarm)
    try:
        with Interrupts() as interrupts:
            interrupts.check()
            signal.raise_signal(number)
            assert interrupts.received == name
            with pytest.raises(Interrupted, match=rf"^The task was interrupted \({name}\)\.$"):
                interrupts.check()
        with pytest.raises(TimedOut):
            signal.raise_signal(number)
    finally:
        signal.signal(number, before)
