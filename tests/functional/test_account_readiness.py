# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A day of passes over real servers with real clients, written as if it had passed: audit, plan and enforce by it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pymysql
import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import fleet_check
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Endpoint

from .database import Account, Database, Tls
from .plays import Ansible, Run
from .servers import Servers

EVERY = dt.timedelta(hours=6)
PASSES = 5

# What the clients of an account do:
POOL = "pool"  # stay connected with TLS, from the first pass on
OLDER = "older"  # the same, from before it
JOB = "job"  # log in with TLS now and then, for a moment
PLAIN = "plain"  # the same without TLS
SOCKET = "socket"  # stay connected over the Unix socket
IDLE = "idle"  # nothing

TELLS = {POOL: "ready", OLDER: "ready", JOB: "unknown", PLAIN: "unknown", SOCKET: "not_ready", IDLE: "ready"}
COUNTS = {POOL: "ready", OLDER: "unknown", JOB: "ready", PLAIN: "not_ready", SOCKET: "not_ready", IDLE: "ready"}
BOTH = {**COUNTS, OLDER: "ready"}
BLIND = {**dict.fromkeys(TELLS, "unknown"), SOCKET: "not_ready"}

# Three servers, each under one of its names.
ONCE = "mysql,tells-10.11-counts,blind-11.8-counts"

PERFORMANCE_SCHEMA = ("--performance-schema=ON",)


class Observed:
    """A server in the inventory, its clients, and what passes over it see."""

    def __init__(
        self, db: Database, *, counts: bool, states: dict[str, str], people: dict[str, Account] | None = None
    ) -> None:
        self.db, self.counts, self.states = db, counts, states
        self.members: list[str] = []
        self.login = people["login"] if people else db.administrator()
        self.apps = {kind: people[kind] if people else db.create(db.name_of(kind)) for kind in states}
        self._stay = ExitStack()

    def variables(self) -> dict[str, Any]:
        return {
            "ansible_host": self.db.server.host,
            "mysql_tls_login_port": self.db.server.port,
            "mysql_tls_login_user": self.login.user,
            "mysql_tls_login_password": self.login.password,
            "mysql_tls_ca_cert": str(self.db.pki.bundle),
            # Those of this server's other names are not its matter.
            "mysql_tls_accounts": [f"{app.user}@*" for app in self.apps.values()],
            "mysql_tls_members": self.members,
        }

    def connect(self, kind: str) -> None:
        self._stay.enter_context(self.db.login(self.apps[kind], Tls()))

    def day(self, name: str, now: dt.datetime) -> Iterator[tuple[dt.datetime, store.Pass]]:
        """The passes of a day, with clients between them."""
        options = {name: self.db.options(self.login, sessions_only=True)}
        if OLDER in self.apps:
            self.connect(OLDER)
        for number in range(PASSES):
            ((_name, result),) = fleet_check.run(fleet_check.Prepared(dict(options)), fleet_check.SESSIONS_JOB)
            seen = result["mysql_ssl_sessions"]
            yield now - (PASSES - 1 - number) * EVERY, store.Pass(name, str(Endpoint(**seen["endpoint"])), seen)
            if number == 0:
                self.connect(POOL)
            if number == 0 and SOCKET in self.apps:
                app = self.apps[SOCKET]
                socket = pymysql.connect(
                    unix_socket=self.db.server.socket, user=app.user, password=app.password, ssl_disabled=True
                )
                self._stay.callback(socket.close)
            for kind, tls in ((JOB, Tls()), (PLAIN, None)):
                if kind not in self.apps:
                    continue
                with self.db.login(self.apps[kind], tls):
                    pass
                # Otherwise the next pass may still see a session that was closed just before.
                self.db.wait_for_sessions_to_end(self.apps[kind].user)

    def leave(self, *_error: object) -> None:
        self._stay.close()


class Site:
    """Servers under names, with a day of observations, and playbooks on them."""

    def __init__(self, ansible: Ansible, observed: dict[str, Observed]) -> None:
        self._ansible = ansible
        self.observed = observed
        self.state = ansible.directory / "state"
        ansible.secrets += [one.login.password for one in observed.values()]
        common = {
            "mysql_tls_state_dir": str(self.state),
            "mysql_tls_quiet_days": 1,
            "mysql_tls_watch_every": int(EVERY / dt.timedelta(minutes=1)),
        }
        hosts = {name: one.variables() for name, one in observed.items()}
        self._inventory = ansible.directory / "databases.json"
        self._inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": common}}))

    def observe(self) -> None:
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        for name, one in self.observed.items():
            if one.counts:
                one.db.query("SET GLOBAL userstat = ON")
            for at, seen in one.day(name, now):
                store.record(self.state / store.DIRECTORY, [seen], at, keep_days=400)

    def run(self, playbook: str, *extra: str) -> Run:
        given = [argument for pair in extra for argument in (["-e", pair] if "=" in pair else [pair])]
        inventory = str(self._inventory)
        return self._ansible.run("ansible-playbook", "-i", inventory, f"dbtls.rds_mysql.{playbook}", *given)

    def report(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._ansible.directory / "mysql-tls-report" / name).read_text())
        return found


