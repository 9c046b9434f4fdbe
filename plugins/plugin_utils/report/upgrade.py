# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports that older versions of the collection have written, as this one would have written them."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import FORMAT_VERSION

_RENAMED_VALUES = {"looked_at": "checked", "not_looked_at": "not_checked", "not_compliant": "non_compliant"}


def upgrade(data: dict[str, t.Any]) -> dict[str, t.Any]:
    """The report in today's format. Anything but a report of an older version is returned as it is.

    Its summary and changes are left out: the first follows from its servers, and nobody asks what an earlier report was
    compared with.
    """
    version = data.get("format_version")
    if version is True or version != 1 or not isinstance(data.get("servers"), list):
        return data
    return {
        **{name: data[name] for name in data if name not in ("summary", "changes")},
        "servers": [_server(server) for server in data["servers"]],
        "format_version": FORMAT_VERSION,
    }


def _server(old: t.Any) -> t.Any:
    """From version 1: ``seen_at``, three values by other names, findings without the time of their first report."""
    if not isinstance(old, dict):
        return old
    new = {name: old[name] for name in old if name != "seen_at"}
    new["checked_at"] = old.get("seen_at")
    for name in ("state", "verdict"):
        if isinstance(old.get(name), str):
            new[name] = _RENAMED_VALUES.get(old[name], old[name])
    if isinstance(old.get("findings"), list):
        new["findings"] = [
            {**finding, "first_seen": old.get("seen_at")} if isinstance(finding, dict) else finding
            for finding in old["findings"]
        ]
    return new
