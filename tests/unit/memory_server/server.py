# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server: logins and statements, answered as the real ones answer them."""

from __future__ import annotations

import base64
import json
import re
import typing as t

from . import model
from .model import NONE, RELEASES, Accounts, Entry, Key, Release, Requirement, ServerSession, Write
from .sql import Parser, Row, Scope, ServerError, Unknown, like, parse_condition, parse_select

if t.TYPE_CHECKING:
    from .clock import Clock

US = "us"
"""The author of what the code under test writes; everybody else is somebody else."""

_DENIED = "Access denied; you need (at least one of) the {} privilege(s) for this operation"
_SWITCH = "require_secure_transport"
_VARIABLES = re.compile(r"SHOW\s+(?:GLOBAL\s+|SESSION\s+)?VARIABLES\s+(WHERE|LIKE)\s+(.*)\Z", re.DOTALL)
_STATUS = re.compile(r"SHOW\s+(?:GLOBAL\s+|SESSION\s+)?STATUS\s+(WHERE|LIKE)\s+(.*)\Z", re.DOTALL)
_ROLES = (
    "SELECT FROM_USER, FROM_HOST FROM mysql.role_edges "
    "UNION SELECT DEFAULT_ROLE_USER, DEFAULT_ROLE_HOST FROM mysql.default_roles"
)
_REPLICA_STATUS = ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS", "SHOW ALL SLAVES STATUS")
# Before and after a statement; one that ends in a string ends in a quote.
_COMMENTS = re.compile(r"\A\s*/\*.*?\*/\s*|\s*/\*[^*]*\*/\s*\Z", re.DOTALL)

_QUOTE = "'"

Rows = list[tuple[t.Any, ...]]


