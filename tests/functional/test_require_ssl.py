# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_require_ssl changes what it should, as it should, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers import Pki
from tests.servers.pki import account_names

from .assertions import writing
from .database import Account, Database, Tls
from .runner import Modules, client_options

TLS = Tls()


def by_account(result: Any) -> dict[tuple[str, str], tuple[str, str]]:
    """Before and after, by user and host."""
    return {(a["user"], a["host"]): (a["before"], a["after"]) for a in result["accounts"]}


def test_the_recipe(db: Database, modules: Modules) -> None:
    """Every host of one user gets ssl_type ANY: check, do, do again, undo by hand."""
    here = db.administrator()
    there = db.create(here.user, "%", grants="ALL PRIVILEGES ON *.*")
    bystander = db.create(db.name_of("app"))
    expected_method = "grant_tables" if db.legacy else "alter_user"
    assert db.admits(here, None)
    before = db.snapshot()
    untouched = [db.everything_but_the_requirement(here.user, host) for host in ("127.0.0.1", "%")]

    counters = db.writing_counters()
    with db.watch() as seen:
        promised = modules.require(**db.options(here, user=here.user), check=True).ok()
    assert seen
    assert writing(seen) == []
    # The server counts EXPLAIN UPDATE, by which the module asks whether it may, as an update.
    explained = sum(statement.startswith("EXPLAIN UPDATE") for statement in seen)
    counters["Com_update"] = str(int(counters["Com_update"]) + explained)
    after_check = db.writing_counters()
    assert {name: value for name, value in after_check.items() if name not in ("Com_flush", "Com_update")} == {
        name: value for name, value in counters.items() if name not in ("Com_flush", "Com_update")
    }
    assert after_check["Com_flush"] == counters["Com_flush"]
    assert int(after_check["Com_update"]) <= int(counters["Com_update"])
    assert db.snapshot() == before
    assert promised["changed"]
    assert not promised["verified"]
    assert promised["method"] == expected_method
    assert promised["flushed"] is db.legacy
    assert f"{here.user}@127.0.0.1: NONE" in promised["diff"]["before"]
    assert f"{here.user}@127.0.0.1: ANY" in promised["diff"]["after"]
    assert db.admits(here, None)

    with db.watch() as seen:
        done = modules.require(**db.options(here, user=here.user)).ok()
    assert len(writing(seen)) == len(done["statements"]) == (3 if db.legacy else 2)
    assert done["changed"]
    assert done["verified"]
    assert not done["rolled_back"]
    for name in ("accounts", "statements", "rollback_statements", "method", "flushed", "diff"):
        assert done[name] == promised[name], name
    assert done["flushed"] is db.legacy
    if db.legacy:
        assert done["statements"][0].startswith("UPDATE mysql.user SET ssl_type = 'ANY'")
        assert done["statements"][-1] == "FLUSH PRIVILEGES"
    else:
        assert sorted(done["statements"]) == sorted(
            f"ALTER USER '{here.user}'@'{host}' REQUIRE SSL" for host in ("127.0.0.1", "%")
        )
    assert by_account(done) == {(here.user, "127.0.0.1"): ("NONE", "ANY"), (here.user, "%"): ("NONE", "ANY")}

    assert [db.ssl_type(account) for account in (here, there)] == ["ANY", "ANY"]
    assert db.ssl_type(bystander) == ""
    assert not db.admits(here, None)
    assert db.admits(here, TLS)
    assert db.admits(bystander, None)
    assert [db.everything_but_the_requirement(here.user, host) for host in ("127.0.0.1", "%")] == untouched

    with db.watch() as seen:
        again = modules.require(**db.options(here, user=here.user)).ok()
    assert writing(seen) == []
    assert not again["changed"]
    assert again["verified"]
    assert again["statements"] == []
    assert again["rollback_statements"] == []
    assert by_account(again) == {(here.user, "127.0.0.1"): ("ANY", "ANY"), (here.user, "%"): ("ANY", "ANY")}
    assert again["diff"]["before"] == again["diff"]["after"] == ""

    with db.login(here, TLS) as connection, connection.cursor() as cursor:
        for statement in done["rollback_statements"]:
            cursor.execute(statement)
    assert db.admits(here, None)
    # A snapshot of MariaDB differs in the keys of the JSON, which now says "no requirement" instead of nothing.
    assert [db.everything_but_the_requirement(here.user, host) for host in ("127.0.0.1", "%")] == untouched
    assert [db.requirement(here.user, host) for host in ("127.0.0.1", "%")] == [("", "", "", "")] * 2
    if not db.mariadb:
        assert db.snapshot() == before


