# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requiring TLS of accounts: plan, guard, apply, read back, verify, and put back.

The session that reads and writes, the control session, stays open to the end: whatever happens to its account, it can
still put everything back, as a requirement counts only at login. A second one stands by where that account is among
those that change.
"""

from __future__ import annotations

import typing as t
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import _rds
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.deferred_signals import Interrupts
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement import guards, rollback, verification
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.change_log import Keeping
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.kill_sessions import (
    end_sessions,
    killing_statements,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import (
    Change,
    EnforcementError,
    Login,
    Plan,
    Wish,
    make_plan,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import accounts, secure_transport
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Pattern, Requirement, Selection
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.authentication import PasswordWithheld
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect, discover
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import (
    ConnectionFailed,
    QueryFailed,
    Session,
    open_session,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions

# How often a plan is made again because somebody else has changed accounts meanwhile.
_PLANS = 3
# One run at a time on a server; of the server's own locks, which are gone with the session that holds them.
_LOCK = "dbtls.rds_mysql.mysql_require_ssl"


@dataclass(frozen=True)
class Outcome:
    """What was done, or would be done in check mode."""

    plan: Plan
    statements: tuple[str, ...]
    rollback_statements: tuple[str, ...]
    changed: bool
    warnings: tuple[str, ...]
    verified: bool = False
    verification: tuple[verification.Verification, ...] = ()
    keeping: Keeping = field(default_factory=Keeping)

    def describe(self) -> dict[str, t.Any]:
        """The module's return values."""
        return dict(
            self.plan.describe(),
            changed=self.changed,
            statements=list(self.statements),
            rollback_statements=list(self.rollback_statements),
            verified=self.verified,
            verification=[proof.describe() for proof in self.verification],
            rolled_back=False,
            warnings=list(self.warnings),
            **self.keeping.describe(),
        )


def enforce(options: ConnectionOptions, wish: Wish, check_mode: bool, keeping: Keeping | None = None) -> Outcome:
    """Give the accounts their requirement, or in check mode say what that would do.

    :arg keeping: The files of what was changed, where there are any.
    :raises RdsMysqlError: or one of its kinds. Unless its details have ``rolled_back`` or ``state_unknown``, nothing
        was written.
    """
    with open_session(options) as control:
        dialect = discover(control)
        known = accounts.read_accounts(control, dialect)
        keeping = keeping or Keeping()
        wish = keeping.open(control, dialect, wish)
        notes: tuple[str, ...] = ()
        for attempt in range(_PLANS):
            plan = keeping.restoring_plan(control, dialect, known, wish) or make_plan(control, dialect, known, wish)
            guards.guard(control, dialect, plan, wish)
            killing = killing_statements(control, plan, wish)
            if check_mode or not plan.writes:
                outcome = replace(_promise(control, dialect, plan, wish, notes, killing), keeping=keeping)
                return outcome if check_mode else _verify_as_it_is(control, dialect, outcome, wish)
            if attempt == 0:
                notes += _wait_for_other_runs(control)
            now = accounts.read_accounts(control, dialect)
            changed = _meanwhile(known, now, wish)
            if not changed:
                if killing:
                    plan = end_sessions(control, dialect, plan, wish, killing)
                outcome = replace(_promise(control, dialect, plan, wish, notes, killing), keeping=keeping)
                return _carry_out(control, dialect, outcome, wish)
            notes += changed
            known = now
        raise EnforcementError(f"The accounts of {options.endpoint} keep changing. Nothing was changed.")


def _promise(
    control: Session, dialect: Dialect, plan: Plan, wish: Wish, notes: tuple[str, ...], killing: tuple[str, ...]
) -> Outcome:
    return Outcome(
        plan=plan,
        statements=killing + tuple(statement.shown(control) for statement in plan.statements(dialect)),
        rollback_statements=tuple(statement.shown(control) for statement in plan.rollback_statements(dialect)),
        changed=plan.writes,
        warnings=control.warnings + plan.warnings + guards.session_warnings(plan, wish) + notes,
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
        f"release it within {options.timeout} seconds; this run went on without."
    )
    return (warning,)


