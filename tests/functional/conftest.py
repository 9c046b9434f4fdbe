# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers for the whole run, accounts for one test."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import MATRIX, Mirror, Pki

from .database import Database
from .fixtures import all_servers, ansible, new_db, pki, servers
from .launcher import Launcher
from .plays import Ansible
from .result import Result
from .runner import Modules, module_environment
from .servers import Servers
from .whole_fleet import Fleet

__all__ = ["all_servers", "ansible", "new_db", "pki", "servers"]


_LONG = ("test_playbook", "test_in_process", "test_require_ssl_faults", "test_require_ssl_other_server")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The long form of the tests under faults."""
    parser.addoption("--every-fault", action="store_true", help="thousands of faults in place of hundreds")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only the long form has, and begin with the files that take longest: each is one process's."""
    items.sort(key=lambda item: not item.path.name.startswith(_LONG))
    if not config.getoption("every_fault"):
        left_out = [item for item in items if item.get_closest_marker("every_fault")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority that no server knows."""
    return Pki(tmp_path_factory.mktemp("stranger"), root_name="Stranger Root CA", intermediate_name="Stranger CA")


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
    """A mirror with the bundles of two regions, that nobody has asked anything yet."""
    directory = pki.write_trust_store(tmp_path / "store")
    other = directory / "eu-west-1"
    other.mkdir()
    (other / "eu-west-1-bundle.pem").write_bytes(pki.bundle.read_bytes())
    with Mirror(directory, certificate=pki.server()) as running:
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


@pytest.fixture
def fleet(servers: Servers, pki: Pki, ansible: Ansible, mirror: Mirror) -> Fleet:
    """The five of them, three in one region and two in the other."""
    databases = {name: servers.get(name) for name in MATRIX}
    logins = {name: db.administrator() for name, db in databases.items()}
    apps = {name: db.create(db.name_of("app")) for name, db in databases.items()}
    ansible.secrets = [account.password for account in logins.values()]
    hosts = {
        name: {
            "ansible_host": db.server.host,
            "mysql_tls_login_port": db.server.port,
            "mysql_tls_login_user": logins[name].user,
            "mysql_tls_login_password": logins[name].password,
            "mysql_tls_region": "eu-west-1" if name.startswith("mysql") else "eu-central-1",
            **({"mysql_tls_min_version": "TLSv1"} if db.legacy else {}),
        }
        for name, db in databases.items()
    }
    variables = {
        "mysql_tls_base_url": mirror.url,
        "mysql_tls_ca_path": str(pki.bundle),
        "mysql_tls_accounts": ["*@*"],
        "mysql_tls_include_local": True,
        "mysql_tls_exclude": ["root@*"],
    }
    inventory = ansible.directory / "inventory.yml"
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
    return Fleet(databases, logins, apps, inventory)
