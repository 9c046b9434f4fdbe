# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Threads that work on many items: so many at a time, without those that only wait."""

from __future__ import annotations

import threading
import time
import typing as t
from contextlib import closing

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.pool import Pool


def test_every_item_has_its_result() -> None:
    pool: Pool[int, int] = Pool(lambda number: number * 2, 4)
    found = dict(one for one in pool.run(range(100)) if one)
    assert found == {number: number * 2 for number in range(100)}


@pytest.mark.parametrize("at_once", [0, 4])
def test_no_items(at_once: int) -> None:
    pool: Pool[int, int] = Pool(lambda number: number, at_once)
    assert not [one for one in pool.run([]) if one]


def test_no_more_than_so_many_at_a_time() -> None:
    lock, together, running = threading.Lock(), [], [0]
    gate = threading.Barrier(3)

    def work(_number: int) -> None:
        with lock:
            running[0] += 1
            together.append(running[0])
        gate.wait()
        with lock:
            running[0] -= 1

    pool: Pool[int, None] = Pool(work, 3)
    assert sum(one is not None for one in pool.run(range(30))) == 30
    assert max(together) == 3


def test_more_at_a_time_while_there_is_time_left() -> None:
    together = threading.Barrier(4)
    pool: Pool[int, int] = Pool(lambda _number: together.wait(), 4, few=1)
    assert sum(one is not None for one in pool.run(range(8))) == 8


def test_no_more_than_a_few_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "process_time", time.monotonic)
    most, running, lock, over = [0], [0], threading.Lock(), threading.Event()

    def work(_number: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        over.wait(0.05)
        with lock:
            running[0] -= 1

    pool: Pool[int, None] = Pool(work, 8, few=2)
    assert sum(one is not None for one in pool.run(range(20))) == 20
    assert most[0] == 2


def test_those_that_wait_hold_up_nobody() -> None:
    answer = threading.Event()

    def work(number: int) -> int:
        if number < 20:
            answer.wait()
        return number

    pool: Pool[int, int] = Pool(work, 8, most=40)
    found = []
    with closing(pool.run(range(60))) as results:
        for one in results:
            if one:
                found.append(one[0])
            if len(found) == 40:
                assert pool.waiting(0.0)[:1] == [0]
                answer.set()
    assert sorted(found[:40]) == list(range(20, 60))
    assert sorted(found) == list(range(60))


def test_items_are_taken_as_they_are_needed() -> None:
    taken: list[int] = []

    def items() -> t.Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    pool: Pool[int, int] = Pool(lambda number: number, 2)
    with closing(pool.run(items())) as results:
        next(one for one in results if one)
    assert len(taken) < 10


def test_who_leaves_early_waits_for_nobody() -> None:
    never = threading.Event()
    pool: Pool[int, bool] = Pool(lambda number: number == 0 or never.wait(), 4)
    with closing(pool.run(range(4))) as results:
        assert next(one for one in results if one) == (0, True)
    never.set()
