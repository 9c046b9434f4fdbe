# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Actions that have no module, because all that they do is done on the controller."""

from __future__ import annotations

import abc
import os
import re
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.printable import printable, printable_values
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_words import (
    is_in_role,
    reworded,
    with_variables,
)


def show_progress(message: str) -> None:
    """Show a line at once. Ansible does not flush stdout, which waits for 8 KB of output where it is a pipe."""
    Display().display(message, stderr=True)


class ControllerAction(ActionBase):
    """No target, no connection, no module."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    argument_spec: t.ClassVar[dict[str, dict[str, t.Any]]]

    @abc.abstractmethod
    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """From validated options in plain types, and the task's variables, to return values.

        :raises RdsMysqlError: which fails the task.
        """

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Ansible's entry point."""
        variables = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        validate: t.Callable[..., tuple[t.Any, dict[str, t.Any]]] = self.validate_argument_spec
        try:
            _validated, given = validate(self.argument_spec)
        except AnsibleError as e:
            if not is_in_role(variables):
                raise
            raise AnsibleActionFail(with_variables(to_text(e.message))) from None  # which Ansible would add
        # These make words and names of files. What servers have said is in the words.
        try:
            found = printable_values(self.work(self._from_playbook(plain(given)), variables))
        except RdsMysqlError as e:
            found = {"failed": True, "msg": printable(e.message)}
        result.update(reworded(found) if is_in_role(variables) else found)
        if "ansible_stats" in result:
            result["ansible_stats"] = without_templates(result["ansible_stats"])
        return result

    def is_path(self, _value: str) -> bool:
        """Whether an option of type path has one."""
        return True

    def _from_playbook(self, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """With relative paths from the playbook's directory, as those of modules that connect."""
        directory = os.path.abspath(self._loader.get_basedir())

        def absolute(value: t.Any) -> t.Any:
            if isinstance(value, list):
                return [absolute(item) for item in value]
            is_path = isinstance(value, str) and value and self.is_path(value)
            return os.path.join(directory, os.path.expanduser(value)) if is_path else value

        paths = [
            name for name, spec in self.argument_spec.items() if "path" in (spec.get("type"), spec.get("elements"))
        ]
        found = {name: absolute(options.get(name)) for name in paths}
        # A list, or the path of a file with one.
        if isinstance(options.get("waivers"), str):
            found["waivers"] = absolute(options["waivers"])
        return {**options, **found}

    def run_module(self, variables: dict[str, t.Any]) -> t.Callable[[str, dict[str, t.Any]], dict[str, t.Any]]:
        """What runs a module with options, where the task's own would run, and returns its result."""

        def execute(name: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
            run: t.Callable[..., dict[str, t.Any]] = self._execute_module
            return t.cast("dict[str, t.Any]", plain(run(module_name=name, module_args=options, task_vars=variables)))

        return execute


def without_templates(value: t.Any) -> t.Any:
    """Plain data in which no text is a template any more: each mark of one has a space in it.

    What is published with set_stats comes back as extra variables of the next job of a workflow, whose texts Ansible
    renders. The message of a finding has names in it that others have chosen.
    """
    if isinstance(value, str):
        return re.sub(r"\{(?=[{%#])", "{ ", value)
    if isinstance(value, t.Mapping):
        return {without_templates(name): without_templates(item) for name, item in value.items()}
    return [without_templates(item) for item in value] if isinstance(value, (list, tuple)) else value


def hosts_of(options: dict[str, t.Any], variables: dict[str, t.Any], default: str) -> list[str]:
    """The option ``hosts``, or what this variable of Ansible's has.

    :raises AnsibleActionFail: for a host that is not in the inventory.
    """
    hosts: list[str] | None = options["hosts"]
    if hosts is None:
        return list(plain(variables.get(default, ())))
    for host in hosts:
        if host not in variables["hostvars"]:
            raise AnsibleActionFail(printable(f"hosts: {host} is not in the inventory."))
    return hosts
