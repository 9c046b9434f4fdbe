# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server-wide switch: set, read back, proven, put back, and refused where it would lock somebody out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import Pki

from .database import Database, Tls
from .runner import Modules, client_options
from .servers import Servers
from .switch import NAME, reset, state

TLS = Tls()


@pytest.fixture
def switch_db(seeing_db: Database) -> Iterator[Database]:
    """Servers that have the switch, which is off before and after."""
    reset(seeing_db)
    yield seeing_db
    reset(seeing_db)


def test_on_and_off(switch_db: Database, modules: Modules) -> None:
    db = switch_db
    me = db.administrator()
    app = db.create(db.name_of("app"))
    assert db.admits(app, None)
    promised = modules.require(**db.options(me, require_secure_transport=True), check=True).ok()
    assert state(db) == ("OFF", None)
    done = modules.require(**db.options(me, require_secure_transport=True)).ok()
    assert promised["changed"]
    assert done["changed"]
    assert done["verified"]
    assert state(db) == ("ON", None if db.mariadb else "ON")
    assert done["statements"] == promised["statements"]
    assert done["statements"] == [f"SET {'GLOBAL' if db.mariadb else 'PERSIST'} {NAME} = ON"]
    assert done["require_secure_transport"] == {"before": False, "after": True, "lasting": not db.mariadb}
    assert f"{NAME}: False" in done["diff"]["before"]
    assert f"{NAME}: True" in done["diff"]["after"]
    assert [(v["method"], v["verified"]) for v in done["verification"]] == [
        ("tls_login", True),
        ("variable_in_memory", True),
    ]
    assert ("does not survive a restart" in done.warnings) is db.mariadb
    assert ("[mariadb]" in done.warnings) is db.mariadb
    assert not db.admits(app, None)
    assert db.admits(app, TLS)
    again = modules.require(**db.options(me, require_secure_transport=True)).ok()
    assert not again["changed"]
    for statement in done["rollback_statements"]:
        db.query(statement)
    assert state(db) == ("OFF", None)
    assert db.admits(app, None)
    modules.require(**db.options(me, require_secure_transport=True)).ok()
    off = modules.require(**db.options(me, require_secure_transport=False)).ok()
    assert off["changed"]
    assert state(db) == ("OFF", None if db.mariadb else "OFF")
    assert db.admits(app, None)


def test_together_with_accounts(switch_db: Database, modules: Modules) -> None:
    db = switch_db
    me = db.administrator()
    app = db.create(db.name_of("app"))
    done = modules.require(**db.options(me, accounts=[app.user, me.user], require_secure_transport=True)).ok()
    assert done["verified"]
    assert len(done["accounts"]) == 2
    assert state(db)[0] == "ON"
    assert db.ssl_type(app) == db.ssl_type(me) == "ANY"
    for statement in done["rollback_statements"]:
        db.query(statement)
    assert state(db) == ("OFF", None)
    assert db.ssl_type(app) == db.ssl_type(me) == ""


def test_what_was_persisted_is_put_back(new_db: Database, modules: Modules, pki: Pki) -> None:
    """The value and what the next start would have made of it differ, and both come back."""
    db = new_db
    me = db.administrator()
    app = db.create(db.name_of("app"), require="NONE")
    db.query(f"SET PERSIST_ONLY {NAME} = ON")
    try:
        assert state(db) == ("OFF", "ON")
        # app meets the requirement of today and not the one of tomorrow, so its proof fails.
        result = modules.require(
            **db.options(
                me,
                require_secure_transport=False,
                user=app.user,
                verify=[{"user": app.user, "password": app.password}],
                ssl_type="specified",
                subject="/CN=not-this-one",
                **client_options(pki.client()),
            )
        )
        assert result.failed
        assert result["rolled_back"]
        assert result["require_secure_transport"]["after"] is False
        assert any(statement.startswith(f"SET PERSIST {NAME} = OFF") for statement in result["statements"])
        assert state(db) == ("OFF", "ON")
        assert db.admits(app, None)
    finally:
        reset(db)


def test_put_back_where_a_proof_fails(switch_db: Database, modules: Modules, pki: Pki) -> None:
    db = switch_db
    me = db.administrator()
    app = db.create(db.name_of("app"))
    result = modules.require(
        **db.options(
            me,
            require_secure_transport=True,
            user=app.user,
            verify=[{"user": app.user, "password": app.password}],
            ssl_type="specified",
            subject="/CN=not-this-one",
            **client_options(pki.client()),
        )
    )
    assert result.failed
    assert result["rolled_back"]
    assert result["changed"] is False
    assert result["require_secure_transport"] == {"before": False, "after": False, "lasting": not db.mariadb}
    assert state(db) == ("OFF", None)
    assert db.admits(app, None)


