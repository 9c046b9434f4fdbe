# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``plan.html``: the plan as a person reads it before it is approved, in the style of the report."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.readiness import READY
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Requirement
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan.document import PlanDocument
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan.servers import (
    CHANGE,
    NOT_CHECKED,
    READ_ONLY,
    REFUSED,
    UNCHANGED,
    Server,
    totals,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.labels import moment
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.render import render
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import clip, counted
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.view_rows import Fact, Names


@dataclass(frozen=True)
class Row:
    """One server: its names, what would change in lines, and what else there is to say."""

    name: str
    aliases: str
    changes: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """Servers of one outcome."""

    anchor: str
    title: str
    about: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Page:
    """Everything that the template prints. ``suffix`` is what all names end with."""

    title: str
    suffix: str
    made_at: str
    moment: str
    sentence: str
    facts: tuple[Fact, ...]
    parts: tuple[Part, ...]
    batches: tuple[Row, ...]
    footer: str


_PARTS = (
    (CHANGE, "Would change", "Exactly these accounts are changed when the plan is applied."),
    (REFUSED, "Refused", "Nothing is changed on these servers. What they lack is said for each."),
    (
        READ_ONLY,
        "Read-only",
        "Changes come to these servers from their source. They are checked again after it was changed.",
    ),
    (NOT_CHECKED, "Not checked", "Nothing is known about these servers, and nothing is changed on them."),
    (UNCHANGED, "Unchanged", "Everything is as wanted already."),
)


def to_html(document: PlanDocument, sha256: str) -> str:
    """The text of the file."""
    return render("plan.html.j2", page=page(document, sha256))


def page(document: PlanDocument, sha256: str) -> Page:
    """The plan in rows."""
    author = document.author
    facts = [
        Fact("Made by", (f"{author.user or 'unknown'} on {author.host or 'unknown'}",)),
        Fact("Made at", (document.made_at,)),
        Fact("Inventory", tuple(map(clip, document.inventory)) or ("unknown",)),
        Fact("Limit", (clip(document.limit) if document.limit else "none: all hosts of the play",)),
        Fact("Plan", (f"SHA-256 {sha256}",)),
    ]
    readiness = totals(document.servers).of_accounts()
    if readiness:
        facts.append(Fact("Accounts", (readiness,)))
    if document.warnings:
        facts.insert(0, Fact("Warning", document.warnings))
    if author.job:
        facts.insert(1, Fact("AWX job", (author.job,)))
    # What is approved is named in full but for what all names end with.
    suffix = Names([server.name for server in document.servers]).suffix
    parts = []
    for outcome, title, about in _PARTS:
        rows = tuple(_row(server, suffix) for server in document.servers if server.outcome == outcome)
        if rows:
            parts.append(Part(outcome.replace("_", "-"), f"{title}: {counted(len(rows), 'server')}", about, rows))
    batches = tuple(
        Row(f"Batch {number}", "", (), (", ".join(name.removesuffix(suffix) for name in batch),))
        for number, batch in enumerate(document.batches, start=1)
    )
    return Page(
        title="MySQL TLS plan",
        suffix=suffix,
        made_at=document.made_at,
        moment=moment(document.made_at),
        sentence=totals(document.servers).sentence(),
        facts=tuple(facts),
        parts=tuple(parts),
        batches=batches,
        footer=(
            f"dbtls.rds_mysql {document.collection_version}, ansible-core {document.ansible_core_version}. The "
            "playbook enforce takes plan.json; this page is for people."
        ),
    )


def _row(server: Server, suffix: str) -> Row:
    lines = tuple(changes(server)) if server.outcome != UNCHANGED else ()
    notes = tuple(filter(None, (server.reason, *server.warnings, *_not_ready(server))))
    return Row(server.name.removesuffix(suffix), ", ".join(server.aliases), lines, notes)


def _not_ready(server: Server) -> t.Iterator[str]:
    """Accounts that would change and are not ready, and why. Those that are left out are in a warning."""
    for one in server.readiness:
        if one["state"] != READY and one["account"] not in server.left_out:
            yield f"{one['account']} is {one['state'].replace('_', ' ')}: {one['reason']}"


def changes(server: Server) -> t.Iterator[str]:
    """What would change, in lines such as ``app@%: NONE -> ANY``."""
    switch = server.plan and server.plan["require_secure_transport"]
    if switch:
        values = ("ON" if switch[when]["value"] else "OFF" for when in ("before", "after"))
        yield "require_secure_transport: {} -> {}".format(*values)
    for account in server.accounts:
        before, after = (Requirement(**account[when]).describe() for when in ("before", "after"))
        yield f"{account['user']}@{account['host']}: {before} -> {after}"
