# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_ssl_status with sessions_only: who is connected, and that servers' counters count what they are taken for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pymysql
import pytest

from .database import REFUSED, Account, Database, Tls
from .launcher import Launcher
from .runner import Modules
from .servers import Servers


@pytest.fixture
def modules(tmp_path: Path, launcher: Launcher) -> Modules:
    """As modules only: each check is a login more, so that two ways cannot return the same."""
    return Modules(tmp_path, launcher)


_COUNTED = ("logins", "tls", "refused")


@contextmanager
def socket_login(db: Database, account: Account) -> Iterator[None]:
    connection = pymysql.connect(
        unix_socket=db.server.socket, user=account.user, password=account.password, ssl_disabled=True
    )
    try:
        yield
    finally:
        connection.close()


def refused(db: Database, account: Account, *, password: str | None = None) -> int:
    """The number of the error that a login without TLS gets."""
    with pytest.raises(pymysql.err.OperationalError) as raised, db.login(account, None, password=password):
        pass
    return int(raised.value.args[0])


class Reader:
    """An account that looks as a monitoring job does."""

    def __init__(self, modules: Modules, db: Database) -> None:
        self._modules = modules
        self._options = db.options(db.administrator(), sessions_only=True)

    def look(self) -> dict[str, Any]:
        seen: dict[str, Any] = self._modules.status(**self._options).ok()["mysql_ssl_sessions"]
        return seen

    def count(self, kind: str, **of: str) -> tuple[Any, ...]:
        """Logins, those with TLS and refused ones; zeros where the server has nothing of it."""
        counters = self.look()["counters"][kind]
        found = [one for one in counters if all(one[name] == value for name, value in of.items())]
        return tuple(
            sum(one[name] for one in found) if found and found[0][name] is not None else 0 for name in _COUNTED
        )

    def until(self, wanted: tuple[int, ...], kind: str, **of: str) -> None:
        """A server counts a client's logins when it has noticed that it is gone."""
        deadline = time.monotonic() + 60
        while (found := self.count(kind, **of)) != wanted:
            assert time.monotonic() < deadline, f"{found} instead of {wanted}"
            time.sleep(0.05)


@pytest.fixture(params=["mysql-9.7", "mariadb-10.11", "mariadb-11.8"])
def counting(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Database]:
    """A server that counts what it can: MariaDB with userstat and without performance_schema."""
    db = servers.get(request.param)
    if db.mariadb:
        db.query("SET GLOBAL userstat = ON")
    yield db
    if db.mariadb:
        db.query("SET GLOBAL userstat = OFF")


def test_clients_are_told_apart(new_db: Database, modules: Modules) -> None:
    reader, app = Reader(modules, new_db), new_db.create(new_db.name_of("app"))
    with ExitStack() as stack:
        stack.enter_context(new_db.login(app, None))
        stack.enter_context(new_db.login(app, None))
        stack.enter_context(new_db.login(app, Tls()))
        stack.enter_context(socket_login(new_db, app))
        seen = reader.look()
    driver = f"pymysql {version('PyMySQL')}"
    found = [
        (client["host"], client["transport"], client["driver"], len(client["connection_ids"]))
        for client in seen["clients"]
        if client["user"] == app.user
    ]
    assert found == [
        ("127.0.0.1", "SSL/TLS", driver, 1),
        ("127.0.0.1", "TCP/IP", driver, 2),
        ("localhost", "Socket", driver, 1),
    ]
    assert seen["source"] == "performance_schema.threads"
    assert all(number < seen["connection_id"] for client in seen["clients"] for number in client["connection_ids"])


def test_a_login_that_may_see_nobody_else(new_db: Database, modules: Modules) -> None:
    nobody = new_db.create(new_db.name_of("nobody"))
    seen = modules.status(**new_db.options(nobody, sessions_only=True)).ok()["mysql_ssl_sessions"]
    assert seen["source"] is None
    assert seen["clients"] == []
    assert seen["counters"] == {"users": None, "hosts": None, "accounts": None}


def test_clients_that_performance_schema_has_lost(servers: Servers, modules: Modules) -> None:
    """How they are connected is unknown: that they are is not."""
    lossy = ("--performance-schema=ON", "--performance-schema-max-thread-instances=45")
    db = servers.get("mysql-9.7", options=lossy)
    app, shown = db.create(db.name_of("app")), "SELECT 1 FROM performance_schema.threads WHERE PROCESSLIST_ID = %s"
    with ExitStack() as stack:
        numbers: list[int] = []
        while not numbers or db.query(shown, numbers[-1]):
            assert len(numbers) < 60
            numbers.append(stack.enter_context(db.login(app, None)).thread_id())
        clients = Reader(modules, db).look()["clients"]
    unknown = [one["connection_ids"] for one in clients if (one["user"], one["transport"]) == (app.user, None)]
    assert unknown == [numbers[-1:]]


