# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``mysql_ssl_status`` for one server: from parameters to return values."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError, RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status import sessions_only
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.collect import collect
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding import Finding
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.findings import findings
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.model import ServerStatus
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.result import describe


def run(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The module's work: from validated parameters to return values.

    :raises RdsMysqlError: or one of its kinds; with ``mysql_ssl`` among its details where something was seen.
    """
    if params.get("sessions_only"):
        return sessions_only.run(params)
    try:
        options = ConnectionOptions.from_params(params)
    except OptionError as e:
        e.details["contacted"] = False
        raise
    expiry_warn_days = int(params["expiry_warn_days"])
    before_login: list[ServerStatus] = []
    try:
        status = collect(options, bool(params["probe_protocols"]), before_login.append)
    except RdsMysqlError as e:
        code = getattr(e, "code", None)  # which only errors that a server has sent have
        if code:
            e.details.setdefault("error_code", code)
        for seen in before_login:
            e.details.setdefault("mysql_ssl", describe(seen, findings(seen, expiry_warn_days)))
            e.details.setdefault("warnings", list(seen.warnings))
        raise
    found = findings(status, expiry_warn_days)
    described = describe(status, found)
    result = {
        "changed": False,
        "mysql_ssl": described,
        "ansible_facts": {"mysql_ssl": described},
        "warnings": list(status.warnings),
    }
    failed = failure(options.endpoint, found, str(params["fail_on"]))
    if failed:
        raise RdsMysqlError(failed["msg"], **result)
    return result


def failure(what: str, found: t.Iterable[Finding], fail_on: str) -> dict[str, t.Any]:
    """What a result has besides where findings fail it; empty where they do not.

    :arg fail_on: ``none``, or the least severity that does.
    """
    bad = [finding for finding in found if fail_on != "none" and finding.at_least(fail_on)]
    if not bad:
        return {}
    counted = "1 finding" if len(bad) == 1 else f"{len(bad)} findings"
    told = " ".join(f"[{finding.id}] {finding.message}" for finding in bad)
    return {"failed": True, "msg": f"{what} has {counted} of severity {fail_on} or more: {told}"}
