# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An exclusion that matches no account is named: a misspelled one leaves out nothing."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_words import without_idle_exclusions

from . import core, model
from .clock import Clock
from .model import Entry
from .network import Network
from .server import MemoryServer

LOGIN = {"login_user": "admin", "login_password": "one", "ssl_mode": "required"}


def run(server: MemoryServer, *, check: bool = True, **params: t.Any) -> dict[str, t.Any]:
    with core.at_work_on(Network(server.clock, server)):
        return core.run({**LOGIN, **params}, check)


@pytest.fixture(name="server")
def _server() -> MemoryServer:
    server = MemoryServer(Clock(), "mysql-8.0")
    for user, grants in (("admin", model.ALL), ("app", frozenset()), ("report", frozenset())):
        server.somebody("create", (user, "%"), Entry(plugin="caching_sha2_password", password="one", grants=grants))
    return server


def test_it_is_named_and_nothing_else_is_different(server: MemoryServer) -> None:
    planned = run(server, accounts=["app", "report"], exclude=["report", "raport@%"])
    assert planned["exclude_matches"] == {"report": 1, "raport@%": 0}
    (warning,) = (text for text in planned["warnings"] if text.startswith("exclude: "))
    assert warning.endswith(" matches 'raport@%', so nothing is left out for it.")
    assert [each["user"] for each in planned["accounts"]] == ["app"]
    assert without_idle_exclusions(dict(planned))["warnings"] == [w for w in planned["warnings"] if w != warning]
    assert run(server, check=False, accounts=["app"], exclude=["raport"])["changed"]
    again = run(server, check=False, accounts=["app"], exclude=["raport"])
    assert not again["changed"]
    assert again["exclude_matches"] == {"raport": 0}
    assert not any("exclude: " in text for text in run(server, plan=planned["plan"])["warnings"])


def test_a_refusal_has_it_too(server: MemoryServer) -> None:
    server.connect_client(("app", "%"), "10.0.0.7:1000", "TCP/IP")
    with pytest.raises(core.errors.RdsMysqlError, match="would be unable to reconnect") as refused:
        run(server, accounts=["app"], exclude=["raport"])
    assert refused.value.details["exclude_matches"] == {"raport": 0}
