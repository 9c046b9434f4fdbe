# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the functional tests that tests elsewhere use too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers import Pki

from .database import Database
from .plays import Ansible
from .servers import Servers


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The authority that signs everything."""
    return Pki(tmp_path_factory.mktemp("pki"))


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


@pytest.fixture
def new_db(servers: Servers) -> Database:
    """MySQL 9.7."""
    return servers.get("mysql-9.7")


@pytest.fixture
def ansible(tmp_path: Path) -> Ansible:
    """Ansible, in a directory of its own."""
    return Ansible(tmp_path)
