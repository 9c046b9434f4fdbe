# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What no real server is needed for: strictness, time, and faults."""

from __future__ import annotations

import typing as t

import pytest

from . import core, model, network
from .clock import Clock
from .model import Entry
from .network import Fault, Network
from .server import MemoryServer
from .sql import Unknown

APP = ("app", "%")


class World(t.NamedTuple):
    """A server with two accounts, and a session of the one that may do everything."""

    server: MemoryServer
    network: Network
    admin: t.Any

    def log_in(self) -> t.Any:
        """Another session of the same."""
        return self.network.connect(self.admin.options)


@pytest.fixture(name="world", params=sorted(model.RELEASES))
def _world(request: pytest.FixtureRequest) -> World:
    server = MemoryServer(Clock(), request.param)
    plugin = "caching_sha2_password" if server.release.has_persist else "mysql_native_password"
    server.somebody("create", ("admin", "%"), Entry(plugin=plugin, password="one", grants=model.ALL))
    server.somebody("create", APP, Entry(plugin=plugin, password="two"))
    options = core.options.ConnectionOptions.from_params(
        dict(core.defaults(), login_user="admin", login_password="one", ssl_mode="required", connect_timeout=5)
    )
    made = Network(server.clock, server)
    return World(server, made, made.connect(options))


def write(world: World) -> str:
    """A statement that requires TLS of the account, in the release's way."""
    if world.server.release.has_alter_require:
        return "ALTER USER 'app'@'%' REQUIRE SSL"
    world.admin.query("SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',NO_AUTO_CREATE_USER')")
    return "GRANT USAGE ON *.* TO 'app'@'%' REQUIRE SSL"


def requirement(world: World) -> str:
    return world.server.accounts.memory[APP].requirement[0]


def fail_with(world: World, fault: Fault) -> None:
    """The next exchange goes wrong like this."""
    faults = [fault]
    world.network.fault = lambda exchange: faults.pop() if faults else None


@pytest.mark.parametrize(
    "statement",
    [
        "DROP USER 'app'@'%'",
        "SELECT User FROM mysql.db",
        "SELECT SLEEP(1)",
        "SELECT @@nothing_of_that_name",
        "SELECT User FROM mysql.user WHERE User REGEXP 'a'",
        "SHOW ENGINES",
        "UPDATE mysql.user SET account_locked = 'Y'",
        "SET GLOBAL read_only = OFF",
        "SELECT 1; SELECT 2",
    ],
)
def test_what_it_does_not_know(world: World, statement: str) -> None:
    with pytest.raises(Unknown):
        world.admin.query(statement)


def test_the_table_counts_once_it_is_flushed(world: World) -> None:
    world.server.somebody("update", APP, model.ANY)
    assert requirement(world) == "NONE"
    world.admin.query("FLUSH PRIVILEGES")
    assert requirement(world) == "ANY"


@pytest.mark.parametrize(
    ("kind", "done"), [(network.CUT_BEFORE, "NONE"), (network.CUT_AFTER, "ANY"), (network.LATE, "ANY")]
)
def test_lost_connections(world: World, kind: str, done: str) -> None:
    statement = write(world)
    fail_with(world, Fault(kind))
    with pytest.raises(core.mysql_errors.QueryFailed) as caught:
        world.admin.query(statement)
    assert caught.value.connection_lost
    assert not world.admin.usable
    assert requirement(world) == done


@pytest.mark.parametrize("kind", [network.HUNG, network.DELAYED])
@pytest.mark.parametrize("killed", [False, True])
def test_a_statement_that_is_carried_out_later(world: World, kind: str, killed: bool) -> None:
    statement = write(world)
    clock = world.server.clock
    started = clock.now
    fail_with(world, Fault(kind, seconds=60.0, lingers=1.0))
    with pytest.raises(core.mysql_errors.QueryFailed) as caught:
        world.admin.query(statement)
    assert caught.value.connection_lost
    assert 5.0 <= clock.now - started < 6.0, "the client has waited as long as it waits"
    assert requirement(world) == "NONE"
    with world.log_in() as other:
        look = "SELECT ID FROM information_schema.processlist WHERE INFO LIKE '%REQUIRE SSL%' AND ID <> CONNECTION_ID()"
        waiting = other.query(look)
        assert len(waiting) == (kind == network.HUNG)
        if killed:
            other.query(f"KILL {world.admin.inner.number}")
    clock.drain()
    assert requirement(world) == ("NONE" if killed else "ANY")
    assert world.admin.inner.gone


def test_a_crash(world: World) -> None:
    world.server.somebody("update", APP, model.ANY)
    world.server.restart(30.0)
    with pytest.raises(core.mysql_errors.QueryFailed):
        world.admin.query("SELECT 1")
    with pytest.raises(core.mysql_errors.ConnectionFailed):
        world.log_in()
    world.server.clock.sleep(30.0)
    with world.log_in() as again:
        assert again.query("SHOW GLOBAL STATUS WHERE Variable_name = 'Uptime'") == [("Uptime", "0")]
    assert requirement(world) == "ANY", "the table is read anew"


def test_somebody_on_the_path_sees_what_leaves(world: World) -> None:
    options = core.options
    for mode, answered in (("verify_ca", False), ("required", True), ("disabled", True)):
        fail_with(world, Fault(network.ATTACKED))
        changed = options.replace(world.admin.options, ssl_mode=mode)
        with pytest.raises(core.mysql_errors.ConnectionFailed):
            world.network.connect(changed)
        assert world.network.logins[-1].answered == answered
