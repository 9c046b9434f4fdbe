# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server is: its release, what differs between releases, its accounts, and who is connected.

The facts are those of real servers, which tests/functional/test_memory_server.py compares.
"""

from __future__ import annotations

import functools
import typing as t
from dataclasses import dataclass, field

Key = tuple[str, str]
"""User and host."""
Requirement = tuple[str, str, str, str]
"""``NONE``, ``ANY``, ``X509`` or ``SPECIFIED``, then cipher, issuer and subject."""

NONE: Requirement = ("NONE", "", "", "")
ANY: Requirement = ("ANY", "", "", "")
X509: Requirement = ("X509", "", "", "")

# Privileges, as far as anything here depends on them.
SELECT_ACCOUNTS = "SELECT on mysql"
UPDATE_ACCOUNTS = "UPDATE on mysql.user"
CREATE_USER = "CREATE USER"
RELOAD = "RELOAD"
PROCESS = "PROCESS"
SELECT_THREADS = "SELECT on performance_schema"
KILL = "CONNECTION_ADMIN"
SET_VARIABLES = "SYSTEM_VARIABLES_ADMIN"
REPLICATION_CLIENT = "REPLICATION CLIENT"
REPLICATION_SLAVE = "REPLICATION SLAVE"
SYSTEM_USER = "SYSTEM_USER"
SUPER = "SUPER"
ALL = frozenset(
    (
        SELECT_ACCOUNTS,
        UPDATE_ACCOUNTS,
        CREATE_USER,
        RELOAD,
        PROCESS,
        SELECT_THREADS,
        KILL,
        SET_VARIABLES,
        REPLICATION_CLIENT,
        REPLICATION_SLAVE,
        SYSTEM_USER,
        SUPER,
    )
)


class Entry(t.NamedTuple):
    """One account, in the table or in memory."""

    requirement: Requirement = NONE
    plugin: str = "mysql_native_password"
    password: str = ""
    locked: bool = False
    is_role: bool = False
    grants: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Release:
    """A family and version, with what a client can see of it."""

    name: str
    family: str
    version: str
    variables: t.Mapping[str, str]
    version_comment: str = ""

    @functools.cached_property
    def numbers(self) -> tuple[int, ...]:
        """``(10, 11)``."""
        return tuple(int(part) for part in self.version.split("-")[0].split(".")[:2])

    @property
    def mariadb(self) -> bool:
        """Whether it is MariaDB."""
        return self.family == "mariadb"

    @property
    def raw_version(self) -> str:
        """As the greeting has it."""
        return f"5.5.5-{self.version}" if self.mariadb and self.numbers < (11, 0) else self.version

    @property
    def has_alter_require(self) -> bool:
        """Whether ALTER USER ... REQUIRE and SHOW CREATE USER are understood."""
        return self.mariadb or self.numbers >= (5, 7)

    @property
    def has_persist(self) -> bool:
        """Whether SET PERSIST is understood."""
        return not self.mariadb and self.numbers >= (8, 0)

    @property
    def grant_requires(self) -> bool:
        """Whether GRANT takes a REQUIRE clause."""
        return self.mariadb or self.numbers < (8, 0)

    @property
    def has_switch(self) -> bool:
        """Whether there is a variable require_secure_transport."""
        return self.mariadb or self.numbers >= (5, 7)

    @property
    def atomic(self) -> bool:
        """Whether ALTER USER changes all of its accounts or none."""
        return not self.mariadb and self.numbers >= (8, 0)

    @property
    def plugins(self) -> tuple[str, ...]:
        """Plugins of authentication that it has loaded."""
        if self.mariadb:
            return ("mysql_native_password", "mysql_old_password", "unix_socket")
        if self.numbers < (5, 7):
            return ("mysql_native_password", "mysql_old_password", "sha256_password")
        native = () if self.numbers >= (9, 0) else ("mysql_native_password",)
        return (*native, "sha256_password", *(("caching_sha2_password",) if self.numbers >= (8, 0) else ()))

    @property
    def has_connection_type(self) -> bool:
        """Whether performance_schema.threads has the column CONNECTION_TYPE."""
        return self.mariadb or self.numbers >= (5, 7)


_EVERYWHERE = {
    "innodb_read_only": "OFF",
    "log_bin": "OFF",
    "read_only": "OFF",
    "performance_schema": "ON",
    "version_comment": "",
}
_MYSQL_8 = {
    **_EVERYWHERE,
    "admin_port": "33062",
    "admin_tls_version": "TLSv1.2,TLSv1.3",
    "basedir": "/usr/",
    "max_allowed_packet": "67108864",
    "require_secure_transport": "OFF",
    "sql_mode": "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION",
    "super_read_only": "OFF",
    "tls_version": "TLSv1.2,TLSv1.3",
    "transaction_read_only": "OFF",
}
_PROXIES = dict.fromkeys(("check_proxy_users", "sha256_password_proxy_users"), "OFF")
_NATIVE_PROXIES = {**_PROXIES, "mysql_native_password_proxy_users": "OFF"}
_MARIADB = {
    **_EVERYWHERE,
    "basedir": "/usr",
    "have_openssl": "YES",
    "have_ssl": "YES",
    "max_allowed_packet": "16777216",
    "performance_schema": "OFF",
    "require_secure_transport": "OFF",
    "sql_mode": "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION",
    "tls_version": "TLSv1.2,TLSv1.3",
    "tx_read_only": "OFF",
    "userstat": "OFF",
    "wsrep_on": "OFF",
}

RELEASES = {
    release.name: release
    for release in (
        Release(
            "mysql-5.6",
            "mysql",
            "5.6.24",
            {
                **_EVERYWHERE,
                "basedir": "/usr",
                "have_openssl": "YES",
                "have_ssl": "YES",
                "max_allowed_packet": "4194304",
                "sql_mode": "NO_ENGINE_SUBSTITUTION",
                "tx_read_only": "OFF",
            },
        ),
        Release(
            "mysql-5.7",
            "mysql",
            "5.7.36",
            {
                **_EVERYWHERE,
                "basedir": "/usr/",
                "have_openssl": "YES",
                "have_ssl": "YES",
                "max_allowed_packet": "4194304",
                "require_secure_transport": "OFF",
                "sql_mode": "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION",
                "super_read_only": "OFF",
                "tls_version": "TLSv1,TLSv1.1,TLSv1.2",
                "transaction_read_only": "OFF",
                "tx_read_only": "OFF",
                **_NATIVE_PROXIES,
            },
        ),
        Release(
            "mysql-8.0", "mysql", "8.0.30", {**_MYSQL_8, "have_openssl": "YES", "have_ssl": "YES", **_NATIVE_PROXIES}
        ),
        Release("mysql-9.7", "mysql", "9.7.4-2", {**_MYSQL_8, **_PROXIES, "caching_sha2_password_proxy_users": "OFF"}),
        Release("mariadb-10.5", "mariadb", "10.5.29-MariaDB", _MARIADB),
        Release("mariadb-10.11", "mariadb", "10.11.14-MariaDB", _MARIADB),
        Release(
            "mariadb-11.8",
            "mariadb",
            "11.8.9-MariaDB-0+deb13u1 from Debian",
            {**_MARIADB, "transaction_read_only": "OFF"},
        ),
    )
}

# Variables that some server has.
KNOWN_VARIABLES = frozenset(
    name for release in RELEASES.values() for name in release.variables
) | frozenset(("aurora_version", "server_uid", "server_uuid", "wsrep_on"))  # fmt: skip


@dataclass
class ServerSession:
    """A client's session, as the server has it."""

    number: int
    user: str
    host: str
    account: Key
    transport: str
    grants: frozenset[str]
    author: str
    command: str = "Sleep"
    info: str | None = None
    sql_mode: str = ""
    proxy: Key | None = None
    # Not among the server's sessions any more.
    gone: bool = False
    # Somebody has ended it; it is still to go.
    killed: bool = False
    # The statement that it waits with, or that has not arrived yet.
    waits: bool = False
    # The exchange in which its statement was sent.
    exchange: int = -1

    @property
    def client_host(self) -> str:
        """Without the port."""
        return self.host.rpartition(":")[0] or self.host

    def may(self, privilege: str) -> bool:
        """Whether it has the privilege."""
        return privilege in self.grants or SUPER in self.grants


