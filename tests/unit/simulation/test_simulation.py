# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deterministic simulation of mysql_require_ssl: one process, one seed, and everything drawn from it.

A schedule is a server, its accounts, a request, faults at any exchange with the server, and other administrators
between the exchanges. The module's own work runs on it with time that passes only when somebody waits, and afterwards
what it said, what it recorded and what it left behind are compared with the truth (invariants.py).

Environment variables: SIMULATED_SCHEDULES, how many (200000 for the long form); SIMULATION_SEED, the first one. A seed
that fails is shown exchange by exchange, and again with::

    python -m tests.unit.simulation --seed SEED
"""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import pytest

from tests.unit.memory_server import core

from .simulate import Directory, run_many, simulate, told

FIRST = int(os.environ.get("SIMULATION_SEED", "0"))
SCHEDULES = int(os.environ.get("SIMULATED_SCHEDULES", "20000"))
# So many schedules find a mistake in the code, however small.
_ENOUGH = 1500
_SHOWN = 3


def test_schedules() -> None:
    summary = run_many(FIRST, SCHEDULES)
    print(
        f"{summary.schedules} schedules in {summary.seconds:.1f} s: {summary.schedules / summary.seconds:.0f} a second"
    )
    print(dict(summary.words))
    # Schedules that all end in the first guard would hold any invariant.
    if SCHEDULES >= _ENOUGH:
        for word in ("changed", "rolled back", "state unknown", "nothing was changed", "left as it was to become"):
            assert summary.words[word] > SCHEDULES / 500, summary.words
    if summary.failures:
        with Directory() as directory:
            for seed, broken in summary.failures[:_SHOWN]:
                print(told(simulate(seed, directory)), *broken, sep="\n", end="\n\n")
        seeds = [seed for seed, _broken in summary.failures]
        pytest.fail(f"{len(seeds)} of {SCHEDULES} schedules: seeds {', '.join(map(str, seeds[:50]))}")


def test_a_seed_replays_exactly() -> None:
    command = [sys.executable, "-m", "tests.unit.simulation", "--seed"]
    for seed in ("3", "58", "139"):
        first, second = (
            subprocess.run(
                [*command, seed],
                capture_output=True,
                text=True,
                env={**os.environ, "PYTHONHASHSEED": hashing},
                check=False,
            ).stdout
            for hashing in ("1", "2")
        )
        assert first.startswith(f"seed {seed}: ")
        assert first == second


def _dies(seeds: t.Sequence[int]) -> None:
    os._exit(1)


class _NotToBePickled(Exception):
    def __init__(self, one: str, *, other: str) -> None:
        super().__init__(one + other)


def _raises(seeds: t.Sequence[int]) -> None:
    raise _NotToBePickled("one", other="two")


@pytest.mark.parametrize("work", [_dies, _raises])
def test_a_process_that_dies_ends_the_run(work: t.Any) -> None:
    with pytest.raises(BrokenProcessPool):
        run_many(0, 1000, work)


def _mistakes() -> dict[str, tuple[str, list[tuple[t.Any, str, t.Any]]]]:
    """Mistakes in the code under test that the simulation has to notice, and the invariant that does not hold then."""
    sessions = core.plaintext_sessions
    return {
        "nothing is put back": ("W7", [(core.rollback.Rollback, "_to_undo", lambda self, session, now: ())]),
        "what others have made is put back": (
            "A5",
            [(core.rollback.Rollback, "_to_undo", lambda self, session, now: tuple(self._plan.changes))],
        ),
        "no guard": ("L1", [(core.enforce, "guard", lambda *arguments: None)]),
        "privileges are not flushed, and memory is not read": (
            "W5",
            [
                (core.plan, "needs_flush", lambda *arguments: False),
                (core.verification.ChangeVerifier, "_read_memory", lambda self, session: None),
            ],
        ),
        "clients do not matter": ("C1", [(core.guards, "_guard_sessions", lambda *arguments: None)]),
        "a rollback reads the table only": ("W", [(core.rollback, "has_in_memory", lambda *arguments: False)]),
        "restoring reads the table only": ("R2", [(core.change_log.ChangeLog, "_unflushed", lambda *arguments: {})]),
        "clients over a socket do not matter": ("C1", [_filtered("live_sessions", lambda s: s.transport != "Socket")]),
        "clients in the process list do not matter": ("C1", [_filtered("listed_sessions", lambda s: False)]),
        "a login that sees nobody goes on": (
            "C1",
            [(sessions, "listed_sessions", lambda control: core.sessions.listed_sessions(control) or ())],
        ),
        "whoever is proxied does not matter": ("C1", [(sessions, "_proxies", lambda *arguments: [])]),
        "clients stop what is to warn": (
            "C2",
            [
                (
                    core.enforce,
                    "guard",
                    lambda control, dialect, plan, request: core.guards.guard(
                        control, dialect, plan, replace(request, plaintext_sessions="fail")
                    ),
                )
            ],
        ),
        "who is not connected stops it": (
            "C3",
            [(sessions, "live_sessions", lambda *arguments: None), (sessions, "listed_sessions", lambda control: None)],
        ),
        "nothing is said of clients": ("C4", [(core.enforce, "session_warnings", lambda *arguments: ())]),
    }


# Some matter once in thousands of schedules: where to begin.
_SELDOM = {
    "a rollback reads the table only": 1500,
    "restoring reads the table only": 9000,
    "whoever is proxied does not matter": 1500,
    "clients in the process list do not matter": 1800,
    "a login that sees nobody goes on": 8000,
}


def _filtered(name: str, wanted: t.Callable[[t.Any], bool]) -> tuple[t.Any, str, t.Any]:
    """A look at the sessions that leaves some out."""

    def look(*arguments: t.Any) -> t.Any:
        found = getattr(core.sessions, name)(*arguments)
        return found and tuple(session for session in found if wanted(session))

    return core.plaintext_sessions, name, look


@pytest.mark.parametrize("mistake", sorted(_mistakes()))
def test_a_mistake_is_noticed(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noticed, patches = _mistakes()[mistake]
    first = _SELDOM.get(mistake, 0)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    with Directory() as directory:

        def is_noticed(seed: int) -> bool:
            return any(sentence.startswith(noticed) for sentence in simulate(seed, directory).broken)

        for seed in range(first, first + _ENOUGH):
            with monkeypatch.context() as patched:
                for module, name, instead in patches:
                    patched.setattr(module, name, instead)
                found = is_noticed(seed)
            if found and not is_noticed(seed):
                return
    pytest.fail(f"{mistake}: not noticed in {_ENOUGH} schedules from {first} on")
