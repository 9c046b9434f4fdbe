# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is different from an earlier check of each server: resolved, worse, and accounts that no longer require TLS."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import (
    BY_ID,
    SEVERITIES,
    Evidence,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import (
    ACCOUNT_WITHOUT_TLS,
    CHECKED,
    Change,
    Changes,
    Finding,
    Regression,
    Server,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.summary import summarize

_Key = tuple[str, str]


@dataclass(frozen=True)
class _Found:
    """The changes of one server."""

    resolved: list[Change]
    worse: list[Change]
    first_seen: list[Change]


def compare(baselines: t.Mapping[str, Server], servers: t.Sequence[Server], gone: t.Iterable[str] = ()) -> Changes:
    """What is different from what was known of each server before, servers by name, the most severe change first.

    :arg baselines: The servers as they were known before, by name.
    :arg servers: As they are now. Those that this run was not to check are not compared.
    :arg gone: Names of servers that are in no report any more.
    """
    found = _Found([], [], [])
    regressions: list[Regression] = []
    added, before = [], []
    for now in sorted(servers, key=lambda server: server.name):
        earlier = baselines.get(now.name)
        before += [earlier] if earlier and now.in_run else [] if now.in_run else [now]
        if earlier is None:
            added += [now.name] if now.in_run else []
        elif now.in_run:
            _compare_states(earlier, now, found)
            _compare_findings(earlier, now, found)
            regressions += _regressions(earlier, now)
    compared = {server.name for server in servers if server.in_run}
    times = [each.checked_at for name, each in baselines.items() if each.checked_at and name in compared]
    return Changes(
        since=min(times, default=None),
        until=max(times, default=None),
        before=summarize(before),
        resolved=_sorted(found.resolved),
        worse=_sorted(found.worse),
        first_seen=_sorted(found.first_seen),
        regressions=tuple(regressions),
        servers_added=tuple(added),
        servers_gone=tuple(sorted(gone)),
    )


def _sorted(changes: list[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: (SEVERITIES.index(change.severity), change.server, change.id)))


# What a login without a privilege does not see, and what it says then.
_HIDDEN_BY = {
    BY_ID["privileges-not-flushed"].id: BY_ID["memory-not-visible"].id,
    BY_ID["tls-ends-before-server"].id: BY_ID["proxies-not-visible"].id,
}


def could_show(server: Server, finding: str) -> bool:
    """Whether the check of this server went far enough to show findings of that id."""
    if server.state != CHECKED:
        return False
    if any(each.id == _HIDDEN_BY.get(finding) for each in server.findings):
        return False
    kind = BY_ID.get(finding)
    return kind is None or has_seen(server, kind.requires)


def has_seen(server: Server, evidence: Evidence) -> bool:
    certificate, tls = server.certificate, server.tls
    if evidence == "certificate_trust":
        return certificate is not None and certificate.trusted is not None
    if evidence == "secure_transport":
        return tls is not None and tls.require_secure_transport is not None
    seen: dict[Evidence, t.Any] = {
        "tls": tls,
        "certificate": certificate,
        "accounts": server.accounts,
        "sessions": server.sessions,
        "login": server.session,
        "rds_api": server.rds_api,
    }
    return seen[evidence] is not None


def with_first_seen(servers: t.Sequence[Server], *earlier: t.Mapping[str, Server]) -> list[Server]:
    """The servers, with the time since when each of their findings has been in the checks.

    :arg earlier: Servers by name that may have had it before, those that count most first.
    """
    dated = []
    for server in servers:
        known: dict[_Key, Finding] = {}
        for before in reversed(earlier):
            if server.name in before:
                known.update(_by_matter(before[server.name]))
        findings = tuple(_with_first_seen(finding, known.get(_matter(finding)), server) for finding in server.findings)
        dated.append(replace(server, findings=findings))
    return dated


def _with_first_seen(finding: Finding, before: Finding | None, server: Server) -> Finding:
    return replace(finding, first_seen=(before and before.first_seen) or finding.first_seen or server.checked_at)


def _compare_states(before: Server, now: Server, found: _Found) -> None:
    if before.state == now.state:
        return
    if now.state == CHECKED:
        found.resolved.append(Change(now.name, "server", "high", now.name, "It could be checked again."))
    elif before.state == CHECKED:
        found.worse.append(Change(now.name, "server", "high", now.name, f"It could not be checked: {now.message}"))


def _compare_findings(before: Server, now: Server, found: _Found) -> None:
    earlier, present = _by_matter(before), _by_matter(now)
    for key in sorted(earlier.keys() | present.keys()):
        old, new = earlier.get(key), present.get(key)
        if new is not None and _rank(new) > _rank(old):
            change = Change(now.name, new.id, new.severity, new.subject, new.message)
            (found.worse if old is not None or could_show(before, new.id) else found.first_seen).append(change)
        elif old is not None and _rank(new) < _rank(old) and (new is not None or could_show(now, old.id)):
            if new is None:
                message = f"No longer found: {old.message}"
            elif new.waiver is not None:
                message = f"Waived by {new.waiver.owner} until {new.waiver.expires}: {new.message}"
            else:
                message = f"{new.severity} now: {new.message}"
            found.resolved.append(Change(now.name, old.id, old.severity, old.subject, message))


def _by_matter(server: Server) -> dict[_Key, Finding]:
    """Findings by what they are about; of two about the same the more severe one, which comes first."""
    matters: dict[_Key, Finding] = {}
    for finding in server.findings:
        matters.setdefault(_matter(finding), finding)
    return matters


def _matter(finding: Finding) -> _Key:
    kind = BY_ID.get(finding.id)
    return kind.matter if kind else finding.id, finding.subject


def _rank(finding: Finding | None) -> int:
    """How bad it is; what is for information only or waived is as good as nothing."""
    return (
        0 if finding is None or finding.waiver is not None else len(SEVERITIES) - 1 - SEVERITIES.index(finding.severity)
    )


def _regressions(before: Server, now: Server) -> t.Iterator[Regression]:
    severities = {finding.subject: finding.severity for finding in now.findings if finding.id == ACCOUNT_WITHOUT_TLS}
    required = {account.name: account for account in before.accounts or () if account.ssl_type != "NONE"}
    for account in now.accounts or ():
        then = required.get(account.name)
        if then is not None and account.ssl_type == "NONE" and not account.is_role:
            severity = severities.get(account.name, "low")
            yield Regression(
                now.name, account.user, account.host, then.ssl_type, account.ssl_type, before.checked_at, severity
            )
