# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server goes by at a login, compared with its tables: they differ until somebody flushes privileges."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    Account,
    AccountsNotReadable,
    AccountState,
    NotInMemory,
    has_in_memory,
    read_accounts,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session


@dataclass(frozen=True)
class MemoryCheck:
    """The comparison.

    ``weaker`` are accounts whose requirement the server does not go by, ``dropped`` are in its memory and in no table.
    ``obstacle`` says why not everything could be compared, and ``remedy`` what to do about it.
    """

    weaker: tuple[AccountState, ...] = ()
    dropped: tuple[Account, ...] = ()
    obstacle: str | None = None
    remedy: str = ""


def compare_with_memory(session: Session, dialect: Dialect, known: t.Sequence[AccountState]) -> MemoryCheck:
    """Compare every account that its table says has a requirement, and search for accounts that have no row any more.

    Takes half of the time that is left at most: one statement for each account is many on a slow network.

    :raises QueryFailed: when the session is lost.
    """
    until = session.options.deadline.within(session.options.deadline.left / 2)
    claimed = [state for state in known if state.requirement.level and not state.is_role]
    weaker = []
    obstacle, remedy = None, ""
    for number, state in enumerate(claimed):
        if until.left <= 0:
            obstacle = f"Only {number} of {len(claimed)} accounts that require TLS could be compared with what"
            obstacle += " the server has in memory, in half of the time there was"
            remedy = "Set timeout to more seconds."
            break
        try:
            if not has_in_memory(session, dialect, state.account, state.requirement):
                weaker.append(state)
        except NotInMemory:
            continue  # nobody can log in with it
        except AccountsNotReadable as e:
            obstacle, remedy = e.message.rstrip("."), ""
            break
    if weaker:
        # Somebody may have changed them for good between the two reads.
        now = {state.account: state for state in read_accounts(session, dialect, [state.account for state in weaker])}
        weaker = [
            state for state in weaker if state.account in now and now[state.account].requirement == state.requirement
        ]
    return MemoryCheck(tuple(weaker), _dropped(session, dialect, known), obstacle, remedy)


def _dropped(session: Session, dialect: Dialect, known: t.Sequence[AccountState]) -> tuple[Account, ...]:
    """Accounts that information_schema.USER_PRIVILEGES has, which servers make of their memory, and no table."""
    try:
        rows = session.query("SELECT DISTINCT GRANTEE FROM information_schema.USER_PRIVILEGES")
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return ()
    tables = {(state.account.user, state.account.host.lower()) for state in known}
    found = []
    for (grantee,) in rows:
        # As 'user'@'host', and nothing is escaped.
        user, separator, host = str(grantee)[1:-1].rpartition("'@'")
        if separator and host and (user, host.lower()) not in tables:
            found.append(Account(user, host))
    if not found:
        return ()
    created_meanwhile = {state.account for state in read_accounts(session, dialect, found)}
    return tuple(sorted(account for account in found if account not in created_meanwhile))
