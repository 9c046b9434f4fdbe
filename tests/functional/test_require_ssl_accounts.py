# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_require_ssl and which accounts it changes: local ones, those that cannot be changed, and what is in memory."""

from __future__ import annotations

from typing import Any

import pymysql
import pytest

from .assertions import writing
from .database import Account, Database, Tls
from .runner import Modules
from .servers import Servers

TLS = Tls()


def left_out(result: Any) -> set[tuple[str, str, str]]:
    return {(left["user"], left["host"], left["reason"]) for left in result["left_out"]}


def changed(result: Any) -> set[tuple[str, str]]:
    return {(a["user"], a["host"]) for a in result["accounts"] if a["before"] != a["after"]}


# The server's own machine


def test_a_wildcard_does_not_stand_for_accounts_of_the_servers_own_machine(db: Database, modules: Modules) -> None:
    me, user = db.administrator(), db.name_of("app")
    hosts = ("localhost", "127.0.0.1", "127.%", "%")
    for host in hosts:
        db.create(user, host)
    local = {(user, host, "local") for host in hosts if host != "%"}
    for wish in ({"accounts": [f"{user}@*"]}, {"accounts": [f"{user[:-1]}*@*"]}, {"all_accounts": True}):
        options = db.options(me, exclude=["root@*"] if "all_accounts" in wish else [], **wish)
        planned = modules.require(**options, check=True).ok()
        assert changed(planned) == {(user, "%")}
        assert local <= left_out(planned)
        assert not local & left_out(modules.require(**options, include_local=True, check=True).ok())
    quoted = modules.require(**db.options(me, accounts=[f"'{user}'@'127.%'", f"`{user}`@`localhost`"]), check=True).ok()
    assert changed(quoted) == {(user, "127.%"), (user, "localhost")}
    done = modules.require(**db.options(me, accounts=[f"{user}@*"], exclude=[f"'{user}'@'%'"], include_local=True)).ok()
    assert changed(done) == {(user, host) for host in hosts if host != "%"}
    assert left_out(done) == set()
    assert changed(modules.require(**db.options(me, user=user)).ok()) == {(user, "%")}
    nobody = modules.require(**db.options(me, accounts=["*@10.9.*"]))
    assert nobody.failed
    assert "include_local" in nobody.msg


@pytest.mark.parametrize("name", ["mysql-9.7", "mariadb-10.5", "mariadb-11.8"])
def test_accounts_that_log_in_by_the_socket(name: str, servers: Servers, modules: Modules) -> None:
    db = servers.get(name)
    me, one, two = db.administrator(), db.name_of("sock"), db.name_of("sock")
    if db.mariadb:
        how = ["VIA unix_socket", "VIA mysql_native_password USING 'invalid' OR unix_socket"]
    else:
        db.query("INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'")
        how = ["WITH auth_socket", "WITH auth_socket"]
    try:
        for user, identified, host in ((one, how[0], "%"), (two, how[1], "localhost")):
            db.query(f"CREATE USER %s@%s IDENTIFIED {identified}", user, host)
            db.adopt(user, host)
        everybody = db.options(me, all_accounts=True, include_local=True, exclude=["root@*", me.user])
        told = modules.require(**everybody, check=True)
        assert {(one, "%", "socket_plugin"), (two, "localhost", "socket_plugin")} <= left_out(told)
        named = modules.require(**db.options(me, accounts=[one, f"{two}@localhost"])).ok()
        assert changed(named) == {(one, "%"), (two, "localhost")}
    finally:
        db.drop_all()
        if not db.mariadb:
            db.query("UNINSTALL PLUGIN auth_socket")


# The table, and what the server has in memory


def write_unflushed(db: Database, account: Account, ssl_type: str) -> None:
    """Write to the table of accounts as administrators do, and forget FLUSH PRIVILEGES."""
    if db.mariadb:
        db.query(
            "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.ssl_type', %s) WHERE User = %s AND Host = %s",
            {"": 0, "ANY": 1, "X509": 2}[ssl_type],
            account.user,
            account.host,
        )
    else:
        db.query(
            "UPDATE mysql.user SET ssl_type = %s WHERE User = %s AND Host = %s", ssl_type, account.user, account.host
        )


