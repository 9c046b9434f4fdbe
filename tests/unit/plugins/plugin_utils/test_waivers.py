# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings that somebody accepts for a time: what they count for, until when, and what is wrong with the list."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import fleet_report
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import (
    compare,
    csv_report,
    junit_report,
    metrics,
    model,
    render,
    summary,
    views,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.waivers import read_waivers

TODAY = dt.date(2027, 1, 10)
NOW = "2027-01-10T02:00:00Z"
ACCOUNT = model.Finding("account-without-tls", "high", "erp@%", "erp@% can log in without TLS.")
WEAK = model.Finding("weak-protocol", "medium", "legacy-1", "The server accepts TLSv1.")
RULE = {
    "finding": "account-without-tls",
    "server": "legacy-*",
    "account": "ERP@%",
    "owner": "finance",
    "reason": "The driver is old.",
    "expires": "2027-03-31",
}


def server(*findings: model.Finding, name: str = "legacy-1", **more: t.Any) -> model.Server:
    return model.Server(
        name,
        name,
        model.CHECKED,
        verdict="non_compliant" if findings else "compliant",
        checked_at=NOW,
        tls=model.Tls(True, ("TLSv1.2",), False),
        session=model.Session("me@%", True, "tcp"),
        accounts=(),
        findings=findings,
        **more,
    )


def waived(*servers: model.Server, rules: t.Any = None, today: dt.date = TODAY) -> list[model.Server]:
    return read_waivers([RULE] if rules is None else rules, today).apply(servers)


def report(*servers: model.Server, changes: model.Changes | None = None) -> model.Report:
    run = model.Run("1", NOW, "0.2.0", "2.19.0")
    return model.Report("T", run, summary.summarize(servers), servers, changes)


def test_what_is_waived_does_not_count() -> None:
    """For the verdict, the numbers and the failures; and is said everywhere with its owner and date."""
    made = report(*waived(server(ACCOUNT), server(ACCOUNT, WEAK, name="legacy-2"), server(ACCOUNT, name="other")))
    assert [each.verdict for each in made.servers] == ["compliant", "non_compliant", "non_compliant"]
    assert (made.summary.compliant, made.summary.compliant_with_waivers, made.summary.waived) == (1, 1, 2)
    assert (made.summary.findings.high, made.summary.findings.medium, made.summary.exposed_accounts) == (1, 1, 1)
    assert "1 compliant (1 with waivers)" in fleet_report.sentence(made.summary)
    (_header, first, *_rest) = csv.reader(io.StringIO(csv_report.to_findings_csv(made)))
    assert "finance" in first
    assert "2027-03-31" in first
    text = metrics.to_openmetrics(made)
    assert 'dbtls_findings_waived{report="T"} 2' in text
    assert 'dbtls_findings{report="T",kind="account-without-tls",severity="high"} 1' in text
    assert junit_report.to_junit(made, "medium").count("<failure") == 2
    page = views.page(made, "")
    assert [(row.owner, row.expires, row.servers.shown) for row in page.waived.shown] == [
        ("finance", "2027-03-31", ("legacy-1", "legacy-2"))
    ]
    assert {row.waived for row in page.controls if row.id == "NIST IA-5(1)"} == {2}
    html = render.to_html(made, "")
    assert "Compliant with waivers" in html
    assert "The driver is old." in html
    assert "2 findings waived; 1 server compliant with waivers." in html


def test_a_server_is_compliant_only_if_that_can_be_said() -> None:
    """What could not be read is not waived."""
    (made,) = waived(replace(server(ACCOUNT), accounts=None))
    assert made.verdict == "undecided"


@pytest.mark.parametrize(
    ("today", "holds", "warning"),
    [
        (dt.date(2027, 3, 16), True, None),
        (dt.date(2027, 3, 17), True, "expires in 14 days, on 2027-03-31."),
        (dt.date(2027, 3, 30), True, "expires in 1 day, on 2027-03-31."),
        (dt.date(2027, 3, 31), False, "expired on 2027-03-31. Its findings count again."),
    ],
)
def test_a_waiver_ends(today: dt.date, holds: bool, warning: str | None) -> None:
    """On the day that it names; two weeks before, it is said."""
    waivers = read_waivers([RULE], today)
    (made,) = waivers.apply([server(ACCOUNT)])
    assert (made.findings[0].waiver is not None) == holds
    assert made.verdict == ("compliant" if holds else "non_compliant")
    said = list(waivers.warnings())
    assert len(said) == (warning is not None)
    if warning:
        assert said[0] == f"waivers: The waiver of account-without-tls on legacy-* for ERP@% (finance) {warning}"


def test_one_that_matches_nothing_is_said() -> None:
    waivers = read_waivers([{**RULE, "server": "lgacy-*"}], TODAY)
    (made,) = waivers.apply([server(ACCOUNT)])
    assert made.verdict == "non_compliant"
    (said,) = waivers.warnings()
    assert "lgacy-*" in said
    assert said.endswith("matches no finding. Remove it, or correct its patterns.")


def test_several_for_one_finding() -> None:
    """Each of them matches it; the first that holds is the one that counts, and an expired one is no longer needed."""
    expired, broad = {**RULE, "expires": "2027-01-01", "owner": "old"}, {**RULE, "server": "*", "owner": "dba"}
    waivers = read_waivers([expired, broad, RULE], TODAY)
    (made,) = waivers.apply([server(ACCOUNT)])
    assert made.findings[0].waiver == model.Waiver("dba", "The driver is old.", "2027-03-31")
    (said,) = waivers.warnings()
    assert said.endswith("for ERP@% (old) expired on 2027-01-01. Others cover its findings; remove it.")


@pytest.mark.parametrize(
    "unseen",
    [
        replace(server(), state=model.UNREACHABLE, verdict=None, message="Gone."),
        replace(server(), accounts=None, verdict="undecided"),
    ],
)
def test_what_was_not_seen_may_still_be_there(unseen: model.Server) -> None:
    """A waiver whose server could not be checked is not to be removed."""
    waivers = read_waivers([RULE, {**RULE, "server": "shop-*"}], TODAY)
    waivers.apply([unseen, server(name="shop-1")])
    (said,) = waivers.warnings()
    assert "on shop-* for" in said


def test_a_bracket_is_no_pattern() -> None:
    (made,) = waived(server(ACCOUNT, name="legacy-[1]"), rules=[{**RULE, "server": "legacy-[1]"}])
    assert made.verdict == "compliant"
    (made,) = waived(server(ACCOUNT, name="legacy-1"), rules=[{**RULE, "server": "legacy-[1]"}])
    assert made.verdict == "non_compliant"


def test_coming_back_is_new() -> None:
    """A finding whose waiver has expired was not among those that counted at the last check."""
    (before,) = waived(server(ACCOUNT))
    (now,) = waived(server(ACCOUNT), today=dt.date(2027, 3, 31))
    found = compare.compare({before.name: before}, [now])
    assert [change.id for change in found.worse] == ["account-without-tls"]
    back = compare.compare({now.name: now}, [before])
    assert [change.message for change in back.resolved] == [
        "Waived by finance until 2027-03-31: erp@% can log in without TLS."
    ]


def test_failing_for_what_is_new() -> None:
    """New findings, drift and new servers, from a severity on; what was there and what is waived, not."""

    def failures(now: model.Server, before: model.Server | None, fail_on: str = "medium") -> list[str]:
        changes = compare.compare({before.name: before}, [now]) if before else None
        return list(fleet_report._new_failures(report(now, changes=changes), fail_on))

    new = ["1 new finding of severity medium or more"]
    assert failures(server(WEAK), server(WEAK)) == []
    assert failures(server(WEAK), server()) == new
    assert failures(server(WEAK), server(), "high") == []
    assert failures(server(WEAK), None) == new
    assert failures(waived(server(ACCOUNT))[0], None) == []
    gone = replace(server(), state=model.UNREACHABLE, verdict=None, message="Gone.")
    assert failures(gone, server()) == new
    closed, opened = model.Account("erp", "%", "ANY"), model.Account("erp", "%", "NONE")
    before, now = replace(server(), accounts=(closed,)), replace(server(), accounts=(opened,))
    assert failures(now, before, "low") == ["1 account that no longer require TLS"]
    assert failures(now, before) == []
    assert failures(replace(now, findings=(ACCOUNT,)), before) == new


def test_a_list_in_a_file(tmp_path: Path) -> None:
    """As YAML reads it: a date there is a date."""
    path = tmp_path / "waivers.yml"
    path.write_text("- {finding: weak-*, owner: o, reason: r, expires: 2027-02-01}\n")
    (made,) = read_waivers(str(path), TODAY).apply([server(WEAK)])
    assert made.findings[0].waiver == model.Waiver("o", "r", "2027-02-01")
    path.write_text("")
    assert read_waivers(str(path), TODAY).rules == ()


def test_an_account_is_only_of_findings_about_accounts() -> None:
    rules = [{**RULE, "finding": "*", "account": "legacy-*"}]
    (made,) = waived(server(WEAK), rules=rules)
    assert made.findings[0].waiver is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("/nowhere.yml", "waivers: /nowhere.yml cannot be read: No such file or directory."),
        ({"finding": "x"}, "waivers has to be a list of waivers."),
        (["x"], "waivers, number 1: a waiver has to be a dictionary."),
        ([RULE, {**RULE, "until": 1}], "waivers, number 2: the waiver has an unknown key: until."),
        ([{**RULE, "server": ""}], "waivers, number 1: the waiver has no server."),
        ([{**RULE, "server": ["a", "b"]}], "waivers, number 1: server has to be one text; write a waiver for each."),
        ([{**RULE, "account": None}], "waivers, number 1: the waiver has no account."),
        (
            [{**RULE, "expires": "2027-03-311"}],
            "waivers, number 1: the waiver expires on '2027-03-311', which is not a date",
        ),
        ([{"finding": "weak-protocol"}], "waivers, number 1: the waiver has no owner and no reason and no expires."),
        ([{**RULE, "expires": "soon"}], "waivers, number 1: the waiver expires on 'soon', which is not a date"),
        ([{**RULE, "finding": "weak-protocl"}], "waivers, number 1: the waiver is for the finding 'weak-protocl'."),
    ],
)
def test_bad_lists(value: t.Any, message: str) -> None:
    """One sentence, with the number of the waiver."""
    with pytest.raises(RdsMysqlError) as caught:
        read_waivers(value, TODAY)
    assert caught.value.message.startswith(message)


