# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One server's status, and what is wrong with it."""

from __future__ import annotations

import datetime as dt
import ssl
import typing as t
from dataclasses import dataclass, field

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import accounts, certificates, handshake
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.connection import (
    CertificateRejected,
    ConnectionOptions,
    QueryFailed,
    Session,
    open_session,
    ssl_context,
    tls_failure,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.dialects import Dialect, discover
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import RdsMysqlError

# The most severe last.
SEVERITIES = ("info", "low", "medium", "high")
_WEAK_PROTOCOLS = ("TLSv1", "TLSv1.0", "TLSv1.1")
_COMPLIANT_BELOW = SEVERITIES.index("medium")


@dataclass(frozen=True)
class Finding:
    """Something that a person should know or mend. ``remediation`` is a statement or task to run."""

    id: str
    severity: str
    subject: str
    message: str
    remediation: str

    def at_least(self, severity: str) -> bool:
        """Whether it is as severe as that, or more."""
        return SEVERITIES.index(self.severity) >= SEVERITIES.index(severity)

    def describe(self) -> dict[str, str]:
        """The return value's form."""
        return {
            "id": self.id,
            "severity": self.severity,
            "subject": self.subject,
            "message": self.message,
            "remediation": self.remediation,
        }


@dataclass(frozen=True)
class ServerCertificate:
    """The certificate that the server showed, and what verification says of it.

    ``trusted`` is None when there is no ``ca_cert`` to check it against; ``trust_error`` says why it is not.
    """

    certificate: certificates.Certificate
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
            rds_ca=certificates.rds_authority(self.certificate),
        )
        return described


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
    """This very session."""

    user: str
    encrypted: bool
    protocol: str | None
    cipher: str | None
    verified: bool
    via: str


