# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the results of ``mysql_ssl_status`` to servers of a report."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import WrongShape, clean, decode
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._rds import parse_endpoint
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import (
    CHECKED,
    NOT_CHECKED,
    UNREACHABLE,
    Endpoint,
    Server,
    problem_of,
)

_NEVER = "It was not checked: the play ended for it before that."
_SKIPPED = "It was not checked: the task was skipped."
_NO_RESULT = "What is registered for it is not a result of mysql_ssl_status"


@dataclass(frozen=True)
class Place:
    """Where a server is, as far as the inventory says it."""

    cluster: str | None = None
    region: str | None = None
    aws_account: str | None = None
    groups: tuple[str, ...] = ()


def servers_of(host: str, result: t.Any, checked_at: str, place: Place | None = None) -> list[Server]:
    """The servers that one inventory host has checked: itself, or the endpoints of a sweep.

    :arg result: The registered result in plain types, None where there is none.
    :arg checked_at: When, ISO 8601.
    :arg place: Where the host's server is; the endpoints of a sweep are elsewhere.
    """
    if result is None:
        servers = [_not_checked(host, _NEVER)]
    elif not isinstance(result, t.Mapping):
        servers = [_not_checked(host, _NO_RESULT + ".")]
    elif result.get("endpoints") is not None:
        return _servers_of_sweep(host, result["endpoints"], checked_at)
    elif result.get("skipped"):
        servers = [_not_checked(host, _SKIPPED)]
    else:
        servers = [server_of(host, host, result, checked_at)]
    said = {name: value for name, value in vars(place).items() if value} if place else {}
    return [replace(server, **said) for server in servers]


def has_failed(result: t.Mapping[str, t.Any]) -> bool:
    """Whether a check has failed. One that has seen the server does not fail its own task in the role."""
    return bool(result.get("failed")) or bool(result.get("msg") and result.get("mysql_ssl"))


def summaries_of(host: str, result: t.Any) -> t.Iterator[tuple[str, t.Any]]:
    """What was found as text: by name the lines of a summary, or why there is none. Nothing for what has no result.

    :arg result: The registered result in plain types, None where there is none.
    """
    if not isinstance(result, t.Mapping):
        return
    entries = result.get("endpoints")
    for entry in entries if isinstance(entries, list) else [result]:
        if not isinstance(entry, t.Mapping):
            continue
        status = entry.get("mysql_ssl")
        lines = status.get("summary") if isinstance(status, t.Mapping) else entry.get("msg")
        if lines:
            yield (host if entry is result else f"{entry.get('host')}:{entry.get('port')}"), lines


def _servers_of_sweep(host: str, entries: t.Any, checked_at: str) -> list[Server]:
    if not isinstance(entries, list):
        return [_not_checked(host, _NO_RESULT + ".")]
    servers = []
    for entry in entries:
        if not isinstance(entry, t.Mapping) or not isinstance(entry.get("host"), str):
            servers.append(_not_checked(host, "An endpoint of what is registered for it has no host."))
            continue
        seen = server_of(f"{entry['host']}:{entry.get('port')}", host, entry, checked_at)
        if seen.state != CHECKED and isinstance(entry.get("port"), int):
            seen = replace(seen, endpoint=Endpoint(clean(entry["host"]), entry["port"]))
        servers.append(seen)
    return servers


