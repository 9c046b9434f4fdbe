# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that says what each change of a server's accounts has replaced, so that it can be undone weeks later.

It holds requirements as data. The statements in it are for people; none of them is ever executed.
"""

from __future__ import annotations

import contextlib
import getpass
import grp
import json
import os
import socket
import stat
import typing as t
import uuid
from dataclasses import asdict, dataclass, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import locked_directory, write_atomically
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import Plan
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.record_values import (
    Nonsense,
    describe_changes,
    get_changes,
    get_identity,
    get_list,
    get_mapping,
    get_switch_state,
    get_text,
    get_value,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Change
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import ServerIdentity
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.secure_transport import SwitchState

FORMAT = "dbtls.rds_mysql.changes"
_VERSION = 1
_ABOUT = (
    "Written by the Ansible module dbtls.rds_mysql.mysql_require_ssl: what each change has replaced, the newest last. "
    "Its option restore_file restores that. The statements are for people; none in this file is ever executed."
)

BEGUN, MADE, UNDONE, RESTORED = "begun", "made", "undone", "restored"
_STATES = (BEGUN, MADE, UNDONE, RESTORED)

# Ten thousand accounts take about 6 MB.
_MAX_BYTES = 64 * 1024 * 1024
_LOCK_SECONDS = 10.0
_LONGEST_NOTE = 1000


class RecordError(RdsMysqlError):
    """The file cannot be read or written, or is none of this kind; the message names the option and the file."""


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
            changes=plan.changes,
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

        :raises ValueError: saying what is wrong.
        """
        server = get_mapping(value, "server")
        changes = get_changes(value)
        switch = get_value(value, "require_secure_transport", (dict, type(None)))
        statements = get_list(value, "rollback_statements")
        if not all(isinstance(statement, str) for statement in statements):
            raise Nonsense("rollback_statements holds something other than texts")
        state = get_text(value, "state", 20)
        if state not in _STATES:
            raise Nonsense(f"{state!r} is not a state of a change")
        return cls(
            id=get_text(value, "id", 64),
            state=state,
            begun_at=get_text(value, "begun_at", 40),
            ended_at=get_text(value, "ended_at", 40) if get_value(value, "ended_at", (str, type(None))) else None,
            endpoint=_endpoint(server),
            identity=None if server.get("identity") is None else get_identity(server),  # 0.1 did not record it.
            family=get_text(server, "family", 20),
            version=get_text(server, "version", 200),
            changes=changes,
            switch=(get_switch_state(switch, "before"), get_switch_state(switch, "after")) if switch else None,
            rollback_statements=tuple(statements),
            # 0.1 did not record these.
            made_by=get_text(value, "made_by", _LONGEST_NOTE) if value.get("made_by") is not None else None,
            note=get_text(value, "note", _LONGEST_NOTE) if value.get("note") is not None else None,
        )


def _who() -> str:
    """``user on host``."""
    user = str(os.geteuid())
    with contextlib.suppress(KeyError, OSError):  # no name for the number, as in a container
        user = getpass.getuser()
    return f"{user} on {socket.gethostname()}"[:_LONGEST_NOTE]


def _endpoint(server: dict[str, t.Any]) -> Endpoint:
    host, port = get_value(server, "host", (str, type(None))), get_value(server, "port", (int, type(None)))
    socket = get_value(server, "socket", (str, type(None)))
    if (host is None or port is None) == (socket is None):
        raise Nonsense("server has to have host and port, or socket")
    return Endpoint(host.lower() if host else None, port, socket)


def _parse(content: bytes) -> tuple[ChangeRecord, ...]:
    document = json.loads(content.decode("utf-8"))
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise Nonsense(f"it is not of the format {FORMAT}")
    if document.get("version") != _VERSION:
        raise Nonsense(f"its version is {str(document.get('version'))[:20]!r}, and this release knows {_VERSION}")
    records = tuple(ChangeRecord.parse(value) for value in get_list(document, "changes"))
    if len({record.id for record in records}) != len(records):
        raise Nonsense("two changes have the same id")
    return records


def _dump(records: t.Sequence[ChangeRecord]) -> bytes:
    document = {
        "about": _ABOUT,
        "format": FORMAT,
        "version": _VERSION,
        "changes": [record.describe() for record in records],
    }
    return json.dumps(document, indent=1).encode("ascii") + b"\n"


