# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_require_ssl and the clients that are connected without TLS: ended, called out, or a reason to stop."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pymysql
import pytest
from pymysql.connections import Connection

from tests.servers.process import free_port

from .assertions import writing
from .database import Account, Database, Tls
from .runner import Modules
from .servers import Servers
from .under_way import wait_for
from .x_protocol import x_session

TLS = Tls()
# "COM_BINLOG_DUMP", MySQL Source Code Documentation.
_COM_BINLOG_DUMP = 0x12
# CR_SERVER_GONE_ERROR, CR_SERVER_LOST, ER_CONNECTION_KILLED, ER_CLIENT_INTERACTION_TIMEOUT, ER_SERVER_SHUTDOWN
_GONE = (2006, 2013, 1927, 4031, 1053)


def alive(connection: Connection[Any]) -> bool:
    """Whether the server still answers on this connection."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return True
    except pymysql.err.OperationalError as e:
        if e.args[0] not in _GONE:
            raise
        return False


def killing(statements: list[str]) -> list[str]:
    return [statement for statement in statements if statement.upper().startswith(("KILL", "CALL MYSQL.RDS_KILL"))]


def test_kill(seeing_db: Database, modules: Modules) -> None:
    """Those of the target go, over TCP and without TLS; nobody else does; check mode ends none."""
    db = seeing_db
    me = db.administrator()
    app, other = db.create(db.name_of("app")), db.create(db.name_of("other"))
    options = db.options(me, user=app.user, plaintext_sessions="kill")
    with (
        db.login(app, None) as one,
        db.login(app, None) as two,
        db.login(app, TLS) as good,
        db.login(other, None) as alien,
    ):
        numbers = sorted([one.thread_id(), two.thread_id()])
        with db.watch() as seen:
            promised = modules.require(**options, check=True).ok()
        assert seen
        assert killing(seen) == writing(seen) == []
        assert sorted(s["connection_id"] for s in promised["plaintext_sessions"]) == numbers
        assert not any(s["killed"] or s["replication"] for s in promised["plaintext_sessions"])
        assert sorted(killing(promised["statements"])) == sorted(f"KILL {number}" for number in numbers)
        assert alive(one)
        assert alive(two)
        assert db.ssl_type(app) == ""

        with db.watch() as seen:
            done = modules.require(**options).ok()
        assert done["statements"] == promised["statements"]
        assert sorted(killing(seen)) == sorted(f"KILL {number}" for number in numbers)
        assert [(s["user"], s["host"], s["killed"]) for s in done["plaintext_sessions"]] == [
            (app.user, "127.0.0.1", True)
        ] * 2
        assert not alive(one)
        assert not alive(two)
        assert alive(good)
        assert alive(alien)
    assert db.ssl_type(app) == "ANY"


@contextmanager
def stubborn(db: Database, account: Account) -> Iterator[None]:
    """A client that connects again, without TLS, whenever it is thrown out."""
    over, there = threading.Event(), threading.Event()

    def work() -> None:
        while not over.is_set():
            try:
                with db.login(account, None) as connection, connection.cursor() as cursor:
                    there.set()
                    while not over.wait(0.05):
                        cursor.execute("SELECT 1")
            except pymysql.err.MySQLError:
                time.sleep(0.05)

    thread = threading.Thread(target=work)
    thread.start()
    assert there.wait(120)
    try:
        yield
    finally:
        over.set()
        thread.join(30)


def test_clients_that_come_back_are_not_locked_out(seeing_db: Database, modules: Modules) -> None:
    db = seeing_db
    me = db.administrator()
    app = db.create(db.name_of("app"))
    before = db.snapshot()
    with stubborn(db, app):
        result = modules.require(**db.options(me, user=app.user, plaintext_sessions="kill"))
        assert result.failed
        assert "again" in result.msg
        assert app.user in result.msg
        assert "No account was changed" in result.msg
        assert {s["killed"] for s in result["plaintext_sessions"]} == {True, False}
        assert db.snapshot() == before
        # What would have happened without looking again: the client is out.
        modules.require(**db.options(me, user=app.user, plaintext_sessions="allow")).ok()
        db.query(f"KILL {db.value('SELECT ID FROM information_schema.processlist WHERE USER = %s', app.user)}")
        assert not db.admits(app, None)
    db.wait_for_sessions_to_end(app.user)


def test_kill_by_the_procedure_of_rds(seeing_db: Database, modules: Modules) -> None:
    """A login that may not end other people's sessions itself, as on RDS."""
    db = seeing_db
    app = db.create(db.name_of("app"))
    me = db.create(db.name_of("db_root"), "127.0.0.1", grants="CREATE USER, RELOAD, PROCESS ON *.*")
    for table in ("mysql.*", "performance_schema.*"):
        db.query(f"GRANT SELECT ON {table} TO %s@%s", me.user, me.host)
    if db.mariadb:
        db.query("GRANT UPDATE ON mysql.* TO %s@%s", me.user, me.host)
    options = db.options(me, user=app.user, plaintext_sessions="kill")
    with db.login(app, None) as client:
        refused = modules.require(**options)
        assert refused.failed
        assert "CONNECTION_ADMIN" in refused.msg
        assert "rds_kill" in refused.msg
        assert "Nothing was changed." in refused.msg
        assert alive(client)
        assert db.ssl_type(app) == ""
    db.wait_for_sessions_to_end(app.user)
    db.query("CREATE PROCEDURE mysql.rds_kill(IN thread BIGINT) SQL SECURITY DEFINER KILL thread")
    try:
        db.query("GRANT EXECUTE ON PROCEDURE mysql.rds_kill TO %s@%s", me.user, me.host)
        with db.login(app, None) as client:
            number = client.thread_id()
            done = modules.require(**options).ok()
            assert done["statements"][0] == f"CALL mysql.rds_kill({number})"
            assert done["plaintext_sessions"][0]["killed"]
            assert not alive(client)
    finally:
        db.query("DROP PROCEDURE mysql.rds_kill")
    assert db.ssl_type(app) == "ANY"


