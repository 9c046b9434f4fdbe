# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that lets the login in can take neither more time nor more memory than it is given.

Servers here play scripts, because no real one can be brought to do this.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import Deadline
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.journal import Journal
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Statement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import open_session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import run as status
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import sweep

from ._status.recorded_server import MAY_NOT, OK, RECORDED, send_rows
from .scripted_server import Conversation, greeting, packet, scripted

if t.TYPE_CHECKING:
    Answer = t.Callable[[Conversation, str], None]

PASSWORD = "s3cret-pa55"
MEGABYTE = 1024 * 1024
# What a busy machine adds.
SLACK = 2.5
# What lies in the buffers of both sockets when the client hangs up.
IN_BUFFERS = 24 * MEGABYTE


def params(port: int, **others: t.Any) -> dict[str, t.Any]:
    return {
        "login_host": "127.0.0.1",
        "login_port": port,
        "login_user": "admin",
        "login_password": PASSWORD,
        "config_file": "/dev/null",
        "connect_timeout": 1,
        "tls_min_version": "TLSv1.2",
        "expiry_warn_days": 30,
        "fail_on": "none",
        "probe_protocols": False,
        **others,
    }


def lets_in(answer: Answer) -> t.Callable[[Conversation], None]:
    """A server that takes any password, and leaves every statement to ``answer``."""

    def script(conversation: Conversation) -> None:
        conversation.send(greeting(tls=False))
        conversation.receive()
        conversation.send(OK)
        while True:
            conversation.restart_numbers()
            command = conversation.receive()
            if command[:1] != b"\x03":
                return
            answer(conversation, command[1:].decode())

    return script


def knows(accounts: Answer, pause: float = 0.0) -> Answer:
    """Everything is answered in order, each time after a pause, and the accounts by another."""

    def answer(conversation: Conversation, statement: str) -> None:
        time.sleep(pause)
        if statement.startswith("SHOW VARIABLES"):
            send_rows(conversation, sorted(RECORDED["own"].items()))
        elif "CURRENT_USER()" in statement:
            send_rows(conversation, [("admin@%",)])
        elif "mysql.user" in statement:
            accounts(conversation, statement)
        elif statement == "SELECT CONNECTION_ID()":
            send_rows(conversation, [(7,)])
        elif statement.startswith("SHOW CREATE USER"):
            conversation.send(MAY_NOT)
        elif statement.startswith(("SELECT", "SHOW")):
            send_rows(conversation, [])
        else:
            conversation.send(OK)

    return answer


ROW = ("app", "10.%", "mysql_native_password", "", "", "", "", 0, 0)


def fails(port: int, **others: t.Any) -> RdsMysqlError:
    with pytest.raises(RdsMysqlError) as caught:
        status.run(params(port, **others))
    assert f"127.0.0.1:{port}" in caught.value.message
    assert PASSWORD not in caught.value.message
    return caught.value


class Counted:
    """A server that counts what it could send, and stops at 200 MB."""

    def __init__(self) -> None:
        self.sent = 0

    def send(self, conversation: Conversation, data: bytes) -> None:
        conversation.send_raw(data)
        self.sent += len(data)
        if self.sent > 200 * MEGABYTE:
            raise OSError("nobody stops this")


def unfinished(conversation: Conversation, _statement: str) -> None:
    """Columns of a result, and its rows one every quarter of a second."""
    width = len(ROW)
    conversation.send(bytes([width]))
    for number in range(width):
        texts = b"".join(bytes([len(text)]) + text.encode() for text in ("def", "", "", "", f"c{number}", ""))
        kind = b"\x03" if isinstance(ROW[number], int) else b"\xfd"
        conversation.send(texts + b"\x0c\x2d\0\0\x04\0\0" + kind + b"\0\0\0\0\0")
    conversation.send(b"\xfe\0\0\x02\0")


