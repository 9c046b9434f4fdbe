# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where in the history each check is. The index is disposable: whatever is wrong with it, it is made again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import typing as t
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import Untrusted, open_trusted
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history import storage

CHECK = "check"

# With the number of the schema in its name, an index of another version of the collection is not even opened.
_SCHEMA_NUMBER = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY, name TEXT UNIQUE, size INTEGER, changed INTEGER, damage TEXT
);
CREATE TABLE IF NOT EXISTS entries (
    type TEXT, name TEXT, at TEXT, file INTEGER, line INTEGER, host TEXT, seen TEXT,
    PRIMARY KEY (type, name, at, file, line)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_of_files ON entries (file);
"""
_BUSY_SECONDS = 20.0


class Place(t.NamedTuple):
    """Where an entry is: the name of the file, and the number of its line after the first."""

    file: str
    line: int


def default_cache() -> Path:
    """The user's cache directory."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(home)) / "dbtls-rds-mysql"


class Index:
    """An index that is up to date with its directory.

    :arg access: Whose files of the history are trusted.
    :arg warnings: Gets a sentence for each damaged file, which the index ignores.
    """

    def __init__(self, directory: Path, cache: Path, access: storage.Access, warnings: list[str]) -> None:
        self._directory = directory
        self._access = access
        number = hashlib.sha256(os.fsencode(os.path.realpath(directory))).hexdigest()[:16]
        path = cache / f"history-{number}-v{_SCHEMA_NUMBER}.sqlite3"
        try:
            cache.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Which accounts can be attacked is nobody else's business.
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600))
            # Whoever wrote it would say which check was the last.
            open_trusted(str(path)).close()
            self._database = self._opened(str(path))
        except (sqlite3.Error, OSError, Untrusted):
            # Damaged, somebody else's, on a full disk, or held by another process: this run has one of its own.
            with contextlib.suppress(OSError):
                path.unlink()
            self._database = self._opened(":memory:")
        for name in storage.of_the_future(directory):
            warnings.append(f"{directory / name} is of a time that has not come yet. It is ignored.")
        for name, damage in self._database.execute("SELECT name, damage FROM files WHERE damage <> '' ORDER BY name"):
            warnings.append(f"{directory / name} {damage}. It is ignored.")

    def _opened(self, path: str) -> sqlite3.Connection:
        database = sqlite3.connect(path, timeout=_BUSY_SECONDS)
        try:
            database.executescript(_SCHEMA)
            with database:
                # Taken before reading, so that two processes do not both add what is missing.
                database.execute("BEGIN IMMEDIATE")
                self._update(database)
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _update(self, database: sqlite3.Connection) -> None:
        now = storage.names(self._directory)
        known = {
            name: (number, (size, changed))
            for number, name, size, changed in database.execute("SELECT id, name, size, changed FROM files")
        }
        for name, (number, state) in known.items():
            if now.get(name) != state:
                database.execute("DELETE FROM entries WHERE file = ?", (number,))
                database.execute("DELETE FROM files WHERE id = ?", (number,))
        for name in sorted(now):
            if name not in known or known[name][1] != now[name]:
                self._add(database, name, now[name])

    def _add(self, database: sqlite3.Connection, name: str, state: tuple[int, int]) -> None:
        damage, rows = "", []
        try:
            entries = storage.read_header(self._directory / name, self._access)["entries"]
            rows = [_row(entry, line) for line, entry in enumerate(entries)]
        except storage.Damaged as e:
            damage = str(e)
        cursor = database.execute(
            "INSERT INTO files (name, size, changed, damage) VALUES (?, ?, ?, ?)", (name, *state, damage)
        )
        database.executemany(f"INSERT OR REPLACE INTO entries VALUES (?, ?, ?, {cursor.lastrowid}, ?, ?, ?)", rows)

    def last(self, kind: str, names: t.Iterable[str] | None = None) -> dict[str, Place]:
        """Where the newest entry about each name is.

        :arg kind: ``check`` or another type of entry.
        :arg names: Without them, all that there are.
        """
        if names is None:
            found = self._database.execute("SELECT DISTINCT name FROM entries WHERE type = ?", (kind,))
            names = [name for (name,) in found.fetchall()]
        places = {name: next(self._newest(kind, name), None) for name in names}
        return {name: found[0] for name, found in places.items() if found}

    def last_with(
        self,
        evidence: t.Sequence[str],
        wanted: t.Mapping[str, str | None],
        without: str | None = None,
    ) -> dict[str, dict[str, Place]]:
        """Where the newest check of each server is that has seen something, by server and what it has seen.

        :arg wanted: The names of servers, each with a time before which it has to be, or None.
        :arg without: A file that does not count.
        """
        places: dict[str, dict[str, Place]] = {}
        for name, before in wanted.items():
            found = places[name] = {}
            for place, seen in self._newest(CHECK, name, before, without):
                for each in evidence:
                    if f" {each} " in seen:
                        found.setdefault(each, place)
                if len(found) == len(evidence):  # nearly always with the first one
                    break
        return places

    def _newest(
        self, kind: str, name: str, before: str | None = None, without: str | None = None
    ) -> t.Iterator[tuple[Place, str]]:
        """The entries about a name from the newest on, by the primary key, and what they have seen."""
        rows = self._database.execute(
            "SELECT f.name, e.line, e.seen FROM entries e JOIN files f ON f.id = e.file "
            "WHERE e.type = ? AND e.name = ? AND (? IS NULL OR e.at < ?) AND f.name IS NOT ? "
            "ORDER BY e.at DESC, e.file DESC",
            (kind, name, before, before, without),
        )
        return ((Place(file, line), seen) for file, line, seen in rows)

    def names_of_hosts(self, kind: str) -> dict[str, str]:
        """The inventory host of each name."""
        rows = self._database.execute("SELECT name, host, max(at) FROM entries WHERE type = ? GROUP BY name", (kind,))
        return {name: host for name, host, _at in rows}

    def places(self, kind: str) -> list[Place]:
        """Where all entries of a type are, the oldest first."""
        rows = self._database.execute(
            "SELECT f.name, e.line FROM entries e JOIN files f ON f.id = e.file WHERE e.type = ? ORDER BY e.at, f.name",
            (kind,),
        )
        return [Place(file, line) for file, line in rows]


def _row(about: t.Mapping[str, t.Any], line: int) -> tuple[t.Any, ...]:
    """The values of a line: type, name, time, line, host, and what was seen."""
    kind, name, at, host = (about[part] for part in ("type", "name", "at", "host"))
    return kind, name, at, line, host, f" {' '.join(about.get('seen', []))} "
