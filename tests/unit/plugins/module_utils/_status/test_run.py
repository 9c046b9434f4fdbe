# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a look leaves behind where it ends before it has begun."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import MissingLibrary, OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import run as status

from ..scripted_server import Conversation, greeting, scripted


def params(port: int, **more: t.Any) -> dict[str, t.Any]:
    return {
        "login_host": "127.0.0.1",
        "login_port": port,
        "login_user": "app",
        "login_password": "pw-app",
        "config_file": None,
        "connect_timeout": 5,
        "tls_min_version": "TLSv1.2",
        "expiry_warn_days": 30,
        "probe_protocols": False,
        "fail_on": "none",
        **more,
    }


def refuse(conversation: Conversation) -> None:
    """Greet, and turn down whoever logs in."""
    conversation.send(greeting(tls=False))
    conversation.receive()
    conversation.send(b"\xff\x15\x04#28000Access denied")


def test_a_file_that_is_no_certificate_is_said_before_anybody_is_asked(tmp_path: Path) -> None:
    wrong = tmp_path / "client.pem"
    wrong.write_text("no certificate")
    # Nobody listens there.
    with pytest.raises(OptionError, match="client_cert: "):
        status.run(params(1, client_cert=str(wrong), client_key=str(wrong)))


def test_without_pymysql_what_is_seen_is_told_and_the_connection_ends_with_a_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with scripted(refuse) as server:
        with pytest.raises(MissingLibrary) as failure:
            status.run(params(server.port))
    received = server.received
    assert failure.value.details["mysql_ssl"]["server"]["version"] == "8.0.36"
    # A handshake response without a name, which servers do not count towards max_connect_errors.
    assert received.endswith(b"\0\0mysql_native_password\0")
