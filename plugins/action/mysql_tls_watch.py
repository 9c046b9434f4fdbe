# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks who is connected to the servers of all hosts, in one task, and keeps what it saw."""

from __future__ import annotations

import time
import typing as t
from contextlib import closing

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import fleet_check
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.ca_certs import ca_cert
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.fleet_report import STATE_OPTIONS, history_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import History
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import Fleet, HostVariables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import (
    ControllerAction,
    hosts_of,
    show_progress,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.watching import (
    Watched,
    changed_accounts,
    refused_lately,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.model import Endpoint
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import all_visible, visible

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    **STATE_OPTIONS,
    "hosts": {"type": "list", "elements": "str"},
    "bundles": {"type": "dict", "required": True},
    "watch_for": {"type": "int", "default": 0},
    "interval": {"type": "int", "default": 60},
    "changes": {"type": "str"},
    "stop_on_refusals": {"type": "bool", "default": False},
}

_MOST_NAMED = 5


class ActionModule(ControllerAction):
    """``mysql_tls_watch``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """One pass, or passes for some time."""
        hosts = hosts_of(options, variables, "ansible_play_hosts_all")
        history = history_of(options)
        run = Watched()
        if options["changes"]:
            run = Watched(_changed_accounts(variables, hosts, options["changes"]))
            hosts = [host for host in hosts if run.changed.get(host)]
            watches = (history.directory.parent / store.DIRECTORY).is_dir()
            if not hosts or not (watches or options["watch_for"]):
                return {"changed": False, "msg": "Nothing was changed that is watched.", **_described(run)}
        next_at = time.monotonic()
        end = next_at + options["watch_for"]
        try:
            while True:
                # Each time anew: a password may be a token that lasts for minutes.
                self._pass(Fleet(self._task, variables, self._loader), hosts, options, history, run)
                # A pass that takes longer is followed by the next one at once.
                next_at = max(next_at + max(1, options["interval"]), time.monotonic())
                if next_at > end:
                    break
                time.sleep(max(0.0, next_at - time.monotonic()))
        except RdsMysqlError as e:
            return {"changed": False, "failed": True, "msg": visible(e.message), **_described(run)}
        failed = bool(run.failed) or not run.servers or (options["stop_on_refusals"] and bool(run.refused))
        told = run.sentence() if run.servers or run.failed else "No server was checked: the play has no hosts."
        told = " ".join([told, *(f"{each.server}: {each}." for each in run.refused[:_MOST_NAMED])])
        result = {"changed": False, "failed": failed, "msg": visible(told), **_described(run)}
        if failed:
            result["failure"] = result["msg"]
        return result

    def _pass(self, fleet: Fleet, hosts: list[str], options: dict[str, t.Any], history: History, run: Watched) -> None:
        """Look at every server once, and keep what was seen.

        :raises RdsMysqlError: when that cannot be written.
        """
        at, began = utc_now(), time.monotonic()

        def bundle(variables: HostVariables) -> str:
            return ca_cert(options["bundles"], str(variables.value("inventory_hostname")))

        prepared = fleet_check.prepare(fleet, hosts, fleet_check.SESSIONS_JOB, bundle)
        found: list[store.Pass] = []
        failed: dict[str, str] = {}
        with closing(fleet_check.run(prepared, fleet_check.SESSIONS_JOB, show_progress)) as results:
            for host, result in results:
                if result.get("failed"):
                    failed[host] = str(result.get("msg", ""))
                else:
                    seen = result["mysql_ssl_sessions"]
                    # Once: the time of a change is that of the first pass after it.
                    changed = run.changed.get(host, ()) if not run.passes else ()
                    found.append(store.Pass(host, str(Endpoint(**seen["endpoint"])), seen, changed))
        if found:
            directory = history.directory.parent / store.DIRECTORY
            store.record(directory, found, at, history.days, history.access)
            endpoints = {one.server: one.endpoint for one in found}
            run.refused = refused_lately(directory, endpoints, at, history.access)
        run.add(found, failed, time.monotonic() - began)


def _changed_accounts(variables: dict[str, t.Any], hosts: list[str], name: str) -> dict[str, list[str]]:
    """Of each host the accounts that mysql_require_ssl, registered by this name, has made use TLS."""
    hostvars = variables["hostvars"]
    found = {host: plain(hostvars.raw_get(host).get(name)) for host in hosts if host in hostvars}
    return {host: changed_accounts(change) for host, change in found.items() if isinstance(change, dict)}


def _described(run: Watched) -> dict[str, t.Any]:
    return {name: all_visible(value) for name, value in {**run.describe(), "lines": run.lines()}.items()}
