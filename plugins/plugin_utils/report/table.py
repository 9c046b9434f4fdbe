# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``report.csv``: one line for each server, for spreadsheets."""

from __future__ import annotations

import csv
import io
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import SEVERITIES, Report, Server

_Cell = t.Union[str, int, bool, None]

# What makes a spreadsheet take a cell for a formula, in the forms that some of them read as the same ("CSV Injection",
# OWASP).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def to_csv(report: Report) -> str:
    """The text of the file: a header, and a line for each server (RFC 4180)."""
    rows = [_row(server) for server in report.servers]
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(_row(Server("", "", "")))
    for row in rows:
        writer.writerow([_cell(value) for value in row.values()])
    return output.getvalue()


def _row(server: Server) -> dict[str, _Cell]:
    software, tls, session, certificate = server.server, server.tls, server.session, server.certificate
    return {
        "name": server.name,
        "inventory_hostname": server.inventory_hostname,
        "state": server.state,
        "verdict": server.verdict,
        "seen_at": server.seen_at,
        "host": server.endpoint.host,
        "port": server.endpoint.port,
        "socket": server.endpoint.socket,
        "family": software and software.family,
        "version": software and software.version,
        "managed_by": software and software.managed_by,
        "tls_available": tls and tls.available,
        "tls_versions": tls and " ".join(tls.versions),
        "require_secure_transport": tls and tls.require_secure_transport,
        "session_user": session and session.user,
        "session_protocol": session and session.protocol,
        "session_cipher": session and session.cipher,
        "session_verified": session and session.verified,
        "certificate_subject": certificate and certificate.subject,
        "certificate_issuer": certificate and certificate.issuer,
        "certificate_not_after": certificate and certificate.not_after,
        "certificate_days_left": certificate and certificate.days_left,
        "certificate_trusted": certificate and certificate.trusted,
        "certificate_hostname_matches": certificate and certificate.hostname_matches,
        "rds_ca": certificate and certificate.rds_ca,
        "accounts": None if server.accounts is None else sum(not account.is_role for account in server.accounts),
        "accounts_without_tls": _accounts_without_tls(server),
        "sessions": server.sessions and server.sessions.total,
        "plaintext_sessions": server.sessions and server.sessions.plaintext,
        **{f"findings_{severity}": server.count(severity) for severity in SEVERITIES},
        "findings": " ".join(dict.fromkeys(finding.id for finding in server.findings)),
        "message": server.message,
    }


def _accounts_without_tls(server: Server) -> int | None:
    return None if server.accounts is None else sum(account.admits_plaintext for account in server.accounts)


def _cell(value: _Cell) -> _Cell:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    # Unlike others, a program that reads C strings stops here.
    return value.replace("\0", "\N{SYMBOL FOR NULL}") if isinstance(value, str) else value