def test_none_takes_the_requirement_off(db: Database, modules: Modules) -> None:
    me = db.administrator(require="SSL")
    app = db.create(db.name_of("app"), require="SUBJECT '/CN=x' AND CIPHER 'AES256-SHA'")
    done = modules.require(**db.options(me, accounts=[me.user, app.user], ssl_type="none")).ok()
    assert done["changed"]
    assert by_account(done) == {(me.user, me.host): ("ANY", "NONE"), (app.user, "%"): ("SPECIFIED", "NONE")}
    assert db.requirement(app.user, "%") == ("", "", "", "")
    assert db.admits(me, None)
    assert db.admits(app, None)
    assert not modules.require(**db.options(me, user=me.user, ssl_type="none")).ok()["changed"]


def test_x509(db: Database, modules: Modules, pki: Pki) -> None:
    """With a client certificate the login account itself may be made to need one."""
    client = pki.client()
    me = db.administrator()
    options = db.options(me, user=me.user, ssl_type="x509", **client_options(client))
    done = modules.require(**options).ok()
    assert done["verified"]
    assert db.requirement(me.user, me.host) == ("X509", "", "", "")
    assert not db.admits(me, TLS)
    assert not db.admits(me, None)
    assert db.admits(me, Tls(client))
    assert not modules.require(**options).ok()["changed"]


def test_specified(db: Database, modules: Modules, pki: Pki) -> None:
    client = pki.client()
    subject, issuer = account_names(client.cert)
    me = db.administrator()
    options = db.options(
        me, user=me.user, ssl_type="specified", subject=subject, issuer=issuer, **client_options(client)
    )
    done = modules.require(**options).ok()
    assert done["verified"]
    assert db.requirement(me.user, me.host) == ("SPECIFIED", "", issuer, subject)
    assert not db.admits(me, TLS)
    assert not db.admits(me, Tls(pki.client("somebody-else")))
    assert db.admits(me, Tls(client))
    assert not modules.require(**options).ok()["changed"]


def test_specified_with_quotes_and_backslashes(db: Database, modules: Modules) -> None:
    me = db.administrator()
    app = db.create(db.name_of("app"))
    wanted = ("SPECIFIED", "AES'256\\", '/O=It\'s "CA"\\', "/C=DE/O=M\u00fcller's \\'; -- /CN=a%b_c")
    parts = {"cipher": wanted[1], "issuer": wanted[2], "subject": wanted[3]}
    done = modules.require(**db.options(me, user=app.user, ssl_type="specified", **parts)).ok()
    assert by_account(done) == {(app.user, "%"): ("NONE", "SPECIFIED")}
    assert tuple(part.replace("M\ufffdller", "M\u00fcller") for part in db.requirement(app.user, "%")) == wanted
    assert not modules.require(**db.options(me, user=app.user, ssl_type="specified", **parts)).ok()["changed"]
    # And back by the statements that the module gives for it.
    for statement in done["rollback_statements"]:
        db.query(statement)
    assert db.requirement(app.user, "%") == ("", "", "", "")


