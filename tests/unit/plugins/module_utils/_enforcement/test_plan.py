# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import threading
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.deferred_signals import Interrupted, Interrupts
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plaintext_sessions import SessionCheck
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import Plan
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import (
    ALTER_USER,
    GRANT_TABLES,
    GRANT_USAGE,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import (
    NEVER_CREATE,
    Change,
    Statement,
    make_statements,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Account, AccountState, Requirement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import ServerIdentity
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.secure_transport import SwitchChange, SwitchState
from hypothesis import given
from hypothesis import strategies as st

NONE, ANY, X509 = (Requirement(ssl_type) for ssl_type in ("NONE", "ANY", "X509"))
MINE = Account("me", "%")
NEW = Dialect("mysql", "9.7.4", {"max_allowed_packet": "67108864"})
SERVER = ServerIdentity("db", "3306", "/data/", "8a94f357-aab4-11df-86ab-c80aa9429562")
OLD = Dialect("mysql", "5.6.24", {"max_allowed_packet": "1048576"})


def make_plan(
    changes: t.Sequence[Change],
    method: str = ALTER_USER,
    flushes: bool = False,
    switch: SwitchChange | None = None,
) -> Plan:
    targets = tuple(AccountState(c.account, c.before, "", locked=False, is_role=False) for c in changes)
    return Plan(SERVER, targets, tuple(changes), method, flushes, MINE, SessionCheck(), (), switch)


def texts(statements: t.Iterable[Statement]) -> list[str]:
    return [statement.text for statement in statements]


def test_one_statement_for_accounts_that_get_the_same() -> None:
    before = {"a": NONE, "me": NONE, "b": X509, "c": NONE}
    changes = [Change(Account(user, "%"), requirement, ANY) for user, requirement in before.items()]
    plan = make_plan(changes)
    assert texts(plan.statements(NEW)) == [
        "ALTER USER 'a'@'%', 'b'@'%', 'c'@'%' REQUIRE SSL",
        "ALTER USER 'me'@'%' REQUIRE SSL",
    ]
    assert texts(plan.rollback_statements(NEW)) == [
        "ALTER USER 'me'@'%' REQUIRE NONE",
        "ALTER USER 'a'@'%', 'c'@'%' REQUIRE NONE",
        "ALTER USER 'b'@'%' REQUIRE X509",
    ]
    assert texts(plan.rollback_statements(NEW, [changes[2]])) == ["ALTER USER 'b'@'%' REQUIRE X509"]
    assert plan.rollback_statements(NEW, []) == ()


def test_what_surrounds_the_statements() -> None:
    changes = [Change(Account("a", "%"), NONE, ANY)]
    usage = make_plan(changes, GRANT_USAGE)
    assert texts(usage.statements(OLD)) == [NEVER_CREATE, "GRANT USAGE ON *.* TO 'a'@'%' REQUIRE SSL"]
    tables = make_plan(changes, GRANT_TABLES, flushes=True)
    first, last = tables.statements(OLD)
    assert first.arguments == ("ANY", "", "", "", "a", "%")
    assert last.text == "FLUSH PRIVILEGES"
    assert make_plan([]).statements(NEW) == ()


@given(
    st.lists(st.text(min_size=1, max_size=32).filter(lambda text: text.isprintable()), min_size=1, max_size=300),
    st.integers(min_value=1024, max_value=5000),
    st.sampled_from([ALTER_USER, GRANT_TABLES]),
)
def test_each_account_once_and_each_statement_in_a_packet(users: list[str], packet: int, method: str) -> None:
    dialect = Dialect("mysql", "9.7.4", {"max_allowed_packet": str(packet)})
    changes = [Change(Account(f"{number}{user}", "%"), NONE, ANY) for number, user in enumerate(users)]
    statements = make_statements(method, changes, dialect)
    assert [change for statement in statements for change in statement.changes] == changes
    for statement in statements:
        length = len(statement.text.encode()) + sum(2 * len(value.encode()) for value in statement.arguments)
        assert length < packet or len(statement.changes) == 1


@pytest.mark.parametrize(
    ("before", "wanted", "lasting", "statements", "rollback"),
    [
        (SwitchState(False, None), True, False, ["SET GLOBAL {} = ON"], ["SET GLOBAL {} = OFF"]),
        (
            SwitchState(False, None),
            True,
            True,
            ["SET PERSIST {} = ON"],
            ["RESET PERSIST IF EXISTS {}", "SET GLOBAL {} = OFF"],
        ),
        (
            SwitchState(True, False),
            True,
            True,
            ["SET PERSIST {} = ON"],
            ["SET PERSIST {} = OFF", "SET GLOBAL {} = ON"],
        ),
        (SwitchState(True, None), True, True, [], []),
        (SwitchState(True, True), True, True, [], []),
        (SwitchState(False, None), False, False, [], []),
    ],
)
def test_switch(before: SwitchState, wanted: bool, lasting: bool, statements: list[str], rollback: list[str]) -> None:
    name = "require_secure_transport"
    change = SwitchChange(before, wanted, lasting)
    assert change.needed is bool(statements)
    assert list(change.statements) == [statement.format(name) for statement in statements]
    assert list(change.rollback_statements) == [statement.format(name) for statement in rollback]
    plan = make_plan([Change(MINE, NONE, ANY)], switch=change)
    assert texts(plan.statements(NEW)) == [*change.statements, "ALTER USER 'me'@'%' REQUIRE SSL"]
    assert texts(plan.rollback_statements(NEW)) == [*change.rollback_statements, "ALTER USER 'me'@'%' REQUIRE NONE"]


def test_signals_are_kept_until_asked_for() -> None:
    previous = signal.getsignal(signal.SIGTERM)
    with Interrupts() as interrupts:
        interrupts.check()
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted, match="SIGTERM"):
            interrupts.check()
    assert signal.getsignal(signal.SIGTERM) == previous


def test_signals_elsewhere_are_nobodys_business() -> None:
    """Python has handlers in its main thread only, and what somebody ignores stays ignored."""
    seen = []

    def work() -> None:
        with Interrupts() as interrupts:
            seen.append(signal.getsignal(signal.SIGTERM))
            interrupts.check()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, previous)