def server_of(name: str, host: str, result: t.Mapping[str, t.Any], checked_at: str) -> Server:
    """One server from what one check returned."""
    message = clean(str(result.get("msg") or "No reason is given.")) if has_failed(result) else None
    status = result.get("mysql_ssl")
    if status is None:
        if message is None:
            return _not_checked(name, _NO_RESULT + ".", host)
        if result.get("contacted") is False:
            return _not_checked(name, message, host)
        return Server(clean(name), clean(host), UNREACHABLE, checked_at=checked_at, message=message)
    if not isinstance(status, t.Mapping):
        return _not_checked(name, _NO_RESULT + ".", host)
    try:
        known = decode(
            Server,
            {
                **status,
                "name": name,
                "inventory_hostname": host,
                "state": CHECKED,
                "checked_at": checked_at,
                "message": message,
                "warnings": [str(warning) for warning in result.get("warnings") or ()],
            },
        )
    except WrongShape as e:
        return _not_checked(name, f"{_NO_RESULT}: {e}.", host)
    problem = problem_of(known)
    if problem:
        return _not_checked(name, f"What is registered for it {problem}.", host)
    # The inventory may know better, where an endpoint is an alias.
    aws = parse_endpoint(known.endpoint.host) if known.endpoint.host else None
    return replace(known, region=aws.region) if aws else known


def _not_checked(name: str, message: str, host: str | None = None) -> Server:
    return Server(clean(name), clean(host or name), NOT_CHECKED, message=message)


def combine(servers: t.Iterable[Server]) -> tuple[Server, ...]:
    """Each server once, by name, as it is known last. The time of a report that could not check it is left out."""
    known = newest(servers)
    return tuple(
        replace(known[name], checked_at=None) if known[name].state == NOT_CHECKED else known[name]
        for name in sorted(known)
    )


def newest(servers: t.Iterable[Server]) -> dict[str, Server]:
    """Of several checks of a server the newest one, of those at the same time the run's own, then the later one.

    One that a run was not to check counts where there is nothing else.
    """

    def age(server: Server) -> tuple[bool, str, bool]:
        return was_to_check(server), server.checked_at or "", server.in_run

    found: dict[str, Server] = {}
    for server in servers:
        known = found.get(server.name)
        if known is None or age(server) >= age(known):
            found[server.name] = server
    return found


def keep_times(servers: t.Sequence[Server], known: t.Mapping[str, Server]) -> list[Server]:
    """The servers, with the time of an earlier check of the same run where nothing else is different.

    A run that reports after every batch has checked each server once.

    :arg known: The checks that the run has recorded, by name.
    """
    kept = []
    for server in servers:
        before = known.get(server.name)
        same = before is not None and _without_waivers(replace(server, checked_at=before.checked_at)) == (
            _without_waivers(before)
        )
        kept.append(replace(server, checked_at=before.checked_at) if before is not None and same else server)
    return kept


def _without_waivers(server: Server) -> Server:
    """A waiver that was applied does not count as a difference; it is applied again."""
    findings = tuple(replace(finding, waiver=None) for finding in server.findings)
    return replace(server, findings=findings, verdict=None)


def was_to_check(server: Server) -> bool:
    """Whether a run has tried to check the server. One that was refused, as for lack of a login, it was to check."""
    return server.state != NOT_CHECKED or server.message not in (_NEVER, _SKIPPED)


def with_known(
    checked: t.Sequence[Server], known: t.Sequence[Server], baselines: t.Mapping[str, Server]
) -> tuple[Server, ...]:
    """What a run has checked, with the last check of the servers that it was not to check.

    A run that has tried none, as one of the tag ``report``, was not to check any.

    :arg known: The last checks of the fleet's servers.
    :arg baselines: The last good checks by name.
    """
    last = {server.name: _with_last_good(replace(server, in_run=False), baselines) for server in known}
    if not any(map(was_to_check, checked)):
        return combine([*last.values(), *(server for server in checked if server.name not in last)])
    # Of a host that this run has checked there is nothing else, such as former endpoints of a sweep.
    hosts = {server.inventory_hostname for server in checked}
    return combine(
        [
            *(_with_last_good(server, baselines) for server in checked),
            *(server for server in last.values() if server.inventory_hostname not in hosts),
        ]
    )


def _with_last_good(server: Server, baselines: t.Mapping[str, Server]) -> Server:
    good = baselines.get(server.name)
    return server if server.state == CHECKED or good is None else replace(server, last_good_at=good.checked_at)
