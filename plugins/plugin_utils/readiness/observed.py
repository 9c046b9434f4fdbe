# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was seen of one server's clients on one day (UTC): sightings, and logins that the server has counted.

A pass is one check, the value ``mysql_ssl_sessions`` of ``mysql_ssl_status``. ``add_pass`` adds one to the
day; nothing here reads a clock or a file.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601

MINUTES_OF_DAY = 24 * 60
ENCRYPTED = "SSL/TLS"
# What clients say about themselves may be another text each time. Beyond so many sightings it is left out, so that the
# rest are as many as there are users and client hosts.
MOST_DESCRIBED = 500
# Somebody who guesses passwords all day is in each pass; what he fills is bounded.
MOST_REFUSED = 2000


class Who(t.NamedTuple):
    """Sessions that have this in common are one sighting. ``transport`` is None where it is not known."""

    user: str
    host: str
    transport: str | None
    driver: str = ""
    program: str = ""

    @property
    def plaintext(self) -> bool:
        """Whether it would be refused once its account requires TLS; over a Unix socket it is refused as well."""
        return self.transport not in (None, ENCRYPTED)


@dataclass(frozen=True)
class Seen:
    """When a sighting was made first and last, in how many passes, and how many sessions had begun in between."""

    first: str
    last: str
    times: int = 1
    sessions: int = 0


@dataclass(frozen=True)
class Logins:
    """Logins that the server has counted between passes. ``plaintext`` is None where it does not count those.

    ``last_plaintext`` is the time of the pass that first knew of the last one.
    """

    logins: int = 0
    plaintext: int | None = None
    refused: int | None = None
    last_plaintext: str | None = None


class Refused(t.NamedTuple):
    """Refused logins that a pass was the first to know of. ``user`` and ``host`` as of a counter."""

    at: str
    user: str | None
    host: str | None
    logins: int


def same_count(one: str, other: str) -> bool:
    """Whether logins of two users may be counted together: MariaDB counts ``App`` and ``app`` as one."""
    return one.casefold() == other.casefold()


Name = tuple[str | None, str | None]
"""User and client host of a counter; None for all of them."""


@dataclass(frozen=True)
class Reading:
    """The server's counters at the last pass, to tell the next one what is new.

    ``server`` tells the server from others. ``counting_since`` is the number of the newest session that may have logged
    in before the server counted, and ``plaintext_until`` by user that of the newest one that may be among those without
    TLS that were counted.
    """

    connection_id: int
    login: str
    client: str
    counters: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]] | None]
    counting_since: int | None = None
    server: str = ""
    plaintext_until: t.Mapping[str, int] = field(default_factory=dict)

    def unproven(self, user: str) -> int:
        """The number of the newest session of this user that, by what was counted, may not use TLS."""
        until = [number for name, number in self.plaintext_until.items() if same_count(name, user)]
        return max(self.counting_since or 0, *until, 0)


@dataclass
class ServerDay:
    """One server on one day.

    ``sampled`` and ``counted`` have a bit for each minute with a pass that saw how every session is connected, or that
    had the server's count of logins without TLS. ``changes`` are the accounts for which TLS was required, and when.
    """

    endpoint: str
    sampled: int = 0
    counted: int = 0
    sightings: dict[Who, Seen] = field(default_factory=dict)
    logins: dict[Name, Logins] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    changes: dict[str, str] = field(default_factory=dict)
    last: Reading | None = None
    last_pass: str | None = None


def add_pass(day: ServerDay, before: Reading | None, seen: t.Mapping[str, t.Any], at: dt.datetime) -> None:
    """Add what a pass saw.

    :arg before: The counters at the pass before, of that day or an earlier one.
    """
    now = iso8601(at)
    elsewhere = before is not None and before.server != seen["server"]["id"]
    if elsewhere:
        before = None  # the address leads to another server by now
    counters = seen["counters"]
    users = counters["users"]
    restarted = before is None or seen["connection_id"] <= before.connection_id
    deltas = {kind: _since(before, seen, kind, counted or ()) for kind, counted in counters.items()}
    reading = _reading(None if restarted else before, before, seen, deltas["users"])
    # Nobody has seen what the clients of this one did since it was checked last, as behind a load balancer.
    minute = 0 if elsewhere else 1 << (at.hour * 60 + at.minute)
    if seen["source"] == "performance_schema.threads":
        day.sampled |= minute
    if users is not None:
        day.counted |= minute
    for client in seen["clients"]:
        numbers = client["connection_ids"]
        if client["transport"] is None and users is not None:
            # How the others are connected was counted when they logged in.
            numbers = [number for number in numbers if number <= reading.unproven(client["user"])]
        if not numbers:
            continue
        new = 0 if before is None else len(numbers) if restarted else sum(n > before.connection_id for n in numbers)
        _see(day, Who(*(client[name] for name in Who._fields)), now, new)
    _see(day, Who(seen["login"], seen["client"], seen["transport"]), now, 1)
    for found in deltas.values():
        for name, delta in found.items():
            _count(day, name, delta, now)
    day.last = reading
    day.last_pass = now


