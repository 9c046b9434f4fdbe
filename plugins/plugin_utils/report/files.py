# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a report: read with care, written whole or not at all."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import itertools
import json
import os
import re
import typing as t
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import WrongShape, decode, encode, load
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import (
    Untrusted,
    open_trusted,
    read_bounded,
    write_atomically,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.judge import Readiness
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import (
    FORMAT,
    FORMAT_VERSION,
    NOT_CHECKED,
    STATES,
    Report,
    Run,
    Server,
    is_time,
    problem_of,
    readiness_problem,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.summary import summarize
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.upgrade import upgrade

JSON = "report.json"
HTML = "report.html"
CSV = "report.csv"
FINDINGS_CSV = "findings.csv"
JUNIT = "junit.xml"
CHECKSUMS = "report.sha256"
NAMES = (HTML, JSON, CSV, FINDINGS_CSV, JUNIT, CHECKSUMS)

# Which accounts can be attacked is nobody else's business; the umask may say so more strictly.
MODE = 0o640
# Counts, which an exporter that runs as another user has to read.
METRICS_MODE = 0o644

# Ten thousand servers with a hundred accounts each have a report of some 200 MB.
_MAX_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class _Stored:
    """What of a report is read again; its summary follows from its servers, and what it was compared with is past."""

    title: str
    run: Run
    servers: tuple[Server, ...]
    readiness: tuple[Readiness, ...] | None = None


def read_report(path: Path, option: str, *, anyones: bool = True, group: int | None = None) -> Report:
    """A report from its JSON file, of this version of the format or an older one.

    :arg option: The option that names the file, for messages.
    :arg anyones: Whether it may belong to another user, as one that was named may.
    :arg group: The number of a group whose members are trusted otherwise.
    :raises RdsMysqlError: when it cannot be read, all may write to it, or it is not a report.
    """
    try:
        with open_trusted(str(path), group, anyones=anyones) as file:
            data = load(read_bounded(file.read, _MAX_BYTES))
    except Untrusted as e:
        raise RdsMysqlError(f"{option}: {path} is not read: it {e}.") from e
    except OSError as e:
        raise RdsMysqlError(f"{option}: {path} cannot be read: {e.strerror}.") from e
    except WrongShape as e:
        raise RdsMysqlError(f"{option}: {path} is not JSON: {e.__cause__}.") from e
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise RdsMysqlError(f"{option}: {path} is not a report of mysql_tls_report (its format is not {FORMAT}).")
    data = upgrade(data)
    version = data.get("format_version")
    if version != FORMAT_VERSION:
        raise RdsMysqlError(
            f"{option}: {path} has format version {version!r}; this version of the collection reads versions 1 to "
            f"{FORMAT_VERSION}."
        )
    try:
        stored = decode(_Stored, data)
        _check_values(stored)
    except WrongShape as e:
        raise RdsMysqlError(f"{option}: {path} is not a report of mysql_tls_report: {e}.") from e
    return Report(stored.title, stored.run, summarize(stored.servers), stored.servers, readiness=stored.readiness)


def read_part(path: Path, option: str, **trust: t.Any) -> Report:
    """A report whose servers become part of another one.

    Those that were not checked have its time, as there may be an older or a newer check of them.

    :raises RdsMysqlError: as for others, and when it is of a machine whose clock is ahead: nothing would be newer.
    """
    report = read_report(path, option, **trust)
    made_at = report.run.made_at
    if made_at > iso8601(utc_now() + dt.timedelta(days=1)):
        raise RdsMysqlError(f"{option}: {path} was made on {made_at}, a time that has not come yet.")
    dated = (replace(one, checked_at=made_at) if one.state == NOT_CHECKED else one for one in report.servers)
    return replace(report, servers=tuple(dated))


def _check_values(stored: _Stored) -> None:
    if not is_time(stored.run.made_at):
        raise WrongShape(f"run.made_at is {stored.run.made_at!r}")
    for number, server in enumerate(stored.servers):
        place = f"servers[{number}]"
        if server.state not in STATES:
            raise WrongShape(f"{place}.state is {server.state!r}")
        problem = problem_of(server)
        if problem:
            raise WrongShape(f"{place} {problem}")
    for number, found in enumerate(stored.readiness or ()):
        problem = readiness_problem(found)
        if problem:
            raise WrongShape(f"readiness[{number}] {problem}")


def to_json(report: Report) -> str:
    """The text of ``report.json``: an item of a list has a line, such as a server, which two reports are compared by.

    Python takes four times as long for JSON that is indented all the way down.
    """
    # One at a time: the dictionaries of thousands of servers take more memory than the text.
    lines = [f" {_json(name)}: {_lines(value)}" for name, value in vars(report).items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _lines(value: t.Any) -> str:
    if not isinstance(value, tuple) or not value:
        return _json(encode(value))
    return "[\n" + ",\n".join(f"  {_json(encode(item))}" for item in value) + "\n ]"


def _json(value: t.Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def to_checksums(contents: t.Mapping[str, bytes]) -> str:
    """What ``sha256sum --check`` reads, from names of files and their contents."""
    return "".join(f"{hashlib.sha256(found).hexdigest()}  {name}\n" for name, found in sorted(contents.items()))


def says_the_same(path: Path, content: bytes) -> bool:
    """Whether a file has the title and the servers of this JSON of a report, but for the times of the checks."""
    try:
        with open_trusted(str(path), anyones=False) as file:
            lines = itertools.zip_longest(_timeless(file), _timeless(io.BytesIO(content)))
            return all(before == after for before, after in lines)
    except (Untrusted, OSError):
        return False


# Nothing that a server calls itself: in texts of JSON, a quote has a backslash before it.
_TIMES = re.compile(rb'"(?:checked_at|days_left)": (?:"[^"]*"|-?[0-9]+|null)')


def _timeless(lines: t.Iterable[bytes]) -> t.Iterator[bytes]:
    of_servers = False
    for line in lines:
        if of_servers and line.startswith(b" ]"):
            return
        if of_servers or line.startswith(b' "title": '):
            yield _TIMES.sub(b"", line)
        of_servers = of_servers or line.startswith(b' "servers": [')


def write(path: Path, content: bytes, mode: int = MODE, option: str = "dest") -> None:
    """Replace a file in one step. What the umask takes from the mode, it has not.

    :raises RdsMysqlError: when it cannot be written; the previous file is unchanged.
    """
    try:
        write_atomically(str(path), content, mode=mode & ~_umask())
    except OSError as e:
        raise RdsMysqlError(f"{option}: {path} cannot be written: {e.strerror}.") from e


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def make_directory(path: Path) -> None:
    """Create the directory, with its parents where needed.

    :raises RdsMysqlError: when that fails.
    """
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as e:
        raise RdsMysqlError(f"dest: the directory {path} cannot be created: {e.strerror}.") from e
