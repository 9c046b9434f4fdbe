# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happens after something unexpected: find a session that works, read the state, roll back, and check it.

Nothing here trusts what was heard before. A statement whose answer was lost, or an error, may have been carried out all
the same; so the accounts are read, and only what is read counts. Nor may a statement that is still under way, in a
session that was lost, be carried out later: such a session is ended first, and is gone before anything is read.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.journal import Journal, end_lost_sessions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import Plan
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import GRANT_TABLES
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import (
    FLUSH_PRIVILEGES,
    NEVER_CREATE,
    Change,
    Statement,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import secure_transport
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import (
    Account,
    AccountsNotReadable,
    Requirement,
    read_accounts,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.authentication import PasswordWithheld
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import (
    ConnectionFailed,
    LoginRefused,
    QueryFailed,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import require_server
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.in_memory import has_in_memory
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import open_session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

# Fresh sessions that are tried at least, and the pauses between logins, in seconds: a server that is being restarted
# is met again as soon as it is there.
_LEAST_ATTEMPTS = 3
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
# What one reading does not show, and the check after the rollback does, is undone once that has shown it.
_READINGS = 2


@dataclass(frozen=True)
class Situation:
    """What was found, and left behind. ``vanished``: may have been changed, and are not there any more.

    ``kept`` is in the table by now, and was what the server went by all the time.
    """

    now: t.Mapping[Account, Requirement]
    undone: bool
    stuck: tuple[Change, ...]
    foreign: tuple[Change, ...]
    vanished: tuple[Change, ...]
    refusals: tuple[str, ...]
    switch_stuck: bool = False
    kept: tuple[Change, ...] = ()

    @property
    def restored(self) -> bool:
        """Whether nothing of this run is known to be left."""
        return not self.stuck and not self.switch_stuck


class Rollback:
    """Restores the previous requirements of a plan's accounts, over whichever session still works.

    :arg sessions: Those that were open before, the best first.
    """

    def __init__(self, plan: Plan, dialect: Dialect, sessions: t.Sequence[Session], journal: Journal) -> None:
        self._plan = plan
        self._dialect = dialect
        self._sessions = sessions
        self._journal = journal
        self._options = sessions[0].options
        self._attempted = {c for statement in journal.sent for c in statement.changes if not c.only_table}
        self._refused = {change for statement in journal.refused for change in statement.changes}
        self._switched = any(statement.changes_secure_transport for statement in journal.sent)
        self._undid = False
        self._problems: list[str] = []

    def run(self) -> Situation | None:
        """Restore and check; None where no session with the same server could do it.

        Takes three times ``connect_timeout`` and the time of the statements at most, or a little more where the server
        answers none.
        """
        self._options.deadline.extend()
        for session in self._sessions:
            if session.usable:
                situation = self._try(session)
                if situation is not None:
                    return situation
        deadline = time.monotonic() + self._options.timeout
        attempts = 0
        pause = _FIRST_PAUSE
        while attempts < _LEAST_ATTEMPTS or time.monotonic() < deadline:
            attempts += 1
            try:
                session = _reconnect(self._options, deadline)
            except RdsMysqlError as e:
                self._note(e)
                if time.monotonic() >= deadline:
                    break
                continue
            with session:
                situation = self._try(session)
            if situation is not None:
                return situation
            time.sleep(pause)  # Another server may have answered, and the right one does the next time.
            pause = min(2 * pause, _LONGEST_PAUSE)
        return None

    @property
    def problems(self) -> str:
        """What went wrong on the way, as sentences."""
        return " ".join(sentence(problem) for problem in self._problems)

    def _note(self, error: RdsMysqlError) -> None:
        if error.message not in self._problems:
            self._problems.append(error.message)

    def _try(self, session: Session) -> Situation | None:
        try:
            require_server(session, self._dialect, self._plan.identity)
            end_lost_sessions(session, self._journal, self._options.timeout)
            situation = self._restore(session)
            require_server(session, self._dialect, self._plan.identity)
        except RdsMysqlError as e:
            self._note(e)
            return None
        return situation

    def _restore(self, session: Session) -> Situation:
        refusals: list[str] = []
        now = self._read(session)
        readings = 0
        while True:
            readings += 1
            wanted = self._to_undo(session, now)
            switched = self._is_switched(session)
            refusals += self._undo(session, wanted, switched)
            now = self._read(session)
            stuck = tuple(
                c
                for c in self._plan.changes
                if c in self._attempted and c.account in now and self._stands(session, now, c)
            )
            switch_stuck = self._is_switched(session)
            if readings == _READINGS or (set(stuck) <= set(wanted) and switch_stuck <= switched):
                break
        kept = tuple(c for c in self._plan.changes if c.only_table and now.get(c.account) == c.after)
        return Situation(
            now=now,
            undone=self._undid,
            stuck=stuck,
            kept=kept,
            foreign=tuple(
                c
                for c in self._plan.changes
                if now.get(c.account) not in (c.before, c.expected) and c not in stuck + kept
            ),
            vanished=tuple(c for c in self._plan.changes if c in self._attempted and c.account not in now),
            refusals=tuple(refusals),
            switch_stuck=switch_stuck,
        )

    def _undo(self, session: Session, wanted: tuple[Change, ...], switched: bool) -> list[str]:
        """Run the statements; why the server refused some."""
        self._undid = self._undid or bool(wanted) or switched
        refusals = []
        for statement in (self._plan.switch_rollback if switched else ()) + self._undoing(wanted):
            try:
                self._journal.run(session, statement)
            except QueryFailed as e:
                if e.connection_lost or statement.text == NEVER_CREATE:
                    raise
                refusals.append(e.message)
        return refusals

    def _is_switched(self, session: Session) -> bool:
        """Whether the server-wide switch is not what it was, and this run may be why."""
        switch = self._plan.switch
        if switch is None or not self._switched:
            return False
        return secure_transport.read_switch(session, self._dialect) != switch.before

    def _read(self, session: Session) -> dict[Account, Requirement]:
        return {state.account: state.requirement for state in read_accounts(session, self._dialect)}

    def _to_undo(self, session: Session, now: t.Mapping[Account, Requirement]) -> tuple[Change, ...]:
        """What has the requirement that it was to get. What someone else has changed meanwhile is left alone."""
        return tuple(
            c
            for c in self._plan.changes
            if c in self._attempted
            and now.get(c.account) in (c.before, c.after, c.expected)
            and self._stands(session, now, c)
        )

    def _stands(self, session: Session, now: t.Mapping[Account, Requirement], change: Change) -> bool:
        """Whether the change is in the table, or in the server's memory, which is what counts for logins."""
        if now.get(change.account) == change.after:
            return True
        if change in self._refused:
            return False  # What was refused and done in part is in the table; memory is as somebody else has made it.
        try:
            return has_in_memory(session, self._dialect, change.account, change.after)
        except AccountsNotReadable:
            return False  # It cannot be seen, and the table says no.

    def _undoing(self, wanted: tuple[Change, ...]) -> tuple[Statement, ...]:
        statements = self._plan.rollback_statements(self._dialect, wanted)
        owed = self._plan.method == GRANT_TABLES and self._journal.flush_was_sent
        return statements or ((Statement(FLUSH_PRIVILEGES),) if owed else ())


def _reconnect(options: ConnectionOptions, deadline: float) -> Session:
    """A fresh session, tried until the deadline and once at least.

    The account may need TLS by now where it did not when the first session began, so that is tried as well.
    """
    pause = _FIRST_PAUSE
    while True:
        failure: RdsMysqlError
        left = max(1, round(deadline - time.monotonic()))
        now = replace(options, timeout=min(options.timeout, left))
        for candidate in dict.fromkeys((now, now.encrypted())):
            try:
                return open_session(candidate)
            except (LoginRefused, PasswordWithheld) as e:
                failure = e
            except ConnectionFailed as e:
                failure = e
                break
        if time.monotonic() + pause >= deadline:
            raise failure
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def sentence(text: str) -> str:
    """With a full stop at its end."""
    text = text.rstrip()
    return text if text.endswith((".", "!", "?")) else text + "."
