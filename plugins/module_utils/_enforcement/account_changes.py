# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which accounts change: by what the server goes by, and not those that cannot be changed or were not meant."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import EnforcementError, Request
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Change
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.account_patterns import Selection
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    Account,
    AccountState,
    Requirement,
    current_account,
    quote_account,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.in_memory import find_unflushed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

PLUGIN_NOT_LOADED, SYSTEM_USER = "plugin_not_loaded", "system_user"


@dataclass(frozen=True)
class LeftOut:
    """An account that is not changed. ``reason``: one of the return value's; ``because``: the same for people."""

    account: Account
    reason: str
    because: str = ""

    def describe(self) -> dict[str, str]:
        """The return value's form."""
        return {"user": self.account.user, "host": self.account.host, "reason": self.reason}


def left_out_by_wildcards(known: t.Iterable[AccountState], selection: Selection) -> tuple[LeftOut, ...]:
    """Accounts that a wildcard, or everything, matches and does not stand for."""
    reasons = ((state.account, selection.why_left_out(state)) for state in known)
    return tuple(LeftOut(account, reason) for account, reason in reasons if reason)


IDLE_EXCLUSIONS = "exclude: no account of"
"""How that warning begins."""


def idle_exclusions(matches: t.Mapping[str, int], where: str) -> tuple[str, ...]:
    """The warning for patterns of accounts to leave out that match none: what they mean to leave out is changed."""
    idle = [repr(pattern) for pattern, count in matches.items() if not count]
    rest = len(idle) - _MOST_NAMED
    listed = ", ".join(idle[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
    return (f"exclude: no account of {where} matches {listed}, so nothing is left out for it.",) if idle else ()


def decide_changes(
    control: Session, dialect: Dialect, targets: t.Sequence[AccountState], request: Request
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """What changes, by the server's memory where that differs from its table; and a sentence where it was not read."""
    deadline = control.options.deadline.within(control.options.timeout)
    unflushed = find_unflushed(control, dialect, targets, deadline)
    changes = []
    for state in targets:
        table, wanted = state.requirement, request.requirement
        memory = unflushed.requirements.get(state.account) or table
        if _needs_change(memory, request):
            # Written over, and what the server went by is what a rollback restores.
            in_table = None if memory == table else table
            changes.append(Change(state.account, memory, wanted, in_table))
        elif _needs_change(table, request):
            # The next FLUSH PRIVILEGES would take off what the server goes by.
            changes.append(Change(state.account, table, memory, only_table=True))
    unread = () if not unflushed.unread else (
        "Whether every account has its requirement in the server's memory as in its table could not be seen: "
        + unflushed.unread,
    )  # fmt: skip
    return tuple(changes), unread


def _needs_change(now: Requirement, request: Request) -> bool:
    if now == request.requirement:
        return False
    if request.requirement.ssl_type == "NONE" or request.exact:
        return True
    return now.level <= request.requirement.level


# A host part that only a server that resolves names can use, and loads.
_HOST_NAME = re.compile(r"[a-z]", re.IGNORECASE)


def pending_strangers(
    control: Session, dialect: Dialect, known: t.Sequence[AccountState], changes: t.Sequence[Change]
) -> tuple[Account, ...]:
    """Accounts, other than those that change, of which FLUSH PRIVILEGES would put something in force."""
    if not changes:
        return ()
    people = [state for state in known if not state.is_role]
    unflushed = find_unflushed(control, dialect, people)
    changing = {change.account for change in changes}
    absent = {a for a in unflushed.absent if a.host.lower() == "localhost" or not _HOST_NAME.search(a.host)}
    return tuple(sorted((set(unflushed.requirements) - changing) | absent))


def changeable(
    control: Session,
    dialect: Dialect,
    changes: tuple[Change, ...],
    known: t.Sequence[AccountState],
    request: Request,
) -> tuple[tuple[Change, ...], tuple[LeftOut, ...], tuple[str, ...]]:
    """The changes that ALTER USER or GRANT can make, the accounts that cannot be changed, and a sentence about these.

    :raises EnforcementError: naming them, unless they are skipped on request.
    """
    left = _unchangeable(control, dialect, changes, known) if changes else ()
    if not left:
        return changes, (), ()
    listed = "; ".join(f"{each.account} {each.because}" for each in left[:_MOST_NAMED])
    listed += f"; and {len(left) - _MOST_NAMED} more" if len(left) > _MOST_NAMED else ""
    if request.unchangeable == "fail":
        raise EnforcementError(
            f"Accounts of {control.options.endpoint} cannot be changed: {listed}. Nothing was changed. Exclude them, "
            "or set unchangeable to skip to change the others.",
            left_out=[each.describe() for each in left],
        )
    skipped = {each.account for each in left}
    return (
        tuple(change for change in changes if change.account not in skipped),
        left,
        (f"Accounts of {control.options.endpoint} that cannot be changed were skipped: {listed}.",),
    )


_MOST_NAMED = 10


def _unchangeable(
    control: Session, dialect: Dialect, changes: t.Sequence[Change], known: t.Sequence[AccountState]
) -> tuple[LeftOut, ...]:
    if dialect.is_mariadb:
        return ()  # It changes accounts whose plugin is not loaded all the same.
    plugins = {state.account: state.plugin for state in known}
    loaded = _loaded_plugins(control)
    holders = _system_users(control, dialect)
    login = quote_account(current_account(control), dialect) if holders else ""
    found = []
    for change in changes:
        plugin = plugins.get(change.account, "")
        if plugin and loaded and plugin.lower() not in loaded:
            found.append(LeftOut(change.account, PLUGIN_NOT_LOADED, f"(its plugin {plugin} is not loaded)"))
        elif change.account in holders:
            because = f"(it has SYSTEM_USER and this login does not: GRANT SYSTEM_USER ON *.* TO {login})"
            found.append(LeftOut(change.account, SYSTEM_USER, because))
    return tuple(found)


def _loaded_plugins(control: Session) -> frozenset[str]:
    rows = control.query(
        "SELECT PLUGIN_NAME FROM information_schema.PLUGINS "
        "WHERE PLUGIN_TYPE = 'AUTHENTICATION' AND PLUGIN_STATUS = 'ACTIVE'"
    )
    return frozenset(str(name).lower() for (name,) in rows)


def _system_users(control: Session, dialect: Dialect) -> frozenset[Account]:
    """Accounts that only a login with SYSTEM_USER may change; none where this one has it."""
    if not dialect.has_system_user:
        return frozenset()
    try:
        rows = control.query("SELECT USER, HOST FROM mysql.global_grants WHERE PRIV = 'SYSTEM_USER'")
        roles = control.query("SELECT ROLE_NAME, ROLE_HOST FROM information_schema.ENABLED_ROLES")
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return frozenset()  # The server says so when it is tried, and everything is restored.
    holders = frozenset(Account(str(user), str(host)) for user, host in rows)
    mine = {current_account(control), *(Account(str(name), str(host)) for name, host in roles)}
    return frozenset() if mine & holders else holders
