# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the work's return values and exceptions to a task's result."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.validation import check_type_dict
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import MissingLibrary, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.printable import printable, printable_result
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.start_up import resume_garbage_collection

_HOSTS = ("login_host", "host", "members")
_SOUNDS_SECRET = re.compile(r"(?i)pas|pwd|secret|token")


def misplaced_secrets(params: t.Any) -> set[str]:
    """What was given under names that sound like secrets, or in front of a host, at any depth.

    Ansible masks what is given to options that are there and marked as secret.
    """
    if isinstance(params, (list, tuple)):
        return set().union(*map(misplaced_secrets, params))
    if not isinstance(params, dict):
        return set()
    named = (value for name, value in params.items() if _SOUNDS_SECRET.search(str(name)))
    found = {str(value) for value in named if isinstance(value, str) and value}
    for host in (text for name in _HOSTS for text in _texts(params.get(name))):
        if "@" in host:  # user:password@host
            found.update({str(host).rpartition("@")[0], str(host).rpartition("@")[0].partition(":")[2]} - {""})
    return found.union(*map(misplaced_secrets, params.values()))


def misplaced_elements(argument_spec: dict[str, dict[str, t.Any]], params: t.Any) -> tuple[str, set[str]]:
    """What is in a list of dictionaries and is not one: a sentence about it, and texts that may hold passwords.

    Ansible's own message has the whole value, passwords included: only of a dictionary it knows which part is one.
    Those of dictionaries that are a level too deep are among misplaced_secrets.
    """
    sentences, texts = [], set()
    for name, option in argument_spec.items():
        given = params.get(name) if "options" in option else None
        elements = given.split(",") if isinstance(given, str) else given if isinstance(given, (list, tuple)) else ()
        wrong = [(number, item) for number, item in enumerate(elements, 1) if not _is_dictionary(item)]
        for number, item in wrong[:1]:
            kind = "list" if isinstance(item, (list, tuple)) else type(item).__name__
            more = ". Is the list one level too deep?" if kind == "list" else "."
            sentences.append(f"{name}: element {number} is a {kind} and has to be a dictionary{more}")
            texts |= {*_texts(given), *_texts(elements)}
    return " ".join(sentences), texts


def _is_dictionary(value: t.Any) -> bool:
    """Whether Ansible takes it for one: a text may be JSON or key=value."""
    try:
        return isinstance(check_type_dict(value), t.Mapping)
    except (TypeError, ValueError):
        return False


def _texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield from {value, value.strip()} - {""}
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


class Module(AnsibleModule):
    """A module that masks a password also where it is refused, because its option has another name."""

    def __init__(self, **given: t.Any) -> None:
        # As given: where an element of a list is of the wrong type, Ansible's validation leaves it out of params.
        self._given: dict[str, t.Any] = {}
        initialize: t.Callable[..., None] = super().__init__
        initialize(**given)

    def _load_params(self) -> None:
        load: t.Callable[[], None] = super()._load_params
        load()
        self._given = dict(self.params)

    def fail_json(self, msg: str, **kwargs: t.Any) -> t.NoReturn:
        """Leave with a message."""
        sentence, texts = misplaced_elements(self.argument_spec, self._given)
        self.no_log_values.update(misplaced_secrets(self._given), texts)
        super().fail_json(sentence or msg, **kwargs)
        raise AssertionError("fail_json does not return")


def outcome(work: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    """Do the work; its return values, or those of a task that failed with its one sentence, safe to print."""
    try:
        result = work()
    except MissingLibrary as e:
        needed = missing_required_lib(e.library, reason="to " + e.reason)
        result = {"failed": True, "msg": f"{needed} {e.__cause__}"}
    except RdsMysqlError as e:
        result = {"failed": True, "msg": e.message, **e.details}
    return printable_result(result)


def run_module(module: AnsibleModule, work: t.Callable[[], dict[str, t.Any]]) -> t.NoReturn:
    """Do a module's work and leave."""
    resume_garbage_collection()
    # A secret is masked in either form.
    module.no_log_values.update([printable(secret) for secret in module.no_log_values])
    result = outcome(work)
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    if result.pop("failed", False):
        # Not where the exception is handled: it says all there is to say, and a traceback adds nothing.
        module.fail_json(**result)
    module.exit_json(**result)
    raise AssertionError("exit_json does not return")
