# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan for many servers: what would change on each, what a guard refuses, what could not be checked."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.printable import has_template, printable, texts
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.readiness import NOT_READY, STATES
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import without_templates
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import counted

CHANGE, UNCHANGED, REFUSED, READ_ONLY, NOT_CHECKED = "change", "unchanged", "refused", "read_only", "not_checked"
OUTCOMES = (CHANGE, UNCHANGED, REFUSED, READ_ONLY, NOT_CHECKED)

_SHOWN = ("account", "state", "reason")

Exact = dict[str, t.Any]


@dataclass(frozen=True)
class Server:
    """One server, by the first of its names in the inventory; ``aliases`` are the others.

    ``plan`` is what the option of that name of mysql_require_ssl takes, None where it is not known. ``reason`` says why
    a server is refused, skipped or not checked. ``readiness`` has account, state and reason of the accounts that would
    change, where somebody watches; ``left_out`` are accounts that do not change, as they are not ready; ``statements``
    is what would be run, for people. ``members`` are the hosts of its cluster, by their names in the inventory.
    """

    name: str
    outcome: str
    plan: Exact | None = None
    reason: str | None = None
    aliases: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    readiness: tuple[dict[str, str], ...] = ()
    left_out: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    members: tuple[str, ...] = ()

    @property
    def accounts(self) -> list[dict[str, t.Any]]:
        """The accounts that would change."""
        return list(self.plan["accounts"]) if self.plan else []

    @property
    def switches(self) -> bool:
        """Whether the server-wide switch would change."""
        return bool(self.plan and self.plan["require_secure_transport"])


@dataclass(frozen=True)
class Totals:
    """How many servers there are of each outcome, how many accounts would change, and how many are not ready for it.

    ``readiness``: how many of these accounts are ready, not ready, and unknown; None where nobody watches.
    """

    servers: int
    change: int
    accounts: int
    unchanged: int
    refused: int
    read_only: int
    not_checked: int
    left_out: int = 0
    readiness: dict[str, int] | None = None

    def sentence(self) -> str:
        """Such as ``12 accounts on 8 servers would change, 1 refused, 2 not checked``."""
        told = [f"{counted(self.accounts, 'account')} on {counted(self.change, 'server')} would change"]
        if self.left_out:
            told.append(f"{counted(self.left_out, 'account')} left out as not ready")
        others = ((self.refused, "refused"), (self.read_only, "read-only"), (self.not_checked, "not checked"))
        told += [f"{count:,} {what}" for count, what in (*others, (self.unchanged, "unchanged")) if count]
        return ", ".join(told)

    def of_accounts(self) -> str:
        """How many of the accounts are ready, as a sentence; empty where nobody watches."""
        if self.readiness is None:
            return ""
        ready, not_ready, unknown = (self.readiness[state] for state in STATES)
        return f"Readiness: {counted(ready, 'account')} ready for TLS, {not_ready:,} not ready, {unknown:,} unknown."


def servers_of(results: t.Mapping[str, t.Mapping[str, t.Any]], *, in_document: bool = True) -> tuple[Server, ...]:
    """The servers, each once, in the order of the hosts.

    :arg results: By host what mysql_require_ssl has returned in check mode, and its option ``readiness``.
    :arg in_document: Whether a document has to hold the plan. A roll-out without one changes accounts of any name.
    """
    found: dict[t.Any, Server] = {}
    for host, result in results.items():
        server = _server(host, result, in_document)
        identity = (result.get("plan") or {}).get("identity")
        # What could not be read is no other name of anything.
        key = tuple(sorted(identity.items())) if identity else host
        found[key] = _with_alias(found[key], server) if key in found else server
    return tuple(found.values())


def totals(servers: t.Sequence[Server]) -> Totals:
    """Count them."""
    count = {outcome: sum(server.outcome == outcome for server in servers) for outcome in OUTCOMES}
    accounts = sum(len(server.accounts) for server in servers if server.outcome == CHANGE)
    states = [one["state"] for server in servers for one in server.readiness]
    return Totals(
        servers=len(servers),
        accounts=accounts,
        **count,
        left_out=sum(len(server.left_out) for server in servers),
        readiness={state: states.count(state) for state in STATES} if states else None,
    )


def was_read(result: t.Mapping[str, t.Any]) -> bool:
    """Whether mysql_require_ssl has read the server's accounts before it failed."""
    return result.get("plan") is not None or result.get("accounts") is not None


def _server(host: str, result: t.Mapping[str, t.Any], in_document: bool) -> Server:
    server = _outcome(host, result, in_document)
    left = [each for each in result.get("left_out") or () if each["reason"] == NOT_READY]
    names = [f"{each['user']}@{each['host']}" for each in (*server.accounts, *left)]
    judged = {one["account"]: one for one in result.get("readiness") or ()}
    return replace(
        server,
        readiness=tuple({key: _safe(judged[name][key]) for key in _SHOWN} for name in names if name in judged),
        left_out=tuple(_safe(name) for name in names[len(server.accounts) :]),
        statements=tuple(map(_safe, result.get("statements") or ())),
        members=tuple(result.get("members") or ()),
    )


def _outcome(host: str, result: t.Mapping[str, t.Any], in_document: bool) -> Server:
    message = _safe(str(result.get("msg") or "No reason is given."))
    plan = result.get("plan")
    warnings = tuple(_safe(str(warning)) for warning in result.get("warnings") or ())
    unsafe = unsafe_text(plan)
    if unsafe is not None and in_document:
        reason = (
            f"A plan cannot hold {_safe(unsafe)}, as it has control characters, or could be taken for a template. "
            "Leave that account out with mysql_tls_exclude."
        )
        return Server(host, REFUSED, None, reason, warnings=warnings)
    if result.get("failed"):
        return Server(host, REFUSED if was_read(result) else NOT_CHECKED, plan, message, warnings=warnings)
    if result.get("skipped_reason"):
        return Server(host, READ_ONLY, plan if unsafe is None else None, message)
    if plan is None:
        return Server(host, NOT_CHECKED, None, "It was not checked.")
    changes = bool(plan["accounts"] or plan["require_secure_transport"])
    return Server(host, CHANGE if changes else UNCHANGED, plan, warnings=warnings)


def _with_alias(server: Server, other: Server) -> Server:
    """The server with another name of it."""
    both = replace(server, aliases=(*server.aliases, other.name))
    if CHANGE in (server.outcome, other.outcome) and _what(server) != _what(other):
        reason = f"{server.name} and {other.name} are one server, and different changes are wanted of them."
        return replace(both, outcome=REFUSED, reason=reason)
    return both


def _what(server: Server) -> t.Any:
    return None if server.plan is None else (server.plan["accounts"], server.plan["require_secure_transport"])


def _safe(text: str) -> str:
    return str(without_templates(printable(text)))


def unsafe_text(value: t.Any) -> str | None:
    """The first text that could be taken for a template, or does not stay what it is when it is printed."""
    for text in texts(value):
        if has_template(text) or printable(text) != text:
            return text
    return None
