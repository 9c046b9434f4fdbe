# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where observations are kept: one file a day, replaced by each pass.

A pass every few minutes would be ten thousand files in the weeks that count. A day's file has each client once, however
often it was seen. Its name has an id of the directory in it, so that directories of several machines can be copied
together; what they have of one server and day is added up.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import gzip
import json
import re
import secrets
import typing as t
import zlib
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import (
    Untrusted,
    locked_directory,
    open_trusted,
    read_bounded,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.storage import Access, first_kept
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.observed import (
    Logins,
    Reading,
    Refused,
    Seen,
    ServerDay,
    Who,
    add_pass,
)

FORMAT = "dbtls.rds_mysql/observations"
FORMAT_VERSION = 1

DIRECTORY = "observations"
"""In the state directory."""

PRIVATE = Access()
_LOCK_SECONDS = 60.0
_RECENT_MINUTES = 15
# A day of a thousand servers with two hundred sightings each takes some 40 MB, and a twentieth of that packed.
_MAX_BYTES = 512 * 1024 * 1024
_ID_BYTES = 100
_FILE = re.compile(r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})-(?P<id>[0-9a-f]{8})\.json\.gz\Z")
ID = "id"
"""The file with the id of a directory."""
_DAMAGED = (OSError, EOFError, zlib.error, ValueError, RecursionError, LookupError, TypeError, AttributeError)

_NONE: type = type(None)
_Kinds = frozenset[type]
_TEXT: _Kinds = frozenset({str})
_NUMBER: _Kinds = frozenset({int})
_TEXT_OR_NONE: _Kinds = frozenset({str, _NONE})
_NUMBER_OR_NONE: _Kinds = frozenset({int, _NONE})
# The columns of what each list of a day has, and of a counter.
_SIGHTING = (_TEXT, _TEXT, _TEXT_OR_NONE, _TEXT, _TEXT, _TEXT, _TEXT, _NUMBER, _NUMBER)
_LOGINS = (_TEXT_OR_NONE, _TEXT_OR_NONE, _NUMBER, _NUMBER_OR_NONE, _NUMBER_OR_NONE, _TEXT_OR_NONE)
_REFUSED = (_TEXT, _TEXT_OR_NONE, _TEXT_OR_NONE, _NUMBER)
_COUNTED: dict[str, _Kinds] = {
    **dict.fromkeys(("user", "host"), _TEXT_OR_NONE),
    "logins": _NUMBER,
    **dict.fromkeys(("tls", "refused"), _NUMBER_OR_NONE),
}

Days = dict[str, list[tuple[str, ServerDay]]]
"""By server: dates, and what was seen on them."""


class Pass(t.NamedTuple):
    """What one check of a server saw, the value ``mysql_ssl_sessions``.

    ``changed`` are the accounts for which TLS was required just before.
    """

    server: str
    endpoint: str
    seen: t.Mapping[str, t.Any]
    changed: t.Collection[str] = ()


def record(
    directory: Path, passes: t.Iterable[Pass], at: dt.datetime, keep_days: int, access: Access = PRIVATE
) -> Path:
    """Add passes that were made at this time, and remove the files of days that are older than these.

    :returns: The day's file.
    :raises RdsMysqlError: when that is impossible; nothing was added then.
    """
    today = at.strftime("%Y-%m-%d")
    try:
        access.make_directory(directory)
        with locked_directory(str(directory), _LOCK_SECONDS):
            path = directory / f"{today}-{_id(directory, access)}.json.gz"
            servers = _read(path, access) if path.exists() else {}
            passes = list(passes)
            earlier = _latest(directory, path, access, {one.server for one in passes} - set(servers))
            for one in passes:
                known = servers.get(one.server)
                before = known or earlier.get(one.server)
                if before is not None and before.endpoint != one.endpoint:
                    known = before = None  # another server by now
                if known is None:
                    known = servers[one.server] = ServerDay(one.endpoint)
                since = _since(before, at)
                add_pass(known, before.last if before else None, one.seen, at)
                known.changes.update(dict.fromkeys(one.changed, since))
            access.write(path, _encode(servers))
            _prune(directory, at.date(), keep_days)
    except BlockingIOError as e:
        raise RdsMysqlError(
            f"mysql_tls_state_dir: another run has been writing to {directory} for {_LOCK_SECONDS:g} seconds."
        ) from e
    except OSError as e:
        raise RdsMysqlError(
            f"mysql_tls_state_dir: the observations in {directory} cannot be written: {e.strerror}."
        ) from e
    return path


def read(
    directory: Path,
    since: str,
    warn: t.Callable[[str], None],
    wanted: t.Container[str] | None = None,
    access: Access = PRIVATE,
) -> Days:
    """Everything from this date on, or what is about these servers.

    :arg access: Whose files are trusted.
    :arg warn: Told in a sentence which files cannot be read; what they have counts as not observed.
    """
    days: Days = {}
    for path, date in _files(directory):
        if date < since:
            continue
        try:
            servers = _read(path, access, wanted)
        except RdsMysqlError as e:
            warn(f"{e.message} That day counts as not observed.")
            continue
        for name, day in servers.items():
            days.setdefault(name, []).append((date, day))
    return days


def paths(directory: Path) -> list[Path]:
    """The files of a directory, by name."""
    return [path for path, _date in _files(directory)]


def _since(before: ServerDay | None, at: dt.datetime) -> str:
    """When a change was made that is recorded now: after the pass before, where that was just before.

    What this pass is the first to know of has been refused since then.
    """
    now, recent = iso8601(at), iso8601(at - dt.timedelta(minutes=_RECENT_MINUTES))
    last = before.last_pass if before else None
    return last if last and recent <= last < now else now


