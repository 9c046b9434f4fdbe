# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_require_ssl with the network failing under it, at one place at a time.

A run without a fault shows which packets there are; then the same run is made again and again, each time with one fault
at one of them. After every one each account is in its old or its new state, what was said about it is true, the
administrator gets in as the state demands, and what was offered for repair repairs.
"""

from __future__ import annotations

import gc
import queue
import re
import signal
import ssl
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pymysql
import pytest
import yaml
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement import enforce
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import connection_argument_spec
from ansible_collections.dbtls.rds_mysql.plugins.modules import mysql_require_ssl
from pymysql.connections import Connection

from tests.servers import MATRIX
from tests.servers import fault_proxy as fp
from tests.servers.fault_proxy import Fault, FaultProxy, Packet, Place
from tests.servers.pki import account_names

from .assertions import judge
from .database import LEGACY, REFUSED, Database
from .launcher import COLLECTION
from .runner import Modules, client_options, module_arguments, module_environment
from .servers import Servers

_SECONDS = 2

# Runs go side by side, each with accounts of its own, as many of them do nothing but wait for a timeout.
_WORKERS = 6
_WORKERS_WITH_FIFTY = 2

# How long a run with such a fault takes depends on connect_timeout.
_SLOW = (fp.STALL, fp.LATE, fp.TOO_LONG)

# CPython leaves a socket open that was reset before its TLS handshake began, and says so when it finds it.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")

_WRITES = re.compile(r"(ALTER|UPDATE|GRANT|FLUSH|SET SESSION sql_mode|SET (GLOBAL|PERSIST))\b", re.IGNORECASE)

# A requirement that is hard to put back exactly.
_AWKWARD = r"""SUBJECT '/O=It''s 100%/CN=\\x' AND ISSUER '/CN="q"' AND CIPHER 'NONE-SUCH'"""

Name = tuple[str, str]

# Counts as one more account.
_SWITCH: Name = ("", "require_secure_transport")

State = tuple[tuple[str, ...], str]


class Witness:
    """Looks at accounts, and puts them right, over a session that no fault reaches."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._connection: Connection[Any] | None = None

    def close(self) -> None:
        """End the session; the next question begins another."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def run(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Run a statement as root."""
        if self._connection is None:
            self._connection = pymysql.connect(
                unix_socket=self._db.server.socket,
                user=self._db.server.admin_user,
                password=self._db.server.admin_password,
                ssl_disabled=True,
                autocommit=True,
                charset="utf8mb4",
            )
            if not self._db.legacy and not self._db.mariadb:
                self.run("SET SESSION print_identified_with_as_hex = ON")
        with self._connection.cursor() as cursor:
            cursor.execute(statement, arguments or None)
            return list(cursor.fetchall())

    def look(self, names: Sequence[Name]) -> dict[Name, State]:
        """Of each account, the requirement in the table, and all that the server goes by.

        The two are not the same on MySQL 5.6 between an UPDATE and its FLUSH PRIVILEGES.
        """
        rows = self.run("SELECT User, Host, ssl_type, ssl_cipher, x509_issuer, x509_subject FROM mysql.user")
        stored = {(_text(row[0]), _text(row[1])): tuple(_text(value) for value in row[2:]) for row in rows}
        show = "SHOW GRANTS FOR" if self._db.legacy else "SHOW CREATE USER"
        return {
            name: self._switch() if name == _SWITCH else (stored[name], _text(self.run(f"{show} %s@%s", *name)[0][0]))
            for name in names
        }

    def _switch(self) -> State:
        value = self.run("SELECT @@GLOBAL.require_secure_transport")[0][0]
        lasting: Sequence[tuple[Any, ...]] = ()
        if not self._db.mariadb:
            lasting = self.run("SELECT * FROM performance_schema.persisted_variables")
        return (str(value),), repr(lasting)

    def require(self, name: Name, clause: str) -> None:
        """Set a requirement, or the switch."""
        if name == _SWITCH:
            self.run(f"SET {'GLOBAL' if self._db.mariadb else 'PERSIST'} require_secure_transport = {clause}")
            if clause == "OFF" and not self._db.mariadb:
                self.run("RESET PERSIST IF EXISTS require_secure_transport")
            return
        verb = "GRANT USAGE ON *.* TO" if self._db.legacy else "ALTER USER"
        self.run(f"{verb} %s@%s REQUIRE {clause.replace('%', '%%')}", *name)


