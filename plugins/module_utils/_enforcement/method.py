# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""By which statements accounts are changed on this server, and whether FLUSH PRIVILEGES belongs to them."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.account_changes import pending_strangers
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import (
    ALTER_USER,
    GRANT_TABLES,
    GRANT_USAGE,
    EnforcementError,
    Request,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Change
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import AccountState
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import TABLE_DENIED, QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session


def choose_method(
    control: Session,
    dialect: Dialect,
    request: Request,
    changes: t.Sequence[Change],
    known: t.Sequence[AccountState],
) -> str:
    """The method for these changes, of all accounts that are known.

    :raises EnforcementError: when none works on this server, or it would do more than what was asked for.
    """
    endpoint = control.options.endpoint
    spoilt = () if dialect.escapes_alter_user else [change for change in changes if change.needs_escaping]
    if request.method == ALTER_USER and not dialect.has_alter_user_require:
        raise EnforcementError(
            f"method: {endpoint} runs {dialect.version}, which has no ALTER USER ... REQUIRE; use auto or grant_tables."
        )
    if request.method == GRANT_TABLES:
        if dialect.user_table_is_view:
            raise EnforcementError(
                f"method: grant_tables does not work on {endpoint}, where mysql.user is a view; use auto or alter_user."
            )
        if not _may_update_user_table(control, dialect):
            raise EnforcementError(
                "method: grant_tables does not work on {}, which does not let {} write to mysql.user (RDS for MySQL "
                "closes it from 8.0.36 on); use auto{}.".format(
                    endpoint, control.options.user, " or alter_user" if dialect.has_alter_user_require else ""
                )
            )
        _refuse_strangers(control, dialect, request, changes, known)
        return GRANT_TABLES
    if spoilt:
        if request.method == ALTER_USER or not _may_update_user_table(control, dialect):
            raise EnforcementError(
                f"The requirement of {spoilt[0].account} has a quote or a backslash in it, before or after the change. "
                f"MySQL writes ALTER USER to the binary log of {endpoint} without escaping them, so that replicas "
                f"would stop or take another name, and {_why_not_tables(request, control)}. Nothing was changed."
            )
        _refuse_strangers(control, dialect, request, changes, known)
        return GRANT_TABLES
    if dialect.has_alter_user_require:
        return ALTER_USER
    if not _may_update_user_table(control, dialect):
        return GRANT_USAGE
    # FLUSH PRIVILEGES is for all accounts, GRANT for those that are meant.
    strangers = request.flush != "always" and pending_strangers(control, dialect, known, changes)
    return GRANT_USAGE if strangers else GRANT_TABLES


def _why_not_tables(request: Request, control: Session) -> str:
    if request.method == ALTER_USER:
        return "method: alter_user leaves no other way; use auto or grant_tables"
    return f"{control.options.user} may not write to mysql.user, which would be the other way"


def _refuse_strangers(
    control: Session,
    dialect: Dialect,
    request: Request,
    changes: t.Sequence[Change],
    known: t.Sequence[AccountState],
) -> None:
    if request.flush == "always":
        return
    strangers = pending_strangers(control, dialect, known, changes)
    if strangers:
        raise EnforcementError(
            f"Somebody has written to mysql.user of {control.options.endpoint} and not flushed privileges: "
            f"{', '.join(map(str, strangers[:_MOST_NAMED]))}{' and more' if len(strangers) > _MOST_NAMED else ''}. "
            "FLUSH PRIVILEGES, which the method grant_tables needs, would put that in force as well. Nothing was "
            "changed. Ask them, and set flush to always where it may come into force."
        )


_MOST_NAMED = 10


def _may_update_user_table(control: Session, dialect: Dialect) -> bool:
    """Whether this login may update mysql.user, found out without writing: EXPLAIN needs the same privileges."""
    if dialect.read_only_variable:
        return True  # EXPLAIN would be refused like the statement itself; a guard says why.
    try:
        control.query("EXPLAIN UPDATE mysql.user SET ssl_type = ssl_type WHERE User = '' AND Host = ''")
    except QueryFailed as e:
        if e.code in TABLE_DENIED:
            return False
        raise
    return True


def needs_flush(method: str, flush: str, endpoint: str) -> bool:
    """Whether FLUSH PRIVILEGES is run.

    :raises OptionError: when the user forbids what the method needs.
    """
    needed = method == GRANT_TABLES
    if needed and flush == "never":
        raise OptionError(
            f"flush: never does not go with method grant_tables on {endpoint}, as an update of mysql.user counts only "
            "after FLUSH PRIVILEGES."
        )
    return needed or flush == "always"
