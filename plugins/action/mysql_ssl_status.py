# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module of the same name, in Ansible's own process where that is the same."""

from __future__ import annotations

import typing as t

from ansible.utils.display import Display
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import STATUS
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import sweep
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import InProcessAction

_display = Display()


class ActionModule(InProcessAction):
    """``mysql_ssl_status``."""

    specification = STATUS

    def work(self, params: dict[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
        """Check the servers, in check mode as well."""
        del check_mode
        return sweep.run(params, _display.v)
