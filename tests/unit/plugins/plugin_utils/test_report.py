# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From results to a report: states, verdicts, merging, what changed, the page, and files that nothing is lost of."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import re
import stat
import typing as t
import unicodedata
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import finding_kinds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import SEVERITIES
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.verdict import verdict
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import History
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import (
    banner,
    build,
    compare,
    console,
    csv_report,
    expiry,
    files,
    from_results,
    labels,
    metrics,
    model,
    render,
    summary,
    text,
    view_servers,
    views,
)

NOW = "2026-11-24T15:40:00Z"
LATER = "2026-11-25T15:40:00Z"
OPEN = {"user": "app", "host": "%", "ssl_type": "NONE"}
CLOSED = {"user": "app", "host": "%", "ssl_type": "ANY"}


def finding(name: str = "account-without-tls", severity: str = "high", subject: str = "app@%") -> dict[str, str]:
    return {
        "id": name,
        "severity": severity,
        "subject": subject,
        "message": f"{subject}: {name}.",
        "remediation": "Do.",
    }


def status(*findings: dict[str, str], **more: t.Any) -> dict[str, t.Any]:
    """A look that succeeded, of the shape that mysql_ssl_status returns."""
    known: dict[str, t.Any] = {
        "endpoint": {"host": "db.example.com", "port": 3306, "socket": None},
        "server": {"version": "8.4.6", "family": "mysql", "managed_by": None},
        "tls": {"available": True, "versions": ["TLSv1.3"], "require_secure_transport": False, "probes": None},
        "session": {"user": "me@%", "encrypted": True, "via": "tcp", "ssl_type": "ANY"},
        "certificate": {
            "subject": "CN=db",
            "issuer": "CN=CA",
            "not_before": "2026-01-01T00:00:00Z",
            "not_after": "2027-01-01T00:00:00Z",
            "days_left": 38,
            "expired": False,
            "trusted": True,
        },
        "accounts": [CLOSED],
        "sessions": {"source": "x", "total": 0, "encrypted": 0, "plaintext": 0, "by_account": []},
        "findings": list(findings),
    }
    known.update(more)
    known.setdefault(
        "verdict",
        verdict(
            (each["severity"] for each in known["findings"]),
            accounts_known=known["accounts"] is not None,
            require_secure_transport=known["tls"].get("require_secure_transport"),
        )
        if isinstance(known["tls"], dict) and all(each["severity"] in SEVERITIES for each in known["findings"])
        else "compliant",
    )
    return {"changed": False, "mysql_ssl": known}


def server(look: t.Any, name: str = "db1", at: str = NOW) -> model.Server:
    (made,) = from_results.servers_of(name, look, at)
    return made


def report(*servers: model.Server, run: str = "1", at: str = NOW) -> model.Report:
    return model.Report("T", model.Run(run, at, "0.1.0", "2.19.0"), summary.summarize(servers), tuple(servers))


# States and verdicts


def test_console_says_why_a_check_has_failed() -> None:
    """Whatever was seen without a login: in the role a task that has seen the server does not fail itself."""
    seen = {**status(finding()), "msg": "Login refused.", "failed": False}
    blind = {**status(session=None, accounts=None), "msg": "Login refused.", "failed": True}
    results = {"a": seen, "b": seen, "c": blind, "d": status(finding()), "e": {"failed": True, "msg": "Gone."}}
    lines = console.problem_lines(report(*(from_results.server_of(n, n, each, NOW) for n, each in results.items())))
    assert lines[3:] == [
        "2 servers (a, b): check failed: Login refused.",
        "c: partially checked: Login refused.",
        "e: unreachable: Gone.",
    ]


@pytest.mark.parametrize(
    ("look", "state", "expected"),
    [
        (status(), "checked", "compliant"),
        (status(finding(severity="low")), "checked", "compliant"),
        (status(finding(severity="medium")), "checked", "non_compliant"),
        (status(finding()), "checked", "non_compliant"),
        (status(session=None, accounts=None), "checked", "undecided"),
        (status(accounts=None), "checked", "undecided"),
        # The verdict is the module's; the report has none of its own.
        (status(verdict="non_compliant"), "checked", "non_compliant"),
        (status(finding(), verdict="compliant"), "checked", "compliant"),
        (status(accounts=None, tls={"available": True, "require_secure_transport": True}), "checked", "compliant"),
        (status(finding(), accounts=None), "checked", "non_compliant"),
        ({"failed": True, "msg": "Cannot reach it."}, "unreachable", None),
        ({**status(accounts=None, session=None), "failed": True, "msg": "Refused."}, "checked", "undecided"),
        (None, "not_checked", None),
        ({"skipped": True}, "not_checked", None),
    ],
)
def test_states(look: t.Any, state: str, expected: str | None) -> None:
    """What was not seen is never compliant."""
    made = server(look)
    assert (made.state, made.verdict) == (state, expected)
    assert (made.message is None) == (state == "checked" and not (look or {}).get("failed"))


