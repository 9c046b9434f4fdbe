# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a roll-out has come to: a sentence for each host, and data for the job that follows."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.printable import printable
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan.batches import batches
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan.servers import servers_of, was_read
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan.servers import totals as plan_totals
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.from_results import has_failed
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.rollback_records import VARIABLE, encode

# Outcomes, in the words that people and set_stats get.
CHANGED, WOULD_CHANGE, UNCHANGED = "changed", "would change", "nothing to change"
ROLLED_BACK, REFUSED, UNKNOWN = "rolled back", "nothing changed", "state unknown"
LEFT_CHANGED, FAILED, UNREACHED = "left changed", "not checked", "not started"
STOPPED, NO_RECORD = "checked only", "no rollback record"
READ_ONLY, CHANGED_SINCE_PLAN, NOT_PLANNED = "skipped: read-only", "changed since the plan", "not in the plan"
_ORDER = (
    *(CHANGED, WOULD_CHANGE, UNCHANGED, REFUSED, ROLLED_BACK, LEFT_CHANGED, UNKNOWN),
    *(CHANGED_SINCE_PLAN, READ_ONLY, NOT_PLANNED, FAILED, NO_RECORD, STOPPED, UNREACHED),
)

_MOST_ACCOUNTS = 10
# The reason that mysql_require_ssl returns.
_REFUSED = "refused"

Results = t.Mapping[str, t.Mapping[str, t.Any]]


def registered(hosts: t.Iterable[str], hostvars: t.Any, variable: str) -> dict[str, t.Any]:
    """What each host has registered, in plain types; empty where there is nothing.

    Registered results are data and no templates, so that the templating engine has nothing to do with them.
    """
    read = getattr(hostvars, "raw_get", hostvars.get)
    found = {str(host): plain(read(host).get(variable) or {}) for host in hosts}
    # What was refused fails in a task of its own, which prints the reason alone.
    return {host: {**one, "failed": True} if one.get("reason") == _REFUSED else one for host, one in found.items()}


def checked(hosts: t.Iterable[str], hostvars: t.Any) -> dict[str, t.Any]:
    """The last check of each host, failed too where it has ``findings`` that the role fails for."""
    hosts = list(hosts)
    checks, found = (registered(hosts, hostvars, name) for name in ("mysql_tls_look", "__mysql_tls_found"))
    for host, check in checks.items():
        if has_failed(check):
            checks[host] = {**check, "failed": True}
        elif check and found[host].get("failed"):
            checks[host] = {**check, "failed": True, "findings": True, "msg": found[host].get("msg")}
    return checks


def outcome(change: t.Mapping[str, t.Any], check: t.Mapping[str, t.Any]) -> str:
    """What became of one host."""
    if not change:
        if check.get("failed") and not check.get("findings"):
            return FAILED
        # Without a result the play, or the run of its tags, ended before.
        return STOPPED if check else UNREACHED
    if change.get("skipped"):
        condition = str(change.get("false_condition"))
        if "mysql_tls_role" in condition:
            return STOPPED
        return NOT_PLANNED if "mysql_tls_plan" in condition else NO_RECORD
    if change.get("reason") == "changed_since_plan":
        return CHANGED_SINCE_PLAN
    if change.get("skipped_reason"):
        return READ_ONLY
    if change.get("failed"):
        if change.get("state_unknown"):
            return UNKNOWN
        if change.get("changed"):
            return LEFT_CHANGED
        if change.get("rolled_back"):
            return ROLLED_BACK
        return REFUSED if was_read(change) else FAILED
    if not change.get("changed"):
        return UNCHANGED
    # Only a change that was made is proven; in check mode nothing is.
    return CHANGED if change.get("verification") else WOULD_CHANGE


def _line(change: t.Mapping[str, t.Any], check: t.Mapping[str, t.Any]) -> str:
    result = outcome(change, check)
    told = result
    if result in (CHANGED, WOULD_CHANGE):
        told += f": {_accounts(change)}"
    elif change.get("failed") or result in (READ_ONLY, CHANGED_SINCE_PLAN):
        told += f": {change.get('msg', '')}"
    elif result == FAILED:
        told += f": {check.get('msg', '')}"
    if result in (CHANGED, WOULD_CHANGE) and change.get("restored"):
        told += f"; restores {', '.join(map(_restored, change['restored'][:_MOST_ACCOUNTS]))}"
    if change.get("rollback_file"):
        told += f"; rollback record: {change['rollback_file']}"
    if result != FAILED and check.get("failed"):
        told += f"; {check.get('msg', '')}"
    return printable(told)


def _restored(record: t.Mapping[str, t.Any]) -> str:
    """Which change is undone: ``1c0c... of 2026-11-24T21:03:17Z by deploy on ansible-1 (AWX job 7)``."""
    who = f" by {record['made_by']}" if record.get("made_by") else ""
    note = f" ({record['note']})" if record.get("note") else ""
    return f"{record.get('id')} of {record.get('begun_at')}{who}{note}"


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


