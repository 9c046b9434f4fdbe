# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a roll-out or a rollback has done, as entries of the history."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import clean
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import CHANGE, History, entry
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import from_results, model
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.rollout_summary import NO_RECORD, UNREACHED, outcome

Results = t.Mapping[str, t.Mapping[str, t.Any]]


def record_changes(
    history: History, run: model.Run, kind: str, changes: Results, checks: Results, plan: str | None
) -> None:
    """Record every change, and every check after it, so that regressions from now on are noticed.

    :arg kind: ``enforce`` or ``rollback``.
    :arg changes: Registered results of mysql_require_ssl by host, empty where there is none.
    :arg checks: Those of mysql_ssl_status.
    :arg plan: The hash of the plan that was carried out, if any.
    :raises HistoryError: when that fails.
    """
    entries = [
        entry(CHANGE, host, host, run.made_at, {**_change(change, checks.get(host, {})), "kind": kind, "plan": plan})
        for host, change in changes.items()
        if change and outcome(change, checks.get(host, {})) not in (NO_RECORD, UNREACHED)
    ]
    servers = [
        server for host, check in checks.items() for server in from_results.servers_of(host, check or None, run.made_at)
    ]
    history.record(run, kind, servers, entries)


def _change(change: t.Mapping[str, t.Any], check: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    record = change.get("rollback_record") or {}
    switch = change.get("require_secure_transport") or {}
    return {
        "outcome": outcome(change, check),
        "message": clean(str(change.get("msg") or "")) if change.get("failed") else None,
        "accounts": [
            {name: clean(str(account.get(name))) for name in ("user", "host", "before", "after")}
            for account in change.get("accounts") or ()
            if account.get("before") != account.get("after")
        ],
        "require_secure_transport": (
            {name: switch.get(name) for name in ("before", "after")}
            if switch.get("before") != switch.get("after")
            else None
        ),
        "record": record.get("id"),
        "restored": [each.get("id") for each in change.get("restored") or ()],
        "rollback_file": change.get("rollback_file"),
    }
