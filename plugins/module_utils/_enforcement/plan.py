# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which accounts change, by which method, and the statements for it, there and back."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import accounts, secure_transport
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    Account,
    AccountState,
    Requirement,
    Selection,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import QueryFailed, Session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.secure_transport import SwitchChange
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.sessions import LiveSession, live_sessions

ALTER_USER = "alter_user"
GRANT_TABLES = "grant_tables"
GRANT_USAGE = "grant_usage"
METHODS = ("auto", ALTER_USER, GRANT_TABLES)
FLUSH = ("auto", "always", "never")
PLAINTEXT_SESSIONS = ("fail", "warn", "allow", "kill")

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
class Login:
    """An account that is to be proven to get in."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Wish:
    """What the user asks for; without ``selection`` it is about the server-wide switch alone."""

    selection: Selection | None
    requirement: Requirement
    exact: bool = False
    method: str = "auto"
    flush: str = "auto"
    plaintext_sessions: str = "fail"
    require_secure_transport: bool | None = None
    verify: tuple[Login, ...] = ()


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
    """A statement, its parameters, and the changes that it makes: of accounts, or of the server-wide switch."""

    text: str
    arguments: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    switches: bool = False

    def run(self, session: Session) -> None:
        """Execute it."""
        session.query(self.text, self.arguments)

    def shown(self, session: Session) -> str:
        """As it is sent. Requirements and names only: no statement here has a secret in it."""
        return session.mogrify(self.text, self.arguments)


@dataclass(frozen=True)
class PlaintextSession:
    """A client that would not get in again."""

    session: LiveSession
    killed: bool = False

    @property
    def replicates(self) -> bool:
        """Whether it is a replica that reads the binary log."""
        return self.session.command.startswith("Binlog Dump")

    def describe(self) -> dict[str, t.Any]:
        """The return value's form."""
        return dict(self.session.describe(), replication=self.replicates, killed=self.killed)

    def __str__(self) -> str:
        kind = ", a replica that reads the binary log" if self.replicates else ""
        return f"{self.session.user} from {self.session.host} (connection {self.session.connection_id}{kind})"


