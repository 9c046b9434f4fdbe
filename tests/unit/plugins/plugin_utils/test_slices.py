# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slices: their histories become one, of which one report is made, and nothing is removed that was not taken over."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import History
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.slices import Merge
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import build, from_results, model

from .readiness.written_history import Server
from .test_history import FINDING, OPEN, checked, day, not_checked, unreachable


class State:
    """A state directory with slices."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.slices = directory / "slices"
        self.runs = 0

    def history(self, directory: Path | None = None) -> History:
        return History((directory or self.directory) / "history", self.directory / "cache")

    def run(self, at: str, directory: Path | None = None, *servers: model.Server, **more: t.Any) -> model.Report:
        """Report servers, with a state directory of its own if there is one."""
        self.runs += 1
        where = directory or self.directory
        run = model.Run(f"{self.runs:032x}", at, "0.2.0", "2.19.0", started_at=at)
        about = {name: more.pop(name) for name in ("interrupted", "limit", "tls_min_version") if name in more}
        run = replace(run, **about)
        merge = more.pop("merging", None)
        if merge:
            about = {"merged": merge.servers, "left": merge.left, "fleet": merge.history.hosts()}
            run, more = merge.run(run), {"history": merge.history, **about, **more}
        more = {"history": self.history(directory), **more}
        self.written = build.write_report(build.ReportRequest(where / "report", "T", run, **more), servers)
        return self.written.report

    def slice(self, name: str, at: str, *servers: model.Server, **about: t.Any) -> Path:
        self.run(at, self.slices / name, *servers, **about)
        return self.slices / name

    def merged(self, at: str, *, keep: bool = False, **more: t.Any) -> tuple[model.Report, list[str]]:
        merge = Merge(self.slices, self.history())
        report = self.run(at, merging=merge, **more)
        return report, [*merge.history.warnings, *(() if keep else merge.remove())]


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state")


def refused(name: str) -> model.Server:
    """A server for which the inventory has no usable login, so that nothing was sent to it."""
    result = {"failed": True, "contacted": False, "msg": f"login_password: {name} has none."}
    return from_results.server_of(name, name, result, day(5))


def files_of(directory: Path) -> dict[str, t.Any]:
    """The files of a report, without what is about the run alone."""
    found: dict[str, t.Any] = {path.name: path.read_text("utf-8") for path in directory.iterdir()}
    del found["report.sha256"]
    about = json.loads(found.pop("report.json"))
    page = found.pop("report.html").partition("<main")[2]
    del about["run"]
    return {**found, "data": about, "page": re.sub(r"[0-9a-f]{32,64}|, with . other reports merged into it", "", page)}


def names(report: model.Report, *, in_run: bool) -> list[str]:
    return [server.name for server in report.servers if server.in_run is in_run]


def test_one_report_of_many_histories(state: State) -> None:
    """Findings are as old as they are, drift is seen, and who is in no slice stays as last checked."""
    state.run(day(1), None, checked("auth", day(1)), checked("gone", day(1)), checked("shop", day(1), FINDING))
    state.slice("11", day(5), checked("auth", day(5), FINDING, accounts=(OPEN,)))
    state.slice("12", day(5), checked("shop", day(5), FINDING), unreachable("new", day(5)))
    report, warnings = state.merged(day(5))
    assert (names(report, in_run=True), names(report, in_run=False)) == (["auth", "new", "shop"], ["gone"])
    by_name = {server.name: server for server in report.servers}
    assert [finding.first_seen for finding in by_name["shop"].findings] == [day(1)]
    assert [finding.first_seen for finding in by_name["auth"].findings] == [day(5)]
    assert report.changes is not None
    assert [(each.server, each.since) for each in report.changes.regressions] == [("auth", day(1))]
    assert (warnings, list(state.slices.iterdir())) == ([], [])
    # The next merge starts from what this one has recorded.
    state.slice("13", day(6), checked("shop", day(6), FINDING))
    report, _warnings = state.merged(day(6))
    assert (names(report, in_run=True), names(report, in_run=False)) == (["shop"], ["auth", "gone", "new"])
    assert {server.checked_at for server in report.servers} == {day(1), day(5), day(6)}
    assert [finding.first_seen for finding in report.servers[-1].findings] == [day(1)]


def test_the_same_as_one_run(tmp_path: Path) -> None:
    """What a slice could not check is not checked, with its reason and its last good check, wherever it counts."""
    first, second = "abc", "defg"
    servers = {
        "a": checked("a", day(5)),
        "b": refused("b"),
        "c": unreachable("c", day(5)),
        "d": checked("d", day(5), FINDING, accounts=(OPEN,)),
        "e": not_checked("e"),
        "f": refused("f"),
        "g": checked("g", day(5), FINDING),
    }
    written = {}
    for way in ("one run", "slices"):
        state = State(tmp_path / way)
        state.run(day(1), None, *(checked(name, day(1)) for name in "abcde"))
        more = {"junit": True, "openmetrics": state.directory / "report" / "metrics.prom"}
        if way == "slices":
            for number, of_slice in enumerate((first, second)):
                state.slice(str(number), day(5), *map(servers.__getitem__, of_slice))
            _report, warnings = state.merged(day(5), **more)
            assert (warnings, list(state.slices.iterdir())) == ([], [])
        else:
            state.run(day(5), None, *servers.values(), fleet=set(servers), **more)
        written[way] = files_of(state.directory / "report")
    assert written["slices"] == written["one run"]
    assert {name: each["state"] for name, each in _by_name(written["slices"]).items()} == {
        **dict.fromkeys("adg", "checked"),
        "c": "unreachable",
        **dict.fromkeys("bef", "not_checked"),
    }
    assert [_by_name(written["slices"])[name]["last_good_at"] for name in "bcef"] == [day(1), day(1), day(1), None]


def _by_name(written: dict[str, t.Any]) -> dict[str, t.Any]:
    return {server["name"]: server for server in written["data"]["servers"]}


def test_a_forgotten_slice_is_no_news(state: State) -> None:
    """One that is merged after a newer check of the same servers replaces nothing."""
    state.slice("11", day(2), checked("auth", day(2), FINDING))
    state.run(day(4), None, checked("auth", day(4)))
    report, _warnings = state.merged(day(5))
    assert (names(report, in_run=False), report.servers[0].checked_at) == (["auth"], day(4))


def test_a_slice_that_has_only_its_report(state: State) -> None:
    """As when the slices share a state directory, and each has its own directory for the report."""
    directory = state.slices / "11"
    run = model.Run("a" * 32, day(5), "0.2.0", "2.19.0", started_at=day(5))
    request = build.ReportRequest(directory, "T", run, state.history(), fleet={"auth", "shop"})
    state.run(day(1), None, checked("auth", day(1)), checked("shop", day(1)))
    build.write_report(request, [checked("auth", day(5))])
    report, warnings = state.merged(day(5))
    assert (names(report, in_run=True), names(report, in_run=False)) == (["auth"], ["shop"])
    assert (warnings, directory.exists()) == ([], False)


def test_what_nobody_has_taken_over_stays(state: State) -> None:
    """Rollback records above all; also a damaged history, and a directory that belongs to nobody here.

    What the damaged history lacks is in the report.
    """
    record = state.slice("11", day(5), checked("auth", day(5))) / "rollback" / "auth.json"
    record.parent.mkdir()
    record.write_text("{}")
    damaged = next((state.slice("12", day(5), checked("shop", day(5))) / "history").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-20])
    (state.slices / "unfinished").mkdir()
    elsewhere = state.slice("13", day(5), checked("bank", day(5))).rename(state.directory / "elsewhere")
    (state.slices / "link").symlink_to(elsewhere)
    report, warnings = state.merged(day(5))
    assert names(report, in_run=True) == ["auth", "shop"]
    reason = "Compressed file ended before the end-of-stream marker was reached"
    assert warnings == [
        f"{damaged} cannot be read: {reason}. It was not merged.",
        f"{state.slices / '11'} was merged and not removed, because of {record}.",
        f"{state.slices / '12'} was merged and not removed, because of {damaged}.",
    ]
    assert sorted(path.name for path in state.slices.iterdir()) == ["11", "12", "link", "unfinished"]
    assert (damaged.parent.parent / "report" / "report.json").exists()
    assert len(list((elsewhere / "history").iterdir())) == 1
    assert sorted(path.name for path in (state.slices / "11").rglob("*")) == ["auth.json", "rollback"]


def test_observations_are_added_up(state: State) -> None:
    """Files of several directories have different names."""
    now = utc_now()
    seen = Server("users").look()
    for name in ("11", "12"):
        store.record(state.slices / name / store.DIRECTORY, [store.Pass(name, f"{name}:3306", seen)], now, 40)
    merge = Merge(state.slices, state.history())
    assert (merge.servers, list(merge.remove()), list(state.slices.iterdir())) == ((), [], [])
    days = store.read(state.directory / store.DIRECTORY, "2000-01-01", pytest.fail)
    assert sorted(days) == ["11", "12"]


def test_the_newest_check_of_a_server_in_two_slices(state: State) -> None:
    """Whatever the order of their names."""
    state.slice("11", day(5), checked("auth", day(5), FINDING))
    state.slice("9", day(4), checked("auth", day(4)))
    report, _warnings = state.merged(day(5))
    assert [len(server.findings) for server in report.servers] == [1]
