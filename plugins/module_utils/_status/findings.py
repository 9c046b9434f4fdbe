# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a server's status, and how severe that is: rules that read the data."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import AccountState, Requirement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import remediation
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import BY_ID, SEVERITIES, at_least
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.model import ServerCertificate, ServerStatus
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.versions import OLD_TLS_VERSIONS


@dataclass(frozen=True)
class Finding:
    """Something that a person should know or fix. ``remediation`` is a statement, a command or a task to run."""

    id: str
    severity: str
    subject: str
    message: str
    remediation: str

    def at_least(self, severity: str) -> bool:
        """Whether it is as severe as that, or more."""
        return at_least(self.severity, severity)

    def describe(self) -> dict[str, str]:
        """The return value's form."""
        return dict(vars(self))


def findings(status: ServerStatus, expiry_warn_days: int) -> tuple[Finding, ...]:
    """What is wrong, the most severe first.

    :arg expiry_warn_days: Days before its expiry from which a certificate is reported.
    """
    found = list(_of_transport(status))
    if status.certificate is not None:
        found += _of_certificate(status, status.certificate, expiry_warn_days)
    if status.dialect is not None:
        found += _of_accounts(status, status.dialect)
        found += _of_sessions(status, status.dialect)
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


def _finding(kind: str, subject: str, message: str, todo: str, severity: str | None = None) -> Finding:
    """A finding of a registered kind.

    :arg severity: Where it is less than the kind's.
    """
    worst = BY_ID[kind].severity
    return Finding(kind, severity or worst, subject, message, todo)


def _of_transport(status: ServerStatus) -> t.Iterator[Finding]:
    endpoint = status.options.endpoint
    if not status.tls_available:
        yield _finding(
            "tls-unavailable",
            endpoint,
            "The server does not offer TLS, so connections cannot be encrypted.",
            remediation.OFFER_TLS,
        )
    weak = [version for version in status.tls_versions if version in OLD_TLS_VERSIONS]
    if weak:
        yield _finding(
            "weak-protocol",
            endpoint,
            "The server accepts obsolete versions of TLS: {}.".format(", ".join(weak)),
            remediation.without_weak_protocols(status),
        )
    if status.tls_available and status.require_secure_transport is False:
        yield _finding(
            "transport-not-required",
            endpoint,
            "The server does not require TLS for every connection (require_secure_transport is OFF).",
            remediation.require_transport(status),
        )


def _of_certificate(status: ServerStatus, shown: ServerCertificate, expiry_warn_days: int) -> t.Iterator[Finding]:
    endpoint, certificate = status.options.endpoint, shown.certificate
    not_after = iso8601(certificate.not_after)
    if shown.trusted is False:
        yield _finding(
            "certificate-untrusted",
            endpoint,
            f"The certificate issued by {certificate.issuer} does not verify with {status.options.ca_cert}: "
            f"{shown.trust_error}.",
            remediation.trust(status, certificate),
        )
    if shown.hostname_matches is False:
        names = certificate.san or certificate.common_names
        yield _finding(
            "certificate-hostname-mismatch",
            endpoint,
            "The certificate is valid for {}, not for {}.".format(
                ", ".join(names) or certificate.subject, status.options.host
            ),
            "Set login_host to a name that the certificate holds{}, or renew the certificate with the name {}.".format(
                f" ({names[0].partition(':')[2] or names[0]})" if names else "", status.options.host
            ),
        )
    if certificate.expired(status.now):
        yield _finding(
            "certificate-expired",
            endpoint,
            f"The certificate expired on {not_after}.",
            remediation.renew(status, certificate),
        )
    elif certificate.days_left(status.now) < expiry_warn_days:
        yield _finding(
            "certificate-expiring",
            endpoint,
            f"The certificate expires on {not_after}, in {certificate.days_left(status.now)} days.",
            remediation.renew(status, certificate),
        )
    authority = _rds.rds_authority(certificate)
    if _rds.is_retired_authority(authority):
        yield _finding(
            "rds-ca-retired",
            endpoint,
            f"The certificate was issued under {authority}, which AWS has retired.",
            "After every client has the current CA bundle: " + remediation.renew(status, certificate),
        )


def _of_accounts(status: ServerStatus, dialect: Dialect) -> t.Iterator[Finding]:
    if status.accounts is None:
        # A login that may see no account but its own.
        if status.account is not None and status.session is not None and status.session.ssl_type == "NONE":
            own = AccountState(status.account, Requirement(), "", locked=False, is_role=False)
            yield _account_without_tls(status, dialect, own)
        return
    for state in status.accounts:
        if state.is_role or state.locked:
            continue
        if state.anonymous:
            yield _finding(
                "anonymous-account",
                str(state.account),
                f"Anybody may log in from {state.account.host} without naming a user.",
                remediation.drop(dialect, state.account),
            )
        if state.requirement.ssl_type == "NONE":
            yield _account_without_tls(status, dialect, state)


def _account_without_tls(status: ServerStatus, dialect: Dialect, state: AccountState) -> Finding:
    severity = None
    if status.require_secure_transport or state.system:
        severity = "info"
    elif state.local:
        severity = "low"
    return _finding(
        "account-without-tls",
        str(state.account),
        f"{state.account} may log in without TLS.",
        remediation.LEAVE_ALONE if state.system else remediation.require_ssl(dialect, state.account),
        severity,
    )


def _of_sessions(status: ServerStatus, dialect: Dialect) -> t.Iterator[Finding]:
    if status.sessions is None:
        yield _sessions_not_visible(status, dialect)
        return
    plaintext: dict[tuple[str, str], int] = {}
    for session in status.sessions:
        if session.plaintext:
            plaintext[session.user, session.host] = plaintext.get((session.user, session.host), 0) + 1
    for (user, host), count in sorted(plaintext.items()):
        yield _finding(
            "plaintext-session",
            f"{user}@{host}",
            "{} {} of {} from {} without TLS.".format(count, "session" if count == 1 else "sessions", user, host),
            f"Enable TLS in the client at {host} and reconnect it. Then require TLS: "
            + remediation.task("mysql_require_ssl", user=user),
        )


def _sessions_not_visible(status: ServerStatus, dialect: Dialect) -> Finding:
    if dialect.sees_session_transport and status.account is not None:
        message = f"{status.account} may not see which sessions use TLS."
        todo = remediation.show_sessions(dialect, status.account)
    elif not dialect.has_session_transport:
        message = f"{dialect.version} does not record which sessions use TLS."
        todo = "Upgrade the server; until then, ask the clients."
    else:
        message = "The server does not record which sessions use TLS, because performance_schema is off."
        todo = remediation.performance_schema_on(dialect)
    return _finding("sessions-not-visible", status.options.endpoint, message, todo)
