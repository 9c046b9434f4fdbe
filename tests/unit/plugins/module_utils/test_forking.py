# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import time
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils import forking


def squares(numbers: t.Iterator[int]) -> forking.Results:
    for number in numbers:
        yield None
        yield number, {"square": number * number, "process": os.getpid()}


def test_every_number_once_and_none_in_this_process() -> None:
    # More than a pipe holds.
    total = 20_000
    found = [one for one in forking.spread(total, 3, squares) if one is not None]
    assert sorted(number for number, _result in found) == list(range(total))
    assert all(result["square"] == number * number for number, result in found)
    assert os.getpid() not in {result["process"] for _number, result in found}


def test_nothing_to_do() -> None:
    assert [one for one in forking.spread(0, 2, squares) if one is not None] == []


def test_a_process_that_dies_leaves_out_what_it_was_at() -> None:
    def work(numbers: t.Iterator[int]) -> forking.Results:
        for number in numbers:
            if number == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            yield number, None

    found = sorted(one for one in forking.spread(100, 2, work) if one is not None)
    assert [number for number, _result in found] == [number for number in range(100) if number != 5]


def test_work_that_raises_ends_its_process_only() -> None:
    def work(numbers: t.Iterator[int]) -> forking.Results:
        for number in numbers:
            if number == 0:
                raise ValueError(number)
            yield number, None

    assert len([one for one in forking.spread(50, 2, work) if one is not None]) == 49


def test_closing_it_ends_the_processes_at_once_and_leaves_no_descriptor() -> None:
    def work(numbers: t.Iterator[int]) -> forking.Results:
        for number in numbers:
            yield number, os.getpid()
            time.sleep(600)

    before = set(os.listdir("/dev/fd"))
    started = time.monotonic()
    results = forking.spread(10, 2, work)
    children = [one[1] for one in (next(results) for _index in range(2)) if one is not None]
    assert children
    results.close()
    assert time.monotonic() - started < 60
    for child in children:
        assert not os.path.exists(f"/proc/{child}/stat")
    deadline = time.monotonic() + 60
    while len(os.listdir("/dev/fd")) != len(before):  # the thread that hands out has one
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("possible", [0, 2])
def test_a_machine_that_has_no_more_processes(possible: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer do it, and without any the error is the system's own."""
    real, left = os.fork, iter(range(possible))

    def fork() -> int:
        if next(left, None) is None:
            raise BlockingIOError("no more")
        return real()

    monkeypatch.setattr(os, "fork", fork)
    before = len(os.listdir("/dev/fd"))
    if possible:
        found = [one for one in forking.spread(10, 5, squares) if one is not None]
        assert sorted(number for number, _result in found) == list(range(10))
    else:
        with pytest.raises(BlockingIOError):
            list(forking.spread(10, 5, squares))
    assert len(os.listdir("/dev/fd")) == before