@pytest.mark.parametrize("check", [True, False])
def test_every_plaintext_session_counts(switch_db: Database, modules: Modules, check: bool) -> None:
    """Not only those of accounts that are to be changed."""
    db = switch_db
    me = db.administrator()
    app = db.create(db.name_of("app"))
    with db.login(app, None) as client:
        for more in ({}, {"user": me.user}):
            result = modules.require(**db.options(me, require_secure_transport=True, **more), check=check)
            assert result.failed
            assert app.user in result.msg
            assert str(client.thread_id()) in result.msg
        assert state(db) == ("OFF", None)
        if not check:
            done = modules.require(**db.options(me, require_secure_transport=True, plaintext_sessions="kill")).ok()
            assert done["plaintext_sessions"][0]["killed"]
            assert state(db)[0] == "ON"
            # What would have happened to that client.
            assert not db.admits(app, None)


def test_control_session_without_tls(switch_db: Database, modules: Modules) -> None:
    db = switch_db
    me = db.administrator()
    assert db.admits(me, TLS)
    for check in (True, False):
        options = db.options(me, ca_cert=None, ssl_mode="disabled", require_secure_transport=True)
        result = modules.require(**options, check=check)
        assert result.failed
        assert "This very session" in result.msg
    assert state(db) == ("OFF", None)
    # What would have happened: a task with these options does not get in again.
    db.query(f"SET GLOBAL {NAME} = ON")
    assert not db.admits(me, None)


def test_over_the_socket(switch_db: Database, modules: Modules) -> None:
    """A Unix socket is no network, and stays open."""
    db = switch_db
    me = db.administrator(host="localhost")
    options = db.options(me, login_host=None, login_port=None, ca_cert=None, login_unix_socket=db.server.socket)
    done = modules.require(**options, ssl_mode="disabled", require_secure_transport=True).ok()
    assert state(db)[0] == "ON"
    assert done["verified"]
    assert modules.status(**options, ssl_mode="disabled").ok()["mysql_ssl"]["session"]["via"] == "socket"


def test_server_without_tls(servers: Servers, modules: Modules) -> None:
    for name in ("mysql-9.7", "mariadb-11.8"):
        db = servers.get(name, tls=False)
        me = db.administrator()
        assert db.admits(me, None)
        result = modules.require(**db.options(me, require_secure_transport=True))
        assert result.failed
        assert "does not offer TLS" in result.msg
        assert state(db) == ("OFF", None)


def test_server_without_the_variable(old_db: Database, modules: Modules) -> None:
    db = old_db
    me = db.administrator()
    app = db.create(db.name_of("app"))
    for check in (True, False):
        result = modules.require(**db.options(me, user=app.user, require_secure_transport=True), check=check)
        assert result.failed
        assert "no such variable" in result.msg
        assert "5.6" in result.msg
    assert db.ssl_type(app) == ""


def test_without_the_privilege(switch_db: Database, modules: Modules) -> None:
    """Nothing is changed, and the message says how it is done on RDS."""
    db = switch_db
    app = db.create(db.name_of("app"))
    me = db.create(db.name_of("db_root"), "127.0.0.1", grants="CREATE USER, RELOAD, PROCESS ON *.*")
    for table in ("mysql.*", "performance_schema.*"):
        db.query(f"GRANT SELECT ON {table} TO %s@%s", me.user, me.host)
    if db.mariadb:
        db.query("GRANT UPDATE ON mysql.* TO %s@%s", me.user, me.host)
    result = modules.require(**db.options(me, user=app.user, require_secure_transport=True))
    assert result.failed
    assert "parameter group" in result.msg
    assert "SYSTEM_VARIABLES_ADMIN" in result.msg
    assert "Nothing was changed." in result.msg
    assert state(db) == ("OFF", None)
    assert db.ssl_type(app) == ""


def test_where_sessions_cannot_be_seen(maria_db: Database, modules: Modules) -> None:
    """Whoever is connected over TCP may be without TLS; over the socket the switch concerns nobody."""
    me, app = maria_db.administrator(), maria_db.create(maria_db.name_of("app"))
    options = maria_db.options(me, require_secure_transport=True)
    try:
        with maria_db.login(app, TLS):
            refused = modules.require(**options)
            assert refused.failed
            assert "session TLS status" in refused.msg
            assert [s["user"] for s in refused["plaintext_sessions"]] == [app.user]
            done = modules.require(**options, plaintext_sessions="warn").ok()
            assert "session TLS status" in done.warnings
    finally:
        reset(maria_db)


@pytest.mark.parametrize("name", ["mysql-9.7", "mariadb-11.8"])
def test_servers_of_rds(servers: Servers, modules: Modules, name: str) -> None:
    """RDS runs its servers from /rdsdbbin, by which the module knows them. The switch is a parameter there."""
    db = servers.get(name, options=("--basedir=/rdsdbbin/server",))
    me = db.administrator()
    app = db.create(db.name_of("app"))
    assert modules.status(**db.options(me)).ok()["mysql_ssl"]["server"]["managed_by"] == "rds"
    for check in (True, False):
        result = modules.require(**db.options(me, user=app.user, require_secure_transport=True), check=check)
        assert result.failed
        for words in ("parameter group", "modify-db-parameter-group", "Nothing was changed"):
            assert words in result.msg
    assert state(db) == ("OFF", None)
    assert db.ssl_type(app) == ""
    # What it is already can be asked for.
    done = modules.require(**db.options(me, user=app.user, require_secure_transport=False)).ok()
    assert done["changed"]
    assert done["require_secure_transport"] == {"before": False, "after": False, "lasting": True}
