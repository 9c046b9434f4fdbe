# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ssl
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import handshake
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.authentication import PasswordWithheld
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import (
    CertificateRejected,
    ConnectionFailed,
    TlsNotOffered,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import open_session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions

from tests.servers import Pki

from ..scripted_server import (
    NONCE,
    Conversation,
    greeting,
    packet,
    scripted,
)

PASSWORD = "s3cret-pa55"
REFUSED = b"\xff" + (1045).to_bytes(2, "little") + b"#28000Access denied"
CLEAR_TEXT = ["mysql_clear_password", "dialog"]
FULL = ["caching_sha2_password", "sha256_password"]


def options(port: int, **others: t.Any) -> ConnectionOptions:
    params = {
        "login_host": "127.0.0.1",
        "login_port": port,
        "login_user": "app",
        "login_password": PASSWORD,
        "connect_timeout": 15,
        "tls_min_version": "TLSv1.2",
        **others,
    }
    return ConnectionOptions.from_params(params)


def asks_for(
    plugin: str, pki: Pki | None, *, greets_with: str = "mysql_native_password", offers_tls: bool = False
) -> t.Any:
    """A server that switches to the plugin and goes as far as it can to get the password."""

    def script(conversation: Conversation) -> None:
        conversation.send(greeting(tls=offers_tls or pki is not None, plugin=greets_with.encode()))
        if pki:
            conversation.receive()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            files = pki.server()
            context.load_cert_chain(files.cert, files.key)
            conversation.start_tls(context)
        conversation.receive()
        data = b"\x02Password: " if plugin == "dialog" else NONCE + b"\0"
        conversation.send(b"\xfe" + plugin.encode() + b"\0" + data)
        conversation.receive()
        if plugin == "caching_sha2_password":
            conversation.send(b"\x01\x04")
            conversation.receive()
        conversation.send(REFUSED)

    return script


@pytest.mark.parametrize("offers_tls", [True, False])
@pytest.mark.parametrize("plugin", CLEAR_TEXT + FULL)
def test_without_tls_no_server_gets_the_password(plugin: str, offers_tls: bool) -> None:
    with scripted(asks_for(plugin, None, offers_tls=offers_tls)) as server:
        with pytest.raises(PasswordWithheld, match=plugin) as caught:
            open_session(options(server.port, ssl_mode="disabled" if offers_tls else "preferred"))
    assert PASSWORD.encode() not in server.received
    assert PASSWORD not in caught.value.message
    # What helps, and not what cannot.
    assert ("ca_cert" in caught.value.message) is offers_tls
    assert ("ssl_mode" in caught.value.message) is offers_tls
    assert ("The server does not offer TLS" in caught.value.message) is not offers_tls


@pytest.mark.parametrize("plugin", CLEAR_TEXT)
def test_unverified_tls_does_not_get_it_in_clear_text(plugin: str, pki: Pki) -> None:
    with scripted(asks_for(plugin, pki)) as server, pytest.raises(PasswordWithheld, match=plugin):
        open_session(options(server.port, ssl_mode="required"))
    assert PASSWORD.encode() not in server.received


@pytest.mark.parametrize("plugin", CLEAR_TEXT + FULL)
def test_a_verified_server_gets_what_it_asks_for(plugin: str, pki: Pki) -> None:
    with scripted(asks_for(plugin, pki)) as server, pytest.raises(ConnectionFailed, match=r"\(error 1045: "):
        open_session(options(server.port, ca_cert=str(pki.bundle)))
    assert PASSWORD.encode() + b"\0" in server.received


@pytest.mark.parametrize("plugin", FULL)
def test_full_authentication_over_unverified_tls(plugin: str, pki: Pki) -> None:
    with scripted(asks_for(plugin, pki)) as server, pytest.raises(ConnectionFailed, match=r"\(error 1045: "):
        open_session(options(server.port, ssl_mode="required"))
    assert PASSWORD.encode() + b"\0" in server.received


@pytest.mark.parametrize("mode", ["required", "verify_ca", "verify_identity"])
def test_nothing_is_sent_when_tls_has_to_be_and_is_not(mode: str, pki: Pki) -> None:
    ca_cert = None if mode == "required" else str(pki.bundle)
    with scripted(asks_for("mysql_clear_password", None)) as server:
        with pytest.raises(TlsNotOffered, match=r"does not offer TLS"):
            open_session(options(server.port, ssl_mode=mode, ca_cert=ca_cert))
    # Only the login by which an unauthenticated check leaves, which has neither a user nor a password.
    greeted = handshake.parse_greeting(greeting(tls=False), "db:3306")
    login = handshake.empty_login(greeted, 1, handshake.request_payload(greeted, with_tls=False))
    assert server.received == login + packet(b"", 3)


def test_a_stranger_gets_no_credentials(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Pki(tmp_path_factory.mktemp("other"))
    with scripted(asks_for("mysql_clear_password", pki)) as server:
        with pytest.raises(CertificateRejected, match=r"does not chain to .*No credentials were sent"):
            open_session(options(server.port, ca_cert=str(other.bundle)))
    assert b"app" not in server.received


@pytest.mark.parametrize(
    "data",
    [b"", b"\0\0\0\0", b"HTTP/1.1 400 Bad Request\r\n", b"\x05\0\0\0\x0a8.0", b"\xff\xff\xff\0", b"\x0a" * 4096],
    ids=["nothing", "empty", "http", "cut", "long", "noise"],
)
def test_what_is_no_mysql_server(data: bytes) -> None:
    with scripted(lambda conversation: conversation.send_raw(data)) as server, pytest.raises(RdsMysqlError) as caught:
        open_session(options(server.port))
    assert f"127.0.0.1:{server.port}" in caught.value.message
    assert PASSWORD not in caught.value.message


@pytest.mark.parametrize("switches", [True, False], ids=["switch", "greeting"])
@pytest.mark.parametrize("verified", [True, False], ids=["verified", "unverified"])
@pytest.mark.parametrize("plugin", FULL)
def test_a_password_given_to_nobody_known_leaves_one_warning(
    plugin: str, verified: bool, switches: bool, pki: Pki
) -> None:
    ok = b"\0\0\0\x02\0\0\0"

    def script(conversation: Conversation) -> None:
        conversation.send(greeting(tls=True, plugin=b"mysql_native_password" if switches else plugin.encode()))
        conversation.receive()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        files = pki.server()
        context.load_cert_chain(files.cert, files.key)
        conversation.start_tls(context)
        conversation.receive()
        if switches:
            conversation.send(b"\xfe" + plugin.encode() + b"\0" + NONCE + b"\0")
            conversation.receive()
        if plugin == "caching_sha2_password":
            conversation.send(b"\x01\x04")
            conversation.receive()
        conversation.send(ok)
        while conversation.receive()[:1] not in (b"", b"\x01"):
            conversation.send(ok)

    with scripted(script) as server:
        how = {"ca_cert": str(pki.bundle)} if verified else {"ssl_mode": "required"}
        with open_session(options(server.port, **how)) as session:
            assert session.verified is verified
            assert session.protocol is not None
            warnings = session.warnings
    assert PASSWORD.encode() + b"\0" in server.received
    assert len(warnings) == (0 if verified else 1)
    assert all(plugin in warning and "ca_cert" in warning and PASSWORD not in warning for warning in warnings)
