# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input: failed, in one sentence that names what and where; nothing changed, no traceback, no password."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Pki
from tests.servers.process import free_port

from .database import Database
from .result import Result
from .runner import Modules
from .servers import Servers

DATABASE_MODULES = ("mysql_ssl_status", "mysql_require_ssl")
Run = Callable[..., Result]


@pytest.fixture(params=DATABASE_MODULES)
def run(request: pytest.FixtureRequest, modules: Modules) -> Run:
    """Runs a module that talks to a database; Modules looks for tracebacks and passwords each time."""

    def run_it(**options: Any) -> Result:
        if request.param == "mysql_require_ssl":
            options.setdefault("user", options.get("login_user", "app"))
        return modules.run(request.param, **options)

    return run_it


def fails(result: Result, *named: str) -> None:
    """It failed, and its one sentence or two name what and where."""
    assert result.failed
    assert result.values.get("changed") is not True
    for name in named:
        assert name in result.msg
    assert "\n" not in result.msg
    assert len(result.msg) < 500


def test_nobody_listens(run: Run) -> None:
    port = free_port("127.0.0.1")
    result = run(login_host="127.0.0.1", login_port=port, login_user="me", login_password="pw!secret")
    fails(result, f"127.0.0.1:{port}", "refused")


def test_host_name_that_does_not_exist(run: Run) -> None:
    result = run(login_host="db.invalid", login_user="me", login_password="pw!secret", connect_timeout=5)
    fails(result, "db.invalid:3306")


def test_socket_that_does_not_exist(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "absent.sock"
    fails(run(login_unix_socket=str(path), login_user="me", login_password="pw!secret"), str(path))


def test_wrong_password(db: Database, run: Run) -> None:
    me = db.administrator()
    before = db.snapshot()
    for password in ("pw!not-this-one", "", "pw!m\u00fcller'\"\\"):
        fails(run(**{**db.options(me), "login_password": password}), me.user, str(db.server.port), "password")
    assert db.snapshot() == before


def test_no_such_user(db: Database, run: Run) -> None:
    before = db.snapshot()
    me = db.administrator()
    db.drop_all()
    fails(run(**db.options(me)), me.user, str(db.server.port))
    assert db.snapshot() == before


def test_no_user_at_all(db: Database, modules: Modules) -> None:
    result = modules.require(login_host=db.server.host, login_port=db.server.port, user="app")
    fails(result, "login_user")


def test_tls_required_of_a_server_without(plain_db: Database, run: Run) -> None:
    db = plain_db
    me = db.administrator()
    before = db.snapshot()
    with db.watch() as seen:
        fails(
            run(**db.options(me, ssl_mode="required")), "does not offer TLS", f"127.0.0.1:{db.server.port}", "ssl_mode"
        )
    assert seen == []
    assert db.snapshot() == before


def test_authority_that_does_not_match(db: Database, run: Run, stranger: Pki) -> None:
    me = db.administrator()
    before = db.snapshot()
    with db.watch() as seen:
        result = run(**db.options(me, ca_cert=str(stranger.bundle)))
    fails(result, f"127.0.0.1:{db.server.port}", str(stranger.bundle), "No credentials were sent")
    assert seen == []
    assert db.snapshot() == before


@pytest.mark.parametrize(("variant", "reason"), [("wrong-name", "not valid for 127.0.0.1"), ("expired", "expired")])
def test_certificate_that_is_not_right(servers: Servers, run: Run, pki: Pki, variant: str, reason: str) -> None:
    """On MariaDB, which takes an expired certificate; test_ssl_status has them on every server."""
    db = servers.get("mariadb-10.11", files=pki.server(variant))
    me = db.administrator()
    with db.watch() as seen:
        fails(run(**db.options(me)), f"127.0.0.1:{db.server.port}", reason)
    assert seen == []
    assert db.ssl_type(me) == ""


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"ca_cert": "/nowhere/ca.pem"}, ("ca_cert", "/nowhere/ca.pem")),
        ({"ca_cert": __file__}, ("ca_cert", __file__)),
        ({"ca_cert": "/"}, ("ca_cert", "/")),
        ({"client_cert": "/nowhere/c.pem", "client_key": "/nowhere/c.key"}, ("client_cert", "/nowhere/c.pem")),
        ({"client_cert": __file__, "client_key": __file__}, ("client_cert", __file__)),
        ({"client_cert": __file__}, ("client_key",)),
        ({"config_file": "/nowhere/my.cnf"}, ("config_file", "/nowhere/my.cnf")),
        ({"login_port": 0}, ("login_port", "0")),
        ({"login_port": 65536}, ("login_port", "65536")),
        ({"login_port": "many"}, ("login_port", "many")),
        ({"connect_timeout": 0}, ("connect_timeout", "0")),
        ({"connect_timeout": -1}, ("connect_timeout", "-1")),
        ({"ssl_mode": "maybe"}, ("ssl_mode", "maybe")),
        ({"ssl_mode": "verify_identity"}, ("ca_cert", "verify_identity")),
        ({"tls_min_version": "SSLv3"}, ("tls_min_version", "SSLv3")),
        ({"login_user": None}, ("login_user",)),
    ],
)
def test_options(run: Run, maria_db: Database, options: dict[str, Any], named: tuple[str, ...]) -> None:
    me = maria_db.administrator()
    result = run(**{**maria_db.options(me, ca_cert=None), **options})
    assert result.failed
    for name in named:
        assert name in result.msg
    assert maria_db.ssl_type(me) == ""


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "user"),
        ({"user": "a", "accounts": ["b"]}, "accounts"),
        ({"user": "a", "all_accounts": True}, "all_accounts"),
        ({"host": "%"}, "user"),
        ({"accounts": ["@"]}, "accounts"),
        ({"accounts": [""]}, "accounts"),
        ({"accounts": ["a@"]}, "a@"),
        ({"all_accounts": True, "exclude": ["b@"]}, "exclude"),
        ({"user": "a", "ssl_type": "specified"}, "subject"),
        ({"user": "a", "subject": "/CN=x"}, "subject"),
        ({"user": "a", "ssl_type": "x509", "cipher": "x"}, "cipher"),
        ({"user": "a", "ssl_type": "some"}, "ssl_type"),
        ({"user": "a", "method": "magic"}, "method"),
        ({"user": "a", "flush": "maybe"}, "flush"),
        ({"user": "a", "plaintext_sessions": "drop"}, "plaintext_sessions"),
        ({"user": "a", "verify": [{"password": "nobodys-own-secret"}]}, "user"),
        ({"user": "a", "require_secure_transport": "perhaps"}, "require_secure_transport"),
        ({"all_accounts": True, "user": "a", "require_secure_transport": True}, "all_accounts"),
    ],
)
def test_options_of_require(modules: Modules, maria_db: Database, options: dict[str, Any], named: str) -> None:
    me = maria_db.administrator()
    before = maria_db.snapshot()
    result = modules.require(**maria_db.options(me), **options)
    assert result.failed
    assert named in result.msg
    assert maria_db.snapshot() == before


