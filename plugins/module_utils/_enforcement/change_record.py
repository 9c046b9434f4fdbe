# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One change of one server's accounts, as data: what it has replaced, so that it can be undone weeks later."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import typing as t
import uuid
from dataclasses import asdict, dataclass

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import WrongShape, decode
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import Plan
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.record_values import (
    RecordedChange,
    RecordedSwitch,
    changes_of,
    describe_changes,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Change
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import ServerIdentity
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.secure_transport import SwitchState

BEGUN, MADE, UNDONE, RESTORED = "begun", "made", "undone", "restored"
_STATES = (BEGUN, MADE, UNDONE, RESTORED)
MAX_BYTES = 64 * 1024 * 1024
"""What a file of records may have; ten thousand accounts take about 6 MB."""
_LONGEST_NOTE = 1000


@dataclass(frozen=True)
class Endpoint:
    """Where a server is reached: ``host`` and ``port``, or ``socket``."""

    host: str | None
    port: int | None
    socket: str | None

    @classmethod
    def of(cls, options: ConnectionOptions) -> Endpoint:
        """That of a connection."""
        if options.unix_socket:
            return cls(None, None, options.unix_socket)
        return cls(options.host.lower(), options.port, None)

    def __str__(self) -> str:
        return self.socket or f"{self.host}:{self.port}"


@dataclass(frozen=True)
class ChangeRecord:
    """One change of one server. ``switch`` is the server-wide switch before and after, if it was to change.

    ``state``: ``begun`` before the first statement, ``made`` after the last proof, ``undone`` when the same run rolled
    everything back, ``restored`` when a later one did. Times are ISO 8601 in UTC. ``made_by`` is who ran it and where,
    ``note`` what it belongs to, such as a job or a plan.
    """

    id: str
    state: str
    begun_at: str
    ended_at: str | None
    endpoint: Endpoint
    identity: ServerIdentity | None
    family: str
    version: str
    changes: tuple[Change, ...]
    switch: tuple[SwitchState, SwitchState] | None
    rollback_statements: tuple[str, ...]
    made_by: str | None = None
    note: str | None = None

    @classmethod
    def of(
        cls,
        options: ConnectionOptions,
        dialect: Dialect,
        plan: Plan,
        statements: t.Sequence[str],
        note: str | None = None,
    ) -> ChangeRecord:
        """That of a plan which is about to be carried out."""
        return cls(
            id=uuid.uuid4().hex,
            state=BEGUN,
            begun_at=iso8601(utc_now()),
            ended_at=None,
            endpoint=Endpoint.of(options),
            identity=plan.identity,
            family=dialect.family,
            version=dialect.version,
            changes=tuple(change for change in plan.changes if not change.only_table),
            switch=(plan.switch.before, plan.switch.after) if plan.switch and plan.changes_secure_transport else None,
            rollback_statements=tuple(statements),
            made_by=_who(),
            note=note[:_LONGEST_NOTE] if note else None,
        )

    def describe(self) -> dict[str, t.Any]:
        """The form in the file, and the return value's."""
        return {
            "id": self.id,
            "state": self.state,
            "begun_at": self.begun_at,
            "ended_at": self.ended_at,
            "server": {
                **asdict(self.endpoint),
                "identity": self.identity.describe() if self.identity else None,
                "family": self.family,
                "version": self.version,
            },
            "accounts": describe_changes(self.changes),
            "require_secure_transport": (
                {"before": asdict(self.switch[0]), "after": asdict(self.switch[1])} if self.switch else None
            ),
            "rollback_statements": list(self.rollback_statements),
            "made_by": self.made_by,
            "note": self.note,
        }

    @classmethod
    def parse(cls, value: t.Any) -> ChangeRecord:
        """From that form, with nothing taken on trust.

        :raises WrongShape: saying what is wrong.
        """
        found = decode(_RecordValue, value, exact=True)
        server, switch = found.server, found.require_secure_transport
        if found.state not in _STATES:
            raise WrongShape(f"{found.state!r} is not a state of a change")
        return cls(
            id=found.id,
            state=found.state,
            begun_at=found.begun_at,
            ended_at=found.ended_at,
            endpoint=server.endpoint(),
            identity=server.identity,
            family=server.family,
            version=server.version,
            changes=changes_of(found.accounts),
            switch=switch.states() if switch else None,
            rollback_statements=found.rollback_statements,
            made_by=found.made_by,
            note=found.note,
        )


@dataclass(frozen=True)
class _ServerValue:
    host: str | None
    port: int | None
    socket: str | None
    family: t.Annotated[str, 20]
    version: t.Annotated[str, 200]
    identity: ServerIdentity | None = None  # 0.1 did not record it.

    def endpoint(self) -> Endpoint:
        if (self.host is None or self.port is None) == (self.socket is None):
            raise WrongShape("server has to have host and port, or socket")
        return Endpoint(self.host.lower() if self.host else None, self.port, self.socket)


@dataclass(frozen=True)
class _RecordValue:
    """What :meth:`ChangeRecord.describe` gives."""

    id: t.Annotated[str, 64]
    state: t.Annotated[str, 20]
    begun_at: t.Annotated[str, 40]
    ended_at: t.Annotated[str, 40] | None
    server: _ServerValue
    accounts: tuple[RecordedChange, ...]
    require_secure_transport: RecordedSwitch | None
    rollback_statements: tuple[t.Annotated[str, MAX_BYTES], ...]
    # 0.1 did not record these.
    made_by: t.Annotated[str, _LONGEST_NOTE] | None = None
    note: t.Annotated[str, _LONGEST_NOTE] | None = None


def _who() -> str:
    """``user on host``."""
    user = str(os.geteuid())
    with contextlib.suppress(KeyError, OSError):  # no name for the number, as in a container
        user = getpass.getuser()
    return f"{user} on {socket.gethostname()}"[:_LONGEST_NOTE]
