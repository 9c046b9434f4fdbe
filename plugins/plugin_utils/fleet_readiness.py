# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was observed of the accounts of every host's server, as the option readiness of mysql_require_ssl takes it."""

from __future__ import annotations

import datetime as dt
import typing as t
from contextlib import suppress

from ansible.errors import AnsibleError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import encode
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.printable import printable
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.members import parse_member
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan import clusters
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.fleet_report import (
    READINESS_OPTIONS,
    STATE_OPTIONS,
    history_of,
    rules_of,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import Fleet
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.judge import READY
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.assess import assess
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Endpoint
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import visible

OPTIONS: dict[str, dict[str, t.Any]] = {
    **STATE_OPTIONS,
    **READINESS_OPTIONS,
    "only_ready": {"type": "bool", "default": False},
}

_MOST_PASSES_MISSED = 2

Judged = dict[str, list[dict[str, t.Any]]]
"""By host: ``account``, ``state``, ``reason`` and ``counted`` of each account."""


def readiness_of_hosts(
    options: t.Mapping[str, t.Any],
    hosts: t.Iterable[str],
    fleet: Fleet,
    members: t.Mapping[str, t.Sequence[str]] | None = None,
) -> tuple[Judged, list[str]]:
    """Judge the accounts that the last check of each server has seen; and warnings.

    A host has no entry where nobody has watched or checked its server, or its variables name another one by now. What
    the members of its cluster have counted is with its own accounts.

    :arg options: ``OPTIONS``. With ``only_ready`` there has to be something for one of the hosts at least.
    :arg members: The option ``members`` of hosts for which it is not ``mysql_tls_members`` alone.
    :raises RdsMysqlError: where there is not, or the state directory cannot be read.
    """
    hosts = list(hosts)
    history = history_of(options)
    directory = history.directory.parent / store.DIRECTORY
    judged: Judged = {}
    if directory.is_dir():
        places_of = {host: _members(fleet, host, (members or {}).get(host)) for host in hosts}
        named = frozenset().union(*places_of.values())
        wanted = history.hosts() if named else frozenset(hosts)
        last = [
            server
            for server in history.of_hosts(wanted).values()
            if server.inventory_hostname in places_of or str(server.endpoint).lower() in named
        ]
        # Also where the last check could not be made: what was known before.
        known = {
            name: server
            for name, server in history.last_good(last, "", "", same_time=True).items()
            if server.accounts is not None
            and _endpoint(fleet, server.inventory_hostname) in (None, str(server.endpoint))
        }
        rules, access = rules_of(options), history.access
        found = assess(known.values(), directory, rules, utc_now(), history.warn, access=access).readiness
        if found is not None:
            # The count says nothing of somebody who has stopped it since.
            recent = iso8601(utc_now() - dt.timedelta(minutes=_MOST_PASSES_MISSED * options["watch_every"]))
            counted = {
                (str(known[each.server].endpoint).lower(), each.account): encode(each.counted)
                for each in found
                if each.counted and each.counted.at >= recent
            }
            judged = {
                host: [] for host in (server.inventory_hostname for server in known.values()) if host in places_of
            }
            for each in found:
                host, endpoint = known[each.server].inventory_hostname, str(known[each.server].endpoint).lower()
                # A name that is shown in another way than it is could be taken for another account.
                if host in judged and visible(printable(each.account)) == each.account:
                    one = {"account": each.account, "state": each.state, "reason": visible(each.reason)}
                    places = [(where, each.account) for where in (endpoint, *sorted(places_of[host] - {endpoint}))]
                    judged[host].append({**one, "counted": [counted[place] for place in places if place in counted]})
    if options["only_ready"] and hosts and not judged:
        raise RdsMysqlError(
            f"mysql_tls_only_ready: {history.directory.parent} has no observations and no audit of these servers to "
            "judge their accounts by. Run the playbook watch every few minutes, and the playbook audit."
        )
    return judged, history.warnings


def ready(judged: Judged) -> dict[str, list[str]]:
    """By host the accounts that are ready."""
    return {host: [one["account"] for one in accounts if one["state"] == READY] for host, accounts in judged.items()}


def _members(fleet: Fleet, host: str, given: t.Sequence[str] | None) -> frozenset[str]:
    """The endpoints of the members that are given or that ``mysql_tls_members`` names, as the history has them."""
    with suppress(AnsibleError, ValueError, RdsMysqlError):
        variables = fleet.of(host)
        port = variables.value("mysql_tls_login_port")
        parsed = map(parse_member, given or clusters.option(variables.value("mysql_tls_members"), ()))
        return frozenset(str(Endpoint(host=name, port=its or int(port or 0))).lower() for name, its in parsed)
    return frozenset()


def _endpoint(fleet: Fleet, host: str) -> str | None:
    """Where the role's variables lead to now; None outside of the role.

    Empty where they cannot be evaluated, which fails the host itself.
    """
    with suppress(AnsibleError, ValueError):
        variables = fleet.of(host)
        name, port = (variables.value(f"mysql_tls_login_{what}") for what in ("host", "port"))
        return None if name is None or port is None else str(Endpoint(host=str(name), port=int(port)))
    return ""
