# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules about accounts."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    AccountState,
    Requirement,
    is_without_access_control,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.in_memory import Unflushed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.proxy_users import ProxyUsers
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import remediation
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding import Finding, finding
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.model import ServerStatus

# Plugins that ask for a password that the server keeps. With any other, such as LDAP's, PAM's or the operating
# system's, somebody else decides who may log in.
_PASSWORD_PLUGINS = (
    "",
    "mysql_native_password",
    "mysql_old_password",
    "sha256_password",
    "caching_sha2_password",
    "ed25519",
    "parsec",
)


def of_accounts(status: ServerStatus, dialect: Dialect) -> t.Iterator[Finding]:
    """What is wrong with them."""
    if status.account is not None and is_without_access_control(status.account):
        yield finding(
            "access-control-off",
            status.options.endpoint,
            "The server checks no user name and no password (skip-grant-tables): anybody who reaches it may do all.",
            remediation.ACCESS_CONTROL_ON,
        )
    if status.memory is not None:
        yield from _of_memory(status, status.memory, dialect)
    if status.accounts_denied is not None and status.account is not None:
        yield finding(
            "accounts-not-visible",
            status.options.endpoint,
            f"{status.accounts_denied} Which accounts may log in without TLS is not known.",
            remediation.see_accounts(dialect, status.account),
        )
    if status.role is not None and status.role.unseen and status.account is not None:
        yield finding(
            "replication-not-visible",
            status.options.endpoint,
            f"{status.account} may not see whether the server replicates its accounts from another one. On a replica, "
            "accounts are changed on the source.",
            remediation.see_replication(dialect, status.account),
        )
    if status.accounts is None:
        # A login that may see no account but its own.
        if status.account is not None and status.session is not None and status.session.ssl_type == "NONE":
            own = AccountState(status.account, Requirement(), "", locked=False, is_role=False)
            yield _account_without_tls(status, dialect, own, (), ())
        return
    if status.proxy_grants is None and status.account is not None:
        yield finding(
            "proxy-grants-not-visible",
            status.options.endpoint,
            f"{status.account} may not see who acts as another account by GRANT PROXY. The requirement of that "
            "account counts for them, so a locked account that requires nothing may be used without TLS.",
            remediation.see_proxy_grants(dialect, status.account),
        )
    proxies = ProxyUsers(dialect, status.proxy_grants, status.accounts_in_force or ())
    for state in status.accounts:
        usable = not state.is_role and not state.locked
        if usable and state.anonymous:
            yield _anonymous_account(dialect, state)
        unflushed = status.memory is not None and state.account in status.memory.requirements
        if state.requirement.ssl_type != "NONE" or unflushed:
            continue
        users = proxies.acting_as.get(state.account, [])
        if usable or users:
            yield _account_without_tls(status, dialect, state, users, proxies.acts_as.get(state.account, []))


def _anonymous_account(dialect: Dialect, state: AccountState) -> Finding:
    if state.plugin not in _PASSWORD_PLUGINS:
        return finding(
            "anonymous-account",
            str(state.account),
            f"{state.account} stands for every user that {state.plugin} accepts and who has no other account.",
            f"Leave it if that is meant: without it these users cannot log in. Who they are is up to {state.plugin}.",
            "info",
        )
    return finding(
        "anonymous-account",
        str(state.account),
        f"Anybody may log in from {state.account.host} without naming a user.",
        remediation.drop(dialect, state.account),
    )


def _account_without_tls(
    status: ServerStatus,
    dialect: Dialect,
    state: AccountState,
    users: t.Sequence[AccountState],
    others: t.Sequence[AccountState],
) -> Finding:
    """An account that does not require TLS.

    :arg users: Who acts as it by GRANT PROXY.
    :arg others: As whom it acts itself.
    """
    severity = None
    message = f"{state.account} may log in without TLS."
    if users:
        usable = f"is {'a role' if state.is_role else 'locked'}" if state.is_role or state.locked else "may log in"
        message = (
            f"{state.account} {usable}, and does not require TLS. By GRANT PROXY {_names(users)} can act as it "
            "without TLS: what they require themselves does not count."
        )
    if status.require_secure_transport:
        severity = "info"
        message = (
            f"{state.account} does not require TLS itself. The server refuses it without TLS as long as "
            "require_secure_transport is ON, but over a Unix socket."
        )
    elif state.system:
        severity = "info"
    elif not users and _goes_by_others(state, others):
        severity = "info"
        message = (
            f"{state.account} does not require TLS itself. By GRANT PROXY it acts as {_names(others)}, whose "
            "requirement counts instead."
        )
    elif all(one.local for one in (*users, *([] if users and (state.is_role or state.locked) else [state]))):
        severity = "low"
    names = [one.account.user for one in (state, *users)]
    todo = remediation.require_ssl(status, dialect, state.account, names, by_playbook=not state.is_role)
    return finding(
        "account-without-tls",
        str(state.account),
        message,
        remediation.LEAVE_ALONE if state.system else todo,
        severity,
    )


def _goes_by_others(state: AccountState, others: t.Sequence[AccountState]) -> bool:
    """Whether the server goes by what the others require at each login; other plugins may name nobody."""
    required = all(other.requirement.ssl_type != "NONE" for other in others)
    return bool(others) and required and state.plugin in _PASSWORD_PLUGINS


def _names(states: t.Sequence[AccountState]) -> str:
    names = [str(state.account) for state in states[:_MOST_NAMED]]
    return ", ".join(names) + (f" and {len(states) - _MOST_NAMED} more" if len(states) > _MOST_NAMED else "")


_MOST_NAMED = 10


def _of_memory(status: ServerStatus, memory: Unflushed, dialect: Dialect) -> t.Iterator[Finding]:
    for state in status.accounts or ():
        if state.account in memory.requirements:
            yield _not_flushed(status, dialect, state, memory.requirements[state.account])
    for account in memory.dropped:
        yield finding(
            "privileges-not-flushed",
            str(account),
            f"{account} was deleted from the table and can still log in: privileges were not flushed.",
            remediation.FLUSH,
        )
    if memory.unread:
        yield finding(
            "memory-not-visible",
            status.options.endpoint,
            f"{memory.unread} What accounts require was read from the table only, which the server may not go by.",
            remediation.see_memory(status, dialect, memory),
        )


def _not_flushed(status: ServerStatus, dialect: Dialect, state: AccountState, in_force: Requirement | None) -> Finding:
    account, in_table = state.account, state.requirement
    if in_force is not None and in_force.level > in_table.level:
        then = f"From the next FLUSH PRIVILEGES or restart on, {in_table.describe()} counts"
        return finding(
            "privileges-not-flushed",
            str(account),
            f"{account} has the requirement {in_table.describe()} in the table, and the server still goes by "
            f"{in_force.describe()}: the table was changed, and privileges were not flushed. {then}.",
            remediation.require_again(status, dialect, account, in_force),
            "medium",
        )
    return finding(
        "privileges-not-flushed",
        str(account),
        f"{account} has the requirement {in_table.describe()} in the table, and the server does not go by it: the "
        "table was changed, and privileges were not flushed.",
        remediation.require_again(status, dialect, account, in_table),
    )
