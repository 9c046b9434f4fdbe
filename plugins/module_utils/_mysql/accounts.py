# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Accounts (user and host together), and what they require, the levels in their order."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import (
    CR_NET_PACKET_TOO_LARGE,
    READING_ACCOUNTS_DENIED,
    QueryFailed,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.pymysql_connection import MOST_ROWS_OF_A_RESULT
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.roles import roles_granted, roles_without_effect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

# The weakest first.
LEVELS = ("NONE", "ANY", "X509", "SPECIFIED")

# "Master user account privileges", "Common DBA tasks for MySQL DB instances", "RDS Proxy concepts and terminology" and
# "Active-active clusters for RDS for MySQL", Amazon RDS User Guide; "Reserved Accounts", MySQL Reference Manual; the
# mariadb.sys account and the PUBLIC role of MariaDB.
_SERVERS_USERS = frozenset(("mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys", "PUBLIC"))
_AWS_USERS = frozenset(
    (
        "rdsadmin",
        "rdsrepladmin",
        "rdsrepladmin_priv_checks_user",
        "rdsgrprepladmin",
        "rdsproxyadmin",
        "rdstopmgr",
        "rds_superuser_role",
    )
)
_AWS_PREFIX = "AWS_"
_LOCAL_HOSTS = frozenset(("localhost", "::1"))
_LOCAL_NETWORK = "127."
# They take the name of the operating system's user, and only over a Unix socket.
_SOCKET_PLUGINS = ("auth_socket", "unix_socket")


class AccountsNotReadable(RdsMysqlError):
    """The login may not read the tables that hold the accounts."""


class TooManyAccounts(RdsMysqlError):
    """More than are read; the session is gone."""


@dataclass(frozen=True, order=True)
class Account:
    """A user and a host; both exactly as the server stores them."""

    user: str
    host: str

    def __str__(self) -> str:
        return f"{self.user}@{self.host}"

    @property
    def local(self) -> bool:
        """Whether it can be used only on the server's own machine."""
        return self.host.lower() in _LOCAL_HOSTS or self.host.startswith(_LOCAL_NETWORK)


@dataclass(frozen=True)
class Requirement:
    """What an account's REQUIRE clause asks for. The three parts belong to ``SPECIFIED``."""

    ssl_type: str = "NONE"
    cipher: str = ""
    issuer: str = ""
    subject: str = ""

    @property
    def level(self) -> int:
        """Its place among the levels, the weakest being 0."""
        return LEVELS.index(self.ssl_type)

    def describe(self) -> str:
        """As a REQUIRE clause shows it, for people."""
        if self.ssl_type != "SPECIFIED":
            return self.ssl_type
        parts = [
            f"{name} {value!r}"
            for name, value in (("SUBJECT", self.subject), ("ISSUER", self.issuer), ("CIPHER", self.cipher))
            if value
        ]
        return " ".join(["SPECIFIED", *parts])


@dataclass(frozen=True)
class AccountState:
    """An account as the server has it now. ``on_aws``: the server is AWS's, so that some names belong to AWS."""

    account: Account
    requirement: Requirement
    plugin: str
    locked: bool
    is_role: bool
    on_aws: bool = False

    @property
    def system(self) -> bool:
        """Whether the account belongs to the server or to AWS, and not to the people who use the database."""
        user = self.account.user
        return user in _SERVERS_USERS or (self.on_aws and (user in _AWS_USERS or user.startswith(_AWS_PREFIX)))

    @property
    def local(self) -> bool:
        """Whether the account can be used only on the server's own machine."""
        return self.account.local

    @property
    def by_socket(self) -> bool:
        """Whether people log in as it by being who they are on the server's machine, over its Unix socket."""
        return any(plugin in _SOCKET_PLUGINS for plugin in self.plugin.split(" or "))

    @property
    def has_clients(self) -> bool:
        """Whether people can log in as it over a network. Nobody but AWS works on the machines of its servers."""
        return not (self.is_role or self.system or self.by_socket or (self.on_aws and self.local))

    @property
    def anonymous(self) -> bool:
        """Whether anybody may log in as this account without naming a user."""
        return not self.account.user and not self.is_role

    def describe(self) -> dict[str, t.Any]:
        """The return value's form."""
        return {
            "user": self.account.user,
            "host": self.account.host,
            "ssl_type": self.requirement.ssl_type,
            "locked": self.locked,
            "is_role": self.is_role,
            "system": self.system,
            "local": self.local,
            "plugin": self.plugin,
        }


