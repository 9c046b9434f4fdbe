# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a server's status and its findings to return values."""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.proxy_users import ProxyUsers
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.sessions import LiveSession
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding import Finding
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.model import ServerCertificate, ServerStatus
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.verdict import COMPLIANT, NON_COMPLIANT, verdict


def describe(status: ServerStatus, found: t.Sequence[Finding]) -> dict[str, t.Any]:
    """The return value ``mysql_ssl``, plain types only."""
    options, greeting = status.options, status.handshake.greeting
    by_socket = options.unix_socket is not None
    in_force = status.accounts_in_force
    conclusion = verdict(
        (finding.severity for finding in found),
        accounts_known=status.accounts is not None,
        require_secure_transport=status.require_secure_transport,
    )
    return {
        "endpoint": {
            "host": None if by_socket else options.host,
            "port": None if by_socket else options.port,
            "socket": options.unix_socket,
        },
        "server": {
            "version": status.dialect.version if status.dialect else greeting.version,
            "family": status.dialect.family if status.dialect else greeting.family,
            "managed_by": status.managed_by,
            "read_only": status.role.read_only if status.role else None,
            "replica_of": status.role.replica_of if status.role else None,
        },
        "tls": _describe_tls(status),
        "session": None if status.session is None else dict(vars(status.session)),
        "certificate": None if status.certificate is None else _describe_certificate(status.certificate, status.now),
        "accounts": None if in_force is None else [state.describe() for state in in_force],
        "proxied": _describe_proxied(status),
        "sessions": _describe_sessions(status.sessions),
        "findings": [finding.describe() for finding in found],
        "summary": _summary(status, found, conclusion),
        "verdict": conclusion,
        "compliant": conclusion == COMPLIANT,
    }


def _describe_tls(status: ServerStatus) -> dict[str, t.Any]:
    variables = status.dialect.variables if status.dialect else {}
    have_ssl = variables.get("have_ssl")
    from_handshake = "YES" if status.tls_available else "DISABLED"
    certificate = status.certificate.certificate if status.certificate else None
    return {
        "available": status.tls_available,
        "have_ssl": have_ssl or from_handshake,
        "have_openssl": variables.get("have_openssl", have_ssl or from_handshake),
        "have_ssl_source": "variable" if have_ssl else "handshake",
        "versions": list(status.tls_versions),
        "probes": [probe.describe() for probe in status.probes] if status.probes else None,
        "require_secure_transport": status.require_secure_transport,
        "server_certificate_not_after": iso8601(certificate.not_after) if certificate else None,
    }


def _describe_certificate(shown: ServerCertificate, now: dt.datetime) -> dict[str, t.Any]:
    return {
        **shown.certificate.describe(now),
        "san": list(shown.certificate.san),
        "trusted": shown.trusted,
        "trust_error": shown.trust_error,
        "hostname_matches": shown.hostname_matches,
        "rds_ca": _rds.rds_authority(shown.certificate),
        "chain": [certificate.describe(now) for certificate in shown.chain],
    }


def _describe_proxied(status: ServerStatus) -> list[dict[str, t.Any]] | None:
    if status.proxy_grants is None or status.dialect is None:
        return None if status.proxy_grants is None else []
    proxies = ProxyUsers(status.dialect, status.proxy_grants, status.accounts_in_force or ())
    return [
        {"account": str(account), "by": [str(state.account) for state in users]}
        for account, users in sorted(proxies.acting_as.items())
    ]


def _describe_sessions(sessions: tuple[LiveSession, ...] | None) -> dict[str, t.Any] | None:
    if sessions is None:
        return None
    by_account: dict[tuple[str, str], list[LiveSession]] = {}
    for session in sessions:
        by_account.setdefault((session.user, session.client), []).append(session)
    return {
        "source": "performance_schema.threads",
        "total": len(sessions),
        "encrypted": sum(session.encrypted_to_client for session in sessions),
        "plaintext": sum(session.plaintext_to_client for session in sessions),
        "by_account": [
            {
                "user": user,
                "host": host,
                "encrypted": sum(session.encrypted_to_client for session in group),
                "plaintext": sum(session.plaintext_to_client for session in group),
            }
            for (user, host), group in sorted(by_account.items())
        ],
    }


def _summary(status: ServerStatus, found: t.Sequence[Finding], conclusion: str) -> list[str]:
    """What a person wants to read first: the server, how this session reached it, the verdict, and each finding."""
    seen = status.dialect or status.handshake.greeting
    first = f"{seen.family} {seen.version}, {_how(status)}, {_verdict_in_words(status, conclusion)}"
    return [first] + [f"{finding.severity}: {finding.id}: {finding.message}" for finding in found]


def _how(status: ServerStatus) -> str:
    if status.session is None:
        return "unauthenticated check"
    if status.session.encrypted:
        return f"{status.session.protocol} {status.session.cipher}"
    return "session without TLS"


def _verdict_in_words(status: ServerStatus, conclusion: str) -> str:
    if conclusion == COMPLIANT:
        return "compliant"
    if conclusion == NON_COMPLIANT:
        return "non-compliant"
    if status.session is None:
        return "undecided: no issues found, accounts not checked"
    return "undecided: accounts could not be read"