def _reading(
    running: Reading | None,
    before: Reading | None,
    seen: t.Mapping[str, t.Any],
    deltas: t.Mapping[Name, tuple[int, int | None, int | None]],
) -> Reading:
    """What the next pass compares with.

    :arg running: The pass before, where the server has not been restarted since.
    :arg deltas: Logins of users since then.
    """
    counters, number = seen["counters"], int(seen["connection_id"])
    since = None if counters["users"] is None else _counting_since(before, seen)
    until = dict(running.plaintext_until) if running else {}
    until.update((str(user), number) for (user, _host), (_logins, plaintext, _refused) in deltas.items() if plaintext)
    return Reading(number, seen["login"], seen["client"], counters, since, seen["server"]["id"], until)


def _see(day: ServerDay, who: Who, now: str, sessions: int) -> None:
    if who not in day.sightings and len(day.sightings) >= MOST_DESCRIBED:
        who = who._replace(driver="", program="")
    known = day.sightings.get(who)
    if known is None:
        day.sightings[who] = Seen(now, now, 1, sessions)
    else:
        again = known.last != now
        day.sightings[who] = replace(known, last=now, times=known.times + again, sessions=known.sessions + sessions)


def _counting_since(before: Reading | None, seen: t.Mapping[str, t.Any]) -> int:
    """The number of the newest session that may have logged in before the server counted."""
    if before is None or before.counters.get("users") is None:
        return int(seen["connection_id"])
    if seen["connection_id"] <= before.connection_id:
        return 0 if seen["counted_since_start"] else int(seen["connection_id"])
    if _began_again(before, seen, "users"):
        return int(seen["connection_id"])
    return int(seen["connection_id"] if before.counting_since is None else before.counting_since)


_NOTHING: t.Mapping[str, t.Any] = {"logins": 0, "tls": 0, "refused": 0}


def _since(
    before: Reading | None, seen: t.Mapping[str, t.Any], kind: str, counted: t.Sequence[t.Mapping[str, t.Any]]
) -> dict[Name, tuple[int, int | None, int | None]]:
    """Logins, those without TLS and refused ones since the pass before; nothing without one to compare with."""
    earlier = None if before is None else before.counters.get(kind)
    if before is None or earlier is None:
        return {}
    was = {} if _began_again(before, seen, kind) else {(one["user"], one["host"]): one for one in earlier}
    found = {}
    for one in counted:
        name = (one["user"], one["host"])
        old = was.get(name, _NOTHING)
        if one["logins"] < old["logins"]:
            old = _NOTHING  # This row alone began again.
        logins = _more(one["logins"], old["logins"]) or 0
        refused = _more(one["refused"], old["refused"])
        plaintext = None
        if one["tls"] is not None:
            plaintext = _more(one["logins"] - one["tls"], old["logins"] - (old["tls"] or 0))
        elif refused is not None:
            logins -= refused  # MySQL counts these as logins too.
        if logins or plaintext or refused:
            found[name] = (max(0, logins), plaintext, refused)
    return found


def _began_again(before: Reading, seen: t.Mapping[str, t.Any], kind: str) -> bool:
    """Whether the server was restarted, or somebody has flushed the counters.

    Each pass is a login that is counted: its own count has not grown then.
    """
    own: Name = {
        "users": (seen["login"], None),
        "hosts": (None, seen["client"]),
        "accounts": (seen["login"], seen["client"]),
    }[kind]
    was, mine = (
        next((int(one["logins"]) for one in counted or () if (one["user"], one["host"]) == own), None)
        for counted in (before.counters.get(kind), seen["counters"][kind])
    )
    return before.login == seen["login"] and was is not None and (mine or 0) <= was


def _more(now: int | None, before: int | None) -> int | None:
    return None if now is None else max(0, now - (before or 0))


def _count(day: ServerDay, name: Name, delta: tuple[int, int | None, int | None], now: str) -> None:
    known = day.logins.get(name, Logins())
    logins, plaintext, refused = delta
    day.logins[name] = Logins(
        logins=known.logins + logins,
        plaintext=_sum(known.plaintext, plaintext),
        refused=_sum(known.refused, refused),
        last_plaintext=now if plaintext else known.last_plaintext,
    )
    if refused and len(day.refused) < MOST_REFUSED:
        day.refused.append(Refused(now, *name, refused))


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other
