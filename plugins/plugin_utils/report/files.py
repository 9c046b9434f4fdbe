# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a report: read with care, written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import typing as t
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.dataclass_json import WrongShape, decode, encode
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import (
    FORMAT,
    FORMAT_VERSION,
    STATES,
    VERDICTS,
    Report,
    is_time,
    problem_of,
)

JSON = "report.json"
HTML = "report.html"
CSV = "report.csv"
JUNIT = "junit.xml"
PREVIOUS = "previous.json"


def read_report(path: Path, option: str) -> Report:
    """A report from its JSON file.

    :arg option: The option that names the file, for messages.
    :raises RdsMysqlError: when it cannot be read, or is no report.
    """
    try:
        data = json.loads(path.read_bytes())
    except OSError as e:
        raise RdsMysqlError(f"{option}: {path} cannot be read: {e.strerror}.") from e
    except (ValueError, RecursionError) as e:
        raise RdsMysqlError(f"{option}: {path} is not JSON: {e}.") from e
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise RdsMysqlError(f"{option}: {path} is not a report of mysql_tls_report (its format is not {FORMAT}).")
    version = data.get("format_version")
    if version != FORMAT_VERSION:
        raise RdsMysqlError(
            f"{option}: {path} has format version {version!r}, and this version of the collection knows "
            f"{FORMAT_VERSION} only."
        )
    try:
        report = decode(Report, data)
        _check_words(report)
    except WrongShape as e:
        raise RdsMysqlError(f"{option}: {path} is not a report of mysql_tls_report: {e}.") from e
    return report


def _check_words(report: Report) -> None:
    if not is_time(report.run.made_at):
        raise WrongShape(f"run.made_at is {report.run.made_at!r}")
    for number, server in enumerate(report.servers):
        place = f"servers[{number}]"
        if server.state not in STATES:
            raise WrongShape(f"{place}.state is {server.state!r}")
        if server.verdict not in (None, *VERDICTS):
            raise WrongShape(f"{place}.verdict is {server.verdict!r}")
        problem = problem_of(server)
        if problem:
            raise WrongShape(f"{place} {problem}")


def to_json(report: Report) -> str:
    """The text of ``report.json``."""
    return json.dumps(encode(report), ensure_ascii=False, indent=1) + "\n"


def same_content(one: Report, other: Report) -> bool:
    """Whether two reports say the same, but for when and by which run."""
    return bool(_timeless(one) == _timeless(other))


def _timeless(report: Report) -> t.Any:
    servers = encode(report.servers)
    for server in servers:
        server["seen_at"] = None
        if server["certificate"]:
            server["certificate"]["days_left"] = None
    return report.title, servers


def write(path: Path, text: str) -> None:
    """Replace a file in one step, with the permissions that the umask leaves.

    :raises RdsMysqlError: when it cannot be written; what was there before still is.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with new.open("x", encoding="utf-8", newline="") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        new.replace(path)
    except OSError as e:
        with contextlib.suppress(OSError):
            new.unlink()
        raise RdsMysqlError(f"dest: {path} cannot be written: {e.strerror}.") from e


def make_directory(path: Path) -> None:
    """Have the directory, made with its parents where needed.

    :raises RdsMysqlError: when that cannot be.
    """
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as e:
        raise RdsMysqlError(f"dest: the directory {path} cannot be made: {e.strerror}.") from e