def _files(directory: Path) -> list[tuple[Path, str]]:
    if not directory.is_dir():
        return []
    found = ((path, _FILE.match(path.name)) for path in sorted(directory.iterdir()))
    return [(path, match["date"]) for path, match in found if match]


def _id(directory: Path, access: Access) -> str:
    """The directory's own id, made when it is first written to."""
    path = directory / ID
    # Another one is as good, where it is damaged or somebody else's.
    with contextlib.suppress(OSError, Untrusted), open_trusted(str(path), access.trusted) as file:
        known = file.read(_ID_BYTES).strip()
        if re.fullmatch(rb"[0-9a-f]{8}", known):
            return known.decode("ascii")
    new = secrets.token_hex(4)
    access.write(path, f"{new}\n".encode("ascii"))
    return new


def _latest(directory: Path, own: Path, access: Access, wanted: set[str]) -> dict[str, ServerDay]:
    """The last day before of each of these servers, for the counters of the last pass; none where it is damaged."""
    before = [path for path, date in _files(directory) if path != own and date < own.name[:10]]
    found: dict[str, ServerDay] = {}
    for path in reversed([path for path in before if path.name[10:] == own.name[10:]]):
        # One that could not be checked for days has counted all the while.
        missing = wanted - set(found)
        if not missing:
            break
        with contextlib.suppress(RdsMysqlError):
            found.update(_read(path, access, missing))
    return found


def _prune(directory: Path, today: dt.date, keep_days: int) -> None:
    dates = {}
    for path, text in _files(directory):
        with contextlib.suppress(ValueError):
            dates[path] = dt.date.fromisoformat(text)
    first = first_kept(dates.values(), today, keep_days)
    for path, date in dates.items():
        if date < first:
            path.unlink(missing_ok=True)


def _read(path: Path, access: Access, wanted: t.Container[str] | None = None) -> dict[str, ServerDay]:
    try:
        with open_trusted(str(path), access.trusted) as packed, gzip.GzipFile(fileobj=packed) as file:
            document = json.loads(read_bounded(file.read, _MAX_BYTES))
        if document["format"] != FORMAT or document["format_version"] != FORMAT_VERSION:
            raise ValueError("another format")
        found = document["servers"].items()
        return {name: _decode_day(day) for name, day in found if wanted is None or name in wanted}
    except Untrusted as e:
        raise RdsMysqlError(f"mysql_tls_state_dir: {path} is not read: it {e}.") from e
    except _DAMAGED as e:
        raise RdsMysqlError(
            f"mysql_tls_state_dir: {path} is not a file of observations, or damaged ({type(e).__name__})."
        ) from e


def _encode(servers: t.Mapping[str, ServerDay]) -> bytes:
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "servers": {name: _encode_day(day) for name, day in sorted(servers.items())},
    }
    # Hostile names may have half of a surrogate pair, which JSON's escapes carry.
    return gzip.compress(json.dumps(document, separators=(",", ":")).encode("ascii"), 1, mtime=0)


def _encode_day(day: ServerDay) -> dict[str, t.Any]:
    return {
        "endpoint": day.endpoint,
        "sampled": f"{day.sampled:x}",
        "counted": f"{day.counted:x}",
        "sightings": [[*who, *dataclasses.astuple(seen)] for who, seen in day.sightings.items()],
        "logins": [[*name, *dataclasses.astuple(logins)] for name, logins in day.logins.items()],
        "refused": day.refused,
        "changes": day.changes,
        "last": None if day.last is None else vars(day.last),
        "last_pass": day.last_pass,
    }


def _decode_day(day: t.Mapping[str, t.Any]) -> ServerDay:
    """What the file has of a server; what it cannot have is an error of ``_DAMAGED``."""
    found = ServerDay(
        endpoint=day["endpoint"],
        sampled=int(day["sampled"], 16),
        counted=int(day["counted"], 16),
        sightings={Who(*row[:5]): Seen(*row[5:]) for row in _rows(day["sightings"], _SIGHTING)},
        logins={(row[0], row[1]): Logins(*row[2:]) for row in _rows(day["logins"], _LOGINS)},
        refused=[Refused(*row) for row in _rows(day["refused"], _REFUSED)],
        changes=dict(_rows(list(day["changes"].items()), (_TEXT, _TEXT))),
        last=None if day["last"] is None else _decode_reading(day["last"]),
        last_pass=day["last_pass"],
    )
    _rows([(found.endpoint, found.last_pass)], (_TEXT, _TEXT_OR_NONE))
    return found


def _decode_reading(value: t.Mapping[str, t.Any]) -> Reading:
    found = Reading(**value)
    texts = (found.login, found.client, found.server)
    _rows([(*texts, found.connection_id, found.counting_since)], (*(_TEXT,) * 3, _NUMBER, _NUMBER_OR_NONE))
    _rows(list(found.plaintext_until.items()), (_TEXT, _NUMBER))
    for counted in found.counters.values():
        if counted is not None:
            _rows([[one[name] for name in _COUNTED] for one in counted], tuple(_COUNTED.values()))
    return found


def _rows(rows: list[t.Any], kinds: t.Sequence[_Kinds]) -> list[t.Any]:
    """The rows, each with a value of these types in each column; by columns, of which there are fewer."""
    if rows:
        for column, kind in zip(zip(*rows, strict=True), kinds, strict=True):
            if not kind.issuperset(map(type, column)):
                raise TypeError("another type")
    return rows
