# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts are servers of one cluster, so that their clients are checked together before any of them is changed.

Only a host that a server itself names as a member is one, and the module checks that again when it connects to it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import Deadline
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.cluster import SERVER_IDS
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.name_lookup import look_up

Endpoint = tuple[str, int]
Result = t.Mapping[str, t.Any]

_LOOK_UP_SECONDS = 5
_PORT = 3306


def wanted(results: t.Mapping[str, Result]) -> bool:
    """Whether a server knows members that are none of these hosts."""
    keys = {key for result in results.values() for key in _keys(result)}
    return any(member not in keys for result in results.values() for member in _members(result))


def members_of(results: t.Mapping[str, Result], endpoints: t.Mapping[str, Endpoint]) -> dict[str, list[str]]:
    """By host the others that have the accounts of its server, replicas of its replicas included.

    :arg results: By host what mysql_require_ssl has returned in check mode.
    :arg endpoints: By host where its server is.
    """
    by_key: dict[str, list[str]] = {}
    for host, result in results.items():
        for key in _keys(result):
            by_key.setdefault(key, []).append(host)

    def direct(host: str) -> list[str]:
        return [
            other
            for key in _members(results[host])
            for other in by_key.get(key, ())
            if other != host and (not key.startswith(SERVER_IDS) or _follows(results[other], endpoints[host]))
        ]

    found = {}
    for host in results:
        seen, left = {host}, [host]
        while left:
            others = [other for other in dict.fromkeys(direct(left.pop())) if other not in seen]
            seen.update(others)
            left += others
        if len(seen) > 1:
            found[host] = [other for other in results if other in seen and other != host]
    return found


def endpoint_of(options: Result) -> Endpoint | None:
    """Where the options of a module lead to."""
    host, port = options.get("login_host"), str(options.get("login_port") or _PORT)
    # Of another port than a number its own check says so.
    return (str(host), int(port)) if host and port.isdecimal() else None


def option(given: t.Any, endpoints: t.Iterable[Endpoint]) -> list[str]:
    """The option members: what somebody has given, which may be a text as a survey has it, and these."""
    own = given.split(",") if isinstance(given, str) else list(given or ())
    return own + [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in endpoints]


def _keys(result: Result) -> list[str]:
    return list((result.get("cluster") or {}).get("identifiers", ()))


def _members(result: Result) -> list[str]:
    return list((result.get("cluster") or {}).get("members", ()))


def _follows(result: Result, source: Endpoint) -> bool:
    """Whether this replica names that endpoint as its source; clusters made by one recipe have the same numbers."""
    host, _colon, port = str((result.get("server") or {}).get("replica_of") or "").rpartition(":")
    if not host or port != str(source[1]):
        return False
    return host == source[0] or bool(_addresses(host) & _addresses(source[0]))


def _addresses(host: str) -> set[str]:
    try:
        return {address[0] for _family, address in look_up(host, 0, Deadline(_LOOK_UP_SECONDS))}
    except OSError:
        return set()
