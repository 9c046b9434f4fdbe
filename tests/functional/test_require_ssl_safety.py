# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_require_ssl locks nobody out: what stops it before it writes, and what it puts back after."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import Pki
from tests.servers.pki import account_names

from .assertions import writing
from .database import Database, Tls
from .result import Result
from .runner import Modules, client_options, unmet
from .servers import Servers

TLS = Tls()


def refused(result: Result, *said: str) -> None:
    """A failure that says this and has changed nothing."""
    assert result.failed
    for words in said:
        assert words in result.msg
    assert result.values.get("changed") is not True
    assert not result.values.get("rolled_back")


# Before anything is written


@pytest.mark.parametrize("check", [True, False])
def test_server_without_tls(plain_db: Database, modules: Modules, check: bool) -> None:
    db = plain_db
    me = db.administrator()
    app = db.create(db.name_of("app"))
    before = db.snapshot()
    # MySQL 9.7 then knows the password and takes a scramble afterwards.
    assert db.admits(me, None)
    with db.watch() as seen:
        for options in ({"user": me.user}, {"accounts": [app.user]}, {"user": app.user, "ssl_type": "x509"}):
            result = modules.require(**db.options(me, **options), check=check)
            refused(result, "does not offer TLS", str(db.server.port))
            assert result["accounts"]
    assert seen
    assert writing(seen) == []
    assert db.snapshot() == before
    assert db.admits(me, None)
    assert db.admits(app, None)


def test_without_tls_the_requirement_still_comes_off(plain_db: Database, modules: Modules) -> None:
    """Whoever is locked out by a requirement on such a server needs just that."""
    db = plain_db
    me = db.administrator()
    app = db.create(db.name_of("app"), require="SSL")
    assert not db.admits(app, None)
    assert db.admits(me, None)
    modules.require(**db.options(me, user=app.user, ssl_type="none")).ok()
    assert db.admits(app, None)


@pytest.mark.parametrize("check", [True, False])
def test_login_account_that_cannot_use_tls(db: Database, modules: Modules, stranger: Pki, check: bool) -> None:
    """It gets in without TLS, but with TLS the server does not take its client certificate."""
    me = db.administrator()
    app = db.create(db.name_of("app"))
    before = db.snapshot()
    # Once with TLS, so that MySQL 9.7 knows the password and takes a scramble afterwards.
    assert db.admits(me, TLS)
    options = db.options(me, ssl_mode="disabled", **client_options(stranger.client()))
    refused(modules.require(**options, user=me.user, check=check), me.user, "cannot log in with TLS")
    assert db.snapshot() == before
    assert db.admits(me, None)
    assert db.admits(app, None)


def test_login_account_whose_client_is_too_new(old_db: Database, modules: Modules) -> None:
    """MySQL 5.6 and a client that wants TLSv1.2: the plaintext login works, the TLS login does not."""
    me = old_db.administrator()
    before = old_db.snapshot()
    for mode in ("disabled", None):
        options = old_db.options(me, tls_min_version=None, ca_cert=None, ssl_mode=mode)
        result = modules.require(**options, user=me.user)
        refused(result, "TLS")
        if mode:
            assert "tls_min_version" in result.msg
    assert old_db.snapshot() == before
    assert old_db.admits(me, None)


def test_login_without_tls_is_proven_first(db: Database, modules: Modules) -> None:
    """Logged in without TLS, but with TLS it works, so it may be required."""
    me = db.administrator()
    assert db.admits(me, TLS)
    options = db.options(me, ca_cert=None, ssl_mode="disabled")
    done = modules.require(**options, user=me.user).ok()
    assert done["verified"]
    assert not db.admits(me, None)
    assert db.admits(me, TLS)


@pytest.mark.parametrize("ssl_type", ["x509", "specified"])
def test_login_account_without_a_client_certificate(db: Database, modules: Modules, ssl_type: str) -> None:
    me = db.administrator()
    before = db.snapshot()
    more = {"subject": "/CN=x"} if ssl_type == "specified" else {}
    for check in (True, False):
        result = modules.require(**db.options(me, user=me.user, ssl_type=ssl_type, **more), check=check)
        refused(result, "client_cert", me.user)
    assert db.snapshot() == before
    assert db.admits(me, None)
    # Another account may be made to need one.
    app = db.create(db.name_of("app"))
    modules.require(**db.options(me, user=app.user, ssl_type=ssl_type, **more)).ok()
    assert db.ssl_type(app) == ssl_type.upper()


def test_no_account_matches(db: Database, modules: Modules) -> None:
    me = db.administrator()
    app = db.create(db.name_of("app"))
    before = db.snapshot()
    absent: list[dict[str, object]] = [
        {"user": "nobody-here"},
        {"user": app.user, "host": "10.9.8.7"},
        {"user": app.user.upper()},
        {"accounts": ["nobody-*@*"]},
        {"accounts": [app.user], "exclude": [f"{app.user}@%"]},
        {"user": "mysql.sys"},
    ]
    for number, options in enumerate(absent):
        result = modules.require(**db.options(me, **options), check=number % 2 == 1)
        refused(result, "No account", str(db.server.port))
        if "user" in options:
            assert str(options["user"]) in result.msg
    assert db.snapshot() == before


