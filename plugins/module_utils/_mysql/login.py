# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logging in: greet, TLS, verify, authenticate, in this order and in this place only."""

from __future__ import annotations

import ssl
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import Deadline
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import authentication, handshake
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import ConnectionFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login_errors import (
    certificate_rejected,
    connection_failed,
    tls_not_offered,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.pymysql_connection import (
    AfterTlsHandshake,
    connection_class,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import (
    PARSER_ERRORS,
    PyMySQLSession,
    Session,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.context import ssl_context, verifier

OnHandshake = t.Callable[[handshake.Handshake], None]
"""Is told the connection phase as it went, before the certificate is verified."""


class VerificationInconclusive(Exception):
    """OpenSSL could not be brought to say whether it accepts a certificate. Not for users: there is another way."""


def open_session(options: ConnectionOptions, deadline: Deadline | None = None) -> Session:
    """Greet, and log in.

    :arg deadline: When to give up, ``options.timeout`` from now by default, and never after ``options.deadline``.
    :raises ConnectionFailed: or one of its kinds, when that does not succeed.
    :raises PasswordWithheld: when the server asks for the password in a way that the transport does not allow.
    :raises MissingLibrary: without PyMySQL.
    """
    _check(options)
    deadline = deadline or options.deadline.within(options.timeout)
    try:
        with handshake.greet(options.endpoint, options.address, deadline) as opened:
            return log_in(opened, options)
    except VerificationInconclusive:
        # With a rare kind of key, only a handshake shows what OpenSSL thinks of the certificate; the server counts
        # one that fails.
        context = ssl_context(
            options.ca_cert,
            options.ssl_mode == "verify_identity",
            options.tls_min_version,
            options.client_cert,
            options.client_key,
        )
        with handshake.greet(options.endpoint, options.address, deadline) as opened:
            return _authenticate(opened, options, context)


def log_in(
    opened: handshake.OpenConnection, options: ConnectionOptions, on_handshake: OnHandshake | None = None
) -> Session:
    """Log in where a server has greeted, in a way that no server counts if its certificate is rejected.

    The handshake is made without verification, the certificate verified after it and before anything else is sent, and
    with a server that is not to be trusted the connection ends as an unauthenticated check does.

    :raises VerificationInconclusive: where that can be done only in a handshake, which ``open_session`` does.
    :raises ConnectionFailed: and others, as ``open_session`` does.
    """
    if options.ssl_mode == "disabled" or not opened.greeting.offers_tls:
        if on_handshake:
            on_handshake(handshake.Handshake(opened.greeting))
        if options.encrypts:
            raise tls_not_offered(options)
        return _authenticate(opened, options, None)

    def after_tls_handshake(tls: ssl.SSLSocket, ssl_request: bytes) -> None:
        seen = handshake.after_tls(opened.greeting, tls)
        try:
            if on_handshake:
                on_handshake(seen)
            if options.verifies:
                _verify(options, seen)
        except (RdsMysqlError, VerificationInconclusive):
            handshake.disconnect_uncounted(tls, opened.greeting, opened.deadline, ssl_request)
            raise

    context = ssl_context(None, False, options.tls_min_version, options.client_cert, options.client_key)
    return _authenticate(opened, options, context, after_tls_handshake)


def _check(options: ConnectionOptions) -> None:
    """What is wrong without any server."""
    connection_class()
    if options.user is None:
        raise OptionError("login_user: no user is given, neither here nor in the config_file.")
    if options.verifies:
        verifier(str(options.ca_cert), options.ssl_mode == "verify_identity", options.tls_min_version)


def _verify(options: ConnectionOptions, seen: handshake.Handshake) -> None:
    """Raise unless OpenSSL accepts the chain of a connection, under the options' own rules."""
    verifies = verifier(str(options.ca_cert), options.ssl_mode == "verify_identity", options.tls_min_version)
    error = verifies.verify(seen.chain, options.host)
    if isinstance(error, ssl.SSLCertVerificationError):
        raise certificate_rejected(options, error)
    # What was verified has to be the certificate whose key the handshake was made with.
    if error is not None or seen.certificate is None or seen.chain[0] != seen.certificate:
        raise VerificationInconclusive


def _authenticate(
    opened: handshake.OpenConnection,
    options: ConnectionOptions,
    context: ssl.SSLContext | None,
    after_tls_handshake: AfterTlsHandshake | None = None,
) -> Session:
    """The login itself, over TLS with a context and in plain text without."""
    connection_type = connection_class()
    import pymysql

    transport = authentication.Transport(endpoint=options.endpoint, verifies=options.verifies)
    connection = connection_type(
        opened,
        transport,
        after_tls_handshake,
        host=options.host,
        port=options.port,
        unix_socket=options.unix_socket,
        user=options.user,
        # PyMySQL encodes text as Latin-1; MySQL's own clients send the bytes of the terminal, UTF-8 today.
        password=options.password.encode("utf-8"),
        charset="utf8mb4",
        ssl=context,
        ssl_disabled=context is None,
        auth_plugin_map=authentication.plugin_map(transport),
        autocommit=True,
    )
    try:
        connection.log_in()
    except BaseException as e:
        # PyMySQL closes the socket that it began with, and leaves open the one for TLS that has taken its place.
        connection._force_close()
        if isinstance(e, pymysql.MySQLError):
            raise connection_failed(options, opened, e) from e
        if isinstance(e, PARSER_ERRORS):
            raise ConnectionFailed(
                f"{options.endpoint} does not answer as a MySQL server does ({type(e).__name__})."
            ) from e
        raise
    session = PyMySQLSession(options, connection, opened.greeting, transport)
    if connection._auth_plugin_name == "sha256_password" and session.encrypted and not session.verified:
        # PyMySQL answers this default plugin with the password at once, before it asks any handler, if there is TLS.
        session.warnings += (transport.unverified("sha256_password"),)
    return session