class MemoryServer:
    """One server.

    :arg name: A name of :data:`RELEASES`.
    :arg number: Tells it from others in its identity.
    """

    def __init__(self, clock: Clock, name: str, number: int = 1, *, offers_tls: bool = True) -> None:
        self.clock = clock
        self.release: Release = RELEASES[name]
        self.number = number
        self.disk = number  # that of another one, where it is a copy
        self.offers_tls = offers_tls
        self.certificate_is_good = True
        self.variables = dict(self.release.variables)
        if not offers_tls:
            self.variables.update({name: "DISABLED" for name in ("have_ssl", "have_openssl") if name in self.variables})
        self.access_control = True  # without it, any name and password gets in
        self.plugins = set(self.release.plugins)
        self.accounts = Accounts()
        # What the accounts would be without us, and the switch.
        self.others = Accounts()
        self.other_switch = self.variables.get(_SWITCH)
        self.persisted: dict[str, str] = {}
        self.other_persisted: dict[str, str] = {}
        self.sessions: dict[int, ServerSession] = {}
        self.proxies: dict[Key, Key] = {}  # who logs in, and as whom he goes on
        self.locks: dict[str, tuple[int, float | None]] = {}  # who holds it, and until when
        self.cached: set[Key] = set()  # accounts whose caching_sha2_password is in the cache
        self.counted: dict[str, list[int]] = {}  # with userstat, logins of each user, and those of them with TLS
        self.routines: set[tuple[str, str]] = set()
        self.replicates = False
        self.replicas: list[tuple[int, str, int]] = []  # server_id, host and port of each
        self.down_until = 0.0
        self._started = clock.now - 1000.0
        self._next_number = 10 + 100 * number
        self.starts = 1
        # Statements of ours that had an effect, or may have one.
        self.effects: list[str] = []
        self.writes: list[Write] = []
        self.our_flush = False

    # Identity

    @property
    def identity(self) -> dict[str, str | int]:
        """Variables by which one server can be told from another."""
        found: dict[str, str | int] = {
            "hostname": f"host-{self.number}",
            "port": 3306,
            "datadir": f"/var/lib/mysql-{self.number}/",
            "pid_file": f"/run/mysqld-{self.number}.pid",
            "version": self.release.version,
        }
        if not self.release.mariadb:
            found["server_uuid"] = f"7dbaa03e-eac7-11f1-a26a-02fc{self.disk:08d}"
        elif self.release.numbers >= (10, 11):
            found["server_uid"] = base64.b64encode(f"uid-of-server-{self.disk:06d}".encode()).decode()
        return found

    # What others do

    def somebody(self, what: str, *arguments: t.Any, **more: t.Any) -> None:
        """Somebody else changes accounts: a method of :class:`Accounts`, by name."""
        for accounts in (self.accounts, self.others):
            getattr(accounts, what)(*arguments, **more)

    def somebody_switches(self, *, value: bool, persist: bool = False) -> None:
        """Somebody else sets the server-wide switch."""
        text = "ON" if value else "OFF"
        self.variables[_SWITCH] = self.other_switch = text
        if persist:
            self.persisted[_SWITCH] = self.other_persisted[_SWITCH] = text

    def connect_client(
        self, account: Key, host: str, transport: str, command: str = "Sleep", author: str = "a client"
    ) -> ServerSession:
        """A session of somebody else."""
        self._next_number += 1
        session = ServerSession(
            self._next_number, account[0], host, account, transport, frozenset(), author, command=command
        )
        self._count(session)
        return session

    def _count(self, session: ServerSession) -> None:
        self.sessions[session.number] = session
        if self.variables.get("userstat") == "ON":
            # Users whose names differ in case alone are counted as one.
            name = next((name for name in self.counted if name.lower() == session.user.lower()), session.user)
            counts = self.counted.setdefault(name, [0, 0])
            counts[0] += 1
            counts[1] += session.transport == "SSL/TLS"

    def restart(self, seconds: float) -> None:
        """Crash, and be back after so long. The table is on disk, and so is what was persisted."""
        for session in list(self.sessions.values()):
            self.end(session)
        self.down_until = self.clock.now + seconds
        self._started = self.down_until
        self._next_number = 10
        self.starts += 1
        self.locks.clear()
        self.counted.clear()
        self.cached.clear()
        self.accounts.flush()
        self.others.flush()
        if self.release.has_switch:
            configured = self.release.variables[_SWITCH]
            self.variables[_SWITCH] = self.persisted.get(_SWITCH, configured)
            self.other_switch = self.other_persisted.get(_SWITCH, configured)

    def end(self, session: ServerSession) -> None:
        """The session is over."""
        session.gone = True
        self.sessions.pop(session.number, None)
        for name in [name for name, (holder, _until) in self.locks.items() if holder == session.number]:
            del self.locks[name]

    # Logins

    def find_account(self, user: str, host: str) -> Key | None:
        """The account that the server chooses: the most specific host first, then a named user."""
        found = [
            key
            for key, entry in self.accounts.memory.items()
            if key[0] in (user, "") and not entry.is_role and like(key[1]).match(host)
        ]

        def rank(key: Key) -> tuple[bool, int, bool]:
            wild = re.search(r"[%_]", key[1])
            return bool(wild), -(wild.start() if wild else len(key[1])), key[0] == ""

        return min(found, key=rank, default=None)

    def log_in(
        self,
        user: str,
        password: str,
        host: str,
        transport: str,
        certificate: tuple[str, str] | None,
        author: str = US,
    ) -> ServerSession:
        """A session, or the error that the server answers.

        :arg host: Of the client, with its port, or ``localhost``.
        :arg transport: ``TCP/IP``, ``SSL/TLS`` or ``Socket``.
        :arg certificate: Subject and issuer of the client's certificate.
        """
        client_host = host.rpartition(":")[0] or host
        if not self.access_control:
            return self._without_access_control(user, host, transport, author)
        denied = ServerError(
            1045, f"Access denied for user '{user}'@'{client_host}' (using password: {'YES' if password else 'NO'})"
        )
        key = self.find_account(user, client_host)
        if key is None:
            raise denied
        entry = self.accounts.memory[key]
        if entry.plugin in ("unix_socket", "auth_socket"):
            if transport != "Socket":
                raise ServerError(1698, f"Access denied for user '{user}'@'{client_host}'")
        elif entry.password != password:
            raise denied
        if entry.plugin not in self.plugins:
            raise ServerError(1524, f"Plugin '{entry.plugin}' is not loaded")
        # Measured: MariaDB checks the requirement of who logs in, MySQL that of the account that he goes on as.
        effective = self.proxies.get(key, key)
        checked = key if self.release.mariadb else effective
        requirement = self.accounts.memory[checked].requirement if checked in self.accounts.memory else NONE
        if not meets(requirement, transport, certificate):
            raise denied
        if entry.locked:
            raise ServerError(
                4151 if self.release.mariadb else 3118,
                f"Access denied for user '{user}'@'{client_host}'. Account is locked.",
            )
        if transport == "TCP/IP" and self.variables.get(_SWITCH) == "ON":
            code = 1045 if self.release.mariadb and self.release.numbers < (11, 0) else 3159
            raise (
                denied
                if code == 1045
                else ServerError(
                    3159, "Connections using insecure transport are prohibited while --require_secure_transport=ON."
                )
            )
        self.cached.add(key)
        self._next_number += 1
        session = ServerSession(
            self._next_number,
            user,
            host,
            effective,
            transport,
            self.accounts.memory.get(effective, entry).grants,
            author,
            sql_mode=self.variables["sql_mode"],
            proxy=None if effective == key else key,
        )
        self._count(session)
        return session

    def _without_access_control(self, user: str, host: str, transport: str, author: str) -> ServerSession:
        modern = not self.release.mariadb and self.release.numbers >= (8, 0)
        account = ("skip-grants user", "skip-grants host") if modern else ("", "")
        self._next_number += 1
        session = ServerSession(self._next_number, user, host, account, transport, model.ALL, author)
        session.sql_mode = self.variables["sql_mode"]
        self.sessions[session.number] = session
        return session

    # Statements

    def execute(self, session: ServerSession, text: str, arguments: t.Sequence[t.Any] = ()) -> Rows | None:
        """The answer's rows, None where it has none.

        :raises ServerError: where it is an error.
        """
        if arguments:
            assert text.count("%s") == len(arguments), (text, arguments)
            assert "%" not in text.replace("%s", "").replace("%%", ""), f"a % that PyMySQL stumbles over: {text}"
        bare = _COMMENTS.sub("", text).strip()
        word = bare.split(None, 1)[0].upper() if bare else ""
        handler = getattr(self, f"_do_{word.lower()}", None)
        if handler is None:
            raise Unknown(f"the memory server does not know this statement: {text}")
        return t.cast("Rows | None", handler(session, bare, tuple(arguments)))

    def _backslash(self, session: ServerSession) -> bool:
        return "NO_BACKSLASH_ESCAPES" not in session.sql_mode

    def _parser(self, session: ServerSession, text: str) -> Parser:
        return Parser(text, self._backslash(session))

    def _scope(self, session: ServerSession, arguments: t.Sequence[t.Any]) -> Scope:
        functions: dict[str, t.Callable[..., t.Any]] = {
            "CONNECTION_ID": lambda: session.number,
            "CURRENT_USER": lambda: "{}@{}".format(*session.account),
            "USER": lambda: f"{session.user}@{session.client_host}",
            "COALESCE": lambda *values: next((value for value in values if value is not None), None),
            "IFNULL": lambda first, second: second if first is None else first,
            "CONCAT": lambda *values: "".join(str(value) for value in values),
            "IF": lambda condition, yes, no: yes if condition else no,
            "LOCATE": lambda part, text: 0 if text is None else str(text).lower().find(str(part).lower()) + 1,
            "LOWER": lambda value: str(value).lower(),
            "JSON_VALUE": _json_value,
            "GET_LOCK": lambda name, seconds: self._get_lock(session, name, seconds),
            "IS_USED_LOCK": self._is_used_lock,
            "VERSION": lambda: self.release.version,
        }
        return Scope(functions, lambda name: self._variable(session, name), arguments)

    def _variable(self, session: ServerSession, name: str) -> t.Any:
        scope, _dot, bare = name.rpartition(".")
        if scope not in ("", "global", "session"):
            raise Unknown(f"the memory server does not know @@{name}")
        if bare == "sql_mode" and scope != "global":
            return session.sql_mode
        if bare == "proxy_user":
            return "'{}'@'{}'".format(*session.proxy) if session.proxy else None
        value = self.variables.get(bare)
        if value is None:
            if bare in self.identity:
                return self.identity[bare]
            if bare not in model.KNOWN_VARIABLES:
                raise Unknown(f"the memory server does not know @@{name}")
            raise ServerError(1193, f"Unknown system variable '{bare}'")
        return {"ON": 1, "OFF": 0}.get(value, value)

    def _get_lock(self, session: ServerSession, name: str, seconds: int) -> int:
        deadline = self.clock.now + seconds
        while True:
            holder, until = self.locks.get(name, (session.number, None))
            if until is not None and until <= self.clock.now:
                holder = session.number
            if holder == session.number or holder not in self.sessions:
                self.locks[name] = (session.number, None)
                return 1
            if until is None or until > deadline:
                self.clock.sleep(max(0.0, deadline - self.clock.now))
                return 0
            self.clock.sleep(until - self.clock.now)

    def _is_used_lock(self, name: str) -> int | None:
        return self.locks[name][0] if name in self.locks else None

    def _do_select(self, session: ServerSession, text: str, arguments: t.Sequence[t.Any]) -> Rows:
        if text == _ROLES:
            self._needs(session, model.SELECT_ACCOUNTS, 1142, f"SELECT command denied to {_who(session)}")
            return [key for key, entry in self.accounts.table.items() if entry.is_role]
        select = parse_select(text, self._backslash(session))
        return select.run(self._scope(session, arguments), lambda name: self._table(session, name))

    def _table(self, session: ServerSession, name: str) -> t.Sequence[Row]:
        schema, table = name.split(".")
        if name in ("mysql.user", "mysql.global_priv", "mysql.proxies_priv"):
            if name == "mysql.global_priv" and not self.release.mariadb:
                raise ServerError(1146, "Table 'mysql.global_priv' doesn't exist")
            self._needs(session, model.SELECT_ACCOUNTS, 1142, f"SELECT command denied to {_who(session)}")
            if table == "proxies_priv":
                rows: list[Row] = [
                    {"user": k[0], "host": k[1], "proxied_user": v[0], "proxied_host": v[1]}
                    for k, v in self.proxies.items()
                ]
                return rows
            make = self._user_row if table == "user" else _global_priv_row
            return [make(key, entry) for key, entry in self.accounts.table.items()]
        if name == "information_schema.processlist":
            return [
                {
                    "id": other.number,
                    "user": other.user,
                    "host": other.host,
                    "db": None,
                    "command": "Killed" if other.killed else other.command,
                    "time": 0,
                    "state": "",
                    "info": other.info,
                }
                for other in self.sessions.values()
                if model.PROCESS in session.grants or other.user == session.user
            ]
        if name == "information_schema.innodb_trx":
            self._needs(session, model.PROCESS, 1227, _DENIED.format("PROCESS"))
            return []
        if name == "information_schema.user_statistics":
            if not self.release.mariadb:
                raise ServerError(1109, "Unknown table 'USER_STATISTICS' in information_schema")
            return [
                {"user": user, "total_connections": logins, "total_ssl_connections": tls}
                for user, (logins, tls) in self.counted.items()
                if model.PROCESS in session.grants
            ]
        if name == "information_schema.plugins":
            return [
                {"plugin_name": plugin, "plugin_type": "AUTHENTICATION", "plugin_status": "ACTIVE"}
                for plugin in sorted(self.plugins)
            ]
        if name in ("mysql.global_grants", "information_schema.enabled_roles"):
            return self._system_users(session, table)
        if name == "information_schema.routines":
            return [{"routine_schema": schema, "routine_name": routine} for schema, routine in self.routines]
        if schema == "performance_schema":
            return self._performance_schema(session, table)
        raise Unknown(f"the memory server does not know the table {name}")

    def _system_users(self, session: ServerSession, table: str) -> t.Sequence[Row]:
        assert self.release.atomic, "only MySQL 8 and newer are asked for these"
        if table == "enabled_roles":
            return []
        self._needs(session, model.SELECT_ACCOUNTS, 1142, f"SELECT command denied to {_who(session)}")
        return [
            {"user": key[0], "host": key[1], "priv": privilege}
            for key, entry in self.accounts.memory.items()
            for privilege in entry.grants & {model.SYSTEM_USER}
        ]

    def _performance_schema(self, session: ServerSession, table: str) -> t.Sequence[Row]:
        if table == "persisted_variables":
            if not self.release.has_persist:
                self._needs(session, model.SELECT_THREADS, 1142, f"SELECT command denied to {_who(session)}")
                raise ServerError(1146, "Table 'performance_schema.persisted_variables' doesn't exist")
            return [{"variable_name": name, "variable_value": value} for name, value in self.persisted.items()]
        if table != "threads":
            raise Unknown(f"the memory server does not know performance_schema.{table}")
        self._needs(session, model.SELECT_THREADS, 1142, f"SELECT command denied to {_who(session)}")
        if self.variables["performance_schema"] != "ON":
            return []
        rows = []
        for other in self.sessions.values():
            row: dict[str, t.Any] = {
                "type": "FOREGROUND",
                "processlist_id": other.number,
                "processlist_user": other.user,
                "processlist_host": other.client_host,
                "processlist_command": other.command,
                "processlist_info": other.info,
            }
            if self.release.has_connection_type:
                row["connection_type"] = other.transport
            rows.append(row)
        return rows

    def _user_row(self, key: Key, entry: Entry) -> Row:
        ssl_type, cipher, issuer, subject = entry.requirement
        as_bytes = not self.release.mariadb  # blob columns
        row: dict[str, t.Any] = {
            "user": key[0],
            "host": key[1],
            "plugin": entry.plugin,
            "ssl_type": "" if ssl_type == "NONE" else ssl_type,
            "ssl_cipher": cipher.encode() if as_bytes else cipher,
            "x509_issuer": issuer.encode() if as_bytes else issuer,
            "x509_subject": subject.encode() if as_bytes else subject,
            "authentication_string": "" if entry.is_role else _hash(entry.password),
            "password_expired": "Y" if entry.is_role else "N",
        }
        if self.release.mariadb:
            row["is_role"] = "Y" if entry.is_role else "N"
            row["host"] = "" if entry.is_role else key[1]
        elif self.release.has_alter_require:
            row["account_locked"] = "Y" if entry.locked or entry.is_role else "N"
        return row

    def _needs(self, session: ServerSession, privilege: str, code: int, text: str) -> None:
        if privilege not in session.grants:
            raise ServerError(code, text)

    # SHOW

    def _do_show(self, session: ServerSession, text: str, arguments: t.Sequence[t.Any]) -> Rows:
        if text in ("SHOW REPLICAS", "SHOW SLAVE HOSTS"):
            return self._replicas(session, text)
        if text in _REPLICA_STATUS:
            return self._replica_status(session, text)
        for pattern, values in ((_VARIABLES, self._shown_variables), (_STATUS, self._shown_status)):
            match = pattern.match(text)
            if match:
                return self._shown(session, match.group(1), match.group(2), values(session), arguments)
        parser = self._parser(session, text)
        parser.expect("SHOW")
        if parser.word("CREATE", "USER"):
            if not self.release.has_alter_require:
                raise _syntax(text)
            return self._show_account(session, self._shown_account(session, parser), self._create_user, arguments)
        if parser.word("GRANTS"):
            key = self._shown_account(session, parser) if parser.word("FOR") else session.account
            parser.end()
            return self._show_account(session, key, self._grants, arguments)
        raise parser.unknown()

    def _shown(
        self,
        session: ServerSession,
        how: str,
        condition: str,
        values: t.Mapping[str, str],
        arguments: t.Sequence[t.Any],
    ) -> Rows:
        if how == "LIKE":
            condition = f"Variable_name LIKE {condition}"
        wanted = parse_condition(condition, self._backslash(session))
        scope = self._scope(session, arguments)
        found = []
        for name, value in sorted(values.items()):
            scope.rows["variables"] = {"variable_name": name, "value": value}
            if wanted.value(scope):
                found.append((name, value))
        return found

    def _shown_variables(self, session: ServerSession) -> t.Mapping[str, str]:
        told = {name: str(value) for name, value in self.identity.items()}
        return {**self.variables, **told, "sql_mode": session.sql_mode}

    def _shown_status(self, session: ServerSession) -> t.Mapping[str, str]:
        encrypted = session.transport == "SSL/TLS"
        return {
            "Uptime": str(max(0, int(self.clock.now - self._started))),
            "Ssl_cipher": "TLS_AES_256_GCM_SHA384" if encrypted else "",
        }

    def _replica_status(self, session: ServerSession, text: str) -> Rows:
        spoken = {
            "SHOW ALL SLAVES STATUS": self.release.mariadb,
            "SHOW REPLICA STATUS": self.release.mariadb or self.release.numbers >= (8, 0),
            "SHOW SLAVE STATUS": self.release.mariadb or self.release.numbers < (8, 4),
        }
        if not spoken[text]:
            raise _syntax(text)
        if not session.may(model.REPLICATION_CLIENT):
            raise ServerError(
                1227, _DENIED.format("SLAVE MONITOR" if self.release.mariadb else "SUPER, REPLICATION CLIENT")
            )
        if not self.replicates:
            return []
        own = ("", "") if self.release.mariadb else ()
        of_source = ("source", "repl", 3306, 60, "log.1", 4, "relay.1", 4, "log.1", "Yes", "Yes")
        return [(*own, "Waiting for source to send event", *of_source, "", "", "", "", "", "")]

    def _replicas(self, session: ServerSession, text: str) -> Rows:
        modern = not self.release.mariadb and self.release.numbers >= (8, 0)
        if modern != (text == "SHOW REPLICAS"):
            raise _syntax(text)
        if model.REPLICATION_SLAVE not in session.grants:
            told = "REPLICATION MASTER ADMIN" if self.release.mariadb else "REPLICATION SLAVE"
            raise ServerError(1227, _DENIED.format(told))
        uuid = () if self.release.mariadb else ("uuid",)
        return [(number, host, port, 1, *uuid) for number, host, port in self.replicas]

    def _shown_account(self, session: ServerSession, parser: Parser) -> Key:
        if parser.word("CURRENT_USER"):
            if parser.word("("):
                parser.expect(")")
            return session.account
        return self._account(parser)

    def _show_account(
        self,
        session: ServerSession,
        key: Key,
        make: t.Callable[[Key, Entry], str],
        arguments: t.Sequence[t.Any],
    ) -> Rows:
        assert not arguments, "these statements are sent with the name in them"
        shows_creation = make == self._create_user
        if key != session.account and model.SELECT_ACCOUNTS not in session.grants:
            raise ServerError(1044, f"Access denied for user '{session.user}'@'{key[1]}' to database 'mysql'")
        entry = self.accounts.memory.get(key)
        if entry is None:
            if not shows_creation:
                raise ServerError(1141, f"There is no such grant defined for user '{key[0]}' on host '{key[1]}'")
            if self.release.mariadb:
                raise ServerError(1133, "Can't find any matching row in the user table")
            raise ServerError(1396, f"Operation SHOW CREATE USER failed for '{key[0]}'@'{key[1]}'")
        return [(make(key, entry),)]

    def _create_user(self, key: Key, entry: Entry) -> str:
        clause = self._require_clause(entry.requirement)
        if self.release.mariadb:
            how = (
                f" IDENTIFIED BY PASSWORD '{_hash(entry.password)}'"
                if entry.plugin == "mysql_native_password" and entry.password
                else f" IDENTIFIED VIA {entry.plugin}" if entry.plugin != "mysql_native_password" else ""
            )  # fmt: skip
            return f"CREATE USER {_ticked(key)}{how}{clause}{' ACCOUNT LOCK' if entry.locked else ''}"
        name = _ticked(key) if self.release.numbers >= (8, 0) else _quoted(key)
        how = f" IDENTIFIED WITH '{entry.plugin}'"
        if entry.password:
            how += f" AS '{_hash(entry.password)}'"
        end = " PASSWORD EXPIRE DEFAULT ACCOUNT " + ("LOCK" if entry.locked else "UNLOCK")
        if self.release.numbers >= (8, 0):
            end += " PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT PASSWORD REQUIRE CURRENT DEFAULT"
        return f"CREATE USER {name}{how}{clause or ' REQUIRE NONE'}{end}"

    def _grants(self, key: Key, entry: Entry) -> str:
        if not self.release.mariadb and self.release.numbers >= (5, 7):
            name = _ticked(key) if self.release.numbers >= (8, 0) else _quoted(key)
            return f"GRANT USAGE ON *.* TO {name}"
        name = _ticked(key) if self.release.mariadb else _quoted(key)
        how = f" IDENTIFIED BY PASSWORD '{_hash(entry.password)}'" if entry.password else ""
        return f"GRANT USAGE ON *.* TO {name}{how}{self._require_clause(entry.requirement)}"

    def _require_clause(self, requirement: Requirement) -> str:
        ssl_type, cipher, issuer, subject = requirement
        if ssl_type != "SPECIFIED":
            return {"NONE": "", "ANY": " REQUIRE SSL", "X509": " REQUIRE X509"}[ssl_type]
        parts = [("ISSUER", issuer), ("SUBJECT", subject), ("CIPHER", cipher)]
        if not self.release.mariadb and self.release.numbers >= (5, 7):
            parts = [("SUBJECT", subject), ("ISSUER", issuer), ("CIPHER", cipher)]
        # All but MariaDB 11.8 write them as they are, quotes and backslashes too.
        shown = _escaped if self.release.mariadb and self.release.numbers >= (11, 0) else str
        return " REQUIRE " + " ".join(f"{name} '{shown(value)}'" for name, value in parts if value)

    # What writes

    def _account(self, parser: Parser) -> Key:
        user = parser.string()
        parser.expect("@")
        return user, parser.string().lower()

    def _clause(self, parser: Parser) -> Requirement:
        parser.expect("REQUIRE")
        if parser.word("NONE"):
            return NONE
        if parser.word("SSL"):
            return model.ANY
        if parser.word("X509"):
            return model.X509
        parts = {"CIPHER": "", "ISSUER": "", "SUBJECT": ""}
        while True:
            name = parser.next().text.upper()
            if name not in parts or parts[name]:
                raise parser.unknown()
            parts[name] = parser.string()
            if not parser.word("AND") and parser.peek().text.upper() not in parts:
                break
        return "SPECIFIED", parts["CIPHER"], parts["ISSUER"], parts["SUBJECT"]

    def _targets(self, parser: Parser) -> list[Key]:
        keys = [self._account(parser)]
        while parser.word(","):
            keys.append(self._account(parser))
        return keys

    def _writable(self, session: ServerSession) -> None:
        for name in ("innodb_read_only", "super_read_only", "read_only"):
            if self.variables.get(name, "OFF") == "ON" and (name != "read_only" or model.SUPER not in session.grants):
                raise ServerError(
                    1290,
                    f"The server is running with the --{name.replace('_', '-')} option so it cannot execute this "
                    "statement",
                )

    def _written(self, session: ServerSession, text: str) -> None:
        if session.author == US:
            self.effects.append(text)

    def _changed(self, session: ServerSession, text: str, key: Key, requirement: Requirement) -> None:
        self._written(session, text)
        if session.author == US and key in self.accounts.table:
            before = self.accounts.table[key].requirement
            self.writes.append(Write(session.exchange, key, before, requirement))

    def _both(self, session: ServerSession) -> tuple[Accounts, ...]:
        return (self.accounts,) if session.author == US else (self.accounts, self.others)

    def _do_alter(self, session: ServerSession, text: str, arguments: t.Sequence[t.Any]) -> None:
        assert not arguments
        if not self.release.has_alter_require:
            raise _syntax(text)
        parser = self._parser(session, text)
        parser.expect("ALTER", "USER")
        keys = self._targets(parser)
        requirement = self._clause(parser)
        parser.end()
        if model.CREATE_USER not in session.grants:
            raise ServerError(1227, _DENIED.format("CREATE USER"))
        self._writable(session)
        spoilt = any(mark in part for part in requirement[1:] for mark in "'\\")
        assert not spoilt or self.release.mariadb or self.variables["log_bin"] == "OFF", f"replicas stop at: {text}"
        self._require(session, text, keys, requirement, 1396)

    def _require(
        self, session: ServerSession, text: str, keys: t.Sequence[Key], requirement: Requirement, missing: int
    ) -> None:
        failures: list[ServerError] = []
        good = []
        for key in keys:
            entry = self.accounts.memory.get(key)
            if entry is None:
                told = f"Operation ALTER USER failed for '{key[0]}'@'{key[1]}'"
                failures.append(
                    ServerError(missing, told if missing == 1396 else "Can't find any matching row in the user table")
                )
            elif self.release.atomic and model.SYSTEM_USER in entry.grants and model.SYSTEM_USER not in session.grants:
                failures.append(ServerError(1227, _DENIED.format("SYSTEM_USER")))
            elif entry.plugin not in self.plugins and not self.release.mariadb:
                failures.append(ServerError(1524, f"Plugin '{entry.plugin}' is not loaded"))
            else:
                good.append(key)
        if failures and self.release.atomic:
            raise failures[0]
        for key in good:
            self._changed(session, text, key, requirement)
            for accounts in self._both(session):
                accounts.require(key, requirement)
        if failures:
            raise failures[0]

    def _do_grant(self, session: ServerSession, text: str, arguments: t.Sequence[t.Any]) -> None:
        assert not arguments
        parser = self._parser(session, text)
        parser.expect("GRANT", "USAGE", "ON", "*", ".", "*", "TO")
        keys = self._targets(parser)
        requirement = self._clause(parser)
        parser.end()
        if not self.release.grant_requires:
            raise _syntax(text)
        if model.CREATE_USER not in session.grants:
            raise ServerError(1045, f"Access denied for {_who(session)} (using password: YES)")
        assert "NO_AUTO_CREATE_USER" in session.sql_mode, f"may create accounts without a password: {text}"
        self._writable(session)
        self._require(session, text, keys, requirement, 1133)

    def _do_update(self, session: ServerSession, text: str, arguments: t.Sequence[t.Any]) -> None:
        head, _where, condition = text.partition(" WHERE ")
        if head != (
            "UPDATE mysql.user SET ssl_type = %s, ssl_cipher = %s, x509_issuer = %s, x509_subject = %s"
        ) or not (condition and len(arguments) > 4):
            raise Unknown(f"the memory server does not know this statement: {text}")
        ssl_type, cipher, issuer, subject = arguments[:4]
        if ssl_type not in ("", "ANY", "X509", "SPECIFIED"):
            raise ServerError(1265, "Data truncated for column 'ssl_type' at row 1")
        self._may_update(session)
        wanted = parse_condition(condition, self._backslash(session))
        scope = self._scope(session, arguments[4:])
        for key, entry in list(self.accounts.table.items()):
            scope.rows["user"] = self._user_row(key, entry)
            if wanted.value(scope):
                requirement = (ssl_type or "NONE", cipher, issuer, subject)
                self._changed(session, text, key, requirement)
                for accounts in self._both(session):
                    accounts.update(key, requirement)

    def _may_update(self, session: ServerSession) -> None:
        self._needs(session, model.UPDATE_ACCOUNTS, 1142, f"UPDATE command denied to {_who(session)}")
        if self.release.mariadb:
            raise ServerError(1356, "View 'mysql.user' references invalid table(s)")
        self._writable(session)

    def _do_explain(self, session: ServerSession, text: str, arguments: t.Sequence[t.Any]) -> Rows:
        parser = self._parser(session, text)
        parser.expect("EXPLAIN", "UPDATE")
        self._may_update(session)
        return [("-> <not executable by iterator executor>\n",)]

    def _do_flush(self, session: ServerSession, text: str, arguments: t.Sequence[t.Any]) -> None:
        parser = self._parser(session, text)
        parser.expect("FLUSH", "PRIVILEGES")
        parser.end()
        self._needs(session, model.RELOAD, 1227, _DENIED.format("RELOAD"))
        if session.author == US:
            self.our_flush = True
        if self.accounts.memory != self.accounts.table:
            self._written(session, text)
        for accounts in self._both(session):
            accounts.flush()

    def _do_set(self, session: ServerSession, text: str, arguments: t.Sequence[t.Any]) -> None:
        if text == "SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',NO_AUTO_CREATE_USER')":
            if self.release.atomic:
                raise ServerError(1231, "Variable 'sql_mode' can't be set to the value of 'NO_AUTO_CREATE_USER'")
            session.sql_mode += ",NO_AUTO_CREATE_USER"
            return
        parser = self._parser(session, text)
        parser.expect("SET")
        scope = parser.next().text.upper()
        name = parser.next().text.lower()
        parser.expect("=")
        value = parser.next().text.upper()
        parser.end()
        if scope not in ("GLOBAL", "PERSIST") or name != _SWITCH or value not in ("ON", "OFF"):
            raise parser.unknown()
        if scope == "PERSIST" and not self.release.has_persist:
            raise _syntax(text) if self.release.has_switch else ServerError(1193, "Unknown system variable 'PERSIST'")
        if not self.release.has_switch:
            raise ServerError(1193, f"Unknown system variable '{_SWITCH}'")
        if not session.may(model.SET_VARIABLES):
            raise ServerError(1227, _DENIED.format("SUPER or SYSTEM_VARIABLES_ADMIN"))
        assert value == "OFF" or self.offers_tls, "the real ones refuse it without TLS"
        self._written(session, text)
        self.variables[_SWITCH] = value
        if scope == "PERSIST":
            self.persisted[_SWITCH] = value

    def _do_start(self, session: ServerSession, text: str, arguments: t.Sequence[t.Any]) -> None:
        parser = self._parser(session, text)
        parser.expect("START", "TRANSACTION")
        parser.end()

    def _do_rollback(self, session: ServerSession, text: str, arguments: t.Sequence[t.Any]) -> None:
        """Nothing that these servers do is part of a transaction."""
        parser = self._parser(session, text)
        parser.expect("ROLLBACK")
        parser.end()

    def _do_reset(self, session: ServerSession, text: str, arguments: t.Sequence[t.Any]) -> None:
        parser = self._parser(session, text)
        parser.expect("RESET", "PERSIST", "IF", "EXISTS", _SWITCH.upper())
        parser.end()
        if not self.release.has_persist:
            raise _syntax(text)
        if _SWITCH not in self.persisted:
            return
        if not session.may(model.SET_VARIABLES):
            raise ServerError(1227, _DENIED.format("SYSTEM_VARIABLES_ADMIN"))
        self._written(session, text)
        del self.persisted[_SWITCH]

    def _do_kill(self, session: ServerSession, text: str, arguments: t.Sequence[t.Any]) -> None:
        parser = self._parser(session, text)
        parser.expect("KILL")
        query = parser.word("QUERY")
        _unused = query or parser.word("CONNECTION")
        number = parser.number()
        parser.end()
        if query:
            raise Unknown(f"the memory server does not know this statement: {text}")
        self._kill(session, number)

    def _do_call(self, session: ServerSession, text: str, arguments: t.Sequence[t.Any]) -> None:
        parser = self._parser(session, text)
        parser.expect("CALL", "MYSQL", ".", "RDS_KILL", "(")
        number = parser.number()
        parser.expect(")")
        if ("mysql", "rds_kill") not in self.routines:
            raise ServerError(1305, "PROCEDURE mysql.rds_kill does not exist")
        self._kill(session, number, always=True)

    def _kill(self, session: ServerSession, number: int, *, always: bool = False) -> None:
        other = self.sessions.get(number)
        if other is None:
            raise ServerError(1094, f"Unknown thread id: {number}")
        if not (always or session.may(model.KILL) or other.user == session.user):
            raise ServerError(1095, f"You are not owner of thread {number}")
        self.kill(other)

    # Seconds that a session takes to go; one that waits may take longer.
    going: t.Callable[[ServerSession], float] = staticmethod(lambda session: 0.0)

    def kill(self, session: ServerSession) -> None:
        """End it; its statement, if it waits for something, is not carried out any more."""
        if session.killed:
            return
        session.killed = True
        seconds = self.going(session)
        if seconds:
            self.clock.at(self.clock.now + seconds, lambda: self.end(session))
        else:
            self.end(session)


