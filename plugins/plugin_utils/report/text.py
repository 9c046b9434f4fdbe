# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What servers say, made safe to be read by people: in a page, a spreadsheet, a terminal."""

from __future__ import annotations

import typing as t

# Characters that would not be shown, would move a terminal's cursor, or change the order in which others are shown
# ("Trojan Source", https://trojansource.codes).
_UNSEEN: dict[int, int] = {code: 0x2400 + code for code in range(0x20)}
_UNSEEN[0x7F] = 0x2421
_UNSEEN.update(
    dict.fromkeys(
        [
            *range(0x80, 0xA0),
            0x061C,
            *range(0x200B, 0x2010),
            *range(0x2028, 0x202F),
            *range(0x2060, 0x2070),
            0xFEFF,
            *range(0xFFF9, 0xFFFC),
            *range(0xE0000, 0xE0080),
        ],
        0xFFFD,
    )
)


def visible(text: str) -> str:
    """The text with everything in it to be seen: control and bidirectional characters become symbols."""
    # Nearly all texts are printable ASCII, and this is asked for each of tens of thousands of them.
    return text if text.isascii() and text.isprintable() else text.translate(_UNSEEN)


def all_visible(value: t.Any) -> t.Any:
    """The same for every text in plain data."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, t.Mapping):
        return {all_visible(key): all_visible(item) for key, item in value.items()}
    return [all_visible(item) for item in value] if isinstance(value, (list, tuple)) else value


def clip(text: str, limit: int = 300) -> str:
    """The text, or its beginning where a server has sent pages of it."""
    return text if len(text) <= limit else text[:limit] + "\N{HORIZONTAL ELLIPSIS}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Such as ``1 server`` and ``2,000 servers``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
