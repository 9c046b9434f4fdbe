# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records a roll-out, a rollback or an installed CA bundle in the history, once for all hosts."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import clean
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.fleet_report import STATE_OPTIONS, history_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.bundles import bundle_of, record_bundles
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.recorded import record_changes
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import Fleet
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import ControllerAction, hosts_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.rollout_summary import registered, with_unchanged
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.run_identity import run_of

_BUNDLE = "bundle"

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    **STATE_OPTIONS,
    "kind": {"type": "str", "required": True, "choices": ["enforce", "rollback", _BUNDLE]},
    "hosts": {"type": "list", "elements": "str"},
    "plan": {"type": "str"},
    "unchanged": {"type": "list", "elements": "str", "default": []},
}


class ActionModule(ControllerAction):
    """``mysql_tls_history``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Read what the hosts have registered. A rehearsal leaves nothing that lasts."""
        if self._task.check_mode:
            return {"changed": False}
        hosts = [str(host) for host in hosts_of(options, variables, "ansible_play_hosts_all")]
        now = iso8601(utc_now())
        run, hostvars, warnings = run_of(variables, now), variables["hostvars"], []
        try:
            history = history_of(options)
            warnings = history.warnings
            if options["kind"] == _BUNDLE:
                record_bundles(history, run, self._bundles(hosts, variables))
            else:
                changes, checks = (registered(hosts, hostvars, name) for name in ("mysql_tls_change", "mysql_tls_look"))
                whole = with_unchanged(changes, options["unchanged"])
                record_changes(history, run, options["kind"], whole, checks, options["plan"])
        except RdsMysqlError as e:
            # What was done stays done, and is in the rollback records.
            warnings.append(e.message)
        return {"changed": False, "warnings": warnings}

    def _bundles(self, hosts: list[str], variables: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
        """The CA bundle of each host on which the play has installed one."""
        fleet = Fleet(self._task, variables, self._loader)
        read: dict[str, dict[str, t.Any]] = {}
        bundles = {}
        for host, result in registered(hosts, variables["hostvars"], "__mysql_tls_installed").items():
            path = result.get("dest") or result.get("path")
            if result.get("failed") or result.get("skipped") or not path:
                continue
            source = str(fleet.of(host).value("__mysql_tls_ca_cert"))
            if source not in read:
                read[source] = bundle_of("", Path(source).expanduser())
            bundles[host] = {**read[source], "path": clean(str(path))}
        return bundles
