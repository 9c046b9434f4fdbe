# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slices: their histories become one, of which one report is made, and nothing is removed that was not taken over."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import History
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.slices import Merge
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import build, model

from .readiness.written_history import Server
from .test_history import FINDING, OPEN, checked, day, unreachable


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
        more = {"history": self.history(directory), **more}
        return build.write_report(build.ReportRequest(where / "report", "T", run, **more), servers).report

    def slice(self, name: str, at: str, *servers: model.Server) -> Path:
        self.run(at, self.slices / name, *servers)
        return self.slices / name

    def merged(self, at: str) -> tuple[model.Report, list[str]]:
        history = self.history()
        merge = Merge(self.slices, history)
        report = self.run(at, history=history, merged=merge.servers, fleet=history.hosts())
        return report, [*history.warnings, *merge.remove()]


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state")


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
    """Rollback records above all; also a damaged history, and a directory that belongs to nobody here."""
    record = state.slice("11", day(5), checked("auth", day(5))) / "rollback" / "auth.json"
    record.parent.mkdir()
    record.write_text("{}")
    damaged = next((state.slice("12", day(5), checked("shop", day(5))) / "history").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-20])
    (state.slices / "unfinished").mkdir()
    elsewhere = state.slice("13", day(5), checked("bank", day(5))).rename(state.directory / "elsewhere")
    (state.slices / "link").symlink_to(elsewhere)
    report, warnings = state.merged(day(5))
    assert names(report, in_run=True) == ["auth"]
    reason = "Compressed file ended before the end-of-stream marker was reached"
    assert warnings == [
        f"{damaged} cannot be read: {reason}. It was not merged.",
        f"{state.slices / '11'} was merged and not removed, because of {record}.",
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
