# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the report of many checks, on the controller, from what each host has registered."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.fleet_report import (
    REPORT_OPTIONS,
    history_of,
    report_of,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.slices import Merge
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import Fleet
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import ControllerAction, hosts_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.places import Places
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import from_results
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.text import all_visible, visible

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    **REPORT_OPTIONS,
    "slices": {"type": "path"},
    "hosts": {"type": "list", "elements": "str"},
    "variable": {"type": "str", "default": "mysql_tls_look"},
}


class ActionModule(ControllerAction):
    """``mysql_tls_report``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Read what the hosts have registered, and write the report of it."""
        hostvars = variables["hostvars"]
        hosts = list(dict.fromkeys(hosts_of(options, variables, "ansible_play_hosts_all")))
        found: dict[str, t.Any] = {}

        def results() -> t.Iterator[tuple[str, t.Any]]:
            for host in map(str, hosts):
                registered = _result(hostvars, host, options["variable"])
                words = from_results.summaries_of(host, registered)
                found.update((visible(name), all_visible(lines)) for name, lines in words)
                yield host, registered

        fleet = Fleet(self._task, variables, self._loader)
        places = Places(hostvars)
        # The role's checks do not fail where it makes a report, which alone knows which findings are waived.
        limits: dict[str, str] = {}
        for host, known in fleet.items(map(str, hosts)):
            places.look(host, known)
            limits[host] = str(known.value("mysql_tls_fail_on") or "none")
        try:
            merge = _merge(options)
        except RdsMysqlError as e:
            return {"failed": True, "msg": visible(e.message)}
        whole = options["hosts"] is None
        result = report_of(options, variables, results(), places, whole_fleet=whole, limits=limits, merge=merge)
        result["found"] = found
        lost = _lost(merge, options["slices"]) if merge else None
        if lost:
            # Green means done: what these jobs have checked is in no report.
            result["msg"] = f"{lost} {result['msg']}"
            result["failed"] = True
            if "report" in result:
                result["failure"] = result["msg"]
        if merge and "report" in result and not self._task.check_mode:
            result["warnings"] += [visible(warning) for warning in merge.remove()]
        return result


def _merge(options: t.Mapping[str, t.Any]) -> Merge | None:
    if not options["slices"]:
        return None
    return Merge(Path(options["slices"]).absolute(), history_of(options), Path(options["dest"]))


def _lost(merge: Merge, directory: str) -> str | None:
    """What was not merged, in a sentence."""
    if not merge.slices:
        return f"slices: there is nothing to merge in {directory}."
    lost = merge.not_merged
    if not lost:
        return None
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return visible(f"slices: {lost[0].path}{more} could not be merged, see the warnings.")


def _result(hostvars: t.Any, host: str, variable: str) -> t.Any:
    """What is registered for the host in plain types; None where nothing is.

    What a task has registered is data, and is not run through the templating engine, which would take its time for
    thousands of hosts. Only a text is a template that stands for something else.
    """
    value = hostvars.raw_get(host).get(variable)
    return plain(hostvars[host][variable] if isinstance(value, str) else value)
