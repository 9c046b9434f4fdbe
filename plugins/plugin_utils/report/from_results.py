# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the results of ``mysql_ssl_status`` to servers of a report."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.dataclass_json import WrongShape, clean, decode
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import (
    COMPLIANT,
    LOOKED_AT,
    NOT_COMPLIANT,
    NOT_LOOKED_AT,
    UNDECIDED,
    UNREACHABLE,
    Endpoint,
    Server,
    problem_of,
)

_NEVER = "It was not looked at: the play ended for it before that."
_NO_RESULT = "What is registered for it is no result of mysql_ssl_status"
_BREAKS_COMPLIANCE = ("high", "medium")


def servers_of(host: str, look: t.Any, seen_at: str) -> list[Server]:
    """The servers that one inventory host has looked at: itself, or the endpoints of a sweep.

    :arg look: The registered result in plain types, None where there is none.
    :arg seen_at: When, ISO 8601.
    """
    if look is None:
        return [_not_looked_at(host, _NEVER)]
    if not isinstance(look, t.Mapping):
        return [_not_looked_at(host, _NO_RESULT + ".")]
    if look.get("endpoints") is not None:
        return _servers_of_sweep(host, look["endpoints"], seen_at)
    if look.get("skipped"):
        return [_not_looked_at(host, "It was not looked at: the task was skipped.")]
    return [server_of(host, host, look, seen_at)]


def words_of(host: str, look: t.Any) -> t.Iterator[tuple[str, t.Any]]:
    """What was found in words: by name the lines of a summary, or why there is none. Nothing of what has no result.

    :arg look: The registered result in plain types, None where there is none.
    """
    if not isinstance(look, t.Mapping):
        return
    entries = look.get("endpoints")
    for entry in entries if isinstance(entries, list) else [look]:
        if not isinstance(entry, t.Mapping):
            continue
        status = entry.get("mysql_ssl")
        words = status.get("summary") if isinstance(status, t.Mapping) else entry.get("msg")
        if words:
            yield (host if entry is look else f"{entry.get('host')}:{entry.get('port')}"), words


def _servers_of_sweep(host: str, entries: t.Any, seen_at: str) -> list[Server]:
    if not isinstance(entries, list):
        return [_not_looked_at(host, _NO_RESULT + ".")]
    servers = []
    for entry in entries:
        if not isinstance(entry, t.Mapping) or not isinstance(entry.get("host"), str):
            servers.append(_not_looked_at(host, "An endpoint of what is registered for it has no host."))
            continue
        seen = server_of(f"{entry['host']}:{entry.get('port')}", host, entry, seen_at)
        if seen.state != LOOKED_AT and isinstance(entry.get("port"), int):
            seen = replace(seen, endpoint=Endpoint(clean(entry["host"]), entry["port"]))
        servers.append(seen)
    return servers


def server_of(name: str, host: str, look: t.Mapping[str, t.Any], seen_at: str) -> Server:
    """One server from what one look returned."""
    message = clean(str(look.get("msg") or "No reason is given.")) if look.get("failed") else None
    status = look.get("mysql_ssl")
    if status is None:
        if message is None:
            return _not_looked_at(name, _NO_RESULT + ".", host)
        return Server(clean(name), clean(host), UNREACHABLE, seen_at=seen_at, message=message)
    if not isinstance(status, t.Mapping):
        return _not_looked_at(name, _NO_RESULT + ".", host)
    try:
        known = decode(
            Server,
            {
                **status,
                "name": name,
                "inventory_hostname": host,
                "state": LOOKED_AT,
                "seen_at": seen_at,
                "message": message,
                "warnings": [str(warning) for warning in look.get("warnings") or ()],
            },
        )
    except WrongShape as e:
        return _not_looked_at(name, f"{_NO_RESULT}: {e}.", host)
    problem = problem_of(known)
    if problem:
        return _not_looked_at(name, f"What is registered for it {problem}.", host)
    return replace(known, verdict=verdict(known))


def verdict(server: Server) -> str:
    """Whether a server that was looked at is compliant, as far as can be told.

    It is not when a finding of severity medium or high says so. To be compliant its accounts have to be known as well,
    or it has to require secure transport of all of them; otherwise nothing is decided.
    """
    if any(finding.severity in _BREAKS_COMPLIANCE for finding in server.findings):
        return NOT_COMPLIANT
    if server.accounts is not None or (server.tls is not None and server.tls.require_secure_transport):
        return COMPLIANT
    return UNDECIDED


def _not_looked_at(name: str, message: str, host: str | None = None) -> Server:
    return Server(clean(name), clean(host or name), NOT_LOOKED_AT, message=message)


def combine(servers: t.Iterable[Server]) -> tuple[Server, ...]:
    """Each server once, by name: of several looks at one the newest counts, the later one of two at the same time.

    Not having been looked at is no look: it counts where there is nothing else.
    """
    newest: dict[str, Server] = {}
    for server in servers:
        known = newest.get(server.name)
        if known is None or (server.seen_at or "") >= (known.seen_at or ""):
            newest[server.name] = server
    return tuple(newest[name] for name in sorted(newest))


def keep_times(servers: t.Sequence[Server], earlier: t.Sequence[Server]) -> list[Server]:
    """The servers, with the time of an earlier report of the same run where nothing else is different.

    A run that reports after every batch has looked at each server once.
    """
    known = {server.name: server for server in earlier}
    kept = []
    for server in servers:
        before = known.get(server.name)
        same = before is not None and replace(server, seen_at=before.seen_at) == before
        kept.append(before if before is not None and same else server)
    return kept