# Replicas


@pytest.fixture(params=["mysql-9.7", "mariadb-11.8"])
def source(request: pytest.FixtureRequest, servers: Servers) -> Database:
    """A server with a binary log, that can tell which sessions use TLS."""
    more = ("--performance-schema=ON",) if request.param.startswith("mariadb") else ()
    return servers.get(request.param, options=("--log-bin=binlog", "--server-id=1", *more))


def start_dump(connection: Connection[Any], log: str) -> None:
    """Ask for this binary log from its beginning, as a replica does."""
    with connection.cursor() as cursor:
        cursor.execute("SET @master_binlog_checksum = 'NONE', @source_binlog_checksum = 'NONE'")
    payload = struct.pack("<IHI", 4, 0, 4711) + log.encode()
    connection._execute_command(_COM_BINLOG_DUMP, payload)  # type: ignore[attr-defined]  # not in the stubs


@contextmanager
def replica(db: Database, account: Account, tls: Tls | None) -> Iterator[int]:
    """A client that reads the binary log; gives its connection's number."""
    with db.login(account, tls) as connection:
        number = connection.thread_id()
        start_dump(connection, str(db.value("SHOW BINARY LOGS")))
        deadline = time.monotonic() + 120
        while not db.query(
            "SELECT 1 FROM information_schema.processlist WHERE ID = %s AND COMMAND LIKE 'Binlog Dump%%'", number
        ):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield number
        connection._force_close()  # type: ignore[attr-defined]  # not in the stubs
    # Without anything to send, the server may notice only when told.
    with suppress(pymysql.err.OperationalError):
        db.query(f"KILL {number}")
    db.wait_for_sessions_to_end(account.user)


def test_replicas_are_called_out_and_never_ended(source: Database, modules: Modules) -> None:
    db = source
    me = db.administrator()
    repl = db.create(db.name_of("repl"), grants="REPLICATION SLAVE ON *.*")
    before = db.snapshot()
    with replica(db, repl, None) as number:
        for choice in ("fail", "kill"):
            for check in (True, False):
                result = modules.require(**db.options(me, user=repl.user, plaintext_sessions=choice), check=check)
                assert result.failed
                for words in (repl.user, str(number), "replica", "SOURCE_SSL", "Nothing was changed"):
                    assert words in result.msg
                assert [(s["connection_id"], s["replication"]) for s in result["plaintext_sessions"]] == [
                    (number, True)
                ]
        assert db.snapshot() == before
        assert db.query("SELECT 1 FROM information_schema.processlist WHERE ID = %s", number)
        for choice in ("warn", "allow"):
            done = modules.require(**db.options(me, user=repl.user, plaintext_sessions=choice)).ok()
            assert "replica" in done.warnings
            assert repl.user in done.warnings
            # What the guard keeps from happening: the replica goes on for now, and does not get in again.
            assert not db.admits(repl, None)
            db.require(repl.user, repl.host, "NONE")
    with replica(db, repl, TLS):
        assert modules.require(**db.options(me, user=repl.user)).ok()["plaintext_sessions"] == []


def test_replicas_that_the_login_may_not_list(source: Database, modules: Modules) -> None:
    """Somebody reads the binary log, and their clients would be locked out as well."""
    db = source
    me, app = db.create(db.name_of("me"), "127.0.0.1", grants="CREATE USER ON *.*"), db.create(db.name_of("app"))
    for table in ("mysql.*", "performance_schema.*"):
        db.query(f"GRANT SELECT ON {table} TO %s@%s", me.user, me.host)
    repl = db.create(db.name_of("repl"), grants="REPLICATION SLAVE ON *.*")
    with replica(db, repl, TLS):
        refused = modules.require(**db.options(me, user=app.user))
        assert refused.failed
        assert f"Which other servers have the accounts of 127.0.0.1:{db.server.port} is unknown: " in refused.msg
        assert db.ssl_type(app) == ""
    assert modules.require(**db.options(me, user=app.user)).ok()["changed"]


