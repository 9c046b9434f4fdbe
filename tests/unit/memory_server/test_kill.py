# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KILL reaches the connection that is meant, also where a proxy has numbers of its own."""

from __future__ import annotations

import pytest

from . import core, model
from .clock import Clock
from .model import Entry
from .network import CUT_BEFORE, Fault, Network
from .server import MemoryServer

LOGIN = {"login_user": "admin", "login_password": "one", "ssl_mode": "required"}
KILL = {**LOGIN, "accounts": ["app"], "plaintext_sessions": "kill"}


@pytest.fixture
def network() -> Network:
    """A server with a client that does not use TLS."""
    server = MemoryServer(Clock(), "mysql-8.0")
    for user, grants in (("admin", model.ALL), ("app", frozenset())):
        server.somebody("create", (user, "%"), Entry(plugin="caching_sha2_password", password="one", grants=grants))
    server.connect_client(("app", "%"), "10.0.0.9", "TCP/IP")
    return Network(server.clock, server)


@pytest.mark.parametrize("answers", [False, True], ids=["asks the server", "answers CONNECTION_ID() itself"])
@pytest.mark.parametrize("check_mode", [True, False])
def test_a_proxy_with_numbers_of_its_own(network: Network, *, answers: bool, check_mode: bool) -> None:
    """It may carry out KILL itself, and end another client's connection."""
    network.numbers_are_the_servers, network.proxy_answers = False, answers
    with core.at_work_on(network), pytest.raises(core.errors.RdsMysqlError, match="KILL could end another") as e:
        core.run(KILL, check_mode=check_mode)
    assert "Nothing was changed" in e.value.message
    assert network.first_write is None
    assert [each["before"] for each in e.value.details["accounts"]] == ["NONE"]
    assert e.value.details["reason"] == "refused"
    assert any(session.user == "app" for session in network.server.sessions.values())


def test_a_lost_session_refuses_nothing(network: Network) -> None:
    """Nobody has said no; what is returned of the accounts is what was read."""
    network.fault = lambda exchange: Fault(CUT_BEFORE) if "routines" in (exchange.statement or "") else None
    with core.at_work_on(network), pytest.raises(core.errors.RdsMysqlError, match="Lost connection") as e:
        core.run(KILL, check_mode=False)
    assert "reason" not in e.value.details
    assert [each["before"] for each in e.value.details["accounts"]] == ["NONE"]


def test_the_procedure_of_rds_is_carried_out_by_the_server(network: Network) -> None:
    network.numbers_are_the_servers = False
    network.server.routines.add(("mysql", "rds_kill"))
    with core.at_work_on(network):
        result = core.run(KILL, check_mode=False)
    assert result["changed"]
    assert not any(session.user == "app" for session in network.server.sessions.values())
