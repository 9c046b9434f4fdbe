# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requiring TLS for accounts: plan, guard, apply, read back, verify, and roll back.

The session that reads and writes, the control session, stays open to the end: whatever happens to its account, it can
still roll everything back, as a requirement counts only at login. A second one stands by where that account is among
those that change.
"""

from __future__ import annotations

import typing as t
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.deferred_signals import Interrupts
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.change_log import ChangeLog
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.guards import guard, session_warnings
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.journal import Journal, SessionIdentity
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.kill_sessions import (
    kill_sessions,
    kill_statements,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import Plan, make_plan
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.planned import REFUSED, Planned
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import (
    EnforcementError,
    Request,
    request_from_params,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.rollback_outcome import recover
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Statement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.verification import (
    ChangeVerifier,
    Verification,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import secure_transport
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    AccountState,
    current_account,
    is_without_access_control,
    read_accounts,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.authentication import PasswordWithheld
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect, discover
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import (
    SETTING_VARIABLE_DENIED,
    ConnectionFailed,
    QueryFailed,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import AnotherServer, require_server
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import open_session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.server_side import (
    read_server_side,
    tls_ends_elsewhere,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

# How often a plan is made again because somebody else has changed accounts meanwhile.
_PLANS = 3
# The return value skipped_reason.
READ_ONLY = "read_only"
# One run at a time on a server; of the server's own locks, which are gone with the session that holds them.
_LOCK = "dbtls.rds_mysql.mysql_require_ssl"


@dataclass(frozen=True)
class Result:
    """What was done, or would be done in check mode."""

    plan: Plan
    statements: tuple[str, ...]
    rollback_statements: tuple[str, ...]
    changed: bool
    warnings: tuple[str, ...]
    verified: bool = False
    verification: tuple[Verification, ...] = ()
    change_log: ChangeLog = field(default_factory=ChangeLog)

    def describe(self) -> dict[str, t.Any]:
        """The module's return values."""
        skipped = {"skipped_reason": READ_ONLY, "msg": self.plan.skipped} if self.plan.held_back else {}
        return dict(
            self.plan.describe(),
            **skipped,
            changed=self.changed,
            statements=list(self.statements),
            rollback_statements=list(self.rollback_statements),
            verified=self.verified,
            verification=[proof.describe() for proof in self.verification],
            rolled_back=False,
            warnings=list(self.warnings),
            **self.change_log.describe(),
        )


def enforce(
    options: ConnectionOptions,
    request: Request,
    check_mode: bool,
    change_log: ChangeLog | None = None,
    planned: Planned | None = None,
) -> Result:
    """Give the accounts their requirement, or in check mode say what that would do.

    :arg change_log: The files of what was changed, where there are any.
    :arg planned: A plan that was made before, which alone counts then.
    :raises RdsMysqlError: or one of its kinds. Unless its details have ``rolled_back`` or ``state_unknown``, nothing
        was written.
    """
    with open_session(options) as control:
        dialect = discover(control)
        if dialect.unclear_read_only:
            raise EnforcementError(
                f"{options.endpoint} returned {dialect.unclear_read_only}, which is neither on nor off. Nothing was "
                "changed."
            )
        if is_without_access_control(current_account(control)):
            raise EnforcementError(
                f"{options.endpoint} runs without access control (skip-grant-tables): everybody logs in with any "
                "password, and what accounts require does not count. Nothing was changed. Restart it without that."
            )
        try:
            return _enforce(control, dialect, request, check_mode, change_log or ChangeLog(), planned)
        except AnotherServer as e:
            raise EnforcementError(f"{e.message} Nothing was changed.", **e.details) from e


def _enforce(
    control: Session,
    dialect: Dialect,
    request: Request,
    check_mode: bool,
    change_log: ChangeLog,
    planned: Planned | None,
) -> Result:
    known = read_accounts(control, dialect)
    request = change_log.open(control, dialect, request)
    make = planned.plan if planned else make_plan
    if planned:
        request = replace(request, selection=planned.selection)
    notes = _what_is_not_proven(control)
    for attempt in range(_PLANS):
        try:
            plan = change_log.restoring_plan(control, dialect, known, request) or make(control, dialect, known, request)
        except (EnforcementError, secure_transport.SwitchUnavailable) as e:
            e.details.update({"accounts": [], "reason": REFUSED, **e.details})  # they were read
            raise
        try:
            guard(control, dialect, plan, request)
            killing = kill_statements(control, plan, request)
        except RdsMysqlError as e:
            # What the server is; what it was to become is in the plan. A query that fails is no refusal.
            reason = {} if isinstance(e, QueryFailed) else {"reason": REFUSED}
            e.details.update({**plan.describe({}, switched=False), **reason})
            raise
        if check_mode or not plan.writes:
            result = replace(planned_result(control, dialect, plan, request, notes, killing), change_log=change_log)
            return result if check_mode else _verify_unchanged(control, dialect, result, request)
        if attempt == 0:
            notes += _wait_for_other_runs(control)
        now = read_accounts(control, dialect)
        changed = concurrent_changes(known, now, request)
        # Another run may have been between its UPDATE and its FLUSH PRIVILEGES when this was planned.
        if not changed and (attempt or not plan.saw_unflushed):
            if killing:
                plan = kill_sessions(control, dialect, plan, killing)
            result = replace(planned_result(control, dialect, plan, request, notes, killing), change_log=change_log)
            return apply(control, dialect, result, request)
        notes += changed
        known = now
    raise EnforcementError(f"The accounts of {control.options.endpoint} keep changing. Nothing was changed.")


