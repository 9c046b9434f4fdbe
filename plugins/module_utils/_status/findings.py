# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules: what is wrong with a server, from what was found out about it."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import remediation
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.account_findings import of_accounts
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.certificate_findings import of_certificate
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding import Finding, finding
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import SEVERITIES
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.model import ServerStatus
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.session_findings import of_sessions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.versions import OLD_TLS_VERSIONS

# How ciphers with a key exchange by Diffie and Hellman begin, in OpenSSL's names; those of TLSv1.3 all have one.
_FORWARD_SECRECY = ("ECDHE-", "DHE-", "EDH-", "TLS_")


def findings(status: ServerStatus, expiry_warn_days: int) -> tuple[Finding, ...]:
    """What is wrong, the most severe first.

    :arg expiry_warn_days: Days before its expiry from which a certificate is reported.
    """
    found = list(_of_transport(status))
    if status.certificate is not None:
        found += of_certificate(status, status.certificate, expiry_warn_days)
    if status.dialect is not None:
        found += of_accounts(status, status.dialect)
        found += of_sessions(status, status.dialect)
    return tuple(sorted(found, key=lambda one: SEVERITIES.index(one.severity)))


def _of_transport(status: ServerStatus) -> t.Iterator[Finding]:
    endpoint = status.options.endpoint
    if not status.tls_available:
        yield finding(
            "tls-unavailable",
            endpoint,
            "The server does not offer TLS, so connections cannot be encrypted.",
            remediation.OFFER_TLS,
        )
    weak = [version for version in status.tls_versions if version in OLD_TLS_VERSIONS]
    if weak:
        yield finding(
            "weak-protocol",
            endpoint,
            "The server accepts obsolete versions of TLS: {}.".format(", ".join(weak)),
            remediation.without_weak_protocols(status),
        )
    if status.cipher and not status.cipher.startswith(_FORWARD_SECRECY):
        yield finding(
            "no-forward-secrecy",
            endpoint,
            f"The server chose {status.cipher} ({status.protocol}), which has no forward secrecy: anyone who records "
            "connections can read them once the server's key is known.",
            remediation.forward_secrecy(status),
        )
    if status.tls_available and status.require_secure_transport is False:
        yield finding(
            "transport-not-required",
            endpoint,
            "The server does not require TLS for every connection (require_secure_transport is OFF).",
            remediation.require_transport(status),
        )
