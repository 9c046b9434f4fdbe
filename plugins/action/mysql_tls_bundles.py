# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which CA bundles the hosts of a play need, in one task for all of them."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.template import Templar
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import ControllerAction, hosts_of

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "variable": {"type": "str", "required": True},
    "unless": {"type": "str"},
    "hosts": {"type": "list", "elements": "str"},
}


class ActionModule(ControllerAction):
    """``mysql_tls_bundles``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Ask each host's variables."""
        bundles: list[t.Any] = []
        for host in hosts_of(options, variables, "ansible_play_batch"):
            bundle = self._bundle(variables["hostvars"], host, options["variable"], options["unless"])
            if bundle and bundle not in bundles:
                bundles.append(bundle)
        return {"changed": False, "bundles": bundles}

    def _bundle(self, hostvars: t.Any, name: str, variable: str, unless: str | None) -> t.Any:
        """The host's value of the variable; None where there is none.

        hostvars itself knows neither a play's variables nor a role's. Who gives them to Ansible's own tasks does.
        """
        host = hostvars._inventory.get_host(name)
        if host is None:
            raise AnsibleActionFail(f"hosts: {name} is not in the inventory.")
        seen = hostvars._variable_manager.get_vars(play=self._task.get_play(), host=host, task=self._task)
        if (unless is not None and unless in seen) or variable not in seen:
            return None
        try:
            return plain(Templar(loader=self._loader, variables=seen).template(seen[variable]))
        except AnsibleError:
            # Of this host alone, and said by its own task, which needs the same variables.
            return None
