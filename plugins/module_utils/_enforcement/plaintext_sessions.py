# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients that are connected without TLS, and could not log in again."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.readiness import Counted
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.account_patterns import host_may_admit
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    Account,
    current_account,
    quote_account,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.cluster import Member
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect, is_on
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.proxy_users import proxies_of, read_proxy_grants
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.sessions import (
    WHY_HIDDEN,
    LiveSession,
    listed_sessions,
    live_sessions,
    not_in_performance_schema,
)


@dataclass(frozen=True)
class PlaintextSession:
    """A client that would be unable to reconnect. ``server``: the other member of the cluster, if any."""

    session: LiveSession
    killed: bool = False
    server: str | None = None

    @property
    def replicates(self) -> bool:
        """Whether it is a replica that reads the binary log."""
        return self.session.command.startswith("Binlog Dump")

    def describe(self) -> dict[str, t.Any]:
        """The return value's form."""
        return dict(self.session.describe(), replication=self.replicates, killed=self.killed, server=self.server)

    def __str__(self) -> str:
        kind = ", a replica that reads the binary log" if self.replicates else ""
        kind += ", over the Unix socket" if self.session.transport == "Socket" else ""
        kind += f", on {self.server}" if self.server else ""
        return f"{self.session.user} from {self.session.host} (connection {self.session.connection_id}{kind})"


@dataclass(frozen=True)
class WhoHasToUseTls:
    """These accounts, or ``everybody``, from now on. ``certificates``: of these, who needs a client certificate."""

    accounts: tuple[Account, ...]
    everybody: bool
    certificates: tuple[Account, ...] = ()

    def __bool__(self) -> bool:
        return self.everybody or bool(self.accounts)


@dataclass(frozen=True)
class SessionCheck:
    """Clients that could not log in again, as far as that can be seen.

    ``obstacle`` says why it is not known which sessions use TLS, and ``remedy`` what would show it; ``sessions`` are
    then all that may be concerned. ``blind``: not even these can be seen. ``encrypted``: clients that use TLS, perhaps
    without the certificate that they will need. ``unseen``: what could not be seen of other members of the cluster, and
    ``members``: who these are. ``joining``: members that could not join the cluster again, in sentences.
    """

    sessions: tuple[PlaintextSession, ...] = ()
    obstacle: str | None = None
    remedy: str = ""
    blind: bool = False
    encrypted: tuple[PlaintextSession, ...] = ()
    unseen: tuple[str, ...] = ()
    members: tuple[Member, ...] = ()
    joining: tuple[str, ...] = ()


def find_plaintext_sessions(
    control: Session, dialect: Dialect, who: WhoHasToUseTls, counted: t.Mapping[str, Counted] | None = None
) -> SessionCheck:
    """Look for other clients that are connected without TLS and could not log in again.

    :arg counted: What the server had counted of the logins of some of these accounts, for where it does not expose how
        sessions are connected.
    """
    if not who:
        return SessionCheck()
    proxies = _proxies(control, dialect, who.accounts)
    names = _Names((*who.accounts, *(proxies or ())))
    sessions = live_sessions(control, dialect)
    if sessions is not None:
        # An account's requirement counts over a Unix socket as well, the server-wide switch does not.
        found = [s for s in sessions if not s.encrypted and ((who.everybody and s.plaintext) or names.may_be(s))]
        certified = _Names(who.certificates)
        encrypted = tuple(PlaintextSession(s) for s in sessions if s.encrypted and certified.may_be(s))
        missing = not_in_performance_schema(control, {one.connection_id for one in sessions})
        unknown = [s for s in missing or () if (who.everybody and not s.local) or proxies is None or names.may_be(s)]
        if missing is None or unknown:
            obstacle, remedy = _not_all_are_seen(control, dialect, blind=missing is None)
            seen = tuple(PlaintextSession(session) for session in (*found, *unknown))
            return SessionCheck(seen, obstacle, remedy, blind=missing is None, encrypted=encrypted)
        if proxies is not None:
            return SessionCheck(tuple(PlaintextSession(session) for session in found), encrypted=encrypted)
        # Anybody may be one of the proxied, who are connected by their own name.
        obstacle, remedy = _proxies_not_seen(control, dialect)
        may_be = tuple(PlaintextSession(session) for session in sessions if not session.encrypted)
        return SessionCheck(may_be, obstacle, f"{remedy},", encrypted=encrypted)
    obstacle, remedy = _obstacle(control, dialect)
    if proxies is None:
        also, grant = _proxies_not_seen(control, dialect)
        obstacle, remedy = f"{obstacle}, and {also}", f"{grant}, or {remedy[0].lower()}{remedy[1:]}"
    listed = listed_sessions(control)
    if listed is None:
        login = current_account(control)
        return SessionCheck(
            obstacle=f"{obstacle}, and {login} may not see the sessions of other accounts",
            remedy=f"{remedy} or grant it PROCESS (GRANT PROCESS ON *.* TO {quote_account(login, dialect)})",
            blind=True,
        )
    found = [s for s in listed if (who.everybody and not s.local) or proxies is None or names.may_be(s)]
    if counted and proxies == []:
        proven = _proven_by_count(control, dialect, who, counted)
        found = [s for s in found if s.user not in proven or s.connection_id <= proven[s.user]]
        if proven and not found and all(account.user in proven for account in who.accounts):
            return SessionCheck()
    return SessionCheck(tuple(PlaintextSession(session) for session in found), obstacle, remedy)