def test_a_requirement_that_only_the_table_has(db: Database, modules: Modules) -> None:
    """Nobody is kept from logging in by it: it is written again, for this account alone."""
    me, app, other = db.administrator(), db.create(db.name_of("app")), db.create(db.name_of("other"))
    write_unflushed(db, app, "ANY")
    write_unflushed(db, other, "ANY")
    assert db.admits(app, None)
    options = db.options(me, user=app.user)
    assert modules.require(**options, check=True).ok()["changed"]
    with db.watch() as seen:
        done = modules.require(**options).ok()
    assert changed(done) == {(app.user, "%")}
    assert done["verified"]
    assert not [statement for statement in writing(seen) if statement.upper().startswith("FLUSH")]
    assert not db.admits(app, None)
    # What somebody else has written did not come into force with it.
    assert db.admits(other, None)
    assert not modules.require(**options).ok()["changed"]
    if db.mariadb:
        return
    options = db.options(me, user=app.user, ssl_type="none", method="grant_tables")
    for check in (True, False):
        refused = modules.require(**options, check=check)
        assert refused.failed
        assert f"{other.user}@%" in refused.msg
        assert "flush" in refused.msg
    assert not db.admits(app, None)
    modules.require(**options, flush="always").ok()
    assert db.admits(app, None)
    assert not db.admits(other, None)


def test_a_requirement_that_only_memory_has(db: Database, modules: Modules) -> None:
    """The next restart would take it off."""
    me, app = db.administrator(), db.create(db.name_of("app"), require="X509")
    write_unflushed(db, app, "")
    assert not db.admits(app, TLS)
    done = modules.require(**db.options(me, user=app.user)).ok()
    assert [(a["before"], a["after"]) for a in done["accounts"]] == [("NONE", "X509")]
    db.query("FLUSH PRIVILEGES")
    assert not db.admits(app, TLS)


def test_what_is_restored_is_what_the_server_went_by(db: Database, modules: Modules, tmp_path: Any) -> None:
    me, app = db.administrator(), db.create(db.name_of("app"))
    write_unflushed(db, app, "X509")
    file = str(tmp_path / "record.json")
    modules.require(**db.options(me, user=app.user, rollback_file=file)).ok()
    assert db.ssl_type(app) == "ANY"
    modules.require(**db.options(me, restore_file=file)).ok()
    assert db.admits(app, None)


def test_what_only_memory_had_when_a_run_fails(db: Database, modules: Modules, tmp_path: Any) -> None:
    """The server went by a requirement that the table had lost, and does so after the rollback."""
    me, apps = db.administrator(), [db.create(db.name_of("app"), require=clause) for clause in ("SSL", "X509", "NONE")]
    for app in apps[:2]:
        write_unflushed(db, app, "")
    some, most, last = apps
    names, file = [app.user for app in apps], tmp_path / "record.json"
    options = db.options(me, accounts=names, ssl_type="x509", rollback_file=str(file))
    # Its login is the one of many that cannot be had after the change.
    failed = modules.require(**options, verify=[{"user": last.user, "password": last.password}])
    assert failed.failed
    assert f"The table has again what the server went by: {most.user}@%." in failed.msg
    assert "Everything else was rolled back" in failed.msg
    assert [a["after"] for a in failed["accounts"]] == ["ANY", "X509", "NONE"]
    for app, without, with_tls in ((some, False, True), (most, False, False), (last, True, True)):
        assert (db.admits(app, None), db.admits(app, TLS)) == (without, with_tls)
    # The record of a change that is made has nothing of what the server went by already.
    done = modules.require(**{**options, "accounts": [some.user, last.user]}).ok()
    assert done["verified"]
    write_unflushed(db, some, "")
    again = modules.require(**options).ok()
    assert changed(again) == {(some.user, "%")}
    modules.require(**db.options(me, restore_file=str(file))).ok()
    for app, without, with_tls in ((some, False, True), (most, False, False), (last, True, True)):
        assert (db.admits(app, None), db.admits(app, TLS)) == (without, with_tls)


def test_without_the_privilege_to_see_memory(db: Database, modules: Modules) -> None:
    """The change is made, or none is needed, and it is not called verified."""
    me, app = db.create(db.name_of("db_root"), "127.0.0.1", grants="CREATE USER, RELOAD, PROCESS ON *.*"), None
    for table in ("user", "proxies_priv", *(("global_priv",) if db.mariadb else ())):
        db.query(f"GRANT SELECT ON mysql.{table} TO %s@%s", me.user, me.host)
    app = db.create(db.name_of("app"))
    for expected in (True, False):
        done = modules.require(**db.options(me, user=app.user)).ok()
        assert done["changed"] is expected
        assert not done["verified"]
        assert "SELECT on mysql.*" in done.warnings


# Accounts that cannot be changed


