# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page as plain rows of texts and numbers, in the order in which its template prints them.

What is counted, grouped, sorted, shortened and left out is decided here and in the other views; the templates know tags
only.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import DECISIVE_FROM, SEVERITIES
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import banner, labels
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Report, Run
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import clip, counted
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.view_certificates import (
    Certificates,
    certificates_view,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.view_changes import ChangesView, changes_view
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.view_findings import (
    Action,
    ControlRow,
    FindingKindRow,
    WaivedRow,
    actions,
    controls,
    finding_kind_rows,
    waived_rows,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.view_readiness import (
    ReadinessView,
    readiness_view,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.view_rows import Fact, Names, Rows
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.view_servers import (
    Reason,
    Servers,
    servers_view,
    unchecked,
)


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
    waived: Rows[WaivedRow]
    changes: ChangesView | None
    readiness: ReadinessView | None
    certificates: Certificates | None
    controls: tuple[ControlRow, ...]
    footer: str


def page(report: Report, json_sha256: str) -> Page:
    """The report as its page shows it.

    :arg json_sha256: The SHA-256 of ``report.json``.
    """
    shown = Names([server.name for server in report.servers])
    kinds = finding_kind_rows(report.servers, shown)
    return Page(
        title=clip(report.title),
        made_at=report.run.made_at,
        moment=labels.moment(report.run.made_at),
        banner=banner.banner(report),
        evidence=tuple(_evidence(report, json_sha256)),
        evidence_line=_evidence_line(report.run),
        actions=tuple(actions(report.summary, report.servers)),
        servers=servers_view(report.servers, shown),
        unchecked=tuple(unchecked(report.servers, shown)),
        findings=kinds[0],
        notes=kinds[1],
        waived=waived_rows(report.servers, shown),
        changes=changes_view(report.changes, shown) if report.changes else None,
        readiness=readiness_view(report, shown),
        certificates=certificates_view(report.servers, report.run.made_at, shown),
        controls=tuple(controls(report.servers)) if report.servers else (),
        footer=_footer(report.run),
    )


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
    yield Fact("Covered", (_covered(report),))
    if run.merged:
        yield Fact("Merged", (counted(run.merged, "other report"),))
    if run.user or run.host:
        by = f"{run.user or 'unknown'} on {run.host or 'unknown'}"
        yield Fact("Run by", (clip(by), *((f"AWX job {run.job}",) if run.job else ())))
    yield Fact("Run", (f"{run.id}, {run.made_at}",))
    yield Fact("Policy", tuple(_policy(report)))
    components = [f"{each.name} {each.version}" for each in run.components]
    own = [f"dbtls.rds_mysql {run.collection_version}", f"ansible-core {run.ansible_core_version}"]
    yield Fact("Versions", (clip(", ".join(own + components)),))
    if run.ca_bundles:
        bundles = tuple(clip(f"{each.path}: SHA-256 {each.sha256 or 'not readable'}") for each in run.ca_bundles)
        yield Fact("CA bundles", bundles)
    yield Fact("Access", ("read-only: the checks read status and privilege tables and changed nothing on any server",))
    yield Fact("report.json", (f"SHA-256 {json_sha256}", "also in report.sha256, for sha256sum --check"))


def _covered(report: Report) -> str:
    summary = report.summary
    if not summary.earlier:
        return f"{counted(summary.servers, 'server')}, all of this report"
    return (
        f"{summary.servers - summary.earlier:,} of {counted(summary.servers, 'server')}; the others are as their last "
        f"check found them, the oldest check is of {labels.moment(summary.oldest_check or report.run.made_at)}"
    )


def _policy(report: Report) -> t.Iterator[str]:
    decisive = SEVERITIES[: SEVERITIES.index(DECISIVE_FROM) + 1]
    yield f"a finding of severity {' or '.join(reversed(decisive))} makes a server non-compliant"
    if report.run.tls_min_version:
        yield f"checks connect with {report.run.tls_min_version} or newer"
    if report.summary.waived:
        yield f"{counted(report.summary.waived, 'finding')} waived, listed under Waived findings"


def _footer(run: Run) -> str:
    merged = f", with {counted(run.merged, 'other report')} merged into it" if run.merged else ""
    return f"dbtls.rds_mysql {run.collection_version}, ansible-core {run.ansible_core_version}, run {run.id}{merged}."