def test_host_that_never_answers(run: Run) -> None:
    """A listener whose queue is full, so that even the connection does not come up."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for unused in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            result = run(
                login_host="127.0.0.1",
                login_port=port,
                login_user="me",
                login_password="pw!secret",
                connect_timeout=1,
            )
        finally:
            for filler in fillers:
                filler.close()
    fails(result, f"127.0.0.1:{port}", "1 second")


# Libraries


@pytest.fixture
def without(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Environment variables with which a library cannot be imported."""

    def hide(library: str) -> dict[str, str]:
        directory = tmp_path / f"without-{library}"
        (directory / library).mkdir(parents=True)
        reason = f"No module named {library!r}"
        (directory / library / "__init__.py").write_text(f"raise ModuleNotFoundError({reason!r})\n")
        import os

        return {"PYTHONPATH": os.pathsep.join([str(directory), os.environ["PYTHONPATH"]])}

    return hide


@pytest.mark.parametrize("module", DATABASE_MODULES)
def test_without_pymysql(
    maria_db: Database, modules: Modules, without: Callable[[str], dict[str, str]], module: str
) -> None:
    me = maria_db.administrator()
    options = maria_db.options(me) | ({"user": me.user} if module == "mysql_require_ssl" else {})
    result = modules.run_alone(module, environment=without("pymysql"), **options)
    assert result.failed
    assert "PyMySQL" in result.msg
    assert "Failed to import the required Python library" in result.msg
    assert maria_db.ssl_type(me) == ""


def test_without_pymysql_from_outside(
    maria_db: Database, modules: Modules, without: Callable[[str], dict[str, str]]
) -> None:
    """Nobody logs in, so nothing is missing."""
    result = modules.run_alone(
        "mysql_ssl_status",
        environment=without("pymysql"),
        login_host=maria_db.server.host,
        login_port=maria_db.server.port,
    )
    assert result.ok()["mysql_ssl"]["tls"]["available"] is True


def test_without_cryptography(
    maria_db: Database, modules: Modules, pki: Pki, without: Callable[[str], dict[str, str]], tmp_path: Path
) -> None:
    environment = without("cryptography")
    me = maria_db.administrator()
    status = modules.run_alone("mysql_ssl_status", environment=environment, **maria_db.options(me))
    dest = tmp_path / "bundle.pem"
    bundle = modules.run_alone("rds_ca_bundle", environment=environment, dest=str(dest), urls=[pki.bundle.as_uri()])
    for result in (status, bundle):
        assert result.failed
        assert "cryptography" in result.msg
        assert "Failed to import the required Python library" in result.msg
    assert not dest.exists()
