# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals, locks, other people and other runs in the middle of mysql_require_ssl."""

from __future__ import annotations

import signal
import time

import pytest

from .database import Database, Tls
from .runner import Modules
from .servers import Servers
from .under_way import LOCK, Run, held_at_the_first_statement, under_way, verb, wait_for

TLS = Tls()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.usefixtures("hang_up_counts")
def test_signal_in_the_middle(db: Database, modules: Modules, number: signal.Signals) -> None:
    """What is under way comes to its end, is put back, and then the module stops."""
    me = db.administrator()
    app = db.create(db.name_of("app"), require="X509")
    before = db.snapshot()
    options = db.options(me, accounts=[app.user, me.user], exact=True)
    with held_at_the_first_statement(db, me, modules, **options) as run:
        run.process.send_signal(number)
        time.sleep(0.3)
        assert run.process.poll() is None
    result = run.result()
    assert result.failed
    assert number.name in result.msg
    assert result["rolled_back"]
    assert result["changed"] is False
    assert [a["after"] for a in result["accounts"]] == [a["before"] for a in result["accounts"]]
    requirements = [db.requirement(a.user, a.host) for a in (me, app)]
    assert requirements == [("", "", "", ""), ("X509", "", "", "")]
    if not db.mariadb:
        assert db.snapshot() == before
    assert db.admits(me, None)


@pytest.mark.parametrize("mine", [True, False])
def test_a_statement_that_waits_too_long_is_not_carried_out_later(db: Database, modules: Modules, mine: bool) -> None:
    """The server has the statement and waits for a lock; the module's patience ends first."""
    me = db.administrator()
    app = db.create(db.name_of("app"))
    before = db.snapshot()
    options = db.options(me, accounts=[app.user, *([me.user] if mine else [])], connect_timeout=2)
    with held_at_the_first_statement(db, me, modules, **options) as run:
        started = time.monotonic()
        result = run.result()
        assert time.monotonic() - started < 120
        assert result.failed
        assert "Nothing was changed." in result.msg
        assert not result["changed"]
        assert not result["rolled_back"]
        assert "state_unknown" not in result.values
        # Without ending the lost session, its statement would still be here, and would be carried out now.
        assert not under_way(db, me, verb(db))
    time.sleep(0.2)
    assert db.snapshot() == before
    assert db.admits(app, None)


def test_no_session_to_be_had(db: Database, modules: Modules) -> None:
    """The session is killed, and the password is another one by now: nobody can look, and that is said."""
    me = db.administrator()
    app = db.create(db.name_of("app"))
    find = "SELECT ID FROM information_schema.processlist WHERE USER = %s AND INFO LIKE %s"
    db.query(f"SELECT GET_LOCK('{LOCK}', 1)")
    run = Run(modules, **db.options(me, user=app.user, connect_timeout=3))
    wait_for(lambda: under_way(db, me, "GET_LOCK"))
    if db.legacy:
        db.query("SET PASSWORD FOR %s@%s = PASSWORD('another')", me.user, me.host)
    else:
        db.query("ALTER USER %s@%s IDENTIFIED BY 'another'", me.user, me.host)
    db.query("FLUSH TABLES WITH READ LOCK")
    try:
        db.query(f"SELECT RELEASE_LOCK('{LOCK}')")
        wait_for(lambda: under_way(db, me, verb(db)))
        db.query(f"KILL {db.value(find, me.user, verb(db) + '%')}")
        result = run.result()
    finally:
        db.query("UNLOCK TABLES")
    assert result.failed
    assert result["state_unknown"] is True
    assert result["changed"] is True
    assert result["rolled_back"] is False
    if not db.legacy:
        assert result["check_statements"] == [f"SHOW CREATE USER '{app.user}'@'%'"]
        assert result["rollback_statements"] == [f"ALTER USER '{app.user}'@'%' REQUIRE NONE"]
    for words in (*result["check_statements"], *result["rollback_statements"], "unknown", app.user):
        assert words in result.msg
    for statement in (*result["check_statements"], *result["rollback_statements"]):
        db.query(statement)
    assert db.ssl_type(app) == ""
    assert db.admits(app, None)


# Other people