@pytest.fixture
def site(servers: Servers, ansible: Ansible) -> Iterator[Site]:
    maria = {name: servers.get(name) for name in ("mariadb-10.11", "mariadb-11.8")}
    telling = {name: servers.get(name, options=PERFORMANCE_SCHEMA) for name in maria}
    observed = {"mysql": Observed(servers.get("mysql-9.7"), counts=False, states=TELLS)}
    for counts in (False, True):
        for name, db in maria.items():
            suffix = f"{name[8:]}{'-counts' if counts else ''}"
            observed[f"blind-{suffix}"] = Observed(db, counts=counts, states=COUNTS if counts else BLIND)
            observed[f"tells-{suffix}"] = Observed(telling[name], counts=counts, states=BOTH if counts else TELLS)
    with ExitStack() as stack:
        for one in observed.values():
            stack.push(one.leave)
        for db in (*maria.values(), *telling.values()):
            stack.callback(db.query, "SET GLOBAL userstat = OFF")
        made = Site(ansible, observed)
        made.observe()
        yield made


def test_ready_accounts_alone_have_to_use_tls(site: Site) -> None:
    early = site.run("plan", "mysql_tls_only_ready=true")
    assert early.status == 2
    assert "has no observations and no audit of these servers" in " ".join(early.output.split())

    audited = site.run("audit").ok()
    report = site.report("report.json")
    names = {server["name"]: server["inventory_hostname"] for server in report["servers"]}
    judged = {(names[one["server"]], one["account"]): one for one in report["readiness"]}
    for name, one in site.observed.items():
        found = {kind: judged[name, f"{app.user}@%"] for kind, app in one.apps.items()}
        assert {kind: each["state"] for kind, each in found.items()} == one.states, (name, found)
    assert f"Readiness: {report['summary']['readiness']['ready']} accounts ready for TLS" in audited.output
    plain = judged["blind-11.8-counts", f"{site.observed['blind-11.8-counts'].apps[PLAIN].user}@%"]
    assert "The server counted 5 logins" in plain["reason"] or "The server counted 4 logins" in plain["reason"]

    # Each server once. That the one that counts does not tell how sessions are connected needs no opt-out.
    site.run("plan", "mysql_tls_only_ready=true", "--limit", ONCE).ok()
    plan = site.report("plan.json")
    for server in plan["servers"]:
        one = site.observed[server["name"]]
        assert {a["user"] for a in server["plan"]["accounts"]} == {app.user for app in of_state(one, "ready")}
        assert {a["state"] for a in server["readiness"] if a["account"] not in server["left_out"]} == {"ready"}
    assert plan["totals"]["left_out"] == sum(len(server["left_out"]) for server in plan["servers"]) == 8
    # One without TLS since the last pass, which the server has counted.
    counting = site.observed["blind-10.11-counts"]
    with counting.db.login(counting.apps[POOL], None):
        refused = site.run("enforce", "mysql_tls_only_ready=true", "--limit", "blind-10.11-counts")
    assert refused.status == 2
    assert "does not expose session TLS status" in " ".join(refused.output.split())
    assert {counting.db.ssl_type(app) for app in counting.apps.values()} == {""}
    done = site.run("enforce", "mysql_tls_only_ready=true", "--limit", ONCE).ok()
    assert "3 servers: 3 changed" in done.output
    for name in ONCE.split(","):
        one = site.observed[name]
        assert {one.db.ssl_type(app) for app in of_state(one, "ready")} == {"ANY"}
        others = [app for kind, app in one.apps.items() if one.states[kind] != "ready"]
        assert {one.db.ssl_type(app) for app in others} == {""}
        assert all(f"{app.user}@% is " in done.output for app in others)


def of_state(one: Observed, state: str) -> list[Account]:
    return [app for kind, app in one.apps.items() if one.states[kind] == state]


def test_a_member_that_counts_logins(servers: Servers, ansible: Ansible) -> None:
    """The change arrives there, too, and its sessions do not show whether they use TLS."""
    here, there = (servers.get("mariadb-11.8", options=options) for options in (PERFORMANCE_SCHEMA, ()))
    people = {
        "login": Account("member_root", "127.0.0.1", "pw-of-both!"),
        POOL: Account("member_pool", "%", "pw-of-both!"),
    }
    for db in (here, there):
        for account in people.values():
            db.query("CREATE USER %s@%s IDENTIFIED BY %s", account.user, account.host, account.password)
            db.adopt(account.user, account.host)
        db.query("GRANT ALL ON *.* TO %s@%s WITH GRANT OPTION", people["login"].user, people["login"].host)
    one, other = (Observed(db, counts=db is there, states={POOL: "ready"}, people=people) for db in (here, there))
    one.members = [f"{there.server.host}:{there.server.port}"]
    with ExitStack() as stack:
        stack.push(one.leave)
        stack.push(other.leave)
        stack.callback(there.query, "SET GLOBAL userstat = OFF")
        site = Site(ansible, {"here": one, "there": other})
        site.observe()
        refused = site.run("enforce", "--limit", "here")
        assert refused.status == 2
        assert "does not expose session TLS status" in " ".join(refused.output.split())
        assert here.ssl_type(people[POOL]) == ""
        site.run("audit").ok()
        site.run("enforce", "--limit", "here").ok()
        assert here.ssl_type(people[POOL]) == "ANY"
