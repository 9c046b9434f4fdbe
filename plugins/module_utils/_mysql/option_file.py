# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ``[client]`` section of a MySQL option file.

MySQL's format is close to INI, but not INI: keys without values, ``!include`` lines, escapes, comments after values.
Parsed here, since configparser puts the offending line, which may hold a password, into its error messages.
Sources: "Using Option Files", MySQL Reference Manual, and what my_print_defaults makes of quotes.
"""

from __future__ import annotations

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError

_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "r": "\r", "\\": "\\", "s": " ", '"': '"', "'": "'"}
_QUOTES = "'\""


def read_client_section(path: str) -> dict[str, str]:
    """Options of ``[client]``, by name with ``-`` for ``_``; the last one wins.

    :raises OptionError: when the file cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()
    except (OSError, UnicodeDecodeError) as e:
        reason = e.strerror if isinstance(e, OSError) else "it is not UTF-8 text"
        raise OptionError(f"config_file: {path} cannot be read: {reason}.") from e
    options: dict[str, str] = {}
    section = None
    for line in (line.strip() for line in lines):
        if not line or line[0] in "#;!":
            continue
        if line.startswith("["):
            section = line[1:].partition("]")[0].strip()
        elif section == "client":
            name, _unused, value = line.partition("=")
            options[name.strip().replace("_", "-")] = _value(value.strip())
    return options


def _value(text: str) -> str:
    text = text[: _comment(text)].rstrip()
    if len(text) > 1 and text[0] in _QUOTES and text[0] == text[-1]:
        text = text[1:-1]
    value = []
    characters = iter(text)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            value.append(_ESCAPES.get(following, "\\" + following))
        else:
            value.append(character)
    return "".join(value)


def _comment(text: str) -> int:
    """Where the comment after a value starts: at a ``#`` outside quotes. A backslash escapes only within quotes."""
    quote, escaped = "", False
    for place, character in enumerate(text):
        if character in _QUOTES and not escaped:
            quote = "" if quote == character else quote or character
        elif character == "#" and not quote:
            return place
        escaped = bool(quote) and character == "\\" and not escaped
    return len(text)
