# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that says what each change of a server's accounts has replaced, so that it can be undone weeks later.

It holds requirements as data. The statements in it are for people; none of them is ever executed.
"""

from __future__ import annotations

import grp
import json
import os
import stat
import typing as t
from dataclasses import replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import WrongShape, load
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import (
    followed,
    locked_directory,
    write_atomically,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.change_record import (
    MAX_BYTES,
    ChangeRecord,
    Endpoint,
)

FORMAT = "dbtls.rds_mysql.changes"
_VERSION = 1
_ABOUT = (
    "Written by the Ansible module dbtls.rds_mysql.mysql_require_ssl: what each change has replaced, the newest last. "
    "Its option restore_file restores that. The statements are for people; none in this file is ever executed."
)

_LOCK_SECONDS = 10.0


class RecordError(RdsMysqlError):
    """The file cannot be read or written, or is none of this kind; the message names the option and the file."""


def _parse(content: bytes) -> tuple[ChangeRecord, ...]:
    document = load(content)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise WrongShape(f"it is not of the format {FORMAT}")
    if document.get("version") != _VERSION:
        raise WrongShape(f"its version is {str(document.get('version'))[:20]!r}, and this release knows {_VERSION}")
    if not isinstance(document.get("changes"), list):
        raise WrongShape("changes is not a list")
    records = tuple(ChangeRecord.parse(value) for value in document["changes"])
    if len({record.id for record in records}) != len(records):
        raise WrongShape("two changes have the same id")
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
    :raises RecordError: when there is no such group, or a link of another user leads to the file.
    """

    def __init__(self, path: str, option: str, group: str | None = None) -> None:
        self._group: int | None = None
        if group:
            try:
                self._group = grp.getgrnam(group).gr_gid
            except KeyError as e:
                raise RecordError(f"rollback_group: there is no group {group}.") from e
        self.path, self._option = path, option
        try:
            # A symbolic link stays one: what it points to is replaced.
            self.path = followed(path)
        except OSError as e:
            raise self.error(f"cannot be written: {e.strerror}.") from e

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
        except WrongShape as e:
            raise self.error(f"is not a file that this module has written: {e}.") from e

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
            content = f.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise self.error(f"is larger than {MAX_BYTES} bytes.")
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
                if len(content) > MAX_BYTES:
                    raise self.error(f"would be larger than {MAX_BYTES} bytes. Move it away.")
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