def test_replicas_where_transport_is_not_seen(servers: Servers, modules: Modules) -> None:
    db = servers.get("mariadb-11.8", options=("--log-bin=binlog", "--server-id=1"))
    me = db.administrator()
    repl = db.create(db.name_of("repl"), grants="REPLICATION SLAVE ON *.*")
    with replica(db, repl, None):
        for choice in ("fail", "kill"):
            refused = modules.require(**db.options(me, user=repl.user, plaintext_sessions=choice))
            assert refused.failed
            for words in (
                "does not expose session TLS status",
                f"{repl.user} from 127.0.0.1",
                "replica",
                "SOURCE_SSL",
            ):
                assert words in refused.msg
        assert db.ssl_type(repl) == ""
        done = modules.require(**db.options(me, user=repl.user, plaintext_sessions="allow")).ok()
    assert f"perhaps without TLS, will be unable to reconnect: {repl.user} from 127.0.0.1" in done.warnings


# Where the server, or the login, does not see how clients are connected


@pytest.fixture(params=["mysql-5.6", "mariadb-10.5", "mariadb-10.11", "mariadb-11.8"])
def silent_db(request: pytest.FixtureRequest, servers: Servers) -> Database:
    """Every server that does not tell which sessions use TLS, MariaDB as it comes."""
    return servers.get(request.param)


def test_clients_of_a_server_that_does_not_tell(silent_db: Database, modules: Modules) -> None:
    """Whoever is connected may be without TLS; nobody connected is nobody to lock out."""
    db = silent_db
    me, app = db.administrator(), db.create(db.name_of("app"))
    options = db.options(me, user=app.user)
    with db.login(app, TLS):
        for choice in ("fail", "kill"):
            for check in (True, False):
                refused = modules.require(**options, plaintext_sessions=choice, check=check)
                assert refused.failed
                for words in ("does not expose session TLS status", f"{app.user} from 127.0.0.1", "warn"):
                    assert words in refused.msg
                assert [(s["user"], s["transport"]) for s in refused["plaintext_sessions"]] == [(app.user, None)]
        assert db.ssl_type(app) == ""
        warned = modules.require(**options, plaintext_sessions="warn").ok()
        assert "plaintext clients could not be detected" in warned.warnings
        assert app.user in warned.warnings
        db.require(app.user, app.host, "NONE")
    db.wait_for_sessions_to_end(app.user)
    assert modules.require(**options).ok()["changed"]


def test_a_login_that_may_not_look(modules: Modules, seeing_db: Database) -> None:
    """The GRANT that is missing is in the message; without PROCESS not even the process list helps."""
    db = seeing_db
    app = db.create(db.name_of("app"))
    me = db.create(db.name_of("db_root"), "127.0.0.1", grants="CREATE USER, RELOAD ON *.*")
    db.query("GRANT SELECT ON mysql.* TO %s@%s", me.user, me.host)
    options = db.options(me, user=app.user)
    blind = modules.require(**options)
    assert blind.failed
    grant = "GRANT SELECT ON performance_schema.threads TO"
    for words in ("may not see which sessions", grant, "GRANT PROCESS ON *.* TO", "Nothing was changed"):
        assert words in blind.msg
    db.query("GRANT PROCESS ON *.* TO %s@%s", me.user, me.host)
    with db.login(app, TLS):
        refused = modules.require(**options)
        assert refused.failed
        assert grant in refused.msg
        assert f"{app.user} from 127.0.0.1" in refused.msg
        db.query("GRANT SELECT ON performance_schema.threads TO %s@%s", me.user, me.host)
        assert modules.require(**options).ok()["changed"]


def test_clients_of_the_x_protocol(servers: Servers, modules: Modules) -> None:
    """performance_schema does not have them, so nobody can say whether they use TLS."""
    port = free_port("127.0.0.1")
    db = servers.get("mysql-9.7", options=("--mysqlx=ON", f"--mysqlx-port={port}", "--mysqlx-bind-address=127.0.0.1"))
    me, app = db.administrator(), db.create(db.name_of("app"))
    options = db.options(me, user=app.user)
    for encrypted in (True, False):
        with x_session(port, app.user, app.password, encrypted=encrypted):
            refused = modules.require(**options)
            assert refused.failed
            assert "does not show all sessions" in refused.msg
            assert f"{app.user} from 127.0.0.1 (connection " in refused.msg
            findings = modules.status(**db.options(me)).ok()["mysql_ssl"]["findings"]
            (hidden,) = (each for each in findings if each["id"] == "sessions-not-visible")
            assert hidden["message"].endswith(f": {app.user}@127.0.0.1.")
        db.wait_for_sessions_to_end(app.user)
    assert modules.require(**options).ok()["changed"]
    with x_session(port, app.user, app.password, encrypted=True):
        assert not modules.require(**options).ok()["changed"]
    with pytest.raises(AssertionError), x_session(port, app.user, app.password, encrypted=False):
        pass