def test_accounts_that_cannot_be_changed(new_db: Database, modules: Modules) -> None:
    """SYSTEM_USER, which this login lacks, and a plugin that is not loaded any more."""
    db = new_db
    me = db.administrator()
    db.query("REVOKE SYSTEM_USER ON *.* FROM %s@%s", me.user, me.host)
    stem = db.name_of("app")
    good, system, old = db.create(f"{stem}_a"), db.create(f"{stem}_b"), db.create(f"{stem}_c")
    db.query("GRANT SYSTEM_USER ON *.* TO %s@%s", system.user, system.host)
    db.query("UPDATE mysql.user SET plugin = 'mysql_native_password' WHERE User = %s", old.user)
    db.query("FLUSH PRIVILEGES")
    options = db.options(me, accounts=[f"{stem}*"])
    for check in (True, False):
        refused = modules.require(**options, check=check)
        assert refused.failed
        for words in (
            system.user,
            "GRANT SYSTEM_USER",
            old.user,
            "mysql_native_password is not loaded",
            "unchangeable",
        ):
            assert words in refused.msg
        assert left_out(refused) == {(system.user, "%", "system_user"), (old.user, "%", "plugin_not_loaded")}
    assert db.ssl_type(good) == ""
    done = modules.require(**options, unchangeable="skip").ok()
    assert changed(done) == {(good.user, "%")}
    assert left_out(done) == {(system.user, "%", "system_user"), (old.user, "%", "plugin_not_loaded")}
    assert not done["verified"]
    assert old.user in done.warnings
    assert db.ssl_type(system) == db.ssl_type(old) == ""
    # By a role that is active it may.
    role = db.name_of("admins")
    db.create_role(role)
    db.query(f"GRANT SYSTEM_USER ON *.* TO {role}")
    db.query(f"GRANT {role} TO %s@%s", me.user, me.host)
    db.query(f"SET DEFAULT ROLE {role} TO %s@%s", me.user, me.host)
    assert changed(modules.require(**db.options(me, user=system.user)).ok()) == {(system.user, "%")}


# Texts that MySQL does not escape in the binary log


DISTINGUISHED = "/O=It's \\ quoted/CN=app"


def test_a_quote_in_a_subject(servers: Servers, modules: Modules) -> None:
    """ALTER USER would reach replicas as another statement; rolling back goes the same way."""
    db = servers.get("mysql-9.7", options=("--log-bin=binlog", "--server-id=1"))
    me, app = db.administrator(), db.create(db.name_of("app"))
    options = db.options(me, user=app.user, ssl_type="specified", subject=DISTINGUISHED)
    refused = modules.require(**options, method="alter_user")
    assert refused.failed
    assert "binary log" in refused.msg
    done = modules.require(**options).ok()
    assert done["method"] == "grant_tables"
    assert all(not s.startswith("ALTER USER") for s in done["statements"] + done["rollback_statements"])
    assert db.requirement(app.user, app.host) == ("SPECIFIED", "", "", DISTINGUISHED)
    assert done["verified"]
    # A login that may not write to the table has no other way, to take it off neither.
    weak = db.create(db.name_of("weak"), "127.0.0.1", grants="CREATE USER, RELOAD, PROCESS ON *.*")
    db.query("GRANT SELECT ON mysql.* TO %s@%s", weak.user, weak.host)
    stuck = modules.require(**db.options(weak, user=app.user, ssl_type="none"))
    assert stuck.failed
    assert "may not write to mysql.user" in stuck.msg
    assert modules.require(**db.options(me, user=app.user, ssl_type="none")).ok()["method"] == "grant_tables"
    assert db.ssl_type(app) == ""


def test_a_quote_in_a_subject_without_a_binary_log(modern_db: Database, modules: Modules) -> None:
    db = modern_db
    me, app = db.administrator(), db.create(db.name_of("app"))
    done = modules.require(**db.options(me, user=app.user, ssl_type="specified", subject=DISTINGUISHED)).ok()
    assert done["method"] == "alter_user"
    assert db.requirement(app.user, app.host)[3] == DISTINGUISHED


# Access control that is off


# MySQL from 8.0 on is then reached over its socket only, and who starts it waits for its port.
@pytest.mark.parametrize("name", ["mysql-5.6", "mariadb-10.5", "mariadb-10.11", "mariadb-11.8"])
def test_access_control_that_is_off(name: str, servers: Servers, modules: Modules) -> None:
    """Any password gets in, so that nothing is worth anything, and FLUSH PRIVILEGES would shut everybody out."""
    db = servers.get(name)
    server = db.server
    me, app = db.administrator(), db.create(db.name_of("app"))
    options = dict(db.options(me), user=app.user)
    db.disconnect()
    server._options.append("--skip-grant-tables")
    try:
        server.restart()
        for check in (True, False):
            refused = modules.require(**options, check=check)
            assert refused.failed
            assert "skip-grant-tables" in refused.msg
            assert "Nothing was changed." in refused.msg
        wrong = pymysql.connect(
            host=server.host, port=server.port, user="nobody", password="wrong", ssl_disabled=True
        )  # still off
        wrong.close()
    finally:
        db.disconnect()
        server._options.remove("--skip-grant-tables")
        server.restart()
    assert db.ssl_type(app) == ""
