# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the server goes by, where somebody has written to its table of accounts and not flushed privileges."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import Deadline
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    Account,
    AccountsNotReadable,
    AccountState,
    NotInMemory,
    Requirement,
    parse_requirement,
    show_account,
    shows_requirement,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

_PLAIN = (Requirement("NONE"), Requirement("ANY"), Requirement("X509"))


@dataclass(frozen=True)
class Unflushed:
    """Accounts of which the server's memory has something else than its table.

    ``requirements``: by which it goes; None where that is one that cannot be told exactly. ``absent``: not loaded at
    all. ``unread``: why some, or all, could not be compared, as a sentence.
    """

    requirements: t.Mapping[Account, Requirement | None] = field(default_factory=dict)
    absent: frozenset[Account] = frozenset()
    unread: str | None = None


def find_unflushed(
    session: Session, dialect: Dialect, states: t.Sequence[AccountState], deadline: Deadline | None = None
) -> Unflushed:
    """Compare each account's row with what the server has in memory, one statement an account.

    :arg deadline: When to stop, as a slow link may take seconds for hundreds of accounts.
    """
    found: dict[Account, Requirement | None] = {}
    absent = set()
    unread = None
    for number, state in enumerate(states):
        if deadline and deadline.left <= 0:
            unread = f"Comparing {len(states) - number} more accounts with the server's memory would take too long."
            break
        try:
            statement = show_account(session, dialect, state.account)
        except NotInMemory:
            absent.add(state.account)
            continue
        except AccountsNotReadable as e:
            unread = e.message
            break
        shown = shows_requirement(statement, state.account, state.requirement)
        if shown is None:
            unread = f"What {session.options.endpoint} shows of {state.account} could not be read."
        elif not shown:
            found[state.account] = _requirement(statement, state.account)
    return Unflushed(found, frozenset(absent), unread)


def _requirement(statement: str, account: Account) -> Requirement | None:
    """Not every server escapes what a SPECIFIED one consists of, so what was parsed has to show as it is shown."""
    for candidate in (*_PLAIN, parse_requirement(statement)):
        if shows_requirement(statement, account, candidate):
            return candidate
    return None
