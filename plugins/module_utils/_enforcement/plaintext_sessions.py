# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients that are connected without TLS, and could not log in again."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import Request
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.account_patterns import host_admits
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Account
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.sessions import LiveSession, live_sessions


@dataclass(frozen=True)
class PlaintextSession:
    """A client that would not get in again."""

    session: LiveSession
    killed: bool = False

    @property
    def replicates(self) -> bool:
        """Whether it is a replica that reads the binary log."""
        return self.session.command.startswith("Binlog Dump")

    def describe(self) -> dict[str, t.Any]:
        """The return value's form."""
        return dict(self.session.describe(), replication=self.replicates, killed=self.killed)

    def __str__(self) -> str:
        kind = ", a replica that reads the binary log" if self.replicates else ""
        return f"{self.session.user} from {self.session.host} (connection {self.session.connection_id}{kind})"


@dataclass(frozen=True)
class WhoHasToUseTls:
    """These accounts, or ``everybody``, from now on."""

    accounts: tuple[Account, ...]
    everybody: bool

    def __bool__(self) -> bool:
        return self.everybody or bool(self.accounts)


def find_plaintext_sessions(
    control: Session, dialect: Dialect, who: WhoHasToUseTls, request: Request
) -> tuple[tuple[PlaintextSession, ...], tuple[str, ...]]:
    """Other clients that are connected without TLS and could not log in again, and warnings about what is not seen."""
    if not who:
        return (), ()
    names = _Names(who.accounts)
    sessions = live_sessions(control, dialect)
    if sessions is not None:
        plain = [session for session in sessions if session.plaintext]
        return tuple(PlaintextSession(session) for session in plain if who.everybody or names.may_be(session)), ()
    if request.plaintext_sessions == "allow":
        return (), ()
    warning = (
        f"{control.options.endpoint} does not tell which sessions use TLS, so clients that connect without it could "
        "not be looked for."
    )
    replicas = [session for session in _replicas(control) if who.everybody or names.may_be(session)]
    if replicas:
        listed = ", ".join(f"{replica.user} from {replica.host}" for replica in replicas)
        warning += f" Replicas read its binary log, perhaps without TLS: {listed}."
    return (), (warning,)


class _Names:
    """Accounts, found by the user and host of a session."""

    def __init__(self, wanted: t.Iterable[Account]) -> None:
        self._hosts: dict[str, list[str]] = {}
        for account in wanted:
            self._hosts.setdefault(account.user, []).append(account.host)

    def may_be(self, session: LiveSession) -> bool:
        """Whether the session may have logged in as one of them (the server does not tell which account it chose).

        A login that no user name matches may be one of the anonymous account.
        """
        hosts = self._hosts.get(session.user, []) + self._hosts.get("", [])
        return any(_admits(host, session.host) for host in hosts)


# A host part that names addresses, which the server compares with a client's address, and not with its name.
_ADDRESSES = re.compile(r"[0-9.%_/]+\Z|.*:")


def _admits(account_host: str, client_host: str) -> bool:
    if host_admits(account_host, client_host):
        return True
    # A server that resolves names shows a client by its name, and admits it by its address as well.
    return bool(_ADDRESSES.match(account_host)) and not _is_address(client_host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _replicas(control: Session) -> list[LiveSession]:
    """Replicas that read the binary log, on servers that do not tell how sessions are connected."""
    rows = control.query(
        "SELECT ID, USER, HOST, COMMAND FROM information_schema.processlist WHERE COMMAND LIKE 'Binlog Dump%'"
    )
    return [
        LiveSession(int(connection), str(user), str(host).rpartition(":")[0] or str(host), "", str(command))
        for connection, user, host, command in rows
    ]
