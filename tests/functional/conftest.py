# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers for the whole run, accounts for one test."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.servers import MATRIX, Mirror, Pki, ServerUnavailable, TlsFiles, provide

from .helpers import Database, Modules, Result, module_environment
from .launcher import Launcher

Provider = Callable[..., Database]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The long form of the tests under faults."""
    parser.addoption("--every-fault", action="store_true", help="thousands of faults in place of hundreds")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only the long form has."""
    if not config.getoption("every_fault"):
        left_out = [item for item in items if item.get_closest_marker("every_fault")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


class Servers:
    """Servers by name and options, started when first asked for, stopped at the end."""

    def __init__(self, pki: Pki, stack: ExitStack) -> None:
        self.pki = pki
        self._stack = stack
        self._running: dict[tuple[Any, ...], Database] = {}

    def get(
        self,
        name: str,
        *,
        tls: bool = True,
        options: Sequence[str] = (),
        files: TlsFiles | None = None,
        **more: Any,
    ) -> Database:
        """The server called ``name``; skips the test where this machine cannot have it."""
        key = (name, tls, tuple(options), files, tuple(sorted(more.items())))
        if key not in self._running:
            certificate = files or (self.pki.server_for(name) if tls else None)
            try:
                server = self._stack.enter_context(provide(name, tls=certificate, options=options, **more))
            except ServerUnavailable as e:
                pytest.skip(f"{name} cannot be had here: {e}")
            database = Database(server, self.pki)
            self._stack.callback(database.disconnect)
            self._running[key] = database
        return self._running[key]

    def drop_all(self) -> None:
        """Drop the accounts of a test."""
        for database in self._running.values():
            database.drop_all()


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The authority that signs everything."""
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority that no server knows."""
    return Pki(tmp_path_factory.mktemp("stranger"), root_name="Stranger Root CA", intermediate_name="Stranger CA")


@pytest.fixture(scope="session")
def all_servers(pki: Pki) -> Iterator[Servers]:
    """The servers of this run."""
    with ExitStack() as stack:
        yield Servers(pki, stack)


@pytest.fixture
def servers(all_servers: Servers) -> Iterator[Servers]:
    """The servers of this run; accounts are dropped after the test."""
    yield all_servers
    all_servers.drop_all()


@pytest.fixture(params=MATRIX)
def db(request: pytest.FixtureRequest, servers: Servers) -> Database:
    """Every server of the matrix, with TLS."""
    return servers.get(request.param)


@pytest.fixture(params=MATRIX)
def plain_db(request: pytest.FixtureRequest, servers: Servers) -> Database:
    """Every server of the matrix, without TLS."""
    return servers.get(request.param, tls=False)


@pytest.fixture(params=[name for name in MATRIX if name != "mysql-5.6"])
def modern_db(request: pytest.FixtureRequest, servers: Servers) -> Database:
    """Every server that has ALTER USER ... REQUIRE."""
    return servers.get(request.param)


@pytest.fixture(params=["mysql-9.7", "mariadb-10.5", "mariadb-10.11", "mariadb-11.8"])
def seeing_db(request: pytest.FixtureRequest, servers: Servers) -> Database:
    """Every server that can tell which sessions use TLS, MariaDB with performance_schema switched on."""
    options = ("--performance-schema=ON",) if request.param.startswith("mariadb") else ()
    return servers.get(request.param, options=options)


@pytest.fixture
def old_db(servers: Servers) -> Database:
    """MySQL 5.6."""
    return servers.get("mysql-5.6")


@pytest.fixture
def new_db(servers: Servers) -> Database:
    """MySQL 9.7."""
    return servers.get("mysql-9.7")


@pytest.fixture
def maria_db(servers: Servers) -> Database:
    """MariaDB 11.8."""
    return servers.get("mariadb-11.8")


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """Starts modules."""
    made = Launcher(module_environment(tmp_path_factory.mktemp("launcher")))
    yield made
    made.close()


@pytest.fixture(scope="session")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    """Starts action plugins."""
    made = Launcher(module_environment(tmp_path_factory.mktemp("controller")), controller=True)
    yield made
    made.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test of a module that can run in process runs both ways."""
    if "way" in metafunc.fixturenames:
        ways = ["module"] if "rds_ca_bundle" in metafunc.module.__name__ else ["module", "in-process"]
        metafunc.parametrize("way", ways)


@pytest.fixture
def modules(tmp_path: Path, launcher: Launcher, controller: Launcher, way: str) -> Modules:
    """Runs modules with an empty home directory."""
    home = tmp_path / "home"
    home.mkdir()
    return Modules(home, launcher, controller if way == "in-process" else None)


# For the bundles


@pytest.fixture
def mirror(pki: Pki, tmp_path: Path) -> Iterator[Mirror]:
    """A mirror that nobody has asked anything yet."""
    with Mirror(pki.write_trust_store(tmp_path / "store"), certificate=pki.server()) as running:
        yield running


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    """Where to write."""
    directory = tmp_path / "out"
    directory.mkdir()
    return directory / "bundle.pem"


@pytest.fixture
def bundle_options(mirror: Mirror, pki: Pki, dest: Path) -> dict[str, Any]:
    """What every call needs."""
    return {
        "dest": str(dest),
        "region": "eu-central-1",
        "base_url": mirror.url,
        "ca_path": str(pki.bundle),
        "retries": 0,
    }


@pytest.fixture
def fetch(modules: Modules, bundle_options: dict[str, Any]) -> Callable[..., Result]:
    """Runs the module for the region, on the mirror."""

    def run(**more: Any) -> Result:
        merged = {**bundle_options, **more}
        return modules.bundle(**{name: value for name, value in merged.items() if value is not None})

    return run


@pytest.fixture
def hang_up_counts() -> Iterator[None]:
    """Under nohup SIGHUP is ignored, here and in every program that is started from here."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
