# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The history: what each server was, whatever runs, machines, kills and damaged files there were."""

from __future__ import annotations

import datetime as dt
import grp
import gzip
import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import encode
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history import storage
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.bundles import (
    Use,
    bundle_of,
    bundles_without,
    clients_without,
    record_bundles,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import CHANGE, History, entry
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.recorded import record_changes
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import build, from_results, model
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

TODAY = utc_now().replace(hour=3, minute=0, second=0)
OPEN = model.Account("app", "%", "NONE")
CLOSED = model.Account("app", "%", "ANY")
FINDING = model.Finding("account-without-tls", "high", "app@%", "app@% can log in without TLS.")


def day(number: int) -> str:
    """The time of a nightly run, so many days from the first one, 90 days ago."""
    return iso8601(TODAY - dt.timedelta(days=90 - number))


def checked(name: str, at: str, *findings: model.Finding, **more: t.Any) -> model.Server:
    known: dict[str, t.Any] = {
        "verdict": "non_compliant" if findings else "compliant",
        "tls": model.Tls(True, ("TLSv1.3",), False),
        "session": model.Session("me@%", True, "tcp"),
        "accounts": (CLOSED,),
        "sessions": model.Sessions(0, 0, 0),
        **more,
    }
    return model.Server(name, name, model.CHECKED, checked_at=at, findings=findings, **known)


def unreachable(name: str, at: str) -> model.Server:
    return model.Server(name, name, model.UNREACHABLE, checked_at=at, message="Cannot reach it.")


def not_checked(name: str) -> model.Server:
    (server,) = from_results.servers_of(name, None, "")
    return server


class Site:
    """A machine with a state directory and a report directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "state" / "history"
        self.runs = 0

    def history(self) -> History:
        return History(self.state, self.directory / "cache")

    def report(self, at: str, *servers: model.Server, fleet: t.Collection[str] = (), **more: t.Any) -> model.Report:
        return self.written(at, *servers, fleet=fleet, **more).report

    def written(self, at: str, *servers: model.Server, **more: t.Any) -> build.WrittenReport:
        self.runs += 1
        about = {name: more.pop(name) for name in ("limit", "inventory") if name in more}
        run = model.Run(f"{self.directory.name}{self.runs}", at, "0.2.0", "2.19.0", started_at=at, **about)
        more = {"history": self.history(), **more}
        return build.write_report(build.ReportRequest(self.directory / "report", "T", run, **more), servers)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "a")


FLEET = frozenset({"auth", "shop"})


def drifts(report: model.Report) -> list[tuple[str, str | None]]:
    assert report.changes is not None
    return [(each.server, each.since) for each in report.changes.regressions]


def test_a_limited_run_between_two_full_ones(site: Site) -> None:
    """It reports the fleet as it is known, and the next full one still sees the drift of the others."""
    site.report(day(1), checked("auth", day(1)), checked("shop", day(1)), fleet=FLEET)
    limited = site.report(day(2), checked("auth", day(2)), fleet=FLEET)
    assert [(each.name, each.in_run, each.checked_at) for each in limited.servers] == [
        ("auth", True, day(2)),
        ("shop", False, day(1)),
    ]
    assert (limited.summary.servers, limited.summary.earlier, limited.summary.oldest_check) == (2, 1, day(1))
    assert limited.changes is not None
    assert limited.changes.servers_added == ()
    full = site.report(day(3), checked("auth", day(3)), checked("shop", day(3), FINDING, accounts=(OPEN,)), fleet=FLEET)
    assert drifts(full) == [("shop", day(1))]
    assert full.changes is not None
    assert full.changes.servers_added == ()
    assert full.summary.earlier == 0


def test_waivers_of_a_limited_run_are_for_its_hosts(site: Site) -> None:
    """Those of the other hosts may be others, which the run that has checked them had."""
    waiver = {"finding": "account-without-tls", "owner": "o", "reason": "r", "expires": "9999-01-01"}

    def waived(name: str, at: str, rules: list[dict[str, str]]) -> dict[str, bool]:
        known: t.Any = {"fleet": FLEET, "waivers": rules, "same_waivers": lambda host: host == name}
        found = site.report(at, checked(name, at, FINDING, verdict="non_compliant"), **known)
        return {server.name: bool(server.findings[0].waiver) for server in found.servers}

    assert waived("shop", day(1), []) == {"shop": False}
    assert waived("auth", day(2), [waiver]) == {"auth": True, "shop": False}
    assert waived("shop", day(3), []) == {"auth": True, "shop": False}
    again = site.report(day(4), checked("shop", day(4)), fleet=FLEET)
    assert [bool(finding.waiver) for finding in again.servers[0].findings] == [False]


def test_servers_that_the_inventory_has_no_more(site: Site) -> None:
    """Each is told once, also after a run that was not about it."""

    def gone(at: str, *names: str, fleet: t.Collection[str] = frozenset({"shop"}), **more: t.Any) -> tuple[str, ...]:
        found = site.report(at, *(checked(name, at) for name in names), fleet=fleet, **more).changes
        return () if found is None else found.servers_gone

    assert gone(day(1), "auth", "shop", fleet=FLEET) == ()
    # Another inventory has other servers.
    assert gone(day(2), "mail", fleet={"mail"}, inventory=("others.yml",)) == ()
    assert gone(day(3), "shop", limit="shop", fleet=FLEET) == ()
    assert gone(day(4), "shop", limit="shop") == ("auth",)
    assert gone(day(5), "shop") == ("auth",)
    assert gone(day(6), "shop") == ()
    # A report about some hosts alone says nothing of others.
    assert gone(day(7), "shop", fleet=()) == ()


@pytest.mark.parametrize(
    ("later", "told"),
    [
        ("/tmp/job_8/project/fleet.yml", ("auth",)),
        ("/tmp/job_8/project/others.yml", ()),
        ("prod (AWX inventory 3)", ()),
    ],
)
def test_the_directory_of_an_inventory_may_change(site: Site, later: str, told: tuple[str, ...]) -> None:
    """As with each update of a project. One of the same name with other servers is another one."""
    both = [checked(name, day(1)) for name in ("auth", "shop")]
    site.report(day(1), *both, fleet=FLEET, inventory=("/tmp/job_7/project/fleet.yml",))
    mail = site.report(day(2), checked("mail", day(2)), fleet={"mail"}, inventory=(f"mail/{later}",)).changes
    assert mail is None or mail.servers_gone == ()
    found = site.report(day(3), checked("shop", day(3)), fleet={"shop"}, inventory=(later,)).changes
    assert found is not None
    assert found.servers_gone == told


def test_a_failed_run_destroys_nothing(site: Site) -> None:
    """A wrong password, then a login again: drift since the last good check, which the failed run names."""
    site.report(day(1), checked("shop", day(1)), fleet=FLEET)
    failed = site.report(day(2), unreachable("shop", day(2)), fleet=FLEET)
    assert failed.servers[0].last_good_at == day(1)
    assert failed.changes is not None
    assert [change.id for change in failed.changes.worse] == ["server"]
    now = checked("shop", day(3), FINDING, accounts=(OPEN,))
    assert drifts(site.report(day(3), now, fleet=FLEET)) == [("shop", day(1))]


def test_a_check_without_login_hides_no_drift(site: Site) -> None:
    """What the last check has not seen is compared with the last one that has."""
    site.report(day(1), checked("shop", day(1)))
    outside = replace(checked("shop", day(2)), accounts=None, session=None, sessions=None)
    site.report(day(2), outside)
    found = site.report(day(3), checked("shop", day(3), FINDING, accounts=(OPEN,)))
    assert drifts(found) == [("shop", day(2))]
    assert found.changes is not None
    assert ([change.id for change in found.changes.worse], found.changes.first_seen) == (["account-without-tls"], ())


def test_a_run_that_checks_nothing(site: Site) -> None:
    """As with --tags report: the fleet as it is known, and no record of what did not happen."""
    site.report(day(1), checked("auth", day(1)), unreachable("shop", day(1)), fleet=FLEET)
    files = sorted(site.state.iterdir())
    made = site.report(day(2), not_checked("auth"), not_checked("shop"), not_checked("new"), fleet=FLEET)
    assert [(each.name, each.state, each.in_run) for each in made.servers] == [
        ("auth", "checked", False),
        ("new", "not_checked", True),
        ("shop", "unreachable", False),
    ]
    assert sorted(site.state.iterdir()) == files


def test_a_run_that_was_to_check_and_could_not(site: Site) -> None:
    """As without a login: nobody knows whether the servers still are what they were."""
    site.report(day(1), checked("auth", day(1)), checked("shop", day(1)), fleet=FLEET)
    refused = {"failed": True, "contacted": False, "msg": "mysql_tls_secret: there is none."}
    servers = [server for name in sorted(FLEET) for server in from_results.servers_of(name, refused, day(2))]
    made = site.report(day(2), *servers, fleet=FLEET)
    assert [(each.name, each.state, each.in_run, each.last_good_at) for each in made.servers] == [
        ("auth", "not_checked", True, day(1)),
        ("shop", "not_checked", True, day(1)),
    ]
    assert made.summary.compliant == 0
    assert made.changes is not None
    assert [change.server for change in made.changes.worse] == ["auth", "shop"]


def test_a_finding_keeps_the_day_it_was_first_seen(site: Site) -> None:
    """Across limited and failed runs."""
    bad = (FINDING,)
    site.report(day(1), checked("shop", day(1), *bad))
    site.report(day(2), unreachable("shop", day(2)), fleet=FLEET)
    made = site.report(day(3), checked("shop", day(3), *bad), fleet=FLEET)
    assert [finding.first_seen for finding in made.servers[0].findings] == [day(1)]


def test_batches_of_a_run_are_one_file(site: Site) -> None:
    """Also a second report of other hosts, in the same run."""
    run = model.Run("1", day(1), "0.2.0", "2.19.0", started_at=day(1))

    def write(*servers: model.Server) -> model.Report:
        request = build.ReportRequest(site.directory / "report", "T", run, site.history())
        return build.write_report(request, servers).report

    write(checked("auth", day(1)), not_checked("shop"))
    write(checked("auth", day(2)), checked("shop", day(2)))
    write(checked("other", day(2)))
    (file,) = site.state.iterdir()
    assert [about["name"] for about in storage.read_header(file, storage.Access())["entries"]] == [
        "auth",
        "shop",
        "other",
    ]
    assert storage.read_header(file, storage.Access())["entries"][0]["at"] == day(1)


def test_histories_of_two_machines_merge_by_copying(tmp_path: Path) -> None:
    """Nothing is lost, and the newest check of either counts."""
    one, other = Site(tmp_path / "a"), Site(tmp_path / "b")
    one.report(day(1), checked("shop", day(1)))
    other.report(day(2), checked("shop", day(2), FINDING, accounts=(OPEN,)), checked("auth", day(2)))
    one.report(day(3), checked("auth", day(3)))
    for file in other.state.iterdir():
        shutil.copy2(file, one.state)
    known = one.history().of_hosts(FLEET)
    assert {name: server.checked_at for name, server in known.items()} == {"auth": day(3), "shop": day(2)}
    made = one.report(day(4), checked("shop", day(4)))
    assert made.changes is not None
    assert [change.id for change in made.changes.resolved] == ["account-without-tls"]


_WRITER = """
import sys
sys.path.insert(0, {paths!r})
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history import storage
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import History, entry
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import model
from pathlib import Path
history = History(Path({state!r}), Path({cache!r}))
print("ready", flush=True)
number = 0
while number < {count}:
    number += 1
    run = model.Run(f"{name}{{number}}", {at!r}, "0.2.0", "2.19.0")
    others = [entry("change", f"{name}{{number}}", "h", {at!r}, {{"n": n, "x": "y" * 2000}}) for n in range(200)]
    history.record(run, "enforce", [], others)
    history.last_entries("change")
"""


def _writer(site: Site, name: str, count: int) -> subprocess.Popen[str]:
    root = str(Path(storage.__file__).parents[6])
    code = _WRITER.format(
        paths=root, state=str(site.state), cache=str(site.directory / "cache"), name=name, at=day(1), count=count
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_runs_at_once_and_a_kill(site: Site) -> None:
    """Two write and read at once; a third is killed at any point. What was complete is there, whole, for everybody."""
    two = [_writer(site, name, 12) for name in ("one", "two")]
    third = _writer(site, "killed", 10000)
    assert third.stdout is not None
    third.stdout.readline()
    for process in two:
        assert process.wait(60) == 0
    third.send_signal(signal.SIGKILL)
    third.wait()
    history = site.history()
    names = set(history.last_entries(CHANGE))
    assert {f"{name}{number}" for name in ("one", "two") for number in range(1, 13)} <= names
    complete = [path for path in site.state.iterdir() if not path.name.startswith(".")]
    assert len(names) == len(complete)
    assert history.warnings == []
    for process in (*two, third):
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is incomplete"),
        (b"no gzip", "Not a gzipped file"),
        (gzip.compress(b"{}\n" * 2), "is not of the format dbtls.rds_mysql/history"),
        (gzip.compress(b'{"format": "dbtls.rds_mysql/history", "version": 99}\n'), "has version 99"),
        (gzip.compress(b"{\n"), "holds a line that is not JSON"),
        (gzip.compress(b"[" * 100000 + b"\n"), "holds a line that is not JSON"),
        (
            gzip.compress(b'{"format": "dbtls.rds_mysql/history", "version": 1, "run": {}, "entries": [1]}\n'),
            "has an incomplete first line",
        ),
        (
            gzip.compress(
                b'{"format": "dbtls.rds_mysql/history", "version": 1, "run": {}, "entries": '
                b'[{"type": "check", "at": "", "name": "\\ud800", "host": "db"}]}\n'
            ),
            "has an incomplete first line",
        ),
        (None, "cannot be read"),
    ],
    # Without them the time that gzip writes is in the names of the tests.
    ids=["empty", "no-gzip", "format", "version", "no-json", "deep", "first-line", "surrogate", "unreadable"],
)
def test_a_damaged_file_is_named_and_ignored(site: Site, content: bytes | None, reason: str) -> None:
    """The others count."""
    site.report(day(1), checked("shop", day(1)))
    (good,) = site.state.iterdir()
    bad = good.with_name(good.name.replace("a1", "b1"))
    # The first half of a good one, as of a copy that was interrupted.
    bad.write_bytes(good.read_bytes()[:200] if content is None else content)
    # With a whole fleet, the first lines are read for servers that are gone, too.
    made = site.written(day(2), checked("shop", day(2), FINDING, accounts=(OPEN,)))
    assert site.history().gone((), (), "none", "audit") == {"shop"}
    assert drifts(made.report) == [("shop", day(1))]
    (warning,) = made.warnings
    assert warning.startswith(str(bad))
    assert reason in warning
    assert warning.endswith("It is ignored.")


def test_a_run_of_a_clock_that_was_ahead(site: Site) -> None:
    """Else it would be the last check of its servers until that day comes."""
    site.report(day(1), checked("shop", day(1)))
    ahead = iso8601(TODAY + dt.timedelta(days=300))
    site.report(ahead, checked("shop", ahead, FINDING, accounts=(OPEN,)))
    made = site.written(day(2), checked("shop", day(2), FINDING, accounts=(OPEN,)))
    assert drifts(made.report) == [("shop", day(1))]
    (warning,) = made.warnings
    assert warning.startswith(str(site.state / ahead.replace("-", "").replace(":", "")))
    assert warning.endswith("is of a time that has not come yet. It is ignored.")


def test_what_others_could_have_written_is_ignored(site: Site) -> None:
    """It counts once nobody else may write it. A link that leads nowhere and a pipe are no matter to the others."""
    site.report(day(1), checked("shop", day(1)))
    (good,) = site.state.iterdir()
    pipe, link = (good.with_name(good.name.replace("a1", name)) for name in ("b1", "c1"))
    os.mkfifo(pipe, 0o600)
    link.symlink_to("nowhere")
    good.chmod(0o622)
    history = site.history()
    assert history.of_hosts(FLEET) == {}
    assert sorted(history.warnings) == [
        f"{good} is not read: it can be written by everybody. It is ignored.",
        f"{pipe} is not read: it is not a regular file. It is ignored.",
        f"{link} cannot be read: No such file or directory. It is ignored.",
    ]
    good.chmod(0o600)
    assert set(site.history().of_hosts(FLEET)) == {"shop"}


def test_the_index_of_somebody_else_is_not_asked(site: Site) -> None:
    """Who wrote it would say which check was the last."""
    site.report(day(1), checked("shop", day(1)))
    assert set(site.history().of_hosts(FLEET)) == {"shop"}
    (index,) = (site.directory / "cache").iterdir()
    with sqlite3.connect(index) as database:
        database.execute("DELETE FROM entries")
    assert site.history().of_hosts(FLEET) == {}
    index.chmod(0o622)
    assert set(site.history().of_hosts(FLEET)) == {"shop"}


def test_an_index_that_is_damaged_or_cannot_be_kept(site: Site) -> None:
    """It is made again, or held in memory."""
    site.report(day(1), checked("shop", day(1)))
    (index,) = (site.directory / "cache").iterdir()
    assert stat.S_IMODE(index.stat().st_mode) == 0o600
    index.write_bytes(b"not a database, and longer than its header of 100 bytes" * 10)
    assert set(site.history().of_hosts(FLEET)) == {"shop"}
    assert set(site.history().of_hosts(FLEET)) == {"shop"}
    history = History(site.state, Path("/proc/nowhere"))
    assert set(history.of_hosts(FLEET)) == {"shop"}
    assert history.warnings == []


def test_a_pipe_in_place_of_a_report_holds_up_nobody(site: Site) -> None:
    (site.directory / "report").mkdir(parents=True)
    os.mkfifo(site.directory / "report" / "report.json")
    code = (
        f"from pathlib import Path; from {build.__name__} import _reported; "
        f"print(_reported(Path({str(site.directory)!r}) / 'report' / 'report.json', 'run'))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "{}"


def test_a_place_that_cannot_be_written(site: Site) -> None:
    """A report of today is worth more than none, and says that it is not recorded."""
    site.directory.mkdir(parents=True)
    (site.directory / "state").write_text("a file")
    made = site.written(day(1), checked("shop", day(1)))
    assert made.report.summary.servers == 1
    assert any("The history cannot be" in warning and str(site.state) in warning for warning in made.warnings)


def test_permissions_and_retention(site: Site) -> None:
    """Nobody else reads it; old runs go, other files stay."""
    before = os.umask(0)
    try:
        site.report(day(1), checked("shop", day(1)))
    finally:
        os.umask(before)
    (first,) = site.state.iterdir()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert {stat.S_IMODE(path.stat().st_mode) for path in (site.state, site.state.parent)} == {0o700}
    (site.state / "notes.txt").write_text("mine")
    site.written(day(80), checked("auth", day(80)), history=replace(site.history(), days=1))
    assert not first.exists()
    assert len(list(site.state.iterdir())) == 2


def test_retention_and_a_clock_that_is_ahead(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was ever recorded would be too old, also on the second day."""
    site.report(day(1), checked("shop", day(1)))
    site.report(day(89), checked("shop", day(89)))
    for days in (500, 501, 502):
        ahead = TODAY + dt.timedelta(days=days)
        monkeypatch.setattr(storage, "utc_now", lambda ahead=ahead: ahead)
        monkeypatch.setattr(f"{History.__module__}.utc_now", lambda ahead=ahead: ahead)
        site.report(iso8601(ahead), checked("shop", iso8601(ahead)))
    assert len(list(site.state.iterdir())) == 5


@given(
    st.sets(st.integers(0, 600), max_size=60),
    st.integers(1, 500),
    st.integers(1, 3000),
    st.integers(1, 20),
)
def test_how_much_a_clock_that_is_ahead_removes(runs: set[int], keep: int, ahead: int, wrong: int) -> None:
    """A tenth of the days more than a right clock, however far it is ahead and however long."""
    start = dt.date(2026, 1, 1)
    days = {start + dt.timedelta(days=run) for run in runs}
    right = today = start + dt.timedelta(days=600)
    left = set(days)
    for number in range(wrong):
        today = right + dt.timedelta(days=ahead + number)
        left.add(today)
        left = {day for day in left if day >= storage.first_kept(left, today, keep)}
    missing = days - left
    # By a right clock on its last of these days, and with no pause that counts less.
    assert all((right - day).days + wrong > keep - max(1, keep // 10) for day in missing)
    # Where runs are close together it is exact.
    daily = {right - dt.timedelta(days=number) for number in range(1, 600)}
    assert storage.first_kept(daily, right, keep) == right - dt.timedelta(days=keep)


def test_a_group(site: Site) -> None:
    """A team's own."""
    group = grp.getgrgid(os.getgid()).gr_name
    history = replace(site.history(), access=storage.Access(group))
    site.written(day(1), checked("shop", day(1)), history=history)
    (file,) = site.state.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o660
    assert stat.S_IMODE(site.state.stat().st_mode) == 0o2770
    nobody = replace(site.history(), access=storage.Access("no-such-group"))
    made = site.written(day(2), checked("shop", day(2)), history=nobody)
    assert [warning for warning in made.warnings if "there is no group no-such-group" in warning]


def test_entries_of_other_types(site: Site) -> None:
    """Changes beside checks, the newest about each name."""
    run = model.Run("1", day(1), "0.2.0", "2.19.0", user="me", host="here", started_at=day(1))
    change = entry(CHANGE, "shop", "shop", day(1), {"outcome": "changed"})
    site.history().record(run, "enforce", [checked("shop", day(1))], [change])
    assert site.history().entries(CHANGE) == [change.data]
    assert set(site.history().of_hosts({"shop"})) == {"shop"}


def test_the_documented_form(site: Site) -> None:
    """What the contributors' page says of a file."""
    site.report(day(1), checked("shop", day(1), FINDING))
    (file,) = site.state.iterdir()
    header, line = (json.loads(each) for each in gzip.decompress(file.read_bytes()).splitlines())
    assert (header["format"], header["version"], header["kind"]) == (storage.FORMAT, 1, "audit")
    assert header["run"]["id"] == "a1"
    assert header["entries"] == [
        {
            "type": "check",
            "name": "shop",
            "host": "shop",
            "at": day(1),
            "state": "checked",
            "verdict": "non_compliant",
            "seen": ["checked", "tls", "accounts", "sessions", "secure_transport", "login"],
        }
    ]
    assert line["accounts"][0]["user"] == "app"
    assert line["findings"][0]["first_seen"] == day(1)


def _ca(directory: Path, name: str) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(TODAY).not_valid_after(TODAY + dt.timedelta(days=1))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    path = directory / "ca.pem"
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


def test_clients_that_lack_a_ca(site: Site, tmp_path: Path) -> None:
    """By what the last bundle of each has: another CA, or the same of another region, is not enough."""
    run = model.Run("1", day(1), "0.2.0", "2.19.0", started_at=day(1))
    history = site.history()
    bundle = bundle_of("/etc/rds.pem", _ca(tmp_path, "Amazon RDS eu-central-1 Root CA RSA2048 G1"))
    record_bundles(history, run, {"app1": bundle})
    uses = [
        Use("rds-ca-rsa2048-g1", "eu-central-1", "db1"),
        Use("rds-ca-rsa2048-g1", None, "db2"),
        Use("rds-ca-rsa2048-g1", "us-east-1", "db3"),
        Use("rds-ca-rsa2048-g1", "us-east-1", "db4"),
        Use("rds-ca-ecc384-g1", "eu-central-1", "db1", will=True),
    ]
    run_it = "Run the playbook bundle for this host."
    assert list(clients_without(history, uses)) == [
        f"app1: /etc/rds.pem lacks rds-ca-rsa2048-g1 of us-east-1, which db3 and 1 more use. {run_it}",
        f"app1: /etc/rds.pem lacks rds-ca-ecc384-g1 of eu-central-1, which db1 will use. {run_it}",
    ]
    assert list(clients_without(history, uses[:2])) == []
    with pytest.raises(RdsMysqlError, match=r"no\.pem cannot be read"):
        bundle_of("/x", tmp_path / "no.pem")


def test_who_could_not_connect_after_a_rotation(site: Site, tmp_path: Path) -> None:
    """Clients of other servers and regions count for nothing."""
    history, here = site.history(), "Amazon RDS eu-central-1"
    names = {
        "ready": (f"{here} 2019 CA", f"{here} Root CA RSA2048 G1"),
        "late": ("Amazon RDS Root 2019 CA", f"{here} 2019 CA"),
        "root-only": ("Amazon RDS Root 2019 CA",),
        "elsewhere": ("Amazon RDS Root 2019 CA", "Amazon RDS eu-west-1 2019 CA"),
        "newer": (f"{here} Root CA ECC384 G1",),
    }
    certificates = {name: _ca(tmp_path, name).read_bytes() for name in {n for each in names.values() for n in each}}
    bundles = {}
    for host, wanted in names.items():
        path = tmp_path / f"{host}.pem"
        path.write_bytes(b"".join(certificates[name] for name in wanted))
        bundles[host] = bundle_of("/etc/rds.pem", path)
    record_bundles(history, model.Run("1", day(1), "0.2.0", "2.19.0", started_at=day(1)), bundles)
    new = bundles["ready"]["cas"][1]["fingerprint_sha256"]
    assert sorted(bundles_without(history, "eu-central-1", "rds-ca-2019", [new])) == [
        ("late", "/etc/rds.pem"),
        ("root-only", "/etc/rds.pem"),
    ]
    # The root by its name is not enough.
    assert ("ready", "/etc/rds.pem") in bundles_without(history, "eu-central-1", "rds-ca-2019", ["another"])


def test_what_a_roll_out_leaves(site: Site) -> None:
    """What was changed, by which record; the check after it is what a later audit compares with."""
    run = model.Run("1", day(2), "0.2.0", "2.19.0", started_at=day(2))
    account = {"user": "app", "host": "%", "before": "NONE", "after": "ANY"}
    changes: dict[str, dict[str, t.Any]] = {
        "shop": {
            "changed": True,
            "verification": {"x": 1},
            "accounts": [account, {**account, "user": "same", "before": "ANY"}],
            "rollback_record": {"id": "abc"},
            "rollback_file": "/state/rollback/shop.json",
        },
        "auth": {"failed": True, "msg": "Refused.", "accounts": [account]},
        "never": {},
    }
    site.report(day(1), checked("shop", day(1), FINDING, accounts=(OPEN,)))
    look = {"mysql_ssl": {**encode(checked("shop", day(2))), "endpoint": {"host": "shop", "port": 3306}}}
    record_changes(site.history(), run, "enforce", changes, {"shop": look, "auth": {}, "never": {}}, "hash")
    found = site.history().last_entries(CHANGE)
    assert {name: each["outcome"] for name, each in found.items()} == {"shop": "changed", "auth": "nothing changed"}
    assert (found["shop"]["accounts"], found["shop"]["record"], found["shop"]["plan"]) == ([account], "abc", "hash")
    assert found["auth"]["message"] == "Refused."
    # Drift after the change, which the audit before it could not show.
    made = site.report(day(3), checked("shop", day(3), FINDING, accounts=(OPEN,)))
    assert drifts(made) == [("shop", day(2))]