def meets(requirement: Requirement, transport: str, certificate: tuple[str, str] | None) -> bool:
    """Whether a login fulfils what its account requires."""
    ssl_type, _cipher, issuer, subject = requirement
    if ssl_type == "NONE":
        return True
    if transport != "SSL/TLS" or (ssl_type != "ANY" and certificate is None):
        return False
    if ssl_type == "SPECIFIED" and certificate is not None:
        return (not subject or subject == certificate[0]) and (not issuer or issuer == certificate[1])
    return True


def _who(session: ServerSession) -> str:
    return f"user '{session.user}'@'{session.client_host}'"


def _hash(password: str) -> str:
    """What stands for the password's hash, so that a test can look for it. No hash has a quote in it."""
    return f"*HASH-OF-{password.replace(_QUOTE, '')}" if password else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "''")


def _ticked(key: Key) -> str:
    return "`{}`@`{}`".format(*(part.replace("`", "``") for part in key))


def _quoted(key: Key) -> str:
    return "'{}'@'{}'".format(*key)


def _syntax(text: str) -> ServerError:
    return ServerError(1064, f"You have an error in your SQL syntax; check the manual near {text[-40:]!r}")


def _global_priv_row(key: Key, entry: Entry) -> Row:
    private: dict[str, t.Any] = {"plugin": entry.plugin, "authentication_string": _hash(entry.password)}
    if entry.locked:
        private["account_locked"] = True
    if entry.is_role:
        private["is_role"] = True
    return {"user": key[0], "host": "" if entry.is_role else key[1], "priv": json.dumps(private)}


def _json_value(document: str, path: str) -> t.Any:
    assert path.startswith("$."), path
    value = json.loads(document).get(path[2:])
    return {True: "1", False: "0"}.get(value, value) if isinstance(value, bool) else value