@pytest.mark.parametrize(
    "look",
    [
        "text",
        [],
        {},
        {"mysql_ssl": []},
        {"mysql_ssl": {"tls": 1}},
        {"endpoints": "x"},
        {"endpoints": [{}]},
        status(findings=[finding(severity="dire")]),
        status(verdict="fine"),
        status(verdict=None),
        status(accounts=[{"user": "x"}]),
        status(certificate={**status()["mysql_ssl"]["certificate"], "not_after": "never"}),
    ],
)
def test_what_is_no_look(look: t.Any) -> None:
    """One host's nonsense says so, and takes nothing from the others."""
    made = server(look)
    assert made.state == "not_checked"
    assert "registered for it" in (made.message or "")


def test_sweep() -> None:
    """Each endpoint is a server of its own, by host and port."""
    entry = {"host": "a.example.com", "port": 3307, "failed": False, "msg": None, "warnings": ["w"], **status()}
    lost = {"host": "b.example.com", "port": 3306, "failed": True, "msg": "Gone.", "mysql_ssl": None, "warnings": []}
    first, second = from_results.servers_of("localhost", {"changed": False, "endpoints": [entry, lost]}, NOW)
    assert (first.name, first.inventory_hostname, first.state) == ("a.example.com:3307", "localhost", "checked")
    assert first.warnings == ("w",)
    assert (second.name, second.state, str(second.endpoint)) == (
        "b.example.com:3306",
        "unreachable",
        "b.example.com:3306",
    )


def test_text_that_utf8_cannot_say() -> None:
    """Becomes text that it can."""
    made = server(status(accounts=[{**OPEN, "user": "a\udc80b"}]))
    assert made.accounts is not None
    assert made.accounts[0].user == "a\ufffdb"


def test_text_of_classes_of_its_own() -> None:
    """Such as ansible-core had for what must not be evaluated, which comes out of ``str()`` as it went in."""
    unsafe: t.Any = type("Unsafe", (str,), {"__str__": lambda self: self})
    made = server(status(accounts=[{**OPEN, "user": unsafe("{{ x }}")}]), unsafe("db1"))
    assert made.accounts is not None
    assert type(made.accounts[0].user) is type(made.name) is str


# Merging


def test_the_newest_look_counts() -> None:
    """Whatever the order; not having looked counts for nothing, a failed look counts."""
    old, new = server(status(finding()), at=NOW), server(status(), at=LATER)
    gone = server({"failed": True, "msg": "Gone."}, at=LATER)
    never = server(None, at=LATER)
    for order in ([old, new, never], [never, new, old], [new, never, old]):
        assert from_results.combine(order) == (new,)
    assert from_results.combine([gone, old]) == (gone,)
    assert from_results.combine([old, never]) == (old,)
    assert [s.name for s in from_results.combine([replace(old, name="b"), replace(old, name="a")])] == ["a", "b"]


def test_a_run_that_reports_twice_has_looked_once() -> None:
    """The time stays that of the first report that had it."""
    first, again = server(status(), at=NOW), server(status(), at=LATER)
    assert from_results.keep_times([again], {"db1": first}) == [first]
    changed = server(status(finding()), at=LATER)
    assert from_results.keep_times([changed], {"db1": first}) == [changed]


# Changes


def compared(before: t.Any, now: t.Any) -> model.Changes:
    return compare.compare({"db1": server(before)}, [server(now, at=LATER)])


def test_better_and_worse() -> None:
    """Findings come and go, and change their severity."""
    bad, mild, good = status(finding()), status(finding(severity="low")), status()
    for before, now, better, worse in (
        (good, bad, 0, 1),
        (mild, bad, 0, 1),
        (bad, mild, 1, 0),
        (bad, good, 1, 0),
        (bad, bad, 0, 0),
        (good, status(finding(severity="info")), 0, 0),
        (status(finding(severity="info")), good, 0, 0),
    ):
        found = compared(before, now)
        assert (len(found.resolved), len(found.worse), found.first_seen) == (better, worse, ())


def test_what_could_not_be_seen_is_neither() -> None:
    """A login that reads no accounts any more has mended none, and one that reads them now has spoilt none."""
    inside, outside = status(finding()), status(accounts=None, session=None, sessions=None)
    assert compared(inside, outside).resolved == ()
    found = compared(outside, inside)
    assert found.worse == ()
    assert [change.id for change in found.first_seen] == ["account-without-tls"]
    gone = {"failed": True, "msg": "Gone."}
    found = compared(inside, gone)
    assert [(change.id, change.message) for change in found.worse] == [("server", "It could not be checked: Gone.")]
    assert found.resolved == ()
    assert [change.id for change in compared(gone, inside).resolved] == ["server"]
    for before, now in ((gone, None), (None, gone)):
        assert not [*compared(before, now).worse, *compared(before, now).resolved]


