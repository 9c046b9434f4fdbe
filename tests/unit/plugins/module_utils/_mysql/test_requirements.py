# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Account, Requirement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.requirements import require_statement

NEW = Dialect("mysql", "8.0.36", {})
OLD = Dialect("mysql", "5.6.24", {})
APP, ODD = Account("app", "%"), Account("it's", "10.%")


@pytest.mark.parametrize(
    ("accounts", "requirement", "dialect", "expected"),
    [
        ([APP], Requirement("ANY"), NEW, "ALTER USER 'app'@'%' REQUIRE SSL"),
        ([APP, ODD], Requirement("X509"), NEW, "ALTER USER 'app'@'%', 'it''s'@'10.%' REQUIRE X509"),
        ([APP], Requirement(), OLD, "GRANT USAGE ON *.* TO 'app'@'%' REQUIRE NONE"),
        (
            [APP],
            Requirement("SPECIFIED", cipher="AES", subject="/CN=a"),
            NEW,
            "ALTER USER 'app'@'%' REQUIRE SUBJECT '/CN=a' AND CIPHER 'AES'",
        ),
    ],
)
def test_require_statement(accounts: list[Account], requirement: Requirement, dialect: Dialect, expected: str) -> None:
    assert require_statement(accounts, requirement, dialect) == expected
