# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server's accounts, asked and changed behind the collection's back."""

from __future__ import annotations

import json
import re
import ssl
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
from pymysql.connections import Connection

from tests.servers import Pki, Server, TlsFiles

LEGACY = "mysql-5.6"

# ER_ACCESS_DENIED_ERROR, ER_SECURE_TRANSPORT_REQUIRED
REFUSED = (1045, 3159)
_LEGACY_SERVER_CONNECT = 0x4

WRITING_COUNTERS = (
    "Com_alter_user",
    "Com_create_user",
    "Com_delete",
    "Com_drop_user",
    "Com_flush",
    "Com_grant",
    "Com_insert",
    "Com_replace",
    "Com_revoke",
    "Com_update",
)


@dataclass(frozen=True)
class Account:
    """An account of a test, and its password."""

    user: str
    host: str
    password: str


@dataclass(frozen=True)
class Tls:
    """The certificates of a test's clients; None for no client certificate."""

    client: TlsFiles | None = None


class Administrator:
    """A server, and its administrator over the Unix socket."""

    def __init__(self, server: Server, pki: Pki) -> None:
        self.server = server
        self.pki = pki
        self.name = server.name
        self.legacy = server.name == LEGACY
        self.mariadb = server.name.startswith("mariadb")
        self._admin: Connection[Any] | None = None

    @property
    def admin(self) -> Connection[Any]:
        """The administrator's session, made anew after a restart."""
        if self._admin is None:
            self._admin = pymysql.connect(
                unix_socket=self.server.socket,
                user=self.server.admin_user,
                password=self.server.admin_password,
                ssl_disabled=True,
                autocommit=True,
                charset="utf8mb4",
            )
        return self._admin

    def disconnect(self) -> None:
        """End the administrator's session."""
        if self._admin is not None:
            self._admin.close()
            self._admin = None

    def query(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Run a statement as the administrator."""
        with self.admin.cursor() as cursor:
            cursor.execute(statement, arguments or None)
            return [tuple(_text(value) for value in row) for row in cursor.fetchall()]

    def value(self, statement: str, *arguments: Any) -> Any:
        """The first value of the first row."""
        return self.query(statement, *arguments)[0][0]


class Accounts(Administrator):
    """Making accounts and roles, changing them, and dropping them after the test."""

    def __init__(self, server: Server, pki: Pki) -> None:
        super().__init__(server, pki)
        self._number = 0
        self._made: list[tuple[str, str]] = []
        self._roles: list[str] = []

    def name_of(self, stem: str) -> str:
        """A user name that nobody has had on this server; MySQL 5.6 takes 16 characters at most."""
        self._number += 1
        return f"{stem}_{self._number}"

    def create(
        self,
        user: str,
        host: str = "%",
        *,
        require: str = "NONE",
        grants: str | None = None,
        plugin: str | None = None,
    ) -> Account:
        """Make an account; ``grants`` such as ``ALL PRIVILEGES ON *.*``, ``require`` such as ``SSL``."""
        # Made of the name, so that every host of a user has the same one.
        password = f"pw!{self.server.admin_password[:8]}-{len(user)}"
        if plugin and self.mariadb:
            self.query(f"CREATE USER %s@%s IDENTIFIED VIA {plugin} USING PASSWORD(%s)", user, host, password)
        else:
            how = f"WITH {plugin} BY" if plugin else "BY"
            self.query(f"CREATE USER %s@%s IDENTIFIED {how} %s", user, host, password)
        self._made.append((user, host))
        if grants:
            self.query(f"GRANT {grants} TO %s@%s WITH GRANT OPTION", user, host)
        if require != "NONE":
            self.require(user, host, require)
        return Account(user, host, password)

    def administrator(self, stem: str = "db_root", host: str = "127.0.0.1", require: str = "NONE") -> Account:
        """An account with all privileges."""
        user = stem if "_" in stem and stem != "db_root" else self.name_of(stem)
        return self.create(user, host, require=require, grants="ALL PRIVILEGES ON *.*")

    def require(self, user: str, host: str, clause: str) -> None:
        """Set a requirement behind the collection's back."""
        verb = "GRANT USAGE ON *.* TO" if self.legacy else "ALTER USER"
        self.query(f"{verb} %s@%s REQUIRE {clause.replace('%', '%%')}", user, host)

    def create_role(self, name: str) -> None:
        """Make a role."""
        self.query(f"CREATE ROLE {name}")
        self._roles.append(name)

    def drop_all(self) -> None:
        """Drop what the test has made."""
        for user, host in self._made:
            self.query("DROP USER %s@%s" if self.legacy else "DROP USER IF EXISTS %s@%s", user, host)
        for role in self._roles:
            self.query(f"DROP ROLE {role}")
        self._made, self._roles = [], []

    def adopt(self, user: str, host: str) -> None:
        """Drop this account, which something else has made, after the test."""
        self._made.append((user, host))

    def forget(self, user: str, host: str) -> None:
        """This account is no more."""
        self._made.remove((user, host))

    def wait_for_sessions_to_end(self, user: str) -> None:
        """Until the server has noticed that the clients have gone."""
        deadline = time.monotonic() + 120
        while self.query("SELECT 1 FROM information_schema.processlist WHERE USER = %s", user):
            assert time.monotonic() < deadline
            time.sleep(0.02)


class Records(Administrator):
    """What the server says: its accounts as it has them, and the statements that it was given."""

    def requirement(self, user: str, host: str) -> tuple[str, str, str, str]:
        """ssl_type, cipher, issuer and subject as the server has them."""
        rows = self.query(
            "SELECT ssl_type, ssl_cipher, x509_issuer, x509_subject FROM mysql.user WHERE User = %s AND Host = %s",
            user,
            host,
        )
        assert len(rows) == 1, f"{user}@{host}: {rows}"
        return tuple(str(value or "") for value in rows[0])  # type: ignore[return-value]

    def ssl_type(self, account: Account) -> str:
        """The requirement's kind; empty for none."""
        return self.requirement(account.user, account.host)[0]

    def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that the server has about accounts."""
        table = "mysql.global_priv" if self.mariadb else "mysql.user"
        return {
            "rows": self.query(f"SELECT * FROM {table} ORDER BY User, Host"),
            "grants": [
                row
                for user, host in self.query("SELECT User, Host FROM mysql.user ORDER BY User, Host")
                if host
                for row in self.query("SHOW GRANTS FOR %s@%s", user, host)
            ],
        }

    def everything_but_the_requirement(self, user: str, host: str) -> tuple[Any, ...]:
        """Password, plugin and privileges of an account, and what else the server has of it."""
        grants = [
            re.sub(r" REQUIRE .*?(?= WITH |$)", "", str(row[0]))
            for row in self.query("SHOW GRANTS FOR %s@%s", user, host)
        ]
        if self.mariadb:
            private = json.loads(
                self.value("SELECT Priv FROM mysql.global_priv WHERE User = %s AND Host = %s", user, host)
            )
            row = {name: value for name, value in private.items() if not name.startswith(("ssl", "x509"))}
        else:
            with self.admin.cursor(pymysql.cursors.DictCursor) as cursor:
                cursor.execute("SELECT * FROM mysql.user WHERE User = %s AND Host = %s", (user, host))
                found = cursor.fetchone()
                assert isinstance(found, dict)
                row = {name: value for name, value in found.items() if not name.startswith(("ssl", "x509"))}
        assert row
        return grants, row

    def writing_counters(self) -> dict[str, str]:
        """How often statements that write were run, since the server's start."""
        names = ", ".join(f"'{name}'" for name in WRITING_COUNTERS)
        rows = self.query(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({names})")
        assert len(rows) > 5
        return {str(name): str(value) for name, value in rows}

    @contextmanager
    def watch(self) -> Iterator[list[str]]:
        """The list of statements that clients other than this one run in the ``with`` block, filled at its end."""
        seen: list[str] = []
        mine = self.value("SELECT CONNECTION_ID()")
        self.query("SET GLOBAL log_output = 'TABLE'")
        self.query("TRUNCATE TABLE mysql.general_log")
        self.query("SET GLOBAL general_log = ON")
        try:
            yield seen
        finally:
            self.query("SET GLOBAL general_log = OFF")
            rows = self.query(
                "SELECT argument FROM mysql.general_log WHERE thread_id <> %s AND command_type IN ('Query', 'Execute')",
                mine,
            )
            seen += [str(row[0]) for row in rows]


class Logins(Administrator):
    """Logging in over TCP, as any client would, and the modules' options for it."""

    def client_context(self, client: TlsFiles | None = None, *, trusts: Path | None = None) -> ssl.SSLContext:
        """TLS with the server verified, by the standard library alone."""
        context = ssl.create_default_context(cafile=str(trusts or self.pki.bundle))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.legacy:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.TLSv1
            context.set_ciphers("AES256-SHA:@SECLEVEL=0")
            context.options |= _LEGACY_SERVER_CONNECT
        if client:
            context.load_cert_chain(client.cert, client.key)
        return context

    @contextmanager
    def login(
        self, account: Account, tls: Tls | None, *, host: str | None = None, password: str | None = None
    ) -> Iterator[Connection[Any]]:
        """A session as this account; without ``tls`` in plain text."""
        connection = pymysql.connect(
            host=host or self.server.host,
            port=self.server.port,
            user=account.user,
            password=password if password is not None else account.password,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=10,
            **({"ssl": self.client_context(tls.client)} if tls else {"ssl_disabled": True}),
        )
        try:
            yield connection
        finally:
            if connection.open:
                connection.close()

    def admits(self, account: Account, tls: Tls | None) -> bool:
        """Whether the account gets in like this; anything but a refusal of the login is an error of the test."""
        try:
            with self.login(account, tls) as connection, connection.cursor() as cursor:
                cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
                row = cursor.fetchone()
                assert row is not None
                assert bool(row[1]) == (tls is not None), row
                return True
        except pymysql.err.OperationalError as e:
            if e.args[0] not in REFUSED:
                raise
            return False

    def options(self, account: Account, **more: Any) -> dict[str, Any]:
        """How to log in as this account with the server verified."""
        options: dict[str, Any] = {
            "login_host": self.server.host,
            "login_port": self.server.port,
            "login_user": account.user,
            "login_password": account.password,
        }
        if self.server.offers_tls:
            options["ca_cert"] = str(self.pki.bundle)
        if self.legacy:
            options["tls_min_version"] = "TLSv1"
        options.update(more)
        return {name: value for name, value in options.items() if value is not None}


class Database(Accounts, Records, Logins):
    """A server, asked and changed by its administrator over the Unix socket, and tried out over TCP."""


def _text(value: Any) -> Any:
    return value.decode("utf-8") if isinstance(value, bytes) else value
