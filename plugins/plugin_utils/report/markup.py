# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTML in which text stays text. All of it passes through here, and nothing becomes markup but what is built here."""

from __future__ import annotations

import html
import typing as t

_VOID = frozenset({"br", "col", "input", "meta"})

# Characters that a browser would not show, or that change the order in which it shows others ("Trojan Source").
_UNSEEN = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"}
_UNSEEN[0x7F] = 0x2421
_UNSEEN.update(
    dict.fromkeys(
        [*range(0x80, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF],
        0xFFFD,
    )
)


class Markup:
    """HTML that was built here."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


Child: t.TypeAlias = "Markup | str | int | t.Iterable[Child] | None"


def visible(text: str) -> str:
    """The text with everything in it to be seen."""
    return text.translate(_UNSEEN)


def clip(text: str, limit: int = 300) -> str:
    """The text, or its beginning where a server has sent pages of it."""
    return text if len(text) <= limit else text[:limit] + "\N{HORIZONTAL ELLIPSIS}"


def element(tag: str, /, *children: Child, **attributes: str | int | bool | None) -> Markup:
    """An element with these children, text among them, and attributes.

    Attribute names are written without a trailing underscore, and with hyphens for other ones. True stands for an
    attribute without a value, and None and False for none at all.
    """
    parts = ["<", tag]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        parts += (" ", key.rstrip("_").replace("_", "-"))
        if value is not True:
            parts += ('="', html.escape(visible(str(value))), '"')
    parts.append(">")
    if tag not in _VOID:
        _append(parts, children)
        parts += ("</", tag, ">")
    return Markup("".join(parts))


def _append(parts: list[str], child: Child) -> None:
    if isinstance(child, Markup):
        parts.append(child.text)
    elif isinstance(child, str):
        parts.append(html.escape(visible(child), quote=False))
    elif isinstance(child, int):
        parts.append(f"{child:,}")
    elif child is not None:
        for item in child:
            _append(parts, item)


def source(name: str, text: str) -> Markup:
    """A ``style`` or ``script`` element with source text of our own, which is not escaped."""
    if "</" in text or "<!--" in text:
        raise ValueError(f"{name}: its text would end it")
    return Markup(f"<{name}>{text}</{name}>")