def test_expiring_and_expired_are_one_matter() -> None:
    """It has got worse, and nothing has got better."""
    found = compared(
        status(finding("certificate-expiring", "medium", "db:3306")),
        status(finding("certificate-expired", "high", "db:3306")),
    )
    assert [change.id for change in found.worse] == ["certificate-expired"]
    assert found.resolved == ()


def test_drift() -> None:
    """Accounts that have slipped back, and no others."""
    role = {"user": "r", "host": "%", "ssl_type": "NONE", "is_role": True}
    before = status(accounts=[CLOSED, {**CLOSED, "user": "x", "ssl_type": "X509"}, {**CLOSED, "user": "gone"}])
    now = status(accounts=[OPEN, {**CLOSED, "user": "x"}, {**OPEN, "user": "new"}, role])
    assert compared(before, now).regressions == (model.Regression("db1", "app", "%", "ANY", "NONE", NOW, "low"),)
    found = compared(before, status(finding(), accounts=[OPEN]))
    assert [each.severity for each in found.regressions] == ["high"]
    assert compared(before, status(accounts=None)).regressions == ()


def test_servers_come_and_go() -> None:
    """By name; what this run was not to check is not compared."""
    others = [server(status(), "b"), server(None, "c"), replace(server(status(finding()), "d"), in_run=False)]
    before = {name: server(status(), name) for name in ("a", "b", "d")}
    found = compare.compare(before, others, ("a",))
    assert (found.before.servers, found.before.non_compliant) == (2, 1)
    assert (found.servers_added, found.servers_gone, found.resolved, found.worse) == (("c",), ("a",), (), ())


# Files


def request(directory: Path, run: str, at: str = NOW, **more: t.Any) -> build.ReportRequest:
    more.setdefault("history", History(directory / "state", directory / "cache"))
    made_by = model.Run(run, at, "0.1.0", "2.19.0", started_at=NOW)
    return build.ReportRequest(dest=directory / "d" / "e", title="T", run=made_by, **more)


def test_a_run_after_another(tmp_path: Path) -> None:
    """It is compared with the first; a second report of the same run is not."""
    bad, good = server(status(finding())), server(status())
    first = build.write_report(request(tmp_path, "1"), [bad])
    assert first.changed
    assert first.report.changes is None
    assert sorted(path.name for path in (tmp_path / "d/e").iterdir()) == [
        "findings.csv",
        "report.csv",
        "report.html",
        "report.json",
        "report.sha256",
    ]
    again = build.write_report(request(tmp_path, "1", LATER), [bad])
    assert not again.changed
    for at in (NOW, LATER):
        second = build.write_report(request(tmp_path, "2", at), [good])
        assert second.report.changes is not None
        assert [change.id for change in second.report.changes.resolved] == ["account-without-tls"]
        assert (second.report.changes.since, second.report.changes.before.non_compliant) == (NOW, 1)
    third = build.write_report(request(tmp_path, "3"), [replace(good, checked_at=LATER)])
    assert not third.changed
    assert third.report.changes is not None
    assert (third.report.changes.worse, third.report.changes.before.compliant) == ((), 1)
    (tmp_path / "d/e/report.csv").unlink()
    assert build.write_report(request(tmp_path, "3"), [good]).changed


def test_previous_and_merge(tmp_path: Path) -> None:
    """By name; a report that is about to be replaced is compared with as it was."""
    old = build.write_report(request(tmp_path / "old", "1"), [server(status(finding()), "a"), server(status(), "b")])
    path = Path(old.paths["json"])
    made = build.write_report(request(tmp_path / "new", "2", previous=path), [server(status(), "a", LATER)])
    assert made.report.changes is not None
    assert made.report.changes.servers_gone == ("b",)
    merged = build.write_report(request(tmp_path / "all", "3", merge=(path, Path(made.paths["json"]))), [])
    assert [(s.name, s.verdict) for s in merged.report.servers] == [("a", "compliant"), ("b", "compliant")]
    own = build.write_report(request(tmp_path / "old", "4", previous=path), [server(status(), "a")])
    assert own.report.changes is not None
    assert [change.id for change in own.report.changes.resolved] == ["account-without-tls"]


