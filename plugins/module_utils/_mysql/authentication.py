# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which answers to a server's authentication requests may be given over which transport.

PyMySQL answers whatever a server asks for, on any connection: ``mysql_clear_password`` and ``dialog`` with the password
itself, the full authentication of ``caching_sha2_password`` and ``sha256_password`` with the password under a key that
the server has just sent. These handlers stand between: a password leaves only as the transport allows.
"""

from __future__ import annotations

import ssl
import typing as t
from dataclasses import dataclass, field

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.handshake import CLIENT_SSL

# A server asks for full authentication with this packet: extra authentication data, then "perform full authentication"
# ("Caching_sha2_password information", MySQL Source Code Documentation).
_FULL_AUTHENTICATION = b"\x01\x04"


class PasswordWithheld(RdsMysqlError):
    """The server asked for the password in a way that the transport does not allow; it was not sent."""


@dataclass
class Transport:
    """The transport of one connection, and what happened on it.

    :ivar endpoint: What to call the server in messages.
    :ivar verifies: Whether TLS, where it is used, verifies the server's certificate.
    :ivar warnings: Sentences for the user.
    """

    endpoint: str
    verifies: bool
    warnings: list[str] = field(default_factory=list)

    def reveal_to_verified(self, connection: t.Any, plugin: str) -> None:
        """Stop unless the connection is TLS with a verified server, as the password is about to be shown to it."""
        if _is_tls(connection) and self.verifies:
            return
        if _is_tls(connection):
            advice = "Set ca_cert to the CA bundle of the server."
        elif _offers_tls(connection):
            advice = "Set ca_cert to the CA bundle of the server and ssl_mode to verify_identity."
        else:
            advice = "The server does not offer TLS: give it a certificate first."
        raise PasswordWithheld(
            f"{self.endpoint} asks for the password in clear text ({plugin}). It was not sent: that needs TLS with a "
            f"verified server certificate. {advice}"
        )

    def reveal_to_encrypted(self, connection: t.Any, plugin: str) -> None:
        """Stop without TLS, warn where TLS is not verified: the server gets at the password in full authentication."""
        if _is_tls(connection):
            if not self.verifies and self.unverified(plugin) not in self.warnings:
                self.warnings.append(self.unverified(plugin))
        elif not connection.unix_socket:
            raise PasswordWithheld(
                f"{self.endpoint} asks for full authentication ({plugin}), which gives the password away on a "
                "connection without TLS. It was not sent. "
                + (
                    "Set ca_cert to the CA bundle of the server (or ssl_mode to required, for TLS without "
                    "verification)."
                    if _offers_tls(connection)
                    else "The server does not offer TLS: give it a certificate, or log in on its own machine with "
                    "login_unix_socket."
                )
            )

    def unverified(self, plugin: str) -> str:
        """The warning that the password went to a server that nobody has verified."""
        return (
            f"The password went to {self.endpoint} over TLS, but to a server whose certificate was not verified, "
            f"because {plugin} asked for full authentication. Set ca_cert to the CA bundle of the server."
        )

    def admit(self, connection: t.Any, packet: t.Any) -> None:
        """Look at a packet that arrived while logging in, before PyMySQL acts on it.

        PyMySQL before 1.2 answers a full authentication under the plugin of the greeting without asking any handler.

        :raises PasswordWithheld: when the answer would give the password away.
        """
        plugin = connection._auth_plugin_name
        if not connection.password or not packet.is_extra_auth_data():
            return
        if plugin == "sha256_password" or (
            plugin == "caching_sha2_password" and packet.get_all_data().startswith(_FULL_AUTHENTICATION)
        ):
            self.reveal_to_encrypted(connection, plugin)


def _offers_tls(connection: t.Any) -> bool:
    return bool(connection.server_capabilities & CLIENT_SSL)


def _is_tls(connection: t.Any) -> bool:
    return isinstance(connection._sock, ssl.SSLSocket)


def plugin_map(transport: Transport) -> dict[str, t.Any]:
    """PyMySQL's ``auth_plugin_map``: a handler class for each plugin that can give the password away."""
    return {
        "mysql_clear_password": _clear_text_handler(transport, "mysql_clear_password"),
        "dialog": _clear_text_handler(transport, "dialog"),
        "sha256_password": _sha256_handler(transport),
        "caching_sha2_password": _caching_sha2_handler(transport),
    }


def _clear_text_handler(transport: Transport, plugin: str) -> type:
    class Handler:
        """Sends the password, once, to a verified server."""

        def __init__(self, connection: t.Any) -> None:
            self._connection = connection

        def authenticate(self, packet: t.Any) -> t.Any:  # noqa: ARG002  PyMySQL calls it with the request
            transport.reveal_to_verified(self._connection, plugin)
            self._connection.write_packet(self._connection.password + b"\0")
            answer = self._connection._read_packet()
            answer.check_error()
            return answer

    return Handler


def _sha256_handler(transport: Transport) -> type:
    from pymysql import _auth

    exchange: t.Any = _auth.sha256_password_auth

    class Handler:
        """Every exchange of sha256_password is a full authentication."""

        def __init__(self, connection: t.Any) -> None:
            self._connection = connection

        def authenticate(self, packet: t.Any) -> t.Any:
            if self._connection.password:
                transport.reveal_to_encrypted(self._connection, "sha256_password")
            return exchange(self._connection, packet)

    return Handler


def _caching_sha2_handler(transport: Transport) -> type:
    from pymysql import _auth

    class Handler:
        """The quick exchange, a scramble, goes anywhere; full authentication only as the transport allows."""

        def __init__(self, connection: t.Any) -> None:
            self._connection = connection

        def authenticate(self, packet: t.Any) -> t.Any:
            connection = self._connection
            if packet.is_auth_switch_request() and connection.password:
                nonce = packet.read_all()
                connection.salt = nonce[:-1] if nonce.endswith(b"\0") else nonce
                connection.write_packet(_auth.scramble_caching_sha2(connection.password, connection.salt))
                packet = connection._read_packet()
                packet.check_error()
                if packet.is_ok_packet():
                    return packet
            if packet.get_all_data().startswith(_FULL_AUTHENTICATION):
                transport.reveal_to_encrypted(connection, "caching_sha2_password")
            return _auth.caching_sha2_password_auth(connection, packet)

    return Handler
