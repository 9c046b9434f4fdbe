# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is different on RDS and Aurora, as recorded."""

from __future__ import annotations

import typing as t

import pytest

from .recorded_server import COMMON, RECORDED, Played, check

if t.TYPE_CHECKING:
    from tests.servers import Pki


@pytest.mark.parametrize(
    ("name", "managed_by", "family"),
    [
        ("rds-mysql", "rds", "mysql"),
        ("rds-mysql-unversioned", "rds", "mysql"),
        ("rds-mariadb", "rds", "mariadb"),
        ("aurora", "aurora", "mysql"),
        ("own", None, "mysql"),
    ],
)
def test_who_manages_a_server(name: str, managed_by: str | None, family: str, pki: Pki) -> None:
    seen = check(RECORDED[name], pki.server())
    assert seen["server"] == {
        "version": RECORDED[name]["version"],
        "family": family,
        "managed_by": managed_by,
        "read_only": False,
        "replica_of": None,
    }
    found = {finding["id"]: finding for finding in seen["findings"]}
    todo = found["transport-not-required"]["remediation"]
    # Where AWS manages a server, nobody sets its variables with SQL.
    group = "cluster-parameter-group" if managed_by == "aurora" else "parameter-group"
    assert (f"aws rds modify-db-{group} --db-{group}-name GROUP" in todo) is (managed_by is not None)
    assert ("SET " in todo) is (managed_by is None)
    # That one is dynamic, and performance_schema is not.
    assert ("ApplyMethod=immediate" in todo) is (managed_by is not None)
    todo = found["sessions-not-visible"]["remediation"]
    assert ("ApplyMethod=pending-reboot" in todo) is (managed_by is not None)


def test_accounts_of_aws_are_not_to_be_touched(pki: Pki) -> None:
    seen = check(RECORDED["aurora"], pki.server())
    system = {account["user"] for account in seen["accounts"] if account["system"]}
    assert system == {
        "rdsadmin",
        "rdsrepladmin",
        "rdsproxyadmin",
        "rds_superuser_role",
        "AWS_LOAD_S3_ACCESS",
        "mysql.sys",
    }
    without = {
        finding["subject"]: (finding["severity"], finding["remediation"])
        for finding in seen["findings"]
        if finding["id"] == "account-without-tls"
    }
    assert set(without) == {"rdsadmin@localhost", "rdsrepladmin@%", "rdsproxyadmin@%", "app@10.%"}
    severity, todo = without["app@10.%"]
    assert severity == "high"
    # The sessions of this server cannot be seen.
    assert todo == (
        "First make sure that its clients use TLS, which this check could not see. "
        "ansible-playbook -i INVENTORY dbtls.rds_mysql.enforce --limit HOST "
        """-e '{"mysql_tls_accounts": ["app@10.%"]}' By hand: ALTER USER 'app'@'10.%' REQUIRE SSL;"""
    )
    assert without["rdsadmin@localhost"][0] == "info"
    assert "ALTER USER" not in without["rdsadmin@localhost"][1]


def test_the_family_is_the_servers_own_word_for_it(pki: Pki) -> None:
    """Whatever the proxy in front of it greets as."""
    seen = check(RECORDED["rds-mariadb"], pki.server(), Played(greets="8.0.11"))
    assert seen["server"]["family"] == "mariadb"
    assert seen["summary"][0].startswith("mariadb 10.11.8-MariaDB-log, ")
    assert "ansible-playbook" in str(seen["findings"])


def test_a_server_built_without_tls_is_told_apart(pki: Pki) -> None:
    """NO, not DISABLED; nobody builds such a server any more."""
    variables = {
        **COMMON,
        "version": "10.1.48-MariaDB",
        "basedir": "/usr",
        "have_ssl": "NO",
        "have_openssl": "NO",
    }
    tls = check(variables, pki.server())["tls"]
    assert (tls["have_ssl"], tls["have_openssl"], tls["have_ssl_source"]) == ("NO", "NO", "variable")