SPOILT: list[tuple[t.Any, str]] = [
    ("{", "is not JSON"),
    ("[]", "is not a report"),
    ("[" * 100000, "is not JSON"),
    ({"format": "other"}, "is not a report"),
    ({"format_version": 3}, "has format version 3; this version of the collection reads versions 1 to 2"),
    ({"format_version": True}, "has format version True"),
    ({"servers": {}}, "servers is not a list"),
    ({"servers": [{}]}, "servers[0].name is missing"),
    ({"run": None}, "run is not a dictionary"),
    ({"title": 1}, "title is not text"),
    (
        {
            "servers": [
                {"name": "a", "inventory_hostname": "a", "state": "unreachable", "checked_at": "2026-02-31T00:00:00Z"}
            ]
        },
        "has the time",
    ),
    ({"run": {"id": "1", "made_at": "x", "collection_version": "", "ansible_core_version": ""}}, "run.made_at is 'x'"),
]


@pytest.mark.parametrize(("content", "reason"), SPOILT)
@pytest.mark.parametrize("option", ["merge", "previous"])
def test_bad_reports(tmp_path: Path, content: t.Any, reason: str, option: str) -> None:
    """Where one was asked for, the message names option and file, and nothing is written."""
    path = tmp_path / "other.json"
    _spoil(path, content)
    before = path.read_bytes()
    ways: dict[str, dict[str, t.Any]] = {"merge": {"merge": (path,)}, "previous": {"previous": path}}
    with pytest.raises(RdsMysqlError) as caught:
        build.write_report(request(tmp_path, "2", **ways[option]), [server(status())])
    assert caught.value.message.startswith(f"{option}: {path} ")
    assert reason in caught.value.message
    assert path.read_bytes() == before
    assert not (tmp_path / "d/e").exists()


@pytest.mark.parametrize(("content", "reason"), SPOILT)
def test_a_damaged_old_report_stops_nothing(tmp_path: Path, content: t.Any, reason: str) -> None:
    """It is replaced, and nothing of it counts."""
    path = tmp_path / "d" / "e" / "report.json"
    path.parent.mkdir(parents=True)
    _spoil(path, content)
    with pytest.raises(RdsMysqlError, match=re.escape(reason)):
        files.read_report(path, "x")
    made = build.write_report(request(tmp_path, "2"), [server(status())])
    assert made.changed
    assert made.warnings == ()
    assert files.read_report(path, "x").run.id == "2"


def _spoil(path: Path, content: t.Any) -> None:
    good = json.loads(files.to_json(report(server(status()))))
    path.write_text(content if isinstance(content, str) else json.dumps({**good, **content}))


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o640), (0o000, 0o640), (0o077, 0o600)])
def test_permissions(tmp_path: Path, umask: int, mode: int) -> None:
    """0640 or what the umask leaves, whichever is stricter; a file that was there is not what counts."""
    before = os.umask(umask)
    try:
        (tmp_path / "d/e").mkdir(parents=True)
        (tmp_path / "d/e/report.html").write_text("old")
        (tmp_path / "d/e/report.html").chmod(0o666)
        made = build.write_report(
            request(tmp_path, "1", junit=True, openmetrics=tmp_path / "m.prom"), [server(status())]
        )
    finally:
        os.umask(before)
    modes = {kind: stat.S_IMODE(Path(path).stat().st_mode) for kind, path in made.paths.items()}
    assert modes.pop("openmetrics") == 0o644 & ~umask
    assert set(modes.values()) == {mode}
    assert len(modes) == 6


# Older formats


def version_1(*findings: dict[str, str]) -> dict[str, t.Any]:
    """A report as version 0.1 of the collection has written it."""
    new = json.loads(
        files.to_json(report(server(status(*findings), "a"), server(None, "b"), server({"failed": True}, "c")))
    )
    old = {"looked_at": "checked", "not_looked_at": "not_checked", "not_compliant": "non_compliant"}
    back = {value: key for key, value in old.items()}
    for each in new["servers"]:
        each["seen_at"] = each.pop("checked_at")
        each["state"], each["verdict"] = (back.get(each[name], each[name]) for name in ("state", "verdict"))
        for name in ("cluster", "region", "aws_account", "groups"):
            del each[name]
        for finding_ in each["findings"]:
            del finding_["first_seen"]
    new["run"] = {name: new["run"][name] for name in ("id", "made_at", "collection_version", "ansible_core_version")}
    return {**new, "summary": {"looked_at": 1}, "changes": None, "format_version": 1}


