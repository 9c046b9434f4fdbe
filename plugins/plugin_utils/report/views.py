# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page as plain rows of texts and numbers, in the order in which its template prints them.

What is counted, grouped, sorted, shortened and left out is decided here; the templates know tags only.
"""

from __future__ import annotations

import collections
import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._rds import is_retired_authority
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import (
    BY_ID,
    CONTROLS,
    DECISIVE_FROM,
    KINDS,
    SEVERITIES,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import banner, expiry, labels
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.compare import could_show
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import (
    CHECKED,
    PLAINTEXT_SESSION,
    UNREACHABLE,
    Change,
    Changes,
    Finding,
    Report,
    Run,
    Server,
    Summary,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.summary import kinds_of_findings
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import clip, counted

MOST_SERVERS = 2000
"""How many servers the page has, the worst; all of them are in the other files."""

_MOST_ROWS = 200
_ROWS_AT_ONCE = 3
_CHANGES_AT_ONCE = 10
_MOST_CHIPS = 100
_CHIPS_AT_ONCE = 12
_COMMANDS = 2
_FEW_CERTIFICATES = 10
# Of each list in a server's row: what keeps a page of 2,000 servers small enough for a mail.
_NAMES_IN_ROW = 100
_NAMES_IN_ROW_OF_MANY = 12
_MANY_SERVERS = 200
_UNKNOWN = "\N{EN DASH}"

_T = t.TypeVar("_T")


@dataclass(frozen=True)
class Chips:
    """Names: the first few, those that are folded away, and how many are left out."""

    shown: tuple[str, ...]
    folded: tuple[str, ...]
    left_out: int


@dataclass(frozen=True)
class Rows(t.Generic[_T]):
    """Rows: those that are shown, those that are folded away, and how many are left out."""

    shown: tuple[_T, ...]
    folded: tuple[_T, ...]
    left_out: int


@dataclass(frozen=True)
class Fact:
    """A label, and what there is to say."""

    label: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """What to run, and on how many servers."""

    text: str
    where: str


@dataclass(frozen=True)
class Action:
    """What to do first, why, and how."""

    kind: str
    anchor: str
    title: str
    severity: str
    scope: str
    reason: str
    commands: tuple[Command, ...]
    more: int


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


@dataclass(frozen=True)
class Instance:
    """One finding, on every server that has it in the same words."""

    message: str
    severity: str
    remediation: str
    servers: Chips


@dataclass(frozen=True)
class FindingKindRow:
    """A kind of finding: what it is, why it matters, how to resolve it, and where it was found."""

    id: str
    anchor: str
    title: str
    scopes: tuple[tuple[str, str], ...]
    reason: str
    fix: str
    controls: tuple[str, ...]
    instances: Rows[Instance]


@dataclass(frozen=True)
class ChangeRow:
    """Something that is different on some servers."""

    severity: str
    what: str
    message: str
    servers: Chips


@dataclass(frozen=True)
class RegressionRow:
    """An account that no longer requires TLS, on some servers."""

    account: str
    before: str
    after: str
    servers: Chips


@dataclass(frozen=True)
class ChangesView:
    """What is different from an earlier report."""

    since: str
    regressions: Rows[RegressionRow]
    worse: Rows[ChangeRow]
    first_seen: Rows[ChangeRow]
    resolved: Rows[ChangeRow]
    added: Chips
    gone: Chips


@dataclass(frozen=True)
class CertificateRow:
    """When a certificate, or all of a period, expires."""

    when: str
    kind: str
    note: str
    count: int
    servers: Chips


@dataclass(frozen=True)
class IssuerRow:
    """A CA, and whose certificates it has issued."""

    name: str
    kind: str
    retired: bool
    count: int
    first: str
    servers: Chips


@dataclass(frozen=True)
class Certificates:
    """When certificates expire, as a drawing unless there are few, and who issued them."""

    timeline: expiry.Timeline | None
    rows: tuple[CertificateRow, ...]
    issuers: Rows[IssuerRow]


@dataclass(frozen=True)
class ControlRow:
    """A control of a standard, and on how many servers it was found to fail."""

    id: str
    standard: str
    title: str
    kinds: tuple[str, ...]
    failed: int
    unchecked: int
    passed: int


@dataclass(frozen=True)
class Page:
    """Everything that the template of the report prints."""

    title: str
    made_at: str
    moment: str
    banner: banner.Banner
    evidence: tuple[Fact, ...]
    evidence_line: str
    actions: tuple[Action, ...]
    servers: Servers
    unchecked: tuple[Reason, ...]
    findings: tuple[FindingKindRow, ...]
    notes: tuple[FindingKindRow, ...]
    changes: ChangesView | None
    certificates: Certificates | None
    controls: tuple[ControlRow, ...]
    footer: str


def page(report: Report, json_sha256: str) -> Page:
    """The report as its page shows it.

    :arg json_sha256: The SHA-256 of ``report.json``.
    """
    shown = _Names(report.servers)
    kinds = _finding_kinds(report.servers, shown)
    return Page(
        title=clip(report.title),
        made_at=report.run.made_at,
        moment=labels.moment(report.run.made_at),
        banner=banner.banner(report),
        evidence=tuple(_evidence(report, json_sha256)),
        evidence_line=_evidence_line(report.run),
        actions=tuple(_actions(report.summary, report.servers)),
        servers=_servers(report.servers, shown),
        unchecked=tuple(_unchecked(report.servers, shown)),
        findings=kinds[0],
        notes=kinds[1],
        changes=_changes(report.changes, shown) if report.changes else None,
        certificates=_certificates(report.servers, report.run.made_at, shown),
        controls=tuple(_controls(report.servers)) if report.servers else (),
        footer=_footer(report.run),
    )


class _Names:
    """Names of servers without what is the same at the end of all of them."""

    def __init__(self, servers: t.Sequence[Server]) -> None:
        self.suffix = _common_suffix([server.name for server in servers])

    def short(self, name: str) -> str:
        """The name as it is shown."""
        return clip(name.removesuffix(self.suffix), 100)

    def chips(self, names: t.Iterable[str]) -> Chips:
        """Names of servers."""
        each = [self.short(name) for name in dict.fromkeys(names)]
        return Chips(
            tuple(each[:_CHIPS_AT_ONCE]), tuple(each[_CHIPS_AT_ONCE:_MOST_CHIPS]), max(0, len(each) - _MOST_CHIPS)
        )


def _common_suffix(names: t.Sequence[str]) -> str:
    """What all of them end with, if they are DNS names: a dot and labels; empty where there is nothing."""
    labels_of = [name.split(".") for name in names if not name.replace(".", "").replace(":", "").isdigit()]
    if len(labels_of) < 2 or len(labels_of) != len(names):
        return ""
    shortest = min(map(len, labels_of)) - 1
    same = 0
    while same < shortest and len({parts[-1 - same] for parts in labels_of}) == 1:
        same += 1
    return "." + ".".join(labels_of[0][-same:]) if same else ""


def _rows(rows: t.Sequence[_T], at_once: int = _ROWS_AT_ONCE) -> Rows[_T]:
    # One more is quicker read than unfolded.
    at_once += len(rows) == at_once + 1
    return Rows(tuple(rows[:at_once]), tuple(rows[at_once:_MOST_ROWS]), max(0, len(rows) - _MOST_ROWS))


# Evidence


def _evidence_line(run: Run) -> str:
    parts = []
    if run.inventory:
        parts.append("inventory " + ", ".join(path.rstrip("/").rpartition("/")[2] for path in run.inventory))
    if run.limit:
        parts.append(f"limit {run.limit}")
    if run.user and run.host:
        parts.append(f"run by {run.user} on {run.host}")
    return clip(", ".join(parts), 200)


def _evidence(report: Report, json_sha256: str) -> t.Iterator[Fact]:
    """What an auditor asks of a report."""
    run = report.run
    if run.inventory:
        yield Fact("Inventory", tuple(map(clip, run.inventory)))
    yield Fact("Limit", (clip(run.limit) if run.limit else "none: all hosts of the play",))
    if run.merged:
        yield Fact("Merged", (counted(run.merged, "other report"),))
    if run.user or run.host:
        by = f"{run.user or 'unknown'} on {run.host or 'unknown'}"
        yield Fact("Run by", (clip(by), *((f"AWX job {run.job}",) if run.job else ())))
    yield Fact("Run", (f"{run.id}, {run.made_at}",))
    yield Fact("Policy", tuple(_policy(run)))
    components = [f"{each.name} {each.version}" for each in run.components]
    own = [f"dbtls.rds_mysql {run.collection_version}", f"ansible-core {run.ansible_core_version}"]
    yield Fact("Versions", (clip(", ".join(own + components)),))
    if run.ca_bundles:
        bundles = tuple(clip(f"{each.path}: SHA-256 {each.sha256 or 'not readable'}") for each in run.ca_bundles)
        yield Fact("CA bundles", bundles)
    yield Fact("Access", ("read-only: the checks read status and privilege tables and changed nothing on any server",))
    yield Fact("report.json", (f"SHA-256 {json_sha256}", "also in report.sha256, for sha256sum --check"))


def _policy(run: Run) -> t.Iterator[str]:
    decisive = SEVERITIES[: SEVERITIES.index(DECISIVE_FROM) + 1]
    yield f"a finding of severity {' or '.join(reversed(decisive))} makes a server non-compliant"
    if run.tls_min_version:
        yield f"checks connect with {run.tls_min_version} or newer"


# Actions


def _actions(summary: Summary, servers: t.Sequence[Server]) -> t.Iterator[Action]:
    for kind in summary.worst:
        commands: dict[str, set[str]] = {}
        for server in servers:
            for finding in server.findings:
                if finding.id == kind.id and finding.severity == kind.severity and finding.remediation:
                    commands.setdefault(finding.remediation, set()).add(server.name)
        ordered = sorted(commands.items(), key=lambda item: (-len(item[1]), item[0]))
        yield Action(
            kind=clip(kind.id),
            anchor=_anchor(kind.id),
            title=clip(labels.title_of(kind.id)),
            severity=kind.severity,
            scope=_scope(kind.findings, kind.servers),
            reason=labels.REASONS.get(kind.id, ("", ""))[0] or clip(kind.example),
            commands=tuple(
                Command(clip(text, 1000), f"on {counted(len(where), 'server')}") for text, where in ordered[:_COMMANDS]
            ),
            more=max(0, len(ordered) - _COMMANDS),
        )


def _scope(findings: int, servers: int) -> str:
    where = f"on {counted(servers, 'server')}"
    return where if findings == servers else f"{findings:,} {where}"


def _anchor(name: str) -> str:
    """The id of a finding as that of an element; one of a report that somebody else has written may have anything."""
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in clip(name, 60))


# Servers

_GROUPINGS = {"cluster": "Cluster", "environment": "Inventory groups", "account": "AWS account", "region": "Region"}


def _servers(servers: t.Sequence[Server], shown: _Names) -> Servers:
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


def _server_row(server: Server, shown: _Names, common: set[str], limit: int) -> ServerRow:
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
        status=labels.OUTCOMES[result],
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
        expires_note=_expires_note(server),
        expires_kind=_expires_kind(server),
        sort_expires=str(certificate.days_left) if certificate else "",
        groups=tuple(_groups(server, common)),
        message=clip(server.message or ""),
        findings=tuple(_row_findings(server, limit)),
        facts=tuple(_facts(server, limit)),
    )


def _kinds(server: Server) -> list[str]:
    """What a server is found by: the kinds of findings that it has in their full severity.

    Of an account that the server protects, or that is for its own machine, nobody wants to find every server.
    """
    found = {finding.id for finding in server.findings if finding.severity == _full_severity(finding)}
    return sorted(map(clip, found))


def _full_severity(finding: Finding) -> str:
    kind = BY_ID.get(finding.id)
    return kind.severity if kind else finding.severity


def _about(server: Server) -> str:
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


def _expires_note(server: Server) -> str:
    if server.certificate is None:
        return ""
    return "expired" if server.certificate.expired else f"in {counted(server.certificate.days_left, 'day')}"


def _expires_kind(server: Server) -> str:
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
        if finding.severity != "info":
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
            yield Fact("Accounts", ("not readable by the login of the check",))
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


def _unchecked(servers: t.Sequence[Server], shown: _Names) -> t.Iterator[Reason]:
    """Servers that could not be checked, by why."""
    found: dict[tuple[bool, str, str], list[str]] = {}
    for server in servers:
        if server.state != CHECKED:
            key = server.state != UNREACHABLE, server.state, server.message or "No reason is given."
            found.setdefault(key, []).append(server.name)
    ordered = sorted(found.items(), key=lambda item: (item[0][0], -len(item[1]), item[0]))
    for (_last, state, message), names in ordered[:_MOST_ROWS]:
        yield Reason(clip(message), state, labels.OUTCOMES[state], len(names), shown.chips(names))


# Findings


def _finding_kinds(
    servers: t.Sequence[Server], shown: _Names
) -> tuple[tuple[FindingKindRow, ...], tuple[FindingKindRow, ...]]:
    """The kinds that say something is wrong, and those for information."""
    found: dict[str, list[tuple[Finding, str]]] = {}
    notes: dict[str, list[tuple[Finding, str]]] = {}
    for server in servers:
        for finding in server.findings:
            (notes if finding.severity == "info" else found).setdefault(finding.id, []).append((finding, server.name))
    order = list(dict.fromkeys(kind.id for kind in kinds_of_findings(servers)))
    return (
        tuple(_finding_kind(name, found[name], shown, "finding") for name in order if name in found),
        tuple(_finding_kind(name, notes[name], shown, "note") for name in order if name in notes),
    )


def _finding_kind(name: str, found: list[tuple[Finding, str]], shown: _Names, prefix: str) -> FindingKindRow:
    groups: dict[tuple[str, str, str], list[str]] = {}
    scopes: dict[str, set[str]] = {}
    for finding, server in found:
        groups.setdefault((finding.severity, finding.message, finding.remediation), []).append(server)
        scopes.setdefault(finding.severity, set()).add(server)
    ordered = sorted(groups.items(), key=lambda group: (SEVERITIES.index(group[0][0]), -len(group[1]), group[0]))
    reason, fix = labels.REASONS.get(name, ("", ""))
    kind = BY_ID.get(name)
    return FindingKindRow(
        id=clip(name),
        anchor=f"{prefix}-{_anchor(name)}",
        title=clip(labels.title_of(name)),
        scopes=tuple((each, counted(len(scopes[each]), "server")) for each in SEVERITIES if each in scopes),
        reason=reason if prefix == "finding" else "",
        fix=fix if prefix == "finding" else "",
        controls=kind.controls if kind else (),
        instances=_rows(
            [
                Instance(clip(message), severity, clip(remediation, 1000), shown.chips(names))
                for (severity, message, remediation), names in ordered
            ]
        ),
    )


# Changes


def _changes(found: Changes, shown: _Names) -> ChangesView:
    regressions: dict[tuple[str, str, str], list[str]] = {}
    for each in found.regressions:
        regressions.setdefault((f"{each.user}@{each.host}", each.before, each.after), []).append(each.server)
    # What a regression is the cause of is said once.
    known = {(each.server, f"{each.user}@{each.host}") for each in found.regressions}
    worse = [each for each in found.worse if (each.server, each.subject) not in known or each.id == PLAINTEXT_SESSION]
    return ChangesView(
        since=labels.moment(found.since),
        regressions=_rows(
            [
                RegressionRow(clip(account), before, after, shown.chips(names))
                for (account, before, after), names in sorted(regressions.items(), key=lambda item: -len(item[1]))
            ],
            _CHANGES_AT_ONCE,
        ),
        worse=_change_rows(worse, shown),
        first_seen=_change_rows(found.first_seen, shown),
        resolved=_change_rows(found.resolved, shown),
        added=shown.chips(found.servers_added),
        gone=shown.chips(found.servers_gone),
    )


def _change_rows(found: t.Sequence[Change], shown: _Names) -> Rows[ChangeRow]:
    groups: dict[tuple[str, str, str], list[str]] = {}
    for change in found:
        groups.setdefault((change.severity, change.id, change.message), []).append(change.server)
    return _rows(
        [
            ChangeRow(
                severity,
                "Reachability" if name == "server" else clip(labels.title_of(name)),
                clip(message),
                shown.chips(names),
            )
            for (severity, name, message), names in groups.items()
        ],
        _CHANGES_AT_ONCE,
    )


# Certificates


def _certificates(servers: t.Sequence[Server], made_at: str, shown: _Names) -> Certificates | None:
    having = [server for server in servers if server.certificate is not None]
    if not having:
        return None
    issuers = _issuers(having, shown)
    if len(having) < _FEW_CERTIFICATES:
        ordered = sorted(having, key=lambda server: (_not_after(server), server.name))
        rows = tuple(
            CertificateRow(
                _not_after(server)[:10], _expires_kind(server), _expires_note(server), 1, shown.chips([server.name])
            )
            for server in ordered
        )
        return Certificates(None, rows, issuers)
    found = expiry.periods(having, made_at)
    rows = tuple(
        CertificateRow(
            period.label,
            {"expired": "high", "soon": "medium"}.get(period.kind, ""),
            "",
            len(period.servers),
            shown.chips(server.name for server in period.servers),
        )
        for period in found
        if period.servers
    )
    return Certificates(expiry.timeline(found, made_at), rows, issuers)


def _not_after(server: Server) -> str:
    return server.certificate.not_after if server.certificate else ""


def _issuers(servers: t.Sequence[Server], shown: _Names) -> Rows[IssuerRow]:
    """RDS CAs by AWS's name for them, others as they call themselves."""
    found: dict[tuple[bool, str], list[Server]] = {}
    for server in servers:
        if server.certificate is not None:
            authority = server.certificate.rds_ca
            found.setdefault((authority is None, authority or server.certificate.issuer), []).append(server)
    ordered = sorted(found.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1]))
    return _rows(
        [
            IssuerRow(
                clip(name),
                "other" if other else "RDS CA",
                not other and is_retired_authority(name),
                len(group),
                min(map(_not_after, group))[:10],
                shown.chips(server.name for server in group),
            )
            for (other, name), group in ordered
        ]
    )


# Controls


def _controls(servers: t.Sequence[Server]) -> t.Iterator[ControlRow]:
    """Each control that findings refer to: on how many servers it fails, passes, or cannot be told."""
    for control in CONTROLS.values():
        kinds = [kind for kind in KINDS if control.id in kind.controls and kind.decides]
        if not kinds:
            continue
        ids = {kind.id for kind in kinds}
        results: collections.Counter[str] = collections.Counter()
        for server in servers:
            if any(finding.id in ids and finding.decides for finding in server.findings):
                results["failed"] += 1
            elif all(could_show(server, kind.id) for kind in kinds):
                results["passed"] += 1
            else:
                results["unchecked"] += 1
        yield ControlRow(
            control.id,
            control.standard,
            control.title,
            tuple(kind.title for kind in kinds),
            results["failed"],
            results["unchecked"],
            results["passed"],
        )


def _footer(run: Run) -> str:
    merged = f", with {counted(run.merged, 'other report')} merged into it" if run.merged else ""
    return f"dbtls.rds_mysql {run.collection_version}, ansible-core {run.ansible_core_version}, run {run.id}{merged}."
