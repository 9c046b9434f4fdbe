# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is different between two reports: better, worse, and accounts that have slipped back."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import (
    LOOKED_AT,
    SEVERITIES,
    Change,
    Changes,
    Drift,
    Finding,
    Report,
    Server,
)

# These are one matter at two stages.
_SAME_MATTER = {"certificate-expired": "certificate-expiring"}
_OF_ACCOUNTS = ("account-without-tls", "anonymous-account")
_OF_SESSIONS = ("plaintext-session",)
_OF_CERTIFICATES = (
    "certificate-untrusted",
    "certificate-hostname-mismatch",
    "certificate-expired",
    "certificate-expiring",
    "rds-ca-retired",
)
_FROM_INSIDE = ("transport-not-required",)

_Key = tuple[str, str]


@dataclass(frozen=True)
class _Found:
    """The changes of one server."""

    better: list[Change]
    worse: list[Change]
    first_seen: list[Change]


def compare(earlier: Report, servers: t.Sequence[Server]) -> Changes:
    """What is different from the earlier report, servers by name, the most severe change of each first."""
    before = {server.name: server for server in earlier.servers}
    now = {server.name: server for server in servers}
    found = _Found([], [], [])
    drift: list[Drift] = []
    for name in sorted(before.keys() & now.keys()):
        _compare_states(before[name], now[name], found)
        _compare_findings(before[name], now[name], found)
        drift += _drift(before[name], now[name])
    return Changes(
        since=earlier.run.made_at,
        since_run=earlier.run.id,
        better=_sorted(found.better),
        worse=_sorted(found.worse),
        first_seen=_sorted(found.first_seen),
        drift=tuple(drift),
        servers_added=tuple(sorted(now.keys() - before.keys())),
        servers_gone=tuple(sorted(before.keys() - now.keys())),
    )


def _sorted(changes: list[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: (SEVERITIES.index(change.severity), change.server, change.id)))


def could_show(server: Server, finding: str) -> bool:
    """Whether the look at this server went far enough to show findings of that id."""
    if server.state != LOOKED_AT:
        return False
    if finding in _OF_ACCOUNTS:
        return server.accounts is not None
    if finding in _OF_SESSIONS:
        return server.sessions is not None
    if finding == "certificate-untrusted":
        return server.certificate is not None and server.certificate.trusted is not None
    if finding in _OF_CERTIFICATES:
        return server.certificate is not None
    if finding in _FROM_INSIDE:
        return server.tls is not None and server.tls.require_secure_transport is not None
    return True


def _compare_states(before: Server, now: Server, found: _Found) -> None:
    if before.state == now.state:
        return
    if now.state == LOOKED_AT:
        found.better.append(Change(now.name, "server", "high", now.name, "It could be looked at again."))
    elif before.state == LOOKED_AT:
        found.worse.append(Change(now.name, "server", "high", now.name, f"It could not be looked at: {now.message}"))


def _compare_findings(before: Server, now: Server, found: _Found) -> None:
    earlier, present = _by_matter(before), _by_matter(now)
    for key in sorted(earlier.keys() | present.keys()):
        old, new = earlier.get(key), present.get(key)
        if new is not None and _rank(new) > _rank(old):
            change = Change(now.name, new.id, new.severity, new.subject, new.message)
            (found.worse if old is not None or could_show(before, new.id) else found.first_seen).append(change)
        elif old is not None and _rank(new) < _rank(old) and (new is not None or could_show(now, old.id)):
            message = "No longer found: " + old.message if new is None else f"{new.severity} now: {new.message}"
            found.better.append(Change(now.name, old.id, old.severity, old.subject, message))


def _by_matter(server: Server) -> dict[_Key, Finding]:
    """Findings by what they are about; of two about the same the more severe one, which comes first."""
    matters: dict[_Key, Finding] = {}
    for finding in server.findings:
        matters.setdefault((_SAME_MATTER.get(finding.id, finding.id), finding.subject), finding)
    return matters


def _rank(finding: Finding | None) -> int:
    """How bad it is; for information only is as good as nothing."""
    return 0 if finding is None else len(SEVERITIES) - 1 - SEVERITIES.index(finding.severity)


def _drift(before: Server, now: Server) -> t.Iterator[Drift]:
    required = {account.name: account for account in before.accounts or () if account.ssl_type != "NONE"}
    for account in now.accounts or ():
        then = required.get(account.name)
        if then is not None and account.ssl_type == "NONE" and not account.is_role:
            yield Drift(now.name, account.user, account.host, then.ssl_type, account.ssl_type)
