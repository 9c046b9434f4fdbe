# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of servers, each with what its row opens to, and the servers that were not checked."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import BY_ID, SEVERITIES
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.verdict import COMPLIANT
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import labels
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import CHECKED, UNREACHABLE, Finding, Server
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import clip, counted
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.view_rows import Chips, Fact, Names

MOST_SERVERS = 2000
"""How many servers the page has, those with the most severe findings; all of them are in the other files."""

_MOST_REASONS = 200
# Of each list in a server's row: what keeps a page of 2,000 servers small enough for a mail.
_NAMES_IN_ROW = 100
_NAMES_IN_ROW_OF_MANY = 12
_MANY_SERVERS = 200
_UNKNOWN = "\N{EN DASH}"
_GROUPINGS = {"cluster": "Cluster", "environment": "Inventory groups", "account": "AWS account", "region": "Region"}


@dataclass(frozen=True)
class RowFinding:
    """The findings of one kind and severity of a server, in a line."""

    severity: str
    text: str


@dataclass(frozen=True)
class ServerRow:
    """A server in the table. ``sort_*`` are what its columns are sorted by; an empty one is last."""

    name: str
    short: str
    about: str
    outcome: str
    status: str
    sort_status: int
    sort_findings: int
    counts: tuple[tuple[str, int], ...]
    kinds: str
    exposed: str
    sort_exposed: str
    clients: str
    sort_clients: str
    tls: str
    tls_note: str
    expires: str
    expires_note: str
    expires_kind: str
    sort_expires: str
    groups: tuple[tuple[str, str], ...]
    message: str
    findings: tuple[RowFinding, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Servers:
    """The table of servers. ``states``, ``kinds`` and ``groupings`` are what it can be filtered and grouped by."""

    rows: tuple[ServerRow, ...]
    total: int
    suffix: str
    states: tuple[tuple[str, str], ...]
    kinds: tuple[tuple[str, str], ...]
    groupings: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Reason:
    """Why servers were not checked."""

    message: str
    outcome: str
    status: str
    count: int
    servers: Chips


def servers_view(servers: t.Sequence[Server], shown: Names) -> Servers:
    ordered = sorted(servers, key=_badness)[:MOST_SERVERS]
    common = set.intersection(*(set(server.groups) for server in servers)) if servers else set()
    limit = _NAMES_IN_ROW if len(ordered) <= _MANY_SERVERS else _NAMES_IN_ROW_OF_MANY
    rows = tuple(_server_row(server, shown, common, limit) for server in ordered)
    values = {key: {dict(row.groups).get(key, "") for row in rows} for key in _GROUPINGS}
    present = {labels.outcome(server) for server in servers}
    ids = {name for server in ordered for name in _kinds(server)}
    return Servers(
        rows=rows,
        total=len(servers),
        suffix=clip(shown.suffix),
        states=tuple((name, title) for name, title in labels.OUTCOMES.items() if name in present),
        kinds=tuple(sorted(((clip(name), clip(labels.title_of(name))) for name in ids), key=lambda kind: kind[1])),
        groupings=tuple((key, title) for key, title in _GROUPINGS.items() if len(values[key]) > 1),
    )


def _badness(server: Server) -> t.Any:
    counts = tuple(-server.count(severity) for severity in SEVERITIES)
    return list(labels.OUTCOMES).index(labels.outcome(server)), counts, server.name


def _server_row(server: Server, shown: Names, common: set[str], limit: int) -> ServerRow:
    result = labels.outcome(server)
    exposed = None if server.state != CHECKED or server.accounts is None else len(server.exposed())
    if not exposed and server.exposed():
        exposed = len(server.exposed())  # a login that sees only its own account
    clients = None if server.sessions is None else len(server.plaintext_clients())
    certificate = server.certificate
    weight = 0
    for severity in SEVERITIES:
        weight = weight * 1000 + min(server.count(severity), 999)
    return ServerRow(
        name=clip(server.name),
        short=shown.short(server.name),
        about=_about(server),
        outcome=result,
        status=f"{labels.OUTCOMES[result]} with waivers" if _by_waivers(server) else labels.OUTCOMES[result],
        sort_status=list(labels.OUTCOMES).index(result),
        sort_findings=-weight,
        counts=tuple((each, server.count(each)) for each in SEVERITIES if each != "info" and server.count(each)),
        kinds=" ".join(_kinds(server)),
        exposed=_UNKNOWN if exposed is None else f"{exposed:,}",
        sort_exposed="" if exposed is None else str(exposed),
        clients=_UNKNOWN if clients is None else f"{clients:,}",
        sort_clients="" if clients is None else str(clients),
        tls=_tls(server),
        tls_note=_tls_note(server),
        expires=certificate.not_after[:10] if certificate else _UNKNOWN,
        expires_note=expires_note(server),
        expires_kind=expires_kind(server),
        sort_expires=str(certificate.days_left) if certificate else "",
        groups=tuple(_groups(server, common)),
        message=clip(server.message or ""),
        findings=tuple(_row_findings(server, limit)),
        facts=tuple(_facts(server, limit)),
    )


def _by_waivers(server: Server) -> bool:
    return server.verdict == COMPLIANT and server.waived() > 0


def _kinds(server: Server) -> list[str]:
    """What a server is found by: the kinds of findings that it has in their full severity.

    Of an account that the server protects, or that is for its own machine, nobody wants to find every server.
    """
    found = {
        finding.id
        for finding in server.findings
        if finding.waiver is None and finding.severity == _full_severity(finding)
    }
    return sorted(map(clip, found))


def _full_severity(finding: Finding) -> str:
    kind = BY_ID.get(finding.id)
    return kind.severity if kind else finding.severity


def _about(server: Server) -> str:
    software = _software(server)
    if server.in_run or not server.checked_at:
        return software
    return f"{software}, as of {server.checked_at[:10]}".removeprefix(", ")


def _software(server: Server) -> str:
    if server.server is None:
        return ""
    managed = {"rds": "RDS", "aurora": "Aurora"}.get(server.server.managed_by or "", "")
    family = {"mysql": "MySQL", "mariadb": "MariaDB"}.get(server.server.family, server.server.family)
    version = server.server.version.partition("-")[0] if server.server.version[:1].isdigit() else server.server.version
    return clip(f"{managed} {family} {version}".strip(), 60)


def _tls(server: Server) -> str:
    if server.tls is None:
        return _UNKNOWN
    if not server.tls.available:
        return "not offered"
    versions = [version.removeprefix("TLSv") for version in server.tls.versions]
    return clip("TLS " + ", ".join(versions), 40) if versions else "offered"


def _tls_note(server: Server) -> str:
    required = server.tls.require_secure_transport if server.tls else None
    return "" if required is None else "required for all" if required else "by account"


def expires_note(server: Server) -> str:
    if server.certificate is None:
        return ""
    return "expired" if server.certificate.expired else f"in {counted(server.certificate.days_left, 'day')}"


def expires_kind(server: Server) -> str:
    if server.certificate is None:
        return ""
    if server.certificate.expired:
        return "high"
    return "medium" if server.expires_soon() else ""


def _groups(server: Server, common: set[str]) -> t.Iterator[tuple[str, str]]:
    environment = ", ".join(group for group in server.groups if group not in common)
    values = {
        "cluster": server.cluster,
        "environment": environment,
        "account": server.aws_account,
        "region": server.region,
    }
    for key, value in values.items():
        if value:
            yield key, clip(value, 100)


def _row_findings(server: Server, limit: int) -> t.Iterator[RowFinding]:
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in server.findings:
        if finding.severity != "info" and finding.waiver is None:
            groups.setdefault((finding.severity, finding.id), []).append(finding)
    for (severity, name), found in groups.items():
        kind = BY_ID.get(name)
        if kind is not None and kind.requires in ("accounts", "sessions"):
            yield RowFinding(severity, f"{kind.title}: {_listed([each.subject for each in found], limit)}")
        else:
            for each in found[:limit]:
                yield RowFinding(severity, clip(each.message))


def _facts(server: Server, limit: int) -> t.Iterator[Fact]:
    """What is known of a server, and no accusation of a compliant one."""
    if not server.in_run and server.checked_at:
        yield Fact("Last checked", (labels.moment(server.checked_at), "not part of this run"))
    if server.last_good_at:
        yield Fact("Last good check", (labels.moment(server.last_good_at),))
    waived = [each for each in server.findings if each.waiver is not None]
    if waived:
        yield Fact("Waived", (_listed([f"{labels.title_of(each.id)} ({each.subject})" for each in waived], limit),))
    endpoint = str(server.endpoint)
    if endpoint and endpoint != server.name:
        yield Fact("Endpoint", (clip(endpoint),))
    if server.server is not None:
        yield Fact("Version", (clip(server.server.version),))
    if server.session is not None:
        yield Fact("Checked as", (clip(f"{server.session.user}, {_session(server)}"),))
    elif server.state == CHECKED:
        yield Fact("Checked as", ("unauthenticated",))
    yield from _account_facts(server, limit)
    if server.certificate is not None:
        yield Fact("Certificate", tuple(_certificate_lines(server)))
    if server.groups:
        yield Fact("Groups", (clip(", ".join(server.groups)),))
    if server.warnings:
        yield Fact("Warnings", tuple(map(clip, server.warnings[:5])))


def _session(server: Server) -> str:
    if server.session is None or not server.session.encrypted:
        return "without TLS"
    return f"{server.session.protocol or 'TLS'}, {'verified' if server.session.verified else 'not verified'}"


def _account_facts(server: Server, limit: int) -> t.Iterator[Fact]:
    if server.accounts is None:
        if server.state == CHECKED:
            by_login = "not readable by the login of the check"
            yield Fact("Accounts", (by_login if server.session else "not read: no login",))
        return
    everyone = bool(server.tls and server.tls.require_secure_transport)
    requiring = [each.name for each in server.accounts if not each.is_role and each.ssl_type != "NONE"]
    others = [each for each in server.accounts if each.admits_plaintext and not each.system]
    if requiring:
        yield Fact("Require TLS", (_listed(requiring, limit),))
    if everyone and others:
        yield Fact("Covered by the server-wide requirement", (_listed([each.name for each in others], limit),))
    elif any(each.local for each in others):
        yield Fact("Local accounts", (_listed([each.name for each in others if each.local], limit),))


def _certificate_lines(server: Server) -> t.Iterator[str]:
    certificate = server.certificate
    if certificate is None:
        return
    yield clip(certificate.subject)
    yield clip(f"issued by {certificate.rds_ca or certificate.issuer}")
    checks = [
        {True: "verified", False: f"not trusted: {certificate.trust_error}", None: "not verified"}[certificate.trusted],
        {True: "valid for its host name", False: "not valid for its host name", None: ""}[certificate.hostname_matches],
    ]
    yield clip(", ".join(filter(None, checks)))


def _listed(names: t.Sequence[str], limit: int) -> str:
    more = len(names) - limit
    ending = f" and {more:,} more in report.json" if more > 0 else ""
    return ", ".join(clip(name, 100) for name in names[:limit]) + ending


def unchecked(servers: t.Sequence[Server], shown: Names) -> t.Iterator[Reason]:
    """Servers that could not be checked, by why."""
    found: dict[tuple[bool, str, str], list[str]] = {}
    for server in servers:
        if server.state != CHECKED:
            key = server.state != UNREACHABLE, server.state, server.message or "No reason is given."
            found.setdefault(key, []).append(server.name)
    ordered = sorted(found.items(), key=lambda item: (item[0][0], -len(item[1]), item[0]))
    for (_last, state, message), names in ordered[:_MOST_REASONS]:
        yield Reason(clip(message), state, labels.OUTCOMES[state], len(names), shown.chips(names))
