# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which accounts of each host's server TLS can be required for, from what was watched."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import fleet_readiness
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import Fleet
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import ControllerAction, hosts_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import visible

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    **fleet_readiness.OPTIONS,
    "hosts": {"type": "list", "elements": "str"},
    "members": {"type": "dict"},
}


class ActionModule(ControllerAction):
    """``mysql_tls_readiness``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Judge the accounts that the last check of each server has seen."""
        hosts = [str(host) for host in hosts_of(options, variables, "ansible_play_hosts_all")]
        try:
            fleet = Fleet(self._task, variables, self._loader)
            judged, warnings = fleet_readiness.readiness_of_hosts(options, hosts, fleet, options["members"])
        except RdsMysqlError as e:
            return {"failed": True, "msg": visible(e.message)}
        return {
            "changed": False,
            "ready": fleet_readiness.ready(judged),
            "readiness": judged,
            "warnings": list(map(visible, warnings)),
        }