def _what_is_not_proven(control: Session) -> tuple[str, ...]:
    """The warning for a proxy that ends TLS: what the server requires of it does not reach its clients."""
    sign = tls_ends_elsewhere(control, read_server_side(control))
    if sign is None:
        return ()
    told = (
        f"TLS ends at a proxy before it reaches the server of {control.options.endpoint}: {sign}. What is verified "
        "here holds for the server; it does not prove that clients of the proxy use TLS. Let the proxy require "
        "that, too."
    )
    return (told,)


def planned_result(
    control: Session, dialect: Dialect, plan: Plan, request: Request, notes: tuple[str, ...], killing: tuple[str, ...]
) -> Result:
    """What the plan does, or would do."""
    return Result(
        plan=plan,
        statements=killing + tuple(statement.shown(control) for statement in plan.statements(dialect)),
        rollback_statements=tuple(statement.shown(control) for statement in plan.rollback_statements(dialect)),
        changed=plan.writes,
        warnings=control.warnings + plan.warnings + session_warnings(plan, request) + notes,
    )


def _wait_for_other_runs(control: Session) -> tuple[str, ...]:
    """Let another run on this server finish first; the lock goes when the session does.

    Only a courtesy, so that two runs that want the same both succeed: what keeps them from undoing each other's work
    is that accounts are read again before each write. A run that has died may hold the lock for hours.

    :return: A warning where the other one is not done within ``connect_timeout``.
    """
    options = control.options
    try:
        # A little less than the network wait allows, so that the answer is still heard.
        rows = control.query(f"SELECT GET_LOCK('{_LOCK}', {max(1, options.timeout - 1)}), IS_USED_LOCK('{_LOCK}')")
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return ()  # Galera clusters may be set to refuse such locks.
    if not rows or rows[0][0] == 1:
        return ()
    warning = (
        f"Connection {rows[0][1]} of {options.endpoint} holds the lock of another run of this module, and did not "
        f"release it within {options.timeout} seconds; this run continued without it."
    )
    return (warning,)


def concurrent_changes(
    before: t.Sequence[AccountState], now: t.Sequence[AccountState], request: Request
) -> tuple[str, ...]:
    """What someone else has done to the accounts that are meant, between the first read and the second."""
    selection = request.selection
    if selection is None:
        return ()
    old = {state.account: state.requirement for state in before if selection.includes(state)}
    new = {state.account: state.requirement for state in now if selection.includes(state)}
    if old == new:
        return ()
    told = [f"{account} was dropped" for account in old if account not in new]
    told += [f"{account} was created" for account in new if account not in old]
    told += [
        f"{account} went from {old[account].describe()} to {new[account].describe()}"
        for account in new
        if account in old and old[account] != new[account]
    ]
    return (f"Someone else has changed accounts while this task was running: {', '.join(told)}.",)


def apply(control: Session, dialect: Dialect, result: Result, request: Request) -> Result:
    """Carry out the plan and prove it, or restore the previous state.

    :raises EnforcementError: saying what is known to be true of the server now.
    """
    plan, change_log = result.plan, result.change_log
    journal = Journal()
    verifier = ChangeVerifier(control, dialect, plan)
    sessions = [control]
    with Interrupts() as interrupts, ExitStack() as stack:

        def failure(cause: str) -> EnforcementError:
            details = {
                "rollback_statements": list(result.rollback_statements),
                "verification": verifier.describe(),
                "warnings": list(result.warnings),
            }
            error = recover(plan, dialect, sessions, journal, cause, details)
            if error.details["rolled_back"] or not error.details["changed"]:
                error.details["warnings"] += change_log.undone()
            error.details.update(change_log.describe())
            return error

        try:
            journal.writers.append(SessionIdentity.of(control, journal.nonce))
            if plan.login_changes or plan.enables_secure_transport:
                sessions.append(stack.enter_context(open_standby_session(control, dialect, plan)))
            change_log.begin(control, dialect, plan, result.rollback_statements)
            for statement in plan.statements(dialect):
                interrupts.check()
                check_unchanged(control, dialect, plan, statement)
                journal.run(control, statement)
            _read_back(control, dialect, plan)
            interrupts.check()
            verifier.after_change(request.verify)
            # A server that has crashed meanwhile, and is back, has lost SET GLOBAL, and perhaps its last statements.
            _read_back(control, dialect, plan)
            interrupts.check()
        except RdsMysqlError as e:
            raise failure(e.message + _advice(e, dialect, journal)) from e
        except BaseException as e:
            # An error of ours, or a signal where signals can't be kept, leaves no half-made change behind either.
            raise failure(f"The task was interrupted ({type(e).__name__}).") from e
    return replace(
        result,
        verified=verifier.verified and not plan.unproven,
        verification=tuple(verifier.done),
        warnings=result.warnings + verifier.doubts + change_log.made(),
    )


