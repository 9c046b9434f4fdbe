# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who would be shut out of a server of RDS once its parameter group requires TLS."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from tests.servers import Pki

from . import core, model
from .clock import Clock
from .model import Entry
from .network import Network
from .server import MemoryServer

APP = ("app", "%")


@pytest.fixture(name="server")
def _server() -> MemoryServer:
    server = MemoryServer(Clock(), "mysql-8.0")
    server.variables["basedir"] = "/rdsdbbin/mysql/"
    for key, grants in ((("admin", "%"), model.ALL), (APP, frozenset())):
        server.somebody("create", key, Entry(plugin="caching_sha2_password", password="one", grants=grants))
    return server


@pytest.fixture(name="check")
def _check(server: MemoryServer, tmp_path: Path) -> t.Callable[..., dict[str, t.Any]]:
    bundle = Pki(tmp_path, key_type="ec").bundle

    def run(**params: t.Any) -> dict[str, t.Any]:
        login = {"login_user": "admin", "login_password": "one", "ca_cert": str(bundle)}
        with core.at_work_on(Network(server.clock, server)):
            return t.cast("dict[str, t.Any]", core.parameter_group.run({**core.defaults(), **login, **params}))

    return run


def test_nobody_would_be(server: MemoryServer, check: t.Callable[..., dict[str, t.Any]]) -> None:
    """Clients with TLS, and AWS itself, which may do what it likes on its own server only."""
    server.connect_client(APP, "10.0.0.7:1000", "SSL/TLS")
    server.connect_client(("rdsadmin", "localhost"), "localhost:1000", "TCP/IP")
    assert check() == {"changed": False, "required": False, "endpoints": [], "warnings": []}
    assert server.variables["require_secure_transport"] == "OFF"
    server.variables["basedir"] = "/usr/"
    with pytest.raises(core.errors.RdsMysqlError, match="without TLS and would be unable to reconnect: rdsadmin from"):
        check()


def test_somebody_would_be(server: MemoryServer, check: t.Callable[..., dict[str, t.Any]]) -> None:
    server.connect_client(APP, "10.0.0.7:1000", "TCP/IP")
    with pytest.raises(core.errors.RdsMysqlError, match=r"app from 10\.0\.0\.7 \(connection"):
        check()
    (warning,) = check(plaintext_sessions="warn")["warnings"]
    assert warning.startswith("Clients that are connected without TLS will be unable to reconnect: app from")
    server.variables["require_secure_transport"] = "ON"
    assert check()["required"]


def test_accounts_that_are_not_ready(server: MemoryServer, check: t.Callable[..., dict[str, t.Any]]) -> None:
    """Those that only the server's own machine has are nobody's on RDS."""
    server.somebody("create", ("job", "localhost"), Entry(plugin="caching_sha2_password", password="two"))
    ready = [{"account": f"{user}@%", "state": "ready", "reason": "Seen."} for user in ("admin", "app")]
    assert not check(only_ready=True, readiness=ready)["required"]
    with pytest.raises(core.errors.RdsMysqlError, match=r"not ready \(only_ready\): app@% is unknown"):
        check(only_ready=True, readiness=ready[:1])
    with pytest.raises(core.errors.RdsMysqlError, match="only_ready: nothing is known about the clients"):
        check(only_ready=True)


def test_a_login_that_proves_nothing(check: t.Callable[..., dict[str, t.Any]]) -> None:
    with pytest.raises(core.errors.RdsMysqlError, match="There is no login, so clients without TLS cannot be seen"):
        check(login_user=None, login_password=None)
    with pytest.raises(core.errors.RdsMysqlError, match=r"was not verified\. Set ca_cert"):
        check(ca_cert=None, ssl_mode="required")
