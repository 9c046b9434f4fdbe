# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When certificates expire, drawn as SVG and said as a table."""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.markup import Markup, element
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Server

_BINS = 24
_MONTHS_PER_BIN = (1, 3, 6, 12, 24, 60)
_SOON_DAYS = 90

# In units of the drawing.
_WIDTH, _HEIGHT, _BASE, _TOP = 1000, 190, 150, 24


@dataclass(frozen=True)
class Period:
    """A period, and the servers whose certificate expires in it. ``kind`` is ``expired``, ``soon`` or ``later``."""

    label: str
    kind: str
    servers: tuple[Server, ...]
    year: int | None = None


def periods(servers: t.Sequence[Server], made_at: str) -> list[Period]:
    """Certificates by when they expire: what has expired, periods from now on, and what comes after those.

    The periods are as short as they can be for nearly all certificates to fit into them.

    :arg made_at: Now, ISO 8601 in UTC.
    """
    now = _month(made_at)
    today = made_at
    soon = iso8601(_parsed(made_at) + dt.timedelta(days=_SOON_DAYS))
    expired: list[Server] = []
    ahead: list[tuple[int, Server]] = []
    for server in servers:
        if server.certificate is None:
            continue
        if server.certificate.not_after <= today:
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
        found.append(Period(_label(first, size), "soon" if near else "later", inside, year=first // 12))
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


def drawing(found: t.Sequence[Period]) -> Markup:
    """The periods as bars; the same is in the table below it."""
    most = max(len(period.servers) for period in found)
    step = _WIDTH / max(len(found), 12)
    bars: list[Markup] = []
    year: int | None = None
    for number, period in enumerate(found):
        left = number * step
        bars += _bar(period, left, step, most)
        mark = period.label if period.year is None else str(period.year) if period.year != year else None
        if mark:
            middle = f"{left + step / 2:.1f}"
            bars.append(element("text", mark, x=middle, y=_BASE + 20, class_="axis", text_anchor="middle"))
        year = period.year
    return element(
        "svg",
        element("title", "When certificates expire", id="timeline-title"),
        element("desc", _description(found), id="timeline-description"),
        element("line", x1=0, x2=_WIDTH, y1=_BASE, y2=_BASE, class_="axis"),
        bars,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_labelledby="timeline-title timeline-description",
        class_="timeline",
    )


def _bar(period: Period, left: float, step: float, most: int) -> list[Markup]:
    count = len(period.servers)
    if not count:
        return []
    height = max(4.0, (_BASE - _TOP) * count / most)
    middle = f"{left + step / 2:.1f}"
    label = "{}: {} {}".format(period.label, count, "certificate" if count == 1 else "certificates")
    return [
        element(
            "rect",
            element("title", label),
            x=f"{left + step * 0.14:.1f}",
            y=f"{_BASE - height:.1f}",
            width=f"{step * 0.72:.1f}",
            height=f"{height:.1f}",
            rx=2,
            class_=f"bar {period.kind}",
        ),
        element("text", count, x=middle, y=f"{_BASE - height - 6:.1f}", text_anchor="middle", class_="count"),
    ]


def _description(found: t.Sequence[Period]) -> str:
    return "; ".join(f"{period.label}: {len(period.servers)}" for period in found if period.servers) + "."