@pytest.mark.parametrize("check", [True, False])
def test_plaintext_session_of_a_target(seeing_db: Database, modules: Modules, check: bool) -> None:
    db = seeing_db
    me = db.administrator()
    app = db.create(db.name_of("app"))
    before = db.snapshot()
    options = db.options(me, accounts=[me.user, app.user])
    with db.login(app, None) as client, client.cursor() as cursor:
        result = modules.require(**options, check=check)
        refused(result, app.user, "without TLS", "plaintext_sessions", str(client.thread_id()))
        assert [(s["user"], s["host"], s["connection_id"]) for s in result["plaintext_sessions"]] == [
            (app.user, "127.0.0.1", client.thread_id())
        ]
        assert db.snapshot() == before

        warned = modules.require(**options, plaintext_sessions="warn", check=check).ok()
        assert app.user in warned.warnings
        assert str(client.thread_id()) in warned.warnings
        assert (db.snapshot() == before) is check
        db.require(app.user, app.host, "NONE")

        allowed = modules.require(**options, plaintext_sessions="allow", check=check).ok()
        assert app.user not in allowed.warnings
        assert len(allowed["plaintext_sessions"]) == 1
        # The session goes on as it was.
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
    assert db.ssl_type(app) == ("" if check else "ANY")


def test_sessions_that_are_no_reason_to_stop(seeing_db: Database, modules: Modules) -> None:
    """With TLS, of another account, by an address that the account does not admit, and the control session's own."""
    db = seeing_db
    me = db.administrator()
    app = db.create(db.name_of("app"))
    elsewhere = db.create(app.user, "10.%")
    other = db.create(db.name_of("other"))
    with db.login(app, TLS), db.login(other, None), db.login(me, None):
        modules.require(**db.options(me, user=app.user)).ok()
    assert db.ssl_type(app) == db.ssl_type(elsewhere) == "ANY"
    db.require(app.user, app.host, "NONE")
    db.require(elsewhere.user, elsewhere.host, "NONE")
    with db.login(app, None):
        modules.require(**db.options(me, user=app.user, host="10.%")).ok()
        assert db.ssl_type(elsewhere) == "ANY"
        assert db.ssl_type(app) == ""
    # Logged in without TLS as the target itself: this very session does not count.
    modules.require(**db.options(me, user=me.user, ca_cert=None, ssl_mode="disabled")).ok()
    assert db.ssl_type(me) == "ANY"


def test_another_plaintext_session_of_the_login_account(seeing_db: Database, modules: Modules) -> None:
    db = seeing_db
    me = db.administrator()
    with db.login(me, None) as client:
        refused(modules.require(**db.options(me, user=me.user)), str(client.thread_id()))
    assert db.ssl_type(me) == ""


def test_nobody_to_stop_for_when_it_comes_off(seeing_db: Database, modules: Modules) -> None:
    db = seeing_db
    me = db.administrator()
    app = db.create(db.name_of("app"))
    with db.login(app, None):
        db.require(app.user, app.host, "SSL")
        modules.require(**db.options(me, user=app.user, ssl_type="none")).ok()
        db.require(app.user, app.host, "SSL")
        # Nor when it was there already.
        assert not modules.require(**db.options(me, user=app.user)).ok()["changed"]
    assert db.ssl_type(app) == "ANY"


def test_where_sessions_cannot_be_seen(servers: Servers, modules: Modules) -> None:
    """It says so, and goes on where it is told to."""
    for name in ("mysql-5.6", "mariadb-11.8"):
        db = servers.get(name)
        me = db.administrator()
        app = db.create(db.name_of("app"))
        with db.login(app, None):
            done = modules.require(**db.options(me, user=app.user, plaintext_sessions="warn")).ok()
            assert "session TLS status" in done.warnings
            quiet = modules.require(**db.options(me, user=app.user, ssl_type="none")).ok()
            assert "session TLS status" not in quiet.warnings


# After it


@pytest.mark.parametrize("part", ["subject", "issuer"])
def test_certificate_of_the_login_does_not_meet_the_requirement(
    db: Database, modules: Modules, pki: Pki, part: str
) -> None:
    """Told before anything is written: a server that died before all was put back would let nobody in again."""
    client = pki.client()
    subject, issuer = account_names(client.cert)
    names = {"subject": subject, "issuer": issuer, part: "/CN=not-this-one"}
    me = db.administrator()
    for check in (True, False):
        options = db.options(me, user=me.user, ssl_type="specified", **names, **client_options(client))
        with db.watch() as seen:
            result = modules.require(**options, check=check)
        assert result.failed
        assert me.user in result.msg
        assert "/CN=not-this-one" in result.msg
        assert repr({"subject": subject, "issuer": issuer}[part]) in result.msg
        assert "Nothing was changed." in result.msg
        assert writing(seen) == []
    # What would have happened without it.
    db.require(me.user, me.host, f"{part.upper()} '/CN=not-this-one'")
    assert not db.admits(me, Tls(client))


