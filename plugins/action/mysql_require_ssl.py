# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module of the same name, in Ansible's own process where that is the same."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement import enforce
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.argument_spec import REQUIRE
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import InProcessAction
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_words import is_in_role, without_idle_exclusions

# What the role registers for mysql_tls_plan.
_PLANNED = "__mysql_tls_planned"


class ActionModule(InProcessAction):
    """``mysql_require_ssl``."""

    specification = REQUIRE

    def work(self, params: dict[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
        """Require TLS and verify it, or return what would be done."""
        return enforce.run(params, check_mode)

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Ansible's entry point. After a plan of all hosts, which has told what it says of them together."""
        result = super().run(tmp, task_vars)
        planned = is_in_role(task_vars or {}) and "plans" in ((task_vars or {}).get(_PLANNED) or {})
        return without_idle_exclusions(result) if planned else result
