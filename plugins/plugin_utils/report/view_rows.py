# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the views of the page have in common: names, lists that are folded, and labelled lines."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import clip

_MOST_ROWS = 200
_ROWS_AT_ONCE = 3
_MOST_CHIPS = 100
_CHIPS_AT_ONCE = 12
_LONGEST_COMMAND = 1000

_T = t.TypeVar("_T")


@dataclass(frozen=True)
class Chips:
    """Names: the first few, those that are folded away, and how many are left out."""

    shown: tuple[str, ...]
    folded: tuple[str, ...]
    left_out: int


@dataclass(frozen=True)
class Rows(t.Generic[_T]):
    """Rows: those that are shown, those that are folded away, and how many are left out."""

    shown: tuple[_T, ...]
    folded: tuple[_T, ...]
    left_out: int


@dataclass(frozen=True)
class Fact:
    """A label, and what there is to say."""

    label: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Piece:
    """A part of what to do: to be read, or to be copied and run."""

    text: str
    command: bool


def pieces(remediation: str, commands: t.Iterable[str]) -> tuple[Piece, ...]:
    """What to do, with its commands apart."""
    found, rest = [], remediation
    for command in filter(None, commands):
        before, there, after = rest.partition(command)
        # Half of a command is none.
        if there and len(command) <= _LONGEST_COMMAND:
            found += [Piece(before, False), Piece(command, True)]
            rest = after
    found.append(Piece(rest, False))
    return tuple(Piece(clip(each.text.strip(), _LONGEST_COMMAND), each.command) for each in found if each.text.strip())


class Names:
    """Names of servers, as short as they can be: of DNS names the first label, where that tells all servers apart.

    ``suffix`` is what all of them end with.
    """

    def __init__(self, names: t.Sequence[str]) -> None:
        of_hosts = not any(_is_address(name) for name in names)
        self.suffix = _common_suffix(names) if of_hosts else ""
        self._first_labels = of_hosts and len({name.partition(".")[0] for name in names}) == len(names)

    def short(self, name: str) -> str:
        """The name as it is shown."""
        rest = name.removesuffix(self.suffix)
        return clip((rest.partition(".")[0] if self._first_labels else rest) or name, 100)

    def chips(self, names: t.Iterable[str]) -> Chips:
        """Names of servers."""
        each = [self.short(name) for name in dict.fromkeys(names)]
        return Chips(
            tuple(each[:_CHIPS_AT_ONCE]), tuple(each[_CHIPS_AT_ONCE:_MOST_CHIPS]), max(0, len(each) - _MOST_CHIPS)
        )


def _is_address(name: str) -> bool:
    """Whether it is an address, maybe with a port; an IPv6 address has no dots to cut it at."""
    return name.replace(".", "").replace(":", "").isdigit()


def _common_suffix(names: t.Sequence[str]) -> str:
    """What all of them end with: a dot and labels; empty where there is nothing, or only one name."""
    labels_of = [name.split(".") for name in names]
    if len(labels_of) < 2:
        return ""
    shortest = min(map(len, labels_of)) - 1
    same = 0
    while same < shortest and len({parts[-1 - same] for parts in labels_of}) == 1:
        same += 1
    return "." + ".".join(labels_of[0][-same:]) if same else ""


def fold(rows: t.Sequence[_T], at_once: int = _ROWS_AT_ONCE) -> Rows[_T]:
    # One more is quicker read than unfolded.
    at_once += len(rows) == at_once + 1
    return Rows(tuple(rows[:at_once]), tuple(rows[at_once:_MOST_ROWS]), max(0, len(rows) - _MOST_ROWS))
