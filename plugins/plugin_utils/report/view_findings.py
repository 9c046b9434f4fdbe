# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The findings by kind, what to do first, and which controls fail."""

from __future__ import annotations

import collections
import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import (
    BY_ID,
    CONTROLS,
    KINDS,
    SEVERITIES,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import labels
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.compare import could_show
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Finding, Server, Summary
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.summary import kinds_of_findings
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import clip, counted
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.view_rows import (
    Chips,
    Names,
    Piece,
    Rows,
    fold,
    pieces,
)

_REMEDIES = 2


@dataclass(frozen=True)
class Remedy:
    """What to do, and on how many servers."""

    pieces: tuple[Piece, ...]
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
    remedies: tuple[Remedy, ...]
    more: int


@dataclass(frozen=True)
class Instance:
    """One finding, on every server that has it in the same words."""

    message: str
    severity: str
    remedy: tuple[Piece, ...]
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
class ControlRow:
    """A control of a standard, and on how many servers it was found to fail."""

    id: str
    standard: str
    title: str
    kinds: tuple[str, ...]
    failed: int
    unchecked: int
    waived: int
    passed: int


@dataclass(frozen=True)
class WaivedRow:
    """Findings of one kind that somebody accepts."""

    title: str
    subject: str
    owner: str
    expires: str
    reason: str
    servers: Chips


def waived_rows(servers: t.Sequence[Server], shown: Names) -> Rows[WaivedRow]:
    """The waived findings, by who waives them and until when, the first to expire first."""
    groups: dict[tuple[str, str, str, str, str], list[str]] = {}
    for server in servers:
        for finding in server.findings:
            if finding.waiver is not None:
                waiver = finding.waiver
                key = (waiver.expires, waiver.owner, waiver.reason, finding.id, finding.subject)
                groups.setdefault(key, []).append(server.name)
    return fold(
        [
            WaivedRow(
                clip(labels.title_of(kind)), clip(subject), clip(owner), expires, clip(reason), shown.chips(names)
            )
            for (expires, owner, reason, kind, subject), names in sorted(groups.items())
        ]
    )


def actions(summary: Summary, servers: t.Sequence[Server]) -> t.Iterator[Action]:
    for kind in summary.worst:
        remedies: dict[tuple[str, tuple[str, ...]], set[str]] = {}
        for server in servers:
            for finding in server.findings:
                if (
                    finding.waiver is None
                    and finding.id == kind.id
                    and finding.severity == kind.severity
                    and finding.remediation
                ):
                    remedies.setdefault((finding.remediation, finding.commands), set()).add(server.name)
        ordered = sorted(remedies.items(), key=lambda item: (-len(item[1]), item[0]))
        yield Action(
            kind=clip(kind.id),
            anchor=_anchor(kind.id),
            title=clip(labels.title_of(kind.id)),
            severity=kind.severity,
            scope=_scope(kind.findings, kind.servers),
            reason=labels.REASONS.get(kind.id, ("", ""))[0] or clip(kind.example),
            remedies=tuple(
                Remedy(pieces(*remedy), f"On {counted(len(where), 'server')}:") for remedy, where in ordered[:_REMEDIES]
            ),
            more=max(0, len(ordered) - _REMEDIES),
        )


def _scope(findings: int, servers: int) -> str:
    where = f"on {counted(servers, 'server')}"
    return where if findings == servers else f"{findings:,} {where}"


def _anchor(name: str) -> str:
    """The id of a finding as that of an element; one of a report from elsewhere may have anything."""
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in clip(name, 60))


def finding_kind_rows(
    servers: t.Sequence[Server], shown: Names
) -> tuple[tuple[FindingKindRow, ...], tuple[FindingKindRow, ...]]:
    """The kinds that say something is wrong, and those for information."""
    found: dict[str, list[tuple[Finding, str]]] = {}
    notes: dict[str, list[tuple[Finding, str]]] = {}
    for server in servers:
        for finding in server.findings:
            if finding.waiver is not None:
                continue
            (notes if finding.severity == "info" else found).setdefault(finding.id, []).append((finding, server.name))
    order = list(dict.fromkeys(kind.id for kind in kinds_of_findings(servers)))
    return (
        tuple(_finding_kind(name, found[name], shown, "finding") for name in order if name in found),
        tuple(_finding_kind(name, notes[name], shown, "note") for name in order if name in notes),
    )


def _finding_kind(name: str, found: list[tuple[Finding, str]], shown: Names, prefix: str) -> FindingKindRow:
    groups: dict[tuple[str, str, str, tuple[str, ...]], list[str]] = {}
    scopes: dict[str, set[str]] = {}
    for finding, server in found:
        key = finding.severity, finding.message, finding.remediation, finding.commands
        groups.setdefault(key, []).append(server)
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
        instances=fold(
            [
                Instance(clip(message), severity, pieces(remediation, commands), shown.chips(names))
                for (severity, message, remediation, commands), names in ordered
            ]
        ),
    )


def controls(servers: t.Sequence[Server]) -> t.Iterator[ControlRow]:
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
            elif any(finding.id in ids and finding.waiver is not None for finding in server.findings):
                results["waived"] += 1
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
            results["waived"],
            results["passed"],
        )