def _meanwhile(
    before: t.Sequence[accounts.AccountState], now: t.Sequence[accounts.AccountState], wish: Wish
) -> tuple[str, ...]:
    """What somebody else has done to the accounts that are meant, between the first look and the second."""
    selection = wish.selection
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
    return (f"Somebody else has changed accounts while this task was at work: {', '.join(told)}.",)


def _carry_out(control: Session, dialect: Dialect, outcome: Outcome, wish: Wish) -> Outcome:
    plan, keeping = outcome.plan, outcome.keeping
    journal = rollback.Journal()
    proving = verification.Proofs(control, dialect, plan)
    sessions = [control]
    with Interrupts() as interrupts, ExitStack() as stack:

        def surprise(cause: str) -> EnforcementError:
            details = {
                "rollback_statements": list(outcome.rollback_statements),
                "verification": proving.describe(),
                "warnings": list(outcome.warnings),
            }
            error = rollback.after_surprise(plan, dialect, sessions, journal, cause, details)
            if not error.details["changed"]:
                error.details["warnings"] += keeping.undone()
            error.details.update(keeping.describe())
            return error

        try:
            journal.writers.append(rollback.Identity.of(control))
            if plan.login_changes or plan.switches_on:
                sessions.append(stack.enter_context(_stand_by(control)))
            keeping.begin(control, dialect, plan, outcome.rollback_statements)
            for statement in plan.statements(dialect):
                interrupts.check()
                _compare(control, dialect, statement.changes)
                journal.run(control, statement)
            _read_back(control, dialect, plan)
            interrupts.check()
            proving.after_change(wish.verify)
            # A server that has crashed meanwhile, and is back, has lost SET GLOBAL, and perhaps its last statements.
            _read_back(control, dialect, plan)
            interrupts.check()
        except RdsMysqlError as e:
            raise surprise(e.message + _advice(e, dialect, journal)) from e
        except BaseException as e:
            # An error of ours, or a signal where signals can't be kept, leaves no half-made change behind either.
            raise surprise(f"The task was interrupted ({type(e).__name__}).") from e
    return replace(
        outcome,
        verified=proving.verified,
        verification=tuple(proving.done),
        warnings=outcome.warnings + proving.doubts + keeping.made(),
    )


def _advice(error: RdsMysqlError, dialect: Dialect, journal: rollback.Journal) -> str:
    """What to do instead, where the server-wide switch was refused."""
    if not isinstance(error, QueryFailed) or not journal.sent or not journal.sent[-1].switches:
        return ""
    if error.code not in secure_transport.PRIVILEGE_MISSING:
        return ""
    return (
        ". The login needs SYSTEM_VARIABLES_ADMIN (SUPER on MariaDB and old servers) for it. "
        + _rds.secure_transport_advice(dialect.managed_by, journal.sent[-1].text.endswith("ON"))
    )


def _stand_by(control: Session) -> Session:
    """A second session, to put back with should the first be lost; new logins may be impossible by then."""
    options = control.options
    try:
        return open_session(options.encrypted() if control.greeting.offers_tls else options)
    except (ConnectionFailed, PasswordWithheld) as e:
        raise EnforcementError(
            f"A second login of {options.user} to {options.endpoint}, to put back with if the first is lost, failed: "
            f"{e.message}"
        ) from e


def _compare(control: Session, dialect: Dialect, changes: t.Sequence[Change]) -> None:
    """Right before these changes are written: the accounts are as they were when that was decided.

    :raises EnforcementError: naming those that are not.
    """
    if not changes:
        return
    read = accounts.read_accounts(control, dialect, [change.account for change in changes])
    now = {state.account: state.requirement for state in read}
    told = []
    for change in changes:
        found = now.get(change.account)
        if found != change.before:
            told.append(f"{change.account} " + (f"has {found.describe()} by now" if found else "is gone"))
    if told:
        raise EnforcementError(f"Somebody else is changing accounts of {control.options.endpoint}: {', '.join(told)}.")


def _read_back(session: Session, dialect: Dialect, plan: Plan) -> None:
    """What the accounts and the switch are is what they were to become.

    :raises EnforcementError: naming the first that is not.
    """
    now = {state.account: state.requirement for state in accounts.read_accounts(session, dialect)}
    for change in plan.changes:
        found = now.get(change.account)
        if found != change.after:
            raise EnforcementError(
                "{} should now have the requirement {}, but {}.".format(
                    change.account, change.after.describe(), f"has {found.describe()}" if found else "is gone"
                )
            )
    if plan.switch and plan.switches:
        switch = secure_transport.read_switch(session, dialect)
        if switch != plan.switch.after:
            raise EnforcementError(f"{secure_transport.NAME} was set, and is not what it was set to.")


