# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: the servers of the functional tests, Ansible, and an AWX on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.fixtures import all_servers, ansible, new_db, pki, servers

from .api import Awx
from .aws import RAN

__all__ = ["all_servers", "ansible", "new_db", "pki", "servers"]


@pytest.fixture(autouse=True)
def ran(request: pytest.FixtureRequest) -> None:
    """Remember which tests this process has run."""
    RAN.add((request.module.__name__, request.function.__name__))


@pytest.fixture
def awx() -> Iterator[Awx]:
    """An AWX that has an organization and an inventory, and the playbooks of this collection."""
    names = ("audit", "bundle", "enforce", "merge_reports", "plan", "rollback", "watch")
    playbooks = {*(f"playbooks/{name}.yml" for name in names), "awx/playbooks/storage.yml", "awx/playbooks/failed.yml"}
    with Awx(frozenset(playbooks)) as running:
        organization = running.store.add("organizations", {"name": "Default"})
        running.store.add("inventories", {"name": "Databases", "organization": organization["id"]})
        yield running