@pytest.mark.parametrize("option", ["merge", "previous", "dest"])
def test_version_1_is_read(tmp_path: Path, option: str) -> None:
    """To compare with, to merge, and where it is about to be replaced."""
    path = tmp_path / ("d/e/report.json" if option == "dest" else "old.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(version_1(finding())))
    ways: dict[str, t.Any] = {"dest": {}, "merge": {"merge": (path,)}, "previous": {"previous": path}}
    own = [] if option == "merge" else [server(status(finding(), finding("weak-protocol", "medium", "db")), "a", LATER)]
    made = build.write_report(request(tmp_path, "2", LATER, **ways[option]), own)
    assert made.warnings == ()
    if option == "merge":
        assert [(s.name, s.state, s.verdict) for s in made.report.servers] == [
            ("a", "checked", "non_compliant"),
            ("b", "not_checked", None),
            ("c", "unreachable", None),
        ]
        assert made.report.servers[0].checked_at == NOW
    else:
        assert made.report.changes is not None
        assert [change.id for change in made.report.changes.worse] == ["weak-protocol"]
        assert made.report.changes.before.non_compliant == 1
        assert {f.id: f.first_seen for f in made.report.servers[0].findings} == {
            "account-without-tls": NOW,
            "weak-protocol": LATER,
        }


def test_first_seen_is_kept(tmp_path: Path) -> None:
    """From report to report, while the finding is there; a finding that comes back is new."""
    days = [f"2026-11-{day}T00:00:00Z" for day in (20, 21, 22, 23)]

    def written(number: int, found: list[dict[str, str]]) -> list[str | None]:
        day = days[number]
        (checked,) = build.write_report(
            request(tmp_path, str(number), day), [server(status(*found), at=day)]
        ).report.servers
        return [each.first_seen for each in checked.findings]

    seen = [
        # Twice, as after each batch of a play.
        (written(number, found), written(number, found))
        for number, found in enumerate(([finding()], [finding()], [], [finding()]))
    ]
    assert seen == [([days[0]],) * 2, ([days[0]],) * 2, ([], []), ([days[3]],) * 2]


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """Named, with the option."""
    missing = tmp_path / "no.json"
    both: list[tuple[str, dict[str, t.Any]]] = [("merge", {"merge": (missing,)}), ("previous", {"previous": missing})]
    for option, more in both:
        with pytest.raises(RdsMysqlError, match=rf"{option}: .*no\.json cannot be read: No such file"):
            build.write_report(request(tmp_path, "1", **more), [])
    (tmp_path / "d").write_text("a file")
    with pytest.raises(RdsMysqlError, match=r"dest: the directory .* cannot be created"):
        build.write_report(request(tmp_path, "1"), [])


def test_waivers_of_other_reports_expire_on_a_date(tmp_path: Path) -> None:
    bad = replace(server(status(finding())), findings=(_waived(server(status(finding())).findings[0]),))
    path = tmp_path / "other.json"
    path.write_text(files.to_json(report(bad)))
    with pytest.raises(RdsMysqlError, match="has a waiver that expires on no date"):
        files.read_report(path, "merge")


def _waived(found: model.Finding) -> model.Finding:
    return replace(found, waiver=model.Waiver("somebody", "a reason", "soon"))


def test_whose_reports_are_read(tmp_path: Path) -> None:
    """One that was named may be anybody's, but not of those that all may write to. Nothing waits for a pipe."""
    path = tmp_path / "other.json"
    path.write_text(files.to_json(report(server(status()))))
    path.chmod(0o664)
    assert files.read_report(path, "merge").servers
    with pytest.raises(RdsMysqlError, match="is not read: it can be written by its group"):
        files.read_report(path, "dest", anyones=False)
    path.chmod(0o666)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for one, reason in ((path, "can be written by everybody"), (pipe, "is not a regular file")):
        with pytest.raises(RdsMysqlError, match=f"previous: .* is not read: it {reason}"):
            files.read_report(one, "previous")


def test_a_directory_in_the_way(tmp_path: Path) -> None:
    """Nothing half written stays behind."""
    (tmp_path / "d/e/report.html").mkdir(parents=True)
    with pytest.raises(RdsMysqlError, match=r"dest: .*report\.html cannot be written"):
        build.write_report(request(tmp_path, "1"), [server(status())])
    assert [path.name for path in (tmp_path / "d/e").iterdir() if path.name.startswith(".")] == []


# The page


TEMPLATES = sorted(render.TEMPLATES.glob("*.j2"))


def test_templates_cannot_let_text_out() -> None:
    """What would print a text as it is, or hide that it does, is not in them."""
    assert len(TEMPLATES) > 5
    forbidden = re.compile(r"\|\s*(safe|e|escape|forceescape|xmlattr|tojson|urlize|striptags)\b|autoescape|Markup|~")
    for path in TEMPLATES:
        assert not forbidden.search(path.read_text("utf-8")), path.name
    source = Path(render.__file__).parent
    users = {path.name for path in source.glob("*.py") if re.search(r"\bMarkup\(", path.read_text("utf-8"))}
    assert users == {"render.py"}


def test_what_a_template_prints() -> None:
    """Escaped text in which everything is visible; None and what is not there are errors."""

    def printed(template: str, value: t.Any) -> str:
        return render.environment().from_string(template).render(value=value)

    assert printed("<p title='{{ value }}'>{{ value }}</p>", "<b>&\"'") == (
        "<p title='&lt;b&gt;&amp;&#34;&#39;'>&lt;b&gt;&amp;&#34;&#39;</p>"
    )
    assert printed("{{ value }}", "a\0\x1b\u202eb\x85\n\u200b") == "a\u2400\u241b\ufffdb\ufffd\u240a\ufffd"
    assert printed("{% macro m(x) %}<i>{{ x }}</i>{% endmacro %}{{ m(value) }}", "<\x07>") == "<i>&lt;\u2407&gt;</i>"
    for wrong in (None, True, 1.5, ["x"]):
        with pytest.raises(TypeError, match="a template prints"):
            printed("{{ value }}", wrong)
    with pytest.raises(jinja2.UndefinedError):
        printed("{{ valeu }}", "x")


HOSTILE = "<script>x</script>\"'>\x1b[2J\u202e{{ 7 * 191 }}\n=1+1"


def test_hostile_text_in_every_field(tmp_path: Path) -> None:
    """Wherever a server can put it, it comes out as text, in each of the files."""

    def spoilt(value: t.Any) -> t.Any:
        if isinstance(value, dict):
            kept = ("severity", "family", "not_before", "not_after", "ssl_type", "via", "managed_by", "verdict")
            return {key: item if key in kept else spoilt(item) for key, item in value.items()}
        if isinstance(value, list):
            return [spoilt(item) for item in value]
        return HOSTILE if isinstance(value, str) else value

    by_account = [{"user": "u", "host": "h", "encrypted": 0, "plaintext": 1}]
    look = status(finding(), finding("plaintext-session"), finding("x", "info"), accounts=[OPEN, CLOSED])
    look["mysql_ssl"]["sessions"] = {"total": 1, "encrypted": 0, "plaintext": 1, "by_account": by_account}
    hostile = {**spoilt(look), "failed": True, "msg": HOSTILE, "warnings": [HOSTILE]}
    place = from_results.Place(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,))
    before = from_results.servers_of(HOSTILE, {"failed": True, "msg": HOSTILE}, NOW, place)
    build.write_report(request(tmp_path, "0"), before)
    run = model.Run("1", NOW, HOSTILE, HOSTILE, 1, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), HOSTILE)
    run = replace(run, components=(model.Component(HOSTILE, HOSTILE),), ca_bundles=(model.CaBundle(HOSTILE, None),))
    asked = replace(request(tmp_path, "1", junit=True, openmetrics=tmp_path / "m.prom"), title=HOSTILE, run=run)
    servers = [
        *from_results.servers_of(HOSTILE, hostile, LATER, place),
        *from_results.servers_of("b", None, NOW, place),
    ]
    made = build.write_report(asked, servers)
    page = Path(made.paths["html"]).read_text("utf-8")
    assert page.count("<script>") == 1
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "1337" not in page
    for kind, path in made.paths.items():
        content = Path(path).read_text("utf-8")
        assert "\x1b" not in content, kind
        if kind != "json":
            assert "\u202e" not in content, kind
    data = json.loads(Path(made.paths["json"]).read_text("utf-8"))
    assert next(s for s in data["servers"] if s["state"] == "checked")["accounts"][0]["user"] == HOSTILE