def _proven_by_count(
    control: Session, dialect: Dialect, who: WhoHasToUseTls, counted: t.Mapping[str, Counted]
) -> dict[str, int]:
    """Users whose sessions all use TLS, but those with this number and older ones.

    The server counts logins with and without TLS of each user. None without has been counted for weeks, and none is now
    since that was read.
    """
    if not is_on(dialect.variables.get("userstat")):
        return {}
    try:
        rows = control.query(
            "SELECT USER, TOTAL_CONNECTIONS, TOTAL_SSL_CONNECTIONS FROM information_schema.USER_STATISTICS"
        )
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return {}
    # MariaDB counts users whose names differ in case alone as one.
    now = {str(user).casefold(): (int(logins), int(logins) - int(tls)) for user, logins, tls in rows}
    proven: dict[str, int] = {}
    # A count is of a user, whichever of its accounts a session has.
    for name in counted if who.everybody else map(str, who.accounts):
        user, before = name.rpartition("@")[0], counted.get(name)
        logins, plaintext = now.get(user.casefold(), (0, 0))
        if user and before and logins >= before.logins and plaintext == before.plaintext:
            proven[user] = before.since
    unproven = {account.user for account in who.accounts if str(account) not in counted}
    return {user: since for user, since in proven.items() if user not in unproven}


def _proxies(control: Session, dialect: Dialect, accounts: t.Collection[Account]) -> list[Account] | None:
    """Accounts that may act as one of these by GRANT PROXY, where the requirement of the proxied account counts.

    None where this login may not see such grants.
    """
    if not accounts or not dialect.checks_proxied_requirement:
        return []
    grants = read_proxy_grants(control)
    return None if grants is None else [proxy for account in accounts for proxy in proxies_of(account, grants)]


def _proxies_not_seen(control: Session, dialect: Dialect) -> tuple[str, str]:
    login = current_account(control)
    return (
        f"{login} may not see who acts as another account by GRANT PROXY on {control.options.endpoint}",
        f"GRANT SELECT ON mysql.proxies_priv TO {quote_account(login, dialect)}",
    )


def _not_all_are_seen(control: Session, dialect: Dialect, *, blind: bool) -> tuple[str, str]:
    """Sessions that performance_schema does not show, and what to do about them."""
    endpoint = control.options.endpoint
    if not blind:
        return (
            f"performance_schema of {endpoint} does not show all sessions ({WHY_HIDDEN})",
            "Disconnect these clients,",
        )
    login = current_account(control)
    obstacle = f"performance_schema of {endpoint} may not show all sessions ({WHY_HIDDEN}), and {login} may not see the"
    return f"{obstacle} others", f"Grant it PROCESS (GRANT PROCESS ON *.* TO {quote_account(login, dialect)}),"


def _obstacle(control: Session, dialect: Dialect) -> tuple[str, str]:
    """Why sessions do not show whether they use TLS, and what to do so that they do."""
    endpoint, login = control.options.endpoint, current_account(control)
    if dialect.sees_session_transport:
        return (
            f"{login} may not see which sessions of {endpoint} use TLS",
            f"GRANT SELECT ON performance_schema.threads TO {quote_account(login, dialect)},",
        )
    if dialect.has_session_transport:
        watch = "or set userstat=ON and run watch until its accounts are ready," if dialect.is_mariadb else ""
        start = "Start it with performance_schema=ON,"
        return f"{endpoint} does not expose session TLS status", f"{start} {watch}".rstrip()
    return f"{endpoint} runs {dialect.version}, which does not expose session TLS status", "Upgrade it,"


class _Names:
    """Accounts, found by the user and host of a session."""

    def __init__(self, wanted: t.Iterable[Account]) -> None:
        self._hosts: dict[str, list[str]] = {}
        for account in wanted:
            self._hosts.setdefault(account.user, []).append(account.host)

    def may_be(self, session: LiveSession) -> bool:
        """Whether the session may have logged in as one of them (the server does not expose which account it chose).

        A login that no user name matches may be one of the anonymous account.
        """
        hosts = self._hosts.get(session.user, []) + self._hosts.get("", [])
        return any(host_may_admit(host, session.host) for host in hosts)
