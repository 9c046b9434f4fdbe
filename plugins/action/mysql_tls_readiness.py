# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which accounts of each host's server TLS can be required for, from what was watched."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.fleet_report import (
    READINESS_OPTIONS,
    STATE_OPTIONS,
    history_of,
    rules_of,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import ControllerAction, hosts_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness.judge import READY
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.assess import assess
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import visible

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    **STATE_OPTIONS,
    **READINESS_OPTIONS,
    "hosts": {"type": "list", "elements": "str"},
}


class ActionModule(ControllerAction):
    """``mysql_tls_readiness``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Judge the accounts that the last check of each server has seen."""
        hosts = [str(host) for host in hosts_of(options, variables, "ansible_play_hosts_all")]
        try:
            history = history_of(options)
            known = {server.name: server for server in history.of_hosts(frozenset(hosts)).values()}
            directory = history.directory.parent / store.DIRECTORY
            rules = rules_of(options)
            found = assess(known.values(), directory, rules, utc_now(), history.warn, access=history.access)
        except RdsMysqlError as e:
            return {"failed": True, "msg": visible(e.message)}
        ready: dict[str, list[str]] = {host: [] for host in hosts}
        others: dict[str, dict[str, str]] = {host: {} for host in hosts}
        for each in found.readiness or ():
            host = known[each.server].inventory_hostname
            if each.state == READY:
                ready[host].append(each.account)
            else:
                others[host][each.account] = f"{each.state}: {each.reason}"
        return {"changed": False, "ready": ready, "others": others, "warnings": list(map(visible, history.warnings))}
