# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The top of the page: whether the servers meet the policy, in one sentence, and five figures."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.verdict import (
    COMPLIANT,
    NON_COMPLIANT,
    UNDECIDED,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import labels
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import (
    ACCOUNT_WITHOUT_TLS,
    NOT_CHECKED,
    PLAINTEXT_SESSION,
    UNREACHABLE,
    Report,
    Summary,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import counted

# These are said by their accounts and clients.
_SAID = (ACCOUNT_WITHOUT_TLS, PLAINTEXT_SESSION)
_MOST_CLAUSES = 3


@dataclass(frozen=True)
class Figure:
    """A number, what it is of, how it differs from the last report, and where the page has more on it.

    ``kind`` is ``bad``, ``good`` or empty; so is ``change_kind`` of ``change``, which is empty with nothing to compare.
    """

    label: str
    value: str
    note: str
    kind: str
    change: str
    change_kind: str
    href: str


@dataclass(frozen=True)
class Share:
    """How many servers have an outcome, and where in a bar of 1,000 units they stand."""

    outcome: str
    title: str
    count: int
    x: str
    width: str


@dataclass(frozen=True)
class Banner:
    """The verdict. ``kind`` is ``bad``, ``good`` or ``open``."""

    kind: str
    word: str
    sentence: str
    figures: tuple[Figure, ...]
    shares: tuple[Share, ...]
    changes: str


def banner(report: Report) -> Banner:
    """The verdict on all servers."""
    summary = report.summary
    kind, word = _verdict(summary)
    sentence = _sentence(summary)
    if report.run.interrupted:
        kind, word = ("open", "Incomplete") if kind == "good" else (kind, word)
        sentence = f"The run was interrupted, and this report is partial. {sentence}"
    return Banner(kind, word, sentence, tuple(_figures(report)), tuple(_shares(summary)), _changes_in_short(report))


def _verdict(summary: Summary) -> tuple[str, str]:
    if summary.non_compliant:
        return "bad", "Action needed"
    if not summary.servers:
        return "open", "No servers"
    return ("good", "Compliant") if summary.compliant == summary.servers else ("open", "Incomplete")


def _sentence(summary: Summary) -> str:
    """The report in one sentence or two, for those who read no other."""
    if not summary.servers:
        return "There are no servers in this report."
    unchecked = summary.unreachable + summary.not_checked
    if unchecked == summary.servers:
        if summary.servers == 1:
            return "The server could not be checked."
        return f"None of {summary.servers:,} servers could be checked."
    if summary.compliant == summary.servers:
        return (
            "The server meets the policy."
            if summary.servers == 1
            else f"All {summary.servers:,} servers meet the policy."
        ) + _waived(summary)
    if summary.non_compliant:
        first = _capital("; ".join(_clauses(summary))) + "."
    else:
        first = f"No issue was found on {counted(summary.checked, 'checked server')}."
    rest = []
    if unchecked:
        rest.append(f"{unchecked:,} of {counted(summary.servers, 'server')} not checked")
    if summary.undecided:
        rest.append(f"{summary.undecided:,} partially checked")
    return (f"{first} {_capital(', '.join(rest))}." if rest else first) + _waived(summary)


def _waived(summary: Summary) -> str:
    """That findings are left out, and for how many servers that decides."""
    if not summary.waived:
        return ""
    rest = f"; {counted(summary.compliant_with_waivers, 'server')} compliant with waivers"
    return f" {_capital(counted(summary.waived, 'finding'))} waived{rest if summary.compliant_with_waivers else ''}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _clauses(summary: Summary) -> list[str]:
    clauses = []
    if summary.exposed_accounts:
        verb = "accepts" if summary.exposed_accounts == 1 else "accept"
        clauses.append(
            f"{counted(summary.exposed_accounts, 'account')} on {counted(summary.exposed_servers, 'server')} {verb} "
            "plaintext"
        )
    if summary.plaintext_clients:
        verb = "uses" if summary.plaintext_clients == 1 else "use"
        what = "it" if summary.exposed_accounts else "plaintext"
        clauses.append(f"{counted(summary.plaintext_clients, 'client')} {verb} {what} now")
    for kind in summary.worst:
        if kind.id not in _SAID:
            title = labels.title_of(kind.id)
            name = title if title.isupper() else title[:1].lower() + title[1:]
            clauses.append(f"{name}: {counted(kind.servers, 'server')}")
    more = len(clauses) - _MOST_CLAUSES
    return [*clauses[:_MOST_CLAUSES], *([counted(more, "more kind") + " of findings"] if more > 0 else [])]


def _figures(report: Report) -> t.Iterator[Figure]:
    now, before = report.summary, report.changes.before if report.changes else None

    def change(name: str, good: int) -> tuple[str, str]:
        """The difference, and what it means; ``good`` is 1 where more is better, -1 where less is."""
        if before is None:
            return "", ""
        difference = int(getattr(now, name)) - int(getattr(before, name))
        if not difference:
            return "no change", ""
        sign = "+" if difference > 0 else "\N{MINUS SIGN}"
        return f"{sign}{abs(difference):,}", "good" if difference * good > 0 else "bad"

    yield Figure(
        "Servers non-compliant",
        f"{now.non_compliant:,}",
        f"of {now.servers:,}",
        "bad" if now.non_compliant else "good" if now.compliant == now.servers and now.servers else "",
        *change("non_compliant", -1),
        href="#state=non_compliant",
    )
    yield Figure(
        "Accounts accepting plaintext",
        f"{now.exposed_accounts:,}",
        f"of {now.accounts:,}",
        "bad" if now.exposed_accounts else "",
        *change("exposed_accounts", -1),
        href=f"#finding={ACCOUNT_WITHOUT_TLS}",
    )
    yield Figure(
        "Clients in plaintext",
        f"{now.plaintext_clients:,}",
        "connected during the check",
        "bad" if now.plaintext_clients else "",
        *change("plaintext_clients", -1),
        href=f"#finding={PLAINTEXT_SESSION}",
    )
    yield Figure(
        "Certificates expiring",
        f"{now.certificates_expiring:,}",
        f"of {now.certificates:,}, or expired",
        "bad" if now.certificates_expiring else "",
        *change("certificates_expiring", -1),
        href="#certificates",
    )
    coverage = 100 * now.checked // now.servers if now.servers else 0
    yield Figure(
        "Coverage",
        f"{coverage} %",
        f"{now.checked:,} of {now.servers:,} checked",
        "bad" if now.checked < now.servers else "",
        *change("checked", 1),
        href="#unchecked" if now.checked < now.servers else "#servers",
    )


def _shares(summary: Summary) -> t.Iterator[Share]:
    left = 0.0
    for name in (NON_COMPLIANT, UNREACHABLE, NOT_CHECKED, UNDECIDED, COMPLIANT):
        count = int(getattr(summary, name))
        if count:
            width = 1000 * count / summary.servers
            yield Share(name, labels.OUTCOMES[name], count, f"{left:.1f}", f"{width:.1f}")
            left += width


def _changes_in_short(report: Report) -> str:
    found = report.changes
    if found is None:
        return ""
    parts = []
    if found.regressions:
        parts.append(
            f"{counted(len(found.regressions), 'account')} no longer require{'s' * (len(found.regressions) == 1)} TLS"
        )
    parts += [f"{len(found.worse):,} new or worse", f"{len(found.resolved):,} resolved"]
    return f"Since {labels.period(found.since, found.until)}: {', '.join(parts)}."
