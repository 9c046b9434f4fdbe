# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether TLS can be required for an account without shutting anybody out, judged by what was seen of its clients."""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.account_patterns import (
    host_admits,
    host_may_admit,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.observed import (
    MINUTES_OF_DAY,
    Logins,
    Name,
    Seen,
    ServerDay,
    Who,
    same_count,
)

READY = "ready"
NOT_READY = "not_ready"
UNKNOWN = "unknown"
STATES = (READY, NOT_READY, UNKNOWN)

KINDS = ("sampled", "counted")

# A timer is seconds late now and then.
_GRACE_MINUTES = 1
_MOST_SIGHTINGS = 20
_COUNTED = "No login without TLS was counted."


@dataclass(frozen=True)
class Rules:
    """When an account counts as observed, as the role's variables of these names say."""

    quiet_days: int = 35
    min_coverage: float = 0.9
    watch_every: int = 5
    min_seen: float = 0.05


@dataclass(frozen=True)
class Sighting:
    """A client of an account, over all days."""

    user: str
    host: str
    transport: str | None
    driver: str
    program: str
    first: str
    last: str
    times: int


@dataclass(frozen=True)
class Counted:
    """What the server had counted of a user's logins at the last pass, for a guard to compare with.

    ``since`` is the number of the newest session that may be one without TLS, ``server`` tells the server from others.
    """

    at: str
    server: str
    since: int
    logins: int
    plaintext: int


@dataclass(frozen=True)
class Readiness:
    """An account of a server: ``ready``, ``not_ready`` or ``unknown``, and why.

    ``last_plaintext`` is when a client without TLS was seen or counted last, None if never. ``sightings`` are its
    clients, those without TLS first. ``counted`` is there where it is ready by the server's own count of logins.
    """

    server: str
    account: str
    state: str
    reason: str
    last_plaintext: str | None = None
    sightings: tuple[Sighting, ...] = ()
    counted: Counted | None = None


