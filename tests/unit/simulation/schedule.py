# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One schedule: everything that a seed decides.

Servers and their accounts, what is asked for, what goes wrong at which exchange, and what other administrators do
meanwhile.
"""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass, field

from tests.unit.memory_server import model, network
from tests.unit.memory_server.clock import Clock
from tests.unit.memory_server.model import RELEASES, Entry, Key, Requirement
from tests.unit.memory_server.network import Exchange, Fault, Network
from tests.unit.memory_server.server import US, MemoryServer, meets

LOGIN = "admin"
SUBJECT, ISSUER = "/O=Tests/CN=admin", "/O=Tests/CN=Tests CA"

_USERS = ("app", "report", "o'brien", "back\\slash", "Jörg", "app2", "app")
_HOSTS = ("%", "10.0.0.%", "10.0.0.5", "192.168.1.7", "db.example.com", "localhost", "127.0.0.1")
_DISTINGUISHED_NAMES = (SUBJECT, "/O=Other/CN=x", '/CN=it\'s "q" back\\slash')
# Privileges that a login of people may lack.
_LACKING: tuple[tuple[str, ...], ...] = (
    (model.UPDATE_ACCOUNTS, model.RELOAD, model.SUPER),
    (model.RELOAD, model.SUPER),
    (model.KILL, model.SUPER),
    (model.PROCESS, model.SUPER),
    (model.SELECT_THREADS,),
    (model.SET_VARIABLES, model.SUPER),
    (model.SYSTEM_USER, model.SUPER),
    (model.REPLICATION_CLIENT, model.SUPER),
    (model.SUPER, model.KILL, model.SET_VARIABLES, model.SYSTEM_USER),
    (model.CREATE_USER,),
    (model.REPLICATION_SLAVE,),
)
# How likely each is, of those that fit the exchange.
_STATEMENT_FAULTS = {
    network.CUT_BEFORE: 3,
    network.CUT_AFTER: 3,
    network.DELAYED: 2,
    network.HUNG: 4,
    network.SLOW: 1,
    network.LATE: 2,
    network.KILLED: 1,
    network.RESTART_BEFORE: 1,
    network.RESTART_AFTER: 1,
    network.MOVED: 1,
    network.MOVED_AND_CUT: 2,
}
_LOGIN_FAULTS = {
    network.UNREACHABLE: 3,
    network.SILENT: 1,
    network.TOO_MANY: 2,
    network.CUT_BEFORE: 1,
    network.CUT_AFTER: 1,
    network.SLOW: 1,
    network.ATTACKED: 3,
    network.RESTART_BEFORE: 1,
    network.MOVED: 2,
}


@dataclass
class Others:
    """What other administrators have done."""

    # Requirements that they have given to an account; None where it is gone.
    touched: dict[Key, set[Requirement | None]] = field(default_factory=dict)
    # The same, with the exchange before which it happened.
    touches: list[tuple[int, Key, Requirement | None]] = field(default_factory=list)
    exchange: int = 0
    renamed: dict[Key, Key] = field(default_factory=dict)
    # Things that may keep this run from talking to the server, or from writing.
    disruptive: list[str] = field(default_factory=list)
    switched: bool = False
    told: list[str] = field(default_factory=list)

    def touch(self, key: Key, requirement: Requirement | None) -> None:
        """Somebody has given an account this requirement."""
        self.touched.setdefault(key, set()).add(requirement)
        self.touches.append((self.exchange, key, requirement))


class Schedule:
    """Everything that is drawn from one seed.

    :arg file: A path that no file has; for ``rollback_file``.
    :arg certificate: The path of a client certificate with the names above.
    """

    def __init__(self, seed: int, file: str, certificate: str) -> None:
        self.seed = seed
        self.certificate = certificate
        self.rng = rng = random.Random(seed)  # noqa: S311  it is to be repeatable
        self.clock = Clock()
        name = rng.choice(list(RELEASES))
        self.server = MemoryServer(self.clock, name, 1, offers_tls=rng.random() < 0.97)
        self.others = Others()
        self.network = Network(self.clock, self.server)
        self._draw_server()
        self.params = self._draw_connection(certificate)
        self._draw_accounts()
        self.params.update(self._draw_request(file))
        self.check_mode = rng.random() < 0.04
        self._draw_clients()
        if rng.random() < 0.4:
            self.network.other = self._clone()
        self.network.numbers_are_the_servers = rng.random() < 0.9
        self.network.proxy_answers = not self.network.numbers_are_the_servers and rng.random() < 0.5
        self.network.certificate = (SUBJECT, ISSUER) if self.params.get("client_cert") else None
        self._faults = self._draw_occasions((0.25, 0.45, 0.2, 0.1))
        self._interference = self._draw_occasions((0.65, 0.2, 0.1, 0.05))
        self.network.fault = self._fault
        self.network.between = self._between

    # The world

    def _draw_server(self) -> None:
        rng, server = self.rng, self.server
        if server.release.mariadb and rng.random() < 0.5:
            server.variables["performance_schema"] = "ON"
        if rng.random() < 0.05:
            server.routines.add(("mysql", "rds_kill"))
        if server.release.has_switch and server.offers_tls and rng.random() < 0.1:
            server.somebody_switches(value=True, persist=server.release.has_persist and rng.random() < 0.5)
        if rng.random() < 0.04:
            server.variables[rng.choice(["read_only", "innodb_read_only"])] = "ON"
        if rng.random() < 0.3:
            server.variables["log_bin"] = "ON"
        if rng.random() < 0.05:
            server.replicas = [(2, "", 3306)]
        server.access_control = rng.random() > 0.01
        server.replicates = rng.random() < 0.05
        if rng.random() < 0.05:
            server.locks["dbtls.rds_mysql.mysql_require_ssl"] = (4, None)
            server.sessions[4] = model.ServerSession(
                4, "admin2", "10.0.0.9:1234", ("admin2", "%"), "SSL/TLS", frozenset(), "another run"
            )
            if rng.random() < 0.5:
                server.locks["dbtls.rds_mysql.mysql_require_ssl"] = (4, self.clock.now + 20 * rng.random())
        slow = rng.random()
        server.going = lambda session: (
            0.0 if slow < 0.7 else 0.5 * slow if slow < 0.95 or not session.waits else 60.0 * slow
        )

    @property
    def _plugins(self) -> list[str]:
        release = self.server.release
        if release.mariadb or release.numbers < (5, 7):
            return ["mysql_native_password"]
        if release.numbers >= (9, 0):
            return ["caching_sha2_password", "caching_sha2_password", "sha256_password"]
        if release.numbers >= (8, 0):
            return ["caching_sha2_password", "mysql_native_password", "sha256_password"]
        return ["mysql_native_password", "sha256_password"]

    def _draw_requirement(self) -> Requirement:
        rng = self.rng
        kind = rng.random()
        if kind < 0.6:
            return model.NONE
        if kind < 0.8:
            return model.ANY
        if kind < 0.9:
            return model.X509
        return (
            "SPECIFIED",
            rng.choice(["", "", "TLS_AES_256_GCM_SHA384"]),
            rng.choice(["", ISSUER]),
            rng.choice(_DISTINGUISHED_NAMES),
        )

    def _draw_accounts(self) -> None:
        rng, create = self.rng, self.server.somebody
        grants = model.ALL
        if rng.random() < 0.3:
            grants -= frozenset(rng.choice(_LACKING))
        self.login_host = "localhost" if self.params["login_unix_socket"] else rng.choice(["%", "10.0.0.%", "10.0.0.5"])
        requirement = model.NONE
        if rng.random() < 0.3 and not self.params["login_unix_socket"]:
            requirement = model.X509 if self.params.get("client_cert") and rng.random() < 0.4 else model.ANY
        self.login: Key = (LOGIN, self.login_host)
        create(
            "create",
            self.login,
            Entry(requirement, rng.choice(self._plugins), self.params["login_password"], grants=grants),
        )
        self.server.cached.add(self.login)
        for number in range(rng.choice([0, 1, 1, 2, 2, 3, 5])):
            key = (rng.choice(_USERS), rng.choice(_HOSTS))
            if key in self.server.accounts.table:
                continue
            plugin = rng.choice(self._plugins) if rng.random() < 0.97 else "mysql_native_password"
            system = frozenset((model.SYSTEM_USER,)) if rng.random() < 0.05 else frozenset()
            create(
                "create",
                key,
                Entry(self._draw_requirement(), plugin, f"pw-{key[0]}", rng.random() < 0.05, grants=system),
            )
            if rng.random() < 0.5:
                self.server.cached.add(key)
            if rng.random() < 0.03:
                create("update", key, self._draw_requirement())
            if number == 0 and rng.random() < 0.1:
                self.server.proxies[key] = self.login
        if rng.random() < 0.2:
            plugin = "unix_socket" if self.server.release.mariadb else "auth_socket"
            self.server.plugins.add(plugin)
            create("create", ("root", rng.choice(["localhost", "%"])), Entry(self._draw_requirement(), plugin))
        if rng.random() < 0.2:
            create("create", ("mysql.sys", "localhost"), Entry(locked=True, plugin=self._plugins[0]))
        if self.server.release.mariadb and rng.random() < 0.1:
            create("create", ("readers", ""), Entry(is_role=True))
        elif self.server.release.has_persist and rng.random() < 0.1:
            create("create", ("readers", "%"), Entry(is_role=True, plugin=self._plugins[0]))

    def _draw_clients(self) -> None:
        rng = self.rng
        keys = [key for key, entry in self.server.accounts.table.items() if not entry.is_role]
        self.clients = []
        for number in range(rng.choice([0, 0, 0, 1, 2])):
            key = rng.choice(list(self.server.proxies) if rng.random() < 0.5 and self.server.proxies else keys)
            transport = "Socket" if key[1] == "localhost" else rng.choice(["TCP/IP", "SSL/TLS", "SSL/TLS"])
            came_from = "10.0.0.5" if "%" in key[1] else key[1]
            host = "localhost" if transport == "Socket" else f"{came_from}:{50_000 + number}"
            command = "Binlog Dump GTID" if rng.random() < 0.1 else "Sleep"
            self.clients.append(self.server.connect_client(key, host, transport, command))

    def _clone(self) -> MemoryServer:
        """Another server: one made of a copy of this one's disk, where accounts may have gone their own way."""
        rng = self.rng
        other = MemoryServer(self.clock, self.server.release.name, 2, offers_tls=self.server.offers_tls)
        other.variables.update(self.server.variables)
        if rng.random() < 0.5:
            other.disk = self.server.disk
        other.other_switch, other.persisted = self.server.other_switch, dict(self.server.persisted)
        other.other_persisted = dict(self.server.other_persisted)
        other.accounts, other.others = self.server.accounts.copy(), self.server.accounts.copy()
        other.certificate_is_good = rng.random() < 0.85
        other.cached = set(self.server.cached)
        for key in list(other.accounts.table):
            if key != self.login and rng.random() < 0.2:
                other.somebody("require", key, self._draw_requirement())
        return other

    # What is asked for

    def _draw_connection(self, certificate: str) -> dict[str, t.Any]:
        rng = self.rng
        params: dict[str, t.Any] = {
            "login_host": "db.example.com",
            "login_user": LOGIN,
            "login_password": f"pw-{LOGIN}",
            "login_unix_socket": None,
            "connect_timeout": rng.choice([2, 5, 10]),
            "ca_cert": certificate,
        }
        way = rng.random()
        if way < 0.08:
            params["ssl_mode"] = "required"
        elif way < 0.16:
            del params["ca_cert"]
        elif way < 0.2:
            params["ssl_mode"] = "disabled"
        elif way < 0.25:
            del params["ca_cert"]
            params["login_unix_socket"] = "/run/mysqld.sock"
        if rng.random() < 0.3:
            params["client_cert"] = params["client_key"] = certificate
        return params

    def _draw_request(self, file: str) -> dict[str, t.Any]:
        rng, release = self.rng, self.server.release
        request = {**self._draw_selection(), **self._draw_wanted()}
        if rng.random() < (0.25 if release.has_switch else 0.01):
            request["require_secure_transport"] = rng.random() < 0.6
        request["include_local"] = rng.random() < 0.5
        request["unchangeable"] = rng.choice(["fail", "skip"])
        request["exact"] = rng.random() < 0.2
        request["method"] = "auto"
        if rng.random() < 0.3:
            likely = [release.has_alter_require, not release.mariadb]
            request["method"] = rng.choices(["alter_user", "grant_tables"], [1 if ok else 0.05 for ok in likely])[0]
        request["flush"] = rng.choices(["auto", "always", "never"], [8, 1, 0.5])[0]
        request["plaintext_sessions"] = rng.choice(["fail", "warn", "allow", "kill"])
        if rng.random() < 0.6:
            request["rollback_file"] = file
        able = [
            key[0]
            for key, entry in self.server.accounts.memory.items()
            if self.server.find_account(key[0], "10.0.0.5") == key
            and not entry.locked
            and meets(entry.requirement, "SSL/TLS", (SUBJECT, ISSUER) if self.params.get("client_cert") else None)
        ]
        if rng.random() < 0.3 and able:
            user = rng.choice(able)
            wrong = rng.random() < 0.03
            request["verify"] = [{"user": user, "password": "pw-wrong" if wrong else f"pw-{user}"}]
        return request

    def _draw_selection(self) -> dict[str, t.Any]:
        rng = self.rng
        way = rng.random()
        users = [key[0] for key, entry in self.server.accounts.table.items() if not entry.is_role]
        if way < 0.6:
            return {"all_accounts": True, "include_system": rng.random() < 0.1}
        if way < 0.75:
            return {"accounts": rng.choice([["app*"], ["*@10.0.0.*"], ["*"], ["admin@*", "report"]])}
        if way < 0.9 or not self.server.release.has_switch:
            return {"user": rng.choice(users)}
        return {"require_secure_transport": rng.random() < 0.7}

    def _draw_wanted(self) -> dict[str, t.Any]:
        way = self.rng.random()
        if way < 0.15:
            return {"ssl_type": "none"}
        if way > 0.6 and (self.params.get("client_cert") or way > 0.98):
            if way > 0.8:
                return {"ssl_type": "x509"}
            return {"ssl_type": "specified", "subject": self.rng.choice((SUBJECT, *_DISTINGUISHED_NAMES))}
        return {"ssl_type": "any"}

    # What goes wrong

    def _draw_occasions(self, weights: t.Sequence[float]) -> list[tuple[str, int]]:
        """When: so many exchanges after the start, or after the first one that writes."""
        rng = self.rng
        found = []
        for _unused in range(rng.choices(range(len(weights)), weights)[0]):
            if rng.random() < 0.15:
                found.append(("start", rng.randrange(30)))
            else:
                found.append(("write", int(rng.expovariate(0.25))))
        return found

    def _due(self, occasions: list[tuple[str, int]], exchange: Exchange) -> bool:
        number = exchange.number
        write = self.network.first_write
        if write is None and exchange.writes:
            write = number
        for occasion in occasions:
            since, wait = occasion
            start = 0 if since == "start" else write
            if start is not None and number >= start + wait:
                occasions.remove(occasion)
                return True
        return False

    def _fault(self, exchange: Exchange) -> Fault | None:
        if not self._due(self._faults, exchange):
            return None
        rng, timeout = self.rng, self.params["connect_timeout"]
        choices = dict(_LOGIN_FAULTS if exchange.statement is None else _STATEMENT_FAULTS)
        if exchange.writes:
            choices[network.LOCKED_OUT] = 2
        # Which server is meant is decided by where the first login leads.
        if self.network.other is None or exchange.number == 0:
            choices.pop(network.MOVED, None)
            choices.pop(network.MOVED_AND_CUT, None)
        kind = rng.choices(list(choices), list(choices.values()))[0]
        if kind in (network.HUNG, network.DELAYED):
            seconds = timeout * rng.choice([0.2, 0.8, 1.1, 1.5, 3, 5, 20])
        elif kind in (network.RESTART_BEFORE, network.RESTART_AFTER):
            seconds = timeout * rng.choice([0, 0.1, 0.5, 1.5, 4])
        else:
            seconds = timeout * rng.random()
        return Fault(kind, seconds, rng.choice([0.0, 0.0, 0.1, timeout * 2.0]))

    def _between(self, exchange: Exchange) -> None:
        self.others.exchange = exchange.number
        while self._due(self._interference, exchange):
            self._interfere()

    def _interfere(self) -> None:
        rng, server, others = self.rng, self.server, self.others
        keys = [key for key, entry in server.others.table.items() if not entry.is_role]
        key = rng.choice(keys)
        mine = key == self.login
        what = rng.choices(
            ["require", "update", "flush", "drop", "create", "rename", "switch", "kill", "read_only", "password"],
            [6, 1, 2, 1, 1, 2, 1, 2, 1, 0.5],
        )[0]
        others.told.append(f"{len(self.network.exchanges)}: {what} {key}")
        if what in ("require", "update"):
            requirement = self._draw_requirement()
            if mine and not self.params.get("client_cert") and requirement[0] in ("X509", "SPECIFIED"):
                others.disruptive.append("the login account needs a certificate")
            others.touch(key, requirement)
            server.somebody(what, key, requirement)
        elif what == "flush":
            server.somebody("flush")
        elif what == "drop" and not mine:
            others.touch(key, None)
            server.somebody("drop", key)
        elif what == "create":
            new = (f"new{rng.randrange(9)}", "%")
            if new not in server.accounts.table:
                requirement = self._draw_requirement()
                others.touch(new, requirement)
                server.somebody("create", new, Entry(requirement, self._plugins[0], "pw-new"))
        elif what == "rename" and not mine:
            new = (f"{key[0]}_x", key[1])
            if new not in server.accounts.table:
                others.renamed[key] = new
                others.touch(key, None)
                others.touch(new, server.others.table[key].requirement)
                server.somebody("rename", key, new)
        elif what == "switch" and server.release.has_switch and server.offers_tls:
            others.switched = True
            server.somebody_switches(value=rng.random() < 0.5, persist=server.release.has_persist)
        elif what == "kill":
            ours = [session for session in server.sessions.values() if session.author == US]
            if ours:
                others.disruptive.append("a session was killed")
                server.kill(rng.choice(ours))
        elif what == "read_only":
            others.disruptive.append("read-only")
            server.variables["super_read_only" if not server.release.mariadb else "read_only"] = "ON"
        elif what == "password":
            others.disruptive.append("the password of the login account")
            server.somebody("change", self.login, password="pw-changed")
