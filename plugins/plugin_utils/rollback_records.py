# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollback records on their way from one job to the next: one opaque text.

Ansible takes whatever a variable file or AWX gives it for templates. Records hold names that others have chosen, of
accounts and in certificates, and a name can be a template that runs a command on the controller. So records travel as
base64, which cannot, and are read by code alone.
"""

from __future__ import annotations

import base64
import binascii
import json
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.printable import has_template
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.change_record import ChangeRecord

VARIABLE = "mysql_tls_rollback_records"
FORMAT = "dbtls.rds_mysql.records"
_VERSION = 1


def encode(records: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]]) -> str:
    """Records by host as one text."""
    document = {"format": FORMAT, "version": _VERSION, "hosts": records}
    return base64.b64encode(json.dumps(document).encode("ascii")).decode("ascii")


def records_of(host: str, value: t.Any) -> tuple[ChangeRecord, ...]:
    """The records of one host.

    :arg value: The variable as it was given, which nothing must have rendered. Besides the text, a dictionary with a
        record by host is taken, as version 0.1.0 published it, unless something in it could be a template.
    :raises OptionError: naming the variable, for anything else.
    """
    if value is None or value == "" or value == {}:
        return ()
    hosts = _hosts_of_text(value) if isinstance(value, str) else _hosts_of_dictionary(value)
    found = hosts.get(host, [])
    if not isinstance(found, list):
        raise OptionError(f"{VARIABLE}: what it holds for {host} is not a list of records.")
    try:
        return tuple(ChangeRecord.parse(record) for record in found)
    except ValueError as e:
        raise OptionError(f"{VARIABLE}: a record of {host} cannot be used: {e}.") from e


def _hosts_of_text(value: str) -> dict[str, t.Any]:
    try:
        document = json.loads(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError, RecursionError) as e:
        raise OptionError(f"{VARIABLE}: it is not the text that the playbook enforce has published.") from e
    if (
        not isinstance(document, dict)
        or document.get("format") != FORMAT
        or not isinstance(document.get("hosts"), dict)
    ):
        raise OptionError(f"{VARIABLE}: it is not the text that the playbook enforce has published.")
    if document.get("version") != _VERSION:
        raise OptionError(f"{VARIABLE}: it was published by a newer release of the collection. Use that one.")
    hosts: dict[str, t.Any] = document["hosts"]
    return hosts


def _hosts_of_dictionary(value: t.Any) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        raise OptionError(f"{VARIABLE}: it is not the text that the playbook enforce has published.")
    if has_template(value):
        raise OptionError(
            f"{VARIABLE}: these are records of version 0.1.0, and a name in them can be taken for a template, which "
            "could run commands here. Use the rollback files of that run instead."
        )
    return {str(host): [record] for host, record in value.items()}