class Write(t.NamedTuple):
    """One account that one statement of ours has changed, and the exchange in which it was sent."""

    exchange: int
    key: Key
    before: Requirement
    after: Requirement


@dataclass
class Accounts:
    """The table and what the server has loaded from it."""

    table: dict[Key, Entry] = field(default_factory=dict)
    memory: dict[Key, Entry] = field(default_factory=dict)

    def copy(self) -> Accounts:
        """Another one, with the same."""
        return Accounts(dict(self.table), dict(self.memory))

    def create(self, key: Key, entry: Entry) -> None:
        """CREATE USER."""
        self.table[key] = self.memory[key] = entry

    def drop(self, key: Key) -> None:
        """DROP USER."""
        self.table.pop(key, None)
        self.memory.pop(key, None)

    def rename(self, old: Key, new: Key) -> None:
        """RENAME USER."""
        for where in (self.table, self.memory):
            if old in where:
                where[new] = where.pop(old)

    def require(self, key: Key, requirement: Requirement) -> None:
        """ALTER USER, or GRANT: writes both."""
        for where in (self.table, self.memory):
            if key in where:
                where[key] = where[key]._replace(requirement=requirement)

    def update(self, key: Key, requirement: Requirement) -> None:
        """UPDATE mysql.user: writes the table."""
        if key in self.table:
            self.table[key] = self.table[key]._replace(requirement=requirement)

    def change(self, key: Key, **changes: t.Any) -> None:
        """Anything else about an account, in both."""
        for where in (self.table, self.memory):
            if key in where:
                where[key] = where[key]._replace(**changes)

    def flush(self) -> None:
        """FLUSH PRIVILEGES."""
        self.memory = dict(self.table)
