# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logins that have to be proven, before and after."""

from __future__ import annotations

from tests.servers import Pki

from .helpers import Account, Database, Modules, Tls, client_options

TLS = Tls()


def entry(account: Account) -> dict[str, str]:
    return {"user": account.user, "password": account.password}


def test_more_accounts_are_proven(db: Database, modules: Modules) -> None:
    """A target has to be refused without TLS as well; another account has not."""
    me = db.administrator()
    app, other = db.create(db.name_of("app")), db.create(db.name_of("other"))
    options = db.options(me, user=app.user, verify=[entry(app), entry(other)])
    promised = modules.require(**options, check=True).ok()
    assert promised["verification"] == []
    assert not promised["verified"]
    done = modules.require(**options).ok()
    assert done["verified"]
    assert [(v["user"], v["host"], v["method"], v["verified"], v["reason"]) for v in done["verification"]] == [
        (me.user, me.host, "tls_login", True, None),
        (app.user, app.host, "tls_login", True, None),
        (app.user, app.host, "plain_refused", True, None),
        (other.user, other.host, "tls_login", True, None),
    ]
    again = modules.require(**options).ok()
    assert not again["changed"]
    assert again["verified"]
    assert [v["user"] for v in again["verification"]] == [me.user, app.user, other.user]


def test_login_that_fails_already_stops_it(db: Database, modules: Modules) -> None:
    me = db.administrator()
    app = db.create(db.name_of("app"))
    before = db.snapshot()
    wrong = {"user": app.user, "password": "not-the-password-of-anybody"}
    for check in (True, False):
        result = modules.require(**db.options(me, user=app.user, verify=[wrong]), check=check)
        assert result.failed
        for words in ("verify", app.user, "Nothing was changed"):
            assert words in result.msg
    assert db.snapshot() == before
    db.require(app.user, app.host, "SSL")
    unchanged = modules.require(**db.options(me, user=app.user, verify=[wrong]))
    assert unchanged.failed
    assert "Nothing was changed" in unchanged.msg
    assert not unchanged["changed"]
    assert [v["verified"] for v in unchanged["verification"]] == [True, False]


def test_put_back_where_another_account_is_locked_out(db: Database, modules: Modules, pki: Pki) -> None:
    me = db.administrator()
    app = db.create(db.name_of("app"), require="SSL")
    untouched = db.everything_but_the_requirement(app.user, app.host)
    result = modules.require(
        **db.options(
            me,
            user=app.user,
            ssl_type="specified",
            subject="/CN=not-this-one",
            verify=[entry(app)],
            **client_options(pki.client()),
        )
    )
    assert result.failed
    assert result["rolled_back"]
    assert app.user in result.msg
    assert [(v["user"], v["verified"]) for v in result["verification"]] == [(me.user, True), (app.user, False)]
    assert result["verification"][1]["reason"]
    assert db.requirement(app.user, app.host) == ("ANY", "", "", "")
    assert db.everything_but_the_requirement(app.user, app.host) == untouched
    assert db.admits(app, TLS)


def test_what_cannot_be_proven_is_said(new_db: Database, modules: Modules) -> None:
    """MySQL asks for the password itself where it does not know it yet, and without TLS it is not sent."""
    db = new_db
    me = db.administrator()
    app = db.create(db.name_of("app"), plugin="sha256_password")
    done = modules.require(**db.options(me, user=app.user, verify=[entry(app)])).ok()
    assert done["changed"]
    assert not done["verified"]
    doubtful = [v for v in done["verification"] if not v["verified"]]
    assert [(v["user"], v["method"]) for v in doubtful] == [(app.user, "plain_refused")]
    assert "not sent" in doubtful[0]["reason"]
    assert "could not be proven" in done.warnings
