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
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
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
        self.changed = False
        self.lost: list[str] = []

    def history(self, directory: Path | None = None) -> History:
        return History((directory or self.directory) / "history", self.directory / "cache")

    def run(self, at: str, directory: Path | None = None, *servers: model.Server, **more: t.Any) -> model.Report:
        """Report servers, with a state directory of its own if there is one."""
        return self.written(self.run_at(at), directory, *servers, **more).report

    def run_at(self, at: str, **about: t.Any) -> model.Run:
        self.runs += 1
        return model.Run(f"{self.runs:032x}", at, "0.2.0", "2.19.0", started_at=at, **about)

    def written(
        self, run: model.Run, directory: Path | None, *servers: model.Server, **more: t.Any
    ) -> build.WrittenReport:
        dest = (directory or self.directory) / "report"
        return build.write_report(
            build.ReportRequest(dest, "T", run, **{"history": self.history(directory), **more}), servers
        )

    def slice(self, name: str, at: str, *servers: model.Server, **about: t.Any) -> Path:
        self.written(self.run_at(at, **about), self.slices / name, *servers)
        return self.slices / name

    def merged(self, at: str, *, keep: bool = False, **more: t.Any) -> tuple[model.Report, list[str]]:
        """The report of all slices, and warnings.

        :arg keep: As in check mode.
        """
        merge = Merge(self.slices, self.history(), self.directory / "report")
        about = {"merged": merge.servers, "left": merge.left, "fleet": merge.history.hosts(), "history": merge.history}
        written = self.written(merge.run(self.run_at(at)), None, **about, **more)
        self.changed = written.changed
        self.lost = [one.path.name for one in merge.not_merged]
        return written.report, [*written.warnings, *(() if keep else merge.remove())]


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
        more: dict[str, t.Any] = {"junit": True, "openmetrics": state.directory / "report" / "metrics.prom"}
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
    merge = Merge(state.slices, state.history(), state.directory / "report")
    assert (merge.servers, list(merge.remove()), list(state.slices.iterdir())) == ((), [], [])
    days = store.read(state.directory / store.DIRECTORY, "2000-01-01", pytest.fail)
    assert sorted(days) == ["11", "12"]


def test_the_newest_check_of_a_server_in_two_slices(state: State) -> None:
    """Whatever the order of their names."""
    state.slice("11", day(5), checked("auth", day(5), FINDING))
    state.slice("9", day(4), checked("auth", day(4)))
    report, _warnings = state.merged(day(5))
    assert [len(server.findings) for server in report.servers] == [1]


def states(report: model.Report) -> dict[str, tuple[str, str | None, str | None]]:
    return {each.name: (each.state, each.checked_at, each.last_good_at) for each in report.servers}


NOT_CHECKED = (model.NOT_CHECKED, None)


def test_an_interrupted_slice(state: State) -> None:
    """What it did not come to is not checked, and the report is partial until a later slice has done it."""
    state.run(day(1), None, checked("auth", day(1)), checked("shop", day(1)))
    state.slice("11", day(5), checked("auth", day(5)), not_checked("shop"), interrupted=True)
    state.slice("12", day(5), checked("bank", day(5)))
    report, _warnings = state.merged(day(5), keep=True)
    assert states(report)["shop"] == (*NOT_CHECKED, day(1))
    assert (report.run.interrupted, report.servers[-1].message) == (True, not_checked("shop").message)
    assert report.changes is not None
    assert [(each.server, each.id) for each in report.changes.worse] == [("shop", "server")]
    state.slice("13", day(6), checked("shop", day(6)))
    report, _warnings = state.merged(day(6))
    assert (report.run.interrupted, states(report)["shop"]) == (False, (model.CHECKED, day(6), None))


