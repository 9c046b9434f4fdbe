#!/usr/bin/python
# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_tls_rds
short_description: Decide what the RDS API's answers mean for the hosts of a play
version_added: 0.2.0
description:
  - The role P(dbtls.rds_mysql.mysql_tls#role) uses it between the calls of the RDS API, which modules of C(amazon.aws)
    make. It calls no API itself.
  - It reads what the role has registered for the hosts. The steps V(lock) and V(rotation) fail with a sentence for each
    reason not to change a database.
  - Works on the controller only, whatever the connection of the host.
author:
  - dbtls contributors (@dbtls)
extends_documentation_fragment:
  - dbtls.rds_mysql.attributes
  - dbtls.rds_mysql.state
attributes:
  check_mode:
    support: full
    details:
      - Changes nothing in either mode.
  diff_mode:
    support: none
options:
  step:
    description:
      - V(places) checks that C(amazon.aws) and boto3 are installed, and determines which regions and AWS accounts the
        hosts are in.
      - V(databases) finds the instances and clusters that the hosts are.
      - V(lock) does the same, and decides whether TLS can be required in their parameter groups. It logs in to every
        server that one of these counts for, with the guards of M(dbtls.rds_mysql.mysql_require_ssl), and writes
        nothing.
        The role has registered what M(dbtls.rds_mysql.mysql_tls_readiness) has returned for the hosts.
      - V(rotation) decides whether the certificate of the task's host can be replaced.
    type: str
    required: true
    choices: [places, databases, lock, rotation]
  hosts:
    description:
      - The hosts, for all steps but V(rotation). The default is all hosts of the play.
    type: list
    elements: str
  bundles:
    description:
      - What M(dbtls.rds_mysql.mysql_tls_bundles) has returned, for V(lock).
    type: dict
  target:
    description: The CA that the certificate has to be issued under, for V(rotation).
    type: str
  apply_immediately:
    description: Whether that will be done at once, and not in the maintenance window.
    type: bool
    default: false
  reboot:
    description: Whether a restart is accepted.
    type: bool
    default: false
  ca_cert:
    description: The region's CA bundle, which says which certificates the new CA has.
    type: path
  client_bundles:
    description: Copies of the CA bundles that clients have.
    type: list
    elements: path
    default: []
  clients_gone:
    description:
      - Application hosts that are not used any more. For V(rotation), where the history has a CA bundle for them
        without the new CA.
    type: list
    elements: str
    default: []
seealso:
  - plugin: amazon.aws.rds_instance_info
    plugin_type: module
"""

EXAMPLES = r"""
- name: Determine the AWS regions and accounts of the hosts
  dbtls.rds_mysql.mysql_tls_rds:
    step: places
  run_once: true
  register: __mysql_tls_places

- name: Read DB instances
  amazon.aws.rds_instance_info:
    region: "{{ item.region }}"
  loop: "{{ __mysql_tls_places.places }}"
  run_once: true
  register: __mysql_tls_rds_instances

- name: Check that TLS can be required for one group
  dbtls.rds_mysql.mysql_tls_rds:
    step: lock
    hosts: "{{ groups['orders'] }}"
    bundles: "{{ __mysql_tls_bundles }}"
  run_once: true

- name: Check that the certificate can be replaced
  dbtls.rds_mysql.mysql_tls_rds:
    step: rotation
    target: rds-ca-rsa2048-g1
    apply_immediately: true
    reboot: false
    ca_cert: /var/cache/rds/eu-central-1.pem
    client_bundles: [/srv/copies/orders-app.pem]
    clients_gone: [orders-app-2]
    state_dir: /srv/mysql-tls-state
    state_group: dba
    history_days: 730
"""

RETURN = r"""
places:
  description: The regions and accounts, for V(places).
  type: list
  elements: dict
  returned: with O(step=places)
  sample: [{region: eu-central-1, profile: ""}]
databases:
  description: By host the database, its parameter group, the instances that share it, and its CA.
  type: dict
  returned: with O(step=databases) and O(step=lock)
  sample: {orders-db: {instance: orders, kind: instance, group: orders-tls, ca: rds-ca-rsa2048-g1}}
needed:
  description: Whether there is something to change, for V(lock) on one of the hosts at least.
  type: bool
  returned: with O(step=lock) and O(step=rotation)
time:
  description: When that was decided, for the name of a record.
  type: str
  returned: with O(step=lock)
  sample: 20261128T041500Z
pending:
  description: Whether the change already waits for the maintenance window.
  type: bool
  returned: with O(step=rotation)
restarts:
  description: Whether the version of the engine restarts to replace its certificate.
  type: bool
  returned: with O(step=rotation)
"""
