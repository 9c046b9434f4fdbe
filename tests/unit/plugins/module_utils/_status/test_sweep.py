# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many endpoints in one task: each has its entry, in order, whatever becomes of the others."""

from __future__ import annotations

import socket
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import sweep

from ..scripted_server import greeting, scripted

if t.TYPE_CHECKING:
    from ..scripted_server import Conversation


def params(endpoints: list[dict[str, t.Any]], **more: t.Any) -> dict[str, t.Any]:
    return {
        "login_host": "localhost",
        "login_port": 3306,
        "connect_timeout": 5,
        "tls_min_version": "TLSv1.2",
        "expiry_warn_days": 30,
        "probe_protocols": False,
        "fail_on": "none",
        "concurrency": 8,
        "endpoints": endpoints,
        **more,
    }


def greet(conversation: Conversation) -> None:
    conversation.send(greeting(tls=False))
    conversation.receive()


@pytest.fixture(name="closed")
def _closed() -> t.Iterator[int]:
    """A port that refuses, and that nobody else gets meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_entries_are_in_order(closed: int) -> None:
    with scripted(greet) as server:
        ports = [closed] * 20 + [server.port] + [closed] * 20
        result = sweep.run(params([{"host": "127.0.0.1", "port": port} for port in ports]))
    entries = result["endpoints"]
    assert [entry["port"] for entry in entries] == ports
    assert [entry["failed"] for entry in entries] == [port == closed for port in ports]
    assert entries[20]["mysql_ssl"]["verdict"] == "non_compliant"
    assert entries[0]["mysql_ssl"] is None


def test_an_internal_error_is_of_its_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_one(own: dict[str, t.Any]) -> dict[str, t.Any]:
        if own["login_host"] == "bad":
            raise ZeroDivisionError("by zero")
        return {"mysql_ssl": {"of": own["login_host"]}, "warnings": ("one",)}

    monkeypatch.setattr(sweep, "check_one", check_one)
    first, second = sweep.run(params([{"host": "bad"}, {"host": "good"}]))["endpoints"]
    assert first["failed"]
    assert first["msg"] == "Internal error; please report it: ZeroDivisionError: by zero"
    assert second == {
        "host": "good",
        "port": 3306,
        "failed": False,
        "msg": None,
        "mysql_ssl": {"of": "good"},
        "warnings": ["one"],
    }


def test_fail_on_names_ten(closed: int) -> None:
    endpoints = [{"host": "127.0.0.1", "port": closed}] * 12
    with pytest.raises(RdsMysqlError, match=r"12 of 12 endpoints could not be checked .* and 2 more\.") as failure:
        sweep.run(params(endpoints, fail_on="high"))
    assert len(failure.value.details["endpoints"]) == 12


def test_concurrency_is_positive() -> None:
    with pytest.raises(OptionError, match="concurrency: 0"):
        sweep.run(params([{"host": "db"}], concurrency=0))
