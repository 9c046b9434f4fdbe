# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options of the actions that read or write the state directory, and of those that judge accounts by it."""

    DOCUMENTATION = r"""
options:
  state_dir:
    description:
      - The state directory on the controller, with C(history) and C(observations) in it. The default is that of
        M(dbtls.rds_mysql.mysql_tls_report).
    type: path
  state_group:
    description:
      - Group whose members share O(state_dir).
    type: str
  history_days:
    description:
      - How many days the history and the observations are kept. Older files are removed.
        A longer pause between two runs counts as a tenth of that, so that a clock that is ahead removes little.
    type: int
    default: 400
"""

    READINESS = r"""
options:
  quiet_days:
    description:
      - An account is ready for TLS when no client has used it without TLS for this many days. What was seen of clients
        is read from C(observations) in O(state_dir), which M(dbtls.rds_mysql.mysql_tls_watch) writes.
    type: int
    default: 35
    version_added: 0.2.0
  min_coverage:
    description:
      - The share of O(quiet_days) in which there has to have been a check every O(watch_every) minutes.
    type: float
    default: 0.9
    version_added: 0.2.0
  watch_every:
    description:
      - How many minutes lie between two checks of M(dbtls.rds_mysql.mysql_tls_watch).
    type: int
    default: 5
    version_added: 0.2.0
  min_seen:
    description:
      - The share of an account's connections that has to have been seen, on servers that do not count logins without
        TLS.
    type: float
    default: 0.05
    version_added: 0.2.0
"""