def _advice(error: RdsMysqlError, dialect: Dialect, journal: Journal) -> str:
    """What to do instead, where the server-wide switch was refused."""
    if not isinstance(error, QueryFailed) or not journal.sent or not journal.sent[-1].changes_secure_transport:
        return ""
    if error.code not in SETTING_VARIABLE_DENIED:
        return ""
    return (
        ". The login needs SYSTEM_VARIABLES_ADMIN (SUPER on MariaDB and old servers) for it. "
        + _rds.secure_transport_advice(dialect.managed_by, journal.sent[-1].text.endswith("ON"))
    )


def open_standby_session(control: Session, dialect: Dialect, plan: Plan) -> Session:
    """A second session, for a rollback if the first is lost; new logins may be impossible by then."""
    options = control.options
    try:
        session = open_session(options.encrypted() if control.greeting.offers_tls else options)
    except (ConnectionFailed, PasswordWithheld) as e:
        raise EnforcementError(
            f"A second login of {options.user} to {options.endpoint}, for a rollback if the first is lost, failed: "
            f"{e.message}"
        ) from e
    try:
        require_server(session, dialect, plan.identity)
    except BaseException:
        session.close()
        raise
    return session


def check_unchanged(control: Session, dialect: Dialect, plan: Plan, statement: Statement) -> None:
    """Right before it is sent: this is the server, and its accounts are, as when that was decided.

    :raises EnforcementError: naming the accounts that are not.
    :raises AnotherServer: when it is another one.
    """
    told = []
    if statement.changes:
        read = read_accounts(control, dialect, [change.account for change in statement.changes])
        now = {state.account: state.requirement for state in read}
        for change in statement.changes:
            found = now.get(change.account)
            if found != change.expected:
                told.append(f"{change.account} " + (f"has {found.describe()} by now" if found else "is gone"))
    require_server(control, dialect, plan.identity)
    if told:
        raise EnforcementError(f"Someone else is changing accounts of {control.options.endpoint}: {', '.join(told)}.")


def _read_back(session: Session, dialect: Dialect, plan: Plan) -> None:
    """What the accounts and the switch are is what they were to become.

    :raises EnforcementError: naming the first that is not.
    """
    now = {state.account: state.requirement for state in read_accounts(session, dialect)}
    require_server(session, dialect, plan.identity)
    for change in plan.changes:
        found = now.get(change.account)
        if found != change.after:
            raise EnforcementError(
                "{} should now have the requirement {}, but {}.".format(
                    change.account, change.after.describe(), f"has {found.describe()}" if found else "is gone"
                )
            )
    if plan.switch and plan.changes_secure_transport:
        switch = secure_transport.read_switch(session, dialect)
        if switch != plan.switch.after:
            raise EnforcementError(f"{secure_transport.NAME} was set, and is not what it was set to.")


def _verify_unchanged(control: Session, dialect: Dialect, result: Result, request: Request) -> Result:
    """Nothing had to be written: the requirement stands, and this very login shows that logins still work.

    :raises EnforcementError: when a login that has to be proven fails.
    """
    verifier = ChangeVerifier(control, dialect, result.plan)
    try:
        verifier.without_change(control, request.verify)
    except EnforcementError as e:
        details = dict(result.describe(), verification=verifier.describe())
        raise EnforcementError(f"verify: {e.message} Nothing was changed.", **details) from e
    return replace(
        result,
        verified=verifier.verified and not result.plan.held_back and not result.plan.unproven,
        verification=tuple(verifier.done),
        warnings=result.warnings + (verifier.doubts if request.verify else ()) + result.change_log.made(),
    )


def run(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """The module's work: from validated parameters to return values.

    :raises RdsMysqlError: or one of its kinds, with return values among its details.
    """
    options = ConnectionOptions.from_params(params)
    request, planned = request_from_params(params), Planned.from_params(params)
    return enforce(options, request, check_mode, ChangeLog.from_params(params), planned).describe()
