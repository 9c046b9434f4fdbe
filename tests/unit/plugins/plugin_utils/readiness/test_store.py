# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of observations: what is written is read, by day, and several directories' add up."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import shutil
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.judge import Judged, Observed, Rules, judge
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.store import Pass, read, record

from .written_history import APP_PLAIN, APP_TLS, NOW, History, Server

DAY = dt.timedelta(days=1)


def one(server: Server, name: str = "db", endpoint: str = "db:3306") -> list[Pass]:
    return [Pass(name, endpoint, server.look())]


def never(sentence: str) -> None:
    raise AssertionError(sentence)


def test_what_is_recorded_is_what_was_seen(tmp_path: Path) -> None:
    """By files as in memory, over midnight, with a client whose name is no text that UTF-8 has."""
    servers = [Server("users", "hosts", "accounts") for _copy in range(2)]
    history = History(servers[1])
    for hour in range(30):
        at = NOW + dt.timedelta(hours=hour)
        for server in servers:
            server.visit(APP_PLAIN if hour == 20 else APP_TLS)
            server.refuse(APP_PLAIN)
            server.login(("odd\udc00{{ 1 }}", "10.0.0.8", "TCP/IP"))
        record(tmp_path, one(servers[0]), at, 90)
        history.look(at)
    days = dict(read(tmp_path, "2026-11-01", never)["db"])
    assert days == history.days
    assert len(days) == 2
    assert [path.stat().st_mode & 0o777 for path in tmp_path.glob("*.gz")] == [0o600, 0o600]


def test_old_days_are_removed(tmp_path: Path) -> None:
    server = Server("accounts")
    for day in range(5):
        record(tmp_path, one(server), NOW + day * DAY, 3)
    assert [date for date, _day in read(tmp_path, "", never)["db"]] == [
        f"2026-{d}" for d in ("11-29", "11-30", "12-01", "12-02")
    ]
    assert [date for date, _day in read(tmp_path, "2026-12-01", never)["db"]] == ["2026-12-01", "2026-12-02"]


def test_a_clock_that_is_ahead_removes_nothing(tmp_path: Path) -> None:
    """All that was ever seen would be too old, on its first day and on those that follow."""
    server = Server("accounts")
    for day in (0, 1, 500, 500, 501, 502):
        record(tmp_path, one(server), NOW + day * DAY, 35)
    assert len(read(tmp_path, "", never)["db"]) == 5


def test_directories_of_two_machines_copied_together_add_up(tmp_path: Path) -> None:
    server = Server("accounts")
    for number, name in enumerate(("one", "two")):
        for hour in range(6):
            record(tmp_path / name, one(server), NOW + dt.timedelta(hours=2 * hour + number), 90)
    for path in (tmp_path / "one").glob("*.gz"):
        shutil.copy(path, tmp_path / "two")
    both = read(tmp_path / "two", "", never)["db"]
    assert len(both) == 2
    observed = Observed(both, Rules(quiet_days=1, watch_every=60), NOW + dt.timedelta(hours=12))
    assert round(observed.coverage["sampled"] * 24) == 12
    assert sum(seen.times for seen in observed.sightings.values()) == 12


def test_a_server_that_was_not_reached_for_days_has_counted(tmp_path: Path) -> None:
    """The others were checked meanwhile."""
    server, other = Server("users", tells=False), Server("users", tells=False)
    record(tmp_path, [*one(server), *one(other, "other")], NOW, 90)
    server.visit(APP_PLAIN)
    record(tmp_path, one(other, "other"), NOW + DAY, 90)
    record(tmp_path, one(server), NOW + 2 * DAY, 90)
    observed = Observed(read(tmp_path, "", never)["db"], Rules(quiet_days=3), NOW + 2 * DAY)
    assert judge("db", Judged("app", "%"), observed).state == "not_ready"


def test_another_server_by_the_same_name_begins_anew(tmp_path: Path) -> None:
    server = Server("users")
    server.login(APP_PLAIN)
    record(tmp_path, one(server), NOW, 90)
    record(tmp_path, one(Server("users"), endpoint="other:3306"), NOW + dt.timedelta(hours=1), 90)
    ((_date, day),) = read(tmp_path, "", never)["db"]
    assert day.endpoint == "other:3306"
    assert [who.user for who in day.sightings] == ["monitor"]


