# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""However often mysql_ssl_status looks, the server does not block its host.

Servers leave clients of their own host out of that, so the clients here come from another network namespace.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.servers import MATRIX, Pki

from .database import LEGACY, Account, Database
from .disconnect_variants import IN_BETWEEN, WAYS
from .launcher import Launcher
from .network_namespace import Neighbour, NoNeighbour, neighbour
from .result import Result
from .runner import Modules, module_environment

MAX_CONNECT_ERRORS = 3
LOOKS = 2 * MAX_CONNECT_ERRORS + 1

Server = Callable[..., Database]

# Servers do not count a client towards max_connect_errors that has sent a whole login, if they refuse it. MySQL 9.7
# pretends that an unknown user has some plugin, and with some of them takes even a login for whole that owes an answer.
UNCOUNTED = ("unknown-user", "tls-unknown-user")
UNANSWERED = ("other-plugin", "tls-other-plugin")


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbour]:
    """Another host."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(neighbour(tmp_path_factory.mktemp("neighbour")))
        except NoNeighbour as e:
            pytest.skip(f"no network namespace can be had here: {e}")
        yield made


@pytest.fixture(scope="module")
def away_launcher(away: Neighbour, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """Starts modules over there."""
    made = Launcher(module_environment(tmp_path_factory.mktemp("away")), prefix=away.prefix)
    yield made
    made.close()


@pytest.fixture
def away_modules(away_launcher: Launcher, tmp_path: Path) -> Modules:
    """Runs modules over there."""
    home = tmp_path / "home"
    home.mkdir()
    return Modules(home, away_launcher)


@pytest.fixture(scope="module")
def servers_here(away: Neighbour, pki: Pki) -> Iterator[Server]:
    """Servers that block a host soon, started when first asked for."""
    running: dict[tuple[Any, ...], Database] = {}
    with ExitStack() as stack:

        def get(name: str, *, tls: bool = True, strangers: bool = True) -> Database:
            if (name, tls, strangers) not in running:
                options = [f"--max-connect-errors={MAX_CONNECT_ERRORS}", "--performance-schema=ON"]
                # A host that no account may come from is turned away before it is counted.
                host = "%" if strangers else away.here
                init_sql = [f"CREATE USER app@'{host}' IDENTIFIED BY 'pw-app'"]
                server = stack.enter_context(away.server(name, pki, tls=tls, options=options, init_sql=init_sql))
                running[name, tls, strangers] = Database(server, pki)
                stack.callback(running[name, tls, strangers].disconnect)
            return running[name, tls, strangers]

        yield get


def forget(db: Database) -> None:
    """Begin to count anew."""
    db.query("FLUSH HOSTS" if db.legacy or db.mariadb else "TRUNCATE TABLE performance_schema.host_cache")


def counted(db: Database, away: Neighbour) -> dict[str, int]:
    """What the server has counted of the neighbour."""
    names = (
        "SUM_CONNECT_ERRORS",
        "COUNT_HANDSHAKE_ERRORS",
        "COUNT_HOST_BLOCKED_ERRORS",
        "COUNT_HOST_ACL_ERRORS",
        "COUNT_AUTH_PLUGIN_ERRORS",
        "COUNT_AUTHENTICATION_ERRORS",
    )
    rows = db.query(
        f"SELECT HOST_VALIDATED, {', '.join(names)} FROM performance_schema.host_cache WHERE IP = %s", away.address
    )
    assert len(rows) == 1
    validated, *counts = rows[0]
    assert validated == "YES"
    return {name: int(count) for name, count in zip(names, counts, strict=True) if int(count)}


def outside(db: Database, **more: Any) -> dict[str, Any]:
    return {"login_host": db.server.host, "login_port": db.server.port, "connect_timeout": 10, **more}


def leave(db: Database, away: Neighbour, way: str) -> None:
    """Like a client that does not know better, or a load balancer's health check."""
    program = [sys.executable, "-m", "tests.functional.disconnect_variants", db.server.host, str(db.server.port), way]
    subprocess.run([*away.prefix, *program], check=True, timeout=180)


@pytest.mark.parametrize("name", MATRIX)
def test_what_servers_count(servers_here: Server, away: Neighbour, name: str) -> None:
    """The table of the page "Reading the status"."""
    db = servers_here(name)
    for way in (*WAYS, *IN_BETWEEN):
        forget(db)
        aborted = aborted_connects(db)
        leave(db, away, way)
        # The server may still be about to notice.
        deadline = time.monotonic() + 120
        while aborted_connects(db) == aborted:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert aborted_connects(db) == aborted + 1
        counts = counted(db, away)
        assert counts
        if way in UNANSWERED and name == "mysql-9.7":
            continue
        if way in UNCOUNTED:
            # MariaDB takes an account for a stand-in, and of which kind the failure is depends on that.
            assert list(counts) in (["COUNT_AUTH_PLUGIN_ERRORS"], ["COUNT_AUTHENTICATION_ERRORS"]), way
            assert list(counts.values()) == [1], way
        else:
            assert counts == {"SUM_CONNECT_ERRORS": 1, "COUNT_HANDSHAKE_ERRORS": 1}, way


def aborted_connects(db: Database) -> int:
    """How many logins have failed, for whatever reason."""
    return int(db.query("SHOW GLOBAL STATUS LIKE 'Aborted_connects'")[0][1])


ANONYMOUS = {
    "without a password": "",
    "with a password": " IDENTIFIED BY 'pw-anonymous'",
    "by another plugin": {
        "mysql-5.6": " IDENTIFIED WITH mysql_old_password",
        "mysql-9.7": " IDENTIFIED WITH sha256_password BY 'pw-anonymous'",
    },
}


