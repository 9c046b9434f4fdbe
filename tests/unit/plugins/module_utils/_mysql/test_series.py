# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every series of servers can do, those included that cannot be started for the tests.

The variables of MySQL 5.7.36 and 8.0.30 are what such servers answered (docs/server_differences.md has what was
measured); those of the others are in the matrix of the functional tests.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect, discover

if t.TYPE_CHECKING:
    from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

MYSQL_5_7 = {
    "have_openssl": "YES",
    "have_ssl": "YES",
    "performance_schema": "ON",
    "require_secure_transport": "OFF",
    "tls_version": "TLSv1,TLSv1.1,TLSv1.2",
    "version": "5.7.36",
}
MYSQL_8_0 = {**MYSQL_5_7, "tls_version": "TLSv1.2,TLSv1.3", "version": "8.0.30"}
MYSQL_9 = {name: value for name, value in MYSQL_8_0.items() if not name.startswith("have_")}
MARIADB = {**MYSQL_8_0, "performance_schema": "OFF"}


@dataclass(frozen=True)
class Series:
    """A server's variables, and by name of the property what follows from its version."""

    variables: dict[str, str]
    alter_user: bool = True
    view: bool = False
    persist: bool = False
    transport: bool = True
    reload_tls: bool = False
    flush_ssl: bool = False
    error_summaries: bool = False
    show_create_user: bool = True
    replica_status: str = "SHOW SLAVE STATUS"
    tls_versions: tuple[str, ...] | None = ("TLSv1.2", "TLSv1.3")
    switch: bool | None = False


NEW_MYSQL = {"persist": True, "reload_tls": True, "error_summaries": True, "replica_status": "SHOW REPLICA STATUS"}
NEW_MARIADB = {"view": True, "flush_ssl": True, "replica_status": "SHOW ALL SLAVES STATUS"}
SERIES = {
    "mysql-5.6": Series(
        {"version": "5.6.24", "have_ssl": "YES", "performance_schema": "ON"},
        alter_user=False,
        transport=False,
        show_create_user=False,
        tls_versions=None,
        switch=None,
    ),
    "mysql-5.7": Series(MYSQL_5_7, tls_versions=("TLSv1", "TLSv1.1", "TLSv1.2")),
    "mysql-5.7 with --skip-ssl": Series(
        {**MYSQL_5_7, "have_openssl": "DISABLED", "have_ssl": "DISABLED"}, tls_versions=("TLSv1", "TLSv1.1", "TLSv1.2")
    ),
    "mysql-8.0": Series(MYSQL_8_0, **NEW_MYSQL),  # type: ignore[arg-type]
    "mysql-8.4": Series({**MYSQL_9, "version": "8.4.6"}, **NEW_MYSQL),  # type: ignore[arg-type]
    "mysql-9.7": Series({**MYSQL_9, "version": "9.7.4-2"}, **NEW_MYSQL),  # type: ignore[arg-type]
    "mariadb-10.5": Series({**MARIADB, "version": "10.5.29-MariaDB-0+deb11u1"}, **NEW_MARIADB),  # type: ignore[arg-type]
    "mariadb-10.6": Series({**MARIADB, "version": "10.6.22-MariaDB-log"}, **NEW_MARIADB),  # type: ignore[arg-type]
    "mariadb-10.11": Series({**MARIADB, "version": "10.11.18-MariaDB-0+deb12u1"}, **NEW_MARIADB),  # type: ignore[arg-type]
    "mariadb-11.4": Series({**MARIADB, "version": "11.4.8-MariaDB"}, **NEW_MARIADB),  # type: ignore[arg-type]
    "mariadb-11.8": Series(
        {**MARIADB, "version": "11.8.9-MariaDB-0+deb13u1 from Debian"},
        **NEW_MARIADB,  # type: ignore[arg-type]
    ),
}


class Answering:
    """A session on a server that has these variables."""

    def __init__(self, variables: t.Mapping[str, str], family: str) -> None:
        self._variables = variables
        self.greeting = t.cast("t.Any", _Greeting(family, variables["version"]))

    def query(self, statement: str, arguments: t.Sequence[t.Any] = ()) -> list[tuple[t.Any, ...]]:
        assert statement.startswith("SHOW VARIABLES WHERE Variable_name IN ("), statement
        assert not arguments
        return sorted((name, value) for name, value in self._variables.items() if f"'{name}'" in statement)


class _Greeting(t.NamedTuple):
    family: str
    version: str
    raw_version: str = ""


def dialect_of(name: str) -> Dialect:
    family = name.partition("-")[0]
    return discover(t.cast("Session", Answering(SERIES[name].variables, family)))


@pytest.mark.parametrize("name", SERIES)
def test_what_a_series_can_do(name: str) -> None:
    expected, dialect = SERIES[name], dialect_of(name)
    assert dialect.family == name.partition("-")[0]
    assert dialect.version == expected.variables["version"]
    assert {
        "alter_user": dialect.has_alter_user_require,
        "view": dialect.user_table_is_view,
        "persist": dialect.has_persist,
        "transport": dialect.has_session_transport,
        "reload_tls": dialect.has_reload_tls,
        "flush_ssl": dialect.has_flush_ssl,
        "error_summaries": dialect.has_error_summaries,
        "show_create_user": dialect.has_show_create_user,
        "replica_status": dialect.replica_status_statement,
        "tls_versions": dialect.tls_versions,
        "switch": dialect.require_secure_transport,
    } == {name: value for name, value in vars(expected).items() if name != "variables"}


@pytest.mark.parametrize("name", SERIES)
def test_how_a_series_shows_its_accounts(name: str) -> None:
    query, dialect = dialect_of(name).accounts_query, dialect_of(name)
    assert ("mysql.global_priv" in query) is (dialect.is_mariadb)
    # Columns of mysql.user that MySQL 5.6 does not have.
    assert ("account_locked" in query) is (name != "mysql-5.6")
    # CREATE ROLE is there from MySQL 8.0 on.
    assert ("password_expired" in query) is (not dialect.is_mariadb and not name.startswith("mysql-5"))


def test_every_server_of_the_matrix_has_its_series() -> None:
    from tests.servers import MATRIX

    assert set(MATRIX) <= set(SERIES)
