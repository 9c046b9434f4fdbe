# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a roll-out has come to: a sentence for each host, and data for the job that follows."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.rollback_records import VARIABLE, encode

# Outcomes, in the words that people and set_stats get.
CHANGED, WOULD_CHANGE, UNCHANGED = "changed", "would change", "nothing to change"
PUT_BACK, REFUSED, UNKNOWN = "put back", "nothing changed", "state unknown"
LEFT_CHANGED, FAILED, UNREACHED = "left changed", "not looked at", "not reached"
STOPPED = "looked at only"

_MOST_ACCOUNTS = 10

Results = t.Mapping[str, t.Mapping[str, t.Any]]


def outcome(change: t.Mapping[str, t.Any], look: t.Mapping[str, t.Any]) -> str:
    """What became of one host."""
    if not change or change.get("skipped"):
        if look.get("failed") and "mysql_ssl" not in look:
            return FAILED
        # What is skipped has nothing to put back. Without a result the play, or the run of its tags, ended before.
        return UNCHANGED if change else STOPPED if look else UNREACHED
    if change.get("failed"):
        if change.get("state_unknown"):
            return UNKNOWN
        if change.get("changed"):
            return LEFT_CHANGED
        return PUT_BACK if change.get("rolled_back") else REFUSED
    if not change.get("changed"):
        return UNCHANGED
    # Only a change that was made is proven; in check mode nothing is.
    return CHANGED if change.get("verification") else WOULD_CHANGE


def _line(change: t.Mapping[str, t.Any], look: t.Mapping[str, t.Any]) -> str:
    result = outcome(change, look)
    told = result
    if result in (CHANGED, WOULD_CHANGE):
        told += f": {_accounts(change)}"
    elif change.get("failed"):
        told += f": {change.get('msg', '')}"
    elif result == FAILED:
        told += f": {look.get('msg', '')}"
    if change.get("rollback_file"):
        told += f"; what was there is in {change['rollback_file']}"
    if result not in (FAILED, UNREACHED) and look.get("failed") and "mysql_ssl" in look:
        told += f"; {look.get('msg', '')}"
    return told


def _accounts(change: t.Mapping[str, t.Any]) -> str:
    changed = [
        f"{account['user']}@{account['host']} {account['before']} -> {account['after']}"
        for account in change.get("accounts", ())
        if account["before"] != account["after"]
    ]
    switch = change.get("require_secure_transport") or {}
    if switch.get("before") != switch.get("after"):
        changed.insert(0, "require_secure_transport {} -> {}".format(*("ON" if v else "OFF" for v in _ends(switch))))
    rest = len(changed) - _MOST_ACCOUNTS
    return ", ".join(changed[:_MOST_ACCOUNTS]) + (f" and {rest} more" if rest > 0 else "")


def _ends(switch: t.Mapping[str, t.Any]) -> tuple[t.Any, t.Any]:
    return switch["before"], switch["after"]


def lines(changes: Results, looks: Results) -> dict[str, str]:
    """A sentence for each host.

    :arg changes: Registered results of mysql_require_ssl by host, empty where there is none.
    :arg looks: Those of mysql_ssl_status.
    """
    return {str(host): _line(change, looks.get(host, {})) for host, change in changes.items()}


def stats(changes: Results, looks: Results, limit: int) -> dict[str, t.Any]:
    """What set_stats publishes. The records are one opaque text, left out where it is longer than ``limit``."""
    records = {
        str(host): [plain(change["rollback_record"])]
        for host, change in changes.items()
        # What a run has put back itself is in the file, and is nothing to put back later.
        if change.get("rollback_record") and change["rollback_record"].get("state") != "undone"
    }
    words = {str(host): outcome(change, looks.get(host, {})) for host, change in changes.items()}
    published: dict[str, t.Any] = {"mysql_tls_roll_out": words}
    text = encode(records)
    if records and len(text) <= limit:
        published[VARIABLE] = text
    return published


def failed_share(changes: Results, looks: Results) -> float:
    """How many of the hosts that were reached so far have failed, in percent."""
    reached = [(changes.get(host, {}), looks.get(host, {})) for host in {*changes, *looks}]
    reached = [(change, look) for change, look in reached if change or look]
    failed = [1 for change, look in reached if change.get("failed") or look.get("failed")]
    return 100.0 * len(failed) / max(1, len(reached))
