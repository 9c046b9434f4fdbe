# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements that change what accounts require."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    Account,
    Requirement,
    quote,
    quote_account,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect

_CLAUSES = {"NONE": "NONE", "ANY": "SSL", "X509": "X509"}


def require_statement(targets: t.Iterable[Account], requirement: Requirement, dialect: Dialect) -> str:
    """``ALTER USER ... REQUIRE ...``, or ``GRANT USAGE ... REQUIRE ...`` where the server's ALTER USER lacks that."""
    verb = "ALTER USER" if dialect.has_alter_user_require else "GRANT USAGE ON *.* TO"
    names = ", ".join(quote_account(account, dialect) for account in targets)
    return f"{verb} {names} REQUIRE {require_clause(requirement, dialect)}"


def require_clause(requirement: Requirement, dialect: Dialect) -> str:
    """What follows ``REQUIRE``."""
    if requirement.ssl_type != "SPECIFIED":
        return _CLAUSES[requirement.ssl_type]
    parts = (("SUBJECT", requirement.subject), ("ISSUER", requirement.issuer), ("CIPHER", requirement.cipher))
    return " AND ".join(f"{name} {quote(value, dialect)}" for name, value in parts if value)
