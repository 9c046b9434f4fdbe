# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guards of the server-wide switch for a server of RDS, where it is in a parameter group and SQL cannot set it."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.guards import guard_logins, session_warnings
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.plan import make_plan
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import (
    EnforcementError,
    request_from_params,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import read_accounts
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.dialect import discover
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.login import open_session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import ConnectionOptions
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.session import Session
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._rds import endpoints_in
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.certificates import parse_certificate

# AWS keeps its own connections working, which come from the server's own machine.
_AWS = "rdsadmin"


def run(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Whether a server already requires TLS, which endpoints its certificate is for, and what to warn of.

    :arg params: Validated parameters of mysql_require_ssl.
    :raises RdsMysqlError: where somebody could be locked out, or that cannot be seen. Nothing is ever written.
    """
    options = ConnectionOptions.from_params(params)
    request = request_from_params({**params, "require_secure_transport": True})
    if options.user is None:
        raise EnforcementError("There is no login, so clients without TLS cannot be seen. Set login_user.")
    with open_session(options) as control:
        if not control.verified:
            raise EnforcementError(f"The certificate of {options.endpoint} was not verified. Set ca_cert.")
        dialect = discover(control)
        plan = make_plan(control, dialect, read_accounts(control, dialect), request)
        check = plan.session_check
        sessions = tuple(one for one in check.sessions if not (dialect.managed_by and one.session.user == _AWS))
        plan = replace(plan, session_check=replace(check, sessions=sessions))
        if plan.enables_secure_transport:
            guard_logins(control, dialect, plan, request)
        return {
            "changed": False,
            "required": not plan.enables_secure_transport,
            "endpoints": endpoints_in(_names(control)),
            "warnings": [*control.warnings, *session_warnings(plan, request)],
        }


def _names(control: Session) -> list[str]:
    """The DNS names that the server's certificate is for."""
    if not control.certificate:
        return []
    certificate = parse_certificate(control.certificate, f"The TLS handshake with {control.options.endpoint}")
    return [*certificate.common_names, *(entry[4:] for entry in certificate.san if entry.startswith("DNS:"))]