def read_accounts(
    session: Session, dialect: Dialect, only: t.Sequence[Account] | None = None
) -> tuple[AccountState, ...]:
    """Every account and role of the server, or those of ``only`` that there are, in order.

    :raises AccountsNotReadable: naming the privilege that is missing.
    :raises TooManyAccounts: when they cannot all be read.
    """
    query, names = dialect.accounts_query, ()  # type: tuple[str, tuple[str, ...]]
    if only is not None:
        where, names = where_accounts(only, "u.")
        query += f" WHERE {where}"
    try:
        rows = session.query(query, names)
    except QueryFailed as e:
        if e.code == CR_NET_PACKET_TOO_LARGE:
            raise TooManyAccounts(
                f"{session.options.endpoint} has more accounts than are read: {MOST_ROWS_OF_A_RESULT} are the most."
            ) from e
        if e.code not in READING_ACCOUNTS_DENIED:
            raise
        tables = "mysql.user and mysql.global_priv" if dialect.user_table_is_view else "mysql.user"
        raise AccountsNotReadable(
            f"{session.options.user} may not read the accounts of {session.options.endpoint}: grant it SELECT on "
            f"{tables}.{_inactive_roles(session, dialect)}"
        ) from e
    on_aws = dialect.managed_by is not None
    states = tuple(sorted((_state(row, on_aws) for row in rows), key=lambda state: state.account))
    for state in states:
        if state.requirement.ssl_type not in LEVELS:
            raise AccountsNotReadable(
                f"{session.options.endpoint} has a requirement {state.requirement.ssl_type!r} of {state.account}, "
                "which is none that MySQL or MariaDB knows."
            )
    return states if only is not None else _with_roles(session, dialect, states)


def _with_roles(session: Session, dialect: Dialect, states: tuple[AccountState, ...]) -> tuple[AccountState, ...]:
    """The same, with what is a role on MySQL: a locked account that is granted to others.

    Who may not read that keeps what the rows of the accounts suggest. A role that somebody has unlocked can be logged
    in to, so that it is an account.
    """
    if not any(state.locked and not state.system for state in states):
        return states
    roles = roles_granted(session, dialect)
    if roles is None:
        return states
    return tuple(
        replace(state, is_role=state.locked and (state.account.user, state.account.host) in roles) for state in states
    )


def _inactive_roles(session: Session, dialect: Dialect) -> str:
    """What to do where a privilege may be in a role that this login has and that is not active."""
    roles = roles_without_effect(session, dialect)
    if roles is None:
        return ""
    word = "FOR" if dialect.is_mariadb else "TO"
    statement = f"SET DEFAULT ROLE {roles} {word} {quote_account(current_account(session), dialect)}"
    return f" It has the role {roles}, which is not active. If that has the privilege, run {statement}."


def where_accounts(wanted: t.Sequence[Account], prefix: str = "") -> tuple[str, tuple[str, ...]]:
    """A condition on the columns User and Host that these accounts meet, and its parameters."""
    pair = f"({prefix}User = %s AND {prefix}Host = %s)"
    condition = " OR ".join([pair] * len(wanted)) or "FALSE"
    return condition, tuple(part for account in wanted for part in (account.user, account.host))


def _state(row: tuple[t.Any, ...], on_aws: bool) -> AccountState:
    user, host, plugin, ssl_type, cipher, issuer, subject, locked, is_role = row
    return AccountState(
        account=Account(text_of(user), text_of(host)),
        requirement=Requirement(text_of(ssl_type) or "NONE", text_of(cipher), text_of(issuer), text_of(subject)),
        plugin=text_of(plugin),
        locked=bool(locked),
        is_role=bool(is_role),
        on_aws=on_aws,
    )


def text_of(value: t.Any) -> str:
    """A value of a row; bytes that are not UTF-8 are kept."""
    if value is None:
        return ""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def current_account(session: Session) -> Account:
    """The account that the server has chosen for this session's login."""
    user, _unused, host = text_of(session.query("SELECT CURRENT_USER()")[0][0]).rpartition("@")
    return Account(user, host)


def login_account(session: Session, dialect: Dialect) -> Account:
    """The account whose requirement the server has checked for this session's login.

    Where that is not the one of a user who acts as another account, the proxy's, such as ``'human'@'%'``.
    """
    proxy = None if dialect.checks_proxied_requirement else session.query("SELECT @@proxy_user")[0][0]
    if not proxy:
        return current_account(session)
    user, _unused, host = text_of(proxy)[1:-1].rpartition("'@'")
    return Account(user, host)


def is_without_access_control(account: Account) -> bool:
    """Whether this is whom every login becomes while the server runs with skip-grant-tables.

    Measured: an empty name and host, which no account has, up to MySQL 5.7 and on MariaDB.
    """
    return account in (Account("", ""), Account("skip-grants user", "skip-grants host"))


def quote(text: str, dialect: Dialect) -> str:
    """A string literal. Account names and DNs in statements that take no parameters go through here, and only here.

    A backslash is doubled unless the server's sql_mode makes it an ordinary character.
    """
    if not dialect.no_backslash_escapes:
        text = text.replace("\\", "\\\\")
    return "'{}'".format(text.replace("'", "''"))


def quote_account(account: Account, dialect: Dialect) -> str:
    """``'user'@'host'``."""
    return f"{quote(account.user, dialect)}@{quote(account.host, dialect)}"
