# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logins that have to be proven, before and after."""

from __future__ import annotations

import pytest

from tests.servers import Pki

from .database import Account, Database, Tls
from .runner import Modules, client_options

TLS = Tls()


def entry(account: Account) -> dict[str, str]:
    return {"user": account.user, "password": account.password}


def test_more_accounts_are_proven(db: Database, modules: Modules) -> None:
    """A target has its requirement in the server's memory as well; another account has none."""
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
        (app.user, app.host, "requirement_in_memory", True, None),
        (app.user, app.host, "tls_login", True, None),
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
    assert [(v["user"], v["method"], v["verified"]) for v in result["verification"]] == [
        (me.user, "tls_login", True),
        (app.user, "requirement_in_memory", True),
        (app.user, "tls_login", False),
    ]
    assert result["verification"][2]["reason"]
    assert db.requirement(app.user, app.host) == ("ANY", "", "", "")
    assert db.everything_but_the_requirement(app.user, app.host) == untouched
    assert db.admits(app, TLS)


def test_what_cannot_be_proven_is_said(modern_db: Database, modules: Modules) -> None:
    """Seeing what a server has in memory takes a privilege that writing does not."""
    db = modern_db
    me = db.create(db.name_of("me"), "127.0.0.1")
    # MySQL wants SYSTEM_USER for accounts that have it; the application has not.
    db.query("GRANT CREATE USER, PROCESS ON *.* TO %s@%s", me.user, me.host)
    for table in ("user", "proxies_priv", *(("global_priv",) if db.mariadb else ())):
        db.query(f"GRANT SELECT ON mysql.{table} TO %s@%s", me.user, me.host)
    apps = sorted((db.create(db.name_of("app")) for _number in range(5)), key=lambda app: app.user)
    done = modules.require(**db.options(me, accounts=[app.user for app in apps])).ok()
    assert done["changed"]
    assert not done["verified"]
    assert [(v["user"], v["method"], v["verified"]) for v in done["verification"]] == [
        (me.user, "tls_login", True),
        *((app.user, "requirement_in_memory", False) for app in apps),
    ]
    assert "Grant it SELECT on mysql.*" in done["verification"][1]["reason"]
    for words in ("could not be proven", "Grant it SELECT on mysql.*", "2 more"):
        assert words in done.warnings


@pytest.mark.parametrize(
    "text", ["it's", 'a"b', "a\\b", "a\\'b", "x' REQUIRE SSL", "x REQUIRE NONE", "' AND CIPHER 'y", "ü", "a''b"]
)
def test_any_distinguished_name_is_proven(db: Database, modules: Modules, text: str) -> None:
    """However a server shows it; most do not escape it."""
    me, app = db.administrator(), db.create(db.name_of("app"))
    done = modules.require(**db.options(me, user=app.user, ssl_type="specified", subject=f"/CN={text}")).ok()
    assert done["verified"]
    assert db.requirement(app.user, app.host)[3] == f"/CN={text}"
