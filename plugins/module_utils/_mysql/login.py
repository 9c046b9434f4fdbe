# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From connection options to an SSLContext and a PyMySQL connection."""

from __future__ import annotations

import functools
import os
import socket
import ssl
import struct
import time
import typing as t
import warnings

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import (
    MissingLibrary,
    OptionError,
    RdsMysqlError,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import authentication, handshake
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import (
    OLD_TLS_VERSIONS,
    ConnectionOptions,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.offline_verification import (
    RecordingContext,
    Verifier,
    presented_chain,
)

# "Server Error Message Reference" and "Client Error Message Reference", MySQL Reference Manual.
ER_ACCESS_DENIED_ERROR = 1045
ER_ACCESS_DENIED_NO_PASSWORD_ERROR = 1698
ER_ACCOUNT_HAS_BEEN_LOCKED = 3118
ER_SECURE_TRANSPORT_REQUIRED = 3159
ER_ACCOUNT_HAS_BEEN_LOCKED_MARIADB = 4151
_FIRST_SERVER_ERROR = 1000
# What a client says of its own accord; a server's numbers begin again at 3000.
_CLIENT_ERRORS = range(2000, 3000)
CR_CONN_HOST_ERROR = 2003
CR_SERVER_GONE_ERROR = 2006
CR_SERVER_LOST = 2013
CR_SSL_CONNECTION_ERROR = 2026
CR_MALFORMED_PACKET = 2027

# X509_V_ERR_* of OpenSSL's x509_vfy.h.
_CERTIFICATE_NOT_YET_VALID = 9
_CERTIFICATE_HAS_EXPIRED = 10
_HOSTNAME_MISMATCH = 62
_IP_ADDRESS_MISMATCH = 64

# Answers to this login. Other errors, such as "Too many connections" or a lost connection, say nothing about it.
_REFUSALS = (
    ER_ACCESS_DENIED_ERROR,
    ER_ACCESS_DENIED_NO_PASSWORD_ERROR,
    ER_ACCOUNT_HAS_BEEN_LOCKED,
    ER_SECURE_TRANSPORT_REQUIRED,
    ER_ACCOUNT_HAS_BEEN_LOCKED_MARIADB,
)

# What PyMySQL's parser raises on bytes that are not the packet it expects, and what it raises for a request that it
# does not serve, such as an authentication plugin whose library is missing.
_PARSER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)

_SSL_CONTEXT_OPTION_LEGACY_SERVER_CONNECT = 0x4


_ANSWERED_BY_ROWS = ("SELECT ", "SHOW ", "EXPLAIN ")


class ConnectionFailed(RdsMysqlError):
    """No session; the message names the endpoint and the reason. ``code`` is MySQL's error number, if there is one."""

    def __init__(self, message: str, code: int | None = None, **details: t.Any) -> None:
        super().__init__(message, **details)
        self.code = code


class CertificateRejected(ConnectionFailed):
    """The server's certificate did not pass verification; nothing but the greeting was exchanged."""


class TlsNotOffered(ConnectionFailed):
    """TLS is needed and the server offers none; no credentials were sent."""


class LoginRefused(ConnectionFailed):
    """The server was reached and turned this login down."""


class QueryFailed(RdsMysqlError):
    """A statement failed. ``code`` is MySQL's error number; ``connection_lost`` says that the session is gone."""

    def __init__(self, statement: str, code: int, text: str, connection_lost: bool) -> None:
        super().__init__(f"{statement} failed: ({code}) {text}")
        self.code = code
        self.connection_lost = connection_lost


def ssl_context(
    ca_cert: str | None,
    check_hostname: bool,
    tls_min_version: str,
    client_cert: str | None = None,
    client_key: str | None = None,
) -> ssl.SSLContext:
    """A client's context for one connection; without ``ca_cert`` it takes any certificate.

    :raises OptionError: when a file does not hold what it should.
    """
    return _context(ca_cert, check_hostname, tls_min_version, client_cert, client_key)


def _context(
    ca_cert: str | None,
    check_hostname: bool,
    tls_min_version: str,
    client_cert: str | None,
    client_key: str | None,
) -> _Context:
    try:
        context = _AHEAD.pop()
    except IndexError:
        context = _Context()
    # CPython 3.13 sets it by default; CA certificates whose basicConstraints is not critical are in use in the field.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0x20)
    context.check_hostname = False
    if ca_cert is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = check_hostname
        try:
            context.load_verify_locations(cafile=ca_cert)
        except (OSError, ValueError) as e:  # ssl.SSLError is an OSError
            raise OptionError(f"ca_cert: {ca_cert} holds no usable CA certificates in PEM form: {e}.") from e
    if client_cert is not None:
        try:
            context.load_cert_chain(client_cert, client_key, password=_no_passphrase)
        except (OSError, ValueError) as e:
            raise OptionError(
                "client_cert: {} and {} are not a certificate and its unencrypted key: {}.".format(
                    client_cert, client_key or "no client_key", e
                )
            ) from e
    _admit_tls_versions(context, tls_min_version)
    return context


def verifier(options: ConnectionOptions, check_hostname: bool, tls_min_version: str) -> Verifier:
    """What verifies chains against ``ca_cert``, which must be set; one for all connections of this process.

    :raises OptionError: on its first use, when the file does not hold what it should.
    """
    path = str(options.ca_cert)
    status = os.stat(path)
    return _verifier(path, (status.st_ino, status.st_size, status.st_mtime_ns), check_hostname, tls_min_version)


@functools.lru_cache(maxsize=16)
def _verifier(
    ca_cert: str,
    _version: tuple[int, ...],  # of the file, so that another content is another verifier
    check_hostname: bool,
    tls_min_version: str,
) -> Verifier:
    return Verifier(lambda: ssl_context(ca_cert, check_hostname, tls_min_version))


def _no_passphrase() -> str:
    # Without this OpenSSL asks on the terminal for the passphrase of an encrypted key.
    raise ValueError("the key is encrypted with a passphrase")


def _admit_tls_versions(context: ssl.SSLContext, tls_min_version: str) -> None:
    version = getattr(ssl.TLSVersion, tls_min_version.replace(".", "_"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # The user has asked for the old versions by name.
        context.minimum_version = version
    if tls_min_version in OLD_TLS_VERSIONS:
        # MySQL 5.6 has only TLSv1, SHA-1 signatures and no secure renegotiation, which OpenSSL 3 admits at security
        # level 0 only, and a Diffie-Hellman group that OpenSSL refuses at any level: leaving DHE out brings it to RSA.
        context.set_ciphers("DEFAULT:!kDHE:@SECLEVEL=0")
        context.options |= _SSL_CONTEXT_OPTION_LEGACY_SERVER_CONNECT


class Session:
    """A login on a server, open until closed. Use it as a context manager."""

    def __init__(self, options: ConnectionOptions, connection: t.Any, transport: authentication.Transport) -> None:
        self.options = options
        self.warnings: tuple[str, ...] = tuple(transport.warnings)
        self._connection = connection
        tls = connection._sock if isinstance(connection._sock, ssl.SSLSocket) else None
        cipher = tls.cipher() if tls else None
        self.encrypted = tls is not None
        self.protocol: str | None = tls.version() if tls else None
        self.cipher: str | None = cipher[0] if cipher else None
        self.certificate: bytes | None = tls.getpeercert(binary_form=True) if tls else None
        self.chain: tuple[bytes, ...] = presented_chain(tls) if tls else ()
        self.verified = self.encrypted and options.verifies
        self.connection_id = int(connection.server_thread_id[0])
        self.greeting = handshake.Greeting(
            raw_version=connection.server_version, capabilities=connection.server_capabilities
        )

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Say good-bye to the server; never fails."""
        if self._connection.open:
            self._connection.close()

    def query(self, statement: str, arguments: t.Sequence[t.Any] = ()) -> list[tuple[t.Any, ...]]:
        """Run one statement and return its rows.

        :arg arguments: Values for the ``%s`` in the statement; without any the statement goes as it is.
        :raises QueryFailed: with MySQL's error number.
        """
        import pymysql

        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, tuple(arguments) or None)
                if cursor.description is None and statement.startswith(_ANSWERED_BY_ROWS):
                    raise RuntimeError("rows were asked for, and none came")
                rows = list(cursor.fetchall())
                # PyMySQL makes a short row of one whose lengths are wrong.
                if any(len(row) != len(cursor.description) for row in rows):
                    raise RuntimeError("a row came with too few columns")
                return rows
        except pymysql.MySQLError as e:
            raise self._query_failed(statement, e) from e
        except (OSError, *_PARSER_ERRORS) as e:
            self.abandon()
            raise QueryFailed(statement, 0, f"{type(e).__name__}: {e}", connection_lost=True) from e

    @property
    def usable(self) -> bool:
        """Whether statements can be sent; the network may have gone for all that."""
        return bool(self._connection.open)

    def abandon(self) -> None:
        """Hang up without a good-bye, as nobody knows any more what the next packet belongs to."""
        self._connection._force_close()

    def mogrify(self, statement: str, arguments: t.Sequence[t.Any] = ()) -> str:
        """The statement as it would be sent."""
        with self._connection.cursor() as cursor:
            return str(cursor.mogrify(statement, tuple(arguments) or None))

    def _query_failed(self, statement: str, error: t.Any) -> QueryFailed:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = str(error.args[1]) if len(error.args) > 1 else str(error)
        if code < _FIRST_SERVER_ERROR or code in _CLIENT_ERRORS:
            self.abandon()
        return QueryFailed(statement, code, text, connection_lost=not self._connection.open)


class NoVerdict(Exception):
    """OpenSSL could not be brought to say whether it accepts a certificate. Not for users: there is another way."""


def open_session(options: ConnectionOptions, deadline: float | None = None) -> Session:
    """Log in.

    :arg deadline: When to give up (of ``time.monotonic()``), ``options.timeout`` from now by default.
    :raises ConnectionFailed: or one of its kinds, when that does not succeed.
    :raises PasswordWithheld: when the server asks for the password in a way that the transport does not allow.
    :raises MissingLibrary: without PyMySQL.
    """
    context = None
    if options.ssl_mode != "disabled":
        context = ssl_context(
            ca_cert=options.ca_cert if options.verifies else None,
            check_hostname=options.ssl_mode == "verify_identity",
            tls_min_version=options.tls_min_version,
            client_cert=options.client_cert,
            client_key=options.client_key,
        )
    return _log_in(options, context, deadline or time.monotonic() + options.timeout)


def log_in(
    greeted: handshake.Greeted, options: ConnectionOptions, meet: t.Callable[[handshake.Handshake], None]
) -> Session:
    """Log in on a connection whose server has greeted, in a way that no server counts if its certificate is rejected.

    The handshake is made without verification, the certificate verified after it and before anything else is sent, and
    with a server that is not to be trusted the connection ends as a look from outside does.

    :arg meet: Told the connection phase as it went, before the certificate is verified.
    :raises NoVerdict: where that can be done only in a handshake, which ``open_session`` does.
    :raises ConnectionFailed: and others, as ``open_session`` does.
    """
    if options.ssl_mode == "disabled" or not greeted.greeting.offers_tls:
        meet(handshake.Handshake(greeted.greeting))
        if options.encrypts:
            greeted.look(None)
            raise _tls_not_offered(options)
        return _log_in(options, None, greeted.deadline, greeted)

    def introduce(tls: ssl.SSLSocket) -> None:
        seen = handshake.after_tls(greeted.greeting, tls)
        try:
            meet(seen)
            if options.verifies:
                _verify(options, seen)
        except (RdsMysqlError, NoVerdict):
            handshake.leave(tls, greeted.greeting, greeted.deadline, context.request())
            raise

    context = _context(
        ca_cert=None,
        check_hostname=False,
        tls_min_version=options.tls_min_version,
        client_cert=options.client_cert,
        client_key=options.client_key,
    )
    context.introduce = introduce
    return _log_in(options, context, greeted.deadline, greeted)


class _Context(RecordingContext):
    """A context that can show its TLS session to somebody, who may raise, before anybody uses it."""

    def __init__(self) -> None:
        super().__init__()
        self.introduce: t.Callable[[ssl.SSLSocket], None] | None = None
        # The SSLRequest of the connection that uses this context.
        self.request: t.Callable[[], bytes] = bytes

    def wrap_socket(self, *arguments: t.Any, **keywords: t.Any) -> ssl.SSLSocket:
        """As that of ssl.SSLContext."""
        tls = super().wrap_socket(*arguments, **keywords)
        try:
            if self.introduce is not None:
                self.introduce(tls)
        except BaseException:
            tls.close()
            raise
        return tls


# Contexts that nobody has used yet, nor set up for anything.
_AHEAD: list[_Context] = []
# A login has one for its handshake, and one to verify with.
_CONTEXTS_OF_A_LOGIN = 2


def make_contexts_ahead() -> None:
    """Make the contexts of this process's next login, or of the next of each process that it forks.

    OpenSSL takes a twentieth of the time of such a login to make them.
    """
    while len(_AHEAD) < _CONTEXTS_OF_A_LOGIN:
        _AHEAD.append(_Context())


def _verify(options: ConnectionOptions, seen: handshake.Handshake) -> None:
    """Raise unless OpenSSL accepts the chain of a connection, under the options' own rules."""
    error = verifier(options, options.ssl_mode == "verify_identity", options.tls_min_version).verify(
        seen.chain, options.host
    )
    if isinstance(error, ssl.SSLCertVerificationError):
        raise certificate_rejected(options, error)
    # What was verified has to be the certificate whose key the handshake was made with.
    if error is not None or seen.certificate is None or seen.chain[0] != seen.certificate:
        raise NoVerdict


def _log_in(
    options: ConnectionOptions,
    context: ssl.SSLContext | None,
    deadline: float,
    greeted: handshake.Greeted | None = None,
) -> Session:
    try:
        import pymysql
    except ImportError as e:
        raise MissingLibrary("PyMySQL", "log in to MySQL and MariaDB", e) from e
    if options.user is None:
        raise OptionError("login_user: no user is given, neither here nor in the config_file.")
    transport = authentication.Transport(endpoint=options.endpoint, verifies=options.verifies)
    connection = connection_class()(
        host=options.host,
        port=options.port,
        unix_socket=options.unix_socket,
        user=options.user,
        # PyMySQL encodes text as Latin-1; MySQL's own clients send the bytes of the terminal, UTF-8 today.
        password=options.password.encode("utf-8"),
        charset="utf8mb4",
        connect_timeout=options.timeout,
        read_timeout=options.timeout,
        write_timeout=options.timeout,
        ssl=context,
        ssl_disabled=context is None,
        auth_plugin_map=authentication.plugin_map(transport),
        autocommit=True,
        defer_connect=True,
    )
    connection.dbtls_tls_optional = options.ssl_mode == "preferred"
    connection.dbtls_transport = transport
    connection.dbtls_deadline = deadline
    try:
        if greeted is None:
            connection.connect()
        else:
            connection.dbtls_connect(greeted)
        connection.dbtls_deadline = None
        connection._sock.settimeout(options.timeout)
    except BaseException as e:
        # PyMySQL closes the socket that it began with, and leaves open the one for TLS that has taken its place.
        connection._force_close()
        if isinstance(e, pymysql.MySQLError):
            raise _connection_failed(options, connection, e) from e
        if isinstance(e, _PARSER_ERRORS):
            raise ConnectionFailed(
                f"{options.endpoint} does not answer as a MySQL server does ({type(e).__name__})."
            ) from e
        raise
    session = Session(options, connection, transport)
    if connection._auth_plugin_name == "sha256_password" and session.encrypted and not session.verified:
        # PyMySQL answers this default plugin with the password at once, before it asks any handler, if there is TLS.
        session.warnings += (transport.unverified("sha256_password"),)
    return session


@functools.lru_cache(maxsize=1)
def connection_class() -> t.Any:
    """PyMySQL's connection with the promises of this module; made when it is first asked for, as PyMySQL may lack."""
    from pymysql.connections import Connection
    from pymysql.err import OperationalError

    class _Connection(Connection):
        """A connection that keeps what this module promises of a login, with every version of PyMySQL.

        PyMySQL before 1.2 goes on in plain text when TLS is wanted and not on offer, answers requests for full
        authentication without asking, and takes any packet but an error for a successful login; no version bounds the
        time of a login as a whole.
        """

        dbtls_tls_optional = False
        dbtls_transport: authentication.Transport | None = None
        dbtls_deadline: float | None = None
        _dbtls_ahead = b""
        _dbtls_request = b""
        _dbtls_last_packet: t.Any = None
        server_capabilities: int
        client_flag: int
        _sock: t.Any
        _rfile: t.Any
        _force_close: t.Callable[[], None]
        ctx: _Context

        def dbtls_connect(self, greeted: handshake.Greeted) -> None:
            """As ``connect``, on a connection whose greeting has been read."""
            self._dbtls_ahead = greeted.packet
            if self.ssl:
                self.ctx.request = lambda: self._dbtls_request
            if self.unix_socket:
                self._secure = True
            else:  # as PyMySQL does for the sockets that it makes itself
                greeted.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                greeted.connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self.connect(greeted.connection)

        def _request_authentication(self) -> None:
            if self.ssl and not self.server_capabilities & handshake.CLIENT_SSL:
                if not self.dbtls_tls_optional:
                    raise OperationalError(CR_SSL_CONNECTION_ERROR, "the server offers no TLS")
                self.ssl = False
                # Left in, it announces an SSLRequest that does not come, which MySQL answers with "Bad handshake".
                self.client_flag &= ~handshake.CLIENT_SSL
            super()._request_authentication()  # type: ignore[misc]  # not in the stubs
            self.dbtls_transport = None
            if not self._dbtls_last_packet.is_ok_packet():
                raise OperationalError(CR_MALFORMED_PACKET, "unexpected packet during authentication")

        def write_packet(self, payload: bytes) -> None:
            if self.ssl and not isinstance(self._sock, ssl.SSLSocket):
                self._dbtls_request = payload
            super().write_packet(payload)

        def _read_packet(self, *arguments: t.Any, **keywords: t.Any) -> t.Any:
            packet = super()._read_packet(*arguments, **keywords)  # type: ignore[no-untyped-call]
            if self.dbtls_transport is not None:
                self.dbtls_transport.admit(self, packet)
                self._dbtls_last_packet = packet
            return packet

        def _read_bytes(self, num_bytes: int) -> t.Any:
            if self.dbtls_deadline is None:
                return super()._read_bytes(num_bytes)  # type: ignore[misc]
            received, self._dbtls_ahead = self._dbtls_ahead[:num_bytes], self._dbtls_ahead[num_bytes:]
            try:
                while len(received) < num_bytes:
                    self._sock.settimeout(handshake.remaining(self.dbtls_deadline))
                    chunk = self._rfile.read1(num_bytes - len(received))
                    if not chunk:
                        break
                    received += chunk
            except OSError as e:
                self._force_close()
                raise OperationalError(CR_SERVER_LOST, f"Lost connection to MySQL server ({e})") from e
            if len(received) < num_bytes:
                self._force_close()
                raise OperationalError(CR_SERVER_LOST, "Lost connection to MySQL server")
            return received

    return _Connection


def _connection_failed(options: ConnectionOptions, connection: t.Any, error: t.Any) -> ConnectionFailed:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else None
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return certificate_rejected(options, cause)
    if isinstance(cause, ssl.SSLError):
        return ConnectionFailed(tls_failure(options.endpoint, cause, options.tls_min_version), code)
    if code == CR_CONN_HOST_ERROR:
        return ConnectionFailed(f"Cannot reach {options.endpoint}: {_network_reason(options, cause)}.", code)
    if code == CR_SERVER_LOST and "timed out" in text:
        return ConnectionFailed(
            f"{options.endpoint} accepts connections, but did not answer within {options.timeout} seconds.",
            code,
        )
    if code == CR_SSL_CONNECTION_ERROR:
        return _tls_not_offered(options)
    if code in (CR_SERVER_GONE_ERROR, CR_SERVER_LOST):
        return ConnectionFailed(f"{options.endpoint} broke the connection off during the login.", code)
    message = f"{options.endpoint} refused the login of {options.user!r}: ({code}) {text}"
    if code not in _REFUSALS:
        return ConnectionFailed(message, code)
    if code == ER_ACCESS_DENIED_ERROR:
        if _was_encrypted(options, connection):
            lacking = "something that this connection lacks, such as a client certificate"
        elif _offered_tls(connection):
            lacking = "TLS, which this connection did not use (set ca_cert)"
        else:
            lacking = "TLS, which this server does not offer"
        message += f". The password or the user name is wrong, or the account requires {lacking}."
        return LoginRefused(message, code)
    if code == ER_SECURE_TRANSPORT_REQUIRED:
        message += ". Set ca_cert, or ssl_mode to required."
    return LoginRefused(message, code)


def _tls_not_offered(options: ConnectionOptions) -> TlsNotOffered:
    return TlsNotOffered(
        f"{options.endpoint} offers no TLS, and ssl_mode is {options.ssl_mode}; no credentials were sent.",
        CR_SSL_CONNECTION_ERROR,
    )


def _was_encrypted(options: ConnectionOptions, connection: t.Any) -> bool:
    return options.ssl_mode != "disabled" and _offered_tls(connection)


def _offered_tls(connection: t.Any) -> bool:
    return bool(getattr(connection, "server_capabilities", 0) & handshake.CLIENT_SSL)


def _network_reason(options: ConnectionOptions, cause: BaseException | None) -> str:
    if isinstance(cause, socket.timeout):
        return f"no answer within {options.timeout} seconds"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause)


def certificate_rejected(options: ConnectionOptions, cause: ssl.SSLCertVerificationError) -> CertificateRejected:
    """The sentence for each way in which a server certificate fails verification."""
    reason = {
        _CERTIFICATE_HAS_EXPIRED: "it, or one that signed it, has expired",
        _CERTIFICATE_NOT_YET_VALID: "it, or one that signed it, is not valid yet",
        _HOSTNAME_MISMATCH: f"it is not made out to {options.host}; connect by a name that it holds, or set "
        "check_hostname: false "
        "to verify the chain only",
        _IP_ADDRESS_MISMATCH: f"it is not made out to {options.host}; connect by a name that it holds, or set "
        "check_hostname: "
        "false to verify the chain only",
    }.get(cause.verify_code, f"it does not chain to a certificate in ca_cert {options.ca_cert}")
    return CertificateRejected(
        f"The certificate of {options.endpoint} was rejected: {reason} ({cause.verify_message}). No credentials were "
        "sent.",
        verify_code=cause.verify_code,
    )


def tls_failure(endpoint: str, cause: OSError, tls_min_version: str) -> str:
    """The sentence for a TLS handshake that fails for another reason than the certificate."""
    reason = getattr(cause, "reason", None) or cause.strerror or str(cause)
    advice = ""
    if tls_min_version not in OLD_TLS_VERSIONS and _looks_too_old(str(reason)):
        advice = ". The server has perhaps nothing newer than TLSv1 or TLSv1.1: set tls_min_version: TLSv1 to allow it"
    return f"The TLS handshake with {endpoint} failed: {reason}{advice}. No credentials were sent."


def _looks_too_old(reason: str) -> bool:
    signs = ("PROTOCOL", "VERSION", "HANDSHAKE_FAILURE", "EOF", "NO_CIPHERS", "NO_SHARED", "RENEGOTIATION")
    return any(sign in reason.upper() for sign in signs)
