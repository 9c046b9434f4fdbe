# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which CA bundles the hosts of a play need, in one task for all of them."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.text.converters import to_text
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
        own = {variables[name] for name in ("ansible_loop_var", "ansible_index_var") if variables.get(name)}
        of_the_loop = {name: variables[name] for name in own if name in variables}
        bundles: list[t.Any] = []
        errors: dict[str, str] = {}
        for host in hosts_of(options, variables, "ansible_play_batch"):
            seen = {**self._seen_by(host, variables["hostvars"]), **of_the_loop}
            try:
                bundle = self._bundle(seen, options["variable"], options["unless"])
            except AnsibleError as e:
                # Of this host alone; the others get what they need.
                errors[host] = to_text(e)
                continue
            if bundle and bundle not in bundles:
                bundles.append(bundle)
        return {"changed": False, "bundles": bundles, "errors": errors}

    def _seen_by(self, name: str, hostvars: t.Any) -> t.Mapping[str, t.Any]:
        """The variables that this task would have on that host.

        hostvars itself knows neither a play's variables nor a role's. Who gives them to Ansible's own tasks does.
        """
        host = hostvars._inventory.get_host(name)
        if host is None:
            raise AnsibleActionFail(f"hosts: {name} is not in the inventory.")
        seen: t.Mapping[str, t.Any] = hostvars._variable_manager.get_vars(
            play=self._task.get_play(), host=host, task=self._task
        )
        return seen

    def _bundle(self, seen: dict[str, t.Any], variable: str, unless: str | None) -> t.Any:
        """The value of the variable; None where there is none, or none is needed.

        :raises AnsibleError: where it cannot be evaluated.
        """
        templar = Templar(loader=self._loader, variables=seen)

        def value(name: str | None) -> t.Any:
            # In a dictionary, what is omitted drops out.
            found = plain(templar.template({name: seen[name]} if name in seen else {}))
            return _without(found, seen.get("omit")).get(name)

        return value(variable) if value(unless) in (None, "") else None


def _without(value: t.Any, omitted: t.Any) -> t.Any:
    """What ansible-core before 2.19 leaves to be done: there, a text of its own stands for what is omitted."""
    if omitted is None:
        return value
    if isinstance(value, dict):
        return {name: _without(item, omitted) for name, item in value.items() if item != omitted}
    if isinstance(value, list):
        return [_without(item, omitted) for item in value if item != omitted]
    return value
