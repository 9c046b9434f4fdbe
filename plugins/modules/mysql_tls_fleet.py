# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_tls_fleet
short_description: Check the servers of all hosts of a play in one task
version_added: 0.2.0
description:
  - Does what the entry point C(audit) of the role P(dbtls.rds_mysql.mysql_tls#role) does, in one task for all hosts.
    The playbook C(dbtls.rds_mysql.audit) uses it.
  - Reads the variables of the role for each host, with everything that the host's own tasks would see, fetches the CA
    bundles that are needed, checks all servers at once, each with its own deadline, and writes the report.
  - Unknown variables and missing credentials fail the task before a server is contacted. A host whose variables cannot
    be evaluated is reported as not checked, and the others are checked.
  - For hosts with the role's variable C(mysql_tls_rds_api) it also reads the RDS API with modules of C(amazon.aws),
    once for each region and AWS account, and reports what contradicts the servers.
  - While it works, it shows every few seconds how many servers are checked, and which of them do not answer. When it is
    interrupted, it reports what it has seen until then.
  - Works on the controller only, whatever the connection of the host. Run it once for all hosts, from a task of the
    role.
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
      - Databases are only read, so that it does the same in either mode.
  diff_mode:
    support: none
options:
  hosts:
    description: The hosts. The default is all hosts of the play.
    type: list
    elements: str
  fetch:
    description: Whether to fetch CA bundles. With V(false), those of an earlier run are used.
    type: bool
    default: true
  check:
    description: Whether to check the servers. With V(false), the report has what the history knows of them.
    type: bool
    default: true
  report:
    description: Whether to write the report.
    type: bool
    default: true
  dest:
    description: As in M(dbtls.rds_mysql.mysql_tls_report).
    type: path
    required: true
  title:
    description: As in M(dbtls.rds_mysql.mysql_tls_report).
    type: str
    default: MySQL TLS report
  merge:
    description: As in M(dbtls.rds_mysql.mysql_tls_report).
    type: list
    elements: path
    default: []
  previous:
    description: As in M(dbtls.rds_mysql.mysql_tls_report).
    type: path
  junit:
    description: As in M(dbtls.rds_mysql.mysql_tls_report).
    type: bool
    default: false
  openmetrics:
    description: As in M(dbtls.rds_mysql.mysql_tls_report).
    type: path
  ca_certs:
    description:
      - CA bundles of which the report records the SHA-256, beside those that the checks verify with.
    type: list
    elements: path
    default: []
  tls_min_version:
    description: As in M(dbtls.rds_mysql.mysql_tls_report).
    type: str
  fail_on:
    description: As in M(dbtls.rds_mysql.mysql_tls_report).
    type: str
    choices: [none, low, medium, high]
    default: none
  fail_on_new:
    description: As in M(dbtls.rds_mysql.mysql_tls_report).
    type: str
    choices: [none, low, medium, high]
    default: none
  waivers:
    description: As in M(dbtls.rds_mysql.mysql_tls_report).
    type: raw
seealso:
  - module: dbtls.rds_mysql.mysql_tls_report
  - module: dbtls.rds_mysql.mysql_ssl_status
  - ref: Performance <ansible_collections.dbtls.rds_mysql.docsite.fleet_speed>
    description: What it costs, and when a task for each host is needed.
"""

EXAMPLES = r"""
- name: Check all servers and write the report
  dbtls.rds_mysql.mysql_tls_fleet:
    dest: "{{ mysql_tls_report_dir }}"
  run_once: true
  register: audit

- name: Show what decides
  ansible.builtin.debug:
    msg: "{{ audit.lines }}"
  run_once: true
"""

RETURN = r"""
hosts:
  description:
    - What was found, by host, in short. The report has all of it. With C(refused) the server was not contacted, for the
      reason in C(msg).
  returned: success
  type: dict
  sample:
    orders-db:
      failed: false
      refused: false
      msg: null
      verdict: non_compliant
      findings: [account-without-tls]
      server: {family: mysql, managed_by: rds, version: 8.0.39}
lines:
  description: The report for a terminal, totals first, then the servers with the most severe findings.
  returned: success
  type: list
  elements: str
  sample:
    - "2 servers: 1 compliant, 1 non-compliant. /reports/report.html"
failure:
  description: Why the run as a whole should fail, such as servers that could not be checked. Empty where it should not.
  returned: success
  type: str
  sample: ""
report:
  description: The files of the report, by kind, as M(dbtls.rds_mysql.mysql_tls_report) returns them.
  returned: where a report is written
  type: dict
  sample:
    html: /reports/report.html
summary:
  description: The report in numbers, as M(dbtls.rds_mysql.mysql_tls_report) returns it.
  returned: where a report is written
  type: dict
  sample:
    servers: 2
"""
