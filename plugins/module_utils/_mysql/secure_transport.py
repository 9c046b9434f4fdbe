# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The server-wide switch require_secure_transport: what it is, what would change it, and what restores it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect, is_on
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

NAME = "require_secure_transport"


class SwitchUnavailable(RdsMysqlError):
    """A client cannot set it on this server; the message says who can."""


@dataclass(frozen=True)
class SwitchState:
    """``value`` is what the server goes by; ``persisted`` what SET PERSIST has left for its next start, None if not."""

    value: bool
    persisted: bool | None


@dataclass(frozen=True)
class SwitchChange:
    """The switch, before and after. ``lasting``: the server has SET PERSIST, so that it survives a restart.

    ``recorded`` is the state of an earlier time that has to be restored exactly, what was persisted included.
    """

    before: SwitchState
    wanted: bool
    lasting: bool
    recorded: SwitchState | None = None

    @property
    def needed(self) -> bool:
        """Whether anything has to be written."""
        if self.recorded is not None:
            return self.before != self.recorded
        return self.before.value != self.wanted or self.before.persisted not in (None, self.wanted)

    @property
    def after(self) -> SwitchState:
        """The state that it will have."""
        if not self.needed:
            return self.before
        return self.recorded or SwitchState(self.wanted, self.wanted if self.lasting else None)

    @property
    def statements(self) -> tuple[str, ...]:
        """What sets it."""
        if not self.needed:
            return ()
        if self.recorded is not None:
            return self._exactly(self.recorded)
        return (_set("PERSIST" if self.lasting else "GLOBAL", self.wanted),)

    @property
    def rollback_statements(self) -> tuple[str, ...]:
        """What restores both the value and what is persisted."""
        return self._exactly(self.before) if self.needed else ()

    def _exactly(self, state: SwitchState) -> tuple[str, ...]:
        value = _set("GLOBAL", state.value)
        if not self.lasting:
            return (value,)
        if state.persisted is None:
            return (f"RESET PERSIST IF EXISTS {NAME}", value)
        return (_set("PERSIST", state.persisted), value)

    def describe(self) -> dict[str, t.Any]:
        """The return value's form."""
        return {"before": self.before.value, "after": self.after.value, "lasting": self.lasting or not self.needed}


def _set(scope: str, value: bool) -> str:
    return f"SET {scope} {NAME} = {'ON' if value else 'OFF'}"


def read_switch(session: Session, dialect: Dialect) -> SwitchState:
    """What the switch is now.

    :raises SwitchUnavailable: when the server has none.
    """
    rows = session.query(f"SHOW GLOBAL VARIABLES WHERE Variable_name = '{NAME}'")
    if not rows:
        raise SwitchUnavailable(
            f"{NAME}: {session.options.endpoint} runs {dialect.version}, which has no such variable (MySQL has it from "
            "5.7.8 on, MariaDB from 10.5). Require TLS for the accounts instead."
        )
    return SwitchState(is_on(rows[0][1]), _read_persisted(session) if dialect.has_persist else None)


def _read_persisted(session: Session) -> bool | None:
    # Everybody may read this table.
    rows = session.query(
        f"SELECT VARIABLE_VALUE FROM performance_schema.persisted_variables WHERE VARIABLE_NAME = '{NAME}'"
    )
    return is_on(rows[0][0]) if rows else None


def not_lasting(dialect: Dialect, wanted: bool) -> str:
    """The warning for servers without SET PERSIST."""
    section, value = "mariadb" if dialect.is_mariadb else "mysqld", "ON" if wanted else "OFF"
    return (
        f"SET GLOBAL {NAME} does not survive a restart of the server. Write the line {NAME}={value} below [{section}] "
        "into its option file as well."
    )
