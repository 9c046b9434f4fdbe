# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which accounts change, by which method, and the statements for it, there and back."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils import accounts, status
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.accounts import (
    Account,
    AccountState,
    Requirement,
    Selection,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.connection import QueryFailed, Session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.dialects import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import OptionError, RdsMysqlError

ALTER_USER = "alter_user"
GRANT_TABLES = "grant_tables"
GRANT_USAGE = "grant_usage"
METHODS = ("auto", ALTER_USER, GRANT_TABLES)
FLUSH = ("auto", "always", "never")
PLAINTEXT_SESSIONS = ("fail", "warn", "allow")

FLUSH_PRIVILEGES = "FLUSH PRIVILEGES"
# GRANT on an account that somebody has dropped meanwhile would create it, without a password.
NEVER_CREATE = "SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',NO_AUTO_CREATE_USER')"

# A statement about more accounts is no faster (make bench-require), and longer to read and to put back.
_ACCOUNTS_PER_STATEMENT = 100
# The smallest max_allowed_packet that a server takes is 1024 bytes; a packet also holds more than the text.
_PACKET_HEADROOM = 512
_SMALLEST_PACKET = 1024

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
    """A statement, its parameters, and the changes that it makes."""

    text: str
    arguments: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()

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

    def statements(self, dialect: Dialect) -> tuple[Statement, ...]:
        """What makes the changes. The login account comes last: all else has succeeded by then."""
        mine = self.login_changes
        others = [change for change in self.changes if change != mine]
        return self._complete(dialect, others, [mine] if mine else [])

    def rollback_statements(
        self, dialect: Dialect, changes: t.Collection[Change] | None = None
    ) -> tuple[Statement, ...]:
        """What undoes the changes, or these of them. The login account comes first."""
        mine = self.login_changes
        wanted = self.changes if changes is None else [change for change in self.changes if change in set(changes)]
        others = [change.reversed() for change in wanted if change != mine]
        return self._complete(dialect, [mine.reversed()] if mine and mine in wanted else [], others)

    def _complete(self, dialect: Dialect, *parts: t.Sequence[Change]) -> tuple[Statement, ...]:
        made = [statement for part in parts for statement in make_statements(self.method, part, dialect)]
        if not made:
            return ()
        before = [Statement(NEVER_CREATE)] if self.method == GRANT_USAGE else []
        after = [Statement(FLUSH_PRIVILEGES)] if self.flushes else []
        return tuple(before + made + after)

    def describe(self, now: t.Mapping[Account, Requirement] | None = None) -> dict[str, t.Any]:
        """The part of the return values that the plan alone decides.

        :arg now: What the accounts have, where that is not what was planned; an account that is gone is not in it.
        """
        after = {change.account: change.after for change in self.changes} if now is None else now
        listed, before_lines, after_lines = [], [], []
        for state in self.targets:
            before = state.requirement
            later = after.get(state.account, before)
            listed.append(
                {
                    "user": state.account.user,
                    "host": state.account.host,
                    "before": before.ssl_type,
                    "after": later.ssl_type,
                }
            )
            if later != before:
                before_lines.append(f"{state.account}: {before.describe()}\n")
                after_lines.append(f"{state.account}: {later.describe()}\n")
        return {
            "accounts": listed,
            "method": self.method,
            "flushed": bool(self.changes) and self.flushes,
            "plaintext_sessions": [session.describe() for session in self.plaintext_sessions],
            "diff": {
                "before_header": "TLS requirements",
                "after_header": "TLS requirements",
                "before": "".join(before_lines),
                "after": "".join(after_lines),
            },
        }


def make_plan(control: Session, dialect: Dialect, known: t.Sequence[AccountState], wish: Wish) -> Plan:
    """Decide which accounts change, and how.

    :raises EnforcementError: when no account matches, or the method does not work on this server.
    """
    endpoint = control.options.endpoint
    targets = tuple(state for state in known if wish.selection.includes(state))
    if not targets:
        raise EnforcementError(
            f"No account of {endpoint} matches {wish.selection.describe()}; roles never match, and system accounts "
            "only with include_system: true."
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
            "after FLUSH PRIVILEGES."
        )
    return needed or flush == "always"


def make_statements(method: str, changes: t.Sequence[Change], dialect: Dialect) -> list[Statement]:
    """The statements for these changes, several accounts in each where they are to get the same requirement."""
    by_requirement: dict[Requirement, list[Change]] = {}
    for change in changes:
        by_requirement.setdefault(change.after, []).append(change)
    make = _update if method == GRANT_TABLES else _alter
    return [make(method, chunk, dialect) for same in by_requirement.values() for chunk in _chunks(same, dialect)]


def _chunks(changes: t.Sequence[Change], dialect: Dialect) -> t.Iterator[tuple[Change, ...]]:
    """Groups whose statement surely fits into a packet, even with every byte escaped."""
    wanted = changes[0].after
    room = max(_SMALLEST_PACKET, dialect.max_allowed_packet) - _PACKET_HEADROOM
    room -= 2 * (_bytes(wanted.cipher) + _bytes(wanted.issuer) + _bytes(wanted.subject))
    chunk: list[Change] = []
    size = 0
    for change in changes:
        # Quotes, "@", separators, and in an UPDATE "(User = '' AND Host = '') OR ".
        needs = 2 * (_bytes(change.account.user) + _bytes(change.account.host)) + 32
        if chunk and (size + needs > room or len(chunk) == _ACCOUNTS_PER_STATEMENT):
            yield tuple(chunk)
            chunk, size = [], 0
        chunk.append(change)
        size += needs
    yield tuple(chunk)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _update(method: str, changes: tuple[Change, ...], dialect: Dialect) -> Statement:
    del method, dialect
    wanted = changes[0].after
    ssl_type = "" if wanted.ssl_type == "NONE" else wanted.ssl_type
    where, names = accounts.where_accounts([change.account for change in changes])
    return Statement(
        "UPDATE mysql.user SET ssl_type = %s, ssl_cipher = %s, x509_issuer = %s, x509_subject = %s WHERE " + where,
        (ssl_type, wanted.cipher, wanted.issuer, wanted.subject, *names),
        changes,
    )


def _alter(method: str, changes: tuple[Change, ...], dialect: Dialect) -> Statement:
    verb = "ALTER USER" if method == ALTER_USER else "GRANT USAGE ON *.* TO"
    names = ", ".join(accounts.quote_account(change.account, dialect) for change in changes)
    return Statement(f"{verb} {names} REQUIRE {_require_clause(changes[0].after, dialect)}", (), changes)


def _require_clause(requirement: Requirement, dialect: Dialect) -> str:
    if requirement.ssl_type != "SPECIFIED":
        return {"NONE": "NONE", "ANY": "SSL", "X509": "X509"}[requirement.ssl_type]
    parts = (("SUBJECT", requirement.subject), ("ISSUER", requirement.issuer), ("CIPHER", requirement.cipher))
    return " AND ".join(f"{name} {accounts.quote(value, dialect)}" for name, value in parts if value)


def check_statements(plan: Plan, dialect: Dialect) -> list[str]:
    """What shows a person the requirement of each account that was to change."""
    quoted = [accounts.quote_account(change.account, dialect) for change in plan.changes]
    if dialect.has_alter_user_require:
        return [f"SHOW CREATE USER {name}" for name in quoted]
    pairs = " OR ".join(
        f"(User = {accounts.quote(change.account.user, dialect)} AND Host = "
        f"{accounts.quote(change.account.host, dialect)})"
        for change in plan.changes
    )
    # The table first; SHOW GRANTS has what the server goes by until the next FLUSH PRIVILEGES.
    return [
        f"SELECT User, Host, ssl_type, ssl_cipher, x509_issuer, x509_subject FROM mysql.user WHERE {pairs}",
        *(f"SHOW GRANTS FOR {name}" for name in quoted),
    ]
