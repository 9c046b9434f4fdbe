# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollback records that another job has published, in the file that a rollback restores from."""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible import constants
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.rollback_file import RollbackFile
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import ControllerAction
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.rollback_records import VARIABLE, records_of


class ActionModule(ControllerAction):
    """``mysql_tls_records``."""

    argument_spec: t.ClassVar[dict[str, dict[str, t.Any]]] = {"dest": {"type": "path", "required": True}}

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Read the variable as it was given, not as a template would render it."""
        host = str(variables["inventory_hostname"])
        file = RollbackFile(os.path.abspath(options["dest"]), "dest")
        try:
            records = records_of(host, plain(variables.get(VARIABLE)))
            if not records:
                return {"changed": False, "path": file.path if os.path.lexists(file.path) else None, "records": 0}
            if self._task.check_mode:
                # A directory of this run of Ansible, which is gone with it: a rehearsal must not leave a record behind.
                name = f"{hashlib.sha256(file.path.encode()).hexdigest()}.json"
                temporary = t.cast("t.Any", constants).DEFAULT_LOCAL_TMP  # which is made from Ansible's settings
                return self._result(file.copy_to(os.path.join(temporary, name), records))
            return self._result((file, file.merge(records)))
        except RdsMysqlError as e:
            return {"failed": True, "msg": e.message}

    def _result(self, merged: tuple[RollbackFile, int]) -> dict[str, t.Any]:
        # The controller's own file is no change of a host.
        return {"changed": False, "path": merged[0].path, "records": merged[1]}
