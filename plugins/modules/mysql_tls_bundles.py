# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_tls_bundles
short_description: Determine which CA bundles the hosts of a play need
version_added: 0.1.0
description:
  - Reads the variables of the role P(dbtls.rds_mysql.mysql_tls#role) for each host, with everything that the host's own
    tasks would see, and returns the CA bundles without repetitions. A fleet of a thousand servers in three regions
    needs three CA bundles.
  - This is one task for all hosts. Asking each host with M(ansible.builtin.set_fact) would be a task for each, and
    C(hostvars) shows neither the variables of the play nor those of a role.
  - A host for which C(mysql_tls_ca_cert) is set needs none.
  - With C(mysql_tls_url_password), the password of a mirror is in what is registered. Nothing of the result is printed
    then, as with C(no_log).
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
  hosts:
    description:
      - The hosts. The default is those of the play's current batch that have not failed.
    type: list
    elements: str
seealso:
  - module: dbtls.rds_mysql.rds_ca_bundle
  - plugin: dbtls.rds_mysql.ca_cert
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Determine required CA bundles
  dbtls.rds_mysql.mysql_tls_bundles:
  run_once: true
  register: needed

- name: Fetch CA bundles
  dbtls.rds_mysql.rds_ca_bundle:
    dest: "{{ item.dest }}"
    region: "{{ item.region }}"
    mode: "0644"
  loop: "{{ needed.bundles }}"
  run_once: true
  register: downloads
  ignore_errors: true

- name: Determine the CA bundles of one group
  dbtls.rds_mysql.mysql_tls_bundles:
    hosts: "{{ groups['orders'] }}"
  run_once: true
"""

RETURN = r"""
bundles:
  description: The bundles, as options of M(dbtls.rds_mysql.rds_ca_bundle), in the order of the hosts. An option that
    is not set is empty.
  returned: success
  type: list
  elements: dict
  sample:
    - dest: /home/dba/.cache/dbtls-rds-mysql/bundles/current-eu-central-1.pem
      region: eu-central-1
      ca_set: current
      base_url: ""
      url_username: ""
      url_password: ""
      ca_path: ""
      checksum: ""
ca_certs:
  description: The file with the CA certificates of each host, either C(dest) of a bundle or C(mysql_tls_ca_cert).
  returned: success
  type: dict
  sample:
    orders-db: /home/dba/.cache/dbtls-rds-mysql/bundles/current-eu-central-1.pem
secrets:
  description: The secrets of AWS Secrets Manager that the hosts' logins are in (C(mysql_tls_secret)), by name and
    without repetitions.
  returned: success
  type: list
  elements: dict
  sample:
    - name: orders-login
      region: eu-central-1
      profile: ""
secret_of:
  description: Which of RV(secrets) a host's login is in, for hosts that have one.
  returned: success
  type: dict
  sample:
    orders-db: 0
errors:
  description: Why the variables could not be evaluated, by the name of the host, for those where that is so.
  returned: success
  type: dict
  sample:
    shop-db: "'aws_region' is undefined"
"""
