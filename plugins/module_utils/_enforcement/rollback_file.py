# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that says what each change of a server's accounts has replaced, so that it can be undone weeks later.

It holds requirements as data. The statements in it are for people; none of them is ever executed.
"""

from __future__ import annotations

import json
import os
import stat
import typing as t
import uuid
from dataclasses import asdict, dataclass, fields, replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import locked_directory, write_atomically
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import Plan
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Change
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import LEVELS, Account, Requirement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import Dialect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import ServerIdentity
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.secure_transport import SwitchState

FORMAT = "dbtls.rds_mysql.changes"
_VERSION = 1
_ABOUT = (
    "Written by the Ansible module dbtls.rds_mysql.mysql_require_ssl: what each change has replaced, the newest last. "
    "Its option restore_file puts it back. The statements are for people; none in this file is ever executed."
)

BEGUN, MADE, UNDONE, RESTORED = "begun", "made", "undone", "restored"
_STATES = (BEGUN, MADE, UNDONE, RESTORED)

# Ten thousand accounts take about 6 MB.
_MAX_BYTES = 64 * 1024 * 1024
# Columns of mysql.user: 255 characters for a host, 128 at most for a user (MariaDB), TEXT for a requirement's parts.
_LONGEST_USER, _LONGEST_HOST, _LONGEST_PART = 128, 255, 65535
_LOCK_SECONDS = 10.0


class RecordError(RdsMysqlError):
    """The file cannot be read or written, or is none of this kind; the message names the option and the file."""


class _Nonsense(ValueError):
    """What is read is no such record; says where."""


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

    ``state``: ``begun`` before the first statement, ``made`` after the last proof, ``undone`` when the same run put
    everything back, ``restored`` when a later one did. Times are ISO 8601 in UTC.
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

    @classmethod
    def of(cls, options: ConnectionOptions, dialect: Dialect, plan: Plan, statements: t.Sequence[str]) -> ChangeRecord:
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
            "accounts": [
                {
                    "user": change.account.user,
                    "host": change.account.host,
                    "before": asdict(change.before),
                    "after": asdict(change.after),
                }
                for change in self.changes
            ],
            "require_secure_transport": (
                {"before": asdict(self.switch[0]), "after": asdict(self.switch[1])} if self.switch else None
            ),
            "rollback_statements": list(self.rollback_statements),
        }

    @classmethod
    def parse(cls, value: t.Any) -> ChangeRecord:
        """From that form, with nothing taken on trust.

        :raises ValueError: saying what is wrong.
        """
        server = _mapping(value, "server")
        changes = tuple(_change(entry) for entry in _list(value, "accounts"))
        if len({change.account for change in changes}) != len(changes):
            raise _Nonsense("an account is in a change twice")
        switch = _get(value, "require_secure_transport", (dict, type(None)))
        statements = _list(value, "rollback_statements")
        if not all(isinstance(statement, str) for statement in statements):
            raise _Nonsense("rollback_statements holds something other than texts")
        state = _text(value, "state", 20)
        if state not in _STATES:
            raise _Nonsense(f"{state!r} is no state of a change")
        return cls(
            id=_text(value, "id", 64),
            state=state,
            begun_at=_text(value, "begun_at", 40),
            ended_at=None if _get(value, "ended_at", (str, type(None))) is None else _text(value, "ended_at", 40),
            endpoint=_endpoint(server),
            identity=_identity(server),
            family=_text(server, "family", 20),
            version=_text(server, "version", 200),
            changes=changes,
            switch=(_switch_state(switch, "before"), _switch_state(switch, "after")) if switch else None,
            rollback_statements=tuple(statements),
        )


# Reading: each value is of the type and the length that it has to be.


def _get(value: t.Any, name: str, kinds: tuple[type, ...]) -> t.Any:
    if not isinstance(value, dict) or name not in value:
        raise _Nonsense(f"{name} is missing")
    found = value[name]
    if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
        raise _Nonsense(f"{name} is {type(found).__name__}")
    return found


def _mapping(value: t.Any, name: str) -> dict[str, t.Any]:
    found: dict[str, t.Any] = _get(value, name, (dict,))
    return found


def _list(value: t.Any, name: str) -> list[t.Any]:
    found: list[t.Any] = _get(value, name, (list,))
    return found


def _text(value: t.Any, name: str, longest: int) -> str:
    text: str = _get(value, name, (str,))
    if len(text) > longest or "\0" in text:
        raise _Nonsense(f"{name} is none that a server can have")
    try:
        # As names are sent; bytes that are no UTF-8 stay what they are.
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as e:
        raise _Nonsense(f"{name} is no text") from e
    return text


def _requirement(value: dict[str, t.Any], name: str) -> Requirement:
    found = _mapping(value, name)
    parts = {part: _text(found, part, _LONGEST_PART) for part in ("cipher", "issuer", "subject")}
    requirement = Requirement(_text(found, "ssl_type", 20), **parts)
    if requirement.ssl_type not in LEVELS:
        raise _Nonsense(f"{requirement.ssl_type!r} is no requirement")
    return requirement


def _change(value: t.Any) -> Change:
    account = Account(_text(value, "user", _LONGEST_USER), _text(value, "host", _LONGEST_HOST))
    change = Change(account, _requirement(value, "before"), _requirement(value, "after"))
    if change.before == change.after:
        raise _Nonsense(f"{account} has the same requirement before and after")
    return change


def _switch_state(value: dict[str, t.Any], name: str) -> SwitchState:
    found = _mapping(value, name)
    return SwitchState(_get(found, "value", (bool,)), _get(found, "persisted", (bool, type(None))))


def _endpoint(server: dict[str, t.Any]) -> Endpoint:
    host, port = _get(server, "host", (str, type(None))), _get(server, "port", (int, type(None)))
    socket = _get(server, "socket", (str, type(None)))
    if (host is None or port is None) == (socket is None):
        raise _Nonsense("server has to have host and port, or socket")
    return Endpoint(host.lower() if host else None, port, socket)


def _identity(server: dict[str, t.Any]) -> ServerIdentity | None:
    if server.get("identity") is None:  # 0.1 did not record it.
        return None
    found = _mapping(server, "identity")
    return ServerIdentity(*(_text(found, part.name, _LONGEST_PART) for part in fields(ServerIdentity)))


def _parse(content: bytes) -> tuple[ChangeRecord, ...]:
    document = json.loads(content.decode("utf-8"))
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _Nonsense(f"it is not of the format {FORMAT}")
    if document.get("version") != _VERSION:
        raise _Nonsense(f"its version is {str(document.get('version'))[:20]!r}, and this release knows {_VERSION}")
    records = tuple(ChangeRecord.parse(value) for value in _list(document, "changes"))
    if len({record.id for record in records}) != len(records):
        raise _Nonsense("two changes have the same id")
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
    """

    def __init__(self, path: str, option: str) -> None:
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
        try:
            content = self._content()
        except FileNotFoundError:
            return ()
        except OSError as e:
            raise self.error(f"cannot be read: {e.strerror}.") from e
        try:
            records = _parse(content)
        except _Nonsense as e:
            raise self.error(f"is no file that this module has written: {e}.") from e
        except (ValueError, RecursionError) as e:
            raise self.error("is no file that this module has written: it is no JSON.") from e
        for record in records:
            if record.endpoint != endpoint:
                raise self.error(f"is about {record.endpoint}, and this is {endpoint}.")
            if record.family != family:
                raise self.error(f"is about a server of the family {record.family}, and this one is {family}.")
        return records

    def _content(self) -> bytes:
        # Never waits for the other end of a pipe.
        with os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK), "rb") as f:
            status = os.fstat(f.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise self.error("is no file.")
            if status.st_uid not in (0, os.geteuid()):
                raise self.error("belongs to another user; it says what is done to accounts. Copy it, if you trust it.")
            if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise self.error("can be written by others than its owner; it says what is done to accounts. chmod it.")
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
            raise self.error(f"cannot be written: {directory} is no directory that one may write to.")

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
            os.makedirs(directory, mode=0o700, exist_ok=True)
            with locked_directory(directory, _LOCK_SECONDS):
                content = _dump(change(self.read(endpoint, family)))
                if len(content) > _MAX_BYTES:
                    raise self.error(f"would be larger than {_MAX_BYTES} bytes. Move it away.")
                write_atomically(self.path, content, mode=0o600)
        except BlockingIOError as e:
            raise self.error(
                f"cannot be written: another process has held the lock of its directory for {_LOCK_SECONDS:g} seconds."
            ) from e
        except OSError as e:
            raise self.error(f"cannot be written: {e.strerror or e}.") from e
