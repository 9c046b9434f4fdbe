# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollback records that another job has published, in the file that a rollback restores from."""

from __future__ import annotations

import hashlib
import os
import typing as t
from pathlib import Path

from ansible import constants
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.change_record import ChangeRecord, Endpoint
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.rollback_file import (
    RecordError,
    RollbackFile,
)
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import ControllerAction
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.rollback_records import VARIABLE, records_of

_EVERY = ("last", "all")

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "dest": {"type": "path", "required": True},
    "former": {"type": "list", "elements": "path", "default": []},
    "login_host": {"type": "str", "required": True},
    "login_port": {"type": "int", "required": True},
    "restore": {"type": "str", "default": "last"},
    "group": {"type": "str"},
}


_FORMER = "mysql_tls_report_dir"


class ActionModule(ControllerAction):
    """``mysql_tls_records``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Read the variable as it was given, not as a template would render it.

        Besides that variable and the file itself, the records of this server are searched where other releases have
        left them, and under other names in the inventory.
        """
        host = str(variables["inventory_hostname"])
        endpoint = Endpoint(options["login_host"].lower(), options["login_port"], None)
        group = options["group"] or None
        try:
            file = RollbackFile(os.path.abspath(options["dest"]), "rollback_file", group)
            records = [
                *records_of(host, plain(variables.get(VARIABLE))),
                *(each for path in options["former"] for each in _of_endpoint(path, endpoint, _FORMER, group)),
            ]
            if not records and not os.path.lexists(file.path):
                records = _under_other_names(Path(file.path).parent, endpoint, group)
            merged = self._merged(file, tuple({record.id: record for record in records}.values()))
            known = merged[0].read_all()
        except RdsMysqlError as e:
            return {"failed": True, "msg": e.message}
        meant = known if options["restore"] in _EVERY else [each for each in known if each.id == options["restore"]]
        # The controller's own file is no change of a host.
        return {"changed": False, "path": merged[0].path if meant else None, "records": merged[1]}

    def _merged(self, file: RollbackFile, records: tuple[ChangeRecord, ...]) -> tuple[RollbackFile, int]:
        """The file with these records in it, and how many are new there."""
        if not records:
            return file, 0
        if not self._task.check_mode:
            return file, file.merge(records)
        # A directory of this run of Ansible, which is gone with it: a rehearsal must not leave a record behind.
        name = f"{hashlib.sha256(file.path.encode()).hexdigest()}.json"
        temporary = t.cast("t.Any", constants).DEFAULT_LOCAL_TMP  # which is made from Ansible's settings
        return file.copy_to(os.path.join(temporary, name), records)


def _of_endpoint(path: str, endpoint: Endpoint, option: str, group: str | None) -> list[ChangeRecord]:
    """The records of this server in a file, which may not be there."""
    return [each for each in RollbackFile(path, option, group).read_all() if each.endpoint == endpoint]


def _under_other_names(directory: Path, endpoint: Endpoint, group: str | None) -> list[ChangeRecord]:
    """The records of this server in the files of other inventory names. What cannot be used there is ignored."""
    found: list[ChangeRecord] = []
    host = str(endpoint.host).encode("utf-8", "replace")
    try:
        files = sorted(directory.glob("*.json"))
    except OSError:
        return found
    for path in files:
        try:
            # Nobody writes to a pipe.
            if path.is_file() and host in path.read_bytes().lower():
                found += _of_endpoint(str(path), endpoint, "rollback_file", group)
        except (OSError, RecordError):
            continue
    return found