def test_slices_that_have_reached_nobody(state: State) -> None:
    """One that was refused everywhere says so; where all of them have tried nothing, the last checks are the report."""
    state.run(day(1), None, checked("auth", day(1)), checked("shop", day(1)))
    state.slice("11", day(5), refused("auth"), refused("bank"))
    report, warnings = state.merged(day(5))
    assert states(report) == {
        "auth": (*NOT_CHECKED, day(1)),
        "bank": (*NOT_CHECKED, None),
        "shop": (model.CHECKED, day(1), None),
    }
    assert (names(report, in_run=True), warnings) == (["auth", "bank"], [])
    state.slice("12", day(6), not_checked("auth"), not_checked("bank"), interrupted=True)
    report, _warnings = state.merged(day(6))
    whole = State(state.directory / "one run")
    whole.run(day(1), None, checked("auth", day(1)), checked("shop", day(1)))
    run = whole.run_at(day(6), interrupted=True)
    fleet = {"auth", "shop"}
    one = whole.written(run, None, not_checked("auth"), not_checked("bank"), fleet=fleet).report
    assert (report.servers, report.summary, report.run.interrupted) == (one.servers, one.summary, True)
    assert states(report)["auth"] == (model.CHECKED, day(1), None)


@pytest.mark.parametrize(
    ("check", "report", "expected"),
    [
        (day(4), day(5), (*NOT_CHECKED, day(4))),
        (day(6), day(5), (model.CHECKED, day(6), None)),
    ],
)
@pytest.mark.parametrize("of_slice", [True, False])
def test_a_check_and_a_refusal(
    state: State, *, of_slice: bool, check: str, report: str, expected: tuple[str, ...]
) -> None:
    """The newer one counts, whether the check is in a slice or was made before or after; then a second time too."""
    state.run(check, state.slices / "9" if of_slice else None, checked("auth", check))
    state.slice("10", report, refused("auth"), checked("shop", report))
    for changed in (True, False):
        found, _warnings = state.merged(day(7), keep=True)
        assert (states(found)["auth"], state.changed) == (expected, changed)


def test_a_check_in_one_slice_that_another_did_not_come_to(state: State) -> None:
    """As with parts that each skip the hosts of others: nothing is newer than a check but another attempt."""
    state.slice("11", day(5), checked("auth", day(5)))
    state.slice("12", day(6), not_checked("auth"), checked("shop", day(6)), interrupted=True)
    report, _warnings = state.merged(day(6))
    assert (states(report)["auth"], report.run.interrupted) == ((model.CHECKED, day(5), None), False)


def test_reports_that_cannot_be_read(state: State) -> None:
    """The checks are those of the history, and nothing is removed that could say what was not checked."""
    state.run(day(1), None, checked("shop", day(1)))
    for number, name in enumerate("abcd"):
        state.slice(f"1{number}", day(5), checked(name, day(5)), refused("shop"))
    reports = [state.slices / f"1{number}" / "report" / "report.json" for number in range(4)]
    reports[0].unlink()
    reports[1].write_text(reports[1].read_text("utf-8")[:-20])
    newer = json.loads(reports[2].read_text("utf-8"))
    reports[2].write_text(json.dumps({**newer, "format_version": model.FORMAT_VERSION + 1}))
    ahead = {**newer, "run": {**newer["run"], "made_at": "2999-01-01T00:00:00Z"}}
    reports[3].write_text(json.dumps(ahead))
    report, warnings = state.merged(day(5))
    assert states(report) == {
        **dict.fromkeys("abcd", (model.CHECKED, day(5), None)),
        "shop": (model.CHECKED, day(1), None),
    }
    lines = "\n".join(warnings)
    assert f"{state.slices / '10'} has no report.json. Servers that it could not check are reported as last" in lines
    assert re.search(r"11/report/report.json is not JSON: .* It was not merged", lines)
    assert re.search(r"12/report/report.json has format version 3; .* It was not merged", lines)
    assert "report.json was made on 2999-01-01T00:00:00Z, a time that has not come yet. It was not merged" in lines
    assert (state.lost, sorted(path.name for path in state.slices.iterdir())) == ([], ["11", "12", "13"])
    assert all(path.exists() for path in reports[1:])
    # They have nothing else now.
    report, _warnings = state.merged(day(6))
    assert (state.lost, names(report, in_run=True)) == (["11", "12", "13"], [])


