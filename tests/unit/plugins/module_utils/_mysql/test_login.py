# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import authentication
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import (
    ConnectionFailed,
    LoginRefused,
    QueryFailed,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import open_session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ..scripted_server import NONCE, Conversation, greeting, packet, scripted

if t.TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "s3cret-pa55"
OK = b"\0\0\0\x02\0\0\0"
REFUSED = b"\xff" + (1045).to_bytes(2, "little") + b"#28000Access denied"


def options(port: int = 3306, **others: t.Any) -> ConnectionOptions:
    return ConnectionOptions.from_params(
        {
            "login_host": "127.0.0.1",
            "login_port": port,
            "login_user": "app",
            "login_password": PASSWORD,
            "connect_timeout": 3,
            "tls_min_version": "TLSv1.2",
            **others,
        }
    )


@pytest.fixture(name="ca_cert")
def _ca_cert(tmp_path: Path) -> str:
    path = tmp_path / "bundle.pem"
    path.write_bytes(b"only read when a connection is made\n")
    return str(path)


@pytest.mark.parametrize(
    ("mode", "check_hostname", "with_ca_cert", "result"),
    [
        (None, None, False, "preferred"),
        (None, False, False, "preferred"),
        (None, None, True, "verify_identity"),
        (None, True, True, "verify_identity"),
        (None, False, True, "verify_ca"),
        ("disabled", None, True, "disabled"),
        ("required", None, True, "required"),
        ("verify_ca", None, True, "verify_ca"),
        ("verify_ca", False, True, "verify_ca"),
        ("verify_identity", True, True, "verify_identity"),
    ],
)
def test_ssl_mode(mode: str | None, check_hostname: bool | None, with_ca_cert: bool, result: str, ca_cert: str) -> None:
    made = options(ssl_mode=mode, check_hostname=check_hostname, ca_cert=ca_cert if with_ca_cert else None)
    assert made.ssl_mode == result
    assert made.verifies is result.startswith("verify")
    assert made.encrypted().ssl_mode == (result if result in ("verify_ca", "verify_identity") else "required")


@pytest.mark.parametrize(
    ("wrong", "option"),
    [
        ({"ssl_mode": "verify_ca"}, "ca_cert"),
        ({"ssl_mode": "verify_identity"}, "ca_cert"),
        ({"ca_cert": "/nowhere/ca.pem"}, "ca_cert"),
        ({"client_cert": "/nowhere/client.pem"}, "client_cert"),
        ({"login_port": 0}, "login_port"),
        ({"login_port": 65536}, "login_port"),
        ({"connect_timeout": 0}, "connect_timeout"),
        ({"connect_timeout": 10**12}, "connect_timeout"),
        ({"timeout": 0}, "timeout"),
        ({"login_host": f"app:{PASSWORD}@db.example"}, "login_host"),
        ({"login_host": f"app:{PASSWORD}@[::1]"}, "login_host"),
        ({"login_host": "db..example"}, "login_host"),
        ({"login_host": "d" * 64 + ".example"}, "login_host"),
        ({"login_host": "db\0.example"}, "login_host"),
        ({"login_user": None}, "login_user"),
        ({"config_file": "/nowhere/my.cnf"}, "config_file"),
    ],
)
def test_a_wrong_option_is_named(wrong: dict[str, t.Any], option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    with pytest.raises(OptionError) as caught:
        options(**wrong)
    assert caught.value.message.startswith(option + ": ")
    assert PASSWORD not in caught.value.message


@pytest.mark.parametrize(("mode", "hostname"), [("verify_identity", False), ("verify_ca", True)])
def test_options_that_contradict_each_other(mode: str, hostname: bool, ca_cert: str) -> None:
    with pytest.raises(OptionError, match=r"^check_hostname: .* contradicts ssl_mode " + mode):
        options(ssl_mode=mode, check_hostname=hostname, ca_cert=ca_cert)


def test_credentials_come_from_options_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "my.cnf"
    path.write_text("[client]\nuser=filed\npassword=from the file\n", encoding="utf-8")
    from_file = options(config_file=str(path), login_user=None, login_password=None)
    assert (from_file.user, from_file.password) == ("filed", "from the file")
    given = options(config_file=str(path))
    assert (given.user, given.password) == ("app", PASSWORD)


def test_the_default_file_may_be_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert options(login_user=None, login_password=None).user is None
    (tmp_path / ".my.cnf").write_text("[client]\nuser=filed\n", encoding="utf-8")
    assert options(login_user=None, login_password=None).user == "filed"


def test_the_password_is_not_in_what_gets_printed() -> None:
    assert PASSWORD not in repr(options())
    assert PASSWORD not in repr(options().encrypted())


def test_a_password_before_the_host_is_masked() -> None:
    with pytest.raises(OptionError, match=r"^login_host: \*\*\*@db\.example is not a host name") as caught:
        options(login_host=f"app:p@{PASSWORD}@db.example")
    assert PASSWORD not in caught.value.message
    assert "p@" not in caught.value.message


def test_an_address_in_brackets() -> None:
    made = options(login_host="[::1]")
    assert (made.host, made.endpoint, made.address) == ("::1", "[::1]:3306", ("::1", 3306))


def test_no_usable_ca_certificates(ca_cert: str) -> None:
    with pytest.raises(OptionError, match=r"^ca_cert: .*bundle\.pem holds no usable CA certificates"):
        open_session(options(1, ca_cert=ca_cert))


def test_nobody_listens() -> None:
    with pytest.raises(ConnectionFailed, match=r"Cannot reach 127\.0\.0\.1:1: Connection refused"):
        open_session(options(1))


def fails(port: int, timeout: int = 2, **others: t.Any) -> RdsMysqlError:
    """The failure of a login, which has to be of our kind, in time, and without the password."""
    started = time.monotonic()
    with pytest.raises(RdsMysqlError) as caught:
        open_session(options(port, connect_timeout=timeout, **others))
    assert time.monotonic() - started < 60
    assert PASSWORD not in caught.value.message
    return caught.value


@pytest.mark.parametrize("length", range(len(greeting(tls=True)) - 30))
def test_a_greeting_that_ends_early_in_a_packet_that_does_not(length: int) -> None:
    def script(conversation: Conversation) -> None:
        conversation.send(greeting(tls=False)[:length])
        conversation.receive()
        conversation.send(REFUSED)

    with scripted(script) as server:
        failure = fails(server.port)
    assert f"127.0.0.1:{server.port}" in failure.message
    assert PASSWORD.encode() not in server.received


ANSWERS = {
    "nothing": b"",
    "empty packet": packet(b"", 2),
    "half a header": b"\x05\0",
    "wrong length": b"\xff\0\0\x02\0",
    "wrong number": packet(OK, 9),
    "number zero": packet(OK, 0),
    "error without a code": packet(b"\xff", 2),
    "error with half a code": packet(b"\xff\x15", 2),
    "half an OK": packet(b"\0", 2),
    "old switch": packet(b"\xfe", 2),
    "switch without a name": packet(b"\xfe\0", 2),
    "switch to the unknown": packet(b"\xfeno_such_plugin\0" + NONCE, 2),
    "switch to bytes": packet(b"\xfe\xff\xfe\0" + NONCE, 2),
    "switch without a nonce": packet(b"\xfecaching_sha2_password\0", 2),
    "switch to client_ed25519": packet(b"\xfeclient_ed25519\0" + b"n" * 32, 2),
    "switch to client_ed25519 without a nonce": packet(b"\xfeclient_ed25519\0", 2),
    "switch to dialog without a prompt": packet(b"\xfedialog\0", 2),
    "switch to parsec": packet(b"\xfeparsec\0" + b"n" * 32, 2),
    "extra data": packet(b"\x01\x02\x03", 2),
    "request for a file": packet(b"\xfb/etc/hostname", 2),
    "plain text": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "endless": b"\xff\xff\xff\x02" + b"x" * 100_000,
}


@pytest.mark.parametrize("plugin", ["mysql_native_password", "caching_sha2_password", "sha256_password", "dialog", ""])
@pytest.mark.parametrize("answer", list(ANSWERS))
def test_no_answer_to_the_login_breaks_the_client(answer: str, plugin: str) -> None:
    def script(conversation: Conversation) -> None:
        conversation.send(greeting(tls=False, plugin=plugin.encode()))
        conversation.receive()
        conversation.send_raw(ANSWERS[answer])

    with scripted(script) as server:
        failure = fails(server.port)
    assert not isinstance(failure, LoginRefused)
    assert PASSWORD.encode() not in server.received


@pytest.mark.parametrize(
    ("code", "refusal"), [(1045, True), (3159, True), (1698, True), (1040, False), (1129, False), (1053, False)]
)
def test_only_an_answer_to_the_login_is_a_refusal(code: int, refusal: bool) -> None:
    def script(conversation: Conversation) -> None:
        conversation.send(greeting(tls=False))
        conversation.receive()
        conversation.send(b"\xff" + code.to_bytes(2, "little") + b"#28000the server's words")

    with scripted(script) as server:
        failure = fails(server.port)
    assert isinstance(failure, LoginRefused) is refusal
    assert isinstance(failure, ConnectionFailed)
    assert failure.code == code
    assert "the server's words" in failure.message


def test_a_connection_that_ends_during_the_login_is_no_refusal() -> None:
    def script(conversation: Conversation) -> None:
        conversation.send(greeting(tls=False))
        conversation.receive()

    with scripted(script) as server:
        failure = fails(server.port)
    assert not isinstance(failure, LoginRefused)
    assert "closed the connection" in failure.message


@pytest.mark.parametrize("drips", [False, True], ids=["silent", "dripping"])
@pytest.mark.parametrize("stage", ["greeting", "tls", "login"])
def test_a_server_that_stalls_is_left_in_time(stage: str, drips: bool) -> None:
    done = threading.Event()

    def stall(conversation: Conversation) -> None:
        if stage != "greeting":
            conversation.send(greeting(tls=stage == "tls"))
            conversation.receive()
        # A header that announces 100 bytes, or a TLS record of 100; then one byte now and then.
        start = b"\x16\x03\x03\0\x64" if stage == "tls" else b"\x64\0\0" + (b"\x02" if stage == "login" else b"\0")
        for byte in start + b"\x0a" * 1200:
            if drips:
                conversation.send_raw(bytes([byte]))
            if done.wait(0.1):
                return

    with scripted(stall) as server:
        failure = fails(server.port, timeout=1)
        done.set()
    assert "1 seconds" in failure.message or "timed out" in failure.message
    assert PASSWORD.encode() not in server.received


@pytest.mark.parametrize("plugin", ["caching_sha2_password", "sha256_password"])
def test_a_plugin_named_in_the_greeting_gets_no_password_under_the_key_of_the_server(plugin: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    answers: list[bytes] = []

    def script(conversation: Conversation) -> None:
        conversation.send(greeting(tls=False, plugin=plugin.encode()))
        conversation.receive()
        if plugin == "caching_sha2_password":
            conversation.send(b"\x01\x04")
            answers.append(conversation.receive())
        conversation.send(b"\x01" + pem)
        answers.append(conversation.receive())

    with scripted(script) as server:
        failure = fails(server.port)
    assert isinstance(failure, authentication.PasswordWithheld)
    assert plugin in failure.message
    assert [answer for answer in answers if answer] == [], "the key was asked for, or used"


def test_the_key_of_the_server_in_that_test_would_have_opened_the_password() -> None:
    # What is kept back above is no detail: the exchange that PyMySQL has ready gives the password away.
    from pymysql import _auth

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    sealed = _auth.sha2_rsa_encrypt(PASSWORD.encode(), NONCE, pem)
    from cryptography.hazmat.primitives import hashes

    opened = key.decrypt(sealed, padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))  # noqa: S303
    assert bytes(byte ^ NONCE[i % 20] for i, byte in enumerate(opened)) == PASSWORD.encode() + b"\0"


def logged_in(answer: t.Callable[[Conversation, bytes], object]) -> t.Callable[[Conversation], None]:
    """A server that lets everybody in and leaves every SELECT to ``answer``."""

    def script(conversation: Conversation) -> None:
        conversation.send(greeting(tls=False))
        conversation.receive()
        conversation.send(OK)
        while True:
            command = conversation.receive()
            if not command or command[:1] == b"\x01":  # COM_QUIT
                return
            if b"SELECT" in command:
                answer(conversation, command)
            else:
                conversation.send(OK)

    return script


def test_a_session_without_tls_says_so() -> None:
    with scripted(logged_in(lambda conversation, command: conversation.send(OK))) as server:
        with open_session(options(server.port)) as session:
            assert not session.encrypted
            assert not session.verified
            assert (session.protocol, session.cipher, session.certificate) == (None, None, None)
            assert session.connection_id == 7
            assert session.warnings == ()
            assert session.query("DO 1") == []
            assert session.usable
    assert PASSWORD.encode() not in server.received


def test_the_character_set_is_said_after_the_login() -> None:
    """Servers can be told to skip the one in the login, and PyMySQL before 1.1 says it only there."""
    with scripted(logged_in(lambda conversation, command: conversation.send(OK))) as server:
        open_session(options(server.port)).close()
    assert b"\x03SET NAMES utf8mb4" in server.received


def test_rows_that_do_not_come() -> None:
    """Some proxy says that all is well, and nobody knows what the next packet belongs to."""
    with scripted(logged_in(lambda conversation, command: conversation.send(OK))) as server:
        with open_session(options(server.port)) as session:
            with pytest.raises(QueryFailed, match="rows were asked for") as failure:
                session.query("SELECT 1")
            assert failure.value.connection_lost
            assert not session.usable


def test_a_statement_that_the_server_refuses() -> None:
    error = b"\xff" + (1142).to_bytes(2, "little") + b"#42000SELECT command denied"
    with scripted(logged_in(lambda conversation, command: conversation.send(error))) as server:
        with open_session(options(server.port)) as session:
            with pytest.raises(QueryFailed, match=r"SELECT 1 failed: \(1142\) SELECT command denied") as caught:
                session.query("SELECT 1")
            assert caught.value.code == 1142
            assert not caught.value.connection_lost
            with pytest.raises(QueryFailed):  # and the session goes on
                session.query("SELECT 2")


@pytest.mark.parametrize(
    "answer",
    [
        packet(b"\xfb/etc/hostname", 1),
        packet(b"\xfb", 1),
        packet(b"", 1),
        packet(b"\0", 1),
        packet(b"\x01", 1) + packet(b"\x03def", 2),
        packet(b"\xfc", 1),
        b"\xff\0\0\x01",
        b"",
    ],
    ids=["a file", "no file", "empty", "half an OK", "half a column", "half a count", "cut", "end"],
)
def test_no_answer_to_a_statement_breaks_the_client(answer: bytes) -> None:
    def script(conversation: Conversation, command: bytes) -> None:
        conversation.send_raw(answer)
        conversation.connection.close()

    with scripted(logged_in(script)) as server:
        session = open_session(options(server.port))
        with pytest.raises(QueryFailed, match=r"^SELECT 1 failed"):
            session.query("SELECT 1")
        session.close()
        with pytest.raises(QueryFailed) as caught:
            session.query("SELECT 1")
    assert caught.value.connection_lost


def test_a_statement_that_takes_too_long() -> None:
    done = threading.Event()
    with scripted(logged_in(lambda conversation, command: done.wait(120) and None)) as server:
        with open_session(options(server.port, connect_timeout=1)) as session:
            started = time.monotonic()
            with pytest.raises(QueryFailed) as caught:
                session.query("SELECT SLEEP(5)")
            assert 0.5 < time.monotonic() - started < 60
            assert caught.value.connection_lost
        done.set()
