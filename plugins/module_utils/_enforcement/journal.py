# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was sent so far, over which sessions; and ending a session whose answer was lost."""

from __future__ import annotations

import secrets
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import EnforcementError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import (
    FLUSH_PRIVILEGES,
    NEVER_CREATE,
    Statement,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.errors import ER_NO_SUCH_THREAD, QueryFailed
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session

# How long a session that was ended may take to go.
_GOING_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.02
# Two clocks count an uptime: the server's and this machine's.
_CLOCK_SLACK = 1.0


@dataclass(frozen=True)
class SessionIdentity:
    """A session as the server's process list has it, so that it can be recognised, and ended, from another one.

    ``host`` holds the client's port, except over a Unix socket. ``direct``: nobody in between numbers connections in
    his own way, so that this number is this session for as long as the server is up. The server started between
    ``started_after`` and ``started_before``, in seconds of this machine's monotonic clock.
    """

    connection_id: int
    user: str
    host: str
    direct: bool
    started_after: float
    started_before: float

    @classmethod
    def of(cls, session: Session, nonce: str) -> SessionIdentity:
        """Ask the server: by the row of the process list that shows this very statement.

        A proxy may answer CONNECTION_ID() itself, and has greeted with a number of its own.

        :raises QueryFailed: when it does not answer.
        """
        own = f"{_processes('ID, USER, HOST')} WHERE ID = CONNECTION_ID() AND {_shows(nonce)} /* {nonce} */"
        rows = session.query(own)
        if not rows:
            raise QueryFailed(own, 0, "the process list does not show this session", connection_lost=False)
        number, user, host = rows[0]
        earliest, latest = _started(session)
        return cls(int(number), str(user), str(host), int(number) == session.connection_id, earliest, latest)

    def survived(self, other: SessionIdentity) -> bool:
        """Whether the server of this session may be up since that one's; not, where it has surely restarted."""
        return self.started_after <= other.started_before + _CLOCK_SLACK


def _started(session: Session) -> tuple[float, float]:
    """When the server started, at the earliest and at the latest: an answer may have taken its time."""
    statement = "SHOW GLOBAL STATUS WHERE Variable_name = 'Uptime'"
    asked = time.monotonic()
    rows = session.query(statement)
    answered = time.monotonic()
    uptime = str(rows[0][1]) if rows else ""
    if not uptime.isdigit():
        raise QueryFailed(statement, 0, f"{uptime!r} is not a number of seconds", connection_lost=False)
    # In whole seconds, rounded down.
    return asked - int(uptime) - 1, answered - int(uptime)


def _processes(columns: str) -> str:
    return f"SELECT {columns} FROM information_schema.processlist"


def _shows(nonce: str) -> str:
    """The condition for a statement with the nonce, which this text does not hold itself."""
    name, _colon, number = nonce.partition(":")
    return f"LOCATE(CONCAT('{name}', ':{number}'), INFO) > 0"


def make_nonce() -> str:
    """What marks the statements of one run."""
    return f"dbtls:{secrets.token_hex(8)}"


@dataclass
class Journal:
    """What was sent so far, and over which sessions. ``nonce`` marks each statement that writes, in a comment."""

    nonce: str = field(default_factory=make_nonce)
    sent: list[Statement] = field(default_factory=list)
    done: list[Statement] = field(default_factory=list)
    refused: list[Statement] = field(default_factory=list)
    writers: list[SessionIdentity] = field(default_factory=list)

    def run(self, session: Session, statement: Statement) -> None:
        """Run a statement, and keep account of it.

        :raises QueryFailed: when the server refuses it, or its answer was lost.
        """
        if not self.wrote:
            session.options.deadline.extend()  # From here on there may be something to restore, which needs its time.
        self.sent.append(statement)
        try:
            statement.run(session, self.nonce)
        except QueryFailed as e:
            if not e.connection_lost:
                self.refused.append(statement)
            raise
        self.done.append(statement)

    @property
    def flush_was_sent(self) -> bool:
        """Whether the server may go by what was in mysql.user meanwhile."""
        return any(statement.text == FLUSH_PRIVILEGES for statement in self.sent)

    @property
    def wrote(self) -> bool:
        """Whether anything was sent that writes."""
        return any(statement.text != NEVER_CREATE for statement in self.sent)


def end_lost_sessions(session: Session, journal: Journal, timeout: float) -> None:
    """End the sessions of this run but this one, and wait until none of them can do anything any more.

    A statement that was given up may wait for a lock, or still be on its way in a proxy. A row of the process list that
    shows the nonce is ours to end, and so is a session that nobody else can have had since. Any other has to go of its
    own accord.

    :raises EnforcementError: when one does not go.
    """
    mine = SessionIdentity.of(session, journal.nonce)
    deadline = time.monotonic() + min(timeout, _GOING_SECONDS)
    lost = [writer for writer in journal.writers if not _same(writer, mine) and mine.survived(writer)]
    while True:
        at_work = _numbers(session, f"ID <> CONNECTION_ID() AND {_shows(journal.nonce)}")
        left = [writer for writer in lost if _is_there(session, writer)]
        if not at_work and not left:
            break
        for number in sorted({*at_work, *(writer.connection_id for writer in left if writer.direct)}):
            _kill(session, number)
        if time.monotonic() > deadline:
            numbers = sorted({*at_work, *(writer.connection_id for writer in left)})
            raise EnforcementError(
                f"Lost connection {', '.join(map(str, numbers))} is still running on the server; its statement may "
                "still complete."
            )
        time.sleep(_LOOK_AGAIN_SECONDS)
    journal.writers.append(mine)


def _same(one: SessionIdentity, other: SessionIdentity) -> bool:
    return (one.connection_id, one.user, one.host) == (other.connection_id, other.user, other.host)


def _is_there(session: Session, writer: SessionIdentity) -> bool:
    condition = "ID = %s AND USER = %s AND HOST = %s"
    return bool(_numbers(session, condition, writer.connection_id, writer.user, writer.host))


def _numbers(session: Session, condition: str, *arguments: t.Any) -> list[int]:
    return [int(row[0]) for row in session.query(f"{_processes('ID')} WHERE {condition}", arguments)]


def _kill(session: Session, number: int) -> None:
    try:
        session.query(f"KILL {number}")
    except QueryFailed as e:
        if e.code != ER_NO_SUCH_THREAD:
            raise
