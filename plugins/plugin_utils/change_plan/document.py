# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``plan.json``: written for a person to approve, and read again as data that nobody has to trust."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import WrongShape, decode, encode, load
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.files import (
    Untrusted,
    open_trusted,
    read_bounded,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.printable import has_template
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.planned import Planned
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan.servers import (
    CHANGE,
    OUTCOMES,
    Server,
    totals,
)

JSON, HTML = "plan.json", "plan.html"
FORMAT = "dbtls.rds_mysql.plan"
FORMAT_VERSION = 1

_VARIABLE = "mysql_tls_plan"
MAX_BYTES = 256 * 1024 * 1024
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Author:
    """Who made the plan, where, and the number of the AWX job."""

    user: str | None
    host: str | None
    job: str | None


@dataclass(frozen=True)
class PlanDocument:
    """The whole plan. ``batches`` are the servers that would change, in the order of the roll-out.

    ``warnings`` are about all of them together.
    """

    made_at: str
    author: Author
    collection_version: str
    ansible_core_version: str
    inventory: tuple[str, ...]
    limit: str | None
    batches: tuple[tuple[str, ...], ...]
    servers: tuple[Server, ...]
    warnings: tuple[str, ...] = ()

    def described(self) -> dict[str, t.Any]:
        """The content of the file, with its own SHA-256."""
        content = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            **encode(self),
            "totals": encode(totals(self.servers)),
        }
        return {"sha256": digest(content), **content}


def digest(content: t.Mapping[str, t.Any]) -> str:
    """The SHA-256 of everything but itself: JSON with sorted names, without spaces, in ASCII."""
    counted = {name: value for name, value in content.items() if name != "sha256"}
    text = json.dumps(counted, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def to_json(described: t.Mapping[str, t.Any]) -> str:
    """The text of the file."""
    return json.dumps(described, ensure_ascii=True, indent=1) + "\n"


@dataclass(frozen=True)
class ReadPlan:
    """What of a plan counts when it is applied."""

    sha256: str
    made_at: str
    author: str
    servers: tuple[Server, ...]


@dataclass(frozen=True)
class _Approved:
    """What of the file is read again."""

    sha256: str
    made_at: str
    author: Author
    servers: tuple[Server, ...]


class PlanFile:
    """A plan that somebody has approved."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def error(self, what: str) -> RdsMysqlError:
        """An error about this file; ``what`` continues its name."""
        return RdsMysqlError(f"{_VARIABLE}: {self._path} {what}")

    def read(self, max_age_days: int, now: dt.datetime, sha256: str = "") -> ReadPlan:
        """What it says.

        :arg sha256: The SHA-256 that somebody has approved. The file may belong to another user then.
        :raises RdsMysqlError: when it cannot be read, is not a plan, was changed, is too old, or all may write to it.
        """
        try:
            plan = self._checked(load(self._content(anyones=bool(sha256))))
            made = dt.datetime.strptime(plan.made_at, _TIME).replace(tzinfo=dt.UTC)
        except OSError as e:
            raise self.error(f"cannot be read: {e.strerror}.") from e
        except (RecursionError, ValueError) as e:
            raise self.error("is not a plan that the playbook plan has written.") from e
        if sha256 and plan.sha256 != sha256.strip().lower():
            raise self.error(f"has the SHA-256 {plan.sha256}, and mysql_tls_plan_sha256 is another one.")
        if (now - made) / dt.timedelta(days=1) > max_age_days:
            raise self.error(
                f"was made at {plan.made_at} and is older than {max_age_days} days. Make a new plan, or set "
                "mysql_tls_plan_max_age."
            )
        if now - made < dt.timedelta(days=-1):
            raise self.error(f"was made at {plan.made_at}, which is in the future.")
        return plan

    def _content(self, *, anyones: bool) -> bytes:
        try:
            with open_trusted(str(self._path), anyones=True) as file:
                # A checkout may be one that its group can write to.
                if not anyones and os.fstat(file.fileno()).st_uid not in (0, os.geteuid()):
                    raise self.error(
                        "belongs to another user; it says what is done to accounts. If it is the plan that was "
                        "approved, set mysql_tls_plan_sha256 to its SHA-256."
                    )
                return read_bounded(file.read, MAX_BYTES)
        except Untrusted as e:
            raise self.error(f"is not read: it {e}.") from e

    def _checked(self, described: t.Any) -> ReadPlan:
        if not isinstance(described, dict) or described.get("format") != FORMAT:
            raise self.error(f"is not a plan that the playbook plan has written (its format is not {FORMAT}).")
        if described.get("format_version") != FORMAT_VERSION:
            raise self.error("was made by another release of the collection. Use that one, or make a new plan.")
        if described.get("sha256") != digest(described):
            raise self.error("was changed after it was made: its SHA-256 is another one. Make a new plan.")
        if has_template(described):
            raise self.error("holds a text that could be taken for a template, so the playbook plan has not made it.")
        found = decode(_Approved, described)
        for server in found.servers:
            _check(server)
        names = [name for server in found.servers for name in (server.name, *server.aliases)]
        if len(set(names)) != len(names):
            raise WrongShape("a name is there twice")
        by = f"{found.author.user or 'unknown'} on {found.author.host or 'unknown'}"
        return ReadPlan(found.sha256, found.made_at, by, found.servers)


def _check(server: Server) -> None:
    if server.outcome not in OUTCOMES:
        raise WrongShape(f"{server.outcome!r} is not an outcome")
    if server.plan is not None:
        Planned.parse(server.plan)
    elif server.outcome == CHANGE:
        raise WrongShape("a change is missing")
