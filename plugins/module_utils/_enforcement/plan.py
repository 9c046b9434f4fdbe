# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which accounts change, by which method, and the statements for it, there and back."""

from __future__ import annotations

import typing as t
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.printable import printable
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.account_changes import (
    LeftOut,
    changeable,
    decide_changes,
    idle_exclusions,
    left_out_by_wildcards,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.members import with_members
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.method import choose_method, needs_flush
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plaintext_sessions import (
    PlaintextSession,
    SessionCheck,
    WhoHasToUseTls,
    find_plaintext_sessions,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.readiness import (
    NOT_READY,
    left_alone,
    list_refused,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.record_values import describe_changes
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import (
    ALTER_USER,
    GRANT_USAGE,
    EnforcementError,
    Request,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import (
    FLUSH_PRIVILEGES,
    NEVER_CREATE,
    Change,
    Statement,
    make_statements,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import secure_transport
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    Account,
    AccountState,
    Requirement,
    login_account,
    quote,
    quote_account,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.cluster import find_members, own_keys
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import ServerIdentity, read_only_identity
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.replication import ServerRole, read_role
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.secure_transport import SwitchChange
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

_MOST_NAMED = 10


@dataclass(frozen=True)
class Plan:
    """Everything decided before anything is written, about one server.

    ``held_back`` are changes that are not made here, as the server's accounts come from another one. ``left_out`` are
    accounts that a wildcard does not stand for, or that cannot be changed. ``unproven`` says what of the targets could
    not be read, or done, as sentences. ``exclude_matches``: how many accounts each pattern of ``exclude`` matches.
    ``keys``: what other servers of its cluster know the server as.
    """

    identity: ServerIdentity
    targets: tuple[AccountState, ...]
    changes: tuple[Change, ...]
    method: str | None
    flushes: bool
    login_account: Account
    session_check: SessionCheck
    warnings: tuple[str, ...]
    switch: SwitchChange | None = None
    endpoint: str = ""
    role: ServerRole = field(default_factory=ServerRole)
    held_back: tuple[Change, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    unproven: tuple[str, ...] = ()
    exclude_matches: t.Mapping[str, int] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()

    @property
    def plaintext_sessions(self) -> tuple[PlaintextSession, ...]:
        """Clients that could not log in again."""
        return self.session_check.sessions

    @property
    def saw_unflushed(self) -> bool:
        """Whether somebody's pending changes of the table have decided something."""
        return self.method == GRANT_USAGE or any(change.in_table for change in self.changes)

    @property
    def writes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.changes) or self.changes_secure_transport

    @property
    def changes_secure_transport(self) -> bool:
        """Whether the server-wide switch changes."""
        return self.switch is not None and self.switch.needed

    @property
    def enables_secure_transport(self) -> bool:
        """Whether the whole server is to refuse logins without TLS from now on."""
        return self.switch is not None and self.switch.needed and self.switch.wanted

    @property
    def tightens(self) -> bool:
        """Whether accounts are to get a requirement, be it another one than they have."""
        return any(change.after.ssl_type != "NONE" for change in self.changes)

    @property
    def who_has_to_use_tls(self) -> WhoHasToUseTls:
        """Whose clients cannot log in without TLS any more."""
        changes = self.changes + self.held_back
        accounts = tuple(change.account for change in changes if change.after.ssl_type != "NONE")
        certificates = tuple(change.account for change in changes if change.needs_certificate)
        return WhoHasToUseTls(accounts, self.enables_secure_transport, certificates)

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
            *(Statement(text, changes_secure_transport=True) for text in texts),
            *self._complete(dialect, others, [mine] if mine else []),
        )

    def rollback_statements(
        self, dialect: Dialect, changes: t.Collection[Change] | None = None
    ) -> tuple[Statement, ...]:
        """What undoes the changes, or these of the accounts'. The login account comes first."""
        mine = self.login_changes
        chosen = None if changes is None else set(changes)
        wanted = [change for change in self.changes if not change.only_table and (chosen is None or change in chosen)]
        others = [change.reversed() for change in wanted if change != mine]
        undone = self._complete(dialect, [mine.reversed()] if mine and mine in wanted else [], others)
        return self.switch_rollback + undone if changes is None else undone

    @property
    def switch_rollback(self) -> tuple[Statement, ...]:
        """What restores the server-wide switch."""
        texts = self.switch.rollback_statements if self.switch else ()
        return tuple(Statement(text, changes_secure_transport=True) for text in texts)

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
        went_by = {change.account: change.before for change in self.changes}
        for state in self.targets:
            before = went_by.get(state.account, state.requirement)
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
                before_lines.append(printable(f"{state.account}: {before.describe()}") + "\n")
                after_lines.append(printable(f"{state.account}: {later.describe()}") + "\n")
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
            "left_out": [left.describe() for left in self.left_out],
            "exclude_matches": dict(self.exclude_matches),
            "method": self.method,
            "flushed": bool(self.changes) and self.flushes,
            "plaintext_sessions": [session.describe() for session in self.plaintext_sessions],
            "server": self.role.describe(),
            "cluster": {
                "identifiers": sorted(self.keys),
                "members": {member.key: printable(member.name) for member in self.session_check.members},
            },
            "plan": self.exactly(),
            "diff": {
                "before_header": f"TLS requirements on {self.endpoint}",
                "after_header": f"TLS requirements on {self.endpoint}",
                "before": "".join(before_lines),
                "after": "".join(after_lines),
            },
        }

    def exactly(self) -> dict[str, t.Any]:
        """The form that the option ``plan`` takes."""
        switch = self.switch if self.switch and self.changes_secure_transport else None
        return {
            "identity": self.identity.describe(),
            "read_only": bool(self.held_back),
            "accounts": describe_changes(self.changes + self.held_back),
            secure_transport.NAME: (
                {"before": asdict(switch.before), "after": asdict(switch.after)} if switch else None
            ),
        }

    @property
    def skipped(self) -> str:
        """Why changes are held back, as a sentence."""
        accounts = ", ".join(str(change.account) for change in self.held_back[:_MOST_NAMED])
        rest = len(self.held_back) - _MOST_NAMED
        kind = "read-only" if self.role.read_only else "a replica"
        source = f" ({self.role.replica_of})" if self.role.replica_of else ""
        return (
            f"{self.endpoint} was skipped: {kind}, changes come from its "
            f"source{source}. These accounts have not changed here yet: {accounts}"
            f"{f' and {rest} more' if rest > 0 else ''}."
        )


def make_plan(control: Session, dialect: Dialect, known: t.Sequence[AccountState], request: Request) -> Plan:
    """Decide what changes, and how.

    :raises EnforcementError: when no account matches, or the method does not work on this server.
    :raises SwitchUnavailable: when the server-wide switch is asked for and cannot be had.
    """
    endpoint = control.options.endpoint
    selection = request.selection
    targets = tuple(state for state in known if selection.includes(state)) if selection else ()
    left_out = left_out_by_wildcards(known, selection) if selection else ()
    if selection and not targets:
        raise EnforcementError(
            f"No account of {endpoint} matches {selection.describe()}; roles never match, system accounts only with "
            f"include_system: true, accounts for the server's own machine only with include_local: true or by name.",
            left_out=[left.describe() for left in left_out],
            accounts=[],
        )
    changes, unread = decide_changes(control, dialect, targets, request)
    not_ready = request.readiness.refused(change.account for change in changes if change.after.ssl_type != "NONE")
    changes = tuple(change for change in changes if change.account not in not_ready)
    switch = None
    if request.require_secure_transport is not None:
        before = secure_transport.read_switch(control, dialect)
        switch = SwitchChange(before, request.require_secure_transport, lasting=dialect.has_persist)
        if switch.needed and switch.wanted:
            _refuse_switch(endpoint, known, request)
    decision = Decision(
        targets=targets,
        changes=changes,
        switch=switch,
        method=selection is not None,
        known=tuple(known),
        warnings=left_alone(endpoint, not_ready),
        left_out=left_out + tuple(LeftOut(account, NOT_READY) for account in not_ready),
        unproven=unread,
    )
    return complete_plan(control, dialect, request, decision)


def _refuse_switch(endpoint: t.Any, known: t.Sequence[AccountState], request: Request) -> None:
    """The switch is about every account, whichever were selected."""
    not_ready = request.readiness.refused(
        state.account for state in known if state.requirement.ssl_type == "NONE" and state.has_clients
    )
    if not_ready:
        raise EnforcementError(
            f"{secure_transport.NAME} would refuse clients of accounts of {endpoint} that are not ready (only_ready): "
            f"{list_refused(not_ready)}. Nothing was changed.",
            left_out=[LeftOut(account, NOT_READY).describe() for account in not_ready],
        )


@dataclass(frozen=True)
class Decision:
    """What is to change. ``method``: whether one is needed, as this is about accounts. ``known``: all accounts.

    ``on_replicas``: also where accounts come from another server.
    """

    targets: tuple[AccountState, ...]
    changes: tuple[Change, ...]
    switch: SwitchChange | None
    method: bool
    known: tuple[AccountState, ...]
    warnings: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    unproven: tuple[str, ...] = ()
    on_replicas: bool = False


def complete_plan(control: Session, dialect: Dialect, request: Request, decision: Decision) -> Plan:
    """How it is done, and who is connected that it concerns.

    :raises EnforcementError: when the method does not work on this server.
    """
    role = read_role(control, dialect)
    holds_back = role.follows and not decision.on_replicas and (role.read_only or not request.change_replicas)
    changes = () if holds_back else decision.changes
    method = choose_method(control, dialect, request, changes, decision.known) if decision.method else None
    unchangeable: tuple[LeftOut, ...] = ()
    told: tuple[str, ...] = ()
    if method in (ALTER_USER, GRANT_USAGE):
        changes, unchangeable, told = changeable(control, dialect, changes, decision.known, request)
    identity = read_only_identity(control, dialect)
    plan = Plan(
        identity=identity,
        targets=decision.targets,
        changes=changes,
        method=method,
        flushes=method is not None and needs_flush(method, request.flush, control.options.endpoint),
        login_account=login_account(control, dialect),
        session_check=SessionCheck(),
        warnings=(),
        switch=decision.switch,
        endpoint=str(control.options.endpoint),
        role=role,
        held_back=decision.changes if holds_back else (),
        left_out=decision.left_out + unchangeable,
        unproven=decision.unproven + told,
        exclude_matches=request.selection.exclude_matches(decision.known) if request.selection else {},
        keys=own_keys(control, dialect, role, identity),
    )
    counted = request.readiness.counted_on(plan.identity.data)
    check = find_plaintext_sessions(control, dialect, plan.who_has_to_use_tls, counted)
    if holds_back:
        # Its clients are checked with those of the source, which has to hear of them, and of its own replicas.
        with suppress(QueryFailed):
            check = replace(check, members=find_members(control, dialect))
    elif request.plaintext_sessions != "allow":
        check = with_members(control, dialect, plan.who_has_to_use_tls, request, check)
    warnings = decision.warnings + plan.unproven + _warnings(dialect, plan)
    return replace(plan, session_check=check, warnings=warnings)


def _warnings(dialect: Dialect, plan: Plan) -> tuple[str, ...]:
    warnings = list(idle_exclusions(plan.exclude_matches, plan.endpoint))
    if plan.changes_secure_transport and not dialect.has_persist:
        warnings.append(secure_transport.not_lasting(dialect, plan.switch is not None and plan.switch.wanted))
    if plan.held_back:
        warnings.append(plan.skipped)
    if plan.changes and plan.role.replica_of:
        warnings.append(
            f"{plan.endpoint} is a replica of {plan.role.replica_of}. What is changed here is not sent to its source, "
            "and what is changed there comes here: change the accounts on the source."
        )
    return tuple(warnings)


def check_statements(plan: Plan, dialect: Dialect) -> list[str]:
    """What shows a person the requirement of each account that was to change."""
    quoted = [quote_account(change.account, dialect) for change in plan.changes]
    switch = [f"SHOW GLOBAL VARIABLES LIKE '{secure_transport.NAME}'"] if plan.changes_secure_transport else []
    if dialect.has_alter_user_require or not quoted:
        return switch + [f"SHOW CREATE USER {name}" for name in quoted]
    pairs = " OR ".join(
        f"(User = {quote(change.account.user, dialect)} AND Host = {quote(change.account.host, dialect)})"
        for change in plan.changes
    )
    # The table first; SHOW GRANTS has what the server goes by until the next FLUSH PRIVILEGES.
    return [
        f"SELECT User, Host, ssl_type, ssl_cipher, x509_issuer, x509_subject FROM mysql.user WHERE {pairs}",
        *(f"SHOW GRANTS FOR {name}" for name in quoted),
    ]