def test_stronger_is_left_alone_unless_exact(db: Database, modules: Modules) -> None:
    me = db.administrator()
    app = db.create(db.name_of("app"))
    other = db.create(db.name_of("app"))
    for clause, ssl_type in (("X509", "X509"), ("SUBJECT '/CN=x'", "SPECIFIED")):
        db.require(app.user, app.host, clause)
        before = db.requirement(app.user, app.host)
        left = modules.require(**db.options(me, accounts=[app.user, other.user])).ok()
        assert by_account(left)[app.user, "%"] == (ssl_type, ssl_type)
        assert db.requirement(app.user, app.host) == before
        assert db.ssl_type(other) == "ANY"
        replaced = modules.require(**db.options(me, user=app.user, exact=True)).ok()
        assert by_account(replaced) == {(app.user, "%"): (ssl_type, "ANY")}
        assert db.requirement(app.user, app.host) == ("ANY", "", "", "")


def test_other_specification_replaces_the_first(db: Database, modules: Modules) -> None:
    """Of the same level, so neither stronger nor the same."""
    me = db.administrator()
    app = db.create(db.name_of("app"), require="SUBJECT '/CN=old' AND ISSUER '/CN=ca'")
    done = modules.require(**db.options(me, user=app.user, ssl_type="specified", subject="/CN=new")).ok()
    assert done["changed"]
    assert db.requirement(app.user, app.host) == ("SPECIFIED", "", "", "/CN=new")
    for statement in done["rollback_statements"]:
        db.query(statement)
    assert db.requirement(app.user, app.host) == ("SPECIFIED", "", "/CN=ca", "/CN=old")


def test_one_host_of_a_user(db: Database, modules: Modules) -> None:
    me = db.administrator()
    user = db.name_of("app")
    hosts = ["%", "10.0.0.1", "10.%", "192.168.0.0/255.255.0.0"]
    for host in hosts:
        db.create(user, host)
    modules.require(**db.options(me, user=user, host="10.%")).ok()
    assert [host for host in hosts if db.requirement(user, host)[0] == "ANY"] == ["10.%"]
    modules.require(**db.options(me, user=user, host="192.168.0.0/255.255.0.0")).ok()
    assert [host for host in hosts if db.requirement(user, host)[0] == "ANY"] == ["10.%", "192.168.0.0/255.255.0.0"]


def test_case_rules(db: Database, modules: Modules) -> None:
    """User names differ by case, host names do not, as the server has it."""
    me = db.administrator()
    user = db.name_of("App")
    db.create(user, "Db-Client.Example.COM")
    db.create(user.lower(), "db-client.example.com")
    for wish in ({"user": user, "host": "DB-client.EXAMPLE.com"}, {"accounts": [f"{user}@DB-*.EXAMPLE.com"]}):
        done = modules.require(**db.options(me, **wish)).ok()
        assert [(a["user"], a["host"].lower(), a["after"]) for a in done["accounts"]] == [
            (user, "db-client.example.com", "ANY")
        ]
        assert db.requirement(user, "db-client.example.com")[0] == "ANY"
        assert db.requirement(user.lower(), "db-client.example.com")[0] == ""
        for statement in done["rollback_statements"]:
            db.query(statement)
        assert db.requirement(user, "db-client.example.com")[0] == ""
    assert modules.require(**db.options(me, user=user.upper())).failed


def test_patterns(db: Database, modules: Modules) -> None:
    me = db.administrator()
    stem = db.name_of("p")
    names = [(f"{stem}a", "%"), (f"{stem}a", "10.1.%"), (f"{stem}b", "10.1.2.3"), (f"{stem}_b", "10.2.0.1")]
    for user, host in names:
        db.create(user, host)

    def required() -> list[tuple[str, str]]:
        found = [name for name in names if db.requirement(*name)[0] == "ANY"]
        for user, host in found:
            db.require(user, host, "NONE")
        return found

    # % and _ are characters here, and no wildcards.
    assert modules.require(**db.options(me, accounts=[f"{stem}_"])).failed
    modules.require(**db.options(me, accounts=[f"{stem}*@%"])).ok()
    assert required() == [(f"{stem}a", "%")]
    modules.require(**db.options(me, accounts=[f"{stem}*@10.1.*"])).ok()
    assert required() == [(f"{stem}a", "10.1.%"), (f"{stem}b", "10.1.2.3")]
    modules.require(**db.options(me, accounts=[f"{stem}a", f"{stem}_*"])).ok()
    assert required() == [(f"{stem}a", "%"), (f"{stem}a", "10.1.%"), (f"{stem}_b", "10.2.0.1")]
    modules.require(**db.options(me, accounts=[f"{stem}*"], exclude=["*@10.*", "nobody"])).ok()
    assert required() == [(f"{stem}a", "%")]
    modules.require(**db.options(me, accounts=[f"*{stem[1:]}b@*"])).ok()
    assert required() == [(f"{stem}b", "10.1.2.3")]


