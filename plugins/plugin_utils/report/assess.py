# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was observed of the servers of a report: which accounts are ready, and whose logins are refused."""

from __future__ import annotations

import datetime as dt
import typing as t
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.storage import Access
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.judge import (
    STATES,
    Judged,
    Readiness,
    Rules,
    readiness_of,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.refused import (
    RefusedLogins,
    refused_since_changes,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import ReadinessCounts, Server


@dataclass(frozen=True)
class Assessment:
    """``readiness`` is None where nobody has watched."""

    readiness: tuple[Readiness, ...] | None
    refused_logins: tuple[RefusedLogins, ...]

    def counts(self) -> ReadinessCounts | None:
        """In numbers."""
        if self.readiness is None:
            return None
        states = Counter(each.state for each in self.readiness)
        return ReadinessCounts(**{state: states[state] for state in STATES})


def assess(
    servers: t.Iterable[Server],
    directory: Path,
    rules: Rules,
    now: dt.datetime,
    warn: t.Callable[[str], None],
    merged: t.Iterable[Readiness] = (),
    access: Access = store.PRIVATE,
) -> Assessment:
    """Judge every account that may log in without TLS, but those of the server and of AWS.

    :arg directory: Of observations.
    :arg merged: What other reports say, which counts for accounts of servers that were not watched from here.
    :arg access: Whose observations are trusted.
    """
    since = (now - dt.timedelta(days=rules.quiet_days + 1)).strftime("%Y-%m-%d")
    servers = list(servers)
    observed = store.read(directory, since, warn, {server.inventory_hostname for server in servers}, access=access)
    others: dict[str, list[Readiness]] = {}
    for each in merged:
        others.setdefault(each.server, []).append(each)
    if not observed and not others:
        return Assessment(None, ())
    readiness: list[Readiness] = []
    refused: list[RefusedLogins] = []
    for server in servers:
        days = [
            item for item in observed.get(server.inventory_hostname, ()) if item[1].endpoint == str(server.endpoint)
        ]
        if not days and server.name in others:
            readiness += others[server.name]
            continue
        readiness += readiness_of(server.name, _judged(server), days, rules, now)
        refused += refused_since_changes(server.name, days)
    order = {state: number for number, state in enumerate(("not_ready", "unknown", "ready"))}
    return Assessment(tuple(sorted(readiness, key=lambda each: order[each.state])), tuple(refused))


def _judged(server: Server) -> t.Iterator[Judged]:
    """Accounts that clients may use without TLS, and who acts as them."""
    proxied = {one.account: one.by for one in server.proxied or ()}
    # Where that is not known, everybody may.
    anybody = ("@%",) if server.proxied is None else ()
    for account in server.accounts or ():
        by = proxied.get(account.name, ())
        usable = account.admits_plaintext or (account.ssl_type == "NONE" and by)
        if usable and not account.system:
            yield Judged(account.user, account.host, by or anybody)
