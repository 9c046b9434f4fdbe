# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registry of finding kinds: the one list that the module, the report, JUnit and the comparison read.

It imports nothing but the standard library, as a controller reads it too.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

# The most severe first, as people read them. This is the only order that there is.
SEVERITIES = ("high", "medium", "low", "info")
# The least severity of a finding that makes a server non-compliant.
DECISIVE_FROM = "medium"

# What a check must have seen before the absence of a finding says anything: the TLS handshake or the lack of it, the
# server's certificate, its verification with a CA bundle, the accounts, the other clients' sessions, the variable
# require_secure_transport, anything that a login shows, or what the RDS API says.
Evidence = t.Literal[
    "tls", "certificate", "certificate_trust", "accounts", "sessions", "secure_transport", "login", "rds_api"
]


def at_least(severity: str, threshold: str) -> bool:
    """Whether a severity is the threshold or more severe."""
    return SEVERITIES.index(severity) <= SEVERITIES.index(threshold)


@dataclass(frozen=True)
class FindingKind:
    """What findings of one id have in common.

    ``title`` names several of them. ``severity`` is the most severe that one can have. ``requires`` is what a check
    must have seen to show one. ``same_matter_as`` is the id of the kind that is the same matter at an earlier stage.
    ``controls`` are the ids of the controls of security standards that one speaks against.
    """

    id: str
    title: str
    severity: str
    requires: Evidence
    same_matter_as: str | None = None
    controls: tuple[str, ...] = ()

    @property
    def decides(self) -> bool:
        """Whether one can make a server non-compliant."""
        return at_least(self.severity, DECISIVE_FROM)

    @property
    def matter(self) -> str:
        """What findings of several kinds about one matter have in common."""
        return self.same_matter_as or self.id


@dataclass(frozen=True)
class Control:
    """A control of a security standard; ``title`` is what it asks for, shortly, in our words."""

    id: str
    standard: str
    title: str


PCI_DSS = "PCI DSS 4.0.1"
NIST = "NIST SP 800-53 rev. 5"

CONTROLS: t.Mapping[str, Control] = {
    control.id: control
    for control in (
        Control(
            "PCI DSS 1.4.4", PCI_DSS, "Systems with cardholder data are not directly accessible from untrusted networks"
        ),
        Control("PCI DSS 2.2.7", PCI_DSS, "Administrative access over a network uses strong cryptography"),
        Control(
            "PCI DSS 4.2.1", PCI_DSS, "Strong cryptography and valid, trusted certificates protect data in transit"
        ),
        Control("PCI DSS 6.3.3", PCI_DSS, "Security patches and updates are installed"),
        Control("PCI DSS 8.3.1", PCI_DSS, "All user access is authenticated"),
        Control("PCI DSS 8.3.2", PCI_DSS, "Strong cryptography makes authentication factors unreadable in transit"),
        Control("NIST IA-5(1)", NIST, "Passwords are transmitted over cryptographically protected channels only"),
        Control("NIST SA-22", NIST, "System components without the developer's support are replaced"),
        Control("NIST SC-7", NIST, "Communication at the boundaries of systems is controlled"),
        Control("NIST SC-8", NIST, "Transmitted information is confidential and keeps its integrity"),
        Control("NIST SC-13", NIST, "Cryptography is of the types required for each use"),
        Control(
            "NIST SC-17", NIST, "Certificates come from an approved issuer; trust stores hold approved anchors only"
        ),
    )
}
"""The controls that findings refer to, by id."""

_ENCRYPTED_LOGINS = ("PCI DSS 2.2.7", "PCI DSS 4.2.1", "PCI DSS 8.3.2", "NIST SC-8", "NIST SC-13", "NIST IA-5(1)")
_VALID_CERTIFICATES = ("PCI DSS 4.2.1", "NIST SC-17")