def _verify_as_it_is(control: Session, dialect: Dialect, outcome: Outcome, wish: Wish) -> Outcome:
    """Nothing had to be written: the requirement stands, and this very login shows that one still gets in.

    :raises EnforcementError: when a login to be proven does not get in.
    """
    proving = verification.Proofs(control, dialect, outcome.plan)
    try:
        proving.without_change(control, wish.verify)
    except EnforcementError as e:
        details = dict(outcome.describe(), verification=proving.describe())
        raise EnforcementError(f"verify: {e.message} Nothing was changed.", **details) from e
    return replace(
        outcome,
        verified=proving.verified,
        verification=tuple(proving.done),
        warnings=outcome.warnings + (proving.doubts if wish.verify else ()) + outcome.keeping.made(),
    )


def wish_from_params(params: t.Mapping[str, t.Any]) -> Wish:
    """The user's wish from a module's validated parameters.

    :raises OptionError: naming the option that is wrong.
    """
    restores = bool(params.get("restore_file"))
    ways = [name for name in ("user", "accounts", "all_accounts", "restore_file") if params.get(name)]
    switch = params.get("require_secure_transport")
    if len(ways) > 1 or (not ways and switch is None):
        raise OptionError(
            "Exactly one of user, accounts, all_accounts and restore_file says which accounts are meant; {}.".format(
                "none is given" if not ways else "given are {}".format(" and ".join(ways))
            )
        )
    if restores:
        _nothing_else(params)
    ssl_type = str(params["ssl_type"]).upper()
    parts = {name: str(params.get(name) or "") for name in ("cipher", "issuer", "subject")}
    if ssl_type == "SPECIFIED" and not any(parts.values()):
        raise OptionError("ssl_type: specified needs at least one of subject, issuer and cipher.")
    if ssl_type != "SPECIFIED":
        given = sorted(name for name, value in parts.items() if value)
        if given:
            raise OptionError("{}: goes only with ssl_type: specified.".format(", ".join(given)))
    selection = Selection(
        user=_optional(params.get("user")),
        host=_optional(params.get("host")),
        patterns=tuple(Pattern.parse(str(text), "accounts") for text in params.get("accounts") or ()),
        exclude=tuple(Pattern.parse(str(text), "exclude") for text in params.get("exclude") or ()),
        include_system=bool(params["include_system"]),
    )
    return Wish(
        selection=selection if ways and not restores else None,
        requirement=Requirement(ssl_type, **parts),
        exact=bool(params["exact"]),
        method=str(params["method"]),
        flush=str(params["flush"]),
        plaintext_sessions=str(params["plaintext_sessions"]),
        require_secure_transport=None if switch is None else bool(switch),
        verify=tuple(
            Login(str(entry["user"]), str(entry.get("password") or "")) for entry in params.get("verify") or ()
        ),
    )


# What the file says already, and the values that are as good as none.
_SAID_BY_THE_FILE: t.Mapping[str, t.Any] = {
    "cipher": None,
    "exact": False,
    "exclude": None,
    "host": None,
    "include_system": False,
    "issuer": None,
    "require_secure_transport": None,
    "rollback_file": None,
    "ssl_type": "any",
    "subject": None,
}


def _nothing_else(params: t.Mapping[str, t.Any]) -> None:
    given = [name for name, none in _SAID_BY_THE_FILE.items() if params.get(name) not in (None, none)]
    if given:
        raise OptionError(f"restore_file: the file says what is put back; {', '.join(given)} cannot go with it.")


def _optional(value: t.Any | None) -> str | None:
    return None if value is None else str(value)


def run(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """The module's work: from validated parameters to return values.

    :raises RdsMysqlError: or one of its kinds, with return values among its details.
    """
    options = ConnectionOptions.from_params(params)
    return enforce(options, wish_from_params(params), check_mode, Keeping.from_params(params)).describe()
