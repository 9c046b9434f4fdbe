# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the work's return values and exceptions to a task's result."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import MissingLibrary, RdsMysqlError

_HOSTS = ("login_host", "host")
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
    for host in (params.get(name) for name in _HOSTS):
        if isinstance(host, str) and "@" in host:  # user:password@host
            found.update({str(host).rpartition("@")[0], str(host).rpartition("@")[0].partition(":")[2]} - {""})
    return found.union(*map(misplaced_secrets, params.values()))


class Module(AnsibleModule):
    """A module that masks a password also where it is refused, because its option has another name."""

    def __init__(self, **given: t.Any) -> None:
        initialize: t.Callable[..., None] = super().__init__
        initialize(**given)

    def fail_json(self, msg: str, **kwargs: t.Any) -> t.NoReturn:
        """Leave with a message."""
        self.no_log_values.update(misplaced_secrets(self.params))
        super().fail_json(msg, **kwargs)
        raise AssertionError("fail_json does not return")


def outcome(work: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    """Do the work; its return values, or those of a task that failed with its one sentence."""
    try:
        return work()
    except MissingLibrary as e:
        return {
            "failed": True,
            "msg": "{} {}".format(missing_required_lib(e.library, reason="to " + e.reason), e.__cause__),
        }
    except RdsMysqlError as e:
        return {"failed": True, "msg": e.message, **e.details}


def run_module(module: AnsibleModule, work: t.Callable[[], dict[str, t.Any]]) -> t.NoReturn:
    """Do a module's work and leave."""
    result = outcome(work)
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    if result.pop("failed", False):
        # Not where the exception is handled: it says all there is to say, and a traceback adds nothing.
        module.fail_json(**result)
    module.exit_json(**result)
    raise AssertionError("exit_json does not return")
