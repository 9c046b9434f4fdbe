# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finding out a server's status: unauthenticated, and with credentials what a login may see."""

from __future__ import annotations

import re
import ssl
import typing as t
from dataclasses import replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import Deadline
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import accounts, handshake
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import discover
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import (
    PASSWORD_EXPIRED,
    ConnectionFailed,
    QueryFailed,
    is_from_server,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.in_memory import (
    accounts_in_force,
    compare_all,
    own_requirement,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import (
    VerificationInconclusive,
    log_in,
    open_session,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login_errors import (
    certificate_rejected,
    tls_failure,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.proxy_users import read_proxy_grants
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.replication import read_role
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.server_side import (
    read_server_side,
    tls_ends_elsewhere,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import NO_SUCH_ROWS, Session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.sessions import (
    behind_proxies,
    live_sessions,
    not_in_performance_schema,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.model import (
    ServerCertificate,
    ServerStatus,
    SessionStatus,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.tls_versions import Probe, probe_versions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls import certificates, names
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.context import ssl_context, verifier
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.versions import OLD_TLS_VERSIONS, TLS_VERSIONS

# What a login gets at least, when the unauthenticated check has taken nearly all of connect_timeout.
_LEAST_LOGIN_SECONDS = 1.0
_NUMBER = re.compile(r"\d+")


def collect(
    options: ConnectionOptions, probe_protocols: bool, before_login: t.Callable[[ServerStatus], None]
) -> ServerStatus:
    """Everything that can be seen of a server: unauthenticated, and what a login may see where there are credentials.

    :arg probe_protocols: Also try each TLS version.
    :arg before_login: Told what is seen without a login, before one that may fail.
    :raises HandshakeError: when there is no server to see.
    :raises RdsMysqlError: or one of its kinds, when the login does not succeed.
    """
    if options.client_cert is not None:
        _undemanding_context(options)  # before anybody is asked, as a file may not be what it should
    deadline = options.deadline.within(options.timeout)
    with handshake.greet(options.endpoint, options.address, deadline) as opened:
        if options.user is None or probe_protocols or _needs_separate_probe(options, opened.greeting):
            unauthenticated = _collect_unauthenticated(opened, options, probe_protocols)
        else:
            try:
                return _collect_in_login(opened, options, before_login)
            except _NeedsSeparateProbe:
                unauthenticated = None
    if unauthenticated is None:
        with handshake.greet(options.endpoint, options.address, _at_least_a_login(options, deadline)) as opened:
            unauthenticated = _collect_unauthenticated(opened, options, probe_protocols)
    if options.user is None:
        return unauthenticated
    before_login(unauthenticated)
    return _log_in_and_collect(unauthenticated, deadline)


class _NeedsSeparateProbe(Exception):
    """A server whose TLS a login's own handshake does not show."""


def _needs_separate_probe(options: ConnectionOptions, greeting: handshake.Greeting) -> bool:
    """Whether a login's own handshake does not show a server's TLS: it uses none, or may fail as the server is old.

    MySQL before 5.7.28 and MariaDB before 10.4 can have been built with yaSSL, which ends at TLSv1.1; a handshake that
    asks for more fails, and the server counts it.
    """
    if options.ssl_mode == "disabled":
        return True
    first_with_tls_1_2 = (10, 4, 0) if greeting.family == "mariadb" else (5, 7, 28)
    numbers = tuple(int(number) for number in _NUMBER.findall(greeting.version)[:3])
    return options.tls_min_version not in OLD_TLS_VERSIONS and numbers < first_with_tls_1_2


def _collect_in_login(
    opened: handshake.OpenConnection, options: ConnectionOptions, before_login: t.Callable[[ServerStatus], None]
) -> ServerStatus:
    """One connection for both.

    :raises _NeedsSeparateProbe: where the handshake has shown nothing.
    """
    handshakes: list[handshake.Handshake] = []
    try:
        with log_in(opened, options, handshakes.append) as session:
            return _collect_from_session(session, ServerStatus(options=options, handshake=handshakes[0]))
    except VerificationInconclusive as e:
        raise _NeedsSeparateProbe from e
    except RdsMysqlError as e:
        if not handshakes:
            raise _NeedsSeparateProbe from e
        certificate = _certificate(options, handshakes[0].certificate, handshakes[0].chain, verified=False)
        before_login(ServerStatus(options=options, handshake=handshakes[0], certificate=certificate))
        raise


def _undemanding_context(options: ConnectionOptions) -> ssl.SSLContext:
    # With nothing to protect, every TLS version is welcome: the point is to see what the server has.
    return ssl_context(None, False, "TLSv1", options.client_cert, options.client_key)


def _collect_unauthenticated(
    opened: handshake.OpenConnection, options: ConnectionOptions, probe_protocols: bool
) -> ServerStatus:
    """Greeting, TLS handshake and certificate; sends no credentials."""
    tls_error = None
    try:
        seen = opened.probe(_undemanding_context(options))
    except handshake.TlsHandshakeFailed as e:
        seen, tls_error = handshake.Handshake(greeting=e.greeting), e.cause
    probes = probe_versions(options, seen.protocol) if probe_protocols and seen.greeting.offers_tls else ()
    return ServerStatus(
        options=options,
        handshake=seen,
        tls_error=tls_error,
        probes=probes,
        certificate=_certificate(options, seen.certificate, seen.chain, verified=False),
        warnings=tuple(_unauthenticated_warnings(options, tls_error, probes)),
    )


def _unauthenticated_warnings(
    options: ConnectionOptions, tls_error: OSError | None, probes: tuple[Probe, ...]
) -> t.Iterator[str]:
    if tls_error is not None:
        yield tls_failure(options.endpoint, tls_error, "TLSv1")
    for probe in probes:
        if probe.accepted is None:
            yield f"Whether {options.endpoint} accepts {probe.version} cannot be said: {probe.detail}."
    counted = (tls_error is not None) + sum(probe.counted for probe in probes)
    if counted and options.user is None and options.unix_socket is None:
        yield (
            f"{options.endpoint} may count {counted} failed {'connection' if counted == 1 else 'connections'} of this "
            "host for this check, and blocks the host after max_connect_errors of them (100 by default) without a "
            "login in between."
        )


def _log_in_and_collect(unauthenticated: ServerStatus, deadline: Deadline) -> ServerStatus:
    """Everything that the login may see, added to what was seen without one."""
    options = unauthenticated.options
    _stop_before_a_failing_login(unauthenticated)
    with open_session(options, _at_least_a_login(options, deadline)) as session:
        return _collect_from_session(session, unauthenticated)


def _collect_from_session(session: Session, unauthenticated: ServerStatus) -> ServerStatus:
    options = unauthenticated.options
    try:
        return _ask(session, unauthenticated)
    except QueryFailed as e:
        if e.code in PASSWORD_EXPIRED:
            raise RdsMysqlError(
                f"The password of {options.user} on {options.endpoint} has expired: set another one.", error_code=e.code
            ) from e
        told = {"error_code": e.code} if is_from_server(e.code) else {}
        raise RdsMysqlError(f"{options.endpoint} does not say what it was asked: {e.message}", **told) from e
    except NO_SUCH_ROWS as e:
        raise RdsMysqlError(f"{options.endpoint} does not answer as a MySQL server does ({type(e).__name__}).") from e


def _ask(session: Session, unauthenticated: ServerStatus) -> ServerStatus:
    options = unauthenticated.options
    dialect = discover(session)
    warnings = [*unauthenticated.warnings, *session.warnings]
    account = accounts.current_account(session)
    memory = accounts_denied = None
    try:
        known: tuple[accounts.AccountState, ...] | None = accounts.read_accounts(session, dialect)
    except accounts.AccountsNotReadable as e:
        known = None
        warnings.append(e.message)
        if isinstance(e.__cause__, QueryFailed):
            accounts_denied = e.message
    if known is not None and not accounts.is_without_access_control(account):
        memory = compare_all(session, dialect, known)
    # Without the accounts nobody asks for them.
    grants = read_proxy_grants(session) if known is not None and dialect.checks_proxied_requirement else ()
    requirement = own_requirement(session, dialect, account, accounts_in_force(known, memory))
    certificate = (
        _certificate(options, session.certificate, session.chain, verified=session.verified)
        or unauthenticated.certificate
    )
    server = read_server_side(session)
    # The server tells the end of its main certificate, and that port may have one of its own.
    comparable = None if certificate is None or dialect.is_admin_port(options.port) else certificate.certificate
    sessions = live_sessions(session, dialect)
    seen = {one.connection_id for one in sessions or ()}
    hidden = () if sessions is None else not_in_performance_schema(session, seen)
    attributed = behind_proxies(session, sessions or ())
    return replace(
        unauthenticated,
        dialect=dialect,
        session=_session_status(session, account, requirement),
        account=account,
        certificate=certificate,
        accounts=known,
        sessions=sessions if sessions is None or attributed is None else attributed,
        hidden=hidden,
        current_tls_version=server.tls_versions if server else None,
        tls_ends=tls_ends_elsewhere(session, server, comparable.not_after if comparable else None),
        memory=memory,
        role=read_role(session, dialect),
        accounts_denied=accounts_denied,
        proxy_grants=grants,
        proxies_visible=attributed is not None,
        warnings=tuple(warnings),
    )


def _session_status(
    session: Session, account: accounts.Account, requirement: accounts.Requirement | None
) -> SessionStatus:
    return SessionStatus(
        user=str(account),
        encrypted=session.encrypted,
        protocol=session.protocol,
        cipher=session.cipher,
        verified=session.verified,
        via="socket" if session.options.unix_socket else "tcp",
        ssl_type=requirement.ssl_type if requirement else None,
    )


def _at_least_a_login(options: ConnectionOptions, deadline: Deadline) -> Deadline:
    return deadline if deadline.left > _LEAST_LOGIN_SECONDS else options.deadline.within(_LEAST_LOGIN_SECONDS)


def _stop_before_a_failing_login(unauthenticated: ServerStatus) -> None:
    """Raise what the login would raise over TLS, because the server would count the failed handshake.

    The login itself verifies in its own handshake, whatever was found here.
    """
    options, seen = unauthenticated.options, unauthenticated.handshake
    if options.ssl_mode == "disabled":
        return
    if unauthenticated.tls_error is not None:
        raise ConnectionFailed(tls_failure(options.endpoint, unauthenticated.tls_error, options.tls_min_version))
    if seen.protocol in TLS_VERSIONS and TLS_VERSIONS.index(seen.protocol) < TLS_VERSIONS.index(
        options.tls_min_version
    ):
        raise ConnectionFailed(
            f"{options.endpoint} has nothing newer than {seen.protocol}, which tls_min_version "
            f"{options.tls_min_version} does not allow; set tls_min_version: {seen.protocol} to allow it. No "
            "credentials were sent."
        )
    if options.verifies and seen.chain:
        error = verifier(str(options.ca_cert), options.ssl_mode == "verify_identity", options.tls_min_version).verify(
            seen.chain, options.host
        )
        if isinstance(error, ssl.SSLCertVerificationError):
            raise certificate_rejected(options, error)


def _certificate(
    options: ConnectionOptions, der: bytes | None, chain: tuple[bytes, ...], *, verified: bool
) -> ServerCertificate | None:
    if der is None:
        return None
    source = f"The TLS handshake with {options.endpoint}"
    certificate = certificates.parse_certificate(der, source)
    trusted, trust_error = (True, None) if verified else _trust(options, chain or (der,))
    return ServerCertificate(
        certificate=certificate,
        chain=tuple(certificates.parse_certificate(part, source) for part in chain or (der,)),
        trusted=trusted,
        trust_error=trust_error,
        hostname_matches=None if options.unix_socket else names.matches_host(certificate, options.host),
    )


def _trust(options: ConnectionOptions, chain: tuple[bytes, ...]) -> tuple[bool | None, str | None]:
    """Whether the chain leads to ``ca_cert``, and why not. None without ``ca_cert``, or where OpenSSL cannot say."""
    if options.ca_cert is None:
        return None, None
    error = verifier(options.ca_cert, False, "TLSv1").verify(chain, None)
    if isinstance(error, ssl.SSLCertVerificationError):
        return False, error.verify_message
    return (True, None) if error is None else (None, str(error.reason or error))