def test_a_file_that_everybody_can_write(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yml"
    path.write_text("[]")
    path.chmod(0o664)  # As a checkout has it.
    assert read_waivers(str(path), TODAY).rules == ()
    path.chmod(0o646)
    with pytest.raises(RdsMysqlError, match=r"^waivers: .*waivers\.yml is not read: it can be written by everybody"):
        read_waivers(str(path), TODAY)


def test_a_file_that_is_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yml"
    for content in (b"- {", b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(RdsMysqlError, match=r"waivers: .*waivers\.yml is not a YAML file\."):
            read_waivers(str(path), TODAY)
    path.write_text("- expires: 2026-13-01\n", "utf-8")
    with pytest.raises(
        RdsMysqlError, match=r"waivers\.yml is not a YAML file, or has a date that does not exist: month "
    ):
        read_waivers(str(path), TODAY)


def test_a_notice_is_no_template() -> None:
    """A user's own task may publish it for another job, which renders what it gets."""
    change = model.Change("legacy-1", "account-without-tls", "high", "{{ x }}", "{# {{ x }} {% raw %}")
    found = model.Changes(None, None, summary.summarize(()), worse=(change,))
    told = fleet_report.notice(report(server(ACCOUNT), changes=found), "r.html")
    assert told["lines"][0].startswith("New or worse: 1 (high: ")
    assert not re.search(r"\{[{%#]", str(told))
