# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody on the path gets no answer to a challenge outside verified TLS, whatever the task has to prove."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pymysql
import pytest

from tests.servers.interceptor import Interceptor
from tests.servers.mariadb_plugins import with_ed25519

from .database import Account, Database, Tls
from .runner import Modules
from .servers import Servers

TLS = Tls()
# Each with accounts of a plugin that its clients answer a challenge for.
PLUGINS = (
    ("mysql-5.6", "mysql_native_password"),
    ("mysql-9.7", "caching_sha2_password"),
    ("mysql-9.7", "sha256_password"),
    ("mariadb-10.11", "mysql_native_password"),
    ("mariadb-11.8", "mysql_native_password"),
    ("mariadb-11.8", "ed25519"),
)


@pytest.fixture
def intercept() -> Iterator[Callable[[Database], Interceptor]]:
    """Starts interceptors in front of servers."""
    with ExitStack() as stack:
        yield lambda db: stack.enter_context(Interceptor(db.server.port, db.client_context()))


def _server(servers: Servers, name: str, plugin: str) -> Database:
    return servers.get(name, options=with_ed25519(name) if plugin == "ed25519" else ())


def _account(db: Database, plugin: str, stem: str, grants: str | None) -> Account:
    # MySQL 5.6 takes no password together with a plugin; there and on MariaDB this one is the default.
    default = plugin == "mysql_native_password"
    account = db.create(db.name_of(stem), "127.0.0.1", grants=grants, plugin=None if default else plugin)
    # From here on the server knows the password, and a client can answer with a scramble.
    assert db.admits(account, TLS)
    return account


@pytest.mark.parametrize(("server", "plugin"), PLUGINS)
def test_no_answer_leaves_outside_tls(
    server: str,
    plugin: str,
    servers: Servers,
    modules: Modules,
    intercept: Callable[[Database], Interceptor],
) -> None:
    """Of the login account and of another one, which both are to use TLS from now on, and then the other way round."""
    db = _server(servers, server, plugin)
    me, app = _account(db, plugin, "adm", "ALL PRIVILEGES ON *.*"), _account(db, plugin, "app", None)
    path = intercept(db)
    options = db.options(
        me,
        login_port=path.port,
        accounts=[me.user, app.user],
        verify=[{"user": app.user, "password": app.password}],
    )
    for ssl_type, stored in (("any", "ANY"), ("none", "")):
        done = modules.require(**options, ssl_type=ssl_type).ok()
        assert done["changed"]
        assert (path.answers, path.sessions) == ([], [])
        assert (db.ssl_type(me), db.ssl_type(app)) == (stored, stored)
        assert done["verified"]
        assert {(v["user"], v["method"], v["verified"], v["server_verified"]) for v in done["verification"]} == {
            (me.user, "tls_login", True, True),
            (me.user, "requirement_in_memory", True, True),
            (app.user, "requirement_in_memory", True, True),
            (app.user, "tls_login", True, True),
        }
        assert not modules.require(**options, ssl_type=ssl_type).ok()["changed"]
    assert modules.status(**db.options(me, login_port=path.port)).ok()["mysql_ssl"]["session"]["verified"]
    assert (path.answers, path.sessions) == ([], [])
    assert path.connections > 8


# The answer of sha256_password to its challenge is the password itself, which its clients do not send like that.
@pytest.mark.parametrize(("server", "plugin"), [pair for pair in PLUGINS if pair[1] != "sha256_password"])
def test_an_answer_outside_tls_is_a_session(
    server: str, plugin: str, servers: Servers, intercept: Callable[[Database], Interceptor]
) -> None:
    """What the test above would see: of one login in plain text the interceptor makes himself a session."""
    db = _server(servers, server, plugin)
    me = _account(db, plugin, "adm", None)
    path = intercept(db)
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        pymysql.connect(
            host="127.0.0.1", port=path.port, user=me.user, password=me.password, ssl_disabled=True, connect_timeout=10
        )
    assert me.user in path.answers
    assert len(path.sessions) == 1
    assert f"{me.user}@127.0.0.1" in path.sessions[0]


def test_the_switch_is_proven_without_a_plain_login(
    seeing_db: Database, modules: Modules, intercept: Callable[[Database], Interceptor]
) -> None:
    db = seeing_db
    me = db.administrator()
    path = intercept(db)
    try:
        done = modules.require(**db.options(me, login_port=path.port, require_secure_transport=True)).ok()
        assert [(v["method"], v["verified"]) for v in done["verification"]] == [
            ("tls_login", True),
            ("variable_in_memory", True),
        ]
        assert (path.answers, path.sessions) == ([], [])
        assert not db.admits(me, None)
    finally:
        db.query("SET GLOBAL require_secure_transport = OFF")
        if not db.mariadb:
            db.query("RESET PERSIST IF EXISTS require_secure_transport")


def test_what_a_proof_is_worth_without_verification(db: Database, modules: Modules) -> None:
    """Whoever answers may be anybody, and the result says so."""
    me, app = db.administrator(), db.create(db.name_of("app"))
    done = modules.require(**db.options(me, ca_cert=None, ssl_mode="required", user=app.user)).ok()
    assert done["verified"]
    assert not any(v["server_verified"] for v in done["verification"])
    assert "was not verified" in done.warnings
    assert "ca_cert" in done.warnings
