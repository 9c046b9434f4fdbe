# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one or more passes over a fleet saw, in numbers and in lines for a console."""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.storage import Access
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.refused import (
    RefusedLogins,
    refused_since_changes,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.store import Pass
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import counted

_MOST_LINES = 20
_REFUSED_DAYS = 7


@dataclass
class Watched:
    """All passes of a run: servers that were checked, clients without TLS, and why others could not be checked.

    ``changed`` are accounts for which TLS was required just before, by server; ``refused`` those that knock in vain.
    """

    changed: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    refused: list[RefusedLogins] = field(default_factory=list)
    passes: int = 0
    seconds: float = 0.0
    servers: set[str] = field(default_factory=set)
    blind: set[str] = field(default_factory=set)
    plaintext: dict[tuple[str, str, str, str, str], int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, found: t.Sequence[Pass], failed: t.Mapping[str, str], seconds: float) -> None:
        """One pass, which took so many seconds."""
        self.passes += 1
        self.seconds = max(self.seconds, seconds)
        for one in found:
            self.servers.add(one.server)
            if one.seen["source"] != "performance_schema.threads" and one.seen["counters"]["users"] is None:
                self.blind.add(one.server)
            for client in one.seen["clients"]:
                if client["transport"] == "TCP/IP":
                    key = (one.server, client["user"], client["host"], client["program"], client["driver"])
                    self.plaintext[key] = max(self.plaintext.get(key, 0), len(client["connection_ids"]))
        self.failed.update(failed)

    def describe(self) -> dict[str, t.Any]:
        """Return values."""
        names = ("server", "user", "host", "program", "driver")
        return {
            "passes": self.passes,
            "checked": len(self.servers),
            "plaintext": [
                {**dict(zip(names, key, strict=True)), "sessions": n} for key, n in sorted(self.plaintext.items())
            ],
            "blind": sorted(self.blind),
            "refused": [dataclasses.asdict(each) for each in self.refused],
            "unchecked": dict(sorted(self.failed.items())),
        }

    def sentence(self) -> str:
        """The run in a sentence."""
        total = len(self.servers | set(self.failed))
        passes = "" if self.passes == 1 else f" in {self.passes} passes"
        share = f"{len(self.servers):,} of " if self.failed else ""
        said = f"{share}{counted(total, 'server')} checked{passes}, {self.seconds:.1f} s a pass"
        if self.failed:
            said += f", {len(self.failed):,} could not be checked{' each time' if passes else ''}"
        said += f": {counted(len(self.plaintext), 'client')} without TLS"
        if self.blind:
            said += f", {counted(len(self.blind), 'server')} without session TLS status"
        said += "."
        if self.refused:
            count = len(self.refused)
            said += f" Logins of {count:,} changed {'account' if count == 1 else 'accounts'} are being refused."
        return said

    def lines(self) -> list[str]:
        """The sentence, then those that a person needs, bounded."""
        found = [
            f"{server}: {user} from {host} without TLS, {sessions} {'session' if sessions == 1 else 'sessions'}"
            + (f" ({', '.join(part for part in (program, driver) if part)})" if program or driver else "")
            for (server, user, host, program, driver), sessions in sorted(self.plaintext.items())
        ]
        return [
            self.sentence(),
            *_some([f"{each.server}: {each}" for each in self.refused], "more changed accounts"),
            *_some(found, "more clients without TLS"),
            *_some(
                [f"{server}: {why}" for server, why in sorted(self.failed.items())], "more that could not be checked"
            ),
            *_some(
                [f"{server}: does not expose session TLS status, nor count logins" for server in sorted(self.blind)],
                "more that do not expose it",
            ),
        ]


def changed_accounts(change: t.Mapping[str, t.Any]) -> list[str]:
    """The accounts that a change has made use TLS, from what mysql_require_ssl has returned."""
    if not change.get("changed"):
        return []
    return [
        f"{each['user']}@{each['host']}"
        for each in change.get("accounts") or ()
        if each["before"] != each["after"] and each["after"] != "NONE"
    ]


def refused_lately(
    directory: Path, endpoints: t.Mapping[str, str], now: dt.datetime, access: Access = store.PRIVATE
) -> list[RefusedLogins]:
    """Of these servers (names and endpoints) changed accounts whose logins were refused, for a week."""
    since = (now - dt.timedelta(days=_REFUSED_DAYS)).strftime("%Y-%m-%d")
    days = store.read(directory, since, lambda _sentence: None, access=access)
    found: list[RefusedLogins] = []
    for name, endpoint in sorted(endpoints.items()):
        of_server = [item for item in days.get(name, ()) if item[1].endpoint == endpoint]
        found += refused_since_changes(name, of_server)
    return found


def _some(lines: list[str], what: str) -> list[str]:
    rest = len(lines) - _MOST_LINES
    return lines[:_MOST_LINES] + ([f"and {rest:,} {what}"] if rest > 0 else [])
