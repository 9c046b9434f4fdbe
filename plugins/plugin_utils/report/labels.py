# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What findings, states and verdicts are called where people read them."""

from __future__ import annotations

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import BY_ID
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.verdict import (
    COMPLIANT,
    NON_COMPLIANT,
    UNDECIDED,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import (
    NOT_CHECKED,
    UNREACHABLE,
    Server,
)

# What became of a server, in the order of the page: the worst first.
OUTCOMES = {
    NON_COMPLIANT: "Non-compliant",
    UNREACHABLE: "Unreachable",
    NOT_CHECKED: "Not checked",
    UNDECIDED: "Partially checked",
    COMPLIANT: "Compliant",
}

# Why findings of each kind matter, and how they are resolved in general; each finding says what to do about itself.
REASONS = {
    "access-control-off": (
        "Anybody who reaches the server may read and change everything, with any name and any password.",
        "Start the server without skip_grant_tables, then check its accounts: anybody may have changed them.",
    ),
    "privileges-not-flushed": (
        "The tables say one thing and the server does another: these accounts can log in without what they require.",
        "Require TLS of the account again, which writes table and memory alike.",
    ),
    "tls-ends-before-server": (
        "The server sees the TLS of a proxy. Clients may reach the proxy without TLS, whatever their accounts require.",
        "Set the proxy to require TLS for its clients, or pass TLS through to the server.",
    ),
    "weak-certificate": (
        "Keys below 2048 bits and signatures with SHA-1 or MD5 can be forged, and current clients refuse them.",
        "Renew the certificate with a key of 2048 bits or more (or on P-256) and SHA-256.",
    ),
    "no-forward-secrecy": (
        "Anyone who records connections today can read them on the day that the server's key becomes known.",
        "Let the server choose ciphers with ECDHE only; TLS 1.3 has no others.",
    ),
    "accounts-not-visible": (
        "An account that may log in without TLS would go unnoticed, and the verdict is undecided.",
        "Grant the login SELECT on mysql.*.",
    ),
    "proxies-not-visible": (
        "A client that reaches a proxy in clear text would go unnoticed.",
        "Grant the login SELECT on performance_schema.session_connect_attrs.",
    ),
    "replication-not-visible": (
        "A replica whose accounts have to be changed on its source would go unnoticed.",
        "Grant the login REPLICATION CLIENT, or SLAVE MONITOR on MariaDB.",
    ),
    "proxy-grants-not-visible": (
        "A locked account that others use without TLS by GRANT PROXY would go unnoticed.",
        "Grant the login SELECT on mysql.proxies_priv.",
    ),
    "memory-not-visible": (
        "A change of the tables that nobody has flushed would go unnoticed.",
        "Grant the login SELECT on mysql.*.",
    ),
    "tls-unavailable": (
        "Every password, query and row crosses the network in clear text, and no account can be required to use TLS.",
        "Configure a certificate and key on the server, then require TLS for its accounts.",
    ),
    "account-without-tls": (
        "Anyone on the network can read what they send, and an attacker in between can keep clients from using TLS.",
        "Make sure that the clients use TLS, then require it for the account.",
    ),
    "anonymous-account": (
        "Anybody who reaches the server can log in without naming a user, and nothing that they do is attributable.",
        "Drop the account.",
    ),
    "plaintext-session": (
        "These clients send data in clear text now. They are locked out once their account requires TLS.",
        "Turn on TLS in the client, reconnect, then require TLS for its account.",
    ),
    "certificate-untrusted": (
        "A client cannot tell this server from an attacker who pretends to be it; clients that verify refuse it.",
        "Give clients the CA that issued the certificate, or give the server a certificate of a CA that they trust.",
    ),
    "certificate-hostname-mismatch": (
        "The certificate is not valid for the name that clients connect to; clients that verify the name refuse it.",
        "Connect to a name in the certificate, or renew the certificate with the name that is used.",
    ),
    "certificate-expired": (
        "Clients that verify certificates can no longer connect; clients that do not verify are unaffected.",
        "Renew the certificate.",
    ),
    "certificate-expiring": (
        "On the day of its expiry, clients that verify certificates stop connecting.",
        "Renew the certificate in time.",
    ),
    "rds-ca-retired": (
        "AWS has retired the CA. Current CA bundles no longer contain it, so clients that verify refuse the server.",
        "Install the current CA bundle on the clients, then change the CA of the instance.",
    ),
    "weak-protocol": (
        "TLS versions before 1.2 have known weaknesses, and an attacker can make clients fall back to them.",
        "Allow TLS 1.2 and newer only.",
    ),
    "transport-not-required": (
        "TLS depends on each account's own requirement: one new account without it accepts plaintext again.",
        "When all accounts require TLS, enforce it server-wide.",
    ),
    "rds-parameter-not-in-force": (
        "The parameter group says one thing and the server does another, until a reboot that nobody may expect.",
        "Reboot the instance in a maintenance window, or undo the change of the group.",
    ),
    "rds-ca-not-in-force": (
        "The next restart changes the certificate. Clients that lack the new CA could not connect afterwards.",
        "Make sure that clients have the new CA, then restart the instance.",
    ),
    "publicly-accessible": (
        "Anybody on the internet whom a security group lets through reaches the server.",
        "Use private addresses, and make the instance not publicly accessible.",
    ),
    "engine-version-deprecated": (
        "AWS upgrades such versions by itself, or charges for extended support, and fixes fewer faults in them.",
        "Upgrade the engine.",
    ),
    "rds-change-pending": (
        "The change may restart the server in the next maintenance window.",
        "Check that it is expected.",
    ),
    "rds-api-not-visible": (
        "Changes that are not in force would go unnoticed.",
        "Grant the identity that runs the audit the missing permissions.",
    ),
    "sessions-not-visible": (
        "Plaintext clients of these servers could not be detected, so their absence here proves nothing.",
        "Enable session TLS status where the server has it.",
    ),
}


def outcome(server: Server) -> str:
    """The verdict of a server that was checked, the state of another; a key of OUTCOMES."""
    return server.verdict or server.state


def title_of(finding: str) -> str:
    """What findings of this id are called."""
    kind = BY_ID.get(finding)
    return kind.title if kind else finding


def period(since: str | None, until: str | None) -> str:
    """When the checks that a report is compared with were made: one time, or the first and the last."""
    if since is None or until is None:
        return "the last good check"
    return moment(since) if since == until else f"each server's last good check ({since[:10]} to {until[:10]})"


def moment(iso: str) -> str:
    """A time for people: ``2026-11-24 15:40 UTC``."""
    return f"{iso[:10]} {iso[11:16]} UTC"
