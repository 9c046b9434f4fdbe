#!/usr/bin/python
# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_tls_plan
short_description: Plan what would change on many servers, or read such a plan
version_added: 0.2.0
description:
  - Does on the server of every host what M(dbtls.rds_mysql.mysql_require_ssl) does in check mode, with the variables of
    the role P(dbtls.rds_mysql.mysql_tls#role), in one task. Nothing is changed on a server.
  - With O(dest), the plan is written as C(plan.json), for the playbook C(dbtls.rds_mysql.enforce), and as C(plan.html),
    for people. C(docs/plan.schema.json) in the source of the collection describes the first. It holds no secrets, and
    no text in it can be a template.
  - With O(source), no server is asked. The file is read, and what it says of the hosts is returned.
  - Where M(dbtls.rds_mysql.mysql_tls_watch) has recorded who is connected, the plan also says of each account whether
    TLS can be required for it.
  - Several names in the inventory that lead to one server are one server.
  - Works on the controller only, whatever the connection of the host. Run it once for all hosts.
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
      - Records what it sees in check mode too, as it changes nothing on a server.
  diff_mode:
    support: none
options:
  dest:
    description:
      - Directory for C(plan.json) and C(plan.html). It is created if needed.
      - The task fails if more servers than O(max_fail_percentage) are refused by a guard or could not be checked. The
        plan is written all the same.
    type: path
  source:
    description:
      - A C(plan.json) to read, or the text that O(dest) has published as C(mysql_tls_plan_document).
      - The task fails where its SHA-256 is not its own, where it is older than O(max_age) or can be written by
        everybody, where the inventory lacks a server of it, and where it has no change for these hosts. It also fails
        where the file belongs to another user, other than root, and O(sha256) is not set.
    type: path
  sha256:
    description:
      - The SHA-256 of the plan that was approved, RV(sha256) of the task that made it. Another plan is refused.
      - With it, O(source) may belong to another user.
    type: str
    default: ""
  max_age:
    description:
      - Days after which a plan is refused.
    type: int
    default: 7
  bundles:
    description:
      - The result of M(dbtls.rds_mysql.mysql_tls_bundles).
      - Required without O(source).
    type: dict
    default: {}
  serial:
    description:
      - How many servers each batch has, as in the keyword C(serial) of the play that will change them.
    type: list
    elements: str
    default: ["1", "25%"]
  max_fail_percentage:
    description:
      - How many percent of the servers may be refused or not checked.
    type: float
    default: 0
  artifact_bytes:
    description:
      - How long the plan may be that is published for the next job of a workflow.
    type: int
    default: 262144
  lasting_dir:
    description:
      - A directory that lasts and that every job sees. A longer plan is written there, and what is published names its
        file and its SHA-256.
      - Without it a longer plan is not published. In a workflow of AWX, the task fails then.
    type: path
  only_ready:
    description:
      - Fail where there is nothing to judge the accounts of any of these hosts by. Whether only accounts that are ready
        are planned is said by the variable C(mysql_tls_only_ready) of each host.
    type: bool
    default: false
  hosts:
    description:
      - The hosts. The default is all hosts of the play.
    type: list
    elements: str
seealso:
  - module: dbtls.rds_mysql.mysql_require_ssl
"""

EXAMPLES = r"""
- name: Fetch CA bundles
  dbtls.rds_mysql.mysql_tls_bundles:
  run_once: true
  register: bundles

- name: Plan
  dbtls.rds_mysql.mysql_tls_plan:
    dest: /var/lib/dbtls/plan
    bundles: "{{ bundles }}"
  run_once: true

- name: Plan for the servers of one group, in batches of five
  dbtls.rds_mysql.mysql_tls_plan:
    dest: /var/lib/dbtls/plan
    hosts: "{{ groups['orders'] }}"
    bundles: "{{ bundles }}"
    serial: [1, 5]
    max_fail_percentage: 10
    only_ready: true
    state_dir: /srv/mysql-tls-state
    state_group: dba
    history_days: 730
    quiet_days: 100
    min_coverage: 0.95
    watch_every: 10
    min_seen: 0.1
  run_once: true

- name: Plan for the next job of a workflow, which reads a longer plan from storage that lasts
  dbtls.rds_mysql.mysql_tls_plan:
    dest: /var/lib/dbtls/plan
    bundles: "{{ bundles }}"
    artifact_bytes: 1048576
    lasting_dir: /var/lib/dbtls
  run_once: true

- name: Read a plan of the last two days
  dbtls.rds_mysql.mysql_tls_plan:
    source: /var/lib/dbtls/plan/plan.json
    sha256: "{{ approved_sha256 }}"
    max_age: 2
  run_once: true
  register: planned
"""

RETURN = r"""
msg:
  description: The totals in a sentence.
  returned: always
  type: str
  sample: 12 accounts on 8 servers would change, 1 refused, 2 not checked
hosts:
  description:
    - The hosts whose servers can be changed, in the order of the hosts, one name for each server. With O(source) or
      O(dest), those that would change.
  returned: success
  type: list
  elements: str
  sample: [orders-db]
read_only:
  description: The hosts whose servers are read-only, or replicate accounts from another server.
  returned: success
  type: list
  elements: str
  sample: [orders-reader]
unchanged:
  description:
    - The hosts that a roll-out leaves out, as nothing has to be changed on their servers. Hosts with
      C(mysql_tls_fail_on) are not among them, as their findings may fail them.
  returned: without O(dest) and O(source)
  type: list
  elements: str
  sample: [billing-db]
plans:
  description:
    - What would change, by host, as the option C(plan) of M(dbtls.rds_mysql.mysql_require_ssl) takes it.
  returned: success
  type: dict
members:
  description:
    - By host the option C(members) of M(dbtls.rds_mysql.mysql_require_ssl), with what the variable
      C(mysql_tls_members) lists and the servers of those hosts that are in the same cluster. Hosts without such others
      are not in it.
  returned: success
  type: dict
  sample: {orders-db: ["orders-replica.example.com:3306"]}
plan:
  description: The files, C(json) and C(html).
  returned: with O(dest)
  type: dict
  sample: {json: /var/lib/dbtls/plan/plan.json, html: /var/lib/dbtls/plan/plan.html}
failure:
  description: With O(dest), why the task fails, where the plan was written all the same.
  returned: failure
  type: str
  sample: 12 accounts on 8 servers would change, 1 refused. 1 server would not be changed, which is orders-db.
sha256:
  description: The SHA-256 of the plan. It is also in the plan.
  returned: with O(dest) or O(source)
  type: str
summary:
  description: The totals as numbers.
  returned: with O(dest)
  type: dict
  sample:
    servers: 12
    change: 8
    accounts: 12
    unchanged: 1
    refused: 1
    read_only: 0
    not_checked: 2
    left_out: 2
    readiness: {ready: 11, not_ready: 1, unknown: 2}
lines:
  description: The totals, and a line for each of the first servers, those that are refused first.
  returned: with O(dest)
  type: list
  elements: str
"""
