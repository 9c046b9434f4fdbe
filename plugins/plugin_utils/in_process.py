# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running a module's work inside Ansible's own process, where nothing tells the difference but the time it takes.

A database endpoint is reached over the network from wherever Ansible runs, so there is nothing to copy to it and no
interpreter to start. Each task has a forked process of its own anyway; the work is done there. Wherever a module would
run elsewhere, as another user, or with another Python, the module does run.
"""

from __future__ import annotations

import abc
import datetime as dt
import importlib
import json
import os
import sys
import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.utils.display import Display
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.module import (
    misplaced_elements,
    misplaced_secrets,
    outcome,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.printable import printable
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import (
    ModuleSpec,
    connection_argument_spec,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_words import is_in_role, reworded


def _missing_library() -> ImportError | None:
    try:
        for name in ("pymysql", "cryptography.x509"):
            importlib.import_module(name)
    except ImportError as e:
        return e
    return None


# Here, so that Ansible's main process imports them once, when it loads an action plugin, and not each forked one again.
MISSING = _missing_library()

# Options that may be relative; the files of a change's record may not.
PATHS = frozenset(name for name, option in connection_argument_spec().items() if option["type"] == "path")

VARIABLE = "dbtls_in_process"
MODES = ("auto", "never", "always")
# The variable that names Ansible's own Python, as plays that run their modules with it do.
_OWN_PYTHON = "ansible_playbook_python"
# What interpreter discovery is asked for instead of naming an interpreter.
_DISCOVERY = ("auto", "auto_legacy", "auto_silent", "auto_legacy_silent")


_display = Display()


class InProcessAction(NormalAction):
    """An action plugin that does its module's work itself where it can, and runs the module where it can't."""

    specification: ModuleSpec

    @abc.abstractmethod
    def work(self, params: dict[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
        """The module's work: from validated options to return values; raises RdsMysqlError."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Ansible's entry point."""
        variables = task_vars or {}
        mode = self._mode(variables)
        obstacle = None if mode == "never" else self._obstacle(variables)
        if mode == "never" or (obstacle and mode == "auto"):
            _display.vvv(f"{self._task.action} runs as a module: {obstacle or VARIABLE + ' is never'}")
            run_module: t.Callable[..., dict[str, t.Any]] = super().run
            result = run_module(tmp, task_vars)
            return reworded(result) if is_in_role(variables) else result
        if obstacle:
            raise AnsibleActionFail(
                f"{VARIABLE} is 'always', but {self._task.action} cannot run in process: {obstacle}."
            )
        _display.vvv(f"{self._task.action} runs in process")
        result = ActionBase.run(self, tmp, task_vars)
        if not result.get("skipped"):
            result.update(self._in_process(variables))
        return reworded(result) if is_in_role(variables) else result

    def _mode(self, variables: dict[str, t.Any]) -> str:
        mode = self._resolved(variables.get(VARIABLE, "auto"), variables)
        if mode not in MODES:
            raise AnsibleActionFail(f"{VARIABLE} is {mode!r}; it can be {', '.join(MODES)}.")
        return mode

    def _resolved(self, value: t.Any, variables: dict[str, t.Any]) -> str:
        """A variable's text; the templar, which takes its time, sees only what is another template than the usual."""
        text = str(value)
        if "{" not in text:
            return text
        if text.strip("{} ") == _OWN_PYTHON and _OWN_PYTHON in variables:
            return str(variables[_OWN_PYTHON])
        return str(self._templar.template(value))

    # When not

    def _obstacle(self, variables: dict[str, t.Any]) -> str | None:
        """Why the work cannot be done here, continuing "because"; None when it can."""
        if self._connection.transport != "local":
            return f"the connection is {self._connection.transport}"
        if self._connection.become or self._play_context.become:
            return "the task becomes another user"
        if self._task.async_val:
            return "the task is asynchronous"
        environment: dict[str, t.Any] = {}
        compute: t.Callable[[dict[str, t.Any]], str] = self._compute_environment_string
        compute(environment)
        if environment:
            return f"the task has an environment ({', '.join(sorted(environment))})"
        interpreter = self._interpreter(variables)
        if interpreter and not same_interpreter(interpreter, sys.executable):
            return f"the task's Python is {interpreter} and Ansible's is {sys.executable}"
        if MISSING:
            return f"{sys.executable} lacks a library ({MISSING})"
        return None

    def _interpreter(self, variables: dict[str, t.Any]) -> str | None:
        """The interpreter that is named for the module, or was discovered; None where there is neither."""
        if self._task.delegate_to:
            variables = variables.get("ansible_delegated_vars", {}).get(self._task.delegate_to, {})
        named = constants.config.get_config_value("INTERPRETER_PYTHON", variables=variables)
        named = self._resolved(named, variables) if named else ""
        if named and named not in _DISCOVERY:
            return named
        discovered = variables.get("ansible_facts", {}).get("discovered_interpreter_python")
        return str(discovered) if discovered else None

    # What AnsibleModule does around the work

    def _in_process(self, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        check_mode = bool(self._task.check_mode)
        result, params, secrets = as_module(
            self._task.action,
            self.specification,
            plain(self._task.args),
            lambda options: self.work(self._from_playbook(options), check_mode=check_mode),
        )
        if _invocation_is_wanted(variables):
            result["invocation"] = remove_values({"module_args": params}, secrets)
        return result

    def _from_playbook(self, options: dict[str, t.Any]) -> dict[str, t.Any]:
        """With relative paths from the playbook's directory, where a module would start."""
        return absolute_paths(options, self.specification.argument_spec, os.path.abspath(self._loader.get_basedir()))


def absolute_paths(
    options: t.Mapping[str, t.Any], argument_spec: t.Mapping[str, t.Mapping[str, t.Any]], directory: str
) -> dict[str, t.Any]:
    """Validated options with each relative path of a connection, in suboptions too, made absolute from a directory."""
    result = dict(options)
    for name, option in argument_spec.items():
        value = result.get(name)
        if name in PATHS and value:
            result[name] = os.path.join(directory, value)
        elif "options" in option and value:
            many = isinstance(value, list)
            made = [absolute_paths(item, option["options"], directory) for item in (value if many else [value])]
            result[name] = made if many else made[0]
    return result


def as_module(
    name: str, spec: ModuleSpec, given: dict[str, t.Any], work: t.Callable[[dict[str, t.Any]], dict[str, t.Any]]
) -> tuple[dict[str, t.Any], dict[str, t.Any], set[str]]:
    """What AnsibleModule does around a module's work.

    :arg name: The module's, for messages.
    :arg given: Its options in plain types.
    :return: The result of the task, the validated options, and the secrets among them, which the result has not.
    """
    validated = ArgumentSpecValidator(spec.argument_spec, **spec.rules).validate(given)
    secrets = set(validated._no_log_values)
    params = {**given, **validated.validated_parameters}
    warnings = [f"Both option {both['option']} and its alias {both['alias']} are set." for both in validated._warnings]
    if validated.error_messages:
        message = validated.errors.msg
        if isinstance(validated.errors[0], UnsupportedError):
            message = f"Unsupported parameters for ({name}) module: {message}"
        sentence, texts = misplaced_elements(spec.argument_spec, given)
        secrets |= misplaced_secrets(given) | texts
        result: dict[str, t.Any] = {"failed": True, "msg": sentence or message}
    else:
        secrets |= {printable(secret) for secret in secrets}
        result = outcome(lambda: work(params))
    if result.get("failed"):
        # As given, too: a dictionary where a text belongs has become a text by now.
        secrets |= misplaced_secrets(given) | misplaced_secrets(params)
    warnings += result.pop("warnings", [])
    if warnings:
        result["warnings"] = warnings
    if validated._deprecations:
        result["deprecations"] = list(validated._deprecations)
    return _without(secrets, result), params, secrets


def _without(secrets: set[str], result: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result with every secret masked, as AnsibleModule does it.

    Going through a result value by value takes longer than describing a server. As JSON escapes a text character by
    character, a secret that is in a value is in the result's JSON too, in its own JSON's form.
    """
    try:
        told = json.dumps(result, ensure_ascii=False)
        if not any(json.dumps(secret, ensure_ascii=False)[1:-1] in told for secret in secrets):
            return result
    except (TypeError, ValueError):  # of a type that JSON does not have, which remove_values may know
        pass
    return t.cast("dict[str, t.Any]", remove_values(result, secrets))


def _invocation_is_wanted(variables: dict[str, t.Any]) -> bool:
    try:
        return bool(constants.config.get_config_value("INJECT_INVOCATION", variables=variables))
    except AnsibleError:  # ansible-core before 2.21 always wants it
        return True


def same_interpreter(one: str, other: str) -> bool:
    """Whether two paths are one Python in one environment.

    In a virtual environment ``python`` and ``python3`` are links to each other, and in the end to the Python that the
    environment was made from, which is another one: it has other libraries.
    """
    try:
        return os.path.samefile(one, other) and os.path.samefile(os.path.dirname(one), os.path.dirname(other))
    except OSError:
        return False


def plain(value: t.Any) -> t.Any:
    """The value as JSON would bring it to a module: without tags, laziness, and what else Ansible's own types carry."""
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, str):
        return str.__str__(value)  # and not of a class of Ansible's
    if isinstance(value, t.Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()
    return str(to_text(value))  # bytes, and vaulted strings, which decrypt then