def test_visible_and_nothing_lost() -> None:
    """Printable text is left alone; of what is not, nothing is left that acts."""
    assert text.visible("Größe 数据 😀 é") == "Größe 数据 😀 é"
    everything = "".join(map(chr, [*range(0x300), *range(0x2000, 0x2070), 0xFEFF, 0xE0001]))
    shown = text.visible(everything)
    assert len(shown) == len(everything)
    assert not [
        char for char in shown if unicodedata.category(char) in ("Cc", "Zl", "Zp") or char in "\u202e\u2066\u200b"
    ]
    assert text.all_visible({"a\x07": ["\x1b", 1, None]}) == {"a\u2407": ["\u241b", 1, None]}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\uff1d"])
def test_formulas(start: str) -> None:
    """A spreadsheet takes none of them for one."""
    made = csv_report.to_findings_csv(report(server(status(finding(subject=f"{start}1+1")))))
    (row,) = csv.DictReader(io.StringIO(made, newline=""))
    assert row["subject"][0] in "'\u2409"
    assert row["account"] == row["subject"]
    assert row["controls"].startswith("PCI DSS 2.2.7; ")


def test_ten_thousand_servers() -> None:
    """The page shows the worst 2,000 and says so; the other files have all of them."""
    servers = [server(status(finding()) if number % 4 == 0 else status(), f"db{number:05}") for number in range(10000)]
    whole = report(*servers)
    page = views.page(whole, "0" * 64)
    assert len(page.servers.rows) == view_servers.MOST_SERVERS == 2000
    assert {row.outcome for row in page.servers.rows} == {"non_compliant"}
    made = render.to_html(whole, "0" * 64)
    assert "The first 2,000 of 10,000 servers are on this page." in made
    assert len(made) < 4_000_000
    assert csv_report.to_csv(whole).count("\n") == 10001
    assert len(json.loads(files.to_json(whole))["servers"]) == 10000


