# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exactly the changes of a plan that was made before, where the server still is what the plan saw."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import WrongShape, decode
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import Decision, Plan, complete_plan
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.record_values import (
    RecordedChange,
    RecordedSwitch,
    changes_of,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import EnforcementError, Request
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Change
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import secure_transport
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.account_patterns import Selection
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import AccountState
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import ServerIdentity
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.in_memory import find_unflushed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.secure_transport import SwitchChange, SwitchState
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

# Values of the return value reason.
CHANGED_SINCE_PLAN, REFUSED = "changed_since_plan", "refused"


@dataclass(frozen=True)
class _PlanValue:
    """The return value ``plan``."""

    identity: ServerIdentity
    read_only: bool
    accounts: tuple[RecordedChange, ...]
    require_secure_transport: RecordedSwitch | None


@dataclass(frozen=True)
class Planned:
    """What was planned for one server: its accounts, and the server-wide switch before and after where it changes.

    ``read_only``: its accounts come from another server, and are changed there.
    """

    identity: ServerIdentity
    read_only: bool
    changes: tuple[Change, ...]
    switch: tuple[SwitchState, SwitchState] | None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Planned | None:
        """From a module's validated parameters.

        :raises OptionError: naming what cannot be meant.
        """
        value = params.get("plan")
        if not value:
            return None
        try:
            return cls.parse(_with_empty_parts(value))
        except WrongShape as e:
            raise OptionError(f"plan: this is not a plan of mysql_require_ssl: {e}.") from e

    @classmethod
    def parse(cls, value: t.Any) -> Planned:
        """From the form that the return value ``plan`` has.

        :raises WrongShape: saying what is wrong.
        """
        found = decode(_PlanValue, value, exact=True)
        switch = found.require_secure_transport
        return cls(
            identity=found.identity,
            read_only=found.read_only,
            changes=changes_of(found.accounts),
            switch=switch.states() if switch else None,
        )

    @property
    def selection(self) -> Selection:
        """The accounts of the plan."""
        return Selection(listed=frozenset(change.account for change in self.changes))

    def plan(self, control: Session, dialect: Dialect, known: t.Sequence[AccountState], request: Request) -> Plan:
        """What is left to do of it. What is as planned already is done.

        :raises EnforcementError: when the server, an account or the switch is neither what the plan saw nor what it
            was to become.
        """
        endpoint = control.options.endpoint
        now = {state.account: state.requirement for state in known if not state.is_role}
        targets = tuple(state for state in known if self.selection.includes(state))
        unflushed = find_unflushed(control, dialect, targets, control.options.deadline.within(control.options.timeout))
        told, left = [], []
        for change in self.changes:
            table = now.get(change.account)
            # What the server goes by, where that is something else than its table.
            found = unflushed.requirements.get(change.account) or table
            if found == change.before:
                left.append(replace(change, in_table=None if table == found else table))
            elif found == change.after and table == change.before:
                left.append(replace(change, only_table=True))
            elif found != change.after:
                told.append(f"{change.account} " + (f"has {found.describe()} by now" if found else "is gone"))
        tightened = (change.account for change in left if change.after.ssl_type != "NONE")
        told += [f"{account} is {why.rstrip('.')}" for account, why in request.readiness.refused(tightened).items()]
        switch = None
        if self.switch:
            before, after = self.switch
            found_switch = secure_transport.read_switch(control, dialect)
            switch = SwitchChange(found_switch, after.value, lasting=dialect.has_persist, recorded=after)
            if found_switch not in (before, after):
                told.append(f"{secure_transport.NAME} is {'ON' if found_switch.value else 'OFF'} by now")
        decision = Decision(
            targets=targets,
            changes=tuple(left),
            switch=switch,
            method=bool(self.changes),
            known=tuple(known),
            unproven=(unflushed.unread,) if unflushed.unread else (),
        )
        plan = complete_plan(control, dialect, request, decision)
        moved = plan.identity != self.identity
        if moved and not (plan.identity.unique and plan.identity.has_data_of(self.identity)):
            told = [f"it was {self.identity}, and is {plan.identity} by now"]
        elif left and bool(plan.held_back) != self.read_only:
            told.append("it is read-only by now" if plan.held_back else "it is not read-only any more")
        if told:
            raise EnforcementError(
                f"{endpoint} has changed since the plan: {', '.join(told)}. Nothing was changed. Make a new plan.",
                reason=CHANGED_SINCE_PLAN,
                **plan.describe({}, switched=False),
            )
        if moved:
            warning = f"The plan is about {self.identity}, which seems to be {plan.identity} by now."
            return replace(plan, warnings=(*plan.warnings, warning))
        return plan


def _with_empty_parts(value: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Ansible gives options that are not set as None."""

    def whole(requirement: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return {name: part or "" for name, part in requirement.items()}

    accounts = [
        {**account, **{name: whole(account[name]) for name in ("before", "after")}} for account in value["accounts"]
    ]
    return {**value, "accounts": accounts}
