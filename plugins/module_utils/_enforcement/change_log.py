# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run and the file of a server's changes: it adds one, or restores what is in it."""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.change_record import (
    BEGUN,
    MADE,
    RESTORED,
    UNDONE,
    ChangeRecord,
    Endpoint,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import Decision, Plan, complete_plan
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import Request
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.restore import (
    ALL,
    LAST,
    Restoration,
    restoration,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.rollback_file import (
    RecordError,
    RollbackFile,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Change
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import secure_transport
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.account_patterns import Selection
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    Account,
    AccountsNotReadable,
    AccountState,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import ServerIdentity, read_only_identity
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.in_memory import has_in_memory
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.secure_transport import SwitchChange, SwitchState
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session


def _file(params: t.Mapping[str, t.Any], name: str) -> RollbackFile | None:
    path = str(params.get(name) or "")
    if not path:
        return None
    if not os.path.isabs(path):
        raise OptionError(f"{name}: {path} is not an absolute path.")
    return RollbackFile(path, name, str(params.get("rollback_group") or "") or None)


class ChangeLog:
    """What a run has to do with such files; without any, nothing.

    :arg record_in: The file to add the change to.
    :arg restore_from: The file whose changes are rolled back.
    :arg which: ``last`` or ``all`` of them, or the id of one.
    :arg note: What the change belongs to.
    """

    def __init__(
        self,
        record_in: RollbackFile | None = None,
        restore_from: RollbackFile | None = None,
        which: str = LAST,
        note: str | None = None,
    ) -> None:
        self._note = note
        self._record_in = record_in
        self._restore_from = restore_from
        self._which = which
        self._records: tuple[ChangeRecord, ...] = ()
        self._record: ChangeRecord | None = None
        self._restoration: Restoration | None = None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> ChangeLog:
        """From a module's validated parameters.

        :raises OptionError: for a relative path, which would start from wherever Ansible runs modules.
        """
        files = {name: _file(params, name) for name in ("rollback_file", "restore_file")}
        which, note = str(params.get("restore") or LAST), str(params.get("rollback_note") or "")
        return cls(files["rollback_file"], files["restore_file"], which, note)

    def open(self, control: Session, dialect: Dialect, request: Request) -> Request:
        """Check whether the files are what they should be, before anything else is decided.

        :return: The request; where something is restored, with the accounts that may be concerned.
        :raises RecordError: when they are not, or there is nothing to restore from.
        """
        endpoint = Endpoint.of(control.options)
        if self._record_in:
            self._record_in.check(endpoint, dialect.family)
        if not self._restore_from:
            return request
        self._records = self._restore_from.read(endpoint, dialect.family)
        if not self._records:
            raise self._restore_from.error(f"holds no change of {endpoint}, or is not there.")
        if self._which not in (LAST, ALL) and all(record.id != self._which for record in self._records):
            raise self._restore_from.error(
                f"holds no change with the id {self._which}. The option restore is last, all, or one of "
                f"{', '.join(record.id for record in reversed(self._records))}."
            )
        listed = frozenset(change.account for record in self._records for change in record.changes)
        return replace(request, selection=Selection(listed=listed))

    def restoring_plan(
        self, control: Session, dialect: Dialect, known: t.Sequence[AccountState], request: Request
    ) -> Plan | None:
        """The plan that restores, or None where that is not what this run is for."""
        if not self._restore_from:
            return None
        self._keep_records_of(read_only_identity(control, dialect), on_rds=dialect.managed_by == "rds")
        switch = self._switch(control, dialect)
        in_table = {state.account: state.requirement for state in known}
        unflushed = self._unflushed(control, dialect, known)
        known = [unflushed.get(state.account, state) for state in known]
        wanted = self._restoration = restoration(self._records, known, switch, self._which)
        selection = wanted.selection
        decision = Decision(
            targets=tuple(state for state in known if selection.includes(state)),
            changes=tuple(
                replace(change, in_table=in_table.get(change.account)) if change.account in unflushed else change
                for change in wanted.changes
            ),
            switch=(
                SwitchChange(switch, wanted.switch.value, lasting=dialect.has_persist, recorded=wanted.switch)
                if switch and wanted.switch
                else None
            ),
            method=bool(selection.listed),
            known=tuple(known),
            warnings=wanted.warnings,
            on_replicas=True,  # where a guard refuses it
        )
        plan = complete_plan(control, dialect, request, decision)
        return self._on_the_recorded_server(plan, wanted)

    def _unflushed(
        self, control: Session, dialect: Dialect, known: t.Sequence[AccountState]
    ) -> dict[Account, AccountState]:
        """Accounts as the server goes by them, where a run that never ended has left its change in memory alone."""
        begun = {c.account: c for record in self._records if record.state == BEGUN for c in record.changes}
        found = {}
        for state in known:
            change = begun.get(state.account)
            if change and state.requirement == change.before and _in_memory(control, dialect, change):
                found[state.account] = replace(state, requirement=change.after)
        return found

    def _keep_records_of(self, identity: ServerIdentity, *, on_rds: bool) -> None:
        """What is here says nothing about the changes of another server, and restoring it here ends none of them.

        :arg on_rds: The endpoint, which the records are of, is one instance's, on whichever machine that runs.
        :raises RecordError: when the change that is meant is another server's.
        """
        if not self._restore_from:
            return
        is_that_of = identity.has_paths_of if on_rds else identity.has_data_of
        own = tuple(record for record in self._records if not record.identity or is_that_of(record.identity))
        pending = [record for record in self._records if record.state in (BEGUN, MADE)]
        meant = pending[-1:] if self._which == LAST or not own else []
        meant += [record for record in pending if record.id == self._which]
        for record in meant:
            if record not in own:
                raise self._restore_from.error(
                    f"is about {record.identity}, and {record.endpoint} leads to {identity} now. Nothing was changed. "
                    "Connect to that server, or run the rollback_statements of the record by hand."
                )
        self._records = own

    def _on_the_recorded_server(self, plan: Plan, wanted: Restoration) -> Plan:
        """A warning where the server seems to have moved since."""
        for record in wanted.records:
            if record.identity and record.identity != plan.identity:
                warning = f"The rollback record is about {record.identity}, which seems to be {plan.identity} by now."
                return replace(plan, warnings=(*plan.warnings, warning))
        return plan

    def _switch(self, control: Session, dialect: Dialect) -> SwitchState | None:
        if not any(record.switch for record in self._records):
            return None
        return secure_transport.read_switch(control, dialect)

    def begin(self, control: Session, dialect: Dialect, plan: Plan, statements: t.Sequence[str]) -> None:
        """Right before the first statement.

        :raises RecordError: when the change cannot be recorded, and so must not be made.
        """
        if self._record_in:
            record = ChangeRecord.of(control.options, dialect, plan, statements, self._note)
            if not record.changes and not record.switch:
                return  # Only the table is written, with what the server goes by.
            self._record_in.add(record)
            self._record = record

    def made(self) -> tuple[str, ...]:
        """After the last proof, or where nothing had to be done: warnings about the file, as the change stands."""
        if self._record_in and self._record:
            return self._mark(self._record_in, [self._record], MADE)
        if self._restore_from and self._restoration and self._restoration.records:
            done = self._mark(self._restore_from, self._restoration.records, RESTORED)
            never_made = self._restoration.never_made
            return done + (self._mark(self._restore_from, never_made, UNDONE) if never_made else ())
        return ()

    def undone(self) -> tuple[str, ...]:
        """After everything was rolled back, or nothing was changed."""
        if self._record_in and self._record:
            return self._mark(self._record_in, [self._record], UNDONE)
        return ()

    def _mark(self, file: RollbackFile, records: t.Sequence[ChangeRecord], state: str) -> tuple[str, ...]:
        first = records[0]
        try:
            file.mark(first.endpoint, first.family, {record.id for record in records}, state)
        except RecordError as e:
            # It does no harm there: what is not as the change has made it is left alone.
            return (f"That the change is {state} could not be written down: {e.message}",)
        if self._record:
            self._record = replace(self._record, state=state)
        return ()

    def describe(self) -> dict[str, t.Any]:
        """Return values."""
        told: dict[str, t.Any] = {}
        if self._record_in and self._record:
            told["rollback_file"] = self._record_in.path
            told["rollback_record"] = self._record.describe()
        if self._restoration:
            told["restored"] = [
                {"id": each.id, "begun_at": each.begun_at, "made_by": each.made_by, "note": each.note}
                for each in self._restoration.records
            ]
            told["left_alone"] = [left.describe() for left in self._restoration.left_alone]
        return told


def _in_memory(control: Session, dialect: Dialect, change: Change) -> bool:
    try:
        return has_in_memory(control, dialect, change.account, change.after)
    except AccountsNotReadable:
        return False
