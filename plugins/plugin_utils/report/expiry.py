# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When certificates expire: by period, and where each period stands in a drawing."""

from __future__ import annotations

import calendar
import datetime as dt
import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Server

SOON_DAYS = 90

_BINS = 24
_MONTHS_OF_A_YEAR = 12
_MONTHS_PER_BIN = (1, 3, 6, 12, 24, 60)

# In units of the drawing.
_WIDTH, _HEIGHT, _BASE, _TOP = 1000, 200, 150, 40
_LEAST_SLOTS = 12
# Below this the names of two months beside each other would touch.
_LEAST_WIDTH_OF_A_LABEL = 40


@dataclass(frozen=True)
class Period:
    """A period, and the servers whose certificate expires in it. ``kind`` is ``expired``, ``soon`` or ``later``.

    ``month`` is its first one, in months since year 0, None for what has expired and what comes after all others.
    """

    label: str
    kind: str
    servers: tuple[Server, ...]
    month: int | None = None


@dataclass(frozen=True)
class Bar:
    """A bar of the drawing, with its count above it."""

    x: str
    y: str
    width: str
    height: str
    middle: str
    count_y: str
    count: int
    kind: str
    label: str


@dataclass(frozen=True)
class Tick:
    """A line across the axis, at the beginning of a period, and the texts in the middle of it, which may be empty."""

    x: str
    middle: str
    label: str
    year: str


@dataclass(frozen=True)
class Timeline:
    """The drawing. ``today`` is where the line is that says so."""

    width: int
    height: int
    base: int
    top: int
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    months: tuple[str, ...]
    today: str
    description: str


def periods(servers: t.Sequence[Server], made_at: str) -> list[Period]:
    """Certificates by when they expire: what has expired, periods from now on, and what comes after those.

    The periods are as short as they can be for nearly all certificates to fit into them.

    :arg made_at: Now, ISO 8601 in UTC.
    """
    now = _month(made_at)
    soon = (_parsed(made_at) + dt.timedelta(days=SOON_DAYS)).strftime("%Y-%m-%dT%H:%M:%SZ")
    expired: list[Server] = []
    ahead: list[tuple[int, Server]] = []
    for server in servers:
        if server.certificate is None:
            continue
        if server.certificate.not_after <= made_at:
            expired.append(server)
        else:
            ahead.append((_month(server.certificate.not_after) - now, server))
    size = _size([months for months, _server in ahead])
    last = max((min(months // size, _BINS) for months, _server in ahead), default=-1)
    found = [Period("expired", "expired", tuple(expired))]
    for number in range(last + 1):
        if number == _BINS:
            rest = tuple(server for months, server in ahead if months // size >= _BINS)
            found.append(Period("later", "later", rest))
            break
        inside = tuple(server for months, server in ahead if months // size == number)
        near = any(server.certificate is not None and server.certificate.not_after <= soon for server in inside)
        first = now + number * size
        found.append(Period(_label(first, size), "soon" if near else "later", inside, first))
    return found


def _parsed(moment: str) -> dt.datetime:
    return dt.datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)


def _month(moment: str) -> int:
    """Months since year 0."""
    return int(moment[:4]) * 12 + int(moment[5:7]) - 1


def _size(months: list[int]) -> int:
    nearly_all = sorted(months)[: max(1, len(months) * 19 // 20)]
    reach = nearly_all[-1] if nearly_all else 0
    return next((size for size in _MONTHS_PER_BIN if reach // size < _BINS), _MONTHS_PER_BIN[-1])


def _label(first: int, size: int) -> str:
    def name(month: int) -> str:
        return f"{month // 12}-{month % 12 + 1:02}"

    return name(first) if size == 1 else f"{name(first)} to {name(first + size - 1)}"


def timeline(found: t.Sequence[Period], made_at: str) -> Timeline:
    """The drawing of these periods."""
    shown = [period for period in found if period.servers or period.kind != "expired"]
    most = max((len(period.servers) for period in shown), default=1) or 1
    step = _WIDTH / max(len(shown), _LEAST_SLOTS)
    months = [period.month for period in shown if period.month is not None]
    size = months[1] - months[0] if len(months) > 1 else 1
    first = next((number for number, period in enumerate(shown) if period.month is not None), len(shown))
    return Timeline(
        _WIDTH,
        _HEIGHT,
        _BASE,
        _TOP,
        tuple(_bar(period, number * step, step, most) for number, period in enumerate(shown) if period.servers),
        tuple(_ticks(shown, step, size)),
        tuple(_months(shown, step, size)),
        f"{step * (first + _elapsed(made_at, size)):.1f}",
        "; ".join(f"{period.label}: {len(period.servers)}" for period in shown if period.servers) + ".",
    )


def _elapsed(made_at: str, size: int) -> float:
    """How much of the period that today is in has passed; it begins with this month."""
    year, month, day = int(made_at[:4]), int(made_at[5:7]), int(made_at[8:10])
    return (day - 1) / calendar.monthrange(year, month)[1] / size


def _bar(period: Period, left: float, step: float, most: int) -> Bar:
    count = len(period.servers)
    height = max(4.0, (_BASE - _TOP - 20) * count / most)
    return Bar(
        x=f"{left + step * 0.14:.1f}",
        y=f"{_BASE - height:.1f}",
        width=f"{step * 0.72:.1f}",
        height=f"{height:.1f}",
        middle=f"{left + step / 2:.1f}",
        count_y=f"{_BASE - height - 6:.1f}",
        count=count,
        kind=period.kind,
        label="{}: {} {}".format(period.label, count, "certificate" if count == 1 else "certificates"),
    )


def _months(shown: t.Sequence[Period], step: float, size: int) -> t.Iterator[str]:
    """Where months begin within longer periods."""
    if size >= _MONTHS_OF_A_YEAR:
        return
    for number, period in enumerate(shown):
        if period.month is not None:
            for month in range(1, size):
                yield f"{step * (number + month / size):.1f}"


def _ticks(shown: t.Sequence[Period], step: float, size: int) -> t.Iterator[Tick]:
    year: int | None = None
    every = 1 if step >= _LEAST_WIDTH_OF_A_LABEL else 3
    for number, period in enumerate(shown):
        label, new_year = "", ""
        if period.month is None:
            label = period.label
        else:
            if size < _MONTHS_OF_A_YEAR and (number - 1) % every == 0:
                label = calendar.month_abbr[period.month % 12 + 1]
            if period.month // 12 != year:
                year = period.month // 12
                new_year = str(year)
        yield Tick(f"{number * step:.1f}", f"{(number + 0.5) * step:.1f}", label, new_year)
