# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What servers say, safe to print to a terminal, and whether Ansible would take it for a template.

Error texts, account names and names in certificates are chosen by others. A terminal takes control characters in them
for commands: clear the screen, set the clipboard, move the cursor to a line that was printed before.
"""

from __future__ import annotations

import re
import typing as t

# C0, DEL and C1 (ECMA-48), the bidirectional controls (Unicode Standard Annex #9), the two separators that end a line,
# and surrogates, which stand for bytes that are not UTF-8 and would be printed as those bytes.
_CONTROLS = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_UNPRINTABLE = re.compile(f"[{_CONTROLS}]")
_UNPRINTABLE_IN_LINES = re.compile(f"(?!\n)[{_CONTROLS}]")
_TEMPLATE_MARKS = ("{{", "{%", "{#")
# Printed as a whole only where a task has failed. A record with another name in it would be one of another account.
_EXACT = "rollback_record"


def printable(text: str) -> str:
    r"""The text with each control character as its escape sequence, such as ``\x1b`` or ``\u202e``."""
    # Nearly all texts are printable ASCII.
    return text if text.isascii() and text.isprintable() else _UNPRINTABLE.sub(_escape, text)


def _escape(found: t.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def printable_values(value: t.Any) -> t.Any:
    """The same for every text in plain data, names of values included."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, t.Mapping):
        return {printable_values(name): printable_values(item) for name, item in value.items()}
    return [printable_values(item) for item in value] if isinstance(value, (list, tuple)) else value


def texts(value: t.Any) -> t.Iterator[str]:
    """Every text in plain data, names of values included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, t.Mapping):
        for name, item in value.items():
            yield from texts(name)
            yield from texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from texts(item)


def has_template(value: t.Any) -> bool:
    """Whether Ansible would take a text in plain data for a template."""
    return any(mark in text for text in texts(value) for mark in _TEMPLATE_MARKS)


def printable_result(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """A task's result as Ansible may print it.

    ``msg``, ``warnings`` and ``diff`` are printed, and are escaped. All else keeps its value, unless the task has
    failed: then Ansible prints all of it, as JSON, in which it escapes no more than C0. A rollback record that would
    have to be escaped is left out there. It is in the rollback file.
    """
    if result.get("failed"):
        record = result.get(_EXACT)
        escaped = {name: printable_values(value) for name, value in result.items() if name != "diff"}
        if escaped.get(_EXACT) != record:
            escaped[_EXACT] = None
    else:
        escaped = dict(result)
        escaped.update({name: printable_values(result[name]) for name in ("msg", "warnings") if name in result})
    if "diff" in result:
        escaped["diff"] = _printable_diff(result["diff"])
    return escaped


def _printable_diff(diff: t.Any) -> t.Any:
    """A diff is of lines. A name with a line's end in it is escaped where the line is made."""
    if isinstance(diff, str):
        return _UNPRINTABLE_IN_LINES.sub(_escape, diff)
    if isinstance(diff, t.Mapping):
        return {name: _printable_diff(item) for name, item in diff.items()}
    return [_printable_diff(item) for item in diff] if isinstance(diff, (list, tuple)) else diff
