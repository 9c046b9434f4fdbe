# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From looks to a report: states, verdicts, merging, what changed, and files that nothing is lost of."""

from __future__ import annotations

import copy
import json
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import (
    build,
    compare,
    files,
    from_results,
    markup,
    model,
    summary,
    timeline,
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
    known = {
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
        "compliant": True,
    }
    return {"changed": False, "mysql_ssl": {**known, **more}}


def server(look: t.Any, name: str = "db1", at: str = NOW) -> model.Server:
    (made,) = from_results.servers_of(name, look, at)
    return made


def report(*servers: model.Server, run: str = "1", at: str = NOW) -> model.Report:
    return model.Report("T", model.Run(run, at, "0.1.0", "2.19.0"), summary.summarize(servers), tuple(servers))


# States and verdicts


@pytest.mark.parametrize(
    ("look", "state", "verdict"),
    [
        (status(), "looked_at", "compliant"),
        (status(finding(severity="low")), "looked_at", "compliant"),
        (status(finding(severity="medium")), "looked_at", "not_compliant"),
        (status(finding()), "looked_at", "not_compliant"),
        (status(session=None, accounts=None), "looked_at", "undecided"),
        (status(accounts=None), "looked_at", "undecided"),
        (status(accounts=None, tls={"available": True, "require_secure_transport": True}), "looked_at", "compliant"),
        (status(finding(), accounts=None), "looked_at", "not_compliant"),
        ({"failed": True, "msg": "Cannot reach it."}, "unreachable", None),
        ({**status(accounts=None, session=None), "failed": True, "msg": "Refused."}, "looked_at", "undecided"),
        (None, "not_looked_at", None),
        ({"skipped": True}, "not_looked_at", None),
    ],
)
def test_states(look: t.Any, state: str, verdict: str | None) -> None:
    """What was not seen is never compliant."""
    made = server(look)
    assert (made.state, made.verdict) == (state, verdict)
    assert (made.message is None) == (state == "looked_at" and not (look or {}).get("failed"))


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
        status(accounts=[{"user": "x"}]),
        status(certificate={**status()["mysql_ssl"]["certificate"], "not_after": "never"}),
    ],
)
def test_what_is_no_look(look: t.Any) -> None:
    """One host's nonsense says so, and takes nothing from the others."""
    made = server(look)
    assert made.state == "not_looked_at"
    assert "registered for it" in (made.message or "")


def test_sweep() -> None:
    """Each endpoint is a server of its own, by host and port."""
    entry = {"host": "a.example.com", "port": 3307, "failed": False, "msg": None, "warnings": ["w"], **status()}
    lost = {"host": "b.example.com", "port": 3306, "failed": True, "msg": "Gone.", "mysql_ssl": None, "warnings": []}
    first, second = from_results.servers_of("localhost", {"changed": False, "endpoints": [entry, lost]}, NOW)
    assert (first.name, first.inventory_hostname, first.state) == ("a.example.com:3307", "localhost", "looked_at")
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
    assert from_results.keep_times([again], [first]) == [first]
    changed = server(status(finding()), at=LATER)
    assert from_results.keep_times([changed], [first]) == [changed]


# Changes


def compared(before: t.Any, now: t.Any) -> model.Changes:
    return compare.compare(report(server(before)), [server(now, at=LATER)])


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
        assert (len(found.better), len(found.worse), found.first_seen) == (better, worse, ())


def test_what_could_not_be_seen_is_neither() -> None:
    """A login that reads no accounts any more has mended none, and one that reads them now has spoilt none."""
    inside, outside = status(finding()), status(accounts=None, session=None, sessions=None)
    assert compared(inside, outside).better == ()
    found = compared(outside, inside)
    assert found.worse == ()
    assert [change.id for change in found.first_seen] == ["account-without-tls"]
    gone = {"failed": True, "msg": "Gone."}
    found = compared(inside, gone)
    assert [(change.id, change.message) for change in found.worse] == [("server", "It could not be looked at: Gone.")]
    assert found.better == ()
    assert [change.id for change in compared(gone, inside).better] == ["server"]
    assert compared(gone, None) == compared(None, gone)


