# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan on its way from one job of a workflow to the next: one opaque text, as rollback records are.

Where the text would be too long, it names a file on storage that lasts, and the SHA-256 of the plan in it: a later plan
must not take the place of the one that was approved.
"""

from __future__ import annotations

import base64
import binascii
import json
import typing as t
import zlib
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan import document
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import files

VARIABLE = "mysql_tls_plan_document"
PREFIX = "rds_mysql_plan_1_"
DIRECTORY = "plans"

_KEPT_FILES = 20


def publish(described: t.Mapping[str, t.Any], most_bytes: int, lasting: Path | None) -> str | None:
    """The text, or None where it would be longer than ``most_bytes`` and there is no directory that lasts.

    :raises RdsMysqlError: when the plan cannot be written there.
    """
    text = _encoded({"plan": described})
    if len(text) <= most_bytes:
        return text
    if lasting is None:
        return None
    directory = lasting / DIRECTORY
    files.make_directory(directory)
    path = directory / f"{described['sha256']}.json"
    files.write(path, document.to_json(described).encode("utf-8"))
    by_age = sorted(directory.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in by_age[_KEPT_FILES:]:
        old.unlink(missing_ok=True)
    return _encoded({"file": str(path), "sha256": described["sha256"]})


def is_published(source: str) -> bool:
    """Whether this is such a text, and not the name of a file."""
    return source.startswith(PREFIX)


class PublishedPlan(document.PlanFile):
    """A plan that another job has published.

    :raises RdsMysqlError: when it is not one.
    """

    def __init__(self, text: str) -> None:
        super().__init__(Path(VARIABLE))
        self._text = text
        self._sha256: str | None = None
        value = self._decoded()
        self._plan = value.get("plan")
        if self._plan is None:
            self._path, self._sha256 = Path(str(value.get("file"))), str(value.get("sha256"))

    def _content(self, *, anyones: bool) -> bytes:
        if self._plan is not None:
            return json.dumps(self._plan).encode("ascii")
        # The job that has written it may have been another user's; its SHA-256 is known.
        return super()._content(anyones=anyones or self._sha256 is not None)

    def _checked(self, described: t.Any) -> document.ReadPlan:
        plan = super()._checked(described)
        if self._sha256 not in (None, plan.sha256):
            raise self.error("is another plan than the one that was published. Make a new plan.")
        return plan

    def _decoded(self) -> dict[str, t.Any]:
        unpack = zlib.decompressobj()
        try:
            packed = base64.urlsafe_b64decode(self._text[len(PREFIX) :].encode("ascii"))
            content = unpack.decompress(packed, document.MAX_BYTES)
            value = json.loads(content) if unpack.eof else None
        except (binascii.Error, zlib.error, ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise RdsMysqlError(f"{VARIABLE}: it is not the text that the playbook plan has published.")
        return value


def _encoded(value: t.Mapping[str, t.Any]) -> str:
    return PREFIX + base64.urlsafe_b64encode(zlib.compress(json.dumps(value).encode("ascii"), 9)).decode("ascii")