def test_accounts_that_change_meanwhile(db: Database, modules: Modules) -> None:
    """Between the first look and the first statement: dropped, strengthened, renamed, created."""
    me = db.administrator()
    stem = db.name_of("app")
    plain, dropped, strong, old = (db.create(f"{stem}{letter}") for letter in "abcd")
    options = db.options(me, accounts=[f"{stem}*"], connect_timeout=20)
    db.query(f"SELECT GET_LOCK('{LOCK}', 1)")
    run = Run(modules, **options)
    wait_for(lambda: under_way(db, me, "GET_LOCK"))
    db.query("DROP USER %s@%s", dropped.user, dropped.host)
    db.forget(dropped.user, dropped.host)
    db.require(strong.user, strong.host, "X509")
    db.query("RENAME USER %s@%s TO %s@%s", old.user, old.host, f"{stem}e", old.host)
    db.forget(old.user, old.host)
    db.adopt(f"{stem}e", old.host)
    db.query(f"SELECT RELEASE_LOCK('{LOCK}')")
    result = run.result().ok()
    assert {a["user"]: (a["before"], a["after"]) for a in result["accounts"]} == {
        plain.user: ("NONE", "ANY"),
        strong.user: ("X509", "X509"),
        f"{stem}e": ("NONE", "ANY"),
    }
    assert db.ssl_type(plain) == "ANY"
    assert db.ssl_type(strong) == "X509"
    assert db.requirement(f"{stem}e", "%")[0] == "ANY"
    assert not db.query("SELECT 1 FROM mysql.user WHERE User IN (%s, %s)", dropped.user, old.user)
    for words in (
        f"{dropped.user}@% was dropped",
        f"{old.user}@% was dropped",
        f"{stem}e@% was created",
        f"{strong.user}@% went from NONE to X509",
    ):
        assert words in result.warnings


def test_account_strengthened_between_two_statements(new_db: Database, modules: Modules) -> None:
    """The first hundred accounts are done when somebody strengthens one of the others: it is not weakened."""
    db = new_db
    me = db.administrator()
    stem = db.name_of("app")
    apps = [db.create(f"{stem}_{number:03}") for number in range(150)]
    update = "UPDATE mysql.user SET ssl_type = 'X509' WHERE User = %s"
    # SHOW CREATE USER, by which it is planned, waits for the lock of a row as well.
    db.query(f"SELECT GET_LOCK('{LOCK}', 1)")
    run = Run(modules, **db.options(me, accounts=[f"{stem}*"]))
    wait_for(lambda: under_way(db, me, "GET_LOCK"))
    db.query("BEGIN")
    try:
        db.query("SELECT * FROM mysql.user WHERE User = %s FOR UPDATE", apps[0].user)
        db.query(f"SELECT RELEASE_LOCK('{LOCK}')")
        wait_for(lambda: under_way(db, me, "ALTER USER"))
        db.query(update, apps[149].user)
    finally:
        db.query("COMMIT")
    result = run.result()
    assert result.failed
    assert "Someone else" in result.msg
    assert f"{apps[149].user}@% has X509" in result.msg
    assert result["rolled_back"]
    assert [db.ssl_type(app) for app in apps] == [""] * 149 + ["X509"]


def test_lock_that_nobody_releases(db: Database, modules: Modules) -> None:
    """A run that has died may hold it for hours."""
    me = db.administrator()
    app = db.create(db.name_of("app"))
    db.query(f"SELECT GET_LOCK('{LOCK}', 1)")
    try:
        done = modules.require(**db.options(me, user=app.user, connect_timeout=2)).ok()
    finally:
        db.query(f"SELECT RELEASE_LOCK('{LOCK}')")
    assert f"Connection {db.value('SELECT CONNECTION_ID()')} " in done.warnings
    assert db.ssl_type(app) == "ANY"


# Other runs


def test_two_runs_at_once(db: Database, modules: Modules) -> None:
    """Both succeed; each account is changed by one of them."""
    me = db.administrator()
    stem = db.name_of("app")
    apps = [db.create(f"{stem}_{number:03}") for number in range(120)]
    runs = [Run(modules, **db.options(me, accounts=[f"{stem}*"])) for _run in range(2)]
    results = [run.result().ok() for run in runs]
    assert all(result["verified"] for result in results)
    assert sorted(result["changed"] for result in results) == [False, True]
    assert {db.ssl_type(app) for app in apps} == {"ANY"}


def test_two_runs_that_want_different_things(db: Database, modules: Modules) -> None:
    """One after the other: nobody ends up with half of each."""
    me = db.administrator()
    stem = db.name_of("app")
    apps = [db.create(f"{stem}_{number:03}") for number in range(120)]
    runs = [
        Run(modules, **db.options(me, accounts=[f"{stem}*"], exact=True, ssl_type=ssl_type))
        for ssl_type in ("any", "x509")
    ]
    for run in runs:
        run.result().ok()
    assert {db.ssl_type(app) for app in apps} in ({"ANY"}, {"X509"})


# Servers that take no changes


def read_only_variables(db: Database) -> list[str]:
    if db.legacy:
        return ["read_only", "tx_read_only"]
    if db.mariadb:
        return ["read_only", "tx_read_only"]
    return ["read_only", "super_read_only", "transaction_read_only"]


def test_read_only_servers(db: Database, modules: Modules) -> None:
    me = db.administrator()
    app = db.create(db.name_of("app"))
    before = db.snapshot()
    for variable in read_only_variables(db):
        db.query(f"SET GLOBAL {variable} = ON")
        try:
            for check in (True, False):
                counters = db.writing_counters()
                result = modules.require(**db.options(me, user=app.user), check=check)
                assert db.writing_counters() == counters
                if variable in ("read_only", "super_read_only"):
                    assert result.ok()["skipped_reason"] == "read_only"
                    assert not result["changed"]
                    continue
                # That is no property of replicas.
                assert result.failed
                for words in ("read-only", "read_only is on", "Nothing was changed", "source"):
                    assert words in result.msg
            assert not modules.require(**db.options(me, user=app.user, ssl_type="none")).ok()["changed"]
        finally:
            db.query(f"SET GLOBAL {variable} = OFF")
            if variable == "super_read_only":
                db.query("SET GLOBAL read_only = OFF")
    assert db.snapshot() == before


