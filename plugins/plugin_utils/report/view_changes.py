# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is different from an earlier report."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import labels
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import PLAINTEXT_SESSION, Change, Changes
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import clip
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.view_rows import Chips, Names, Rows, fold

_CHANGES_AT_ONCE = 10


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
    since: str
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


def changes_view(found: Changes, shown: Names) -> ChangesView:
    regressions: dict[tuple[str, str, str, str], list[str]] = {}
    for each in found.regressions:
        since = labels.moment(each.since) if each.since else ""
        regressions.setdefault((f"{each.user}@{each.host}", each.before, since, each.after), []).append(each.server)
    # What a regression is the cause of is said once.
    known = {(each.server, f"{each.user}@{each.host}") for each in found.regressions}
    worse = [each for each in found.worse if (each.server, each.subject) not in known or each.id == PLAINTEXT_SESSION]
    return ChangesView(
        since=labels.period(found.since, found.until),
        regressions=fold(
            [
                RegressionRow(clip(account), before, since, after, shown.chips(names))
                for (account, before, since, after), names in sorted(
                    regressions.items(), key=lambda item: -len(item[1])
                )
            ],
            _CHANGES_AT_ONCE,
        ),
        worse=_change_rows(worse, shown),
        first_seen=_change_rows(found.first_seen, shown),
        resolved=_change_rows(found.resolved, shown),
        added=shown.chips(found.servers_added),
        gone=shown.chips(found.servers_gone),
    )


def _change_rows(found: t.Sequence[Change], shown: Names) -> Rows[ChangeRow]:
    groups: dict[tuple[str, str, str], list[str]] = {}
    for change in found:
        groups.setdefault((change.severity, change.id, change.message), []).append(change.server)
    return fold(
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