def test_a_damaged_file_is_named_and_its_day_not_observed(tmp_path: Path) -> None:
    server = Server("accounts")
    path = record(tmp_path, one(server), NOW, 90)
    record(tmp_path, one(server), NOW + DAY, 90)
    path.write_bytes(path.read_bytes()[:100])
    warnings: list[str] = []
    assert [date for date, _day in read(tmp_path, "", warnings.append)["db"]] == ["2026-11-29"]
    damaged = f"mysql_tls_state_dir: {path} is not a file of observations, or damaged (EOFError)."
    assert warnings == [f"{damaged} That day counts as not observed."]
    with pytest.raises(RdsMysqlError, match="damaged"):
        record(tmp_path, one(server), NOW, 90)


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": 1},
        {"sampled": []},
        {"sightings": [["u", "h", None, "", "", 1, "2026", 1, 1]]},
        {"sightings": [["u", "h"]]},
        {"logins": [["u", None, "many", None, None, None]]},
        {"refused": [["2026", "u", "h", "many"]]},
        {"changes": {"app@%": 1}},
        {"last": 1},
        {"last_pass": 20261128},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_value_of_another_type_is_damage(tmp_path: Path, wrong: dict[str, t.Any]) -> None:
    """Else the report, which is worth something without that day, ends with an error of Python's."""
    path = record(tmp_path, one(Server("accounts")), NOW, 90)
    whole = json.loads(gzip.decompress(path.read_bytes()))
    whole["servers"]["db"].update(wrong)
    _is_damaged(path, whole)


@pytest.mark.parametrize(
    "wrong",
    [
        {"connection_id": "1"},
        {"counters": {"accounts": 0}},
        {"counters": {"accounts": [{"user": "u", "host": "h", "logins": "1", "tls": None, "refused": 1}]}},
        {"plaintext_until": {"u": "1"}},
    ],
)
def test_a_counter_of_another_type_is_damage(tmp_path: Path, wrong: dict[str, t.Any]) -> None:
    path = record(tmp_path, one(Server("accounts")), NOW, 90)
    whole = json.loads(gzip.decompress(path.read_bytes()))
    whole["servers"]["db"]["last"].update(wrong)
    _is_damaged(path, whole)


def _is_damaged(path: Path, whole: dict[str, t.Any]) -> None:
    path.write_bytes(gzip.compress(json.dumps(whole).encode("ascii")))
    warnings: list[str] = []
    assert read(path.parent, "", warnings.append) == {}
    assert [text.endswith("That day counts as not observed.") for text in warnings] == [True]
    with pytest.raises(RdsMysqlError, match="damaged"):
        record(path.parent, one(Server("accounts")), NOW, 90)


def test_what_others_could_have_written_is_not_read(tmp_path: Path) -> None:
    server = Server("accounts")
    path = record(tmp_path, one(server), NOW, 90)
    path.chmod(0o622)
    warnings: list[str] = []
    assert read(tmp_path, "", warnings.append) == {}
    refused = f"mysql_tls_state_dir: {path} is not read: it can be written by everybody."
    assert warnings == [f"{refused} That day counts as not observed."]
    with pytest.raises(RdsMysqlError, match="can be written by everybody"):
        record(tmp_path, one(server), NOW, 90)
    # The next day needs nothing of it but the counters.
    record(tmp_path, one(server), NOW + DAY, 90)
    assert len(read(tmp_path, "2026-11-29", never)["db"]) == 1


def test_a_small_file_of_large_content_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = record(tmp_path, one(Server("accounts")), NOW, 90)
    path.write_bytes(gzip.compress(b" " * 100_000))
    monkeypatch.setattr(store, "_MAX_BYTES", 1000)
    warnings: list[str] = []
    assert read(tmp_path, "", warnings.append) == {}
    assert "is larger than 1000 bytes." in warnings[0]


def test_a_pass_that_ends_in_the_middle_loses_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server("accounts")
    path = record(tmp_path, one(server), NOW, 90)
    before = path.read_bytes()

    def full(*_arguments: t.Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(RdsMysqlError, match="No space left on device"):
            record(tmp_path, one(server), NOW + dt.timedelta(hours=1), 90)
    assert path.read_bytes() == before
    assert sorted(found.name for found in tmp_path.iterdir()) == sorted(["id", path.name])


def test_runs_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    names = [f"db{number}" for number in range(8)]
    threads = [
        threading.Thread(target=record, args=(tmp_path, one(Server("accounts"), name), NOW, 90)) for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read(tmp_path, "", never)) == names


def test_clients_that_call_themselves_something_else_each_time_are_bounded(tmp_path: Path) -> None:
    server = Server("accounts")
    seen = server.look()
    row = {"user": "app", "host": "10.0.0.7", "transport": "TCP/IP", "driver": "x", "connection_ids": [1]}
    seen["clients"] = [{**row, "program": f"p{number}"} for number in range(2000)]
    record(tmp_path, [Pass("db", "db:3306", seen)], NOW, 90)
    found = read(tmp_path, "", never)["db"]
    assert len(found[0][1].sightings) <= 502
    verdict = judge("db", Judged("app", "%"), Observed(found, Rules(), NOW + DAY))
    assert verdict.state == "not_ready"
    assert len(verdict.sightings) == 20