def test_all_accounts(db: Database, modules: Modules) -> None:
    """Everybody but the server's own, roles, and who is left out; what is AWS's elsewhere is a person's here."""
    me = db.administrator()
    app = db.create(db.name_of("app"))
    spared = db.create(db.name_of("spared"), "10.%")
    aws = db.create("rdsadmin", "localhost")
    anonymous = Account("", "nowhere.example", "")
    db.query("CREATE USER ''@'nowhere.example'")
    db.adopt("", "nowhere.example")
    role = None
    if not db.legacy:
        role = db.name_of("role")
        db.create_role(role)
        db.query(f"GRANT {role} TO %s@%s", app.user, app.host)
    before = {(str(u), str(h)): s for u, h, s in db.query("SELECT User, Host, ssl_type FROM mysql.user")}
    options = db.options(me, all_accounts=True, include_local=True, exclude=["root@*", f"{spared.user}@10.*"])
    promised = modules.require(**options, check=True).ok()
    done = modules.require(**options).ok()
    assert by_account(done) == by_account(promised)
    assert {("root", "localhost"), (spared.user, spared.host)}.isdisjoint(by_account(done))
    after = {(str(u), str(h)): s for u, h, s in db.query("SELECT User, Host, ssl_type FROM mysql.user")}
    expected = {(a.user, a.host) for a in (me, app, aws, anonymous)}
    assert {name for name in after if after[name] == "ANY" and before[name] != "ANY"} == expected
    assert db.ssl_type(spared) == ""
    if role:
        assert role not in {user for user, _host in by_account(done)}


def test_system_accounts_only_on_request(db: Database, modules: Modules) -> None:
    me = db.administrator()
    db.create("mysql.session", "10.0.0.1")
    before = db.snapshot()
    refused = modules.require(**db.options(me, accounts=["mysql.session@10.0.0.1"]))
    assert refused.failed
    assert "include_system" in refused.msg
    # The administrator of the tests is connected over the socket.
    everybody = db.options(me, all_accounts=True, include_system=True, include_local=True, plaintext_sessions="warn")
    promised = modules.require(**everybody, check=True).ok()
    named = {user for user, _host in by_account(promised)}
    assert "mysql.session" in named
    if db.mariadb:
        assert "mariadb.sys" in named
    elif not db.legacy:
        assert {"mysql.sys", "mysql.session", "mysql.infoschema"} <= named
    assert db.snapshot() == before
    modules.require(**db.options(me, user="mysql.session", host="10.0.0.1", include_system=True)).ok()
    assert db.requirement("mysql.session", "10.0.0.1")[0] == "ANY"


def test_locked_accounts_too(modern_db: Database, modules: Modules) -> None:
    """Somebody may unlock it one day."""
    db = modern_db
    me = db.administrator()
    app = db.create(db.name_of("app"))
    db.query("ALTER USER %s@%s ACCOUNT LOCK", app.user, app.host)
    untouched = db.everything_but_the_requirement(app.user, app.host)
    modules.require(**db.options(me, user=app.user)).ok()
    assert db.ssl_type(app) == "ANY"
    assert db.everything_but_the_requirement(app.user, app.host) == untouched


ODD_NAMES = [
    "it's",
    "a\\b\\",
    'say "hi"',
    "two words",
    "50%",
    "a_b",
    "per%s%d",
    "m\u00fc\u00df\u00e9",
    "\u65e5\u672c",
    "x@y",
    "x'; -- y",
    "`tick`",
    "CaSe",
    "#c/*",
]


