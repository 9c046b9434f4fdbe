# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``report.csv`` with one line for each server, and ``findings.csv`` with one for each finding, for spreadsheets."""

from __future__ import annotations

import csv
import io
import operator
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import BY_ID
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Finding, Report, Server
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import visible

_Cell: t.TypeAlias = "str | int | None"

# What makes a spreadsheet take a cell for a formula, in the forms that some of them read as the same ("CSV Injection",
# OWASP). Tabs and line breaks, which count too, have become visible characters by then.
_FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def _at(path: str) -> t.Callable[[Server], t.Any]:
    """Reads an attribute of an attribute; None where the first of them is None."""

    def read(server: Server) -> t.Any:
        value: t.Any = server
        for name in path.split("."):
            value = None if value is None else getattr(value, name)
        return value

    return read


def to_csv(report: Report) -> str:
    """The text of ``report.csv``: a header, and a line for each server (RFC 4180)."""
    return _table(_SERVER_COLUMNS, ([read(server) for read in _SERVER_COLUMNS.values()] for server in report.servers))


def to_findings_csv(report: Report) -> str:
    """The text of ``findings.csv``: a header, and a line for each finding."""
    rows = (
        [*(read(server) for read in _PLACE_COLUMNS.values()), *(read(finding) for read in _FINDING_COLUMNS.values())]
        for server in report.servers
        for finding in server.findings
    )
    return _table([*_PLACE_COLUMNS, *_FINDING_COLUMNS], rows)


def _table(header: t.Iterable[str], rows: t.Iterable[t.Sequence[_Cell]]) -> str:
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return output.getvalue()


def _accounts(server: Server) -> int | None:
    return None if server.accounts is None else sum(not account.is_role for account in server.accounts)


def _accounts_without_tls(server: Server) -> int | None:
    return None if server.accounts is None else sum(account.admits_plaintext for account in server.accounts)


def _tls_versions(server: Server) -> str | None:
    return None if server.tls is None else " ".join(server.tls.versions)


def _finding_ids(server: Server) -> str:
    return " ".join(dict.fromkeys(finding.id for finding in server.findings))


def _account(finding: Finding) -> str | None:
    kind = BY_ID.get(finding.id)
    return finding.subject if kind and kind.requires == "accounts" else None


def _controls(finding: Finding) -> str:
    kind = BY_ID.get(finding.id)
    return "; ".join(kind.controls) if kind else ""


_PLACE_COLUMNS: dict[str, t.Callable[[Server], _Cell]] = {
    "server": _at("name"),
    "inventory_hostname": _at("inventory_hostname"),
    "cluster": _at("cluster"),
    "region": _at("region"),
    "aws_account": _at("aws_account"),
    "host": _at("endpoint.host"),
    "port": _at("endpoint.port"),
    "socket": _at("endpoint.socket"),
    "checked_at": _at("checked_at"),
}

_FINDING_COLUMNS: dict[str, t.Callable[[Finding], _Cell]] = {
    "finding": operator.attrgetter("id"),
    "severity": operator.attrgetter("severity"),
    "subject": operator.attrgetter("subject"),
    "account": _account,
    "first_seen": operator.attrgetter("first_seen"),
    "waived_by": lambda finding: finding.waiver.owner if finding.waiver else None,
    "waived_until": lambda finding: finding.waiver.expires if finding.waiver else None,
    "controls": _controls,
    "message": operator.attrgetter("message"),
    "remediation": operator.attrgetter("remediation"),
}

_SERVER_COLUMNS: dict[str, t.Callable[[Server], _Cell]] = {
    "name": _at("name"),
    "inventory_hostname": _at("inventory_hostname"),
    "state": _at("state"),
    "verdict": _at("verdict"),
    "checked_at": _at("checked_at"),
    "last_good_at": _at("last_good_at"),
    "in_run": _at("in_run"),
    "cluster": _at("cluster"),
    "region": _at("region"),
    "aws_account": _at("aws_account"),
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
    "exposed_accounts": lambda server: None if server.accounts is None else len(server.exposed()),
    "sessions": _at("sessions.total"),
    "plaintext_sessions": _at("sessions.plaintext"),
    "findings_high": operator.methodcaller("count", "high"),
    "findings_medium": operator.methodcaller("count", "medium"),
    "findings_low": operator.methodcaller("count", "low"),
    "findings_info": operator.methodcaller("count", "info"),
    "findings_waived": operator.methodcaller("waived"),
    "findings": _finding_ids,
    "message": _at("message"),
}


def _cell(value: _Cell) -> _Cell:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return value
    text = visible(value)
    return "'" + text if text.startswith(_FORMULA_STARTS) else text
