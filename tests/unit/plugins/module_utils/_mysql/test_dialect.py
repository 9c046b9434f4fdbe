# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect


@pytest.mark.parametrize(
    ("family", "version", "alter_user", "view"),
    [
        ("mysql", "5.6.24", False, False),
        ("mysql", "5.7.5", False, False),
        ("mysql", "5.7.6", True, False),
        ("mysql", "8.0.36-28", True, False),
        ("mysql", "9.7.4-2", True, False),
        ("mariadb", "10.1.48-MariaDB", False, False),
        ("mariadb", "10.2.44-MariaDB", True, False),
        ("mariadb", "10.4.0-MariaDB", True, True),
        ("mariadb", "11.8.9-MariaDB-0+deb13u1 from Debian", True, True),
    ],
)
def test_what_a_version_can_do(family: str, version: str, alter_user: bool, view: bool) -> None:
    dialect = Dialect(family, version, {})
    assert dialect.has_alter_user_require is alter_user
    assert dialect.user_table_is_view is view


def test_managed_by() -> None:
    assert Dialect("mysql", "8.0.39", {"basedir": "/rdsdbbin/mysql-8.0.39.R1/"}).managed_by == "rds"
    assert Dialect("mysql", "8.0.39", {"basedir": "/rdsdbbin/x/", "aurora_version": "3.08.0"}).managed_by == "aurora"
    assert Dialect("mysql", "8.0.39", {"basedir": "/usr/"}).managed_by is None


def test_a_switch_that_the_server_lacks_is_unknown() -> None:
    assert Dialect("mysql", "5.6.24", {}).require_secure_transport is None
    assert Dialect("mysql", "9.7.4", {"require_secure_transport": "ON"}).require_secure_transport is True
    assert Dialect("mysql", "9.7.4", {"require_secure_transport": "OFF"}).require_secure_transport is False


def test_sessions_are_visible_only_with_performance_schema() -> None:
    assert Dialect("mysql", "9.7.4", {"performance_schema": "ON"}).sees_session_transport
    assert not Dialect("mysql", "5.6.24", {"performance_schema": "ON"}).sees_session_transport
    assert not Dialect("mariadb", "10.11.18", {"performance_schema": "OFF"}).sees_session_transport


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, None),
        ({"read_only": "OFF", "super_read_only": "0"}, None),
        ({"read_only": "ON"}, "read_only"),
        ({"read_only": "ON", "super_read_only": "ON"}, "super_read_only"),
        ({"innodb_read_only": "ON", "read_only": "ON"}, "innodb_read_only"),
        ({"tx_read_only": "1"}, "tx_read_only"),
    ],
)
def test_read_only(variables: dict[str, str], found: str | None) -> None:
    assert Dialect("mysql", "9.7.4", variables).read_only_variable == found


@pytest.mark.parametrize(
    ("family", "version", "persist", "statement"),
    [
        ("mysql", "5.7.44", False, "SHOW SLAVE STATUS"),
        ("mysql", "8.0.21", True, "SHOW SLAVE STATUS"),
        ("mysql", "8.0.22", True, "SHOW REPLICA STATUS"),
        ("mariadb", "11.8.9-MariaDB", False, "SHOW ALL SLAVES STATUS"),
    ],
)
def test_switch_and_replicas(family: str, version: str, persist: bool, statement: str) -> None:
    dialect = Dialect(family, version, {})
    assert dialect.has_persist is persist
    assert dialect.replica_status_statement == statement


def test_longest_statement() -> None:
    assert Dialect("mysql", "9.7.4", {"max_allowed_packet": "1024"}).max_allowed_packet == 1024
    assert Dialect("mysql", "9.7.4", {}).max_allowed_packet == 1024 * 1024
