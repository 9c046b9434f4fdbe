# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An endpoint that leads to one server and then to another, and statements that take effect after they were given up.

What the task says, what its rollback record says, and what both servers really have are compared each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.servers import fault_proxy as fp
from tests.servers.balancers import haproxy, mysql_router
from tests.servers.fault_proxy import Fault, FaultProxy, To
from tests.servers.splitting_proxy import SplittingProxy

from .database import Account, Database
from .result import Result
from .runner import Modules
from .servers import Servers

_SECONDS = 2
_NOTHING = "Nothing was changed."

FAMILIES = ("mysql-9.7", "mariadb-11.8")


@dataclass
class Endpoint:
    """Two servers with the same accounts behind one address. A run's first connections lead to ``one``.

    :ivar first: How many of them.
    """

    one: Database
    two: Database
    me: Account
    app: Account
    proxy: FaultProxy
    file: Path
    first: int = 1

    def address(self, number: int) -> tuple[str, int]:
        server = (self.one if number < self.first else self.two).server
        return server.host, server.port

    def require(self, modules: Modules, **more: Any) -> Result:
        """Run the module through the endpoint."""
        options: dict[str, Any] = {"connect_timeout": _SECONDS, "login_port": self.proxy.port}
        if "restore_file" not in more:
            options.update(accounts=[self.app.user], rollback_file=str(self.file))
        return modules.require(**self.one.options(self.me, **{**options, **more}))

    def truth(self) -> tuple[str, str]:
        """What the application's account requires on both servers."""
        return self.one.ssl_type(self.app), self.two.ssl_type(self.app)

    def states(self) -> list[str]:
        """Of the changes in the rollback file."""
        if not self.file.exists():
            return []
        return [change["state"] for change in json.loads(self.file.read_text())["changes"]]


def _on_both(one: Database, two: Database, stem: str, grants: str | None = None) -> Account:
    account = one.create(one.name_of(stem), "127.0.0.1", grants=grants)
    two.query("CREATE USER %s@%s IDENTIFIED BY %s", account.user, account.host, account.password)
    two.adopt(account.user, account.host)
    if grants:
        two.query(f"GRANT {grants} TO %s@%s WITH GRANT OPTION", account.user, account.host)
    return account