def test_expiring_and_expired_are_one_matter() -> None:
    """It has got worse, and nothing has got better."""
    found = compared(
        status(finding("certificate-expiring", "medium", "db:3306")),
        status(finding("certificate-expired", "high", "db:3306")),
    )
    assert [change.id for change in found.worse] == ["certificate-expired"]
    assert found.better == ()


def test_drift() -> None:
    """Accounts that have slipped back, and no others."""
    role = {"user": "r", "host": "%", "ssl_type": "NONE", "is_role": True}
    before = status(accounts=[CLOSED, {**CLOSED, "user": "x", "ssl_type": "X509"}, {**CLOSED, "user": "gone"}])
    now = status(accounts=[OPEN, {**CLOSED, "user": "x"}, {**OPEN, "user": "new"}, role])
    assert compared(before, now).drift == (model.Drift("db1", "app", "%", "ANY", "NONE"),)
    assert compared(before, status(accounts=None)).drift == ()


def test_servers_come_and_go() -> None:
    """By name."""
    found = compare.compare(
        report(server(status(), "a"), server(status(), "b")), [server(status(), "b"), server(None, "c")]
    )
    assert (found.servers_added, found.servers_gone, found.better, found.worse) == (("c",), ("a",), (), ())


# Files


def wanted(directory: Path, run: str, at: str = NOW, **more: t.Any) -> build.ReportRequest:
    return build.ReportRequest(dest=directory / "d" / "e", title="T", run=model.Run(run, at, "0.1.0", "2.19.0"), **more)


def test_a_run_after_another(tmp_path: Path) -> None:
    """The first report becomes the previous one; a second of the same run does not."""
    bad, good = server(status(finding())), server(status())
    first = build.write_report(wanted(tmp_path, "1"), [bad])
    assert first.changed
    assert first.report.changes is None
    assert sorted(path.name for path in (tmp_path / "d/e").iterdir()) == ["report.csv", "report.html", "report.json"]
    again = build.write_report(wanted(tmp_path, "1", LATER), [bad])
    assert not again.changed
    assert not (tmp_path / "d/e/previous.json").exists()
    for at in (NOW, LATER):
        second = build.write_report(wanted(tmp_path, "2", at), [good])
        assert second.report.changes is not None
        assert [change.id for change in second.report.changes.better] == ["account-without-tls"]
        assert second.report.changes.since_run == "1"
    third = build.write_report(wanted(tmp_path, "3"), [replace(good, seen_at=LATER)])
    assert not third.changed
    assert third.report.changes is not None
    assert third.report.changes.since_run == "2"
    (tmp_path / "d/e/report.csv").unlink()
    assert build.write_report(wanted(tmp_path, "3"), [good]).changed


def test_previous_and_merge(tmp_path: Path) -> None:
    """By name; a report that is about to be replaced is compared with as it was."""
    old = build.write_report(wanted(tmp_path / "old", "1"), [server(status(finding()), "a"), server(status(), "b")])
    path = Path(old.paths["json"])
    made = build.write_report(wanted(tmp_path / "new", "2", previous=path), [server(status(), "a", LATER)])
    assert made.report.changes is not None
    assert made.report.changes.servers_gone == ("b",)
    merged = build.write_report(wanted(tmp_path / "all", "3", merge=(path, Path(made.paths["json"]))), [])
    assert [(s.name, s.verdict) for s in merged.report.servers] == [("a", "compliant"), ("b", "compliant")]
    own = build.write_report(wanted(tmp_path / "old", "4", previous=path), [server(status(), "a")])
    assert own.report.changes is not None
    assert own.report.changes.since_run == "1"


SPOILT: list[tuple[t.Any, str]] = [
    ("{", "is not JSON"),
    ("[]", "is not a report"),
    ("[" * 100000, "is not JSON"),
    ({"format": "other"}, "is not a report"),
    ({"format_version": 2}, "has format version 2"),
    ({"servers": {}}, "servers is not a list"),
    ({"servers": [{}]}, "servers[0].name is missing"),
    ({"run": None}, "run is not a dictionary"),
    ({"title": 1}, "title is not text"),
    ({"run": {"id": "1", "made_at": "x", "collection_version": "", "ansible_core_version": ""}}, "run.made_at is 'x'"),
]