def lines(changes: Results, checks: Results) -> dict[str, str]:
    """A sentence for each host, safe to print.

    :arg changes: Registered results of mysql_require_ssl by host, empty where there is none.
    :arg checks: Those of mysql_ssl_status.
    """
    return {host: _line(change, checks.get(host, {})) for host, change in changes.items()}


def totals(changes: Results, checks: Results) -> str:
    """How many servers there are of each outcome."""
    found = [outcome(change, checks.get(host, {})) for host, change in changes.items()]
    counted = [f"{found.count(word)} {word}" for word in _ORDER if word in found]
    return f"{_servers(len(found))}: {', '.join(counted)}"


def planned(changes: Results, checks: Results) -> str:
    """The totals of a plan, of what check mode has found."""
    found = {host: changes[host] or checks.get(host, {}) for host in changes}
    return plan_totals(servers_of(found, in_document=False)).sentence()


def _servers(count: int) -> str:
    return f"{count} {'server' if count == 1 else 'servers'}"


def stats(changes: Results, checks: Results, limit: int) -> dict[str, t.Any]:
    """What set_stats publishes. The records are one opaque text, left out where it is longer than ``limit``."""
    records = {
        host: [change["rollback_record"]]
        for host, change in changes.items()
        # What a run has rolled back itself is in the file, and is nothing to restore later.
        if change.get("rollback_record") and change["rollback_record"].get("state") != "undone"
    }
    words = {host: outcome(change, checks.get(host, {})) for host, change in changes.items()}
    published: dict[str, t.Any] = {"mysql_tls_roll_out": words}
    text = encode(records)
    if records and len(text) <= limit:
        published[VARIABLE] = text
    return published


def stop(changes: Results, checks: Results, most_failures: float) -> str | None:
    """Why the roll-out stops here: more percent of the servers reached so far have failed than may."""
    if changes and all(outcome(change, checks.get(host, {})) == READ_ONLY for host, change in changes.items()):
        return f"Nothing can be changed: every server is read-only ({_some(list(changes))}). Name the source."
    reached = [host for host in changes if changes[host] or checks.get(host)]
    failed = [host for host in reached if changes[host].get("failed") or checks.get(host, {}).get("failed")]
    if 100.0 * len(failed) <= most_failures * len(reached):
        return None
    servers = _servers(len(reached))
    return f"Roll-out stopped: {len(failed)} of {servers} failed (limit {most_failures:g} %): {_some(failed)}"


def message(
    changes: Results,
    checks: Results,
    first: t.Sequence[str],
    batch: t.Sequence[str],
    serial: t.Sequence[str],
    *,
    stops: bool,
    planned: bool = False,
    unchanged: t.Iterable[str] = (),
) -> list[t.Any]:
    """What is shown after a batch: its totals, and after the last one what became of every host, totals first.

    :arg first: Sentences that come before that.
    :arg batch: Those of the batch that have not failed.
    :arg stops: Whether this batch is the last one whatever comes after it.
    :arg planned: Whether the totals of a plan are among the first sentences.
    :arg unchanged: Hosts that the roll-out leaves out, which count in the totals.
    """
    whole = with_unchanged(changes, unchanged)
    hosts = list(changes)
    made = batches(hosts, serial)
    # Hosts that have failed are not in Ansible's batch any more.
    reached = [host for host in hosts if changes[host] or checks.get(host)]
    here, told = list(batch or reached[-1:]), list[t.Any]()
    for number, one in enumerate(made, start=1):
        if len(made) > 1 and here and set(here) <= set(one):
            here = one
            told.append(f"Batch {number} of {len(made)}: {totals({host: changes[host] for host in here}, checks)}")
            break
    # Ansible goes no further where every host of a batch has failed.
    failed = all(changes[host].get("failed") or checks.get(host, {}).get("failed") for host in here)
    left = set(hosts).difference(here, reached)
    # What a plan has counted is not counted once more in other words.
    every = [] if planned else [totals(whole, checks)]
    if not stops and not failed and left:
        return [*first, *(told or every)]
    if failed and left and not stops:
        told.append("Ansible ends the roll-out here, as every server of this batch has failed.")
    return [*first, *every, *told, lines(changes, checks)]


def with_unchanged(changes: Results, unchanged: t.Iterable[str]) -> Results:
    """The results, with those of hosts that were not visited as nothing changes on them."""
    return {**changes, **{str(host): {"changed": False} for host in unchanged if host not in changes}}


def _some(hosts: t.Sequence[str]) -> str:
    rest = len(hosts) - _MOST_ACCOUNTS
    return ", ".join(hosts[:_MOST_ACCOUNTS]) + (f" and {rest} more" if rest > 0 else "")


def no_records(changes: Results) -> bool:
    """Whether every host was reached, and there was nothing recorded of any."""
    return bool(changes) and all(change.get("skipped") for change in changes.values())
