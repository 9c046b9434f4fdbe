# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When an account is ready: the rules, on written weeks."""

from __future__ import annotations

import datetime as dt
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.judge import (
    Judged,
    Observed,
    Readiness,
    Rules,
    judge,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.observed import Logins

from .written_history import APP_PLAIN, APP_TLS, MONITOR, NOW, History, Server

MONTH = dt.timedelta(days=35)
# Every hour, so that five weeks are 840 passes and a test takes milliseconds.
RULES = Rules(watch_every=60)


def verdict(
    history: History, user: str = "app", host: str = "%", rules: Rules = RULES, now: dt.datetime = NOW
) -> Readiness:
    return judge("db", Judged(user, host), Observed(history.days.items(), rules, now))


def watched(server: Server, event: t.Callable[[dt.datetime], object] | None = None, days: int = 36) -> History:
    history = History(server)
    history.watch(NOW - dt.timedelta(days=days), NOW, 60, event)
    return history


def monthly(server: Server, day: int, session: t.Any) -> t.Callable[[dt.datetime], object]:
    """A job of some minutes, at 03:00 of one day in the month."""

    def event(at: dt.datetime) -> None:
        if (at.day, at.hour) == (day, 3):
            server.visit(session)

    return event


def test_a_pool_with_tls_is_ready() -> None:
    server = Server("accounts")
    server.login(APP_TLS)
    found = verdict(watched(server))
    assert (found.state, found.last_plaintext) == ("ready", None)
    assert [(one.transport, one.times) for one in found.sightings] == [("SSL/TLS", 36 * 24 + 1)] or found.sightings[
        0
    ].times > 35 * 24


@pytest.mark.parametrize(
    ("by", "state"), [((), "ready"), (("other@%",), "ready"), (("app@%",), "not_ready"), (("@%",), "not_ready")]
)
def test_who_acts_as_the_account_without_tls(by: tuple[str, ...], state: str) -> None:
    """By GRANT PROXY; MySQL shows the session by the name of who logs in. A proxy without a name may be anybody."""
    server = Server("accounts")
    server.login(APP_PLAIN)
    observed = Observed(watched(server).days.items(), RULES, NOW)
    found = judge("db", Judged("owner", "%", by), observed)
    assert (found.state, found.account) == (state, "owner@%")
    assert bool(found.last_plaintext) == (state == "not_ready")


def test_one_session_without_tls_in_five_weeks_is_enough() -> None:
    server = Server("accounts")
    server.login(APP_TLS)
    seen_at = (NOW - dt.timedelta(days=30)).replace(minute=0)

    def event(at: dt.datetime) -> None:
        if at == seen_at:
            event.number = server.login(APP_PLAIN)  # type: ignore[attr-defined]
        elif at == seen_at + dt.timedelta(hours=1):
            del server.open[event.number]  # type: ignore[attr-defined]

    found = verdict(watched(server, event))
    assert found.state == "not_ready"
    assert found.last_plaintext == "2026-10-29T12:00:00Z"
    assert found.reason == "app from 10.0.0.7 was connected without TLS, last seen 2026-10-29T12:00:00Z."
    assert [one.transport for one in found.sightings] == ["TCP/IP", "SSL/TLS"]


def test_what_is_older_than_the_quiet_days_does_not_count() -> None:
    server = Server("accounts")
    number = server.login(APP_PLAIN)

    def event(at: dt.datetime) -> None:
        if at >= NOW - MONTH and number in server.open:
            del server.open[number]

    assert verdict(watched(server, event, 50)).state == "ready"


def test_a_socket_is_refused_too() -> None:
    server = Server("accounts")
    server.login(("app", "localhost", "Socket"))
    assert verdict(watched(server), host="localhost").reason.startswith("app over the Unix socket was connected")
    # An account for other hosts is not the one that came over the socket.
    assert verdict(watched(server), host="10.%").state == "ready"


@pytest.mark.parametrize("days", [0, 3, 34])
def test_not_observed_for_long_enough(days: int) -> None:
    server = Server("accounts")
    server.login(APP_TLS)
    found = verdict(watched(server, None, days))
    assert found.state == "unknown"
    assert found.reason == f"Observed for {float(days):.1f} of 35 days (mysql_tls_quiet_days)."


def test_a_watch_that_stood_still() -> None:
    history = History(Server("accounts"))
    history.watch(NOW - dt.timedelta(days=36), NOW - dt.timedelta(days=20), 60)
    history.watch(NOW - dt.timedelta(days=16), NOW, 60)
    found = verdict(history)
    assert found.state == "unknown"
    assert found.reason.startswith("Checked in 89% of the time, less than mysql_tls_min_coverage (0.9)")
    assert verdict(history, rules=Rules(watch_every=60, min_coverage=0.85)).state == "ready"


def test_a_timer_that_is_late_now_and_then_is_in_time() -> None:
    history = History(Server("accounts"))
    at, late = NOW - dt.timedelta(days=3), 0
    while at <= NOW:
        history.look(at + dt.timedelta(seconds=late % 60))
        at, late = at + dt.timedelta(minutes=5), late + 17
    assert Observed(history.days.items(), Rules(quiet_days=3), NOW).coverage["sampled"] == 1.0


def test_never_watched() -> None:
    found = judge("db", Judged("app", "%"), Observed([], RULES, NOW))
    assert (found.state, found.reason) == ("unknown", "Not observed. Run the playbook watch every few minutes.")


def test_short_connections_escape_sampling() -> None:
    server = Server("accounts")
    found = verdict(watched(server, lambda _at: server.visit(APP_TLS, 3)))
    assert found.state == "unknown"
    assert found.reason.startswith("Its connections are too short: the checks saw 0.00% of its")


def test_the_share_that_was_seen_is_said() -> None:
    server = Server("accounts")

    def event(at: dt.datetime) -> None:
        server.visit(APP_TLS, 3)
        if at.hour % 2:
            server.open.pop(getattr(event, "number", 0), None)
            event.number = server.login(APP_TLS)  # type: ignore[attr-defined]

    found = verdict(watched(server, event))
    assert found.state == "ready"
    assert "the checks saw 14.2" in found.reason
    assert verdict(watched(server, event), rules=Rules(watch_every=60, min_seen=0.2)).state == "unknown"


def test_logins_that_are_not_told() -> None:
    server = Server()
    server.login(APP_TLS)
    found = verdict(watched(server))
    assert found.state == "unknown"
    assert "GRANT" not in found.reason
    assert "Grant the login SELECT on performance_schema" in found.reason


def test_refused_logins_are_not_missed_connections() -> None:
    server = Server("accounts")
    server.login(APP_TLS)
    assert verdict(watched(server, lambda _at: server.refuse(APP_PLAIN))).state == "ready"


# Counters


def test_counters_see_the_monthly_job() -> None:
    server = Server("users", tells=False)
    found = verdict(watched(server, monthly(server, 1, APP_PLAIN)))
    assert found.state == "not_ready"
    assert found.last_plaintext == "2026-11-01T03:00:00Z"
    assert found.reason == ("The server counted 1 login of app without TLS, the last one before 2026-11-01T03:00:00Z.")
    server = Server("users", tells=False)
    assert verdict(watched(server, monthly(server, 1, APP_TLS))).state == "ready"


def test_a_server_that_tells_nothing() -> None:
    server = Server(tells=False)
    server.login(APP_TLS)
    found = verdict(watched(server))
    assert found.state == "unknown"
    assert "userstat" in found.reason


def test_counters_before_the_first_pass_are_not_this_months() -> None:
    server = Server("users", tells=False)
    server.visit(APP_PLAIN, 7)
    assert verdict(watched(server)).state == "ready"


def test_a_session_from_before_the_counting_is_unknown() -> None:
    server = Server("users", tells=False)
    number = server.login(APP_PLAIN)
    found = verdict(watched(server))
    assert found.state == "unknown"
    assert found.reason.startswith("app from 10.0.0.7 has connected before the server counted logins, or ")
    # One that came later was counted.
    del server.open[number]
    server = Server("users", tells=False)
    history = watched(server, lambda at: server.login(APP_TLS) if at == NOW - dt.timedelta(days=35) else None)
    assert verdict(history).state == "ready"


def test_a_session_without_tls_that_was_counted_long_ago() -> None:
    """The weeks that count are over, and it is still there."""
    server = Server("users", tells=False)
    numbers: list[int] = []

    def event(at: dt.datetime) -> None:
        if at == NOW - dt.timedelta(days=44):
            numbers.append(server.login(APP_PLAIN))
            server.login(("other", "10.0.0.7", "SSL/TLS"))

    history = watched(server, event, 45)
    assert verdict(history).state == "unknown"
    # The other user's was counted with TLS.
    other = verdict(history, user="other")
    assert other.state == "ready"
    assert other.counted is not None
    assert (other.counted.logins, other.counted.plaintext) == (1, 0)
    last = history.days["2026-11-28"].last
    assert last is not None
    assert last.unproven("app") > numbers[0] > last.unproven("other") == other.counted.since


def test_counters_of_another_server_are_not_compared() -> None:
    server = Server("users", tells=False)

    def event(at: dt.datetime) -> None:
        if at == NOW - dt.timedelta(days=40):
            server.identity = "two"
            server.visit(APP_PLAIN, 3)

    history = watched(server, event, 45)
    found = verdict(history)
    assert found.state == "ready"
    assert found.counted is not None
    assert found.counted.server == "two"
    assert all(day.logins.get(("app", None), Logins()).plaintext is None for day in history.days.values())


@pytest.mark.parametrize("again", ["restart", "flush"])
def test_counters_that_begin_again(again: str) -> None:
    """The count after is as high as the one before; the login was there all the same."""
    server = Server("users", tells=False)
    server.visit(APP_PLAIN)

    def event(at: dt.datetime) -> None:
        if at == NOW - dt.timedelta(days=10):
            getattr(server, again)()
            server.visit(APP_PLAIN)

    found = verdict(watched(server, event))
    assert found.state == "not_ready"
    assert found.last_plaintext == "2026-11-18T12:00:00Z"


def test_counters_after_a_restart_count_no_old_logins_again() -> None:
    server = Server("users", tells=False)

    def event(at: dt.datetime) -> None:
        if at == NOW - dt.timedelta(days=40):
            server.visit(APP_PLAIN, 5)
        if at.day == 10 and at.hour == 0:
            server.restart()
        server.visit(APP_TLS)

    assert verdict(watched(server, event, 45)).state == "ready"


@pytest.mark.parametrize(("since_start", "state"), [(True, "ready"), (False, "unknown")])
def test_a_pool_that_connects_between_a_start_and_the_counting(since_start: bool, state: str) -> None:
    """Switched on by a statement after a restart, the server has not counted who was faster."""
    server = Server("users", tells=False)
    server.since_start = since_start

    def event(at: dt.datetime) -> None:
        if at == NOW - dt.timedelta(days=10):
            server.restart()
            server.login(APP_TLS if since_start else APP_PLAIN)
            if not since_start:
                server.flush()

    history = watched(server, event)
    found = verdict(history)
    assert found.state == state
    last = history.days["2026-11-28"].last
    assert last is not None
    assert bool(last.unproven("app")) != since_start


def test_a_flush_hides_who_logged_in_just_before() -> None:
    server = Server("users", tells=False)

    def event(at: dt.datetime) -> None:
        if at == NOW - dt.timedelta(days=10):
            server.login(APP_PLAIN)
            server.flush()

    assert verdict(watched(server, event)).state == "unknown"


def test_users_that_are_counted_as_one() -> None:
    """As MariaDB does with App and app: by the name of who came first, here over TLS."""
    server = Server("users", tells=False)

    def event(at: dt.datetime) -> None:
        server.visit(APP_TLS)
        if at == NOW - dt.timedelta(days=10):
            server.visit(APP_PLAIN)

    history = watched(server, event)
    found = verdict(history, user="App")
    assert (found.state, found.last_plaintext) == ("not_ready", "2026-11-18T12:00:00Z")
    last = history.days["2026-11-28"].last
    assert last is not None
    assert last.unproven("App") == last.unproven("app") > 0
    assert verdict(history, user="apps").state == "ready"


def test_a_load_balancer_shows_nobody_what_its_servers_did() -> None:
    """Every check meets another server than the one before, so that no logins can be compared."""
    servers = [Server("users", tells=False) for _number in range(2)]
    servers[1].identity = "two"
    history = History(servers[0])
    at = NOW - dt.timedelta(days=36)
    while at <= NOW:
        history.server = servers[at.hour % 2]
        history.server.visit(APP_PLAIN)
        history.look(at)
        at += dt.timedelta(hours=1)
    assert verdict(history).state == "unknown"


def test_logins_that_performance_schema_has_no_room_for() -> None:
    """What it had counted before says nothing of later."""
    server = Server("accounts")

    def event(at: dt.datetime) -> None:
        if at == NOW - dt.timedelta(days=10):
            server.counts = ()
        if at >= NOW - dt.timedelta(days=10):
            server.visit(APP_PLAIN)

    assert verdict(watched(server, event)).state == "unknown"


def test_another_user_does_not_count() -> None:
    server = Server("users", "accounts")
    server.login(("reports", "10.0.0.8", "TCP/IP"))
    history = watched(server)
    assert verdict(history).state == "ready"
    assert verdict(history, user="reports").state == "not_ready"
    # Anybody may be the anonymous user.
    assert verdict(history, user="").state == "not_ready"


def test_the_account_that_watches_is_judged_as_well() -> None:
    history = watched(Server("accounts"))
    assert verdict(history, user=MONITOR[0]).state == "ready"


def test_a_few_more_clients_are_counted_in_the_reason() -> None:
    server = Server("accounts")
    for number in range(4):
        server.login(("app", f"10.0.0.{number}", "TCP/IP"))
    assert verdict(watched(server)).reason.endswith(" 3 other clients without TLS.")