class Observed:
    """What was seen of one server within the days that count.

    :arg days: By date, such as ``2026-11-28``; any order, other days may be among them.
    :arg now: The end of the time that counts.
    """

    def __init__(self, days: t.Iterable[tuple[str, ServerDay]], rules: Rules, now: dt.datetime) -> None:
        self.rules = rules
        self._now = now
        self._start = now - dt.timedelta(days=rules.quiet_days)
        self.since = iso8601(self._start)
        self._days = sorted((item for item in days if item[0] <= iso8601(now)[:10]), key=lambda item: item[0])
        recent = [day for date, day in self._days if date >= self.since[:10]]
        self.sightings: dict[Who, Seen] = {}
        for day in recent:
            for who, seen in day.sightings.items():
                if seen.last >= self.since:
                    known = self.sightings.get(who)
                    self.sightings[who] = seen if known is None else _both(known, seen)
        last = self._days[-1][1] if self._days else None
        self._last, self._last_pass = (last.last, last.last_pass or "") if last else (None, "")
        self.logins = [item for day in recent for item in day.logins.items()]
        # Shares of the time with a pass as often as asked for, and days since the first pass, None without any.
        self.coverage = {kind: self._coverage(kind) for kind in KINDS}
        self.observed_days = {kind: self._observed_days(kind) for kind in KINDS}

    def without_tls(self, counted: t.Iterable[tuple[Name, Logins]]) -> list[Logins]:
        """Those with logins without TLS within the time that counts."""
        return [one for _name, one in counted if one.last_plaintext and one.last_plaintext >= self.since]

    def counted(self, user: str) -> Counted | None:
        """The server's count at the last pass; None for the anonymous user, and where it does not count."""
        users = self._last.counters["users"] if self._last else None
        if self._last is None or users is None or not user:
            return None
        own = next((one for one in users if same_count(one["user"], user)), {"logins": 0, "tls": 0})
        plaintext = own["logins"] - own["tls"]
        return Counted(self._last_pass, self._last.server, self._last.unproven(user), own["logins"], plaintext)

    @property
    def counts_logins(self) -> bool:
        """Whether the server told at the last pass how many logins there were per user and client host."""
        return self._last is not None and self._last.counters.get("accounts") is not None

    def _coverage(self, kind: str) -> float:
        """A pass counts for the minutes until the next one is due, and so does not depend on when the timer fires."""
        origin = _midnight(iso8601(self._start)[:10])
        bits = 0  # one for each minute since
        for date, day in self._days:
            offset = (_midnight(date) - origin).days
            if offset >= 0:
                bits |= getattr(day, kind) << (offset * MINUTES_OF_DAY)
        for _minute in range(self.rules.watch_every + _GRACE_MINUTES - 1):
            bits |= bits << 1
        total = self.rules.quiet_days * MINUTES_OF_DAY
        within = (bits >> ((self._start - origin) // dt.timedelta(minutes=1))) & ((1 << total) - 1)
        return within.bit_count() / total

    def _observed_days(self, kind: str) -> float | None:
        for date, day in self._days:
            bits = getattr(day, kind)
            if bits:
                first = _midnight(date) + dt.timedelta(minutes=(bits & -bits).bit_length() - 1)
                return (self._now - first) / dt.timedelta(days=1)
        return None


class Judged(t.NamedTuple):
    """An account, and those (``user@host``) that act as it by GRANT PROXY, for whom its requirement counts."""

    user: str
    host: str
    acting_as: t.Sequence[str] = ()

    @property
    def all(self) -> list[tuple[str, str]]:
        """User and host of each."""
        return [(self.user, self.host), *((u, h) for u, _at, h in (name.rpartition("@") for name in self.acting_as))]


def judge(server: str, account: Judged, observed: Observed) -> Readiness:
    """Whether the account is ready."""
    user, host, acting_as = account
    clients = {who: seen for who, seen in observed.sightings.items() if _uses(account, who)}
    counted = [(name, one) for name, one in observed.logins if any(may_be(*each, *name) for each in account.all)]
    sightings = tuple(
        Sighting(*who, seen.first, seen.last, seen.times)
        for who, seen in sorted(clients.items(), key=lambda item: item[1].last, reverse=True)
    )
    sightings = tuple(sorted(sightings, key=lambda one: one.transport == "SSL/TLS"))[:_MOST_SIGHTINGS]
    times = [seen.last for who, seen in clients.items() if who.plaintext]
    times += [one.last_plaintext for one in observed.without_tls(counted) if one.last_plaintext]
    state, reason = _state(user, clients, counted, observed)
    by_count = observed.counted(user) if reason == _COUNTED and not acting_as else None
    return Readiness(server, f"{user}@{host}", state, reason, max(times, default=None), sightings, by_count)


def readiness_of(
    server: str,
    accounts: t.Iterable[Judged],
    days: t.Iterable[tuple[str, ServerDay]],
    rules: Rules,
    now: dt.datetime,
) -> list[Readiness]:
    """Whether accounts of a server are ready."""
    observed = Observed(days, rules, now)
    return [judge(server, account, observed) for account in accounts]


def _uses(account: Judged, who: Who) -> bool:
    return any(
        may_be(user, host, who.user, who.host)
        and (who.transport != "Socket" or host_admits(host, who.host))  # which no name server has named
        for user, host in account.all
    )


def _state(
    user: str, clients: t.Mapping[Who, Seen], counted: t.Sequence[tuple[Name, Logins]], observed: Observed
) -> tuple[str, str]:
    plaintext = {who: seen for who, seen in clients.items() if who.plaintext}
    if plaintext:
        return NOT_READY, _who(plaintext)
    without = observed.without_tls(counted)
    if without:
        logins, last = sum(one.plaintext or 0 for one in without), max(one.last_plaintext or "" for one in without)
        return NOT_READY, (
            f"The server counted {_many(logins, 'login')} of {user or 'an anonymous user'} without TLS, the last one "
            f"before {last}."
        )
    obstacle = ""
    if observed.observed_days["counted"] is not None:
        obstacle = _too_little(observed, "counted")
        unknown = sorted({f"{who.user} from {who.host}" for who in clients if who.transport is None})
        if not obstacle and not unknown:
            return READY, _COUNTED
        obstacle = obstacle or (
            f"{', '.join(unknown)} has connected before the server counted logins, or when it still counted some of "
            "that user without TLS. Reconnect it."
        )
    if observed.observed_days["sampled"] is None:
        return UNKNOWN, obstacle or _blind(observed)
    obstacle = _too_little(observed, "sampled")
    if obstacle:
        return UNKNOWN, obstacle
    return _sampled(clients, counted, observed)


def _sampled(
    clients: t.Mapping[Who, Seen], counted: t.Sequence[tuple[Name, Logins]], observed: Observed
) -> tuple[str, str]:
    """No client without TLS in enough passes. Short connections end between two of them."""
    # Per user and client host. Each pass is such a login itself, so there are some wherever they are told.
    by_account = [(name, one) for name, one in observed.logins if None not in name]
    if not by_account or not observed.counts_logins:
        return UNKNOWN, (
            "The server does not count how many logins there were, so short connections may have been missed. "
            "Grant the login SELECT on performance_schema. Where Performance_schema_accounts_lost is not 0, increase "
            "performance_schema_accounts_size."
        )
    logins = sum(one.logins for name, one in counted if None not in name)
    if not logins:
        return READY, "No client without TLS was seen, and no login between the checks was missed."
    sessions = sum(seen.sessions for seen in clients.values())
    share = min(1.0, sessions / logins)
    told = f"{share:.2%} of its {_many(logins, 'login')}"
    if share < observed.rules.min_seen:
        return UNKNOWN, (
            f"Its connections are too short: the checks saw {told}, less than mysql_tls_min_seen "
            f"({observed.rules.min_seen:g})."
        )
    return READY, f"No client without TLS was seen; the checks saw {told}."


def _too_little(observed: Observed, kind: str) -> str:
    """Why it was not observed for long enough; empty when it was."""
    rules = observed.rules
    days = observed.observed_days[kind] or 0.0
    late = (rules.watch_every + _GRACE_MINUTES) / MINUTES_OF_DAY
    if days + late < rules.quiet_days:
        return f"Observed for {days:.1f} of {rules.quiet_days} days (mysql_tls_quiet_days)."
    coverage = observed.coverage[kind]
    if coverage < rules.min_coverage:
        return (
            f"Checked in {coverage:.0%} of the time, less than mysql_tls_min_coverage ({rules.min_coverage:g}) with a "
            f"check every {rules.watch_every} minutes (mysql_tls_watch_every)."
        )
    return ""


def _blind(observed: Observed) -> str:
    if not observed.sightings:
        return "Not observed. Run the playbook watch every few minutes."
    return (
        "The server does not expose session TLS status, nor count logins with and without TLS. Switch on "
        "performance_schema, or userstat on MariaDB."
    )


def _who(plaintext: t.Mapping[Who, Seen]) -> str:
    """The last client without TLS, and how many others there are."""
    who, seen = max(plaintext.items(), key=lambda item: item[1].last)
    how = "over the Unix socket" if who.transport == "Socket" else f"from {who.host}"
    with_what = ", ".join(part for part in (who.program, who.driver) if part)
    others = len({(one.user, one.host) for one in plaintext}) - 1
    more = f" {_many(others, 'other client')} without TLS." if others else ""
    return (
        f"{who.user} {how} was connected without TLS{f' with {with_what}' if with_what else ''}, last seen "
        f"{seen.last}.{more}"
    )


def may_be(user: str, host: str, client_user: str | None, client_host: str | None) -> bool:
    """Whether a client, or logins that were counted, may be this account's: servers do not show which one it was."""
    if client_user is None:
        return False
    if client_host is None:
        return not user or same_count(user, client_user)
    return user in ("", client_user) and host_may_admit(host, client_host)


def _both(one: Seen, other: Seen) -> Seen:
    return Seen(
        min(one.first, other.first), max(one.last, other.last), one.times + other.times, one.sessions + other.sessions
    )


def _midnight(date: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{date}T00:00:00+00:00")


def _many(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
