# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import Deadline
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import handshake
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.context import ssl_context

from ..scripted_server import (
    Conversation,
    greeting,
    packet,
    scripted,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable


def look(port: int, timeout: float = 2) -> handshake.Handshake:
    context = ssl_context(None, check_hostname=False, tls_min_version="TLSv1.2")
    return handshake.probe("db:3306", ("127.0.0.1", port), context, Deadline(timeout))


def test_a_server_without_tls() -> None:
    with scripted(lambda conversation: conversation.send(greeting(tls=False))) as server:
        seen = look(server.port)
    assert seen.greeting.version == "8.0.36"
    assert seen.greeting.family == "mysql"
    assert not seen.greeting.offers_tls
    assert seen.certificate is None
    assert server.received == b""


def test_the_prefix_of_mariadb() -> None:
    payload = greeting(tls=True, version=b"5.5.5-10.5.23-MariaDB")
    parsed = handshake.parse_greeting(payload, "db:3306")
    assert parsed.version == "10.5.23-MariaDB"
    assert parsed.family == "mariadb"
    assert parsed.offers_tls


def test_a_refusal_shows_code_and_text() -> None:
    error = b"\xff" + (1129).to_bytes(2, "little") + b"Host '10.0.0.1' is blocked"
    with scripted(lambda conversation: conversation.send(error)) as server:
        with pytest.raises(handshake.ServerRefused, match=r"db:3306 refuses .*: \(1129\) Host '10\.0\.0\.1'"):
            look(server.port)


@pytest.mark.parametrize("length", range(len(greeting(tls=True)) - 24))
def test_a_greeting_truncated_anywhere_is_understood_or_refused(length: int) -> None:
    payload = greeting(tls=True)[:length]
    try:
        parsed = handshake.parse_greeting(payload, "db:3306")
    except handshake.HandshakeError as e:
        assert "db:3306" in str(e)  # noqa: PT017  either way is right, depending on where it was cut
    else:
        assert parsed.raw_version == "8.0.36"


@pytest.mark.parametrize(
    "script",
    [
        lambda conversation: conversation.send_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        lambda conversation: conversation.send_raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
        lambda conversation: conversation.send(b""),
        lambda conversation: conversation.send_raw(packet(greeting(tls=True), 0)[:20]),
        lambda conversation: None,
    ],
    ids=["http", "ssh", "empty", "cut", "closed"],
)
def test_what_is_no_mysql_server(script: Callable[[Conversation], None]) -> None:
    with scripted(script) as server, pytest.raises(handshake.HandshakeError, match=r"db:3306"):
        look(server.port)


@pytest.mark.parametrize("drips", [False, True], ids=["silent", "dripping"])
def test_a_server_that_stalls_is_left_in_time(drips: bool) -> None:
    done = threading.Event()

    def stall(conversation: Conversation) -> None:
        for byte in packet(greeting(tls=True), 0):
            if drips:
                conversation.send_raw(bytes([byte]))
            if done.wait(0.1):
                return
        done.wait(120)

    started = time.monotonic()
    with scripted(stall) as server:
        with pytest.raises(handshake.HandshakeError, match=r"sent no handshake within 1 seconds"):
            look(server.port, timeout=1)
        assert time.monotonic() - started < 60
        done.set()


def test_plain_text_after_the_request_for_tls() -> None:
    def script(conversation: Conversation) -> None:
        conversation.send(greeting(tls=True))
        conversation.receive()
        conversation.send_raw(b"certainly not TLS")

    with scripted(script) as server, pytest.raises(handshake.TlsHandshakeFailed, match=r"TLS handshake with db:3306"):
        look(server.port)


def test_nobody_listens() -> None:
    with pytest.raises(handshake.HandshakeError, match=r"Cannot reach db:3306: Connection refused"):
        handshake.probe("db:3306", ("127.0.0.1", 1), None, Deadline(2))
