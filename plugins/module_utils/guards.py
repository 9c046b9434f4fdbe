# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stops the work before anything is written, because going on could lock somebody out."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import status
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.authentication import PasswordWithheld
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.connection import (
    ConnectionFailed,
    Session,
    open_session,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.planning import Change, EnforcementError, Plan, Wish


def guard(control: Session, plan: Plan, wish: Wish) -> None:
    """Stop before anything is written, where going on could lock somebody out.

    :raises EnforcementError: naming the guard's reason.
    """
    options = control.options
    if wish.requirement.ssl_type == "NONE" or not plan.changes:
        return
    if not control.greeting.offers_tls:
        raise EnforcementError(
            f"{options.endpoint} offers no TLS, so that an account that has to use it could never log in again. "
            "Nothing was changed. "
            "Set TLS up on the server first.",
            **plan.describe(),
        )
    mine = plan.login_changes
    if mine is not None:
        _guard_login(control, plan, mine)
    if plan.plaintext_sessions and wish.plaintext_sessions == "fail":
        raise EnforcementError(
            f"Clients are connected to {options.endpoint} without TLS and would not get in again: "
            f"{list_sessions(plan.plaintext_sessions)}. Nothing was changed. Let them "
            "connect with TLS first, or set plaintext_sessions to warn or allow.",
            **plan.describe(),
        )


def _guard_login(control: Session, plan: Plan, mine: Change) -> None:
    options = control.options
    if mine.after.ssl_type in ("X509", "SPECIFIED") and options.client_cert is None:
        raise EnforcementError(
            f"{mine.account}, the account of this login, would need a client certificate from now on, and client_cert "
            "is not "
            "set. Nothing was changed.",
            **plan.describe(),
        )
    if control.encrypted:
        return
    try:
        open_session(options.encrypted()).close()
    except (ConnectionFailed, PasswordWithheld) as e:
        raise EnforcementError(
            f"{mine.account} is the account of this login, and it cannot log in with TLS now, so that it would be "
            f"locked out: {e.message} "
            "Nothing was changed.",
            **plan.describe(),
        ) from e


def list_sessions(sessions: t.Sequence[status.LiveSession], most: int = 10) -> str:
    """The first of them for a message, and how many more."""
    listed = ", ".join(
        f"{session.user} from {session.host} (connection {session.connection_id})" for session in sessions[:most]
    )
    rest = len(sessions) - most
    return listed + (f" and {rest} more" if rest > 0 else "")