def encoded(row: tuple[t.Any, ...]) -> bytes:
    return b"".join(bytes([len(str(value))]) + str(value).encode() for value in row)


def dripping(conversation: Conversation, statement: str) -> None:
    unfinished(conversation, statement)
    for _row in range(60):
        conversation.send(encoded(ROW))
        time.sleep(0.25)


def test_a_row_now_and_then() -> None:
    with scripted(lets_in(knows(dripping))) as server:
        started = time.monotonic()
        failure = fails(server.port)
        assert time.monotonic() - started < 1 + SLACK
    assert "no complete answer within 1 seconds" in failure.message
    assert "mysql_ssl" in failure.details


def test_answers_that_are_each_in_time() -> None:
    """Together they take longer than the task may."""
    with scripted(lets_in(knows(dripping, pause=0.9))) as server:
        started = time.monotonic()
        failure = fails(server.port, connect_timeout=3, timeout=3)
        assert time.monotonic() - started < 3 + SLACK
    assert "within 3 seconds for all work on the server (timeout)" in failure.message


def test_the_time_for_all_work_is_four_times_that_for_one_step() -> None:
    given = params(3306)
    assert ConnectionOptions.from_params(given).deadline.seconds == 4
    assert ConnectionOptions.from_params({**given, "timeout": 100}).deadline.seconds == 100