KINDS = (
    FindingKind(
        "access-control-off",
        "Servers that check no user name and no password",
        "high",
        "login",
        controls=("PCI DSS 8.3.1",),
    ),
    FindingKind("tls-unavailable", "Servers without TLS", "high", "tls", controls=_ENCRYPTED_LOGINS),
    FindingKind(
        "account-without-tls",
        "Accounts that can log in without TLS",
        "high",
        "accounts",
        controls=("PCI DSS 2.2.7", "PCI DSS 4.2.1", "PCI DSS 8.3.2", "NIST SC-8", "NIST IA-5(1)"),
    ),
    FindingKind(
        "privileges-not-flushed",
        "Accounts whose requirement is not in force",
        "high",
        "accounts",
        controls=("PCI DSS 2.2.7", "PCI DSS 4.2.1", "PCI DSS 8.3.2", "NIST SC-8", "NIST IA-5(1)"),
    ),
    FindingKind("anonymous-account", "Anonymous accounts", "high", "accounts", controls=("PCI DSS 8.3.1",)),
    FindingKind("plaintext-session", "Clients connected without TLS", "high", "sessions", controls=_ENCRYPTED_LOGINS),
    FindingKind(
        "tls-ends-before-server",
        "Proxies that end TLS in front of the server",
        "medium",
        "login",
        controls=("PCI DSS 4.2.1", "NIST SC-8"),
    ),
    FindingKind(
        "certificate-untrusted",
        "Certificates that do not verify",
        "high",
        "certificate_trust",
        controls=_VALID_CERTIFICATES,
    ),
    FindingKind(
        "certificate-hostname-mismatch",
        "Certificates for another name",
        "high",
        "certificate",
        controls=_VALID_CERTIFICATES,
    ),
    FindingKind(
        "certificate-expired",
        "Expired certificates",
        "high",
        "certificate",
        same_matter_as="certificate-expiring",
        controls=_VALID_CERTIFICATES,
    ),
    FindingKind(
        "certificate-expiring",
        "Certificates that expire soon",
        "medium",
        "certificate",
        controls=_VALID_CERTIFICATES,
    ),
    FindingKind(
        "rds-ca-retired", "Certificates of retired RDS CAs", "medium", "certificate", controls=_VALID_CERTIFICATES
    ),
    FindingKind(
        "weak-certificate",
        "Certificates with a weak key or signature",
        "medium",
        "certificate",
        controls=("PCI DSS 4.2.1", "NIST SC-13"),
    ),
    FindingKind(
        "weak-protocol",
        "Servers that accept obsolete TLS versions",
        "medium",
        "tls",
        controls=("PCI DSS 4.2.1", "NIST SC-8", "NIST SC-13"),
    ),
    FindingKind(
        "no-forward-secrecy",
        "Servers that choose ciphers without forward secrecy",
        "low",
        "tls",
        controls=("PCI DSS 4.2.1", "NIST SC-13"),
    ),
    FindingKind(
        "transport-not-required",
        "Servers that do not require TLS for every connection",
        "low",
        "secure_transport",
        controls=("PCI DSS 4.2.1", "NIST SC-8"),
    ),
    FindingKind(
        "rds-parameter-not-in-force",
        "RDS parameter groups that are not in force",
        "low",
        "rds_api",
        controls=("PCI DSS 4.2.1", "NIST SC-8"),
    ),
    FindingKind(
        "rds-ca-not-in-force",
        "RDS instances whose CA was changed and certificate was not",
        "low",
        "rds_api",
        controls=_VALID_CERTIFICATES,
    ),
    FindingKind(
        "publicly-accessible",
        "RDS instances that are publicly accessible",
        "low",
        "rds_api",
        controls=("PCI DSS 1.4.4", "NIST SC-7"),
    ),
    FindingKind(
        "engine-version-deprecated",
        "RDS instances with an engine version that AWS does not offer any more",
        "low",
        "rds_api",
        controls=("PCI DSS 6.3.3", "NIST SA-22"),
    ),
    FindingKind("rds-change-pending", "RDS instances with pending changes", "info", "rds_api"),
    FindingKind("rds-api-not-visible", "Servers that were not compared with the RDS API", "info", "tls"),
    FindingKind("sessions-not-visible", "Servers that do not expose session TLS status", "info", "login"),
    FindingKind("accounts-not-visible", "Accounts that could not be read", "info", "login"),
    FindingKind("replication-not-visible", "Servers whose source of replication could not be read", "info", "login"),
    FindingKind("proxies-not-visible", "Clients that cannot be told from a proxy", "info", "sessions"),
    FindingKind("proxy-grants-not-visible", "Users of GRANT PROXY that could not be read", "info", "accounts"),
    FindingKind("memory-not-visible", "Requirements that could be read from the table only", "info", "accounts"),
)
"""Every kind, in the order of a list of checks."""

BY_ID: t.Mapping[str, FindingKind] = {kind.id: kind for kind in KINDS}
