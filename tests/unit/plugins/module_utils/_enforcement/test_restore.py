# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Properties of putting back what recorded changes have replaced."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.change_record import (
    BEGUN,
    MADE,
    RESTORED,
    UNDONE,
    ChangeRecord,
    Endpoint,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.restore import (
    ALL,
    LAST,
    Restoration,
    restoration,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Change
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Account, AccountState, Requirement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.secure_transport import SwitchState
from hypothesis import given
from hypothesis import strategies as st

State = dict[Account, Requirement]
Switch = t.Optional[SwitchState]

# Few, so that the same come together often.
ACCOUNTS = [Account(user, "%") for user in ("a", "b", "c")]
REQUIREMENTS = [
    Requirement(),
    Requirement("ANY"),
    Requirement("X509"),
    Requirement("SPECIFIED", subject="/CN=x"),
    Requirement("SPECIFIED", subject="/CN=y"),
]
SWITCHES = [SwitchState(value, persisted) for value in (False, True) for persisted in (None, False, True)]

requirements = st.sampled_from(REQUIREMENTS)
states = st.dictionaries(st.sampled_from(ACCOUNTS), requirements, min_size=1)
switches = st.none() | st.sampled_from(SWITCHES)


def make_record(
    number: int, state: str, changes: t.Sequence[Change], switch: tuple[SwitchState, SwitchState] | None
) -> ChangeRecord:
    return ChangeRecord(
        id=str(number),
        state=state,
        begun_at="2026-01-01T00:00:00Z",
        ended_at=None,
        endpoint=Endpoint("db", 3306, None),
        identity=None,
        family="mysql",
        version="9.7.4",
        changes=tuple(changes),
        switch=switch,
        rollback_statements=(),
    )


class History(t.NamedTuple):
    """What was at first, the records of what was then done, and what is there now."""

    first: State
    first_switch: Switch
    records: tuple[ChangeRecord, ...]
    now: State
    switch: Switch


@st.composite
def histories(draw: t.Callable[..., t.Any], made: t.Sequence[str] = (MADE,)) -> History:
    """Runs of the module, one after the other, with nobody else at work."""
    first: State = draw(states)
    first_switch: Switch = draw(switches)
    now, switch = dict(first), first_switch
    records = []
    for number in range(draw(st.integers(1, 4))):
        wanted: Requirement = draw(requirements)
        changed = [account for account in now if draw(st.booleans()) and now[account] != wanted]
        changes = [Change(account, now[account], wanted) for account in changed]
        after: Switch = draw(st.sampled_from(SWITCHES)) if switch is not None and draw(st.booleans()) else switch
        switched = (switch, after) if switch is not None and after is not None and after != switch else None
        if not changes and not switched:
            continue
        state = draw(st.sampled_from(made))
        records.append(make_record(number, state, changes, switched))
        if state != UNDONE:
            now.update((change.account, change.after) for change in changes)
            switch = after if switched else switch
    return History(first, first_switch, tuple(records), now, switch)


def known(state: State, roles: t.Collection[Account] = ()) -> list[AccountState]:
    return [
        AccountState(account, requirement, "", locked=False, is_role=account in roles)
        for account, requirement in state.items()
    ]


def apply(wanted: Restoration, state: State, switch: Switch) -> tuple[State, Switch]:
    """What is there once that is put back; every change has to be one from what there is."""
    after = dict(state)
    for change in wanted.changes:
        assert after[change.account] == change.before
        assert change.before != change.after
        after[change.account] = change.after
    return after, switch if wanted.switch is None else wanted.switch


@given(histories(made=(MADE, MADE, BEGUN, UNDONE)))
def test_all_leads_back_to_the_start(history: History) -> None:
    wanted = restoration(history.records, known(history.now), history.switch, ALL)
    assert apply(wanted, history.now, history.switch) == (history.first, history.first_switch)
    assert wanted.left_alone == ()


@given(histories(), st.data())
def test_one_after_the_other_leads_back_to_the_start(history: History, data: st.DataObject) -> None:
    """The last one, again and again, with each marked when it was put back."""
    now, switch, records = history.now, history.switch, history.records
    while records:
        wanted = restoration(records, known(now), switch, LAST)
        assert wanted.records == (records[-1],)
        now, switch = apply(wanted, now, switch)
        # The newest that is not put back yet is the last one of a file that ends there.
        records = records[:-1]
    assert (now, switch) == (history.first, history.first_switch)


@given(histories(made=(MADE, BEGUN, UNDONE, RESTORED)), states, switches, st.sampled_from([LAST, ALL]))
def test_whatever_is_there_by_now(history: History, now: State, switch: Switch, which: str) -> None:
    if (switch is None) != (history.switch is None):
        switch = history.switch
    wanted = restoration(history.records, known(now), switch, which)
    recorded = [change for record in wanted.records for change in record.changes]
    assert {change.account for change in wanted.changes} <= {change.account for change in recorded}
    for change in wanted.changes:
        mine = [link for link in recorded if link.account == change.account]
        # From what one of the changes had made of it, to what was there before one of them.
        assert change.before in [link.after for link in mine]
        assert change.after in [link.before for link in mine]
    for record in wanted.records:
        assert record.state not in (UNDONE, RESTORED)
    assert len({left.account for left in wanted.left_alone}) == len(wanted.left_alone)
    for left in wanted.left_alone:
        assert left.account is None or left.account in {change.account for change in recorded}
    for account in {change.account for change in recorded} - set(now):
        assert account in {left.account for left in wanted.left_alone}, "what is gone is told"
    if wanted.switch is not None:
        assert wanted.switch in [record.switch[0] for record in wanted.records if record.switch]


@given(histories(made=(MADE, BEGUN)), states, switches, st.sampled_from([LAST, ALL]))
def test_putting_back_twice_changes_nothing_more(history: History, now: State, switch: Switch, which: str) -> None:
    if (switch is None) != (history.switch is None):
        switch = history.switch
    wanted = restoration(history.records, known(now), switch, which)
    now, switch = apply(wanted, now, switch)
    ended = {**dict.fromkeys(wanted.records, RESTORED), **dict.fromkeys(wanted.never_made, UNDONE)}
    marked = tuple(replace(record, state=ended.get(record, record.state)) for record in history.records)
    again = restoration(marked, known(now), switch, which)
    assert apply(again, now, switch) == (now, switch)


def test_a_change_that_was_never_made_is_done_with_too() -> None:
    """What was before it, once put back, is what it would have made."""
    account = ACCOUNTS[0]
    none, tls = Requirement(), Requirement("ANY")
    records = (
        make_record(0, MADE, [Change(account, none, tls)], None),
        make_record(1, BEGUN, [Change(account, tls, none)], None),
    )
    wanted = restoration(records, known({account: tls}), None, LAST)
    assert wanted.changes == (Change(account, tls, none),)
    assert wanted.records == records[:1]
    assert wanted.never_made == records[1:]


@given(histories(), st.sampled_from([LAST, ALL]), st.sampled_from(ACCOUNTS))
def test_a_role_is_never_changed(history: History, which: str, role: Account) -> None:
    wanted = restoration(history.records, known(history.now, roles=[role]), history.switch, which)
    assert role not in {change.account for change in wanted.changes}
    assert not any(wanted.selection.includes(state) for state in known(history.now, roles=[role]) if state.is_role)


@given(histories(), requirements)
def test_what_somebody_else_has_changed_is_left_alone(history: History, found: Requirement) -> None:
    for account in {change.account for record in history.records for change in record.changes}:
        links = [change for record in history.records for change in record.changes if change.account == account]
        if found in [value for link in links for value in (link.before, link.after)]:
            continue
        wanted = restoration(history.records, known({**history.now, account: found}), history.switch, ALL)
        assert account not in {change.account for change in wanted.changes}
        assert account in {left.account for left in wanted.left_alone}
