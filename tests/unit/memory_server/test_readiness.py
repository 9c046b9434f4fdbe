# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was observed of accounts decides for which of them TLS is required."""

from __future__ import annotations

import typing as t

import pytest

from . import core, model
from .clock import Clock
from .model import Entry
from .network import Network
from .server import MemoryServer

APP, JOB, NEW = ("app", "%"), ("job", "%"), ("new", "%")
LOGIN = {"login_user": "admin", "login_password": "one", "ssl_mode": "required", "method": "alter_user"}
READY, NOT_READY = (
    {"account": f"{user}@%", "state": s, "reason": "Seen."} for user, s in (("app", "ready"), ("job", "not_ready"))
)
ADMIN = {"account": "admin@%", "state": "ready", "reason": "It is us."}


@pytest.fixture(name="server")
def _server() -> MemoryServer:
    server = MemoryServer(Clock(), "mysql-8.0")
    server.somebody("create", ("admin", "%"), Entry(plugin="caching_sha2_password", password="one", grants=model.ALL))
    for key in (APP, JOB, NEW):
        server.somebody("create", key, Entry(plugin="caching_sha2_password", password="two"))
    return server


def run(server: MemoryServer, *, check: bool = False, **params: t.Any) -> dict[str, t.Any]:
    with core.at_work_on(Network(server.clock, server)):
        return core.run({**LOGIN, "only_ready": True, **params}, check)


def required(server: MemoryServer) -> set[str]:
    return {user for (user, _host), entry in server.accounts.memory.items() if entry.requirement[0] != "NONE"}


def test_the_others_stay_and_are_listed(server: MemoryServer) -> None:
    done = run(server, accounts=["app", "job", "new"], readiness=[READY, NOT_READY])
    assert required(server) == {"app"}
    assert done["left_out"] == [{"user": user, "host": "%", "reason": "not_ready"} for user in ("job", "new")]
    (warning,) = [text for text in done["warnings"] if "(only_ready)" in text]
    assert "job@% is not_ready: Seen; new@% is unknown: The last audit did not find this account." in warning
    # It is about what is added, and what was recorded is restored whatever was observed since.
    run(server, accounts=["app"], readiness=[NOT_READY], ssl_type="none")
    assert required(server) == set()


def test_without_anything_observed_nothing_is_done(server: MemoryServer) -> None:
    with pytest.raises(core.errors.RdsMysqlError, match="only_ready: nothing is known about the clients"):
        run(server, accounts=["app"])
    done = run(server, accounts=["app"], readiness=[])
    assert not done["changed"]
    assert required(server) == set()


def test_an_account_that_is_judged_twice(server: MemoryServer) -> None:
    with pytest.raises(core.errors.RdsMysqlError, match="readiness: 'app@%' is there twice"):
        run(server, accounts=["app"], readiness=[{**READY, "state": "unknown"}, READY])
    assert required(server) == set()


def test_a_planned_account_that_is_not_ready_any_more(server: MemoryServer) -> None:
    plan = run(server, check=True, accounts=["app", "job"], readiness=[READY, {**NOT_READY, "state": "ready"}])["plan"]
    with pytest.raises(
        core.errors.RdsMysqlError, match=r"changed since the plan: job@% is not_ready: Seen\."
    ) as raised:
        run(server, plan=plan, readiness=[READY, NOT_READY])
    assert raised.value.details["reason"] == "changed_since_plan"
    assert required(server) == set()


def test_the_switch_is_about_every_account(server: MemoryServer) -> None:
    judged = [READY, ADMIN, {**READY, "account": "new@%"}]
    with pytest.raises(core.errors.RdsMysqlError, match=r"accounts of .* not ready \(only_ready\): job@% is not_ready"):
        run(server, accounts=["app"], require_secure_transport=True, readiness=[*judged, NOT_READY])
    assert required(server) == set()
    run(server, require_secure_transport=True, readiness=[*judged, {**NOT_READY, "state": "ready"}])
    assert server.variables["require_secure_transport"] == "ON"


