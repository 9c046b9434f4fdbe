# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An action plugin run alone, as Ansible's task executor runs it; takes and gives what a module takes and gives.

The environment variable ACTION names the plugin. As with a module, options come as JSON on standard input and the
result goes out as JSON.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
from typing import Any

COLLECTION = "dbtls.rds_mysql"


def run_action(name: str, options: dict[str, Any], *, check: bool, variables: dict[str, Any]) -> dict[str, Any]:
    """The result of an action plugin with these options."""
    from ansible.parsing.dataloader import DataLoader
    from ansible.playbook.play_context import PlayContext
    from ansible.playbook.task import Task
    from ansible.plugins import loader as plugins
    from ansible.template import Templar

    # Not through its loader, which would want to have found the collection before anything of it was imported.
    action_class = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.action.{name}").ActionModule
    action = f"{COLLECTION}.{name}"
    task = Task()
    task.action, task.args, task.check_mode, task.diff, task.async_val = action, options, check, True, 0
    context = PlayContext()
    # The second argument went away in the course of time.
    arguments = [context, os.devnull][: _positional(plugins.connection_loader, "local")]
    connection = plugins.connection_loader.get("local", *arguments)
    data = DataLoader()
    plugin = action_class(
        task=task,
        connection=connection,
        play_context=context,
        loader=data,
        templar=Templar(loader=data, variables=variables),
        shared_loader_obj=plugins,
    )
    result = plugin.run(task_vars=variables)
    plugin.cleanup()
    return dict(result)


def _positional(loader: Any, name: str) -> int:
    parameters = inspect.signature(loader.get(name, class_only=True).__init__).parameters
    return 2 if "new_stdin" in parameters else 1


def _main() -> int:
    arguments = json.load(sys.stdin)["ANSIBLE_MODULE_ARGS"]
    options = {name: value for name, value in arguments.items() if not name.startswith("_ansible_")}
    variables = {
        "ansible_python_interpreter": sys.executable,
        "dbtls_in_process": "always",
    }
    result = run_action(os.environ["ACTION"], options, check=arguments["_ansible_check_mode"], variables=variables)
    print(json.dumps(result))
    return 1 if result.get("failed") else 0


if __name__ == "__main__":
    sys.exit(_main())
