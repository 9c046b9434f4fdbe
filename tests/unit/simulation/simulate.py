# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run schedules, and say which invariants did not hold.

    python -m tests.unit.simulation --seed 4711

shows everything about one of them.
"""

from __future__ import annotations

import collections
import datetime
import multiprocessing
import os
import shutil
import tempfile
import time
import traceback
import typing as t
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

from tests.unit.memory_server import core

from .invariants import Outcome, broken, tags
from .schedule import ISSUER, SUBJECT, Schedule

_CHUNK = 250
_CRASH = "X1 an error that should not be: "


@dataclass
class Report:
    """What came of one schedule."""

    seed: int
    broken: list[str]
    outcome: Outcome | None = None
    schedule: Schedule | None = None
    words: str = ""


class Directory:
    """Where the files of this process's schedules are: in memory if the machine has such a place."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.certificate = os.path.join(self.path, "client.pem")
        with open(self.certificate, "wb") as f:
            f.write(_certificate())

    def __enter__(self) -> Directory:
        return self

    def __exit__(self, *unused: object) -> None:
        shutil.rmtree(self.path)


def _certificate() -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text: str) -> x509.Name:
        ids = {"O": NameOID.ORGANIZATION_NAME, "CN": NameOID.COMMON_NAME}
        return x509.Name(
            [x509.NameAttribute(ids[kind], value) for kind, value in (p.split("=") for p in text[1:].split("/"))]
        )

    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.datetime(2026, 1, 1)  # noqa: DTZ001  as old versions of cryptography want it
    builder = x509.CertificateBuilder(name(ISSUER), name(SUBJECT), key.public_key(), 1, start, start.replace(year=2050))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def simulate(seed: int, directory: Directory) -> Report:
    """One schedule, from the first login to a later restoring."""
    file = os.path.join(directory.path, "record.json")
    if os.path.exists(file):
        os.unlink(file)
    schedule = Schedule(seed, file, directory.certificate)
    outcome = Outcome.begin(schedule)
    with core.at_work_on(schedule.network):
        try:
            outcome.values = core.run(schedule.params, schedule.check_mode)
        except core.errors.RdsMysqlError as e:
            outcome.error, outcome.values = e, e.details
        except Exception:  # noqa: BLE001  whatever it is, it is the finding
            return Report(seed, [_CRASH + traceback.format_exc()], outcome, schedule, "crash")
        outcome.end(schedule, file)
        found = broken(schedule, outcome)
        if not schedule.check_mode:
            try:
                found += _restore(schedule, outcome, file)
            except Exception:  # noqa: BLE001  the same
                found.append(_CRASH + traceback.format_exc())
    return Report(seed, found, outcome, schedule, outcome.word)


def _restore(schedule: Schedule, outcome: Outcome, file: str) -> list[str]:
    """Whatever came of the run: what its record says puts back what was there, on a calm day."""
    world, server = schedule.network, schedule.server
    if outcome.record is None or outcome.record["state"] == "undone":
        return []
    world.fault, world.between = (lambda exchange: None), (lambda exchange: None)
    world.server, world.other = server, None
    world.clock.sleep(max(0.0, server.down_until - world.clock.now) + 60)
    server.locks.clear()
    for name in ("read_only", "super_read_only", "innodb_read_only"):
        if name in server.variables:
            server.variables[name] = "OFF"
    server.somebody("change", schedule.login, password=schedule.params["login_password"], grants=outcome.grants)
    params = {name: value for name, value in schedule.params.items() if name.startswith(("login_", "c", "ssl_mode"))}
    params.update(restore_file=file, restore="all", plaintext_sessions="allow")
    params["method"] = schedule.params["method"]
    try:
        core.run(params, False)
    except core.errors.RdsMysqlError as e:
        if schedule.others.disruptive or outcome.may_not_restore(schedule, e.message):
            return []
        return [f"R1 restoring is refused: {e.message[:400]}"]
    return outcome.restored(schedule)


def run_range(seeds: t.Sequence[int]) -> tuple[list[tuple[int, list[str]]], collections.Counter[str]]:
    """These schedules, in this process."""
    os.fsync = lambda descriptor: None  # type: ignore[assignment]  # a disk is not what is tried here
    failures, words = [], collections.Counter()  # type: ignore[var-annotated]
    with Directory() as directory:
        for seed in seeds:
            report = simulate(seed, directory)
            words[report.words] += 1
            if report.broken and report.schedule:
                kind = tags(report.schedule)
                failures.append((seed, [f"{sentence[:2]}[{kind}]{sentence[2:]}" for sentence in report.broken]))
    return failures, words


@dataclass
class Summary:
    """What came of many."""

    schedules: int = 0
    seconds: float = 0.0
    failures: list[tuple[int, list[str]]] = field(default_factory=list)
    words: collections.Counter[str] = field(default_factory=collections.Counter)


def run_many(first: int, count: int, work: t.Callable[[t.Sequence[int]], t.Any] = run_range) -> Summary:
    """So many schedules from this seed on, on every core.

    :arg work: What each process does with some of the seeds.
    """
    started = time.monotonic()
    summary = Summary(count)
    chunks = [range(at, min(at + _CHUNK, first + count)) for at in range(first, first + count, _CHUNK)]
    # Not by fork: whoever calls this may have threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), context) as pool:
        futures = [pool.submit(work, chunk) for chunk in chunks]
        try:
            for future in as_completed(futures):
                failures, words = future.result()
                summary.failures += failures
                summary.words += words
        finally:
            # An error, or the death of a process, ends all of it at once.
            pool.shutdown(wait=False, cancel_futures=True)
    summary.failures.sort()
    summary.seconds = time.monotonic() - started
    return summary


def told(report: Report) -> str:
    """Everything about one schedule, for people."""
    schedule, outcome = report.schedule, report.outcome
    assert schedule is not None
    assert outcome is not None
    faults = collections.defaultdict(list)
    for number, kind in schedule.network.happened:
        faults[number].append(kind)
    options = {name: value for name, value in schedule.params.items() if value not in (None, False)}
    lines = [
        f"seed {report.seed}: {schedule.server.release.name}",
        f"options: {options}".replace(os.path.dirname(str(schedule.certificate)), ""),
        "at first: " + ", ".join(f"{key[0]}@{key[1]} {value[0]}" for key, value in outcome.before.items()),
        f"others: {schedule.others.told} {schedule.others.disruptive}",
    ]
    for number, text in enumerate(schedule.network.exchanges):
        lines.append(f"  {number:3} {text[:180]}{'   <-- ' + '; '.join(faults[number]) if number in faults else ''}")
    table, memory = schedule.server.accounts.table, schedule.server.accounts.memory
    lines += [
        "at last: "
        + ", ".join(
            f"{key[0]}@{key[1]} {table[key].requirement[0]}"
            + (f" (memory {memory[key].requirement[0]})" if key in memory and memory[key] != table[key] else "")
            for key in table
        ),
        f"word: {report.words}: {outcome.error.message if outcome.error else 'ok'}",
        f"verified: {outcome.values.get('verified')}, warnings: {outcome.values.get('warnings')}",
        f"record: {outcome.record and outcome.record['state']}",
        *report.broken,
    ]
    return "\n".join(lines)