def test_without_performance_schema_the_process_list_has_the_clients(servers: Servers, modules: Modules) -> None:
    db = servers.get("mariadb-11.8")
    app = db.create(db.name_of("app"))
    with db.login(app, None), socket_login(db, app):
        seen = Reader(modules, db).look()
    assert seen["source"] == "information_schema.processlist"
    assert [(one["host"], one["transport"]) for one in seen["clients"] if one["user"] == app.user] == [
        ("127.0.0.1", None),
        ("localhost", "Socket"),
    ]
    assert seen["counters"] == {"users": None, "hosts": None, "accounts": None}


def test_counters_count_tls_plaintext_and_socket_logins(counting: Database, modules: Modules) -> None:
    db, reader = counting, Reader(modules, counting)
    app = db.create(db.name_of("app"))
    with db.login(app, None), db.login(app, None), db.login(app, Tls()), socket_login(db, app):
        pass
    if db.mariadb:
        reader.until((4, 1, 0), "users", user=app.user)
    else:
        reader.until((3, 0, 0), "accounts", user=app.user, host="127.0.0.1")
        reader.until((1, 0, 0), "accounts", user=app.user, host="localhost")
    assert refused(db, app, password="wrong") in REFUSED
    db.require(app.user, app.host, "SSL")
    assert refused(db, app) in REFUSED
    with pytest.raises(pymysql.err.OperationalError), socket_login(db, app):
        pass
    if db.mariadb:
        reader.until((4, 1, 3), "users", user=app.user)
    else:
        # MySQL counts a refused login as a connection too.
        reader.until((5, 0, 2), "accounts", user=app.user, host="127.0.0.1")
        reader.until((2, 0, 1), "accounts", user=app.user, host="localhost")


def test_refused_logins_of_a_user_that_never_got_in(counting: Database, modules: Modules) -> None:
    db, reader = counting, Reader(modules, counting)
    app = db.create(db.name_of("app"), require="SSL")
    before = reader.count("hosts", host="127.0.0.1") if db.mariadb else ()
    assert refused(db, app) in REFUSED
    if db.mariadb:
        # USER_STATISTICS has a row only of who has got in since it was switched on; the client's has it counted.
        assert reader.count("users", user=app.user) == (0, 0, 0)
        assert reader.count("hosts", host="127.0.0.1")[2] == before[2] + 1
    else:
        reader.until((1, 0, 1), "accounts", user=app.user)


def test_refused_by_the_switch(counting: Database, modules: Modules) -> None:
    db, reader = counting, Reader(modules, counting)
    app = db.create(db.name_of("app"))
    with db.login(app, Tls()):
        pass
    before = reader.count("hosts", host="127.0.0.1") if db.mariadb else ()
    db.query("SET GLOBAL require_secure_transport = ON")
    try:
        code = refused(db, app)
    finally:
        db.query("SET GLOBAL require_secure_transport = OFF")
    if db.mariadb:
        # 11.8 refuses before it knows the user, and counts for the client alone.
        assert code == (3159 if db.name == "mariadb-11.8" else 1045)
        assert reader.count("users", user=app.user) == (1, 1, 0 if code == 3159 else 1)
        assert reader.count("hosts", host="127.0.0.1")[2] == before[2] + 1
    else:
        assert code == 3159
        reader.until((2, 0, 1), "accounts", user=app.user)


def test_users_whose_names_differ_in_case_are_counted_as_one(servers: Servers, modules: Modules) -> None:
    """By the name of the first; and what is counted by a statement may not be counted since the start."""
    db = servers.get("mariadb-11.8")
    app = db.create(db.name_of("app"))
    capital = db.create(app.user.upper())
    db.query("SET GLOBAL userstat = ON")
    try:
        reader = Reader(modules, db)
        with db.login(app, Tls()), db.login(capital, None):
            pass
        assert reader.count("users", user=app.user) == (2, 1, 0)
        assert reader.count("users", user=capital.user) == (0, 0, 0)
        assert reader.look()["counted_since_start"] is False
    finally:
        db.query("SET GLOBAL userstat = OFF")
    counting = servers.get("mariadb-11.8", options=("--performance-schema=ON", "--userstat=1"))
    assert Reader(modules, counting).look()["counted_since_start"] is True


def test_accounts_that_performance_schema_has_no_room_for(servers: Servers, modules: Modules) -> None:
    lossy = ("--performance-schema=ON", "--performance-schema-accounts-size=2")
    for name in ("mysql-9.7", "mariadb-11.8"):
        db = servers.get(name, options=lossy)
        for number in range(2):
            with db.login(db.create(db.name_of(f"app{number}")), None):
                pass
        seen = Reader(modules, db).look()
        assert seen["source"] == "performance_schema.threads"
        assert seen["counters"]["accounts"] is None


def test_flushed_statistics_begin_again(servers: Servers, modules: Modules) -> None:
    """Each look is a login that is counted; a count of them that did not grow has been set to zero."""
    db = servers.get("mariadb-11.8")
    db.query("SET GLOBAL userstat = ON")
    try:
        reader = Reader(modules, db)
        login = reader.look()["login"]
        before = reader.count("users", user=login)[0]
        assert reader.count("users", user=login)[0] > before
        db.query("FLUSH USER_STATISTICS")
        assert reader.count("users", user=login)[0] <= before
    finally:
        db.query("SET GLOBAL userstat = OFF")
