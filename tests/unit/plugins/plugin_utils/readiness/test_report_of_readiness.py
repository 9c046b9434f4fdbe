# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was watched, in the report: report.json, the page, numbers and the sentence of the task."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import time
import typing as t
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import fleet_report
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import History
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.judge import Rules
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import build, model, summary

from .written_history import APP_PLAIN, Server

ENDPOINT = model.Endpoint("db.example.com", 3306)
RULES = Rules(quiet_days=2, watch_every=60)


def account(user: str, **more: t.Any) -> model.Account:
    return model.Account(user, "%", more.pop("ssl_type", "NONE"), **more)


def checked(name: str, *accounts: model.Account, endpoint: model.Endpoint = ENDPOINT) -> model.Server:
    return model.Server(
        name, name, model.CHECKED, "compliant", iso8601(utc_now()), endpoint=endpoint, accounts=accounts
    )


def watch(directory: Path) -> None:
    """Three days of one server, with a change of an account that is refused since."""
    server = Server("accounts")
    server.login(("pool", "10.0.0.7", "SSL/TLS"))
    server.login(APP_PLAIN)
    now = utc_now()
    for hours in range(72, -1, -1):
        at = now - dt.timedelta(hours=hours)
        if hours == 10:
            server.refuse(("changed", "10.0.0.5", "TCP/IP"))
        changed = ["changed@%"] if hours == 20 else []
        passes = [store.Pass("db1", str(ENDPOINT), server.look(), changed)]
        store.record(directory / store.DIRECTORY, passes, at, 400)


def written(tmp_path: Path, *servers: model.Server, **more: t.Any) -> build.WrittenReport:
    run = model.Run("1", iso8601(utc_now()), "0.1.0", "2.19.0")
    request = build.ReportRequest(
        dest=tmp_path / "report",
        title="T",
        run=run,
        history=History(tmp_path / "state" / "history", tmp_path / "cache"),
        rules=RULES,
        **more,
    )
    return build.write_report(request, servers)


def test_each_account_that_may_log_in_without_tls_is_judged(tmp_path: Path) -> None:
    watch(tmp_path / "state")
    accounts = (
        account("app"),
        account("pool"),
        account("closed", ssl_type="ANY"),
        account("locked", locked=True),
        account("rdsadmin", system=True),
    )
    made = written(tmp_path, checked("db1", *accounts), checked("db2", account("app")))
    data = json.loads(Path(made.paths["json"]).read_text("utf-8"))
    assert [(each["server"], each["account"], each["state"]) for each in data["readiness"]] == [
        ("db1", "app@%", "not_ready"),
        ("db2", "app@%", "unknown"),
        ("db1", "pool@%", "ready"),
    ]
    first = data["readiness"][0]
    assert first["last_plaintext"] == first["sightings"][0]["last"]
    assert data["summary"]["readiness"] == {"ready": 1, "not_ready": 1, "unknown": 1}
    (refused,) = data["refused_logins"]
    assert (refused["account"], refused["logins"], refused["clients"]) == (
        "changed@%",
        1,
        [{"host": "10.0.0.5", "logins": 1}],
    )
    page = Path(made.paths["html"]).read_text("utf-8")
    assert "1 account ready, 1 not ready, 1 unknown." in page
    assert "app from 10.0.0.7 was connected without TLS" in page
    assert "1 from 10.0.0.5" in page
    assert fleet_report.readiness_in_short(made.report) == (
        "Readiness: 1 account ready for TLS, 1 not ready, 1 unknown. Logins of 1 changed account are being refused."
    )


def test_accounts_that_others_act_as(tmp_path: Path) -> None:
    """A locked one as well; where the login may not see it, any client without TLS may be one who does."""
    watch(tmp_path / "state")
    accounts = (account("owner", locked=True), account("quiet"))
    proxied = (model.Proxied("owner@%", ("app@%",)),)
    for visible, expected in ((proxied, ["not_ready", "ready"]), (None, ["not_ready"])):
        server = dataclasses.replace(checked("db1", *accounts), proxied=visible)
        made = written(tmp_path, server)
        assert made.report.readiness is not None
        assert [each.state for each in made.report.readiness] == expected


def test_a_report_that_is_merged_brings_its_readiness(tmp_path: Path) -> None:
    watch(tmp_path / "state")
    slice_ = written(tmp_path, checked("db1", account("app")))
    elsewhere = tmp_path / "elsewhere"
    made = written(elsewhere, checked("db2"), merge=(Path(slice_.paths["json"]),))
    assert made.report.readiness == slice_.report.readiness


def test_another_server_by_now_was_not_watched(tmp_path: Path) -> None:
    watch(tmp_path / "state")
    made = written(tmp_path, checked("db1", account("app"), endpoint=model.Endpoint("other.example.com", 3306)))
    assert made.report.readiness is not None
    assert [each.state for each in made.report.readiness] == ["unknown"]


def test_where_nobody_watches_nothing_is_said(tmp_path: Path) -> None:
    made = written(tmp_path, checked("db1", account("app")))
    assert made.report.readiness is None
    assert 'id="readiness"' not in Path(made.paths["html"]).read_text("utf-8")
    assert fleet_report.readiness_in_short(made.report) == ""


def test_hundreds_of_servers_over_five_weeks_are_judged_in_seconds(tmp_path: Path) -> None:
    """A few servers' days, under many names."""
    directory = tmp_path / "state" / store.DIRECTORY
    server = Server("accounts")
    server.login(APP_PLAIN)
    names = [f"db{number}" for number in range(300)]
    now = utc_now()
    for days in range(36, -1, -1):
        seen = server.look()
        passes = [store.Pass(name, str(ENDPOINT), seen) for name in names]
        store.record(directory, passes, now - dt.timedelta(days=days), 400)
    began = time.monotonic()
    made = written(tmp_path, *(checked(name, account("app"), account("pool")) for name in names))
    assert made.report.readiness is not None
    assert len(made.report.readiness) == 600
    # Generous: a second on an idle machine, most of them for the report itself.
    assert time.monotonic() - began < 60


def test_summary_counts_nothing_by_itself() -> None:
    assert summary.summarize([checked("db1")]).readiness is None