@pytest.mark.parametrize("how", ANONYMOUS)
@pytest.mark.parametrize("name", MATRIX)
def test_servers_with_an_account_for_everybody(
    servers_here: Server, away: Neighbour, away_modules: Modules, name: str, how: str
) -> None:
    """The empty login is as good as any other there."""
    db = servers_here(name)
    forget(db)
    clause = ANONYMOUS[how]
    if isinstance(clause, dict):
        clause = clause.get(name, " IDENTIFIED VIA unix_socket")
    db.query(f"CREATE USER ''@'%'{clause}")
    try:
        for _number in range(LOOKS):
            away_modules.status(**outside(db)).ok()
        assert "SUM_CONNECT_ERRORS" not in counted(db, away)
        db.wait_for_sessions_to_end("")
    finally:
        db.query("DROP USER ''@'%'")


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize("name", MATRIX)
def test_looks_from_outside(
    servers_here: Server, away: Neighbour, away_modules: Modules, name: str, tls: bool, stranger: Pki
) -> None:
    db = servers_here(name, tls=tls)
    forget(db)
    for number in range(LOOKS):
        # An authority that is not the server's makes no difference: the certificate is judged afterwards.
        ca_cert = [None, str(db.pki.bundle), str(stranger.bundle)][number % 3]
        status = away_modules.status(**outside(db, ca_cert=ca_cert)).ok()["mysql_ssl"]
        assert status["tls"]["available"] is tls
        if tls:
            assert status["certificate"]["trusted"] is [None, True, False][number % 3]
    # A refused login each, of the kind that blocks nobody.
    assert counted(db, away) == {"COUNT_AUTH_PLUGIN_ERRORS": LOOKS}
    # And this is what would have happened.
    for _number in range(MAX_CONNECT_ERRORS):
        leave(db, away, "close")
    blocked = away_modules.status(**outside(db))
    assert blocked.failed
    assert "(1129)" in blocked.msg
    assert "blocked" in blocked.msg
    assert f"{db.server.host}:{db.server.port}" in blocked.msg
    forget(db)
    assert not away_modules.status(**outside(db)).failed


@pytest.mark.parametrize("name", MATRIX)
def test_logins_over_a_certificate_that_does_not_verify(
    servers_here: Server, away: Neighbour, away_modules: Modules, name: str, stranger: Pki
) -> None:
    """Every one of them fails, and none of them blocks."""
    db = servers_here(name)
    forget(db)
    app = Account("app", "%", "pw-app")
    for number in range(LOOKS):
        # The certificate is made out to localhost, not to the address that it is reached at here.
        ca_cert = [str(stranger.bundle), str(db.pki.bundle)][number % 2]
        refused = away_modules.status(**db.options(app, ca_cert=ca_cert))
        assert refused.failed
        assert "No credentials were sent" in refused.msg
        assert refused["mysql_ssl"]["certificate"]["common_name"] == "localhost"
    assert counted(db, away) == {"COUNT_AUTH_PLUGIN_ERRORS": LOOKS}
    assert not away_modules.status(**db.options(app, check_hostname=False)).failed


def test_logins_that_an_old_server_cannot_serve(servers_here: Server, away: Neighbour, away_modules: Modules) -> None:
    db = servers_here(LEGACY)
    forget(db)
    app = Account("app", "%", "pw-app")
    for _number in range(LOOKS):
        assert "nothing newer than TLSv1," in away_modules.status(**db.options(app, tls_min_version="TLSv1.2")).msg
    assert counted(db, away) == {"COUNT_AUTH_PLUGIN_ERRORS": LOOKS}


@pytest.mark.parametrize("name", MATRIX)
def test_refused_versions_are_counted_and_a_login_takes_that_back(
    servers_here: Server, away: Neighbour, away_modules: Modules, name: str
) -> None:
    """The one thing that a server counts against us, and how often, is said."""
    db = servers_here(name)
    forget(db)
    refused = 0 if db.legacy else 2

    def look(**options: Any) -> Result:
        result = away_modules.status(**options, probe_protocols=True).ok()
        probes = {probe["version"]: probe["accepted"] for probe in result["mysql_ssl"]["tls"]["probes"]}
        assert probes == {
            "TLSv1": db.legacy,
            "TLSv1.1": False,
            "TLSv1.2": not db.legacy,
            "TLSv1.3": not db.legacy,
        }
        return result

    result = look(**outside(db))
    assert counted(db, away).get("SUM_CONNECT_ERRORS", 0) == refused
    assert (f"{refused} failed connections" in result.warnings) is bool(refused)
    assert ("max_connect_errors" in result.warnings) is bool(refused)
    forget(db)
    app = Account("app", "%", "pw-app")
    for _number in range(LOOKS):
        assert "max_connect_errors" not in look(**db.options(app, check_hostname=False)).warnings
    assert "SUM_CONNECT_ERRORS" not in counted(db, away)


@pytest.mark.parametrize("name", MATRIX)
def test_host_that_no_account_may_come_from(
    servers_here: Server, away: Neighbour, away_modules: Modules, name: str
) -> None:
    db = servers_here(name, strangers=False)
    forget(db)
    for _number in range(LOOKS):
        for options in (outside(db), db.options(Account("app", "%", "pw-app"), check_hostname=False)):
            refused = away_modules.status(**options)
            assert refused.failed
            assert "(1130)" in refused.msg
            assert "not allowed to connect" in refused.msg
    assert counted(db, away) == {"COUNT_HOST_ACL_ERRORS": 2 * LOOKS}