@pytest.mark.parametrize("sql_mode", ["", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES"])
def test_odd_names(db: Database, modules: Modules, sql_mode: str) -> None:
    me = db.administrator()
    for user in ODD_NAMES:
        db.create(user, "10.0.0.1")
    decoys = [db.create(name, "10.0.0.1") for name in ("ab", "case", "axb", "50x")]
    previous = db.value("SELECT @@GLOBAL.sql_mode")
    untouched = {user: db.everything_but_the_requirement(user, "10.0.0.1") for user in ODD_NAMES}
    db.query("SET GLOBAL sql_mode = %s", sql_mode)
    try:
        patterns = ODD_NAMES[:5] + [f"{name}@10.0.0.1" for name in ODD_NAMES[5:]]
        # With quotes around the user alone somebody means the user without them.
        place = patterns.index("`tick`@10.0.0.1")
        assert "is not a pattern" in modules.require(**db.options(me, accounts=patterns)).msg
        patterns[place] = "'`tick`'@'10.0.0.1'"
        done = modules.require(**db.options(me, accounts=patterns)).ok()
        assert {user: db.requirement(user, "10.0.0.1")[0] for user in ODD_NAMES} == dict.fromkeys(ODD_NAMES, "ANY")
        assert [db.ssl_type(decoy) for decoy in decoys] == ["", "", "", ""]
        one = modules.require(**db.options(me, user=ODD_NAMES[1], ssl_type="none")).ok()
        assert db.requirement(ODD_NAMES[1], "10.0.0.1")[0] == ""
        assert by_account(one) == {(ODD_NAMES[1], "10.0.0.1"): ("ANY", "NONE")}
        # The statements that the module gives for the way back are right in a session like its own.
        with db.login(me, TLS) as connection, connection.cursor() as cursor:
            for statement in one["rollback_statements"]:
                cursor.execute(statement)
            assert db.requirement(ODD_NAMES[1], "10.0.0.1")[0] == "ANY"
            for statement in done["rollback_statements"]:
                cursor.execute(statement)
    finally:
        db.query("SET GLOBAL sql_mode = %s", previous)
    assert {user: db.requirement(user, "10.0.0.1")[0] for user in ODD_NAMES} == dict.fromkeys(ODD_NAMES, "")
    assert {user: db.everything_but_the_requirement(user, "10.0.0.1") for user in ODD_NAMES} == untouched


def test_password_plugin_and_privileges_stay(db: Database, modules: Modules) -> None:
    """Byte by byte, with privileges at every level."""
    me = db.administrator()
    plugin = None if db.legacy else "caching_sha2_password" if not db.mariadb else "mysql_native_password"
    app = db.create(db.name_of("app"), "127.0.0.1")
    if plugin and not db.mariadb:
        db.query(f"ALTER USER %s@%s IDENTIFIED WITH {plugin} BY %s", app.user, app.host, app.password)
    for grants in ("SELECT, PROCESS ON *.*", "INSERT ON mysql.*", "SELECT (User) ON mysql.user"):
        db.query(f"GRANT {grants} TO %s@%s", app.user, app.host)
    limits = "MAX_USER_CONNECTIONS 7 MAX_QUERIES_PER_HOUR 1000"
    verb = "GRANT USAGE ON *.* TO" if db.legacy else "ALTER USER"
    db.query(f"{verb} %s@%s WITH {limits}", app.user, app.host)
    before = db.everything_but_the_requirement(app.user, app.host)
    for ssl_type in ("any", "x509", "none"):
        modules.require(**db.options(me, user=app.user, ssl_type=ssl_type)).ok()
        assert db.everything_but_the_requirement(app.user, app.host) == before
    assert db.admits(app, None)


# How it is written


def test_alter_user_needs_a_newer_server(old_db: Database, modules: Modules) -> None:
    me = old_db.administrator()
    before = old_db.snapshot()
    result = modules.require(**old_db.options(me, user=me.user, method="alter_user"))
    assert result.failed
    assert "method" in result.msg
    assert "5.6" in result.msg
    assert "grant_tables" in result.msg
    assert old_db.snapshot() == before


def test_grant_tables_on_a_view(modern_db: Database, modules: Modules) -> None:
    """MariaDB's mysql.user is a view; MySQL's takes the update."""
    db = modern_db
    me = db.administrator()
    before = db.snapshot()
    result = modules.require(**db.options(me, user=me.user, method="grant_tables"))
    if db.mariadb:
        assert result.failed
        assert "view" in result.msg
        assert "alter_user" in result.msg
        assert db.snapshot() == before
        return
    result.ok()
    assert result["method"] == "grant_tables"
    assert result["flushed"]
    assert result["statements"][-1] == "FLUSH PRIVILEGES"
    assert result["verified"]
    assert not db.admits(me, None)
    assert db.admits(me, TLS)
    for statement in result["rollback_statements"]:
        db.query(statement)
    assert db.admits(me, None)
    assert db.snapshot() == before


def test_grant_tables_where_the_table_is_closed(new_db: Database, modules: Modules) -> None:
    """As RDS for MySQL from 8.0.36 on: CREATE USER, but no UPDATE on mysql.user."""
    me = new_db.create(new_db.name_of("db_root"), "127.0.0.1")
    for grants in ("CREATE USER, PROCESS ON *.*", "SELECT ON mysql.*"):
        new_db.query(f"GRANT {grants} TO %s@%s", me.user, me.host)
    before = new_db.snapshot()
    result = modules.require(**new_db.options(me, user=me.user, method="grant_tables"))
    assert result.failed
    assert "mysql.user" in result.msg
    assert "alter_user" in result.msg
    assert new_db.snapshot() == before
    modules.require(**new_db.options(me, user=me.user)).ok()
    assert not new_db.admits(me, None)
    assert new_db.admits(me, TLS)


def test_grant_usage_where_the_update_is_refused(old_db: Database, modules: Modules) -> None:
    """MySQL 5.6 without UPDATE on mysql.user: GRANT USAGE, for which it wants the grant option."""
    me = old_db.create(old_db.name_of("db_root"), "127.0.0.1")
    app = old_db.create(old_db.name_of("app"))
    old_db.query("GRANT CREATE USER, RELOAD, PROCESS ON *.* TO %s@%s WITH GRANT OPTION", me.user, me.host)
    for table in ("user", "proxies_priv"):
        old_db.query(f"GRANT SELECT ON mysql.{table} TO %s@%s", me.user, me.host)
    untouched = old_db.everything_but_the_requirement(app.user, app.host)
    options = old_db.options(me, user=app.user)
    done = modules.require(**options).ok()
    assert done["method"] == "grant_usage"
    assert not done["flushed"]
    assert f"GRANT USAGE ON *.* TO '{app.user}'@'%' REQUIRE SSL" in done["statements"]
    assert old_db.ssl_type(app) == "ANY"
    assert not old_db.admits(app, None)
    assert old_db.admits(app, TLS)
    assert old_db.everything_but_the_requirement(app.user, app.host) == untouched
    assert not modules.require(**options).ok()["changed"]
    refused = modules.require(**old_db.options(me, user=app.user, method="grant_tables"))
    assert refused.failed
    assert "mysql.user" in refused.msg
    modules.require(**old_db.options(me, user=app.user, ssl_type="none")).ok()
    assert old_db.admits(app, None)


def test_without_the_privilege_nothing_changes(db: Database, modules: Modules) -> None:
    """A login that may look, but not write."""
    me = db.create(db.name_of("auditor"), "127.0.0.1")
    app = db.create(db.name_of("app"))
    db.query("GRANT SELECT ON mysql.* TO %s@%s", me.user, me.host)
    db.query("GRANT PROCESS ON *.* TO %s@%s", me.user, me.host)
    before = db.snapshot()
    result = modules.require(**db.options(me, user=app.user))
    assert result.failed
    assert "denied" in result.msg
    assert result.msg.endswith("Nothing was changed.")
    assert not result["changed"]
    assert "state_unknown" not in result.values
    assert db.snapshot() == before


def test_one_of_many_is_refused(new_db: Database, modules: Modules) -> None:
    """As on RDS: accounts with SYSTEM_USER are closed to those without it. That is found before anything is written."""
    me = new_db.create(new_db.name_of("db_root"), "127.0.0.1")
    for grants in ("CREATE USER, PROCESS ON *.*", "SELECT ON mysql.*"):
        new_db.query(f"GRANT {grants} TO %s@%s", me.user, me.host)
    stem = new_db.name_of("app")
    apps = [new_db.create(f"{stem}{letter}") for letter in "abc"]
    new_db.require(apps[0].user, apps[0].host, "X509")
    new_db.query("GRANT SYSTEM_USER ON *.* TO %s@%s", apps[1].user, apps[1].host)
    before = new_db.snapshot()
    result = modules.require(**new_db.options(me, accounts=[f"{stem}*"], exact=True))
    assert result.failed
    assert "SYSTEM_USER" in result.msg
    assert "Nothing was changed." in result.msg
    assert "state_unknown" not in result.values
    assert new_db.snapshot() == before
    assert new_db.admits(apps[2], None)


def test_flush_is_refused(old_db: Database, modules: Modules) -> None:
    """UPDATE on mysql.user, but no RELOAD: the update is put back, as it would count at the next restart."""
    me = old_db.create(old_db.name_of("db_root"), "127.0.0.1")
    app = old_db.create(old_db.name_of("app"))
    old_db.query("GRANT SELECT, UPDATE ON mysql.user TO %s@%s", me.user, me.host)
    old_db.query("GRANT SELECT ON mysql.proxies_priv TO %s@%s", me.user, me.host)
    old_db.query("GRANT PROCESS ON *.* TO %s@%s", me.user, me.host)
    before = old_db.snapshot()
    result = modules.require(**old_db.options(me, user=app.user))
    assert result.failed
    assert "RELOAD" in result.msg
    assert result["rolled_back"]
    assert old_db.snapshot() == before
    old_db.query("FLUSH PRIVILEGES")
    assert old_db.admits(app, None)


def test_flush(db: Database, modules: Modules) -> None:
    me = db.administrator()
    app = db.create(db.name_of("app"))
    never = modules.require(**db.options(me, user=app.user, flush="never"))
    if db.legacy:
        assert never.failed
        assert "flush" in never.msg
        assert db.ssl_type(app) == ""
    else:
        assert not never.ok()["flushed"]
        assert db.ssl_type(app) == "ANY"
        modules.require(**db.options(me, user=app.user, ssl_type="none")).ok()
    with db.watch() as seen:
        always = modules.require(**db.options(me, user=app.user, flush="always")).ok()
    assert always["flushed"]
    assert always["statements"][-1] == "FLUSH PRIVILEGES"
    flushes = [statement for statement in seen if statement.upper().startswith("FLUSH")]
    assert [statement.partition(" /*")[0] for statement in flushes] == ["FLUSH PRIVILEGES"]
    assert not db.admits(app, None)
    assert not modules.require(**db.options(me, user=app.user, flush="always")).ok()["flushed"]


def test_flush_never_with_grant_tables(new_db: Database, modules: Modules) -> None:
    me = new_db.administrator()
    before = new_db.snapshot()
    result = modules.require(**new_db.options(me, user=me.user, method="grant_tables", flush="never"))
    assert result.failed
    assert "flush" in result.msg
    assert new_db.snapshot() == before


def test_over_the_socket(db: Database, modules: Modules) -> None:
    """The login account is one of the changed ones, and it logs in over the socket."""
    me = db.administrator(host="localhost")
    options = db.options(me, login_host=None, login_port=None, ca_cert=None, login_unix_socket=db.server.socket)
    done = modules.require(**options, user=me.user).ok()
    assert done["changed"]
    assert done["verified"]
    assert db.ssl_type(me) == "ANY"
    assert not modules.require(**options, user=me.user).ok()["changed"]
