# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the work's return values and exceptions to a task's result."""

from __future__ import annotations

import gc
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import MissingLibrary, RdsMysqlError


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
    if not gc.isenabled():
        # What has been loaded stays, and is not looked at again; what the work makes is.
        gc.freeze()
        gc.enable()
    result = outcome(work)
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    if result.pop("failed", False):
        # Not where the exception is handled: it says all there is to say, and a traceback adds nothing.
        module.fail_json(**result)
    module.exit_json(**result)
    raise AssertionError("exit_json does not return")
