# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one verdict on a server, for the module, the report and whatever exits with it."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import DECISIVE_FROM, at_least

COMPLIANT = "compliant"
NON_COMPLIANT = "non_compliant"
UNDECIDED = "undecided"
VERDICTS = (COMPLIANT, NON_COMPLIANT, UNDECIDED)


def verdict(severities: t.Iterable[str], *, accounts_known: bool, require_secure_transport: bool | None) -> str:
    """Whether a server is compliant, as far as can be told.

    It is not when a finding is of severity medium or high. It is when there is none, and either its accounts could be
    read or it refuses every connection without TLS. Otherwise nobody knows whether an account can log in without TLS.

    :arg severities: Those of the findings that count.
    :arg require_secure_transport: The server-wide switch, None where it is not known.
    """
    if any(at_least(severity, DECISIVE_FROM) for severity in severities):
        return NON_COMPLIANT
    return COMPLIANT if accounts_known or require_secure_transport else UNDECIDED
