# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What recorded changes have replaced, restored where nobody has changed it since."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.change_record import (
    BEGUN,
    RESTORED,
    UNDONE,
    ChangeRecord,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Change
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import secure_transport
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.account_patterns import Selection
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Account, AccountState, Requirement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.secure_transport import SwitchState

LAST, ALL = "last", "all"

_Value = t.TypeVar("_Value", Requirement, SwitchState)


@dataclass(frozen=True)
class LeftAlone:
    """An account, or the server-wide switch, that is not what the change had made of it. ``found``: None if gone."""

    account: Account | None
    expected: str
    found: str | None

    def describe(self) -> dict[str, t.Any]:
        """The return value's form."""
        user, host = (self.account.user, self.account.host) if self.account else (None, None)
        return {"user": user, "host": host, "expected": self.expected, "found": self.found}

    def __str__(self) -> str:
        name = str(self.account) if self.account else secure_transport.NAME
        if self.found is None:
            return f"{name} is gone"
        return f"{name} has {self.found} by now, and the change had made it {self.expected}"


@dataclass(frozen=True)
class Restoration:
    """What will be restored. ``records`` are the changes concerned, the newest first.

    ``never_made``: newer ones that a run has recorded and not made. Once what was before them is restored, they might
    seem to have been made.
    """

    records: tuple[ChangeRecord, ...]
    changes: tuple[Change, ...]
    switch: SwitchState | None
    left_alone: tuple[LeftAlone, ...]
    never_made: tuple[ChangeRecord, ...] = ()

    @property
    def selection(self) -> Selection:
        """The accounts that the records are about."""
        return Selection(listed=frozenset(change.account for record in self.records for change in record.changes))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left alone, as a sentence."""
        if not self.left_alone:
            return ()
        listed = "; ".join(str(left) for left in self.left_alone)
        return (f"Not what the recorded change had made of them, and so left alone: {listed}.",)


def restoration(
    records: t.Sequence[ChangeRecord], known: t.Sequence[AccountState], switch: SwitchState | None, which: str
) -> Restoration:
    """Decide what is restored.

    :arg records: Of one server, the oldest first.
    :arg known: The accounts as they are now.
    :arg switch: The server-wide switch as it is now; None where the server has none.
    :arg which: ``last`` for the newest change of which anything may be there, ``all`` for every one not undone yet, or
        the id of one.
    """
    now = {state.account: state.requirement for state in known if not state.is_role}
    chosen, never_made = _choose(records, now, switch, which)
    changes, left = [], []
    for account in sorted({change.account for record in chosen for change in record.changes}):
        links = [change for record in chosen for change in record.changes if change.account == account]
        found = now.get(account)
        before, broken = _walk(found, [(change.before, change.after) for change in links])
        if found is not None and before is not None and before != found:
            changes.append(Change(account, found, before))
        if broken is not None:
            left.append(LeftAlone(account, broken.describe(), found.describe() if found else None))
    wanted, broken_switch = _walk(switch, [record.switch for record in chosen if record.switch])
    if broken_switch is not None:
        left.append(LeftAlone(None, _told(broken_switch), _told(switch) if switch else None))
    return Restoration(chosen, tuple(changes), wanted if wanted != switch else None, tuple(left), never_made)


def _told(state: SwitchState) -> str:
    persisted = "" if state.persisted is None else f" (persisted: {'ON' if state.persisted else 'OFF'})"
    return ("ON" if state.value else "OFF") + persisted


def _choose(
    records: t.Sequence[ChangeRecord],
    now: t.Mapping[Account, Requirement],
    switch: SwitchState | None,
    which: str,
) -> tuple[tuple[ChangeRecord, ...], tuple[ChangeRecord, ...]]:
    """The changes to restore, and newer ones that were never made."""
    if which == ALL:
        return tuple(record for record in reversed(records) if record.state not in (UNDONE, RESTORED)), ()
    if which != LAST:
        return tuple(record for record in records if record.id == which and record.state not in (UNDONE, RESTORED)), ()
    never_made: list[ChangeRecord] = []
    for record in reversed(records):
        if record.state == RESTORED:
            return (), ()  # The same change is not put back twice, nor an older one unasked.
        if record.state == BEGUN and _never_made(record, now, switch):
            never_made.append(record)
        elif record.state != UNDONE:
            return (record,), tuple(never_made)
    return (), ()


def _never_made(record: ChangeRecord, now: t.Mapping[Account, Requirement], switch: SwitchState | None) -> bool:
    """Whether the run that began it was killed before its first statement, or has rolled everything back."""
    return all(now.get(change.account) == change.before for change in record.changes) and (
        record.switch is None or switch == record.switch[0]
    )


def _walk(found: _Value | None, links: t.Sequence[tuple[_Value, _Value]]) -> tuple[_Value | None, _Value | None]:
    """From the present state back through the changes, the newest first, as far as each fits the one after it.

    :return: Where that leads, and what the first change that does not fit had made of it.
    """
    value = found
    for before, after in links:
        if value == after:
            value = before
        elif value != before:
            return value, after
    return value, None
