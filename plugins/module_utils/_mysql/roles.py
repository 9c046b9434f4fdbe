# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Roles: which accounts of MySQL are one, and which of this login's are not active."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import READING_ACCOUNTS_DENIED, QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

# A grant of privileges names what they are on.
_GRANT_OF_ROLES = re.compile(r"GRANT (?!.* ON )(?P<roles>.+?) TO ", re.DOTALL)


def roles_granted(session: Session, dialect: Dialect) -> set[tuple[str, str]] | None:
    """User and host of all that is granted as a role; None where accounts tell that, or this login may not read it."""
    if dialect.roles_query is None:
        return None
    try:
        rows = session.query(dialect.roles_query)
    except QueryFailed as e:
        if e.code not in READING_ACCOUNTS_DENIED:
            raise
        return None
    return {(_text(user), _text(host)) for user, host in rows}


def roles_without_effect(session: Session, dialect: Dialect) -> str | None:
    """The roles of this login as the server writes them, where none of them is active; else None."""
    if not dialect.has_roles:
        return None
    try:
        granted = [_GRANT_OF_ROLES.match(_text(row[0])) for row in session.query("SHOW GRANTS")]
        roles = ", ".join(match.group("roles") for match in granted if match)
        if not roles or _text(session.query("SELECT CURRENT_ROLE()")[0][0]) not in ("", "NONE"):
            return None
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return None
    return roles


def _text(value: t.Any) -> str:
    if value is None:
        return ""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
