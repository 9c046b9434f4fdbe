# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report in lines for a terminal: less than a page, the most severe first. All of it is in the report's files."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import SEVERITIES
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.verdict import NON_COMPLIANT, UNDECIDED
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import (
    UNREACHABLE,
    Report,
    Server,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.summary import kinds_of_findings
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import clip, counted, visible

_MOST_FINDINGS = 30
_MOST_UNCHECKED = 10
_MOST_NAMES = 5
_LONGEST = 200


def problem_lines(report: Report) -> list[str]:
    """The most severe servers, a line for each kind of finding that decides; then those that did not answer."""
    bad = [(server, [finding for finding in server.findings if finding.decides]) for server in report.servers]
    lines = [
        f"{server.name}: {kind.severity}: {kind.id}: {clip(kind.example, _LONGEST)}"
        + (f" (and {kind.findings - 1:,} more)" if kind.findings > 1 else "")
        for server, _findings in sorted((one for one in bad if one[1]), key=_worst_first)
        for kind in kinds_of_findings([server])
        if any(finding.id == kind.id and finding.decides for finding in server.findings)
    ]
    return [visible(line) for line in [*_some(lines, _MOST_FINDINGS), *_some(_unchecked(report), _MOST_UNCHECKED)]]


def _worst_first(one: tuple[Server, t.Sequence[t.Any]]) -> tuple[t.Any, ...]:
    server, findings = one
    return (*(-sum(finding.severity == severity for finding in findings) for severity in SEVERITIES), server.name)


def _unchecked(report: Report) -> list[str]:
    # What could be seen without a login may be reason enough for a verdict. That there was none is said all the same.
    words = {UNDECIDED: "partially checked", NON_COMPLIANT: "check failed"}
    return grouped(
        (server.name, f"{words.get(server.verdict or '', 'unreachable')}: {server.message}")
        for server in report.servers
        if server.state == UNREACHABLE or (server.verdict in words and server.message)
    )


def grouped(said: t.Iterable[tuple[str, str]]) -> list[str]:
    """A line for each thing that is said, with the servers that say the same, the most servers first."""
    servers: dict[str, list[str]] = {}
    for name, message in said:
        servers.setdefault(message, []).append(name)
    return [
        visible(f"{servers_named(names)}: {clip(message, 2 * _LONGEST)}")
        for message, names in sorted(servers.items(), key=lambda one: (-len(one[1]), one[1][0]))
    ]


def servers_named(names: list[str]) -> str:
    """One name, or how many servers they are and the first of them."""
    rest = len(names) - _MOST_NAMES
    listed = ", ".join(names[:_MOST_NAMES]) + (f" and {rest:,} more" if rest > 0 else "")
    return listed if len(names) == 1 else f"{counted(len(names), 'server')} ({listed})"


def _some(lines: list[str], most: int) -> list[str]:
    rest = len(lines) - most
    return [*lines[:most], *([f"and {counted(rest, 'more line')} in the report"] if rest > 0 else [])]
