# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_tls_records
short_description: Write rollback records that another job has published to a file
version_added: 0.1.1
description:
  - Takes the records of this host out of the variable C(mysql_tls_rollback_records), which the role
    P(dbtls.rds_mysql.mysql_tls#role) publishes with M(ansible.builtin.set_stats), and merges them into the file that
    M(dbtls.rds_mysql.mysql_require_ssl) restores from.
  - The variable is one opaque text. It is read as it was given and never rendered, as a record holds names that others
    have chosen, and a name can be a template.
  - A dictionary of records by host, as version 0.1.0 published it, is taken as well, unless something in it could be a
    template.
  - Works on the controller only, whatever the connection of the host.
author:
  - dbtls contributors (@dbtls)
extends_documentation_fragment:
  - dbtls.rds_mysql.attributes
attributes:
  check_mode:
    support: full
    details:
      - Writes to a temporary file that is gone when Ansible ends, so that the tasks after this one can be checked.
  diff_mode:
    support: none
options:
  dest:
    description:
      - The file. Records that are in it already, by their id, stay as they are. Missing directories are created.
    type: path
    required: true
  former:
    description:
      - Files in which other releases have left records. Those of this server are merged. They need not exist.
    type: list
    elements: path
    default: []
    version_added: 0.2.0
  login_host:
    description:
      - Host name or address of the server. If O(dest) does not exist and no records are given, records of this server
        are searched in the other C(.json) files of its directory, such as after a host was renamed in the inventory.
    type: str
    required: true
    version_added: 0.2.0
  login_port:
    description: Port of the server.
    type: int
    required: true
    version_added: 0.2.0
  restore:
    description:
      - Which change will be restored, V(last), V(all) or the id of one. RV(path) is V(null) if no change has
        this id.
    type: str
    default: last
    version_added: 0.2.0
  group:
    description: Group whose members share the file, as O(dbtls.rds_mysql.mysql_require_ssl#module:rollback_group).
    type: str
    version_added: 0.2.0
seealso:
  - module: dbtls.rds_mysql.mysql_require_ssl
"""

EXAMPLES = r"""
- name: Write rollback records of an earlier job
  dbtls.rds_mysql.mysql_tls_records:
    dest: /var/lib/mysql-tls/rollback/orders.json
    former:
      - mysql-tls-report/rollback/orders.json
    login_host: orders.example.com
    login_port: 3306
    restore: last
    group: dba
  register: records
"""

RETURN = r"""
path:
  description: The file to restore from; V(null) if there is none and nothing was given for this host.
  returned: success
  type: str
  sample: /var/lib/mysql-tls/rollback/orders.json
records:
  description: How many records were added to the file.
  returned: success
  type: int
  sample: 1
"""
