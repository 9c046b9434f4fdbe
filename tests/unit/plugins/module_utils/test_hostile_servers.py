# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a server sends, a look at it ends in time, in one sentence, and without the password.

Servers here play scripts, because no real one can be brought to do this.
"""

from __future__ import annotations

import random
import ssl
import threading
import time
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import Deadline
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import handshake
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import run as status
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import offline_verification
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.context import ssl_context

from .scripted_server import NONCE, Conversation, greeting, packet, scripted

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import Pki

    Script = Callable[[Conversation], None]

PASSWORD = "s3cret-pa55"
OK = b"\0\0\0\x02\0\0\0"
REFUSED = b"\xff" + (1045).to_bytes(2, "little") + b"#28000Access denied"
ENDPOINT = "db:3306"
TIMEOUT = 1
# On an idle machine none takes longer than 2.1 seconds, a second more than connect_timeout, and a look at four TLS
# versions 5; the rest is for a busy one. Who waited for one of these servers to end would wait for twice as long.
IN_TIME = 60

FUZZ_SEED = 20260401
PARSER_VARIANTS = 6000
SOCKET_VARIANTS = 400

GREETINGS = [
    greeting(tls=True),
    greeting(tls=False),
    greeting(tls=True, version=b"5.5.5-10.11.6-MariaDB-0+deb12u1", plugin=b"caching_sha2_password"),
    b"\xff" + (1129).to_bytes(2, "little") + b"Host '10.0.0.1' is blocked because of many connection errors",
    b"\xff" + (1040).to_bytes(2, "little") + b"#08004Too many connections",
]


def params(port: int, **others: t.Any) -> dict[str, t.Any]:
    return {
        "login_host": "127.0.0.1",
        "login_port": port,
        "login_user": "app",
        "login_password": PASSWORD,
        "config_file": None,
        "connect_timeout": TIMEOUT,
        "tls_min_version": "TLSv1.2",
        "expiry_warn_days": 30,
        "fail_on": "none",
        "probe_protocols": False,
        **others,
    }


@pytest.fixture(autouse=True)
def _no_option_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")


def mutations(count: int, seed: int) -> t.Iterator[bytes]:
    """Greetings and refusals damaged in many ways: cut, lengthened, with bytes changed, doubled or moved."""
    chance = random.Random(seed)  # noqa: S311  the same damage in every run
    for _number in range(count):
        payload = bytearray(chance.choice(GREETINGS))
        for _damage in range(chance.choice([1, 1, 1, 2, 3, 8])):
            place = chance.randrange(len(payload)) if payload else 0
            kind = chance.randrange(7)
            if kind == 0:
                del payload[place:]
            elif kind == 1:
                payload[place:place] = bytes(chance.randrange(256) for _byte in range(chance.choice([1, 2, 40, 3000])))
            elif kind == 2 and payload:
                payload[place] = chance.choice([0, 1, 0x7F, 0x80, 0xFE, 0xFF, chance.randrange(256)])
            elif kind == 3:
                del payload[place : place + chance.randrange(1, 9)]
            elif kind == 4:
                payload[place:] = payload[: len(payload) - place]
            elif kind == 5:
                payload[place : place + 4] = chance.choice([b"\xff" * 4, b"\0" * 4])
            else:
                payload += b"\0" * chance.choice([1, 13, 100])
        yield bytes(payload)


def test_the_parser_takes_or_refuses_every_variant() -> None:
    taken = refused = 0
    for payload in mutations(PARSER_VARIANTS, FUZZ_SEED):
        try:
            parsed = handshake.parse_greeting(payload, ENDPOINT)
        except handshake.HandshakeError as e:
            assert ENDPOINT in e.message  # noqa: PT017  either way is right
            refused += 1
            continue
        taken += 1
        assert parsed.family in ("mysql", "mariadb")
        assert 0 <= parsed.capabilities <= 0xFFFFFFFF
        # What we would answer is a packet of the length that it says.
        for answer in (handshake.ssl_request(parsed), handshake.empty_login(parsed, 2, b"\xff" * 32)):
            assert int.from_bytes(answer[:3], "little") == len(answer) - 4
    assert taken > PARSER_VARIANTS // 10
    assert refused > PARSER_VARIANTS // 10


def test_a_damaged_certificate_message_is_a_chain_or_none() -> None:
    chance = random.Random(FUZZ_SEED)  # noqa: S311  the same damage in every run
    certificates = (b"first" * 20, b"second" * 30)
    body = b"".join(len(der).to_bytes(3, "big") + der for der in certificates)
    message = b"\x0b" + (len(body) + 3).to_bytes(3, "big") + len(body).to_bytes(3, "big") + body
    assert offline_verification.parse_certificate_message(message, in_tls_1_3=False) == certificates
    for _number in range(PARSER_VARIANTS):
        damaged = bytearray(message)
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        del damaged[chance.randrange(len(damaged)) :]
        for in_tls_1_3 in (False, True):
            chain = offline_verification.parse_certificate_message(bytes(damaged), in_tls_1_3=in_tls_1_3)
            assert sum(len(der) for der in chain) <= len(damaged)


# Python leaves a socket to its garbage collector where the other side has reset the connection before it starts TLS.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_every_variant_over_a_socket_ends_at_once() -> None:
    """In packets of the right length, and in those that lie about it."""
    context = ssl_context(None, check_hostname=False, tls_min_version="TLSv1.2")
    chance = random.Random(FUZZ_SEED)  # noqa: S311  the same damage in every run
    ends = {"seen": 0, "failed": 0}

    def script_for(payload: bytes) -> Script:
        header = packet(payload, 0)[:4]
        if chance.random() < 0.3:
            header = (max(0, len(payload) + chance.choice([-5, -1, 1, 7, 5000, 0xFFFFFF])) & 0xFFFFFF).to_bytes(
                3, "little"
            ) + bytes([chance.randrange(256)])

        def script(conversation: Conversation) -> None:
            conversation.send_raw(header + payload)

        return script

    scripts = [script_for(payload) for payload in mutations(SOCKET_VARIANTS, FUZZ_SEED + 1)]
    started = time.monotonic()
    with scripted(*scripts) as server:
        for _script in scripts:
            try:
                handshake.probe(ENDPOINT, ("127.0.0.1", server.port), context, Deadline(5))
                ends["seen"] += 1
            except handshake.HandshakeError as e:
                assert ENDPOINT in e.message  # noqa: PT017  either way is right
                ends["failed"] += 1
    assert min(ends.values()) > SOCKET_VARIANTS // 20
    assert server.connections == SOCKET_VARIANTS
    # They did not wait for their five seconds, all having been closed.
    assert time.monotonic() - started < SOCKET_VARIANTS


def well_behaved(conversation: Conversation) -> None:
    """The look from outside, so that the login comes to its turn."""
    conversation.send(greeting(tls=False))
    conversation.receive()
    conversation.send(REFUSED)


def silent(conversation: Conversation) -> None:
    conversation.connection.settimeout(2 * IN_TIME)
    while conversation.connection.recv(4096):
        pass


def dripping(conversation: Conversation, start: bytes = b"") -> None:
    """One byte now and then, for as long as somebody listens."""
    for byte in start + bytes(20 * IN_TIME):
        conversation.send_raw(bytes([byte]))
        time.sleep(0.1)


def greets(then: Script, *, tls: bool, plugin: bytes = b"mysql_native_password") -> Script:
    def script(conversation: Conversation) -> None:
        conversation.send(greeting(tls=tls, plugin=plugin))
        conversation.receive()
        then(conversation)

    return script


def sends(*payloads: bytes) -> Script:
    def script(conversation: Conversation) -> None:
        for payload in payloads:
            conversation.send(payload)
            conversation.receive()
        silent(conversation)

    return script


def sends_raw(data: bytes) -> Script:
    def script(conversation: Conversation) -> None:
        conversation.send_raw(data)
        silent(conversation)

    return script


def endless(conversation: Conversation) -> None:
    """A greeting that says it has 16 MB, and then has more."""
    conversation.send_raw(b"\xff\xff\xff\0\x0a")
    while True:
        conversation.send_raw(b"5.7." * 4096)


def endless_within_limits(conversation: Conversation) -> None:
    conversation.send_raw(packet(b"\x0a" + b"8" * 4095, 0))
    while True:
        conversation.send(b"\x0a" + b"8" * 4095)


def absurd_flags(flags: int) -> bytes:
    payload = bytearray(greeting(tls=False))
    place = payload.index(b"\0") + 1 + 4 + 8 + 1
    payload[place : place + 2] = (flags & 0xFFFF).to_bytes(2, "little")
    payload[place + 5 : place + 7] = (flags >> 16).to_bytes(2, "little")
    return bytes(payload)


AUTH_SWITCH = b"\xfe%s\0" + NONCE + b"\0"

HOSTILE: dict[str, list[Script]] = {
    "silent": [silent],
    "silent after the greeting": [greets(silent, tls=False)] * 2,
    "silent after the request for TLS": [greets(silent, tls=True)] * 2,
    "dripping greeting": [lambda conversation: dripping(conversation, packet(greeting(tls=True), 0))],
    "dripping TLS": [greets(lambda conversation: dripping(conversation, b"\x16\x03\x03\0\x64\x02\0\0"), tls=True)] * 2,
    "plain text instead of TLS": [greets(sends_raw(b"certainly not TLS"), tls=True)] * 2,
    "a packet instead of TLS": [greets(sends(REFUSED), tls=True)] * 2,
    "an OK instead of TLS": [greets(sends(OK), tls=True)] * 2,
    "endless greeting": [endless],
    "endless greeting within limits": [endless_within_limits] * 2,
    "length too large": [sends_raw(packet(greeting(tls=False) + b"\0" * 50, 0)[:-50])],
    "length zero": [sends_raw(b"\0\0\0\0")],
    "length too small": [sends_raw(b"\x05\0\0\0" + greeting(tls=False))] * 2,
    "every capability": [sends(absurd_flags(0xFFFFFFFF))] * 2,
    "no capability": [sends(absurd_flags(0))] * 2,
    "only TLS": [sends(absurd_flags(0x800))] * 2,
    "HTTP": [sends_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")],
    "zeros": [sends_raw(bytes(5000))],
    "login: closed": [well_behaved, lambda conversation: None],
    "login: silent": [well_behaved, silent],
    "login: silent after the greeting": [well_behaved, greets(silent, tls=False)],
    "login: dripping": [well_behaved, greets(lambda conversation: dripping(conversation, b"\x07\0\0\x02"), tls=False)],
    "login: in clear text": [well_behaved, greets(sends(AUTH_SWITCH % b"mysql_clear_password"), tls=False)],
    "login: in a dialog": [well_behaved, greets(sends(AUTH_SWITCH % b"dialog", b"\x02Password: "), tls=False)],
    "login: by a plugin that is not there": [well_behaved, greets(sends(AUTH_SWITCH % b"no_such_plugin"), tls=False)],
    "login: under a key": [well_behaved, greets(sends(AUTH_SWITCH % b"sha256_password"), tls=False)],
    "login: in full": [
        well_behaved,
        greets(sends(AUTH_SWITCH % b"caching_sha2_password", b"\x01\x04"), tls=False),
    ],
    "login: switching for ever": [
        well_behaved,
        greets(sends(*[AUTH_SWITCH % b"mysql_native_password"] * 50), tls=False),
    ],
    "login: by the method of 1999": [well_behaved, greets(sends(b"\xfe"), tls=False)],
    "login: an empty packet": [well_behaved, greets(sends(b""), tls=False)],
    "login: a file, please": [well_behaved, greets(sends(b"\xfb/etc/hostname"), tls=False)],
    "login: greets in the clear, TLS before": [greets(sends_raw(b"no"), tls=True), greets(silent, tls=False)],
    "question: silent": [well_behaved, greets(sends(OK), tls=False)],
    "question: nonsense": [well_behaved, greets(sends(OK, *[b"\x03" + bytes([n]) * 40 for n in range(30)]), tls=False)],
    "question: OK to everything": [well_behaved, greets(sends(*[OK] * 60), tls=False)],
    "leaving: silent": [greets(silent, tls=False), greets(sends(REFUSED), tls=False)],
    "leaving: dripping": [greets(dripping, tls=False), greets(silent, tls=False)],
    "leaving: switching for ever": [
        greets(sends(*[AUTH_SWITCH % b"mysql_clear_password"] * 50), tls=False),
        greets(sends(REFUSED), tls=False),
    ],
    "leaving: let in": [greets(sends(OK), tls=False), greets(sends(REFUSED), tls=False)],
}


@pytest.mark.parametrize("scripts", list(HOSTILE.values()), ids=list(HOSTILE))
def test_a_login_to_a_hostile_server(scripts: list[Script]) -> None:
    with scripted(*scripts) as server:
        started = time.monotonic()
        with pytest.raises(RdsMysqlError) as caught:
            status.run(params(server.port))
        assert time.monotonic() - started < IN_TIME
    assert f"127.0.0.1:{server.port}" in caught.value.message
    assert PASSWORD not in caught.value.message
    assert PASSWORD.encode() not in server.received
    assert len(caught.value.message) < 600


@pytest.mark.parametrize("scripts", list(HOSTILE.values()), ids=list(HOSTILE))
def test_a_look_at_a_hostile_server(scripts: list[Script]) -> None:
    """Without credentials; some of these servers are good enough for that."""
    with scripted(scripts[0]) as server:
        started = time.monotonic()
        try:
            seen = status.run(params(server.port, login_user=None, login_password=None))
            assert seen["mysql_ssl"]["session"] is None
        except RdsMysqlError as e:
            assert f"127.0.0.1:{server.port}" in e.message  # noqa: PT017  either way is right
        assert time.monotonic() - started < IN_TIME


@pytest.mark.parametrize("length", range(len(packet(greeting(tls=True), 0))))
def test_a_greeting_cut_at_each_byte(length: int) -> None:
    with scripted(lambda conversation: conversation.send_raw(packet(greeting(tls=True), 0)[:length])) as server:
        with pytest.raises(RdsMysqlError, match=rf"127\.0\.0\.1:{server.port} closed the connection"):
            status.run(params(server.port))
    assert server.received == b""


@pytest.mark.parametrize("stage", ["TLS", "leaving", "login", "second TLS"])
def test_a_server_with_tls_that_goes_silent(stage: str, pki: Pki) -> None:
    files = pki.server()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(files.cert, files.key)

    def first(conversation: Conversation) -> None:
        conversation.send(greeting(tls=True))
        conversation.receive()
        if stage != "TLS":
            conversation.start_tls(server_context)
            if stage != "leaving":
                conversation.receive()
                conversation.send(REFUSED)
        silent(conversation)

    def second(conversation: Conversation) -> None:
        conversation.send(greeting(tls=True))
        conversation.receive()
        if stage != "second TLS":
            conversation.start_tls(server_context)
            conversation.receive()
        silent(conversation)

    with scripted(first, second) as server:
        started = time.monotonic()
        with pytest.raises(RdsMysqlError) as caught:
            status.run(params(server.port, ca_cert=str(pki.bundle)))
        assert time.monotonic() - started < IN_TIME
    assert f"127.0.0.1:{server.port}" in caught.value.message
    assert PASSWORD.encode() not in server.received
    assert ("mysql_ssl" in caught.value.details) is True


def test_versions_are_tried_in_bounded_time() -> None:
    """A server that says nothing to any version takes connect_timeout for each, and the first look."""
    with scripted(*[greets(silent, tls=True)] * 5) as server:
        started = time.monotonic()
        seen = status.run(params(server.port, login_user=None, login_password=None, probe_protocols=True))
        assert time.monotonic() - started < IN_TIME
    probes = seen["mysql_ssl"]["tls"]["probes"]
    assert [probe["accepted"] for probe in probes] == [None] * 4
    assert "no answer within 1 seconds" in probes[0]["detail"]
    assert seen["mysql_ssl"]["tls"]["versions"] == []


@pytest.mark.parametrize(
    ("code", "text"),
    [(1129, "Host '10.0.0.1' is blocked"), (1040, "Too many connections"), (1130, "Host is not allowed")],
)
def test_a_refusal_instead_of_a_greeting(code: int, text: str) -> None:
    error = b"\xff" + code.to_bytes(2, "little") + text.encode()
    for credentials in ({}, {"login_user": None, "login_password": None}):
        with scripted(lambda conversation: conversation.send(error)) as server:
            with pytest.raises(handshake.ServerRefused) as caught:
                status.run(params(server.port, **credentials))
        assert f"127.0.0.1:{server.port} refuses the connection: ({code}) {text}" in caught.value.message
        assert caught.value.code == code
        assert caught.value.details["error_code"] == code
        assert server.connections == 1


def test_leaving_sends_neither_user_nor_password() -> None:
    conversations: list[bytes] = []
    done = threading.Event()

    def script(conversation: Conversation) -> None:
        conversation.send(greeting(tls=False))
        conversations.append(conversation.receive())
        conversation.send(AUTH_SWITCH % b"mysql_clear_password")
        conversations.append(conversation.receive())
        conversation.send(OK)
        conversations.append(conversation.receive())
        done.set()

    with scripted(script) as server:
        handshake.probe(ENDPOINT, ("127.0.0.1", server.port), None, Deadline(5))
        assert done.wait(IN_TIME)
    login, answer, command = conversations
    # Capability flags, maximum packet size, character set, 23 bytes reserved; then an empty user, an empty answer, and
    # the plugin of the greeting.
    assert login[32:] == b"\0" + b"\0" + b"mysql_native_password\0"
    assert not int.from_bytes(login[:4], "little") & handshake.CLIENT_SSL
    assert answer == b""
    assert command == b"\x01"
