# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_tls_readiness
short_description: Determine which accounts TLS can be required for
version_added: 0.2.0
description:
  - Reads what M(dbtls.rds_mysql.mysql_tls_watch) has recorded, and the accounts that the last check of each server has
    seen, and returns the accounts that no client uses without TLS.
  - An account that was created after the last check is not among them.
  - Works on the controller only, whatever the connection of the host, and contacts no server. Run it once for all
    hosts.
author:
  - dbtls contributors (@dbtls)
extends_documentation_fragment:
  - dbtls.rds_mysql.attributes
  - dbtls.rds_mysql.state
  - dbtls.rds_mysql.state.readiness
attributes:
  check_mode:
    support: full
    details:
      - Changes nothing in either mode.
  diff_mode:
    support: none
options:
  only_ready:
    description:
      - Fail where there is nothing to judge the accounts of any of these hosts by.
    type: bool
    default: false
  hosts:
    description:
      - The hosts. The default is all hosts of the play.
    type: list
    elements: str
  members:
    description:
      - By host the option O(dbtls.rds_mysql.mysql_require_ssl#module:members). What these servers have counted is in
        RV(readiness) of the host, too. The default is C(mysql_tls_members) of each host.
    type: dict
seealso:
  - module: dbtls.rds_mysql.mysql_tls_watch
  - module: dbtls.rds_mysql.mysql_require_ssl
"""

EXAMPLES = r"""
- name: Determine which accounts are ready
  dbtls.rds_mysql.mysql_tls_readiness:
    only_ready: true
  run_once: true
  register: judged

- name: Require TLS for those
  dbtls.rds_mysql.mysql_require_ssl:
    login_host: "{{ ansible_host }}"
    all_accounts: true
    only_ready: true
    readiness: "{{ judged.readiness[inventory_hostname] | default(omit) }}"

- name: Determine which accounts of one group are ready, with quarterly jobs
  dbtls.rds_mysql.mysql_tls_readiness:
    hosts: "{{ groups['orders'] }}"
    members:
      orders-db: [orders-replica.example.com]
    state_dir: /srv/mysql-tls-state
    state_group: dba
    history_days: 730
    only_ready: true
    quiet_days: 100
    min_coverage: 0.95
    watch_every: 10
    min_seen: 0.1
  run_once: true
"""

RETURN = r"""
ready:
  description: The accounts that are ready, by host. A host that nobody has watched, or checked, is not in it.
  returned: success
  type: dict
  sample:
    orders-db: ["app@10.%"]
readiness:
  description:
    - Every account that can log in without TLS, by host, as the option C(readiness) of
      M(dbtls.rds_mysql.mysql_require_ssl) takes it. A host that nobody has watched, or checked, is not in it.
  returned: success
  type: dict
  sample:
    orders-db:
      - account: "reports@%"
        state: not_ready
        reason: "reports from 192.0.2.7 was connected without TLS, last seen 2026-11-01T03:00:00Z."
"""
