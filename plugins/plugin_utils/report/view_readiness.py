# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which accounts TLS can be required for, and whose logins are refused since it was."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.judge import Readiness
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import labels
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Report
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import clip, counted
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.view_rows import Chips, Names, Rows, fold

_ROWS_AT_ONCE = 10
_WORDS = {"ready": ("ready", "good"), "not_ready": ("not ready", "bad"), "unknown": ("unknown", "open")}


@dataclass(frozen=True)
class ReadinessRow:
    """An account on some servers, for one reason."""

    account: str
    state: str
    kind: str
    reason: str
    last_plaintext: str
    servers: Chips


@dataclass(frozen=True)
class RefusedRow:
    """A changed account whose logins are refused."""

    account: str
    since: str
    logins: str
    clients: str
    servers: Chips


@dataclass(frozen=True)
class ReadinessView:
    """Both, and the first in a sentence."""

    sentence: str
    accounts: Rows[ReadinessRow]
    refused: Rows[RefusedRow]


def readiness_view(report: Report, shown: Names) -> ReadinessView | None:
    """None where nobody has watched."""
    counts = report.summary.readiness
    if report.readiness is None or counts is None:
        return None
    groups: dict[tuple[str, str, str, str], list[Readiness]] = {}
    for each in report.readiness:
        groups.setdefault((each.account, each.state, each.reason, each.last_plaintext or ""), []).append(each)
    rows = [
        ReadinessRow(
            clip(account),
            *_WORDS[state],
            clip(reason),
            labels.moment(last) if last else "never",
            shown.chips(each.server for each in group),
        )
        for (account, state, reason, last), group in groups.items()
    ]
    refused = [
        RefusedRow(
            clip(each.account),
            labels.moment(each.since),
            f"{each.logins:,}",
            clip(
                ", ".join(f"{client.logins:,} from {client.host}" for client in each.clients)
                + (" (of any user)" if each.of_any_user and each.clients else "")
            ),
            shown.chips([each.server]),
        )
        for each in report.refused_logins
    ]
    sentence = f"{counted(counts.ready, 'account')} ready, {counts.not_ready:,} not ready, {counts.unknown:,} unknown."
    return ReadinessView(sentence, fold(rows, _ROWS_AT_ONCE), fold(refused, _ROWS_AT_ONCE))