class Counting(t.NamedTuple):
    """A server that counts logins and does not tell how sessions are connected, with a client over TLS."""

    server: MemoryServer
    counted: dict[str, t.Any]

    def require(self, *more: dict[str, t.Any], **counted: t.Any) -> dict[str, t.Any]:
        """Require TLS of the client's account, by what was counted, and by what ``more`` servers have."""
        found = [{**self.counted, **counted}] if self.counted else None
        judged = {**READY, "counted": [*(found or ()), *more] if found else None}
        return run(self.server, accounts=["app"], readiness=[judged], only_ready=False, method="auto")


@pytest.fixture(name="counting")
def _counting() -> Counting:
    server = MemoryServer(Clock(), "mariadb-11.8")
    server.variables["userstat"] = "ON"
    for user, grants in (("admin", model.ALL), ("app", frozenset())):
        password = "one" if user == "admin" else "two"
        server.somebody("create", (user, "%"), Entry(plugin="mysql_native_password", password=password, grants=grants))
    server.connect_client(APP, "10.0.0.7:1000", "SSL/TLS")
    with core.at_work_on(Network(server.clock, server)):
        planned = core.run({**LOGIN, "accounts": ["app"], "method": "auto", "plaintext_sessions": "allow"}, True)
    identity = planned["plan"]["identity"]
    where = " ".join(identity[name] for name in ("server_id", "datadir", "port"))
    return Counting(server, {"server": where, "since": 1, "logins": 1, "plaintext": 0})


def test_what_the_server_counts_answers_the_guard(counting: Counting) -> None:
    member = {**counting.counted, "server": "3 /data/ 3306", "plaintext": 9}
    done = counting.require(member)
    assert done["plaintext_sessions"] == []
    assert required(counting.server) == {"app"}


def test_what_the_server_counts_answers_the_guard_of_the_switch(counting: Counting) -> None:
    """The switch is about everybody: one more user who is connected, and the server does not tell how."""
    judged = {**READY, "counted": [counting.counted]}
    server = counting.server
    server.somebody("create", JOB, Entry(plugin="mysql_native_password", password="two"))
    server.connect_client(JOB, "10.0.0.9:1000", "TCP/IP")
    with pytest.raises(core.errors.RdsMysqlError, match=r"clients are connected: job from 10\.0\.0\.9 \(connection"):
        run(server, require_secure_transport=True, readiness=[judged], only_ready=False, method="auto")
    server.end(next(one for one in server.sessions.values() if one.user == "job"))
    run(server, require_secure_transport=True, readiness=[judged], only_ready=False, method="auto")
    assert server.variables["require_secure_transport"] == "ON"


@pytest.mark.parametrize(
    "event",
    [
        "another_login",
        "another_case",
        "older",
        "another_server",
        "counted_less",
        "not_counting",
        "not_judged",
        "looks_the_same",
    ],
)
def test_what_was_counted_and_does_not_count(counting: Counting, event: str) -> None:
    server, counted, more = counting.server, dict[str, t.Any](), list[dict[str, t.Any]]()
    if event == "another_login":
        server.connect_client(APP, "10.0.0.8:1000", "TCP/IP")
    elif event == "another_case":  # counted as one
        counted.update(logins=0)
        server.connect_client(APP, "10.0.0.8:1000", "TCP/IP")
        server.counted["APP"] = server.counted.pop("app")
    elif event == "older":
        counted["since"] = 1000
    elif event == "another_server":
        counted["server"] = "2 /data/ 3306"
    elif event == "counted_less":  # it was flushed since
        counted["logins"] = 7
    elif event == "not_counting":
        server.variables["userstat"] = "OFF"
    elif event == "not_judged":
        counting.counted.clear()
    elif event == "looks_the_same":  # as another one, by what tells servers apart
        more.append(counting.counted)
    with pytest.raises(core.errors.RdsMysqlError, match="does not expose session TLS status"):
        counting.require(*more, **counted)
    assert required(server) == set()
