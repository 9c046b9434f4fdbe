# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ending sessions that do not use TLS: ``plaintext_sessions: kill``."""

from __future__ import annotations

import time
import typing as t
from dataclasses import replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.guards import list_sessions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.journal import (
    SessionIdentity,
    make_nonce,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plaintext_sessions import (
    PlaintextSession,
    find_plaintext_sessions,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import Plan
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import EnforcementError, Request
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import ER_NO_SUCH_THREAD, QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

# How long sessions may take to go, and how long clients have to come back, in seconds. One that is back without TLS
# so soon would have been locked out.
_GOING_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.05
_COMING_BACK_SECONDS = 1.0


def kill_statements(control: Session, plan: Plan, request: Request) -> tuple[str, ...]:
    """What ends the sessions: RDS has a procedure for it, as it gives nobody the privilege for KILL.

    :raises EnforcementError: where a proxy may take the numbers for its own.
    """
    if request.plaintext_sessions != "kill" or not plan.plaintext_sessions:
        return ()
    by_procedure = control.query(
        "SELECT 1 FROM information_schema.routines WHERE ROUTINE_SCHEMA = 'mysql' AND ROUTINE_NAME = 'rds_kill'"
    )
    if not by_procedure:
        _check_numbers(control)
    form = "CALL mysql.rds_kill({})" if by_procedure else "KILL {}"
    return tuple(form.format(found.session.connection_id) for found in plan.plaintext_sessions)


def _check_numbers(control: Session) -> None:
    """ProxySQL and MaxScale carry out KILL themselves, by their own numbers of connections; Router greets with 0."""
    if control.connection_id in (0, SessionIdentity.of(control, make_nonce()).connection_id):
        return
    raise EnforcementError(
        f"A proxy in front of {control.options.endpoint} numbers connections in its own way, and KILL could end "
        "another client's. Nothing was changed. For plaintext_sessions: kill, connect to the server itself."
    )


def kill_sessions(control: Session, dialect: Dialect, plan: Plan, statements: t.Sequence[str]) -> Plan:
    """End them, and check whether anybody is still there, or there again.

    :return: The plan, with the sessions marked as killed.
    :raises EnforcementError: when one cannot be ended, or a client comes back without TLS.
    """
    killed: list[PlaintextSession] = []
    for found, statement in zip(plan.plaintext_sessions, statements):
        try:
            control.query(statement)
        except QueryFailed as e:
            if e.connection_lost:
                raise
            # The procedure of RDS lets the server's error through as it is.
            if e.code != ER_NO_SUCH_THREAD:
                raise EnforcementError(
                    f"{found} could not be ended, which needs CONNECTION_ADMIN (CONNECTION ADMIN on MariaDB, SUPER on "
                    f"old servers) or, on RDS, EXECUTE on mysql.rds_kill: {e.message}. {_so_far(killed)}",
                    **_with_sessions(plan, (*killed, *plan.plaintext_sessions[len(killed) :])).describe(),
                ) from e
        killed.append(replace(found, killed=True))
    numbers = {found.session.connection_id for found in killed}
    deadline = time.monotonic() + _GOING_SECONDS
    while True:
        left = find_plaintext_sessions(control, dialect, plan.who_has_to_use_tls).sessions
        if not numbers & {found.session.connection_id for found in left} or time.monotonic() > deadline:
            break
        time.sleep(_LOOK_AGAIN_SECONDS)
    time.sleep(_COMING_BACK_SECONDS)
    left = find_plaintext_sessions(control, dialect, plan.who_has_to_use_tls).sessions
    if left:
        raise EnforcementError(
            f"Clients are still, or again, connected to {control.options.endpoint} without TLS, and would be "
            f"unable to reconnect once it is required: {list_sessions(left)}. {_so_far(killed)} "
            "Let them connect with TLS first.",
            **_with_sessions(plan, (*killed, *left)).describe(),
        )
    return _with_sessions(plan, tuple(killed))


def _so_far(killed: t.Sequence[PlaintextSession]) -> str:
    if not killed:
        return "Nothing was changed."
    return f"No account was changed; these sessions were ended: {list_sessions(killed)}."


def _with_sessions(plan: Plan, sessions: tuple[PlaintextSession, ...]) -> Plan:
    return replace(plan, session_check=replace(plan.session_check, sessions=sessions))
