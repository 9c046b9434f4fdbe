# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The picture of the guide "When is an account ready?": ``python -m docs.tools.readiness_picture``."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

PICTURE = Path("docs/docsite/rst/images/account_readiness.svg")

_FONT = 'font-family="system-ui, sans-serif" font-size="13"'
_LICENCE = "Copyright (c) 2026, dbtls contributors; GNU General Public License v3.0+"

_DAYS = 35
_LEFT, _DAY, _TOP, _ROW = 190, 15, 54, 62
_RIGHT = _LEFT + _DAYS * _DAY
_GREEN, _RED, _GREY, _INK, _PALE = "#1a7f37", "#cf222e", "#6e7781", "#1f2328", "#d8dee4"

# Name, what it is, days with TLS, days without, days not watched, state, colour, why.
_ROWS: tuple[tuple[str, str, Sequence[int], Sequence[int], Sequence[int], str, str, str], ...] = (
    ("app@10.%", "a pool over TLS", range(_DAYS), (), (), "ready", _GREEN, "no client without TLS"),
    ("reports@%", "a monthly job", (), (6,), (), "not_ready", _RED, "without TLS on day 7"),
    ("etl@%", "a nightly job over TLS", range(_DAYS), (), range(8, 22), "unknown", _GREY, "watched 60 % of the time"),
    ("new@%", "watched for 9 days", range(26, _DAYS), (), range(26), "unknown", _GREY, "9 of 35 days observed"),
)


def picture() -> str:
    """The SVG."""
    height = _TOP + len(_ROWS) * _ROW + 50
    width = _RIGHT + 200
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" {_FONT}>',
        f"<!-- {_LICENCE}; made by docs/tools/readiness_picture.py -->",
        "<title>Four accounts over 35 days: one ready, one not ready, two unknown</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        _text(_LEFT, 26, "35 days ago", _GREY),
        _text(_RIGHT, 26, "now", _GREY, anchor="end"),
    ]
    for number, row in enumerate(_ROWS):
        parts += _row(_TOP + number * _ROW, *row)
    legend = height - 22
    for x, colour, what in ((0, _GREEN, "seen with TLS"), (140, _RED, "seen without TLS"), (300, _PALE, "not watched")):
        parts.append(f'<rect x="{_LEFT + x}" y="{legend - 10}" width="11" height="11" fill="{colour}"/>')
        parts.append(_text(_LEFT + x + 17, legend, what, _GREY))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(
    y: int,
    name: str,
    what: str,
    encrypted: Sequence[int],
    plaintext: Sequence[int],
    unwatched: Sequence[int],
    state: str,
    colour: str,
    why: str,
) -> list[str]:
    parts = [_text(16, y + 12, name, _INK, bold=True), _text(16, y + 30, what, _GREY)]
    for day in range(_DAYS):
        fill = "#f6f8fa"
        if day in unwatched:
            fill = _PALE
        elif day in plaintext:
            fill = _RED
        elif day in encrypted:
            fill = _GREEN
        x = _LEFT + day * _DAY
        parts.append(
            f'<rect x="{x}" y="{y}" width="{_DAY - 2}" height="30" fill="{fill}" stroke="{_PALE}" stroke-width="0.5"/>'
        )
    return [*parts, _text(_RIGHT + 14, y + 12, state, colour, bold=True), _text(_RIGHT + 14, y + 30, why, _GREY)]


def _text(x: int, y: int, text: str, colour: str, *, bold: bool = False, anchor: str = "start") -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(), "utf-8")
