# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One server's status: what it says of itself from outside, and what a login may see."""

from __future__ import annotations

import datetime as dt
import re
import ssl
import time
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import (
    accounts,
    certificate_names,
    certificates,
    handshake,
    rds_authorities,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.connection import (
    ConnectionFailed,
    NoVerdict,
    QueryFailed,
    Session,
    certificate_rejected,
    log_in,
    open_session,
    ssl_context,
    tls_failure,
    verifier,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.connection_options import (
    OLD_TLS_VERSIONS,
    TLS_VERSIONS,
    ConnectionOptions,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.dialects import Dialect, discover
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.findings import SEVERITIES, Finding, findings

if t.TYPE_CHECKING:
    from ansible_collections.dbtls.rds_mysql.plugins.module_utils.probes import Probe

_COMPLIANT_BELOW = SEVERITIES.index("medium")
# What a login gets at least, when the look from outside has taken nearly all of connect_timeout.
_LEAST_LOGIN_SECONDS = 1.0
_NUMBER = re.compile(r"\d+")

# What rows of another shape than a server's raise when they are taken apart.
_NO_SUCH_ROWS = (LookupError, TypeError, ValueError)


@dataclass(frozen=True)
class ServerCertificate:
    """The certificate that the server showed, and what verification says of it.

    ``chain`` is what came with it, itself first. ``trusted`` is None when there is no ``ca_cert`` to check it against;
    ``trust_error`` says why it is not.
    """

    certificate: certificates.Certificate
    chain: tuple[certificates.Certificate, ...]
    trusted: bool | None
    trust_error: str | None
    hostname_matches: bool | None

    def describe(self, now: dt.datetime) -> dict[str, t.Any]:
        """The return value's form."""
        described = self.certificate.describe(now)
        described.update(
            san=list(self.certificate.san),
            trusted=self.trusted,
            trust_error=self.trust_error,
            hostname_matches=self.hostname_matches,
            rds_ca=rds_authorities.rds_authority(self.certificate),
            chain=[certificate.describe(now) for certificate in self.chain],
        )
        return described


def _compliant(found: t.Sequence[Finding]) -> bool:
    return all(SEVERITIES.index(finding.severity) < _COMPLIANT_BELOW for finding in found)


@dataclass(frozen=True)
class LiveSession:
    """Another client's session; ``transport`` as performance_schema names it."""

    connection_id: int
    user: str
    host: str
    transport: str
    command: str

    @property
    def plaintext(self) -> bool:
        """Whether it crosses a network without TLS; Unix sockets, pipes and shared memory do not cross one."""
        return self.transport == "TCP/IP"

    @property
    def encrypted(self) -> bool:
        """Whether it uses TLS."""
        return self.transport == "SSL/TLS"

    def describe(self) -> dict[str, t.Any]:
        """For the return value ``plaintext_sessions``."""
        return {"user": self.user, "host": self.host, "connection_id": self.connection_id, "command": self.command}


@dataclass(frozen=True)
class SessionStatus:
    """This very session. ``ssl_type`` is what its account requires, None where the server does not tell."""

    user: str
    encrypted: bool
    protocol: str | None
    cipher: str | None
    verified: bool
    via: str
    ssl_type: str | None


@dataclass(frozen=True)
class ServerStatus:
    """Everything that was found out about one server; None for what needs a login, or is not visible to it.

    ``seen`` is the connection phase, and ``tls_error`` why TLS did not come up; ``probes`` are empty when versions
    were not tried one by one; ``dialect`` is known after a login.
    """

    options: ConnectionOptions
    seen: handshake.Handshake
    tls_error: OSError | None = None
    probes: tuple[Probe, ...] = ()
    dialect: Dialect | None = None
    session: SessionStatus | None = None
    account: accounts.Account | None = None
    certificate: ServerCertificate | None = None
    accounts: tuple[accounts.AccountState, ...] | None = None
    sessions: tuple[LiveSession, ...] | None = None
    warnings: tuple[str, ...] = ()
    now: dt.datetime = field(default_factory=certificates.utc_now)

    @property
    def available(self) -> bool:
        """Whether the server offers TLS."""
        return self.seen.greeting.offers_tls

    @property
    def managed_by(self) -> str | None:
        """``rds``, ``aurora`` or None."""
        return self.dialect.managed_by if self.dialect else None

    @property
    def require_secure_transport(self) -> bool | None:
        """The server-wide switch, None where it is not known."""
        return self.dialect.require_secure_transport if self.dialect else None

    @property
    def versions(self) -> tuple[str, ...]:
        """The TLS versions that the server accepts: as tried, else as it says, else the one that was negotiated."""
        if self.probes:
            return tuple(probe.version for probe in self.probes if probe.accepted)
        if not self.available:
            return ()
        if self.dialect is not None and self.dialect.tls_versions is not None:
            return self.dialect.tls_versions
        protocol = self.session.protocol if self.session and self.session.protocol else self.seen.protocol
        return (protocol,) if protocol else ()

    def _summary(self, found: t.Sequence[Finding]) -> list[str]:
        """What a person wants to read first: the server, how this session reached it, and each finding."""
        session = self.session
        if session is None:
            how = "looked at from outside only"
        elif session.encrypted:
            how = f"{session.protocol} {session.cipher}"
        else:
            how = "no TLS session"
        verdict = "compliant" if _compliant(found) else "not compliant"
        if session is None and _compliant(found):
            verdict = "nothing against it is to be seen from there"
        greeting = self.seen.greeting
        return [f"{greeting.family} {greeting.version}, {how}, {verdict}"] + [
            f"{finding.severity}: {finding.id}: {finding.message}" for finding in found
        ]

    def describe(self, expiry_warn_days: int) -> dict[str, t.Any]:
        """The return value ``mysql_ssl``, plain types only."""
        found = findings(self, expiry_warn_days)
        options, greeting = self.options, self.seen.greeting
        by_socket = options.unix_socket is not None
        return {
            "endpoint": {
                "host": None if by_socket else options.host,
                "port": None if by_socket else options.port,
                "socket": options.unix_socket,
            },
            "server": {
                "version": self.dialect.version if self.dialect else greeting.version,
                "family": greeting.family,
                "managed_by": self.managed_by,
            },
            "tls": self._describe_tls(),
            "session": None if self.session is None else dict(vars(self.session)),
            "certificate": None if self.certificate is None else self.certificate.describe(self.now),
            "accounts": None if self.accounts is None else [state.describe() for state in self.accounts],
            "sessions": _describe_sessions(self.sessions),
            "findings": [finding.describe() for finding in found],
            "summary": self._summary(found),
            "compliant": _compliant(found),
        }

    def _describe_tls(self) -> dict[str, t.Any]:
        variables = self.dialect.variables if self.dialect else {}
        have_ssl = variables.get("have_ssl")
        from_handshake = "YES" if self.available else "DISABLED"
        certificate = self.certificate.certificate if self.certificate else None
        return {
            "available": self.available,
            "have_ssl": have_ssl or from_handshake,
            "have_openssl": variables.get("have_openssl", have_ssl or from_handshake),
            "have_ssl_source": "variable" if have_ssl else "handshake",
            "versions": list(self.versions),
            "probes": [probe.describe() for probe in self.probes] if self.probes else None,
            "require_secure_transport": self.require_secure_transport,
            "server_certificate_not_after": certificates.iso8601(certificate.not_after) if certificate else None,
        }


def _describe_sessions(sessions: tuple[LiveSession, ...] | None) -> dict[str, t.Any] | None:
    if sessions is None:
        return None
    by_account: dict[tuple[str, str], list[LiveSession]] = {}
    for session in sessions:
        by_account.setdefault((session.user, session.host), []).append(session)
    return {
        "source": "performance_schema.threads",
        "total": len(sessions),
        "encrypted": sum(session.encrypted for session in sessions),
        "plaintext": sum(session.plaintext for session in sessions),
        "by_account": [
            {
                "user": user,
                "host": host,
                "encrypted": sum(session.encrypted for session in group),
                "plaintext": sum(session.plaintext for session in group),
            }
            for (user, host), group in sorted(by_account.items())
        ],
    }


def look(options: ConnectionOptions, probe_protocols: bool, meet: t.Callable[[ServerStatus], None]) -> ServerStatus:
    """Everything that can be seen of a server: from outside, and with credentials from inside.

    :arg probe_protocols: Also try each TLS version.
    :arg meet: Told what is seen from outside, before a login that may fail.
    :raises HandshakeError: when there is no server to see.
    :raises RdsMysqlError: or one of its kinds, when the login does not succeed.
    """
    if options.client_cert is not None:
        _outside_context(options)  # before anybody is asked, as a file may not be what it should
    deadline = time.monotonic() + options.timeout
    with handshake.greet(options.endpoint, options.address, options.timeout) as greeted:
        if options.user is None or probe_protocols or _to_be_seen_first(options, greeted.greeting):
            outside = _look_from_outside(greeted, options, probe_protocols)
        else:
            try:
                return _look_while_logging_in(greeted, options, meet)
            except _LookFirst:
                outside = None
    if outside is None:
        seconds_left = max(deadline - time.monotonic(), _LEAST_LOGIN_SECONDS)
        with handshake.greet(options.endpoint, options.address, seconds_left) as greeted:
            outside = _look_from_outside(greeted, options, probe_protocols)
    if options.user is None:
        return outside
    meet(outside)
    return _look_from_inside(outside, deadline)


class _LookFirst(Exception):
    """A server that is not to be seen in a login's own handshake."""


def _to_be_seen_first(options: ConnectionOptions, greeting: handshake.Greeting) -> bool:
    """Whether a login's own handshake is not what shows a server: one that uses no TLS, or may fail for its age.

    MySQL before 5.7.28 and MariaDB before 10.4 can have been built with yaSSL, which ends at TLSv1.1; a handshake that
    asks for more fails, and the server counts it.
    """
    if options.ssl_mode == "disabled":
        return True
    first_with_tls_1_2 = (10, 4, 0) if greeting.family == "mariadb" else (5, 7, 28)
    numbers = tuple(int(number) for number in _NUMBER.findall(greeting.version)[:3])
    return options.tls_min_version not in OLD_TLS_VERSIONS and numbers < first_with_tls_1_2


def _look_while_logging_in(
    greeted: handshake.Greeted, options: ConnectionOptions, meet: t.Callable[[ServerStatus], None]
) -> ServerStatus:
    """One connection for both.

    :raises _LookFirst: where the server has not been seen.
    """
    met: list[handshake.Handshake] = []
    try:
        with log_in(greeted, options, met.append) as session:
            return _from_inside(session, ServerStatus(options=options, seen=met[0]))
    except NoVerdict as e:
        raise _LookFirst from e
    except RdsMysqlError as e:
        if not met:
            raise _LookFirst from e
        certificate = _certificate(options, met[0].certificate, met[0].chain, verified=False)
        meet(ServerStatus(options=options, seen=met[0], certificate=certificate))
        raise


def _outside_context(options: ConnectionOptions) -> ssl.SSLContext:
    # With nothing to protect, every TLS version is welcome: the point is to see what the server has.
    return ssl_context(None, False, "TLSv1", options.client_cert, options.client_key)


def _look_from_outside(greeted: handshake.Greeted, options: ConnectionOptions, probe_protocols: bool) -> ServerStatus:
    """Greeting, TLS handshake and certificate; sends no credentials."""
    tls_error = None
    try:
        seen = greeted.look(_outside_context(options))
    except handshake.TlsHandshakeFailed as e:
        seen, tls_error = handshake.Handshake(greeting=e.greeting), e.cause
    probes = _probes(options, seen) if probe_protocols and seen.greeting.offers_tls else ()
    return ServerStatus(
        options=options,
        seen=seen,
        tls_error=tls_error,
        probes=probes,
        certificate=_certificate(options, seen.certificate, seen.chain, verified=False),
        warnings=tuple(_outside_warnings(options, tls_error, probes)),
    )


def _probes(options: ConnectionOptions, seen: handshake.Handshake) -> tuple[Probe, ...]:
    # Few ask for it, and a module that is copied to a host is compiled there in each run.
    from ansible_collections.dbtls.rds_mysql.plugins.module_utils.probes import probe_versions

    return probe_versions(options, seen.protocol)


def _outside_warnings(
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
            "host for this look, and blocks the host after max_connect_errors of them (100 by default) without a "
            "login in between."
        )


def _look_from_inside(outside: ServerStatus, deadline: float) -> ServerStatus:
    """Everything that the login may see, added to what was seen from outside."""
    options = outside.options
    _stop_before_a_failing_login(outside)
    with open_session(options, max(deadline, time.monotonic() + _LEAST_LOGIN_SECONDS)) as session:
        return _from_inside(session, outside)


def _from_inside(session: Session, outside: ServerStatus) -> ServerStatus:
    options = outside.options
    try:
        return _ask(session, outside)
    except QueryFailed as e:
        raise RdsMysqlError(f"{options.endpoint} does not say what it was asked: {e.message}") from e
    except _NO_SUCH_ROWS as e:
        raise RdsMysqlError(f"{options.endpoint} does not answer as a MySQL server does ({type(e).__name__}).") from e


def _ask(session: Session, outside: ServerStatus) -> ServerStatus:
    options = outside.options
    dialect = discover(session)
    warnings = [*outside.warnings, *session.warnings]
    account = accounts.current_account(session)
    try:
        known: tuple[accounts.AccountState, ...] | None = accounts.read_accounts(session, dialect)
    except accounts.AccountsNotReadable as e:
        known = None
        warnings.append(e.message)
    return replace(
        outside,
        dialect=dialect,
        session=_session_status(session, account, accounts.own_requirement(session, dialect, account, known)),
        account=account,
        certificate=_certificate(options, session.certificate, session.chain, verified=session.verified)
        or outside.certificate,
        accounts=known,
        sessions=live_sessions(session, dialect),
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


def _stop_before_a_failing_login(outside: ServerStatus) -> None:
    """Raise what the login would raise over TLS, because the server would count the failed handshake.

    The login itself verifies in its own handshake, whatever was found here.
    """
    options, seen = outside.options, outside.seen
    if options.ssl_mode == "disabled":
        return
    if outside.tls_error is not None:
        raise ConnectionFailed(tls_failure(options.endpoint, outside.tls_error, options.tls_min_version))
    if seen.protocol in TLS_VERSIONS and TLS_VERSIONS.index(seen.protocol) < TLS_VERSIONS.index(
        options.tls_min_version
    ):
        raise ConnectionFailed(
            f"{options.endpoint} has nothing newer than {seen.protocol}, which tls_min_version "
            f"{options.tls_min_version} does not allow; set tls_min_version: {seen.protocol} to allow it. No "
            "credentials were sent."
        )
    if options.verifies and seen.chain:
        error = verifier(options, options.ssl_mode == "verify_identity", options.tls_min_version).verify(
            seen.chain, options.host
        )
        if isinstance(error, ssl.SSLCertVerificationError):
            raise certificate_rejected(options, error)


def live_sessions(session: Session, dialect: Dialect) -> tuple[LiveSession, ...] | None:
    """Every other client's session, or None where this login or this server cannot tell."""
    if not dialect.sees_session_transport:
        return None
    try:
        rows = session.query(dialect.sessions_query)
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return None
    return tuple(
        LiveSession(int(connection_id), str(user), str(host or ""), str(transport), str(command))
        for connection_id, user, host, transport, command in rows
        if int(connection_id) != session.connection_id
    )


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
        hostname_matches=None if options.unix_socket else certificate_names.matches_host(certificate, options.host),
    )


def _trust(options: ConnectionOptions, chain: tuple[bytes, ...]) -> tuple[bool | None, str | None]:
    """Whether the chain leads to ``ca_cert``, and why not. None without ``ca_cert``, or where OpenSSL cannot say."""
    if options.ca_cert is None:
        return None, None
    error = verifier(options, False, "TLSv1").verify(chain, None)
    if isinstance(error, ssl.SSLCertVerificationError):
        return False, error.verify_message
    return (True, None) if error is None else (None, str(error.reason or error))


def run(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The module's work: from validated parameters to return values.

    :raises RdsMysqlError: or one of its kinds; with ``mysql_ssl`` among its details where something was seen.
    """
    options = ConnectionOptions.from_params(params)
    expiry_warn_days = int(params["expiry_warn_days"])
    met: list[ServerStatus] = []
    try:
        status = look(options, bool(params["probe_protocols"]), met.append)
    except RdsMysqlError as e:
        code = getattr(e, "code", None)  # which only errors that a server has sent have
        if code:
            e.details.setdefault("error_code", code)
        for outside in met:
            e.details.setdefault("mysql_ssl", outside.describe(expiry_warn_days))
            e.details.setdefault("warnings", list(outside.warnings))
        raise
    described = status.describe(expiry_warn_days)
    result = {
        "changed": False,
        "mysql_ssl": described,
        "ansible_facts": {"mysql_ssl": described},
        "warnings": list(status.warnings),
    }
    fail_on = str(params["fail_on"])
    if fail_on != "none":
        bad = [finding for finding in findings(status, expiry_warn_days) if finding.at_least(fail_on)]
        if bad:
            raise RdsMysqlError(
                "{} has {} of severity {} or more: {}".format(
                    options.endpoint,
                    "1 finding" if len(bad) == 1 else f"{len(bad)} findings",
                    fail_on,
                    " ".join(f"[{finding.id}] {finding.message}" for finding in bad),
                ),
                **result,
            )
    return result
