# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of the history: one for each run, JSON lines in gzip, each written whole or not at all.

No file is ever shared by two runs, so histories of several machines merge by copying. See ``docs/history.md``.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import grp
import gzip
import io
import json
import os
import re
import typing as t
import zlib
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import clean, encode
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import (
    Untrusted,
    open_trusted,
    write_atomically,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now

FORMAT = "dbtls.rds_mysql/history"
VERSION = 1
KINDS = ("audit", "enforce", "rollback", "bundle")

_NAME = re.compile(r"(?P<at>[0-9]{8}T[0-9]{6}Z)-(?P<run>[0-9a-z]{1,32})-(?P<kind>[a-z]+)\.jsonl\.gz")
_NAME_TIME = "%Y%m%dT%H%M%SZ"
# 100,000 servers have a first line of 15 MB.
_LONGEST_LINE = 64 * 1024 * 1024


class HistoryError(RdsMysqlError):
    """The history cannot be read or written; the message names the file or directory."""


class Damaged(Exception):
    """A file that is incomplete or of another format; the message continues its name."""


@dataclass(frozen=True)
class Entry:
    """A line of a run: what it is about, and the data. ``about`` goes to the first line of the file too.

    The data are a dictionary, or a dataclass that becomes one when the line is written: those of thousands of servers
    take more memory than the file.
    """

    about: t.Mapping[str, t.Any]
    data: t.Any


@dataclass(frozen=True)
class RunFile:
    """A run. ``started`` and the times in the entries are ISO 8601 in UTC."""

    run_id: str
    started: str
    kind: str
    run: t.Mapping[str, t.Any]
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        """That of its file: one run always has the same."""
        return f"{self.started.replace('-', '').replace(':', '')}-{self.run_id}{ending(self.kind)}"


def ending(kind: str) -> str:
    """What the names of files of runs of this kind end with."""
    return f"-{kind}.jsonl.gz"


@dataclass(frozen=True)
class Access:
    """Who may read and write: the user, or with ``group`` the members of that group."""

    group: str | None = None

    @property
    def file_mode(self) -> int:
        """The permissions of a file."""
        return 0o660 if self.group else 0o600

    @property
    def trusted(self) -> int | None:
        """The number of the group whose files are read; None without one, or where there is no such group."""
        try:
            return self._number() if self.group else None
        except OSError:
            return None

    def make_directory(self, path: Path) -> None:
        """Create the directory, with its parents, if it is not there.

        :raises OSError: when that fails.
        """
        if path.is_dir():
            return
        if not path.parent.is_dir():
            self.make_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        if self.group:
            # The set-group-id bit gives the group to what others create in it.
            os.chown(path, -1, self._number())
            path.chmod(0o2770)

    def write(self, path: Path, content: bytes) -> None:
        """Replace a file in one step.

        :raises OSError: when that fails.
        """

        def give(new: str) -> None:
            os.chown(new, -1, self._number())

        write_atomically(str(path), content, mode=self.file_mode, before_replacing=give if self.group else None)

    def _number(self) -> int:
        try:
            return grp.getgrnam(str(self.group)).gr_gid
        except KeyError as e:
            raise OSError(None, f"there is no group {self.group}") from e


def write(directory: Path, file: RunFile, access: Access) -> Path:
    """Write the file of a run, in place of an earlier one of the same run.

    :raises HistoryError: when that fails. What was there is still there.
    """
    header = {
        "format": FORMAT,
        "version": VERSION,
        "kind": file.kind,
        "started": file.started,
        "run": file.run,
        "entries": [entry.about for entry in file.entries],
    }
    packed = io.BytesIO()
    # The time in the header of gzip would make equal contents different files.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as lines:
        for line in (header, *(entry.data for entry in file.entries)):
            lines.write(json.dumps(encode(line), separators=(",", ":")).encode("ascii") + b"\n")
    try:
        access.make_directory(directory)
        access.write(directory / file.name, packed.getvalue())
    except OSError as e:
        raise HistoryError(f"The history cannot be written to {directory}: {e.strerror or e}.") from e
    return directory / file.name


def names(directory: Path) -> dict[str, tuple[int, int]]:
    """The files of the history: their names with size and time of change. None where there is no directory.

    :raises HistoryError: when the directory cannot be read.
    """
    known = {}
    for entry in _files(directory):
        if _is_ahead(entry.name):
            continue
        # Another run may have removed it by now. A link is none of ours.
        with contextlib.suppress(OSError):
            status = entry.stat(follow_symlinks=False)
            # The time of chmod and chown too, after which it may be trusted.
            known[entry.name] = (status.st_size, status.st_ctime_ns)
    return known


def of_the_future(directory: Path) -> list[str]:
    """The names of files of runs on a machine whose clock was ahead, which would be the last ones for that long.

    :raises HistoryError: when the directory cannot be read.
    """
    return sorted(entry.name for entry in _files(directory) if _is_ahead(entry.name))


def _files(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return [entry for entry in found if _NAME.fullmatch(entry.name)]
    except FileNotFoundError:
        return []
    except OSError as e:
        raise HistoryError(f"The history cannot be read from {directory}: {e.strerror}.") from e


def _is_ahead(name: str) -> bool:
    """Whether a run began a day from now or later. Clocks differ by less."""
    return name > (utc_now() + dt.timedelta(days=1)).strftime(_NAME_TIME)


def of_run(directory: Path, run_id: str, kind: str) -> str | None:
    """The name of the file of a run; None where there is none."""
    found = (_NAME.fullmatch(name) for name in names(directory))
    return next((match[0] for match in found if match and match["run"] == run_id and match["kind"] == kind), None)


def read_header(path: Path, access: Access) -> dict[str, t.Any]:
    """The first line, without reading the others.

    :arg access: Whose files are trusted.
    :raises Damaged: when it is not one.
    """
    with _opened(path, access) as file:
        return _header(file)


def read_lines(
    path: Path, wanted: t.Collection[int], access: Access
) -> t.Generator[tuple[int, dict[str, t.Any]], None, None]:
    """The data of some entries, with their number.

    :raises Damaged: when the file has no such entries.
    """
    with _opened(path, access) as file:
        _header(file)
        for number in range(max(wanted, default=-1) + 1):
            line = _line(file)
            if number in wanted:
                yield number, _dictionary(line)


def check_whole(path: Path, access: Access) -> None:
    """Read a file to its end.

    :raises Damaged: when that is not possible, or it has fewer lines than its first one says.
    """
    with _opened(path, access) as file:
        for _entry in _header(file)["entries"]:
            _dictionary(_line(file))


def first_kept(known: t.Iterable[dt.date], today: dt.date, days: int) -> dt.date:
    """The first day of which anything is kept, of those that have something.

    A pause between two of them counts as a tenth of ``days`` at most. On a clock that is ahead everything would be too
    old, and from its second day on nothing tells its days from others but the pause before them.
    """
    longest, age, kept = max(1, days // 10), 0, today
    for day in sorted({day for day in known if day < today}, reverse=True):
        age += min((kept - day).days, longest)
        if age > days:
            break
        kept = day
    return kept


def remove_older(directory: Path, days: int, now: dt.datetime) -> None:
    """Remove the runs of so many days ago and earlier. What cannot be removed stays, as what has no date."""
    dates = {}
    for name in names(directory):
        with contextlib.suppress(ValueError):
            dates[name] = dt.date.fromisoformat(name[: len("20270131")])
    first = first_kept(dates.values(), now.date(), days)
    for name, date in dates.items():
        if date < first:
            with contextlib.suppress(OSError):
                (directory / name).unlink()


@contextlib.contextmanager
def _opened(path: Path, access: Access) -> t.Iterator[t.IO[bytes]]:
    try:
        with open_trusted(str(path), access.trusted) as packed, gzip.GzipFile(fileobj=packed) as file:
            yield t.cast("t.IO[bytes]", file)
    except Untrusted as e:
        raise Damaged(f"is not read: it {e}") from e
    except (OSError, EOFError, zlib.error) as e:
        raise Damaged(f"cannot be read: {getattr(e, 'strerror', None) or e}") from e


def _header(file: t.IO[bytes]) -> dict[str, t.Any]:
    header = _dictionary(_line(file))
    if header.get("format") != FORMAT:
        raise Damaged(f"is not of the format {FORMAT}")
    if header.get("version") != VERSION:
        raise Damaged(f"has version {header.get('version')!r}; this version of the collection reads {VERSION}")
    entries = header.get("entries")
    if not isinstance(entries, list) or not isinstance(header.get("run"), dict) or not all(map(_is_entry, entries)):
        raise Damaged("has an incomplete first line")
    return header


def _is_entry(about: t.Any) -> bool:
    """Whether an entry of the first line has what every one has."""
    seen = about.get("seen", []) if isinstance(about, dict) else None
    if not isinstance(seen, list):
        return False
    texts = [*(about.get(name) for name in ("type", "name", "at", "host")), *seen]
    return all(isinstance(text, str) and clean(text) == text for text in texts)


def _line(file: t.IO[bytes]) -> bytes:
    line = file.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise Damaged("is incomplete")
    return line


def _dictionary(line: bytes) -> dict[str, t.Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as e:
        raise Damaged(f"holds a line that is not JSON: {e}") from e
    if not isinstance(value, dict):
        raise Damaged("holds a line that is not an object")
    return value