@pytest.mark.parametrize("earlier", ["NONE", "SSL", "X509", "SPECIFIED"])
def test_put_back_after_a_failed_proof(db: Database, modules: Modules, pki: Pki, earlier: str) -> None:
    """The login account would be locked out; whatever was there before is there again."""
    subject, issuer = account_names(pki.client().cert)
    me = db.administrator()
    app = db.create(db.name_of("app"), require="SSL")
    clause = f"ISSUER '{issuer}' AND SUBJECT '{subject}'" if earlier == "SPECIFIED" else earlier
    db.require(me.user, me.host, clause)
    requirements = [db.requirement(a.user, a.host) for a in (me, app)]
    untouched = [db.everything_but_the_requirement(a.user, a.host) for a in (me, app)]

    with db.watch() as seen:
        result = modules.require(**db.options(me, accounts=[me.user, app.user], **unmet(pki)))
    assert result.failed
    assert me.user in result.msg
    assert "rolled back" in result.msg
    assert result["rolled_back"] is True
    assert result["changed"] is False
    assert result["verified"] is False
    assert "state_unknown" not in result.values
    # It was really there for a moment.
    assert len(writing(seen)) == len(result["statements"]) + len(result["rollback_statements"])
    assert any("NO-SUCH-CIPHER" in statement for statement in writing(seen))

    assert [db.requirement(a.user, a.host) for a in (me, app)] == requirements
    assert [db.everything_but_the_requirement(a.user, a.host) for a in (me, app)] == untouched
    assert db.admits(me, Tls(pki.client()))
    assert db.admits(me, None) is (earlier == "NONE")
    assert db.admits(app, TLS)
    assert not db.admits(app, None)


def test_put_back_by_grant_tables(new_db: Database, modules: Modules, pki: Pki) -> None:
    me = new_db.administrator()
    before = new_db.snapshot()
    result = modules.require(**new_db.options(me, user=me.user, method="grant_tables", **unmet(pki)))
    assert result.failed
    assert result["rolled_back"]
    assert result["flushed"]
    assert new_db.snapshot() == before
    assert new_db.admits(me, None)


def test_put_back_by_grant_usage(old_db: Database, modules: Modules, pki: Pki) -> None:
    me = old_db.create(old_db.name_of("db_root"), "127.0.0.1")
    old_db.query("GRANT CREATE USER, RELOAD, PROCESS ON *.* TO %s@%s WITH GRANT OPTION", me.user, me.host)
    for table in ("user", "proxies_priv"):
        old_db.query(f"GRANT SELECT ON mysql.{table} TO %s@%s", me.user, me.host)
    before = old_db.snapshot()
    result = modules.require(**old_db.options(me, user=me.user, **unmet(pki)))
    assert result.failed
    assert result["method"] == "grant_usage"
    assert result["rolled_back"]
    assert old_db.snapshot() == before
    assert old_db.admits(me, None)


def test_put_back_through_the_session_that_was_open(db: Database, modules: Modules, pki: Pki) -> None:
    """A cipher that nobody uses: no new login of the account is possible until it is put back."""
    me = db.administrator()
    result = modules.require(
        **db.options(me, user=me.user, ssl_type="specified", cipher="NO-SUCH-CIPHER", **client_options(pki.client()))
    )
    assert result.failed
    assert result["rolled_back"]
    assert db.requirement(me.user, me.host) == ("", "", "", "")
    assert db.admits(me, None)
    assert db.admits(me, TLS)


def test_the_anonymous_account_takes_the_login(db: Database, modules: Modules) -> None:
    """The check is about the account that the server has chosen, whatever name the login gave."""
    host = "127.0.0.1"
    db.query("CREATE USER ''@'127.0.0.1'")
    db.adopt("", host)
    me = db.administrator(host="%")
    # ''@127.0.0.1 is more specific than me@%, so that this login is the anonymous one, with no password and no rights.
    result = modules.require(**{**db.options(me, user=me.user), "login_password": ""})
    assert result.failed
    assert db.ssl_type(me) == ""


def test_passwords_stay_out_of_everything(db: Database, modules: Modules, tmp_path: Path) -> None:
    """Modules.run looks for the password in every output; here in what the server logs."""
    me = db.administrator()
    app = db.create(db.name_of("app"))
    with db.watch() as seen:
        modules.require(**db.options(me, user=app.user)).ok()
    assert not [statement for statement in seen if me.password in statement]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and me.password.encode() in path.read_bytes()]
