# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_tls_bundles
short_description: Say which CA bundles the hosts of a play need
version_added: 0.1.0
description:
  - Evaluates a variable for each host of the play, with everything that the host's own tasks would see, and returns
    what came of it without repetitions. A fleet of a thousand servers in three regions needs three CA bundles.
  - This is one task for all hosts. Asking each host with M(ansible.builtin.set_fact) would be a task for each, and
    C(hostvars) shows neither the variables of the play nor those of a role.
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
  variable:
    description:
      - Name of the variable that says which bundle a host needs, such as a dictionary with the options of
        M(dbtls.rds_mysql.rds_ca_bundle).
      - A host for which it is not defined or is empty needs none. One for which it cannot be evaluated is in
        RV(errors), and does not fail this task, which is for all hosts.
    type: str
    required: true
  unless:
    description:
      - Name of a variable that has a value for a host that needs no bundle, because it has a file of its own. Empty,
        null and omitted are none.
    type: str
  hosts:
    description:
      - The hosts. The default is those of the play's current batch that have not failed.
    type: list
    elements: str
seealso:
  - module: dbtls.rds_mysql.rds_ca_bundle
"""

EXAMPLES = r"""
- name: Say which bundles are needed
  dbtls.rds_mysql.mysql_tls_bundles:
    variable: ca_bundle
    unless: ca_cert
  vars:
    ca_bundle:
      dest: /var/cache/rds/{{ aws_region }}.pem
      region: "{{ aws_region }}"
  run_once: true
  register: needed

- name: Have them
  dbtls.rds_mysql.rds_ca_bundle:
    dest: "{{ item.dest }}"
    region: "{{ item.region }}"
    mode: "0644"
  loop: "{{ needed.bundles }}"
  run_once: true

- name: Say which bundles the hosts of one group need
  dbtls.rds_mysql.mysql_tls_bundles:
    variable: ca_bundle
    hosts: "{{ groups['orders'] }}"
  run_once: true
"""

RETURN = r"""
bundles:
  description: The different values of the variable, in the order of the hosts.
  returned: success
  type: list
  elements: raw
  sample:
    - dest: /var/cache/rds/eu-central-1.pem
      region: eu-central-1
errors:
  description: Why the variables could not be evaluated, by the name of the host, for those where that is so.
  returned: success
  type: dict
  sample:
    orders-db: "'aws_region' is undefined"
"""
