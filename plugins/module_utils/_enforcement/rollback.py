# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happens after a surprise: find a session that works, see what is there, put back what has to be, and check it.

Nothing here trusts what was heard before. A statement whose answer was lost, or an error, may have been carried out all
the same; so the accounts are read, and only what is read counts. Nor may a statement that is still under way, in a
session that was lost, be carried out later: such a session is ended first, and is gone before anything is read.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import (
    FLUSH_PRIVILEGES,
    GRANT_TABLES,
    NEVER_CREATE,
    Change,
    EnforcementError,
    Plan,
    Statement,
    check_statements,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql import accounts, secure_transport
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import Account, Requirement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.authentication import PasswordWithheld
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import (
    ConnectionFailed,
    LoginRefused,
    QueryFailed,
    Session,
    open_session,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions

# Fresh sessions that are tried at least, and the pauses between logins, in seconds: a server that is being restarted
# is met again as soon as it is there.
_LEAST_ATTEMPTS = 3
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
# How long a session that was ended may take to go.
_GOING_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.02
# The server counts its uptime in whole seconds.
_UPTIME_SLACK = 2.0
# A sentence with the statements of thousands of accounts helps nobody; the return values have them all.
_LONGEST_LIST = 20000

ER_NO_SUCH_THREAD = 1094
# ER_SPECIFIC_ACCESS_DENIED_ERROR: FLUSH PRIVILEGES without the privilege RELOAD.
_RELOAD_DENIED = 1227


@dataclass(frozen=True)
class Identity:
    """A session as the server's process list has it, so that it can be recognised, and ended, from another one.

    ``host`` holds the client's port, except over a Unix socket. ``up_since`` is when the server started, in seconds of
    this machine's monotonic clock: numbers of connections begin again at a restart.
    """

    connection_id: int
    user: str
    host: str
    up_since: float

    @classmethod
    def of(cls, session: Session) -> Identity:
        """Ask the server.

        :raises QueryFailed: when it does not answer.
        """
        rows = session.query("SELECT USER, HOST FROM information_schema.processlist WHERE ID = CONNECTION_ID()")
        user, host = rows[0] if rows else ("", "")
        return cls(session.connection_id, str(user), str(host), _up_since(session))


def _up_since(session: Session) -> float:
    statement = "SHOW GLOBAL STATUS WHERE Variable_name = 'Uptime'"
    rows = session.query(statement)
    uptime = str(rows[0][1]) if rows else ""
    if not uptime.isdigit():
        raise QueryFailed(statement, 0, f"{uptime!r} is no number of seconds", connection_lost=False)
    return time.monotonic() - int(uptime)


@dataclass
class Journal:
    """What was sent so far, and over which sessions."""

    sent: list[Statement] = field(default_factory=list)
    done: list[Statement] = field(default_factory=list)
    writers: list[Identity] = field(default_factory=list)

    def run(self, session: Session, statement: Statement) -> None:
        """Run a statement, and keep account of it.

        :raises QueryFailed: when the server refuses it, or its answer was lost.
        """
        self.sent.append(statement)
        statement.run(session)
        self.done.append(statement)

    @property
    def flush_was_sent(self) -> bool:
        """Whether the server may go by what was in mysql.user meanwhile."""
        return any(statement.text == FLUSH_PRIVILEGES for statement in self.sent)

    @property
    def flush_was_done(self) -> bool:
        """Whether it surely does."""
        return any(statement.text == FLUSH_PRIVILEGES for statement in self.done)

    @property
    def wrote(self) -> bool:
        """Whether anything was sent that writes."""
        return any(statement.text != NEVER_CREATE for statement in self.sent)


@dataclass(frozen=True)
class Situation:
    """What was found, and left behind."""

    now: t.Mapping[Account, Requirement]
    undone: bool
    stuck: tuple[Change, ...]
    foreign: tuple[Change, ...]
    refusals: tuple[str, ...]
    switch_stuck: bool = False

    @property
    def restored(self) -> bool:
        """Whether nothing of this run is left."""
        return not self.stuck and not self.switch_stuck


class PuttingBack:
    """Brings a plan's accounts back to what they were, over whichever session still works.

    :arg sessions: Those that were open before, the best first.
    """

    def __init__(self, plan: Plan, dialect: Dialect, sessions: t.Sequence[Session], journal: Journal) -> None:
        self._plan = plan
        self._dialect = dialect
        self._sessions = sessions
        self._journal = journal
        self._options = sessions[0].options
        self._attempted = {change for statement in journal.sent for change in statement.changes}
        self._switched = any(statement.switches for statement in journal.sent)
        self._undid = False
        self._problems: list[str] = []

    def run(self) -> Situation | None:
        """Put back and check; None where no session could do it.

        Takes three times ``connect_timeout`` and the time of the statements at most, or a little more where the server
        answers none.
        """
        for session in self._sessions:
            if session.usable:
                situation = self._try(session)
                if situation is not None:
                    return situation
        deadline = time.monotonic() + self._options.timeout
        attempts = 0
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
        return None

    @property
    def problems(self) -> str:
        """What went wrong on the way, as sentences."""
        return " ".join(_sentence(problem) for problem in self._problems)

    def _note(self, error: RdsMysqlError) -> None:
        if error.message not in self._problems:
            self._problems.append(error.message)

    def _try(self, session: Session) -> Situation | None:
        try:
            identity = Identity.of(session)
            for writer in self._journal.writers:
                if writer.connection_id != identity.connection_id or writer.host != identity.host:
                    _end(session, writer, self._options.timeout)
            self._journal.writers.append(identity)
            return self._restore(session)
        except RdsMysqlError as e:
            self._note(e)
            return None

    def _restore(self, session: Session) -> Situation:
        wanted = self._to_undo(self._read(session))
        switched = self._is_switched(session)
        self._undid = self._undid or bool(wanted) or switched
        refusals: list[str] = []
        for statement in (self._plan.switch_rollback if switched else ()) + self._undoing(wanted):
            try:
                self._journal.run(session, statement)
            except QueryFailed as e:
                if e.connection_lost or statement.text == NEVER_CREATE:
                    raise
                if statement.text == FLUSH_PRIVILEGES and e.code == _RELOAD_DENIED and not self._journal.flush_was_done:
                    continue  # As it was refused on the way there, the server never looked.
                refusals.append(e.message)
        now = self._read(session)
        stuck = self._to_undo(now)
        return Situation(
            now=now,
            undone=self._undid,
            stuck=stuck,
            foreign=tuple(c for c in self._plan.changes if now.get(c.account) != c.before and c not in stuck),
            refusals=tuple(refusals),
            switch_stuck=self._is_switched(session),
        )

    def _is_switched(self, session: Session) -> bool:
        """Whether the server-wide switch is not what it was, and this run may be why."""
        switch = self._plan.switch
        if switch is None or not self._switched:
            return False
        return secure_transport.read_switch(session, self._dialect) != switch.before

    def _read(self, session: Session) -> dict[Account, Requirement]:
        return {state.account: state.requirement for state in accounts.read_accounts(session, self._dialect)}

    def _to_undo(self, now: t.Mapping[Account, Requirement]) -> tuple[Change, ...]:
        """What has the requirement that it was to get. What somebody else has changed meanwhile is left alone."""
        return tuple(c for c in self._plan.changes if c in self._attempted and now.get(c.account) == c.after)

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


def _end(session: Session, other: Identity, timeout: float) -> None:
    """End another session of this login, and wait until it is gone.

    :raises EnforcementError: when it does not go.
    """
    if _up_since(session) > other.up_since + _UPTIME_SLACK:
        return  # The server was restarted.
    deadline = time.monotonic() + min(timeout, _GOING_SECONDS)
    look = "SELECT 1 FROM information_schema.processlist WHERE ID = %s AND USER = %s AND HOST = %s"
    while session.query(look, (other.connection_id, other.user, other.host)):
        try:
            session.query(f"KILL {other.connection_id}")
        except QueryFailed as e:
            if e.code != ER_NO_SUCH_THREAD:
                raise
        if time.monotonic() > deadline:
            raise EnforcementError(
                f"Connection {other.connection_id}, which was lost, does not end, so that what it was doing may still "
                "be done."
            )
        time.sleep(_LOOK_AGAIN_SECONDS)


def after_surprise(
    plan: Plan,
    dialect: Dialect,
    sessions: t.Sequence[Session],
    journal: Journal,
    cause: str,
    details: t.Mapping[str, t.Any],
) -> EnforcementError:
    """Put back what was there, check it, and return the error to raise.

    :arg sessions: Open sessions, the control session first.
    :arg cause: What was the matter, as a sentence.
    :arg details: Return values that hold whatever comes of this.
    """
    cause = _sentence(cause)
    common = dict(details, verified=False, statements=[statement.shown(sessions[0]) for statement in journal.sent])
    if not journal.wrote:
        told = dict(plan.describe({}, switched=False), changed=False, rolled_back=False)
        return EnforcementError(f"{cause} Nothing was changed.", **dict(common, **told))
    putting_back = PuttingBack(plan, dialect, sessions, journal)
    situation = putting_back.run()
    if situation is None:
        told = dict(plan.describe(), changed=True, rolled_back=False, state_unknown=True)
        checks = check_statements(plan, dialect)
        return EnforcementError(
            "{} Putting it back failed as well: {} The state of {} on {} is unknown. Log in, look with {}, and put "
            "back by hand: {}".format(
                cause,
                putting_back.problems,
                _list(_names(plan), ", "),
                sessions[0].options.endpoint,
                _list(checks, "; "),
                _list(details["rollback_statements"], "; "),
            ),
            **dict(common, check_statements=checks, **told),
        )
    foreign = _foreign(situation)
    told = dict(plan.describe(_known(plan, situation), situation.switch_stuck), changed=not situation.restored)
    told["rolled_back"] = situation.undone and situation.restored
    if not situation.restored:
        left = [str(change.account) for change in situation.stuck]
        still = plan.rollback_statements(dialect, situation.stuck)
        if situation.switch_stuck:
            left.insert(0, secure_transport.NAME)
            still = plan.switch_rollback + still
        return EnforcementError(
            "{} Putting it back was refused: {} These are as they were to become: {}. Put back by hand: {}{}".format(
                cause,
                " ".join(_sentence(refusal) for refusal in dict.fromkeys(situation.refusals)),
                _list(left, ", "),
                _list([statement.shown(sessions[0]) for statement in still], "; "),
                foreign,
            ),
            **dict(common, **told),
        )
    end = "Everything was put back as it was, and checked." if situation.undone else "Nothing was changed."
    return EnforcementError(f"{cause} {end}{foreign}", **dict(common, **told))


def _names(plan: Plan) -> list[str]:
    switch = [secure_transport.NAME] if plan.switches else []
    return switch + [str(change.account) for change in plan.changes]


def _known(plan: Plan, situation: Situation) -> dict[Account, Requirement]:
    return {change.account: situation.now.get(change.account, change.before) for change in plan.changes}


def _foreign(situation: Situation) -> str:
    if not situation.foreign:
        return ""
    told = []
    for change in situation.foreign:
        found = situation.now.get(change.account)
        told.append(f"{change.account} " + (f"has {found.describe()} now" if found else "is gone"))
    return f" Somebody else was at work meanwhile, and that was left alone: {_list(told, '; ')}."


def _sentence(text: str) -> str:
    text = text.rstrip()
    return text if text.endswith((".", "!", "?")) else text + "."


def _list(texts: t.Sequence[str], separator: str) -> str:
    """All of them, unless that is too long."""
    listed: list[str] = []
    length = 0
    for number, text in enumerate(texts):
        length += len(text)
        if listed and length > _LONGEST_LIST:
            return separator.join([*listed, f"and {len(texts) - number} more"])
        listed.append(text)
    return separator.join(listed)