class RollbackFile:
    """The file of one server's changes.

    :arg option: The option that names it, for messages.
    :arg group: The group whose members may write it too, and are trusted.
    :raises RecordError: when there is no such group.
    """

    def __init__(self, path: str, option: str, group: str | None = None) -> None:
        self._group: int | None = None
        if group:
            try:
                self._group = grp.getgrnam(group).gr_gid
            except KeyError as e:
                raise RecordError(f"rollback_group: there is no group {group}.") from e
        # A symbolic link stays one: what it points to is replaced.
        self.path = os.path.realpath(path)
        self._option = option

    def error(self, what: str) -> RecordError:
        """An error about this file; ``what`` continues its name."""
        return RecordError(f"{self._option}: {self.path} {what}")

    def read(self, endpoint: Endpoint, family: str) -> tuple[ChangeRecord, ...]:
        """The changes, oldest first; none where there is no file.

        :raises RecordError: when it is not such a file, not of this server, or others may write to it.
        """
        records = self.read_all()
        for record in records:
            if record.endpoint != endpoint:
                raise self.error(f"is about {record.endpoint}, and this is {endpoint}.")
            if record.family != family:
                raise self.error(f"is about a server of the family {record.family}, and this one is {family}.")
        return records

    def read_all(self) -> tuple[ChangeRecord, ...]:
        """The changes of whatever server, oldest first; none where there is no file.

        :raises RecordError: when it is not such a file, or others may write to it.
        """
        try:
            content = self._content()
        except FileNotFoundError:
            return ()
        except OSError as e:
            raise self.error(f"cannot be read: {e.strerror}.") from e
        try:
            return _parse(content)
        except Nonsense as e:
            raise self.error(f"is not a file that this module has written: {e}.") from e
        except (ValueError, RecursionError) as e:
            raise self.error("is not a file that this module has written: it is not JSON.") from e

    def _content(self) -> bytes:
        # Never waits for the other end of a pipe.
        with os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK), "rb") as f:
            status = os.fstat(f.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise self.error("is a directory, a device or a pipe, not a file.")
            of_group = status.st_gid == self._group
            if status.st_uid not in (0, os.geteuid()) and not of_group:
                raise self.error("belongs to another user; it says what is done to accounts. Copy it, if you trust it.")
            if status.st_mode & (stat.S_IWOTH if of_group else stat.S_IWGRP | stat.S_IWOTH):
                raise self.error(
                    "can be written by others than its owner; it says what is done to accounts. chmod it, or name the "
                    "group that shares it in rollback_group."
                )
            content = f.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise self.error(f"is larger than {_MAX_BYTES} bytes.")
        return content

    def check(self, endpoint: Endpoint, family: str) -> None:
        """Whether a change could be recorded, as far as can be told without writing.

        :raises RecordError: when it could not.
        """
        self.read(endpoint, family)
        directory = os.path.dirname(self.path)
        while not os.path.lexists(directory):
            directory = os.path.dirname(directory)
        if not os.path.isdir(directory) or not os.access(directory, os.W_OK | os.X_OK):
            raise self.error(f"cannot be written: {directory} is not a directory that this user can write to.")

    def add(self, record: ChangeRecord) -> None:
        """Add a change, on disk before this returns. Directories that are missing are made, for this user alone.

        :raises RecordError: when that is impossible; the file is what it was.
        """
        self._edit(record.endpoint, record.family, lambda records: (*records, record))

    def merge(self, records: t.Sequence[ChangeRecord]) -> int:
        """Add records that are not there yet, by their id; how many that were.

        :raises RecordError: when that is impossible; the file is what it was.
        """
        added: list[ChangeRecord] = []

        def change(known: tuple[ChangeRecord, ...]) -> tuple[ChangeRecord, ...]:
            numbers = {record.id for record in known}
            added.extend(record for record in records if record.id not in numbers)
            return tuple(sorted((*known, *added), key=lambda record: record.begun_at))

        self._edit(records[0].endpoint, records[0].family, change)
        return len(added)

    def copy_to(self, path: str, records: t.Sequence[ChangeRecord]) -> tuple[RollbackFile, int]:
        """Another file with what is in this one and these records; and how many of them were not in this one.

        :raises RecordError: when one of the files cannot be used.
        """
        copy = RollbackFile(path, self._option)
        known = self.read(records[0].endpoint, records[0].family)
        if known:
            copy.merge(known)
        return copy, copy.merge(records)

    def mark(self, endpoint: Endpoint, family: str, numbers: t.Collection[str], state: str) -> None:
        """Say what has become of changes.

        :raises RecordError: when that is impossible; the file is what it was.
        """
        ended = iso8601(utc_now())
        self._edit(
            endpoint,
            family,
            lambda records: tuple(
                replace(record, state=state, ended_at=ended) if record.id in numbers else record for record in records
            ),
        )

    def _edit(
        self,
        endpoint: Endpoint,
        family: str,
        change: t.Callable[[tuple[ChangeRecord, ...]], t.Sequence[ChangeRecord]],
    ) -> None:
        directory = os.path.dirname(self.path)
        try:
            self._make(directory)
            with locked_directory(directory, _LOCK_SECONDS):
                content = _dump(change(self.read(endpoint, family)))
                if len(content) > _MAX_BYTES:
                    raise self.error(f"would be larger than {_MAX_BYTES} bytes. Move it away.")
                write_atomically(
                    self.path, content, mode=0o600 if self._group is None else 0o660, before_replacing=self._give
                )
        except BlockingIOError as e:
            raise self.error(
                f"cannot be written: another process has held the lock of its directory for {_LOCK_SECONDS:g} seconds."
            ) from e
        except OSError as e:
            raise self.error(f"cannot be written: {e.strerror or e}.") from e

    def _make(self, directory: str) -> None:
        if os.path.isdir(directory):
            return
        self._make(os.path.dirname(directory))
        os.makedirs(directory, mode=0o700, exist_ok=True)  # as another host's task may have made it by now
        if self._group is not None:
            self._give(directory)
            # What others of the group create in it is of the group, too.
            os.chmod(directory, 0o2770)  # noqa: S103  asked for by naming a group

    def _give(self, path: str) -> None:
        if self._group is not None:
            os.chown(path, -1, self._group)
