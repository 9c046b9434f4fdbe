# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_tls_variables
short_description: Check the variables of the role before any host is contacted
version_added: 0.2.0
description:
  - Fails if a variable that begins with C(mysql_tls_) is set for a host and is not one of the role
    P(dbtls.rds_mysql.mysql_tls#role) or of the playbooks. A typo in C(mysql_tls_accounts) would otherwise be ignored
    without a word. The message has the nearest name that there is.
  - What is set counts, wherever that is, in the inventory, C(group_vars), the play or C(--extra-vars).
  - The variable C(mysql_tls_own_variables) lists custom variables.
  - Works on the controller only, whatever the connection of the host. Run it once for all hosts.
author:
  - dbtls contributors (@dbtls)
extends_documentation_fragment:
  - dbtls.rds_mysql.attributes
attributes:
  check_mode:
    support: full
    details:
      - Changes nothing in either mode.
  diff_mode:
    support: none
options:
  check:
    description:
      - With V(names), the names of the variables are checked.
      - With V(per_host), C(mysql_tls_rds_api) must not be set, as servers are compared with the RDS API in one task for
        all hosts only.
      - With V(scope), it also has to be said which accounts are meant, with C(mysql_tls_accounts) or
        C(mysql_tls_all_accounts), and it has to be possible to write rollback records.
      - With V(selection), C(mysql_tls_hosts) has to match a host, and C(mysql_tls_canary) and C(mysql_tls_serial) have
        to be numbers or percentages. The playbooks check that in a play of its own, as Ansible needs them to begin the
        next one.
      - With V(install), the hosts of the selection also have to have C(mysql_tls_bundle_dest).
    type: str
    default: names
    choices: [install, names, per_host, scope, selection]
  hosts:
    description:
      - The hosts. The default is all hosts of the play in its first batch, and those of the batch in a later one.
    type: list
    elements: str
seealso:
  - module: dbtls.rds_mysql.mysql_require_ssl
"""

EXAMPLES = r"""
- name: Check variables
  dbtls.rds_mysql.mysql_tls_variables:
    check: scope
  run_once: true

- name: Check variables, before an audit with a task for each host
  dbtls.rds_mysql.mysql_tls_variables:
    check: per_host
  run_once: true

- name: Check the variables of one group
  dbtls.rds_mysql.mysql_tls_variables:
    hosts: "{{ groups['orders'] }}"
  run_once: true
"""

RETURN = r"""
msg:
  description: What is wrong, a sentence for each variable.
  returned: failure
  type: str
  sample: >-
    mysql_tls_account is not a variable of dbtls.rds_mysql (set for orders-db). Did you mean mysql_tls_accounts?
    Custom variables can be listed in mysql_tls_own_variables.
"""
