# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM database authentication: a token as the password, for a server that asks for mysql_clear_password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.servers import Pki, ServerUnavailable
from tests.servers.aws_iam import IamPlugin, a_token, asking_for_tokens

from .database import Account, Database, Tls
from .runner import Modules

USER = "iam_user"


@dataclass(frozen=True)
class Iam:
    """A server with the plugin, and an account that logs in with tokens."""

    database: Database
    plugin: IamPlugin

    def create(self, *, require: str) -> None:
        """Make the account, as the RDS manual says."""
        how = "IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'"
        self.database.query(f"CREATE USER {USER}@'127.0.0.1' {how}")
        self.database.adopt(USER, "127.0.0.1")
        self.database.query(f"GRANT ALL PRIVILEGES ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION")
        self.database.require(USER, "127.0.0.1", require)

    def options(self, **more: Any) -> dict[str, Any]:
        """How to log in with a token."""
        server = self.database.server
        options = {
            "login_host": server.host,
            "login_port": server.port,
            "login_user": USER,
            "login_password": a_token(server.host, server.port, USER),
            "ca_cert": str(self.database.pki.bundle),
            **more,
        }
        return {name: value for name, value in options.items() if value is not None}


@pytest.fixture(scope="module", params=["mysql-9.7", "mariadb-10.11", "mariadb-11.8"])
def running(request: pytest.FixtureRequest, pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iam]:
    """A server with the plugin."""
    with ExitStack() as stack:
        try:
            server, plugin = stack.enter_context(
                asking_for_tokens(request.param, pki.server(), tmp_path_factory.mktemp("plugin"))
            )
        except ServerUnavailable as e:
            pytest.skip(str(e))  # which says what cannot be had on this machine
        database = Database(server, pki)
        stack.callback(database.disconnect)
        yield Iam(database, plugin)


@pytest.fixture
def iam(running: Iam) -> Iterator[Iam]:
    """The server, with nothing received yet; accounts are dropped after the test."""
    running.plugin.received()
    yield running
    running.database.drop_all()


def test_a_token_over_verified_tls(iam: Iam, modules: Modules) -> None:
    iam.create(require="SSL")
    options = iam.options()
    seen = modules.status(**options).ok()
    assert seen["mysql_ssl"]["session"]["verified"]
    assert seen["mysql_ssl"]["session"]["user"].startswith(USER)
    assert set(iam.plugin.received()) == {options["login_password"]}


def test_the_server_does_ask_for_tokens(iam: Iam, modules: Modules) -> None:
    """Another user's is refused; so the login above was by the token."""
    iam.create(require="SSL")
    server = iam.database.server
    failed = modules.status(**iam.options(login_password=a_token(server.host, server.port, "another")))
    assert failed.failed
    assert f"login of '{USER}' refused" in failed.msg


@pytest.mark.parametrize(
    "more",
    [
        {"ca_cert": None},
        {"ca_cert": None, "ssl_mode": "required"},
        {"ca_cert": None, "ssl_mode": "disabled"},
    ],
    ids=["preferred", "required", "disabled"],
)
def test_no_token_without_verified_tls(iam: Iam, modules: Modules, more: dict[str, Any]) -> None:
    iam.create(require="NONE")
    failed = modules.status(**iam.options(**more))
    assert failed.failed
    assert iam.plugin.received() == []
    assert "asks for the password in clear text (mysql_clear_password). It was not sent" in failed.msg


def test_no_token_to_a_stranger(iam: Iam, modules: Modules, stranger: Pki) -> None:
    iam.create(require="SSL")
    failed = modules.require(**iam.options(ca_cert=str(stranger.bundle)), user=USER)
    assert failed.failed
    assert "does not chain" in failed.msg
    assert iam.plugin.received() == []


def test_requiring_tls_with_a_token(iam: Iam, modules: Modules) -> None:
    """Of another account, and of the one that logs in."""
    iam.create(require="NONE")
    app = iam.database.create("iam_app", "%")
    done = modules.require(**iam.options(), user=app.user).ok()
    assert done["changed"]
    assert done["verified"]
    assert iam.database.ssl_type(app) == "ANY"

    done = modules.require(**iam.options(), user=USER).ok()
    assert iam.database.requirement(USER, "127.0.0.1")[0] == "ANY"
    assert [(proof["method"], proof["verified"]) for proof in done["verification"]] == [
        ("tls_login", True),
        ("requirement_in_memory", True),
    ]
    again = modules.require(**iam.options(), user=USER).ok()
    assert not again["changed"]
    assert set(iam.plugin.received()) == {iam.options()["login_password"]}


HUMAN = "iam_human"


@dataclass(frozen=True)
class Proxied:
    """``human`` logs in with a token and goes on as ``owner``; the server checks what ``checked`` requires."""

    db: Database
    human: Account
    owner: Account

    @property
    def checked(self) -> Account:
        """Measured: MariaDB checks the account that logs in, MySQL the one that it goes on as."""
        return self.human if self.db.mariadb else self.owner


@pytest.fixture
def proxied(iam: Iam) -> Proxied:
    """GRANT PROXY; the owner may do everything."""
    db = iam.database
    owner = db.create("iam_owner", grants="ALL PRIVILEGES ON *.*")
    db.query(f"CREATE USER {HUMAN}@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'as:{owner.user}'")
    db.adopt(HUMAN, "%")
    db.query(f"GRANT PROXY ON {owner.user}@'%' TO {HUMAN}@'%'")
    return Proxied(db, Account(HUMAN, "%", a_token(db.server.host, db.server.port, HUMAN)), owner)


def test_whose_requirement_is_checked_under_grant_proxy(proxied: Proxied, modules: Modules) -> None:
    db, human = proxied.db, proxied.human
    with db.login(human, None) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER()")
        assert cursor.fetchone() == (f"{proxied.owner.user}@%",)
    for account in (human, proxied.owner):
        db.require(account.user, "%", "SSL")
        assert db.admits(human, None) == (account != proxied.checked)
        assert db.admits(human, Tls())
        db.require(account.user, "%", "NONE")
    me = db.administrator()
    with db.login(human, None):
        refused = modules.require(**db.options(me, user=proxied.checked.user))
        assert refused.failed
        assert f"{HUMAN} from 127.0.0.1" in refused.msg
        if db.mariadb:
            assert modules.require(**db.options(me, user=proxied.owner.user)).ok()["changed"]
    db.wait_for_sessions_to_end(HUMAN)
    assert modules.require(**db.options(me, user=proxied.checked.user)).ok()["changed"]
    assert not db.admits(human, None)


def test_a_login_of_the_module_under_grant_proxy(proxied: Proxied, modules: Modules) -> None:
    """Its own account is the one that the server checks."""
    db, checked = proxied.db, proxied.checked
    for check in (True, False):
        refused = modules.require(**db.options(proxied.human, user=checked.user, ssl_type="x509"), check=check)
        assert refused.failed
        assert f"{checked.user}@%, the account of this login, would need a client certificate" in refused.msg
    done = modules.require(**db.options(proxied.human, accounts=[proxied.owner.user, HUMAN])).ok()
    assert f"'{checked.user}'" in done["statements"][-1]
    assert (done["verification"][0]["user"], done["verification"][0]["method"]) == (checked.user, "tls_login")
    assert done["verified"]