@pytest.mark.parametrize(
    ("looks", "word", "sentence"),
    [
        ([], "No servers", "There are no servers in this report."),
        ([status()], "Compliant", "The server meets the policy."),
        ([status(), status()], "Compliant", "All 2 servers meet the policy."),
        (
            [status(finding(), finding(subject="b@%")), status(finding()), None],
            "Action needed",
            "3 accounts on 2 servers accept plaintext. 1 of 3 servers not checked.",
        ),
        (
            [status(finding(), finding("plaintext-session", subject="a@h"))],
            "Action needed",
            "1 account on 1 server accepts plaintext; 1 client uses it now.",
        ),
        (
            [status(finding("weak-protocol", "medium", "x"))],
            "Action needed",
            "Servers that accept obsolete TLS versions: 1 server.",
        ),
        (
            [status(), status(accounts=None)],
            "Incomplete",
            "No issue was found on 2 checked servers. 1 partially checked.",
        ),
        ([None, None], "Incomplete", "None of 2 servers could be checked."),
        ([None], "Incomplete", "The server could not be checked."),
    ],
)
def test_the_verdict_in_a_sentence(looks: list[t.Any], word: str, sentence: str) -> None:
    """Nothing that was not seen is called good."""
    made = banner.banner(report(*(server(look, f"db{number}") for number, look in enumerate(looks))))
    assert (made.word, made.sentence) == (word, sentence)


def test_a_compliant_server_is_not_accused() -> None:
    """Of accounts that the server requires TLS of anyway, and of those for its own machine."""
    local = {"user": "root", "host": "localhost", "ssl_type": "NONE", "local": True}
    look = status(
        finding(severity="info"),
        finding(severity="low", subject="root@localhost"),
        accounts=[OPEN, local, CLOSED],
        tls={"available": True, "require_secure_transport": True},
    )
    (row,) = views.page(report(server(look)), "").servers.rows
    assert (row.outcome, row.exposed) == ("compliant", "0")
    assert "app@%" not in [finding_.text for finding_ in row.findings]
    facts = {fact.label: fact.lines for fact in row.facts}
    assert facts["Covered by the server-wide requirement"] == ("app@%, root@localhost",)


@pytest.mark.parametrize(
    ("names", "suffix", "shown"),
    [
        ([], "", []),
        (["db.example.com"], "", ["db"]),
        (["a.example.com", "b.example.com"], ".example.com", ["a", "b"]),
        (["a.x.example.com", "b.example.com"], ".example.com", ["a", "b"]),
        (["a.x.example.com", "a.y.example.com"], ".example.com", ["a.x", "a.y"]),
        (["a.example.com:3306", "a.example.com:3307"], "", ["a.example.com:3306", "a.example.com:3307"]),
        (["a.example.com:3306", "b.example.com:3306"], ".example.com:3306", ["a", "b"]),
        (["10.0.0.1:3306", "10.1.0.1:3306"], "", ["10.0.0.1:3306", "10.1.0.1:3306"]),
        (["a", "b.example.com"], "", ["a", "b"]),
        ([".a", ".b"], "", [".a", ".b"]),
    ],
)
def test_short_names(names: list[str], suffix: str, shown: list[str]) -> None:
    """As short as they can be, and each of its own; the whole name is in the row."""
    found = views.page(report(*(server(status(), name) for name in names)), "").servers
    assert found.suffix == suffix
    assert [row.short for row in found.rows] == shown
    assert [row.name for row in found.rows] == names


def test_what_a_figure_counts_is_what_it_leads_to() -> None:
    """As many servers as it says, and not those whose accounts are local or protected."""
    looks = [
        status(finding()),
        status(finding(severity="low")),
        status(finding(severity="info")),
        status(finding("sessions-not-visible", "info", "db")),
        status(finding("certificate-expired", "high", "db"), finding("made-up", "low", "db")),
    ]
    page = views.page(report(*(server(look, f"db{number}") for number, look in enumerate(looks))), "")
    figures = {figure.label: figure for figure in page.banner.figures}
    href = figures["Accounts accepting plaintext"].href
    assert [row.name for row in page.servers.rows if href.partition("=")[2] in row.kinds.split()] == ["db0"]
    assert figures["Accounts accepting plaintext"].value == "1"
    assert figures["Certificates expiring"].value == "1"
    assert {name for name, _title in page.servers.kinds} == {
        "account-without-tls",
        "certificate-expired",
        "made-up",
        "sessions-not-visible",
    }