def _kind(state: State) -> str:
    return state[0][0] or "NONE"


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


@dataclass(frozen=True)
class Plot:
    """A run whose course is known: who is there, what is asked for, and how that ends without a fault."""

    name: str
    accounts: int
    ends_well: bool
    switch: bool = False


# Once more after the accounts have what the login account cannot meet, so that everything has to be put back.
ALONE = Plot("alone", 1, ends_well=True)
ALONE_BACK = Plot("alone, put back", 1, ends_well=False)
SWITCH = Plot("alone, and the switch", 1, ends_well=True, switch=True)
FIFTY = Plot("fifty", 50, ends_well=True)
FIFTY_BACK = Plot("fifty, put back", 50, ends_well=False)


@dataclass(frozen=True)
class Said:
    """What a run said: its return values, and everything that may be printed."""

    values: Mapping[str, Any]
    output: str

    @property
    def failed(self) -> bool:
        return bool(self.values.get("failed"))

    @property
    def verdict(self) -> str:
        """In one word, for counting."""
        if not self.failed:
            return "done"
        return next((word for word in ("state_unknown", "rolled_back") if self.values.get(word)), "untouched")


class Scene:
    """One plot's accounts on one server, and a proxy before it."""

    def __init__(self, db: Database, plot: Plot, *, raw: bool = False) -> None:
        self.db = db
        self.plot = plot
        client = db.pki.client()
        self.witness = Witness(db)
        self._tls = db.client_context(client)
        self._bare_tls = db.client_context()
        # None is the beginning of another.
        stem = f"{db.name_of('fp')}x"
        subject, issuer = account_names(client.cert)
        self.me = db.create(f"{stem}_a", "127.0.0.1", require="NONE", grants="ALL PRIVILEGES ON *.*")
        mine = f"SUBJECT '{subject}' AND ISSUER '{issuer}' AND CIPHER '{self._cipher()}'"
        self.clauses: dict[Name, str] = {(self.me.user, self.me.host): "NONE" if plot.ends_well else mine}
        others = ["NONE", "X509", _AWKWARD, "SSL"]
        for number in range(1, plot.accounts):
            user, host = f"{stem}{'_' if number % 5 else chr(39)}{number}", ("%", "10.0.%", "localhost")[number % 3]
            db.create(user, host)
            self.clauses[user, host] = others[number % 4]
        if plot.switch:
            self.clauses[_SWITCH] = "OFF"
        for name, clause in self.clauses.items():
            self.witness.require(name, clause)
        self.names = list(self.clauses)
        wish: dict[str, Any] = {"ssl_type": "any"}
        if not plot.ends_well:
            wish = {"ssl_type": "specified", "cipher": "NO-SUCH-CIPHER"}
        if plot.switch:
            wish["require_secure_transport"] = True
        self.options = {
            **db.options(self.me, connect_timeout=_SECONDS, **client_options(client)),
            **wish,
            "accounts": [f"{stem}*@*"],
            "include_local": True,
            "exact": True,
            "plaintext_sessions": "allow",
        }
        self.proxy = FaultProxy(
            (db.server.host, db.server.port),
            certificate=None if raw else db.pki.server(),
            upstream=None if raw else self._tls,
            raw=raw,
        )
        self.old = self.witness.look(self.names)
        self.new = self._look_ahead()
        self.suffered = 0
        self.verdicts: Counter[str] = Counter()

    def _look_ahead(self) -> dict[Name, State]:
        """What the accounts will be, by the same clause from somebody else."""
        clause = "SSL" if self.plot.ends_well else "CIPHER 'NO-SUCH-CIPHER'"
        for name in self.names:
            self.witness.require(name, "ON" if name == _SWITCH else clause)
        new = self.witness.look(self.names)
        self.put_right()
        return new

    def close(self) -> None:
        """Hang up everywhere."""
        self.proxy.close()
        self.witness.close()

    def put_right(self) -> None:
        """Bring the accounts back to how they were at the beginning."""
        now = self.witness.look(self.names)
        for name in self.names:
            if now[name] != self.old[name]:
                self.witness.require(name, self.clauses[name])
        assert self.witness.look(self.names) == self.old

    # One run

    def work(self, **more: Any) -> Said:
        """Make a run through the proxy, in this process."""
        options = parameters(**{**self.options, "login_port": self.proxy.port, **more})
        try:
            values = enforce.run(options, False)
            return Said(values, repr(values))
        except RdsMysqlError as e:
            values = {"msg": e.message, "failed": True, **e.details}
            return Said(values, repr(values) + "".join(traceback.format_exception(e)))

    def record(self) -> list[Packet]:
        """The packets of a run without a fault."""
        self.proxy.arm()
        said = self.work()
        assert said.failed is not self.plot.ends_well, said
        self.judge(said)
        self.put_right()
        return self.proxy.packets

    def suffer(self, fault: Fault) -> None:
        """Make a run with this fault, and judge it."""
        self.proxy.arm(fault)
        said = self.work()
        if self.proxy.fired():
            self.suffered += 1
        self.proxy.heal()
        self.judge(said)
        self.put_right()

    # What has to hold

    def judge(self, said: Said) -> None:
        """Whatever has happened: the state is one that was meant, and what was said of it is true."""
        self.verdicts[said.verdict] += 1
        assert self.me.password not in said.output
        values = said.values
        unknown = bool(values.get("state_unknown"))
        now = self.look_around(torn=unknown)
        if unknown:
            self._repair(values)
            return
        if said.failed:
            assert now == self.old
            assert not values.get("changed")
        else:
            assert self.plot.ends_well
            assert now == self.new
            assert values["changed"] is True
            assert values["rolled_back"] is False
            if not self.proxy.raw:
                sent = [text for text in self.proxy.statements() if _WRITES.match(text)]
                assert values["statements"] == [text.partition(" /* dbtls:")[0] for text in sent]
                assert len({text.partition(" /* dbtls:")[2] for text in sent}) == 1  # all of this run
        # Where a guard stopped it, the plan is told.
        for told in values.get("accounts", ()) if "statements" in values else ():
            name = told["user"], told["host"]
            assert (told["before"], told["after"]) == (_kind(self.old[name]), _kind(now[name])), told

    def _repair(self, values: Mapping[str, Any]) -> None:
        """What is offered to look with and to repair by hand does just that."""
        assert values["changed"] is True
        assert values["rolled_back"] is False
        assert values["check_statements"]
        for statement in values["check_statements"]:
            assert statement in values["msg"]
            assert self.witness.run(statement)
        for statement in values["rollback_statements"]:
            assert statement in values["msg"]
            self.witness.run(statement)
        assert self.witness.look(self.names) == self.old

    def look_around(self, *, torn: bool = False) -> dict[Name, State]:
        """Every account is in its old or its new state, and the administrator gets in as its requirement says.

        :arg torn: On MySQL 5.6 a table that nobody has flushed will do.
        """
        now = self.witness.look(self.names)
        for name, state in now.items():
            old, new = self.old[name], self.new[name]
            if torn and self.db.legacy:
                assert state[0] in (old[0], new[0]), name
                assert state[1] in (old[1], new[1]), name
            else:
                assert state in (old, new), name
        mine, before = (states[self.names[0]][1] for states in (now, self.old))
        assert self.plot.ends_well or mine == before, "the administrator is locked out"
        assert self._login(self._tls)
        assert self._login(self._bare_tls) is self.plot.ends_well
        switched = self.plot.switch and now[_SWITCH] != self.old[_SWITCH]
        assert self._login(None) is (self.plot.ends_well and mine == before and not switched)
        return now

    def _login(self, tls: ssl.SSLContext | None) -> bool:
        try:
            self._connect(tls).close()
        except pymysql.err.OperationalError as e:
            if e.args[0] not in REFUSED:
                raise
            return False
        return True

    def _cipher(self) -> str:
        # MySQL 9.7 knows the password from then on, so that every later login takes as many packets.
        with self._connect(self._tls) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
            return str(cursor.fetchall()[0][1])

    def _connect(self, tls: ssl.SSLContext | None) -> Connection[Any]:
        return pymysql.connect(
            host=self.db.server.host,
            port=self.db.server.port,
            user=self.me.user,
            password=self.me.password,
            connect_timeout=10,
            **({"ssl": tls} if tls else {"ssl_disabled": True}),
        )


