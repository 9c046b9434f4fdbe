# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users who log in as themselves and act as another account (GRANT PROXY).

Measured: MySQL checks the requirement of the proxied account, MariaDB that of the account that logs in. Both let a
locked account be proxied to.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Account, AccountState, text_of
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import READING_ACCOUNTS_DENIED, QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session


@dataclass(frozen=True)
class ProxyGrant:
    """``proxy`` may act as ``proxied``; a proxy without a user name stands for everybody."""

    proxy: Account
    proxied: Account


def read_proxy_grants(session: Session) -> tuple[ProxyGrant, ...] | None:
    """Who may act as whom; None where this login may not see such grants."""
    try:
        # Without a name it is the right of an administrator to make such grants, which nobody logs in by.
        rows = session.query(
            "SELECT User, Host, Proxied_user, Proxied_host FROM mysql.proxies_priv WHERE Proxied_user <> ''"
        )
    except QueryFailed as e:
        if e.code not in READING_ACCOUNTS_DENIED:
            raise
        return None
    return tuple(
        ProxyGrant(Account(text_of(user), text_of(host) or "%"), Account(text_of(proxied), text_of(proxied_host)))
        for user, host, proxied, proxied_host in rows
    )


def proxies_of(account: Account, grants: t.Iterable[ProxyGrant]) -> list[Account]:
    """Who may act as this account."""
    wanted = (account.user, account.host.lower())
    return [grant.proxy for grant in grants if (grant.proxied.user, grant.proxied.host.lower()) == wanted]


class ProxyUsers:
    """Who acts as whom, where the requirement of the proxied account counts; nobody on other servers.

    ``acting_as``: by account the accounts that people log in with and that act as it. ``acts_as``: the other way.
    """

    def __init__(
        self, dialect: Dialect, grants: t.Iterable[ProxyGrant] | None, known: t.Iterable[AccountState]
    ) -> None:
        self.acting_as: dict[Account, list[AccountState]] = {}
        self.acts_as: dict[Account, list[AccountState]] = {}
        if not grants or not dialect.checks_proxied_requirement:
            return
        states = {(state.account.user, state.account.host.lower()): state for state in known}
        people = [
            state
            for state in states.values()
            if not state.locked and not state.is_role and dialect.proxies_logins_by(state.plugin)
        ]
        for grant in grants:
            proxied = states.get((grant.proxied.user, grant.proxied.host.lower()))
            for one in people if proxied else ():
                if proxied and proxied != one and _is_for(grant.proxy, one.account):
                    self.acting_as.setdefault(proxied.account, []).append(one)
                    self.acts_as.setdefault(one.account, []).append(proxied)


def _is_for(proxy: Account, account: Account) -> bool:
    """Hosts are compared with the client's, so that a grant to user@% is one to user@10.0.0.1 as well."""
    same_host = proxy.host == "%" or proxy.host.lower() == account.host.lower()
    return same_host and proxy.user in ("", account.user)