@dataclass(frozen=True)
class Plan:
    """Everything decided before anything is written."""

    targets: tuple[AccountState, ...]
    changes: tuple[Change, ...]
    method: str | None
    flushes: bool
    login_account: Account
    plaintext_sessions: tuple[PlaintextSession, ...]
    warnings: tuple[str, ...]
    switch: SwitchChange | None = None

    @property
    def writes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.changes) or self.switches

    @property
    def switches(self) -> bool:
        """Whether the server-wide switch changes."""
        return self.switch is not None and self.switch.needed

    @property
    def switches_on(self) -> bool:
        """Whether the whole server is to refuse logins without TLS from now on."""
        return self.switch is not None and self.switch.needed and self.switch.wanted

    @property
    def tightens(self) -> bool:
        """Whether accounts are to get a requirement, be it another one than they have."""
        return any(change.after.ssl_type != "NONE" for change in self.changes)

    @property
    def login_changes(self) -> Change | None:
        """The change of the account that this module is logged in as, if it is among them."""
        return next((change for change in self.changes if change.account == self.login_account), None)

    def statements(self, dialect: Dialect) -> tuple[Statement, ...]:
        """What makes the changes.

        The switch comes first, as it needs a privilege that few have; the login account last, when all else has
        succeeded.
        """
        mine = self.login_changes
        others = [change for change in self.changes if change != mine]
        texts = self.switch.statements if self.switch else ()
        return (
            *(Statement(text, switches=True) for text in texts),
            *self._complete(dialect, others, [mine] if mine else []),
        )

    def rollback_statements(
        self, dialect: Dialect, changes: t.Collection[Change] | None = None
    ) -> tuple[Statement, ...]:
        """What undoes the changes, or these of the accounts'. The login account comes first."""
        mine = self.login_changes
        chosen = None if changes is None else set(changes)
        wanted = [change for change in self.changes if chosen is None or change in chosen]
        others = [change.reversed() for change in wanted if change != mine]
        undone = self._complete(dialect, [mine.reversed()] if mine and mine in wanted else [], others)
        return self.switch_rollback + undone if changes is None else undone

    @property
    def switch_rollback(self) -> tuple[Statement, ...]:
        """What puts back the server-wide switch."""
        texts = self.switch.rollback_statements if self.switch else ()
        return tuple(Statement(text, switches=True) for text in texts)

    def _complete(self, dialect: Dialect, *parts: t.Sequence[Change]) -> tuple[Statement, ...]:
        made = [statement for part in parts if self.method for statement in make_statements(self.method, part, dialect)]
        if not made:
            return ()
        before = [Statement(NEVER_CREATE)] if self.method == GRANT_USAGE else []
        after = [Statement(FLUSH_PRIVILEGES)] if self.flushes else []
        return tuple(before + made + after)

    def describe(self, now: t.Mapping[Account, Requirement] | None = None, switched: bool = True) -> dict[str, t.Any]:
        """The part of the return values that the plan alone decides.

        :arg now: What the accounts have, where that is not what was planned; an account that is gone is not in it.
        :arg switched: Whether the server-wide switch is what was planned.
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
        described: dict[str, t.Any] = {}
        if self.switch:
            told = self.switch.describe()
            if not switched:
                told["after"] = told["before"]
            described[secure_transport.NAME] = told
            if told["after"] != told["before"]:
                before_lines.append(f"{secure_transport.NAME}: {told['before']}\n")
                after_lines.append(f"{secure_transport.NAME}: {told['after']}\n")
        return {
            **described,
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
    """Decide what changes, and how.

    :raises EnforcementError: when no account matches, or the method does not work on this server.
    :raises SwitchUnavailable: when the server-wide switch is asked for and cannot be had.
    """
    endpoint = control.options.endpoint
    selection = wish.selection
    targets = tuple(state for state in known if selection.includes(state)) if selection else ()
    if selection and not targets:
        raise EnforcementError(
            f"No account of {endpoint} matches {selection.describe()}; roles never match, and system accounts "
            "only with include_system: true."
        )
    changes = tuple(
        Change(state.account, state.requirement, wish.requirement)
        for state in targets
        if _needs_change(state.requirement, wish)
    )
    switch = None
    if wish.require_secure_transport is not None:
        before = secure_transport.read_switch(control, dialect)
        switch = SwitchChange(before, wish.require_secure_transport, lasting=dialect.has_persist)
    return complete_plan(control, dialect, wish, Decision(targets, changes, switch, method=selection is not None))


@dataclass(frozen=True)
class Decision:
    """What is to change. ``method``: whether one is needed, as this is about accounts."""

    targets: tuple[AccountState, ...]
    changes: tuple[Change, ...]
    switch: SwitchChange | None
    method: bool
    warnings: tuple[str, ...] = ()


def complete_plan(control: Session, dialect: Dialect, wish: Wish, decision: Decision) -> Plan:
    """How it is done, and who is connected that it concerns.

    :raises EnforcementError: when the method does not work on this server.
    """
    method = _choose_method(control, dialect, wish) if decision.method else None
    plan = Plan(
        targets=decision.targets,
        changes=decision.changes,
        method=method,
        flushes=method is not None and _flushes(method, wish.flush, control.options.endpoint),
        login_account=accounts.current_account(control),
        plaintext_sessions=(),
        warnings=(),
        switch=decision.switch,
    )
    sessions, warnings = find_plaintext_sessions(control, dialect, plan, wish)
    warnings += _warnings(control, dialect, plan)
    return replace(plan, plaintext_sessions=sessions, warnings=decision.warnings + warnings)


def find_plaintext_sessions(
    control: Session, dialect: Dialect, plan: Plan, wish: Wish
) -> tuple[tuple[PlaintextSession, ...], tuple[str, ...]]:
    """Other clients that are connected without TLS and would not get in again, and warnings about what is not seen."""
    tightened = _Names(change.account for change in plan.changes if change.after.ssl_type != "NONE")
    if not tightened and not plan.switches_on:
        return (), ()
    sessions = live_sessions(control, dialect)
    if sessions is not None:
        plain = [session for session in sessions if session.plaintext]
        return (
            tuple(PlaintextSession(session) for session in plain if plan.switches_on or tightened.may_be(session)),
            (),
        )
    if wish.plaintext_sessions == "allow":
        return (), ()
    warning = (
        f"{control.options.endpoint} does not tell which sessions use TLS, so clients that connect without it could "
        "not be looked for."
    )
    replicas = [session for session in _replicas(control) if plan.switches_on or tightened.may_be(session)]
    if replicas:
        listed = ", ".join(f"{replica.user} from {replica.host}" for replica in replicas)
        warning += f" Replicas read its binary log, perhaps without TLS: {listed}."
    return (), (warning,)


class _Names:
    """Accounts, found by the user and host of a session."""

    def __init__(self, wanted: t.Iterable[Account]) -> None:
        self._hosts: dict[str, list[str]] = {}
        for account in wanted:
            self._hosts.setdefault(account.user, []).append(account.host)

    def __bool__(self) -> bool:
        return bool(self._hosts)

    def may_be(self, session: LiveSession) -> bool:
        """Whether the session may have logged in as one of them (the server does not tell which account it chose).

        A login that no user name matches may be one of the anonymous account.
        """
        hosts = self._hosts.get(session.user, []) + self._hosts.get("", [])
        return any(_admits(host, session.host) for host in hosts)


# A host part that names addresses, which the server compares with a client's address, and not with its name.
_ADDRESSES = re.compile(r"[0-9.%_/]+\Z|.*:")


def _admits(account_host: str, client_host: str) -> bool:
    if accounts.host_admits(account_host, client_host):
        return True
    # A server that resolves names shows a client by its name, and admits it by its address as well.
    return bool(_ADDRESSES.match(account_host)) and not _is_address(client_host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _replicas(control: Session) -> list[LiveSession]:
    """Replicas that read the binary log, on servers that do not tell how sessions are connected."""
    rows = control.query(
        "SELECT ID, USER, HOST, COMMAND FROM information_schema.processlist WHERE COMMAND LIKE 'Binlog Dump%'"
    )
    return [
        LiveSession(int(connection), str(user), str(host).rpartition(":")[0] or str(host), "", str(command))
        for connection, user, host, command in rows
    ]


def _warnings(control: Session, dialect: Dialect, plan: Plan) -> tuple[str, ...]:
    warnings = []
    if plan.switches and not dialect.has_persist:
        warnings.append(secure_transport.not_lasting(dialect, plan.switch is not None and plan.switch.wanted))
    if plan.changes and dialect.read_only_variable is None and _is_replica(control, dialect):
        warnings.append(
            f"{control.options.endpoint} is a replica. What is changed here is not sent to its source, and what is "
            "changed there comes here: change the accounts on the source."
        )
    return tuple(warnings)


def _is_replica(control: Session, dialect: Dialect) -> bool:
    try:
        return bool(control.query(dialect.replica_status_statement))
    except QueryFailed as e:
        if e.connection_lost:
            raise
        return False  # That needs the privilege REPLICATION CLIENT, and nothing else here does.


def _needs_change(now: Requirement, wish: Wish) -> bool:
    if now == wish.requirement:
        return False
    if wish.requirement.ssl_type == "NONE" or wish.exact:
        return True
    return now.level <= wish.requirement.level


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
        if not _may_update_user_table(control, dialect):
            raise EnforcementError(
                "method: grant_tables does not work on {}, which does not let {} write to mysql.user (RDS for MySQL "
                "closes it from 8.0.36 on); use auto{}.".format(
                    endpoint, control.options.user, " or alter_user" if dialect.has_alter_user_require else ""
                )
            )
        return GRANT_TABLES
    if dialect.has_alter_user_require:
        return ALTER_USER
    return GRANT_TABLES if _may_update_user_table(control, dialect) else GRANT_USAGE


def _may_update_user_table(control: Session, dialect: Dialect) -> bool:
    """Whether this login may update mysql.user, found out without writing: EXPLAIN needs the same privileges."""
    if dialect.read_only_variable:
        return True  # EXPLAIN would be refused like the statement itself; a guard says why.
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
    switch = [f"SHOW GLOBAL VARIABLES LIKE '{secure_transport.NAME}'"] if plan.switches else []
    if dialect.has_alter_user_require or not quoted:
        return switch + [f"SHOW CREATE USER {name}" for name in quoted]
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