def parameters(**options: Any) -> dict[str, Any]:
    """A module's parameters, with the documented defaults."""
    documented = yaml.safe_load(mysql_require_ssl.DOCUMENTATION)["options"]
    known = {**connection_argument_spec(), **documented}
    assert set(options) <= set(known)
    return {**{name: option.get("default") for name, option in known.items()}, **options}


# Where, and what


@dataclass
class Exchange:
    """A packet of the client, and what the server answers to it; the greeting answers nothing."""

    request: Packet | None = None
    answers: list[Packet] = field(default_factory=list)

    @property
    def writes(self) -> bool:
        return bool(self.request and self.request.statement and _WRITES.match(self.request.statement))


def exchanges(packets: Sequence[Packet]) -> list[Exchange]:
    """The packets of a run, in exchanges, in their order."""
    found: dict[tuple[int, int], Exchange] = {}
    for packet in packets:
        exchange = found.setdefault((packet.place.connection, packet.place.exchange), Exchange())
        if packet.place.direction == fp.REQUEST:
            exchange.request = packet
        else:
            exchange.answers.append(packet)
    return list(found.values())


def menu(exchange: Exchange) -> Iterator[Fault]:
    """Every kind of fault once, at this exchange's boundaries and within its packets."""
    if exchange.request:
        place = exchange.request.place
        yield Fault(place, fp.CUT_BEFORE)
        yield Fault(place, fp.LATE)
        yield Fault(place, fp.CUT_WITHIN, reset=True)
        yield Fault(place, fp.STALL)
        yield Fault(place, fp.CUT_AFTER, reset=True)
    if exchange.answers:
        first, last = exchange.answers[0].place, exchange.answers[-1].place
        middle = exchange.answers[len(exchange.answers) // 2].place
        yield Fault(first, fp.CUT_BEFORE)
        yield Fault(first, fp.REFUSED)
        yield Fault(first, fp.STALL)
        yield Fault(first, fp.ACCEPTED)
        yield Fault(first, fp.CUT_BEFORE, reset=True)
        yield Fault(first, fp.SEQUENCE)
        yield Fault(middle, fp.CUT_WITHIN)
        yield Fault(last, fp.NOISE)
        yield Fault(first, fp.TOO_SHORT)
        yield Fault(last, fp.CUT_WITHIN, reset=True)
        yield Fault(middle, fp.FLIP)
        yield Fault(last, fp.TOO_LONG)
        yield Fault(last, fp.CUT_AFTER)


def sample(packets: Sequence[Packet], quick: int, slow: int) -> list[Fault]:
    """Faults at every boundary from the first writing statement on, fewer before it; so many of them, evenly spread."""
    found = exchanges(packets)
    first = next(number for number, exchange in enumerate(found) if exchange.writes)
    faults = []
    for number, exchange in enumerate(found):
        kinds = list(menu(exchange))
        faults += kinds if number >= first else kinds[number % 4 :: 4]
    return [
        *spread([fault for fault in faults if fault.kind not in _SLOW], quick),
        *spread([fault for fault in faults if fault.kind in _SLOW], slow),
    ]


def spread(faults: Sequence[Fault], most: int) -> list[Fault]:
    """At most so many, from the first to the last."""
    step = max(1.0, len(faults) / max(1, most))
    return [faults[int(number * step)] for number in range(min(most, len(faults)))]


def everything(packets: Sequence[Packet]) -> list[Fault]:
    """Every kind at every packet."""
    faults = []
    for packet in packets:
        for kind in (*fp.CUTS, *fp.SILENCES):
            faults.append(Fault(packet.place, kind))
            if kind in fp.CUTS:
                faults.append(Fault(packet.place, kind, reset=True))
        if packet.place.direction == fp.ANSWER:
            faults += [Fault(packet.place, kind) for kind in fp.GARBLES]
    return faults


def bits(packets: Sequence[Packet], most: int) -> list[Fault]:
    """Single bits of answers, so many of them."""
    answers = [packet.place for packet in packets if packet.place.direction == fp.ANSWER]
    return [Fault(answers[number % len(answers)], fp.FLIP, seed=number) for number in range(most)]


def records(packets: Sequence[Packet], most: int) -> list[Fault]:
    """The kinds of fault that there are for TLS records, in turn; ``most`` evenly spread ones."""
    faults = []
    for number, packet in enumerate(packets):
        kinds = [(fp.CUT_BEFORE, False), (fp.NOISE, False), (fp.CUT_WITHIN, True), (fp.FLIP, False), (fp.STALL, False)]
        faults += [Fault(packet.place, *kind) for kind in kinds[number % 2 :: 2]]
    return spread(faults, most)


def turning_points(packets: Sequence[Packet], most: int) -> list[Place]:
    """So many places, evenly spread from the first writing statement to the end."""
    found = exchanges(packets)
    first = next(number for number, exchange in enumerate(found) if exchange.writes)
    places = []
    for exchange in found[first:]:
        if exchange.request and exchange.answers:
            places += [exchange.request.place, exchange.answers[0].place]
    most = min(most, len(places))
    return [places[int((number + 0.5) * len(places) / most)] for number in range(most)]


class Ordeal:
    """Drives faults through scenes, and says at the end which ones were not borne."""

    def __init__(self, servers: Servers, name: str, plot: Plot, *, raw: bool = False) -> None:
        self._db = servers.get(name)
        self._plot = plot
        self._raw = raw
        self.failures: list[str] = []

    def run(self, choose: Callable[[Sequence[Packet]], list[Fault]]) -> None:
        """Make the runs, those that wait first."""
        plot = self._plot
        # There is one switch for all of them.
        workers = 1 if plot.switch else _WORKERS_WITH_FIFTY if plot.accounts > 1 else _WORKERS
        with ExitStack() as stack:
            scenes = [Scene(self._db, plot, raw=self._raw) for _worker in range(workers)]
            for scene in scenes:
                stack.callback(scene.close)
            faults = sorted(choose(scenes[0].record()), key=lambda fault: fault.kind not in _SLOW)
            idle: queue.Queue[Scene] = queue.Queue()
            for scene in scenes:
                idle.put(scene)

            def borrow(fault: Fault) -> None:
                scene = idle.get()
                self._try(scene, fault)
                idle.put(scene)

            if self._db.legacy:
                # FLUSH PRIVILEGES of one run counts for the others, so only those that wait are made side by side.
                with ThreadPoolExecutor(workers) as pool:
                    list(pool.map(borrow, (fault for fault in faults if fault.kind in _SLOW)))
                for fault in faults:
                    if fault.kind not in _SLOW:
                        self._try(scenes[0], fault)
            else:
                with ThreadPoolExecutor(workers) as pool:
                    list(pool.map(borrow, faults))
            gc.collect()
            suffered = sum(scene.suffered for scene in scenes)
            verdicts = sum((scene.verdicts for scene in scenes), Counter[str]())
        print(f"{suffered} faults: {dict(verdicts)}")
        # What other sessions there are at the moment decides how long some answers are, so that a few are too short.
        assert suffered >= 0.9 * len(faults)
        assert not self.failures, "\n".join([f"{len(self.failures)} of {len(faults)}:", *self.failures[:50]])

    def _try(self, scene: Scene, fault: Fault) -> None:
        try:
            scene.suffer(fault)
        except Exception as e:  # noqa: BLE001  all of them are reported together
            where = traceback.extract_tb(e.__traceback__)[-1]
            said = str(e).splitlines()[0][:200] if str(e) else ""
            self.failures.append(f"{fault}: {type(e).__name__}: {said} ({where.name}:{where.lineno})")
            scene.witness.close()
            scene.put_right()


@pytest.fixture
def every_fault(request: pytest.FixtureRequest) -> bool:
    """Whether the long form is asked for."""
    return bool(request.config.getoption("--every-fault"))


@pytest.mark.parametrize("plot", [ALONE, ALONE_BACK], ids=lambda plot: plot.name)
@pytest.mark.parametrize("name", MATRIX)
def test_one_account(servers: Servers, name: str, plot: Plot, every_fault: bool) -> None:
    def choose(packets: Sequence[Packet]) -> list[Fault]:
        return spread(everything(packets), 1000) if every_fault else sample(packets, 30, 5)

    Ordeal(servers, name, plot).run(choose)


@pytest.mark.parametrize("plot", [FIFTY, FIFTY_BACK], ids=lambda plot: plot.name)
@pytest.mark.parametrize("name", MATRIX)
def test_fifty_accounts(servers: Servers, name: str, plot: Plot, every_fault: bool) -> None:
    Ordeal(servers, name, plot).run(lambda packets: sample(packets, *((400, 100) if every_fault else (10, 2))))


@pytest.mark.parametrize("name", [name for name in MATRIX if name != LEGACY])
def test_switch(servers: Servers, name: str, every_fault: bool) -> None:
    """The server-wide switch, together with an account."""
    Ordeal(servers, name, SWITCH).run(lambda packets: sample(packets, *((400, 40) if every_fault else (24, 1))))


@pytest.mark.parametrize("name", MATRIX)
def test_single_bits(servers: Servers, name: str, every_fault: bool) -> None:
    """A server, or something before it, that answers wrongly without anybody noticing at first."""
    Ordeal(servers, name, ALONE).run(lambda packets: bits(packets, 2000 if every_fault else 25))


@pytest.mark.parametrize("name", MATRIX)
def test_single_bits_of_what_is_rolled_back(scene: SceneMaker, name: str) -> None:
    """Its account must not be taken for one that somebody else has changed, as the administrator is locked out then."""
    stage = scene(name, ALONE_BACK)
    found = exchanges(stage.record())
    writes = [number for number, exchange in enumerate(found) if exchange.writes]
    rows = [
        packet.place
        for exchange in found[writes[0] : writes[-1]]
        if exchange.request and (exchange.request.statement or "").startswith("SELECT u.User")
        for packet in exchange.answers
        if stage.me.user.encode() in packet.payload
    ]
    assert rows
    for place in rows:
        for seed in range(4, 8):
            stage.suffer(Fault(place, fp.FLIP, seed=seed))


@pytest.mark.parametrize("name", MATRIX)
def test_tls_records(servers: Servers, name: str, every_fault: bool) -> None:
    """Faults below TLS, which the module and the server have between them alone."""
    Ordeal(servers, name, ALONE, raw=True).run(lambda packets: records(packets, 1000 if every_fault else 24))


@pytest.fixture
def scene(servers: Servers) -> Iterator[Callable[[str, Plot], Scene]]:
    """Makes scenes on the server of a name."""
    with ExitStack() as stack:

        def make(name: str, plot: Plot) -> Scene:
            made = Scene(servers.get(name), plot)
            stack.callback(made.close)
            return made

        yield make


SceneMaker = Callable[[str, Plot], Scene]


@pytest.mark.parametrize("name", MATRIX)
def test_module_process(scene: SceneMaker, modules: Modules, name: str) -> None:
    """The module itself, as Ansible starts it; Modules.run looks for passwords and tracebacks."""
    for plot in (ALONE, ALONE_BACK):
        stage = scene(name, plot)
        for fault in sample(stage.record(), 4, 0):
            stage.proxy.arm(fault)
            result = modules.require(**{**stage.options, "login_port": stage.proxy.port})
            assert stage.proxy.fired()
            stage.judge(Said(result.values, result.output))
            stage.put_right()


@pytest.mark.parametrize("name", MATRIX)
def test_statement_that_waits_for_a_lock(scene: SceneMaker, name: str) -> None:
    """A backup holds a lock; the module gives up waiting, and then the lock is gone."""
    stage = scene(name, ALONE)
    stage.record()
    stage.proxy.arm()
    stage.witness.run("FLUSH TABLES WITH READ LOCK")
    said = stage.work()
    stage.witness.run("UNLOCK TABLES")
    assert said.failed
    stage.db.wait_for_sessions_to_end(stage.me.user)
    stage.judge(said)


# The server dies


@pytest.mark.parametrize(
    ("name", "plot", "restarts"),
    [
        # With the switch it waits long for a server that stays away.
        pytest.param(name, plot, restarts, marks=[pytest.mark.every_fault] if plot.switch and not restarts else [])
        for name in MATRIX
        for plot in (ALONE, SWITCH, FIFTY)
        for restarts in (False, True)
        if not (plot.switch and name == LEGACY)  # which has no such switch
    ],
    ids=lambda value: {False: "stays away", True: "comes back"}.get(value) or getattr(value, "name", value),
)
def test_server_killed(scene: SceneMaker, name: str, plot: Plot, restarts: bool, every_fault: bool) -> None:
    stage = scene(name, plot)
    server = stage.db.server
    most = 40 if every_fault else 2 if restarts and plot is ALONE else 1

    def kill() -> None:
        server.kill()
        if restarts:
            server.start()

    for place in turning_points(stage.record(), most):
        stage.proxy.arm(Fault(place, fp.ACT, action=kill))
        # How long the module looks for a server that does not answer.
        said = stage.work(connect_timeout=20 if restarts else _SECONDS)
        assert stage.proxy.fired()
        server.start()
        stage.db.disconnect()
        stage.witness.close()
        stage.judge(said)
        stage.put_right()


# The module dies


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("name", MATRIX)
@pytest.mark.usefixtures("hang_up_counts")
def test_module_killed(scene: SceneMaker, tmp_path: Path, name: str, number: signal.Signals, every_fault: bool) -> None:
    """What can be caught puts everything back; after what cannot, accounts are as they were or as they should be."""
    stage = scene(name, ALONE)
    for place in turning_points(stage.record(), 40 if every_fault else 2):
        process = subprocess.Popen(
            [sys.executable, "-m", f"{COLLECTION}.plugins.modules.mysql_require_ssl"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=module_environment(tmp_path),
        )
        stage.proxy.arm(Fault(place, fp.ACT, action=partial(process.send_signal, number)))
        options = {**stage.options, "login_port": stage.proxy.port}
        out, err = process.communicate(module_arguments(tmp_path, options), timeout=300)
        assert stage.proxy.fired()
        stage.db.wait_for_sessions_to_end(stage.me.user)
        if number == signal.SIGKILL:
            stage.look_around()
        else:
            said = judge(process.returncode, out, err, options)
            assert said.failed
            assert number.name in said.msg
            stage.judge(Said(said.values, said.output))
            assert not said.values.get("state_unknown")
        stage.put_right()