@pytest.mark.parametrize("name", ["mysql-9.7", "mariadb-11.8"])
def test_sessions_that_performance_schema_has_lost(servers: Servers, modules: Modules, name: str) -> None:
    """It has no room for them."""
    db = servers.get(name, options=("--performance-schema=ON", "--performance-schema-max-thread-instances=45"))
    me, app = db.administrator(), db.create(db.name_of("app"))
    blind = db.create(db.name_of("me"), "127.0.0.1", grants="CREATE USER ON *.*")
    for table in ("mysql.*", "performance_schema.*"):
        db.query(f"GRANT SELECT ON {table} TO %s@%s", blind.user, blind.host)
    shown = "SELECT 1 FROM performance_schema.threads WHERE PROCESSLIST_ID = %s"
    with ExitStack() as stack:
        clients: list[Connection[Any]] = []
        while not clients or db.query(shown, clients[-1].thread_id()):
            assert len(clients) < 60
            clients.append(stack.enter_context(db.login(app, None)))
        lost = clients.pop().thread_id()
        for client in clients:
            client.close()
        listed = "SELECT ID FROM information_schema.processlist WHERE USER = %s"
        wait_for(lambda: db.query(listed, app.user) == [(lost,)])
        refused = modules.require(**db.options(me, user=app.user))
        assert refused.failed
        assert "does not show all sessions" in refused.msg
        assert f"{app.user} from 127.0.0.1 (connection {lost})" in refused.msg
        status = modules.status(**db.options(me)).ok()["mysql_ssl"]
        (message,) = (each["message"] for each in status["findings"] if each["id"] == "sessions-not-visible")
        assert message.startswith("performance_schema does not show 1 of the sessions (X Protocol, or ")
        assert message.endswith(f": {app.user}@127.0.0.1.")
        unseen = modules.require(**db.options(blind, user=app.user))
        assert unseen.failed
        assert "GRANT PROCESS ON *.* TO" in unseen.msg
        findings = modules.status(**db.options(blind)).ok()["mysql_ssl"]["findings"]
        (hidden,) = (each for each in findings if each["id"] == "sessions-not-visible")
        assert "may not show all sessions" in hidden["message"]
        assert "GRANT PROCESS ON *.* TO" in hidden["remediation"]
        assert db.ssl_type(app) == ""
    db.wait_for_sessions_to_end(app.user)
    assert modules.require(**db.options(me, user=app.user)).ok()["changed"]


def test_clients_over_the_socket(seeing_db: Database, modules: Modules) -> None:
    """A requirement counts there as well; the server-wide switch does not."""
    db = seeing_db
    me, app = db.administrator(), db.create(db.name_of("app"))
    client = pymysql.connect(
        unix_socket=db.server.socket, user=app.user, password=app.password, ssl_disabled=True, charset="utf8mb4"
    )
    try:
        refused = modules.require(**db.options(me, user=app.user))
        assert refused.failed
        assert "over the Unix socket" in refused.msg
        assert [s["transport"] for s in refused["plaintext_sessions"]] == ["Socket"]
        switch = modules.require(**db.options(me, require_secure_transport=True), check=True).ok()
        assert app.user not in {s["user"] for s in switch["plaintext_sessions"]}
    finally:
        client.close()
    db.wait_for_sessions_to_end(app.user)
    assert modules.require(**db.options(me, user=app.user)).ok()["changed"]
    with pytest.raises(pymysql.err.OperationalError):
        pymysql.connect(unix_socket=db.server.socket, user=app.user, password=app.password, ssl_disabled=True)


def test_addresses_and_names(servers: Servers, modules: Modules) -> None:
    """A server that resolves names shows 127.0.0.1 as localhost, and lets app@127.0.0.1 in."""
    db = servers.get("mysql-9.7", options=("--skip-name-resolve=OFF",))
    me = db.administrator(host="%")
    app = db.create(db.name_of("app"), "127.0.0.1")
    with db.login(app, None) as client:
        shown = db.value(
            "SELECT PROCESSLIST_HOST FROM performance_schema.threads WHERE PROCESSLIST_ID = %s", client.thread_id()
        )
        result = modules.require(**db.options(me, user=app.user))
        assert result.failed
        assert f"{app.user} from {shown}" in result.msg
    assert db.ssl_type(app) == ""