@pytest.mark.parametrize("row", [encoded(ROW), b"\xfb" * 9, b"\xfd\xff\xff\x0f" + b"x" * 0x0FFFFF + b"\xfb" * 8])
def test_rows_without_an_end(row: bytes) -> None:
    counted = Counted()

    def endless(conversation: Conversation, statement: str) -> None:
        unfinished(conversation, statement)
        number = conversation._number
        many = max(1, 64 * 1024 // len(row))
        while True:
            counted.send(conversation, b"".join(packet(row, number + place) for place in range(many)))
            number += many

    with scripted(lets_in(knows(endless))) as server:
        failure = fails(server.port, connect_timeout=20)
    assert "has more accounts than are read" in failure.message
    assert counted.sent < 16 * MEGABYTE + IN_BUFFERS


def test_a_result_of_too_many_rows_of_another_kind() -> None:
    def endless(conversation: Conversation, statement: str) -> None:
        if not statement.startswith("SHOW"):
            conversation.send(OK)
            return
        unfinished(conversation, statement)
        while True:
            conversation.send(encoded(ROW))

    with scripted(lets_in(endless)) as server:
        with open_session(ConnectionOptions.from_params(params(server.port, connect_timeout=20))) as session:
            with pytest.raises(QueryFailed, match="more than 50200 packets") as failure:
                session.query("SHOW VARIABLES")
            assert failure.value.connection_lost
            assert not session.usable


@pytest.mark.parametrize("stage", ["login", "switched"])
def test_a_packet_without_an_end_before_the_login(stage: str) -> None:
    counted = Counted()

    def script(conversation: Conversation) -> None:
        conversation.send(greeting(tls=False))
        conversation.receive()
        if stage == "switched":
            conversation.send(b"\xfemysql_native_password\0" + b"n" * 20 + b"\0")
            conversation.receive()
        number = conversation._number
        while True:  # of the length that says that there is more to come
            counted.send(conversation, b"\xff\xff\xff" + bytes([number % 256]))
            for _part in range(16):
                counted.send(conversation, b"x" * MEGABYTE)
            number += 1

    with scripted(script) as server:
        failure = fails(server.port, connect_timeout=20)
    assert "does not answer as a MySQL server does (more than 1048576 bytes)" in failure.message
    assert counted.sent < MEGABYTE + IN_BUFFERS


def test_packets_without_an_end_before_the_login() -> None:
    def script(conversation: Conversation) -> None:
        conversation.send(greeting(tls=False, plugin=b"caching_sha2_password"))
        conversation.receive()
        while True:
            conversation.send(b"\xfemysql_native_password\0" + b"n" * 20 + b"\0")
            conversation.receive()

    with scripted(script) as server:
        started = time.monotonic()
        fails(server.port, connect_timeout=20)
        assert time.monotonic() - started < SLACK


def test_many_accounts_within_the_limit() -> None:
    rows = [(f"app{number}", *ROW[1:]) for number in range(5000)]
    with scripted(lets_in(knows(lambda conversation, _statement: send_rows(conversation, rows)))) as server:
        seen = status.run(params(server.port, connect_timeout=20))
    assert len(seen["mysql_ssl"]["accounts"]) == 5000


def test_in_a_sweep_such_a_server_fails_alone() -> None:
    good = lets_in(knows(lambda conversation, _statement: send_rows(conversation, [ROW])))
    with scripted(good) as one, scripted(lets_in(knows(dripping))) as bad, scripted(good) as other:
        endpoints = [{"host": "127.0.0.1", "port": server.port} for server in (one, bad, other)]
        started = time.monotonic()
        entries = sweep.run(params(0, endpoints=endpoints, concurrency=8))["endpoints"]
        assert time.monotonic() - started < 1 + SLACK
    assert [entry["failed"] for entry in entries] == [False, True, False]
    assert "no complete answer within 1 seconds" in entries[1]["msg"]
    assert [account["user"] for account in entries[2]["mysql_ssl"]["accounts"]] == ["app"]


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
@pytest.mark.parametrize("stage", ["silent", "dripping"])
def test_an_interrupt_ends_a_check(stage: str, many: bool) -> None:
    ready = os.pipe()

    def silent(conversation: Conversation) -> None:
        os.write(ready[1], b"x")
        conversation.connection.settimeout(30)
        conversation.receive()

    def drips(conversation: Conversation, statement: str) -> None:
        os.write(ready[1], b"x")
        dripping(conversation, statement)

    given = params(0, connect_timeout=30, timeout=None, endpoints=None, concurrency=4)
    with scripted(silent if stage == "silent" else lets_in(knows(drips))) as server:
        given["login_port"] = server.port
        if many:
            given["endpoints"] = [{"host": "127.0.0.1", "port": server.port}]
        code = (
            "import signal\n"
            # A shell's background job has it ignored.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import sweep\n"
            f"sweep.run({given!r})\n"
        )
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
        assert os.read(ready[0], 1) == b"x"
        time.sleep(0.3)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        _out, told = process.communicate(timeout=30)
        assert time.monotonic() - started < 15
    assert "KeyboardInterrupt" in told
    for end in ready:
        os.close(end)


def test_a_deadline_within_another() -> None:
    whole = Deadline(0.2, " for all of it")
    step = whole.within(60)
    assert 0 < step.remaining() <= 0.2
    assert str(step) == "60 seconds"
    time.sleep(0.25)
    with pytest.raises(OSError, match="timed out"):
        step.remaining()
    assert str(step) == "0.2 seconds for all of it"
    whole.extend()
    assert 0.1 < step.remaining() <= 0.2
    assert whole.within(0.001).left < 0.01


def test_the_first_write_begins_the_time_again() -> None:
    """Whatever has to be restored after it has its time; what is written later does not prolong it."""
    given = ConnectionOptions.from_params(params(3306, timeout=5))
    with scripted(lets_in(lambda conversation, _statement: conversation.send(OK))) as server:
        with open_session(replace(given, port=server.port)) as session:
            journal = Journal()
            time.sleep(0.5)
            assert given.deadline.left < 4.5
            journal.run(session, Statement("FLUSH PRIVILEGES"))
            after = given.deadline.left
            time.sleep(0.5)
            journal.run(session, Statement("FLUSH PRIVILEGES"))
    assert 4.5 < after <= 5
    assert given.deadline.left <= after - 0.5


def test_options_made_of_others_have_the_same_deadline() -> None:
    given = ConnectionOptions.from_params(params(3306))
    assert given.encrypted().deadline is given.deadline