def test_replica_that_may_be_written_to(modern_db: Database, modules: Modules) -> None:
    db = modern_db
    me = db.administrator()
    app = db.create(db.name_of("app"))
    what, of, off = ("MASTER", "MASTER", "SLAVE") if db.mariadb else ("REPLICATION SOURCE", "SOURCE", "REPLICA")
    assert "replica" not in modules.require(**db.options(me, user=app.user), check=True).ok().warnings
    db.query(f"CHANGE {what} TO {of}_HOST = '192.0.2.1', {of}_USER = 'nobody'")
    try:
        done = modules.require(**db.options(me, user=app.user)).ok()
    finally:
        db.query(f"RESET {off} ALL")
    assert "is a replica" in done.warnings
    assert db.ssl_type(app) == "ANY"


@pytest.mark.parametrize("name", ["mysql-9.7", "mariadb-10.11"])
def test_a_change_on_the_source_reaches_its_replica(servers: Servers, modules: Modules, name: str) -> None:
    """The replica is read-only, and says where to go; there the change is made, and comes by replication."""
    source = servers.get(name, options=("--log-bin=binlog", "--server-id=1"))
    replica = servers.get(name, options=("--server-id=2",))
    repl = source.create(source.name_of("repl"), grants="REPLICATION SLAVE ON *.*")
    status = "SHOW BINLOG STATUS" if source.mariadb else "SHOW BINARY LOG STATUS"
    log, position = source.query(status)[0][:2]
    what, of, it = ("MASTER", "MASTER", "SLAVE") if source.mariadb else ("REPLICATION SOURCE", "SOURCE", "REPLICA")
    verify = ", MASTER_SSL_VERIFY_SERVER_CERT = 0" if source.mariadb else ""
    replica.query(
        f"CHANGE {what} TO {of}_HOST = '127.0.0.1', {of}_PORT = {source.server.port}, "
        f"{of}_USER = %s, {of}_PASSWORD = %s, {of}_LOG_FILE = '{log}', {of}_LOG_POS = {position}, {of}_SSL = 1{verify}",
        repl.user,
        repl.password,
    )
    replica.query(f"START {it}")
    try:
        apps = [source.create(source.name_of("replicated")) for _once in range(3)]
        wait_for(lambda: replica.query("SELECT 1 FROM mysql.user WHERE User = %s", apps[-1].user))
        here, there = source.administrator("source_root"), replica.administrator("replica_root")
        wish = {"accounts": ["replicated_*"]}
        replica.query("SET GLOBAL read_only = ON")
        skipped = modules.require(**replica.options(there, **wish)).ok()
        assert skipped["skipped_reason"] == "read_only"
        assert {replica.ssl_type(app) for app in apps} == {""}
        # Clients of the replica would be locked out as well.
        for check in (True, False):
            alone = modules.require(**source.options(here, **wish), check=check)
            assert alone.failed
            assert "the replica" in alone.msg
            assert f":{replica.server.port}" in alone.msg or "server_id 2" in alone.msg
            assert "members" in alone.msg
        wait_for(lambda: replica.query("SELECT 1 FROM mysql.user WHERE User = %s", here.user))
        wish["members"] = [f"{replica.server.host}:{replica.server.port}", f"127.0.0.1:{source.server.port}"]
        with replica.login(apps[0], None):
            for choice in ("fail", "kill"):
                locked_out = modules.require(**source.options(here, plaintext_sessions=choice, **wish))
                assert locked_out.failed
                assert f"on 127.0.0.1:{replica.server.port}" in locked_out.msg
                assert [s["server"] for s in locked_out["plaintext_sessions"]] == [f"127.0.0.1:{replica.server.port}"]
        replica.wait_for_sessions_to_end(apps[0].user)
        gone = modules.require(**source.options(here, accounts=wish["accounts"], members=["127.0.0.1:1"]))
        assert gone.failed
        assert "127.0.0.1:1 could not be checked" in gone.msg
        done = modules.require(**source.options(here, **wish)).ok()
        assert len(done["statements"]) == 1
        wait_for(lambda: {replica.ssl_type(app) for app in apps} == {"ANY"})
        assert not replica.admits(apps[0], None)
        assert replica.admits(apps[0], TLS)
    finally:
        replica.query(f"STOP {it}")
        replica.query(f"RESET {it} ALL")
        replica.query("SET GLOBAL read_only = OFF")
        rows = replica.query("SELECT User, Host FROM mysql.user WHERE User LIKE 'replicated%' OR User = 'source_root'")
        for user, host in rows:
            replica.adopt(user, host)
