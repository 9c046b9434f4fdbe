# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words of the page: what findings, states and verdicts are called where people read them."""

from __future__ import annotations

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import (
    COMPLIANT,
    NOT_COMPLIANT,
    NOT_LOOKED_AT,
    UNDECIDED,
    UNREACHABLE,
    Server,
    Summary,
)

FINDINGS = {
    "tls-unavailable": "Servers without TLS",
    "account-without-tls": "Accounts that may log in without TLS",
    "anonymous-account": "Accounts that anybody may use",
    "plaintext-session": "Clients connected without TLS",
    "certificate-untrusted": "Certificates that do not verify",
    "certificate-hostname-mismatch": "Certificates for another name",
    "certificate-expired": "Certificates that have expired",
    "certificate-expiring": "Certificates that expire soon",
    "rds-ca-retired": "Certificates of retired RDS authorities",
    "weak-protocol": "Servers that accept obsolete versions of TLS",
    "transport-not-required": "Servers that do not require TLS of every connection",
    "sessions-not-visible": "Servers that do not tell who is connected without TLS",
}

# What became of a server, in the order of the page: not as it should be first.
OUTCOMES = {
    NOT_COMPLIANT: "Not compliant",
    UNREACHABLE: "Not reached",
    NOT_LOOKED_AT: "Not looked at",
    UNDECIDED: "Seen in part",
    COMPLIANT: "Compliant",
}


def outcome(server: Server) -> str:
    """The verdict of a server that was looked at, the state of another; a key of OUTCOMES."""
    return server.verdict or server.state


def title_of(finding: str) -> str:
    """What findings of this id are called."""
    return FINDINGS.get(finding, finding)


def counted(count: int, one: str, many: str | None = None) -> str:
    """Such as ``1 server`` and ``2,000 servers``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def headline(summary: Summary) -> str:
    """The report in one sentence, for those who read no other."""
    if not summary.servers:
        return "There are no servers in this report."
    if summary.servers == 1 and summary.looked_at:
        return "The one server is compliant." if summary.compliant else "The one server is not known to be compliant."
    if summary.compliant == summary.servers:
        return f"All {summary.servers:,} servers are compliant."
    if not summary.looked_at:
        return f"None of {counted(summary.servers, 'server')} could be looked at."
    return f"{summary.compliant:,} of {summary.servers:,} servers are compliant."


def moment(iso: str) -> str:
    """A time for people: ``2026-11-24 15:40 UTC``."""
    return f"{iso[:10]} {iso[11:16]} UTC"
