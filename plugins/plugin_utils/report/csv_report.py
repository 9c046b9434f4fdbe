# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``report.csv``: one line for each server, for spreadsheets."""

from __future__ import annotations

import csv
import io
import operator
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Report, Server

_Cell: t.TypeAlias = "str | int | None"

# What makes a spreadsheet take a cell for a formula, in the forms that some of them read as the same ("CSV Injection",
# OWASP).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def _at(path: str) -> t.Callable[[Server], t.Any]:
    """Reads an attribute of an attribute; None where the first of them is None."""

    def read(server: Server) -> t.Any:
        value: t.Any = server
        for name in path.split("."):
            value = None if value is None else getattr(value, name)
        return value

    return read


def to_csv(report: Report) -> str:
    """The text of the file: a header, and a line for each server (RFC 4180)."""
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(_COLUMNS)
    for server in report.servers:
        writer.writerow([_cell(read(server)) for read in _COLUMNS.values()])
    return output.getvalue()


def _accounts(server: Server) -> int | None:
    return None if server.accounts is None else sum(not account.is_role for account in server.accounts)


def _accounts_without_tls(server: Server) -> int | None:
    return None if server.accounts is None else sum(account.admits_plaintext for account in server.accounts)


def _tls_versions(server: Server) -> str | None:
    return None if server.tls is None else " ".join(server.tls.versions)


def _finding_ids(server: Server) -> str:
    return " ".join(dict.fromkeys(finding.id for finding in server.findings))


_COLUMNS: dict[str, t.Callable[[Server], _Cell]] = {
    "name": _at("name"),
    "inventory_hostname": _at("inventory_hostname"),
    "state": _at("state"),
    "verdict": _at("verdict"),
    "seen_at": _at("seen_at"),
    "host": _at("endpoint.host"),
    "port": _at("endpoint.port"),
    "socket": _at("endpoint.socket"),
    "family": _at("server.family"),
    "version": _at("server.version"),
    "managed_by": _at("server.managed_by"),
    "tls_available": _at("tls.available"),
    "tls_versions": _tls_versions,
    "require_secure_transport": _at("tls.require_secure_transport"),
    "session_user": _at("session.user"),
    "session_protocol": _at("session.protocol"),
    "session_cipher": _at("session.cipher"),
    "session_verified": _at("session.verified"),
    "certificate_subject": _at("certificate.subject"),
    "certificate_issuer": _at("certificate.issuer"),
    "certificate_not_after": _at("certificate.not_after"),
    "certificate_days_left": _at("certificate.days_left"),
    "certificate_trusted": _at("certificate.trusted"),
    "certificate_hostname_matches": _at("certificate.hostname_matches"),
    "rds_ca": _at("certificate.rds_ca"),
    "accounts": _accounts,
    "accounts_without_tls": _accounts_without_tls,
    "sessions": _at("sessions.total"),
    "plaintext_sessions": _at("sessions.plaintext"),
    "findings_high": operator.methodcaller("count", "high"),
    "findings_medium": operator.methodcaller("count", "medium"),
    "findings_low": operator.methodcaller("count", "low"),
    "findings_info": operator.methodcaller("count", "info"),
    "findings": _finding_ids,
    "message": _at("message"),
}


def _cell(value: _Cell) -> _Cell:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    # Unlike others, a program that reads C strings stops here.
    return value.replace("\0", "\N{SYMBOL FOR NULL}") if isinstance(value, str) else value