def test_the_history_and_the_report_are_no_slices(state: State) -> None:
    """In a directory of slices they would be removed."""
    state.run(day(1), None, checked("auth", day(1)))
    for slices, kept in (
        (state.directory.parent, state.directory),
        (state.directory, state.directory),
        (state.directory / "report", state.directory / "report"),
    ):
        with pytest.raises(OptionError, match=f"^slices: {kept} is in {slices}, where everything is removed"):
            Merge(slices, state.history(), state.directory / "report")
    assert len(list((state.directory / "history").iterdir())) == 1


def test_a_slice_that_others_could_write(state: State) -> None:
    """Neither its history nor its report counts: whoever writes them could say that a server is compliant."""
    directory = state.slice("11", day(5), checked("auth", day(5)))
    paths = [*(directory / "history").iterdir(), directory / "report" / "report.json"]
    for path in paths:
        path.chmod(0o660)
    report, warnings = state.merged(day(5))
    reason = "is not read: it can be written by its group. It was not merged."
    assert (report.servers, state.lost) == ((), ["11"])
    assert warnings == [f"{paths[0]} {reason}", f"slices: {paths[1]} {reason}"]


def test_a_report_of_version_0_1(state: State) -> None:
    """It had no history, and other words."""
    old = {
        "name": "auth",
        "inventory_hostname": "auth",
        "state": "not_looked_at",
        "message": "no login",
        "findings": [],
    }
    run = {"id": "1", "made_at": day(5), "collection_version": "0.1.1", "ansible_core_version": "2.17.0"}
    path = state.slices / "11" / "report.json"
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps({"format": model.FORMAT, "format_version": 1, "title": "T", "run": run, "servers": [old]})
    )
    state.run(day(1), None, checked("auth", day(1)))
    report, warnings = state.merged(day(5))
    assert (states(report), warnings) == ({"auth": (*NOT_CHECKED, day(1))}, [])


def test_what_the_checks_were_made_with(state: State) -> None:
    """That of the slices; the run that merges has made none."""
    bundles = [model.CaBundle(f"/{name}.pem", name * 64) for name in "ab"]
    inventory = ("databases.yml",)
    state.slice(
        "11",
        day(5),
        checked("auth", day(5)),
        inventory=inventory,
        limit="auth",
        ca_bundles=(bundles[0],),
        tls_min_version="TLSv1.2",
    )
    state.slice(
        "12",
        day(5),
        checked("shop", day(5)),
        inventory=inventory,
        limit="shop",
        ca_bundles=(*bundles,),
        tls_min_version="TLSv1",
    )
    run = state.merged(day(5))[0].run
    assert (run.inventory, run.limit, run.ca_bundles) == (inventory, "auth; shop", tuple(bundles))
    assert run.tls_min_version == "TLSv1"


def test_waivers_of_slices(state: State) -> None:
    """They hold until they expire, and then the finding decides again."""
    for name, expires in (("auth", "2999-01-01"), ("shop", day(6)[:10])):
        waived = replace(FINDING, waiver=model.Waiver("dba", "Soon.", expires))
        server = checked(name, day(5), waived, verdict="compliant")
        state.history(state.slices / name).record(state.run_at(day(5)), build.AUDIT, [server])
    report, _warnings = state.merged(day(7))
    assert [(each.name, each.verdict, each.waived()) for each in report.servers] == [
        ("auth", "compliant", 1),
        ("shop", "non_compliant", 0),
    ]


def test_the_check_that_is_of_the_run(state: State) -> None:
    """Two parts of one history: one has made the check, and the other knows it as the last one."""
    history = state.history(state.directory / "shared")
    reports = []
    for name in ("auth", "shop"):
        directory = state.directory / name
        run = state.run_at(day(5))
        state.written(run, directory, checked(name, day(5)), history=history, fleet={"auth", "shop"})
        reports.append(directory / "report" / "report.json")
    report = state.run(day(5), state.directory / "all", merge=tuple(reports))
    assert names(report, in_run=True) == ["auth", "shop"]
