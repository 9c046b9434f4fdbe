# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_tls_bundles
short_description: Fetch the CA bundles that the hosts of a play need
version_added: 0.1.0
description:
  - Reads the variables of the role P(dbtls.rds_mysql.mysql_tls#role) for each host, with everything that the host's own
    tasks would see, and fetches the CA bundles without repetitions. A fleet of a thousand servers in three regions
    needs three CA bundles.
  - This is one task for all hosts. Asking each host with M(ansible.builtin.set_fact) would be a task for each, and
    C(hostvars) shows neither the variables of the play nor those of a role.
  - A host for which C(mysql_tls_ca_cert) is set needs none.
  - Where a bundle cannot be fetched and the file of an earlier run is there, holds a certificate that has not expired,
    and has the C(mysql_tls_bundle_checksum) that may be set, that file is used, and a warning has its age.
  - Fails where no host has a file to verify its server with. Where only some have none, RV(errors) says why.
  - Runs on the controller, once for all hosts. M(dbtls.rds_mysql.rds_ca_bundle) runs where the task's host says, as for
    any module.
author:
  - dbtls contributors (@dbtls)
extends_documentation_fragment:
  - dbtls.rds_mysql.attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode no file is written. The role runs it without check mode, as it writes to no database.
  diff_mode:
    support: none
options:
  hosts:
    description:
      - The hosts. The default is those of the play's current batch that have not failed.
    type: list
    elements: str
  fetch:
    description:
      - Whether to fetch the bundles. With V(false) only their files are determined, as an earlier run has left them.
    type: bool
    default: true
    version_added: 0.2.0
seealso:
  - module: dbtls.rds_mysql.rds_ca_bundle
  - plugin: dbtls.rds_mysql.ca_cert
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Fetch CA bundles
  dbtls.rds_mysql.mysql_tls_bundles:
  run_once: true
  register: bundles

- name: Check TLS status
  dbtls.rds_mysql.mysql_ssl_status:
    login_host: "{{ ansible_host }}"
    ca_cert: "{{ bundles | dbtls.rds_mysql.ca_cert(inventory_hostname) }}"

- name: Determine the CA bundles of one group
  dbtls.rds_mysql.mysql_tls_bundles:
    hosts: "{{ groups['orders'] }}"
    fetch: false
  run_once: true
"""

RETURN = r"""
bundles:
  description: The files of the bundles, in the order of the hosts.
  returned: success
  type: list
  elements: path
  sample: [/home/dba/.cache/dbtls-rds-mysql/bundles/current-eu-central-1.pem]
ca_certs:
  description: The file with the CA certificates of each host, either one of RV(bundles) or C(mysql_tls_ca_cert).
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
  description: Why a host has no file, by its name. Its variables could not be evaluated, or its bundle was not fetched.
  returned: success
  type: dict
  sample:
    shop-db: "'aws_region' is undefined"
"""
