# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server-wide switch, as the server has it."""

from __future__ import annotations

from typing import Any

from .database import Database

NAME = "require_secure_transport"


def reset(db: Database) -> None:
    if not db.mariadb:
        db.query(f"RESET PERSIST IF EXISTS {NAME}")
    db.query(f"SET GLOBAL {NAME} = OFF")


def state(db: Database) -> tuple[Any, Any]:
    """What the server goes by, and what it will go by after a restart where that was set by a client."""
    value = db.query(f"SHOW GLOBAL VARIABLES LIKE '{NAME}'")[0][1]
    if db.mariadb:
        return value, None
    rows = db.query(f"SELECT VARIABLE_VALUE FROM performance_schema.persisted_variables WHERE VARIABLE_NAME = '{NAME}'")
    return value, rows[0][0] if rows else None
