# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requiring TLS of accounts: plan, guard, apply, read back, verify, and put back.

The session that reads and writes, the control session, stays open to the end: whatever happens to its account, it can
still put everything back, as a requirement counts only at login.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import accounts, status
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.accounts import (
    Account,
    AccountState,
    Pattern,
    Requirement,
    Selection,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.authentication import PasswordWithheld
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.connection import (
    ConnectionFailed,
    ConnectionOptions,
    LoginRefused,
    QueryFailed,
    Session,
    open_session,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.dialects import Dialect, discover
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import OptionError, RdsMysqlError

ALTER_USER = "alter_user"
GRANT_TABLES = "grant_tables"
GRANT_USAGE = "grant_usage"
METHODS = ("auto", ALTER_USER, GRANT_TABLES)
FLUSH = ("auto", "always", "never")
PLAINTEXT_SESSIONS = ("fail", "warn", "allow")

FLUSH_PRIVILEGES = "FLUSH PRIVILEGES"
# GRANT on an account that somebody has dropped meanwhile would create it, without a password.
_NEVER_CREATE = "SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',NO_AUTO_CREATE_USER')"
_UPDATE = (
    "UPDATE mysql.user SET ssl_type = %s, ssl_cipher = %s, x509_issuer = %s, x509_subject = %s "
    "WHERE User = %s AND Host = %s"
)
# ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR
_UPDATE_DENIED = (1142, 1143)


class EnforcementError(RdsMysqlError):
    """Nothing was changed, or everything was put back; ``details`` say which."""


@dataclass(frozen=True)
class Wish:
    """What the user asks for."""

    selection: Selection
    requirement: Requirement
    exact: bool = False
    method: str = "auto"
    flush: str = "auto"
    plaintext_sessions: str = "fail"


@dataclass(frozen=True)
class Change:
    """One account's requirement, before and after."""

    account: Account
    before: Requirement
    after: Requirement

    def reversed(self) -> Change:
        """The change that undoes this one."""
        return Change(self.account, before=self.after, after=self.before)


@dataclass(frozen=True)
class Statement:
    """A statement and its parameters."""

    text: str
    arguments: tuple[str, ...] = ()

    def run(self, session: Session) -> None:
        """Execute it."""
        session.query(self.text, self.arguments)

    def shown(self, session: Session) -> str:
        """As it is sent. Requirements and names only: no statement here has a secret in it."""
        return session.mogrify(self.text, self.arguments)


@dataclass(frozen=True)
class Plan:
    """Everything decided before anything is written."""

    targets: tuple[AccountState, ...]
    changes: tuple[Change, ...]
    method: str
    flushes: bool
    login_account: Account
    plaintext_sessions: tuple[status.LiveSession, ...]
    warnings: tuple[str, ...]

    @property
    def login_changes(self) -> Change | None:
        """The change of the account that this module is logged in as, if it is among them."""
        return next((change for change in self.changes if change.account == self.login_account), None)


@dataclass(frozen=True)
class Outcome:
    """What was done, or would be done in check mode."""

    plan: Plan
    statements: tuple[str, ...]
    rollback_statements: tuple[str, ...]
    changed: bool
    verified: bool
    warnings: tuple[str, ...]

    def describe(self) -> dict[str, t.Any]:
        """The module's return values."""
        return dict(
            describe_plan(self.plan),
            changed=self.changed,
            statements=list(self.statements),
            rollback_statements=list(self.rollback_statements),
            verified=self.verified,
            rolled_back=False,
            warnings=list(self.warnings),
        )


def describe_plan(plan: Plan) -> dict[str, t.Any]:
    """The part of the return values that the plan alone decides."""
    changed = {change.account: change for change in plan.changes}
    listed = []
    for state in plan.targets:
        before = state.requirement
        after = changed[state.account].after if state.account in changed else before
        listed.append(
            {
                "user": state.account.user,
                "host": state.account.host,
                "before": before.ssl_type,
                "after": after.ssl_type,
            }
        )
    return {
        "accounts": listed,
        "method": plan.method,
        "flushed": bool(plan.changes) and plan.flushes,
        "plaintext_sessions": [session.describe() for session in plan.plaintext_sessions],
        "diff": {
            "before_header": "TLS requirements",
            "after_header": "TLS requirements",
            "before": "".join(f"{c.account}: {c.before.describe()}\n" for c in plan.changes),
            "after": "".join(f"{c.account}: {c.after.describe()}\n" for c in plan.changes),
        },
    }


def enforce(options: ConnectionOptions, wish: Wish, check_mode: bool) -> Outcome:
    """Give the accounts their requirement, or in check mode say what that would do.

    :raises RdsMysqlError: or one of its kinds. Unless its details have ``rolled_back`` or ``state_unknown``, nothing
        was written.
    """
    with open_session(options) as control:
        dialect = discover(control)
        known = accounts.read_accounts(control, dialect)
        plan = make_plan(control, dialect, known, wish)
        statements = _with_flush(plan, [_statement(plan.method, change, dialect) for change in plan.changes])
        rollback = _with_flush(plan, [_statement(plan.method, change.reversed(), dialect) for change in plan.changes])
        guard(control, plan, wish)
        outcome = Outcome(
            plan=plan,
            statements=tuple(statement.shown(control) for statement in statements),
            rollback_statements=tuple(statement.shown(control) for statement in rollback),
            changed=bool(plan.changes),
            verified=False,
            warnings=control.warnings + plan.warnings + _plaintext_warnings(plan, wish),
        )
        if check_mode:
            return outcome
        if not plan.changes:
            return _verified_without_change(control, outcome)
        return _carry_out(control, dialect, outcome, statements, rollback)


def make_plan(control: Session, dialect: Dialect, known: t.Sequence[AccountState], wish: Wish) -> Plan:
    """Decide which accounts change, and how.

    :raises EnforcementError: when no account matches, or the method does not work on this server.
    """
    endpoint = control.options.endpoint
    targets = tuple(state for state in known if wish.selection.includes(state))
    if not targets:
        raise EnforcementError(
            f"No account of {endpoint} matches {wish.selection.describe()}; roles never match, and system accounts "
            "only with "
            "include_system: true."
        )
    changes = tuple(
        Change(state.account, state.requirement, wish.requirement)
        for state in targets
        if _needs_change(state.requirement, wish)
    )
    method = _choose_method(control, dialect, wish)
    flushes = _flushes(method, wish.flush, endpoint)
    sessions = status.live_sessions(control, dialect)
    warnings = []
    tightened = [change for change in changes if change.after.ssl_type != "NONE"]
    if tightened and sessions is None and wish.plaintext_sessions != "allow":
        warnings.append(
            f"{endpoint} does not tell which sessions use TLS, so clients that connect without it could not be looked "
            "for."
        )
    return Plan(
        targets=targets,
        changes=changes,
        method=method,
        flushes=flushes,
        login_account=accounts.current_account(control),
        plaintext_sessions=tuple(
            session
            for session in sessions or ()
            if session.plaintext and any(_may_be(session, change.account) for change in tightened)
        ),
        warnings=tuple(warnings),
    )


def _needs_change(now: Requirement, wish: Wish) -> bool:
    if now == wish.requirement:
        return False
    if wish.requirement.ssl_type == "NONE" or wish.exact:
        return True
    return now.level <= wish.requirement.level


def _may_be(session: status.LiveSession, account: Account) -> bool:
    """Whether the session may have logged in as the account (the server does not tell which one it chose)."""
    return session.user == account.user and accounts.host_admits(account.host, session.host)


def _choose_method(control: Session, dialect: Dialect, wish: Wish) -> str:
    endpoint = control.options.endpoint
    if wish.method == ALTER_USER and not dialect.has_alter_user_require:
        raise EnforcementError(
            f"method: {endpoint} runs {dialect.version}, which has no ALTER USER ... REQUIRE; use auto or grant_tables."
        )
    if wish.method == GRANT_TABLES:
        if dialect.user_table_is_view:
            raise EnforcementError(
                f"method: grant_tables does not work on {endpoint}, where mysql.user is a view; use auto or alter_user."
            )
        if not _may_update_user_table(control):
            raise EnforcementError(
                "method: grant_tables does not work on {}, which does not let {} write to mysql.user (RDS for MySQL "
                "closes it from 8.0.36 on); use auto{}.".format(
                    endpoint, control.options.user, " or alter_user" if dialect.has_alter_user_require else ""
                )
            )
        return GRANT_TABLES
    if dialect.has_alter_user_require:
        return ALTER_USER
    return GRANT_TABLES if _may_update_user_table(control) else GRANT_USAGE


def _may_update_user_table(control: Session) -> bool:
    """Whether this login may update mysql.user, found out without writing: EXPLAIN needs the same privileges."""
    try:
        control.query("EXPLAIN UPDATE mysql.user SET ssl_type = ssl_type WHERE User = '' AND Host = ''")
    except QueryFailed as e:
        if e.code in _UPDATE_DENIED:
            return False
        raise
    return True


def _flushes(method: str, flush: str, endpoint: str) -> bool:
    needed = method == GRANT_TABLES
    if needed and flush == "never":
        raise OptionError(
            f"flush: never does not go with method grant_tables on {endpoint}, as an update of mysql.user counts only "
            "after "
            "FLUSH PRIVILEGES."
        )
    return needed or flush == "always"


def _with_flush(plan: Plan, statements: list[Statement]) -> tuple[Statement, ...]:
    if not statements:
        return ()
    before = [Statement(_NEVER_CREATE)] if plan.method == GRANT_USAGE else []
    after = [Statement(FLUSH_PRIVILEGES)] if plan.flushes else []
    return tuple(before + statements + after)


def _statement(method: str, change: Change, dialect: Dialect) -> Statement:
    wanted = change.after
    if method == GRANT_TABLES:
        ssl_type = "" if wanted.ssl_type == "NONE" else wanted.ssl_type
        return Statement(
            _UPDATE,
            (ssl_type, wanted.cipher, wanted.issuer, wanted.subject, change.account.user, change.account.host),
        )
    verb = "ALTER USER" if method == ALTER_USER else "GRANT USAGE ON *.* TO"
    return Statement(
        f"{verb} {accounts.quote_account(change.account, dialect)} REQUIRE {_require_clause(wanted, dialect)}"
    )


def _require_clause(requirement: Requirement, dialect: Dialect) -> str:
    if requirement.ssl_type != "SPECIFIED":
        return {"NONE": "NONE", "ANY": "SSL", "X509": "X509"}[requirement.ssl_type]
    parts = (("SUBJECT", requirement.subject), ("ISSUER", requirement.issuer), ("CIPHER", requirement.cipher))
    return " AND ".join(f"{name} {accounts.quote(value, dialect)}" for name, value in parts if value)


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
            **describe_plan(plan),
        )
    mine = plan.login_changes
    if mine is not None:
        _guard_login(control, plan, mine)
    if plan.plaintext_sessions and wish.plaintext_sessions == "fail":
        raise EnforcementError(
            f"Clients are connected to {options.endpoint} without TLS and would not get in again: "
            f"{_list_sessions(plan.plaintext_sessions)}. Nothing was changed. Let them "
            "connect with TLS first, or set plaintext_sessions to warn or allow.",
            **describe_plan(plan),
        )


def _guard_login(control: Session, plan: Plan, mine: Change) -> None:
    options = control.options
    if mine.after.ssl_type in ("X509", "SPECIFIED") and options.client_cert is None:
        raise EnforcementError(
            f"{mine.account}, the account of this login, would need a client certificate from now on, and client_cert "
            "is not "
            "set. Nothing was changed.",
            **describe_plan(plan),
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
            **describe_plan(plan),
        ) from e


def _list_sessions(sessions: t.Sequence[status.LiveSession], most: int = 10) -> str:
    listed = ", ".join(
        f"{session.user} from {session.host} (connection {session.connection_id})" for session in sessions[:most]
    )
    rest = len(sessions) - most
    return listed + (f" and {rest} more" if rest > 0 else "")


def _plaintext_warnings(plan: Plan, wish: Wish) -> tuple[str, ...]:
    if wish.plaintext_sessions != "warn" or not plan.plaintext_sessions:
        return ()
    return (
        f"Clients that are connected without TLS will not get in again: {_list_sessions(plan.plaintext_sessions)}.",
    )


def _carry_out(
    control: Session,
    dialect: Dialect,
    outcome: Outcome,
    statements: t.Sequence[Statement],
    rollback: t.Sequence[Statement],
) -> Outcome:
    plan = outcome.plan
    applied: list[Statement] = []
    try:
        for statement in statements:
            statement.run(control)
            applied.append(statement)
        _read_back(control, dialect, [(change.account, change.after) for change in plan.changes])
        doubts = _verify(control, plan)
    except RdsMysqlError as e:
        raise _put_back(control, dialect, outcome, rollback, applied, e) from e
    except BaseException:
        # An interrupt in the middle must not leave a half-made change behind either.
        _put_back(control, dialect, outcome, rollback, applied, EnforcementError("The module was interrupted."))
        raise
    return Outcome(
        plan=plan,
        statements=outcome.statements,
        rollback_statements=outcome.rollback_statements,
        changed=True,
        verified=not doubts,
        warnings=outcome.warnings + doubts,
    )


def _read_back(session: Session, dialect: Dialect, expected: t.Sequence[tuple[Account, Requirement]]) -> None:
    now = {state.account: state.requirement for state in accounts.read_accounts(session, dialect)}
    for account, requirement in expected:
        found = now.get(account)
        if found != requirement:
            raise EnforcementError(
                "{} should now have the requirement {}, but has {}.".format(
                    account, requirement.describe(), found.describe() if found else "gone"
                )
            )


def _verify(control: Session, plan: Plan) -> tuple[str, ...]:
    """Prove by new logins that the login account still gets in with TLS and, if it has to, no longer without.

    :return: What could not be proven.
    :raises EnforcementError: when the proof fails.
    """
    options = control.options
    mine = plan.login_changes
    try:
        with open_session(options.encrypted() if control.greeting.offers_tls else options) as second:
            second.query("SELECT 1")
    except (ConnectionFailed, PasswordWithheld) as e:
        raise EnforcementError(
            f"After the change {options.user} cannot log in to {options.endpoint} with TLS any more: {e.message}"
        ) from e
    if mine is None or mine.after.ssl_type == "NONE":
        return ()
    try:
        open_session(options.plaintext()).close()
    except LoginRefused:
        return ()
    except PasswordWithheld:
        return (
            (
                f"Whether {mine.account} is refused without TLS could not be proven: the server asks for the password "
                "itself on that "
                "connection, and it was not sent."
            ),
        )
    except ConnectionFailed as e:
        return (f"Whether {mine.account} is refused without TLS could not be proven: {e.message}",)
    raise EnforcementError(f"After the change {mine.account} still gets in without TLS.")


def _verified_without_change(control: Session, outcome: Outcome) -> Outcome:
    """Nothing had to be written: the requirement stands, and this very login shows that one still gets in."""
    return Outcome(
        plan=outcome.plan,
        statements=(),
        rollback_statements=(),
        changed=False,
        verified=control.encrypted,
        warnings=outcome.warnings,
    )


def _put_back(
    control: Session,
    dialect: Dialect,
    outcome: Outcome,
    rollback: t.Sequence[Statement],
    applied: t.Sequence[Statement],
    cause: RdsMysqlError,
) -> EnforcementError:
    """Put back what was there, check it, and return the error to raise.

    :arg applied: The statements that have succeeded before ``cause``.
    """
    plan = outcome.plan
    refused = isinstance(cause, QueryFailed) and not cause.connection_lost
    untouched = refused and all(statement.text == _NEVER_CREATE for statement in applied)
    has_to_flush = not refused or any(statement.text == FLUSH_PRIVILEGES for statement in applied)
    before = [(change.account, change.before) for change in plan.changes]
    details = dict(
        describe_plan(plan),
        statements=list(outcome.statements),
        rollback_statements=list(outcome.rollback_statements),
        verified=False,
        warnings=list(outcome.warnings),
    )
    message = cause.message.rstrip()
    reason = message = message if message.endswith(".") else message + "."
    for reconnect in (False, True):
        try:
            session = open_session(control.options) if reconnect else control
            try:
                _undo(session, () if untouched else rollback, has_to_flush)
                _read_back(session, dialect, before)
            finally:
                if reconnect:
                    session.close()
        except RdsMysqlError as e:
            reason = f"{reason} Putting it back failed as well: {e.message}"
            continue
        details.update(rolled_back=not untouched, changed=False)
        end = "Nothing was changed." if untouched else "Everything was put back as it was, and checked."
        return EnforcementError(f"{message} {end}", **details)
    details.update(rolled_back=False, changed=True, state_unknown=True)
    return EnforcementError(
        "{} The state of {} on {} is unknown. Log in, look at SHOW CREATE USER or mysql.user, and run the "
        "rollback_statements of this result by hand: {}".format(
            reason,
            ", ".join(str(change.account) for change in plan.changes),
            control.options.endpoint,
            "; ".join(outcome.rollback_statements),
        ),
        **details,
    )


def _undo(session: Session, rollback: t.Sequence[Statement], has_to_flush: bool) -> None:
    """Run what puts back, all of it.

    What the server has refused on the way there, such as a change of an account that this login may not touch, it
    refuses on the way back as well; so a refusal stops nothing here, and reading back decides.
    """
    for statement in rollback:
        try:
            statement.run(session)
        except QueryFailed as e:
            if e.connection_lost or (has_to_flush and statement.text == FLUSH_PRIVILEGES):
                raise


def wish_from_params(params: t.Mapping[str, t.Any]) -> Wish:
    """The user's wish from a module's validated parameters.

    :raises OptionError: naming the option that is wrong.
    """
    ways = [name for name in ("user", "accounts", "all_accounts") if params.get(name)]
    if len(ways) != 1:
        raise OptionError(
            "Exactly one of user, accounts and all_accounts says which accounts are meant; {}.".format(
                "none is given" if not ways else "given are {}".format(" and ".join(ways))
            )
        )
    ssl_type = str(params["ssl_type"]).upper()
    parts = {name: str(params.get(name) or "") for name in ("cipher", "issuer", "subject")}
    if ssl_type == "SPECIFIED" and not any(parts.values()):
        raise OptionError("ssl_type: specified needs at least one of subject, issuer and cipher.")
    if ssl_type != "SPECIFIED":
        given = sorted(name for name, value in parts.items() if value)
        if given:
            raise OptionError("{}: goes only with ssl_type: specified.".format(", ".join(given)))
    return Wish(
        selection=Selection(
            user=_optional(params.get("user")),
            host=_optional(params.get("host")),
            patterns=tuple(Pattern.parse(str(text), "accounts") for text in params.get("accounts") or ()),
            exclude=tuple(Pattern.parse(str(text), "exclude") for text in params.get("exclude") or ()),
            include_system=bool(params["include_system"]),
        ),
        requirement=Requirement(ssl_type, **parts),
        exact=bool(params["exact"]),
        method=str(params["method"]),
        flush=str(params["flush"]),
        plaintext_sessions=str(params["plaintext_sessions"]),
    )


def _optional(value: t.Any | None) -> str | None:
    return None if value is None else str(value)


def run(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """The module's work: from validated parameters to return values.

    :raises RdsMysqlError: or one of its kinds, with return values among its details.
    """
    return enforce(ConnectionOptions.from_params(params), wish_from_params(params), check_mode).describe()
