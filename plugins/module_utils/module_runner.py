# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the work's exceptions to a module's exit."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.dbtls.rds_mysql.plugins.module_utils.errors import MissingLibrary, RdsMysqlError


def run_module(module: AnsibleModule, work: t.Callable[[], dict[str, t.Any]]) -> t.NoReturn:
    """Run the work and leave with its return values, or fail with its one sentence."""
    try:
        result = work()
    except MissingLibrary as e:
        module.fail_json(msg="{} {}".format(missing_required_lib(e.library, reason="to " + e.reason), e.__cause__))
    except RdsMysqlError as e:
        _warn(module, e.details)
        module.fail_json(msg=e.message, **e.details)
    _warn(module, result)
    module.exit_json(**result)
    raise AssertionError("exit_json does not return")


def _warn(module: AnsibleModule, result: dict[str, t.Any]) -> None:
    for warning in result.pop("warnings", ()):
        module.warn(warning)
