# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_tls_history
short_description: Record a roll-out, a rollback or installed CA bundles in the history
version_added: 0.2.0
description:
  - Records in the history of O(state_dir) what was changed on each host, by whom, from where and in which job, with the
    check after it; or which CA bundle each application host has. M(dbtls.rds_mysql.mysql_tls_report) records audits
    itself, and compares with all of them.
  - Reads the variables C(mysql_tls_change) and C(mysql_tls_look) of each host, or for V(bundle) what the entry point
    C(install) of the role P(dbtls.rds_mysql.mysql_tls#role) has registered.
  - Works on the controller only, whatever the connection of the host. Run it once for all hosts.
  - If the history cannot be written, a warning says so. What was done stays done, and the rollback records have it.
author:
  - dbtls contributors (@dbtls)
extends_documentation_fragment:
  - dbtls.rds_mysql.attributes
  - dbtls.rds_mysql.state
attributes:
  check_mode:
    support: full
    details:
      - Records nothing.
  diff_mode:
    support: none
options:
  kind:
    description: What was done.
    type: str
    choices: [enforce, rollback, bundle]
    required: true
  hosts:
    description: Hosts whose results are recorded. The default is all hosts of the play.
    type: list
    elements: str
  unchanged:
    description: Hosts that the roll-out has left out, as nothing had to be changed on their servers.
    type: list
    elements: str
    default: []
  plan:
    description: Hash of the plan that was carried out.
    type: str
seealso:
  - module: dbtls.rds_mysql.mysql_tls_report
"""

EXAMPLES = r"""
- name: Record what was changed
  dbtls.rds_mysql.mysql_tls_history:
    kind: enforce
    hosts: [orders-db, stock]
    unchanged: [billing]
    plan: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
    state_dir: /srv/mysql-tls-state
    state_group: dba
    history_days: 730
  run_once: true
"""

RETURN = r"""# """
