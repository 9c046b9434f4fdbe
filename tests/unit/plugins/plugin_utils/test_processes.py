# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that work on many items: every item has a result, also where one of them is killed."""

from __future__ import annotations

import gc
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import typing as t
from contextlib import closing
from multiprocessing import connection
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import processes

Work = t.Callable[[int], t.Any]


def of(work: Work, count: int = 2, at_once: int = 2) -> processes.Processes[int, t.Any]:
    """So many processes, with a result for the items that one of them has lost."""
    return processes.Processes(work, lambda item: f"lost {item}", at_once, count * at_once, at_once, count)


def in_two(directory: Path, work: Work) -> Work:
    """Work that waits until two processes have begun with theirs."""

    def begin(number: int) -> t.Any:
        (directory / str(os.getpid())).touch()
        until = time.monotonic() + 120
        while len(os.listdir(directory)) < 2:
            assert time.monotonic() < until
            time.sleep(0.01)
        return work(number)

    return begin


def test_every_item_has_its_result(tmp_path: Path) -> None:
    work = in_two(tmp_path, lambda number: (number * 2, os.getpid()))
    found = [one for one in of(work).run(range(100)) if one]
    assert len(found) == 100
    assert {number: result[0] for number, result in found} == {number: number * 2 for number in range(100)}
    pids = {result[1] for _number, result in found}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_fewer_items_than_processes() -> None:
    assert [one for one in of(lambda number: number, count=3).run([7]) if one] == [(7, 7)]
    assert not [one for one in of(lambda number: number).run([]) if one]


def test_only_what_a_killed_process_has_taken_is_lost(tmp_path: Path) -> None:
    def work(number: int) -> int:
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    found = [one for one in of(in_two(tmp_path, work), at_once=1).run(range(100)) if one]
    assert sorted(number for number, _result in found) == list(range(100))
    lost = {number for number, result in found if result == f"lost {number}"}
    assert {number: result for number, result in found if number not in lost} == {
        number: number for number in range(100) if number not in lost
    }
    # One was worked on and one had been taken besides; results before them may not have been sent.
    assert 3 in lost
    assert max(lost) < 50


def test_no_process_waits_for_items_of_another(tmp_path: Path) -> None:
    """Also where what takes long comes to one of them alone."""

    def work(number: int) -> int:
        if number == 0:
            while len(os.listdir(tmp_path)) < 90:
                time.sleep(0.01)
        (tmp_path / str(number)).touch()
        return number

    found = [one for one in of(work, at_once=1).run(range(100)) if one]
    assert sorted(found) == [(number, number) for number in range(100)]


def test_a_process_that_is_killed_while_it_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    def write_half(self: connection.Connection, _message: t.Any) -> None:
        os.write(self.fileno(), struct.pack("!i", 1000) + b"half of it")
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(connection.Connection, "send", write_half)
    found = dict(one for one in of(lambda number: number).run(range(20)) if one)
    assert found == {number: f"lost {number}" for number in range(20)}


def test_nothing_stays_frozen() -> None:
    """What is frozen is never searched for garbage again."""
    before = gc.get_freeze_count()
    assert len([one for one in of(lambda number: number).run(range(4)) if one]) == 4
    assert gc.get_freeze_count() <= before


def test_who_leaves_early_leaves_no_process(tmp_path: Path) -> None:
    def work(number: int) -> int:
        if number > 50:
            threading.Event().wait()
        return os.getpid()

    with closing(of(in_two(tmp_path, work)).run(range(60))) as results:
        pids: set[int] = set()
        while len(pids) < 2:
            one = next(results)
            pids |= {one[1]} if one else set()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def lives(pid: str) -> bool:
    """Whether there is such a process, which has not only to be waited for by whoever inherits it."""
    try:
        return Path("/proc", pid, "stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_none_is_left_where_the_first_one_is_killed(tmp_path: Path) -> None:
    """They have nobody to tell any more, also while all that they work on hangs."""
    code = (
        "import os, pathlib, threading\n"
        f"from {processes.__name__} import Processes\n"
        "def work(item):\n"
        f"    pathlib.Path({str(tmp_path)!r}, str(os.getpid())).touch()\n"
        "    threading.Event().wait()\n"
        "for _one in Processes(work, str, 1, 2, 1, 2).run(range(4)):\n"
        "    pass\n"
    )
    first = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 120
        while len(os.listdir(tmp_path)) < 2:
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        first.kill()
        first.wait()
    while any(lives(pid) for pid in os.listdir(tmp_path)):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert first.stderr
    with first.stderr:
        assert first.stderr.read() == b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_of_the_terminal_is_the_business_of_the_first_process(number: signal.Signals) -> None:
    def work(item: int) -> int:
        os.kill(os.getpid(), number)
        return item

    assert dict(one for one in of(work).run(range(6)) if one) == {item: item for item in range(6)}


def test_those_that_take_long_are_known() -> None:
    """In the order of beginning, from all processes."""

    def work(item: int) -> int:
        if item < 2:
            threading.Event().wait()
        return item

    many = of(work)
    with closing(many.run(range(6))) as results:
        for _one in results:
            if len(many.waiting(0.3)) == 2:
                break
    assert sorted(many.waiting(0.3)) == [0, 1]
    assert not many.waiting(3600)


def test_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(4)))
    assert [processes.how_many(items) for items in (0, 1, 49, 50, 10_000)] == [1, 1, 1, 2, 4]