@dataclass(frozen=True)
class ServerStatus:
    """Everything that was found out about one server; None for what needs a login, or is not visible to it."""

    options: ConnectionOptions
    family: str
    version: str
    managed_by: str | None
    available: bool
    have_ssl: str
    have_openssl: str
    have_ssl_source: str
    versions: tuple[str, ...]
    require_secure_transport: bool | None
    session: SessionStatus | None = None
    certificate: ServerCertificate | None = None
    accounts: tuple[accounts.AccountState, ...] | None = None
    sessions: tuple[LiveSession, ...] | None = None
    warnings: tuple[str, ...] = ()
    now: dt.datetime = field(default_factory=certificates.utc_now)

    def describe(self, expiry_warn_days: int) -> dict[str, t.Any]:
        """The return value ``mysql_ssl``, plain types only."""
        found = findings(self, expiry_warn_days)
        options = self.options
        by_socket = options.unix_socket is not None
        return {
            "endpoint": {
                "host": None if by_socket else options.host,
                "port": None if by_socket else options.port,
                "socket": options.unix_socket,
            },
            "server": {"version": self.version, "family": self.family, "managed_by": self.managed_by},
            "tls": {
                "available": self.available,
                "have_ssl": self.have_ssl,
                "have_openssl": self.have_openssl,
                "have_ssl_source": self.have_ssl_source,
                "versions": list(self.versions),
                "require_secure_transport": self.require_secure_transport,
                "server_certificate_not_after": certificates.iso8601(self.certificate.certificate.not_after)
                if self.certificate
                else None,
            },
            "session": None if self.session is None else dict(vars(self.session)),
            "certificate": None if self.certificate is None else self.certificate.describe(self.now),
            "accounts": None if self.accounts is None else [state.describe() for state in self.accounts],
            "sessions": _describe_sessions(self.sessions),
            "findings": [finding.describe() for finding in found],
            "compliant": all(SEVERITIES.index(finding.severity) < _COMPLIANT_BELOW for finding in found),
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


def look(options: ConnectionOptions) -> ServerStatus:
    """Look at a server: from inside with credentials, else from outside. Changes nothing.

    :raises RdsMysqlError: or one of its kinds, when there is nothing to see.
    """
    if options.user is None:
        return look_from_outside(options)
    with open_session(options) as session:
        return look_from_inside(session)


def look_from_outside(options: ConnectionOptions) -> ServerStatus:
    """Greeting, TLS handshake and certificate; sends no credentials."""
    # With nothing to protect, every TLS version is welcome: the point is to see what the server has.
    anything = ssl_context(None, False, "TLSv1", options.client_cert, options.client_key)
    warnings: list[str] = []
    try:
        seen = handshake.look(options.endpoint, options.address, anything, options.timeout)
    except handshake.TlsHandshakeFailed as e:
        warnings.append(tls_failure(options.endpoint, e.cause, "TLSv1"))
        seen = handshake.look(options.endpoint, options.address, None, options.timeout)
    greeting = seen.greeting
    have_ssl = "YES" if greeting.offers_tls else "DISABLED"
    return ServerStatus(
        options=options,
        family=greeting.family,
        version=greeting.version,
        managed_by=None,
        available=greeting.offers_tls,
        have_ssl=have_ssl,
        have_openssl=have_ssl,
        have_ssl_source="handshake",
        versions=(seen.protocol,) if seen.protocol else (),
        require_secure_transport=None,
        certificate=_certificate(options, seen.certificate, None),
        warnings=tuple(warnings),
    )


def look_from_inside(session: Session) -> ServerStatus:
    """Everything that the session's login may see."""
    options = session.options
    dialect = discover(session)
    warnings = list(session.warnings)
    offers_tls = session.greeting.offers_tls
    from_handshake = "YES" if offers_tls else "DISABLED"
    try:
        known: tuple[accounts.AccountState, ...] | None = accounts.read_accounts(session, dialect)
    except accounts.AccountsNotReadable as e:
        known = None
        warnings.append(e.message)
    have_ssl = dialect.variables.get("have_ssl")
    protocols = (session.protocol,) if session.protocol else ()
    return ServerStatus(
        options=options,
        family=dialect.family,
        version=dialect.version,
        managed_by=dialect.managed_by,
        available=offers_tls,
        have_ssl=have_ssl or from_handshake,
        have_openssl=dialect.variables.get("have_openssl", have_ssl or from_handshake),
        have_ssl_source="variable" if have_ssl else "handshake",
        versions=dialect.tls_versions if dialect.tls_versions is not None and offers_tls else protocols,
        require_secure_transport=dialect.require_secure_transport,
        session=SessionStatus(
            user=str(accounts.current_account(session)),
            encrypted=session.encrypted,
            protocol=session.protocol,
            cipher=session.cipher,
            verified=session.verified,
            via="socket" if options.unix_socket else "tcp",
        ),
        certificate=_certificate(options, session.certificate, session),
        accounts=known,
        sessions=live_sessions(session, dialect),
        warnings=tuple(warnings),
    )


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


def _certificate(options: ConnectionOptions, der: bytes | None, session: Session | None) -> ServerCertificate | None:
    if der is None:
        return None
    certificate = certificates.parse_certificate(der, f"The TLS handshake with {options.endpoint}")
    trusted, trust_error = (True, None) if session and session.verified else _trust(options)
    return ServerCertificate(
        certificate=certificate,
        trusted=trusted,
        trust_error=trust_error,
        hostname_matches=None if options.unix_socket else certificates.matches_host(certificate, options.host),
    )


def _trust(options: ConnectionOptions) -> tuple[bool | None, str | None]:
    """Whether the server's certificate chains to ``ca_cert``, by a TLS handshake that leaves it to OpenSSL."""
    if options.ca_cert is None:
        return None, None
    context = ssl_context(options.ca_cert, False, "TLSv1", options.client_cert, options.client_key)
    try:
        handshake.look(options.endpoint, options.address, context, options.timeout)
    except handshake.TlsHandshakeFailed as e:
        if isinstance(e.cause, ssl.SSLCertVerificationError):
            return False, e.cause.verify_message
        return None, str(e.cause)
    return True, None


def explain_rejection(options: ConnectionOptions) -> ServerStatus | None:
    """What can be seen from outside of a server whose certificate was rejected, None if nothing can any more."""
    try:
        return look_from_outside(options)
    except RdsMysqlError:
        return None


def findings(status: ServerStatus, expiry_warn_days: int) -> tuple[Finding, ...]:
    """What is wrong, the most severe first.

    :arg expiry_warn_days: Days before its expiry from which a certificate is reported.
    """
    found = list(_transport_findings(status))
    found += _certificate_findings(status, expiry_warn_days)
    found += _account_findings(status)
    found += _session_findings(status)
    return tuple(sorted(found, key=lambda finding: -SEVERITIES.index(finding.severity)))


def _transport_findings(status: ServerStatus) -> t.Iterator[Finding]:
    endpoint = status.options.endpoint
    if not status.available:
        yield Finding(
            "tls-unavailable",
            "high",
            endpoint,
            "The server offers no TLS, so that nobody can connect encrypted.",
            "Give the server ssl_ca, ssl_cert and ssl_key in its configuration and restart it.",
        )
    weak = [version for version in status.versions if version in _WEAK_PROTOCOLS]
    if weak:
        yield Finding(
            "weak-protocol",
            "medium",
            endpoint,
            "The server accepts obsolete versions of TLS: {}.".format(", ".join(weak)),
            "Set tls_version = TLSv1.2,TLSv1.3 in the server's configuration or parameter group.",
        )
    if status.available and status.require_secure_transport is False:
        yield Finding(
            "transport-not-required",
            "low",
            endpoint,
            "The server does not require TLS of every connection (require_secure_transport is OFF).",
            "Set require_secure_transport to 1 in the DB parameter group."
            if status.managed_by
            else "SET GLOBAL require_secure_transport = ON; and the same in the server's configuration.",
        )


def _certificate_findings(status: ServerStatus, expiry_warn_days: int) -> t.Iterator[Finding]:
    if status.certificate is None:
        return
    endpoint, shown = status.options.endpoint, status.certificate
    certificate = shown.certificate
    not_after = certificates.iso8601(certificate.not_after)
    if shown.trusted is False:
        yield Finding(
            "certificate-untrusted",
            "high",
            endpoint,
            f"The certificate issued by {certificate.issuer} does not verify with {status.options.ca_cert}: "
            f"{shown.trust_error}.",
            "Fetch the right CA bundle with dbtls.rds_mysql.rds_ca_bundle, or mend the server's certificate.",
        )
    if shown.hostname_matches is False:
        yield Finding(
            "certificate-hostname-mismatch",
            "high",
            endpoint,
            "The certificate is made out to {}, not to {}.".format(
                ", ".join(certificate.san) or certificate.common_name, status.options.host
            ),
            "Connect by a name that the certificate holds, or give the server a certificate with its name.",
        )
    if certificate.expired(status.now):
        yield Finding(
            "certificate-expired",
            "high",
            endpoint,
            f"The certificate expired on {not_after}.",
            "Renew the server's certificate (on RDS: aws rds modify-db-instance --ca-certificate-identifier ...).",
        )
    elif certificate.days_left(status.now) < expiry_warn_days:
        yield Finding(
            "certificate-expiring",
            "medium",
            endpoint,
            f"The certificate expires on {not_after}, in {certificate.days_left(status.now)} days.",
            "Renew the server's certificate (on RDS: aws rds modify-db-instance --ca-certificate-identifier ...).",
        )
    authority = certificates.rds_authority(certificate)
    if certificates.is_retired_authority(authority):
        yield Finding(
            "rds-ca-retired",
            "medium",
            endpoint,
            f"The certificate was issued under {authority}, which AWS has retired.",
            "aws rds modify-db-instance --ca-certificate-identifier rds-ca-rsa2048-g1 ..., after every client has the "
            "current CA bundle.",
        )


def _account_findings(status: ServerStatus) -> t.Iterator[Finding]:
    for state in status.accounts or ():
        name = str(state.account)
        if state.is_role or state.locked:
            continue
        if state.anonymous:
            yield Finding(
                "anonymous-account",
                "high",
                name,
                f"Anybody may log in from {state.account.host} without naming a user.",
                "DROP USER ''@'{}';".format(state.account.host.replace("'", "''")),
            )
        if state.requirement.ssl_type == "NONE":
            yield Finding(
                "account-without-tls",
                _severity_without_tls(status, state),
                name,
                f"{name} may log in without TLS.",
                f"dbtls.rds_mysql.mysql_require_ssl with user: {state.account.user!r} and host: "
                f"{state.account.host!r}.",
            )


def _severity_without_tls(status: ServerStatus, state: accounts.AccountState) -> str:
    if status.require_secure_transport or state.system:
        return "info"
    return "low" if state.local else "high"


def _session_findings(status: ServerStatus) -> t.Iterator[Finding]:
    if status.session is None:
        return
    if status.sessions is None:
        yield Finding(
            "sessions-not-visible",
            "info",
            status.options.endpoint,
            "The server does not tell which sessions use TLS.",
            "Switch performance_schema on and grant the login SELECT on performance_schema.threads.",
        )
        return
    plaintext: dict[tuple[str, str], int] = {}
    for session in status.sessions:
        if session.plaintext:
            plaintext[session.user, session.host] = plaintext.get((session.user, session.host), 0) + 1
    for (user, host), count in sorted(plaintext.items()):
        yield Finding(
            "plaintext-session",
            "high",
            f"{user}@{host}",
            "{} {} of {} from {} without TLS.".format(count, "session" if count == 1 else "sessions", user, host),
            "Let the client connect with TLS; then require it with dbtls.rds_mysql.mysql_require_ssl.",
        )


def run(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The module's work: from validated parameters to return values.

    :raises RdsMysqlError: or one of its kinds; with ``mysql_ssl`` among its details where something was seen.
    """
    options = ConnectionOptions.from_params(params)
    expiry_warn_days = int(params["expiry_warn_days"])
    try:
        status = look(options)
    except CertificateRejected as e:
        seen = explain_rejection(options)
        if seen is not None:
            e.details["mysql_ssl"] = seen.describe(expiry_warn_days)
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
