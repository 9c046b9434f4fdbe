# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What rollback records and plans hold, with nothing taken on trust: each value of its type and a possible length."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, fields

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Change
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import LEVELS, Account, Requirement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import ServerIdentity
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.secure_transport import SwitchState

# Columns of mysql.user: 255 characters for a host, 128 at most for a user (MariaDB), TEXT for a requirement's parts.
_LONGEST_USER, _LONGEST_HOST, _LONGEST_PART = 128, 255, 65535


class Nonsense(ValueError):
    """What is read cannot be meant; says where."""


def describe_changes(changes: t.Iterable[Change]) -> list[dict[str, t.Any]]:
    """The form in a file, and the return value's."""
    return [
        {
            "user": change.account.user,
            "host": change.account.host,
            "before": asdict(change.before),
            "after": asdict(change.after),
        }
        for change in changes
    ]


def get_value(value: t.Any, name: str, kinds: tuple[type, ...]) -> t.Any:
    """An item of one of these types.

    :raises Nonsense: as all of these do, when it is missing or something else.
    """
    if not isinstance(value, dict) or name not in value:
        raise Nonsense(f"{name} is missing")
    found = value[name]
    if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
        raise Nonsense(f"{name} is {type(found).__name__}")
    return found


def get_mapping(value: t.Any, name: str) -> dict[str, t.Any]:
    """A dictionary."""
    found: dict[str, t.Any] = get_value(value, name, (dict,))
    return found


def get_list(value: t.Any, name: str) -> list[t.Any]:
    """A list."""
    found: list[t.Any] = get_value(value, name, (list,))
    return found


def get_text(value: t.Any, name: str, longest: int) -> str:
    """A text that a server can have sent."""
    text: str = get_value(value, name, (str,))
    if len(text) > longest or "\0" in text:
        raise Nonsense(f"{name} is too long for a server, or has a null byte")
    try:
        # As names are sent; bytes that are no UTF-8 stay what they are.
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as e:
        raise Nonsense(f"{name} is not text") from e
    return text


def get_changes(value: t.Any) -> tuple[Change, ...]:
    """The changes of the accounts, each account once."""
    changes = tuple(_change(entry) for entry in get_list(value, "accounts"))
    if len({change.account for change in changes}) != len(changes):
        raise Nonsense("an account is in a change twice")
    return changes


def _change(value: t.Any) -> Change:
    account = Account(get_text(value, "user", _LONGEST_USER), get_text(value, "host", _LONGEST_HOST))
    change = Change(account, _requirement(value, "before"), _requirement(value, "after"))
    if change.before == change.after:
        raise Nonsense(f"{account} has the same requirement before and after")
    return change


def _requirement(value: dict[str, t.Any], name: str) -> Requirement:
    found = get_mapping(value, name)
    parts = {part: get_text(found, part, _LONGEST_PART) for part in ("cipher", "issuer", "subject")}
    requirement = Requirement(get_text(found, "ssl_type", 20), **parts)
    if requirement.ssl_type not in LEVELS:
        raise Nonsense(f"{requirement.ssl_type!r} is not a requirement")
    return requirement


def get_switch_state(value: dict[str, t.Any], name: str) -> SwitchState:
    """The server-wide switch at one time."""
    found = get_mapping(value, name)
    return SwitchState(get_value(found, "value", (bool,)), get_value(found, "persisted", (bool, type(None))))


def get_identity(value: dict[str, t.Any]) -> ServerIdentity:
    """The identity of a server."""
    found = get_mapping(value, "identity")
    return ServerIdentity(*(get_text(found, part.name, _LONGEST_PART) for part in fields(ServerIdentity)))