def test_by_control() -> None:
    """Fails, passes, or cannot be told; each server counts once."""
    looks = [status(finding()), status(), status(accounts=None), None, status(finding(severity="low"))]
    rows = views.page(report(*(server(look, str(number)) for number, look in enumerate(looks))), "").controls
    found = {row.id: (row.failed, row.passed, row.unchecked, row.waived) for row in rows}
    assert found["NIST IA-5(1)"] == (1, 2, 2, 0)
    assert found["NIST SC-17"] == (0, 4, 1, 0)
    assert {sum(counts) for counts in found.values()} == {5}


def test_every_kind_is_explained() -> None:
    """Why it matters and how it is fixed, with controls that there are."""
    assert set(labels.REASONS) == set(finding_kinds.BY_ID)
    for kind in finding_kinds.KINDS:
        assert set(kind.controls) <= set(finding_kinds.CONTROLS)
        assert kind.controls or not kind.decides
    assert {control for kind in finding_kinds.KINDS for control in kind.controls} == set(finding_kinds.CONTROLS)


def test_metrics_of_nothing() -> None:
    """No certificate and no check is no number."""
    made = metrics.to_openmetrics(report())
    assert "next_expiry_days{" not in made
    assert 'dbtls_servers{report="T",verdict="compliant"} 0' in made
    assert made.endswith("# EOF\n")


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([], ["expired"]),
        (["2026-11-24T15:40:00Z"], ["expired"]),
        (["2026-11-30T00:00:00Z"], ["expired", "2026-11"]),
        (["2026-12-01T00:00:00Z", "2027-01-31T00:00:00Z"], ["expired", "2026-11", "2026-12", "2027-01"]),
        (["2036-11-30T00:00:00Z"], None),
        (["9999-12-31T23:59:59Z"], None),
    ],
)
def test_periods(ends: list[str], expected: list[str] | None) -> None:
    """Every certificate is in one of them, however far away its end is."""
    certificate = status()["mysql_ssl"]["certificate"]
    servers = [
        server(status(certificate={**certificate, "not_after": end}), f"db{number}") for number, end in enumerate(ends)
    ]
    found = expiry.periods(servers, NOW)
    assert sum(len(period.servers) for period in found) == len(ends)
    assert len(found) <= 26
    if expected is not None:
        assert [period.label for period in found] == expected
    drawn = expiry.timeline(found, NOW)
    assert sum(column.count for column in drawn.bars) == len(ends)
    assert 0 <= float(drawn.today) <= drawn.width
    assert all(0 <= float(column.x) <= drawn.width and 0 <= float(column.y) <= drawn.base for column in drawn.bars)


def test_numbers() -> None:
    """They add up."""
    servers = [
        server(status(), "a"),
        server(status(finding(), finding("weak-protocol", "medium")), "b"),
        server(status(finding(), finding(subject="x@%")), "c"),
        server(status(accounts=None), "d"),
        server({"failed": True, "msg": "x"}, "e"),
        server(None, "f"),
    ]
    numbers = summary.summarize(servers)
    assert numbers.servers == numbers.checked + numbers.unreachable + numbers.not_checked == 6
    assert numbers.checked == numbers.compliant + numbers.non_compliant + numbers.undecided == 4
    assert (numbers.findings.high, numbers.findings.medium) == (3, 1)
    assert [(kind.id, kind.findings, kind.servers) for kind in numbers.worst] == [
        ("account-without-tls", 3, 2),
        ("weak-protocol", 1, 1),
    ]


def test_the_accounts_of_a_cluster_are_counted_once() -> None:
    servers = [dataclasses.replace(server(status(finding()), name), cluster="shop") for name in ("a", "b")]
    one, both = summary.summarize(servers[:1]), summary.summarize(servers)
    assert one.accounts > 0
    assert (both.accounts, both.exposed_accounts) == (one.accounts, one.exposed_accounts)
    assert both.exposed_servers == 2 * one.exposed_servers


def test_free_text_in_a_cell_may_have_several_lines() -> None:
    """A cell with a label stays in one line unless it is wide, and a sentence in it would widen the page."""
    templates = sorted(Path(render.__file__).with_name("templates").glob("*.j2"))
    cells = [cell for path in templates for cell in re.findall(r"<td[^>]* data-l=[^>]*><bdi>", path.read_text("utf-8"))]
    assert len(cells) > 3
    assert [cell for cell in cells if 'class="wide' not in cell] == []


def test_why_accounts_were_not_read() -> None:
    """Nobody has refused them to a check that did not log in."""
    without = status(accounts=None, session=None), status(accounts=None)
    rows = views.page(report(*(server(look, str(number)) for number, look in enumerate(without))), "").servers.rows
    assert [fact.lines for row in rows for fact in row.facts if fact.label == "Accounts"] == [
        ("not read: no login",),
        ("not readable by the login of the check",),
    ]