@pytest.fixture(params=FAMILIES)
def endpoint(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Iterator[Endpoint]:
    """Two real servers of one family."""
    one, two = servers.get(request.param), servers.get(request.param, options=("--max-connections=101",))
    certificate, upstream = one.pki.server(), one.client_context()
    with FaultProxy((one.server.host, one.server.port), certificate=certificate, upstream=upstream) as proxy:
        me, app = _on_both(one, two, "adm", "ALL PRIVILEGES ON *.*"), _on_both(one, two, "app")
        made = Endpoint(one, two, me, app, proxy, tmp_path / "rollback.json")
        proxy.server = made.address
        yield made


def unknown(said: Result) -> None:
    """The task does not claim to know what it cannot know."""
    assert said.failed
    assert said["state_unknown"]
    assert said["changed"]
    assert not said["rolled_back"]
    assert not said["verified"]
    assert _NOTHING not in said.msg
    for statement in (*said["check_statements"], *said["rollback_statements"]):
        assert statement in said.msg


def test_connection_breaks_after_the_change(endpoint: Endpoint, modules: Modules) -> None:
    """The first server has carried out the change, and whoever looks now looks at the other one."""
    endpoint.proxy.arm(Fault(To("ALTER USER"), fp.CUT_BEFORE))
    said = endpoint.require(modules)
    assert endpoint.proxy.fired()
    assert endpoint.truth() == ("ANY", "")
    unknown(said)
    assert "another server" in said.msg
    assert endpoint.states() == ["begun"]
    for statement in said["rollback_statements"]:
        endpoint.one.query(statement.replace("%", "%%"))
    assert endpoint.truth() == ("", "")


def test_connection_breaks_after_the_change_and_the_server_comes_back(endpoint: Endpoint, modules: Modules) -> None:
    """The endpoint alternates: what is restored is restored on the server that was changed."""
    ports = [endpoint.one.server.port, endpoint.two.server.port, endpoint.two.server.port]
    endpoint.proxy.server = lambda number: ("127.0.0.1", ports[number % 3])
    endpoint.proxy.arm(Fault(To("ALTER USER"), fp.CUT_BEFORE))
    said = endpoint.require(modules, connect_timeout=5)
    assert endpoint.proxy.fired()
    assert said.failed
    assert said["rolled_back"]
    assert not said["changed"]
    assert endpoint.truth() == ("", "")
    assert endpoint.states() == ["undone"]


def test_stand_by_on_the_other_server(endpoint: Endpoint, modules: Modules) -> None:
    """A session that could not put anything back is none to stand by."""
    endpoint.proxy.arm()
    said = endpoint.require(modules, accounts=[endpoint.me.user, endpoint.app.user])
    assert said.failed
    assert "another server" in said.msg
    assert _NOTHING in said.msg
    assert endpoint.truth() == ("", "")
    assert (endpoint.one.ssl_type(endpoint.me), endpoint.two.ssl_type(endpoint.me)) == ("", "")
    assert not any(statement.startswith("ALTER") for statement in endpoint.proxy.statements())
    assert endpoint.states() == []


@pytest.mark.parametrize("first", [1, 2, 3])
def test_proof_on_the_other_server(endpoint: Endpoint, modules: Modules, first: int) -> None:
    """There the account has the requirement already, so that it would be proven for the wrong server.

    The first login after that of the control session is made before the change, those after it to prove the change.
    """
    endpoint.two.require(endpoint.app.user, endpoint.app.host, "SSL")
    endpoint.first = first
    endpoint.proxy.arm()
    said = endpoint.require(modules, verify=[{"user": endpoint.app.user, "password": endpoint.app.password}])
    assert said.failed
    assert "another server" in said.msg
    assert not said.values.get("verified")
    assert not said.values.get("changed")
    assert endpoint.truth() == ("", "ANY")
    if first == 1:
        assert _NOTHING in said.msg
        assert endpoint.states() == []
    else:
        assert said["rolled_back"]
        assert endpoint.states() == ["undone"]


def test_proof_on_the_other_server_with_nothing_to_change(endpoint: Endpoint, modules: Modules) -> None:
    """The first has the requirement, the other one has not."""
    endpoint.one.require(endpoint.app.user, endpoint.app.host, "SSL")
    endpoint.proxy.arm()
    said = endpoint.require(modules, verify=[{"user": endpoint.app.user, "password": endpoint.app.password}])
    assert said.failed
    assert "another server" in said.msg
    assert _NOTHING in said.msg
    assert endpoint.truth() == ("ANY", "")
    assert endpoint.states() == []


# Restoring


def _changed_on_the_first(endpoint: Endpoint, modules: Modules) -> None:
    endpoint.first = 99
    endpoint.proxy.arm()
    assert endpoint.require(modules).ok()["changed"]
    assert endpoint.truth() == ("ANY", "")
    assert endpoint.states() == ["made"]


def test_restoring_leads_to_the_other_server(endpoint: Endpoint, modules: Modules) -> None:
    _changed_on_the_first(endpoint, modules)
    endpoint.first = 0
    endpoint.proxy.arm()
    said = endpoint.require(modules, restore_file=str(endpoint.file))
    assert said.failed
    assert _NOTHING in said.msg
    assert str(endpoint.one.server.datadir) in said.msg
    assert str(endpoint.two.server.datadir) in said.msg
    assert endpoint.truth() == ("ANY", "")
    assert endpoint.states() == ["made"]
    endpoint.first = 99
    endpoint.proxy.arm()
    assert endpoint.require(modules, restore_file=str(endpoint.file)).ok()["verified"]
    assert endpoint.truth() == ("", "")
    assert endpoint.states() == ["restored"]


def test_restoring_what_was_not_concluded(endpoint: Endpoint, modules: Modules) -> None:
    """The record of a change that is not known to have been made is about the first server alone, too."""
    endpoint.proxy.arm(Fault(To("ALTER USER"), fp.CUT_BEFORE))
    unknown(endpoint.require(modules))
    endpoint.first = 0
    endpoint.proxy.arm()
    said = endpoint.require(modules, restore_file=str(endpoint.file))
    assert said.failed
    assert _NOTHING in said.msg
    assert endpoint.states() == ["begun"]
    endpoint.first = 99
    endpoint.proxy.arm()
    assert endpoint.require(modules, restore_file=str(endpoint.file)).ok()["changed"]
    assert endpoint.truth() == ("", "")
    assert endpoint.states() == ["restored"]


def test_restoring_on_another_server_that_has_the_same_requirement(endpoint: Endpoint, modules: Modules) -> None:
    """Restored there or not: the record says nothing about the first server that is not so, and restores it later."""
    _changed_on_the_first(endpoint, modules)
    endpoint.two.require(endpoint.app.user, endpoint.app.host, "SSL")
    endpoint.first = 0
    endpoint.proxy.arm()
    endpoint.require(modules, restore_file=str(endpoint.file))
    assert endpoint.truth()[0] == "ANY"
    assert endpoint.states() == ["made"]
    endpoint.first = 99
    endpoint.proxy.arm()
    assert endpoint.require(modules, restore_file=str(endpoint.file)).ok()["changed"]
    assert endpoint.truth()[0] == ""


@pytest.mark.parametrize("which", ["last", "all"])
def test_restoring_changes_of_two_servers(endpoint: Endpoint, modules: Modules, which: str) -> None:
    """The newest change is the first server's; on the other one an older one must not be taken for it."""
    endpoint.first = 0
    endpoint.proxy.arm()
    assert endpoint.require(modules).ok()["changed"]
    assert endpoint.truth() == ("", "ANY")
    # What the first server had is what the other one has now.
    endpoint.one.require(endpoint.app.user, endpoint.app.host, "SSL")
    endpoint.first = 1
    endpoint.proxy.arm(Fault(To("ALTER USER"), fp.CUT_BEFORE))
    unknown(endpoint.require(modules, ssl_type="x509", exact=True))
    assert endpoint.states() == ["made", "begun"]
    endpoint.first = 0
    endpoint.proxy.arm()
    said = endpoint.require(modules, restore_file=str(endpoint.file), restore=which)
    assert endpoint.truth()[0] == "X509"
    assert endpoint.states()[1] == "begun"
    if which == "last":
        assert said.failed
        assert endpoint.truth()[1] == "ANY"
        assert endpoint.states()[0] == "made"


# Carried out late


@contextmanager
def _backup(db: Database) -> Iterator[None]:
    """Somebody holds the lock that changes of accounts wait for."""
    db.query("FLUSH TABLES WITH READ LOCK")
    try:
        yield
    finally:
        db.query("UNLOCK TABLES")


def gone_or_unknown(endpoint: Endpoint, said: Result) -> None:
    """After the lock is gone, and everything that waited for it."""
    for db in (endpoint.one, endpoint.two):
        db.wait_for_sessions_to_end(endpoint.me.user)
    assert said.failed
    assert not said["verified"]
    if said.values.get("state_unknown"):
        unknown(said)
        assert endpoint.states() == ["begun"]
        return
    assert not said["changed"]
    assert endpoint.truth()[0] == ""
    assert endpoint.states() == ["undone"]


@pytest.mark.parametrize("number", [0, 1, 4_000_000_000])
def test_waits_for_a_lock_behind_a_number_of_the_proxy(endpoint: Endpoint, modules: Modules, number: int) -> None:
    """The greeting's number is nobody's, or somebody else's, so that it ends nothing or the wrong session."""
    endpoint.first = 99
    endpoint.proxy.number = number
    endpoint.proxy.arm()
    with _backup(endpoint.one):
        said = endpoint.require(modules)
    gone_or_unknown(endpoint, said)
    assert said.values.get("state_unknown") is None, "the statement could be seen, and ended"


def test_answers_late_while_waiting_for_a_lock(endpoint: Endpoint, modules: Modules) -> None:
    """An uptime that comes 3.9 seconds late is no restart, after which nothing would have to be ended."""
    endpoint.first = 99

    def slow_down() -> None:
        endpoint.proxy.late = ("Uptime", 3.9)

    endpoint.proxy.arm(Fault(To("ALTER USER", fp.REQUEST), fp.ACT, action=slow_down))
    with _backup(endpoint.one):
        said = endpoint.require(modules, connect_timeout=5)
    gone_or_unknown(endpoint, said)
    assert said.values.get("state_unknown") is None


@pytest.mark.parametrize("number", [None, 0])
def test_kept_by_the_proxy_and_carried_out_later(endpoint: Endpoint, modules: Modules, number: int | None) -> None:
    """The statement has not even reached the server when it is given up."""
    endpoint.first = 99
    endpoint.proxy.number = number
    endpoint.proxy.arm(Fault(To("ALTER USER", fp.REQUEST), fp.LATE))
    said = endpoint.require(modules)
    assert endpoint.proxy.fired()
    endpoint.proxy.heal()
    endpoint.proxy.arm()
    gone_or_unknown(endpoint, said)


# Real parts


@pytest.mark.parametrize("turned", [False, True])
def test_haproxy_round_robin(endpoint: Endpoint, modules: Modules, turned: bool) -> None:
    """Each login leads to another server than the one before it."""
    ports = [endpoint.one.server.port, endpoint.two.server.port]
    with haproxy(ports[::-1] if turned else ports) as port:
        said = endpoint.require(modules, login_port=port)
    _neither_is_changed(endpoint, said)


def test_haproxy_hangs_up_while_the_change_waits_for_a_lock(endpoint: Endpoint, modules: Modules) -> None:
    """The server waits on, and whoever logs in next gets to the other one."""
    with haproxy([endpoint.one.server.port, endpoint.two.server.port], timeout=1) as port:
        with _backup(endpoint.one):
            said = endpoint.require(modules, login_port=port, connect_timeout=5)
        gone_or_unknown(endpoint, said)
    assert endpoint.truth() == ("", "")
    assert said.values.get("state_unknown") is None


@pytest.mark.parametrize("endpoint", ["mysql-9.7"], indirect=True)
def test_router_round_robin(endpoint: Endpoint, modules: Modules) -> None:
    with mysql_router([endpoint.one.server.port, endpoint.two.server.port], endpoint.one.pki.server()) as port:
        said = endpoint.require(modules, login_port=port)
    _neither_is_changed(endpoint, said)


@pytest.mark.parametrize("endpoint", ["mysql-9.7"], indirect=True)
def test_waits_for_a_lock_behind_router(endpoint: Endpoint, modules: Modules) -> None:
    """Router greets with the connection number 0."""
    with mysql_router([endpoint.one.server.port], endpoint.one.pki.server()) as port:
        assert endpoint.require(modules, login_port=port, ssl_type="x509").ok()["verified"]
        assert endpoint.require(modules, login_port=port, restore_file=str(endpoint.file)).ok()["verified"]
        endpoint.file.unlink()
        with _backup(endpoint.one):
            said = endpoint.require(modules, login_port=port)
        gone_or_unknown(endpoint, said)
    assert said.values.get("state_unknown") is None


def _neither_is_changed(endpoint: Endpoint, said: Result) -> None:
    assert said.failed
    assert "another server" in said.msg
    assert said["rolled_back"]
    assert not said["changed"]
    assert not said["verified"]
    assert endpoint.truth() == ("", "")
    assert endpoint.states() == ["undone"]


# Reads here, writes there


@pytest.mark.parametrize("reads", ["SELECT", "SELECT|SHOW"])
def test_proxy_that_separates_reads_from_writes(endpoint: Endpoint, modules: Modules, reads: str) -> None:
    """What is read is never what was written."""
    one, two, me = endpoint.one, endpoint.two, endpoint.me

    def connect(port: int) -> Any:
        return pymysql.connect(
            host="127.0.0.1",
            port=port,
            user=me.user,
            password=me.password,
            ssl=one.client_context(),
            charset="utf8mb4",
            autocommit=True,
        )

    greeting = one.server.greeting
    assert greeting
    with SplittingProxy(one.server.port, two.server.port, reads, greeting.version, one.pki.server(), connect) as proxy:
        said = endpoint.require(modules, login_port=proxy.port)
    assert said.failed
    assert endpoint.truth() == ("", ""), said.msg
    assert _NOTHING in said.msg
    assert "several servers" in said.msg
    assert endpoint.states() == []
    assert not any(text.startswith("ALTER") for text in proxy.written)


# Renamed


def test_renamed_between_the_change_and_the_look(endpoint: Endpoint, modules: Modules) -> None:
    """Under its new name the account has the new requirement, and nobody says that nothing was changed."""
    one, app = endpoint.one, endpoint.app
    new = f"{app.user}_new"

    def rename() -> None:
        one.query("RENAME USER %s@%s TO %s@%s", app.user, app.host, new, app.host)
        one.forget(app.user, app.host)
        one.adopt(new, app.host)

    endpoint.first = 99
    endpoint.proxy.arm(Fault(To("ALTER USER"), fp.ACT, action=rename))
    said = endpoint.require(modules)
    assert endpoint.proxy.fired()
    assert one.requirement(new, app.host)[0] == "ANY"
    assert said.failed
    assert said["state_unknown"]
    assert said["changed"]
    assert not said["rolled_back"]
    assert app.user in said.msg
    assert "renamed" in said.msg
    assert f" {_NOTHING}" not in said.msg.replace("Of the other accounts nothing was changed.", "")
    assert said["check_statements"]
    assert endpoint.states() == ["begun"]