@pytest.mark.parametrize(("content", "reason"), SPOILT)
@pytest.mark.parametrize("option", ["merge", "previous", "dest"])
def test_bad_reports(tmp_path: Path, content: t.Any, reason: str, option: str) -> None:
    """The message names option and file, and nothing is written."""
    directory = tmp_path / "d" / "e"
    directory.mkdir(parents=True)
    path = directory / "report.json" if option == "dest" else tmp_path / "other.json"
    good = json.loads(files.to_json(report(server(status()))))
    path.write_text(content if isinstance(content, str) else json.dumps({**copy.deepcopy(good), **content}))
    before = path.read_bytes()
    ways: dict[str, dict[str, t.Any]] = {"dest": {}, "merge": {"merge": (path,)}, "previous": {"previous": path}}
    with pytest.raises(RdsMysqlError) as caught:
        build.write_report(wanted(tmp_path, "2", **ways[option]), [server(status())])
    assert caught.value.message.startswith(f"{option}: {path} ")
    assert reason in caught.value.message
    assert path.read_bytes() == before
    assert not (directory / "report.html").exists()


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """Named, with the option."""
    missing = tmp_path / "no.json"
    both: list[tuple[str, dict[str, t.Any]]] = [("merge", {"merge": (missing,)}), ("previous", {"previous": missing})]
    for option, more in both:
        with pytest.raises(RdsMysqlError, match=rf"{option}: .*no\.json cannot be read: No such file"):
            build.write_report(wanted(tmp_path, "1", **more), [])
    (tmp_path / "d").write_text("a file")
    with pytest.raises(RdsMysqlError, match=r"dest: the directory .* cannot be made"):
        build.write_report(wanted(tmp_path, "1"), [])


def test_a_directory_in_the_way(tmp_path: Path) -> None:
    """Nothing half written stays behind."""
    (tmp_path / "d/e/report.html").mkdir(parents=True)
    with pytest.raises(RdsMysqlError, match=r"dest: .*report\.html cannot be written"):
        build.write_report(wanted(tmp_path, "1"), [server(status())])
    assert [path.name for path in (tmp_path / "d/e").iterdir() if path.name.startswith(".")] == []


# The page


def test_everything_is_escaped() -> None:
    """In text and in attributes, by construction; what cannot be seen is made visible."""
    made = markup.element("p", "<b>&\"'", [1234, None, markup.element("br")], title="\"'<>&", hidden=True, lang=None)
    assert made.text == '<p title="&quot;&#x27;&lt;&gt;&amp;" hidden>&lt;b&gt;&amp;"\'1,234<br></p>'
    assert markup.element("p", "a\0\x1b\u202eb\x85").text == "<p>a\u2400\u241b\ufffdb\ufffd</p>"
    with pytest.raises(ValueError, match="would end it"):
        markup.source("script", "'</script>'")


@pytest.mark.parametrize(
    ("ends", "labels"),
    [
        ([], ["expired"]),
        (["2026-11-24T15:40:00Z"], ["expired"]),
        (["2026-11-30T00:00:00Z"], ["expired", "2026-11"]),
        (["2026-12-01T00:00:00Z", "2027-01-31T00:00:00Z"], ["expired", "2026-11", "2026-12", "2027-01"]),
        (["2036-11-30T00:00:00Z"], None),
        (["9999-12-31T23:59:59Z"], None),
    ],
)
def test_periods(ends: list[str], labels: list[str] | None) -> None:
    """Every certificate is in one of them, however far away its end is."""
    certificate = status()["mysql_ssl"]["certificate"]
    servers = [
        server(status(certificate={**certificate, "not_after": end}), f"db{number}") for number, end in enumerate(ends)
    ]
    found = timeline.periods(servers, NOW)
    assert sum(len(period.servers) for period in found) == len(ends)
    assert len(found) <= 26
    if labels is not None:
        assert [period.label for period in found] == labels
    assert "NaN" not in timeline.drawing(found or [timeline.Period("expired", "expired", ())]).text if ends else True


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
    assert numbers.servers == numbers.looked_at + numbers.unreachable + numbers.not_looked_at == 6
    assert numbers.looked_at == numbers.compliant + numbers.not_compliant + numbers.undecided == 4
    assert (numbers.findings.high, numbers.findings.medium) == (3, 1)
    assert [(kind.id, kind.findings, kind.servers) for kind in numbers.worst] == [
        ("account-without-tls", 3, 2),
        ("weak-protocol", 1, 1),
    ]
