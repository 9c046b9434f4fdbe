# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_tls_report
short_description: Write a report of how the servers of an inventory stand about TLS
version_added: 0.1.0
description:
  - Writes one self-contained HTML page, a JSON file, and a CSV file from what
    M(dbtls.rds_mysql.mysql_ssl_status) has found of each host, with what got better and worse since the last run.
  - Works on the controller only, whatever the connection of the host. Run it once for all hosts, at the end of the
    play. It reads variables of all of them.
  - Hosts that could not be reached, and hosts that were not looked at because the play ended for them before that, are
    in the report as such.
author:
  - dbtls contributors (@dbtls)
extends_documentation_fragment:
  - dbtls.rds_mysql.attributes
attributes:
  check_mode:
    support: full
    details:
      - In check mode it writes its files all the same. They are on the controller, and what they report is the same
        in either mode.
  diff_mode:
    support: none
options:
  dest:
    description:
      - Directory on the controller for the report. It is made, with its parents, where it is not there.
      - The files are C(report.html), C(report.json), C(report.csv), and C(previous.json), the report of the run before.
      - A report of an earlier run becomes C(previous.json) before it is replaced. One of the same run, such as after
        every batch of a play with C(serial), is just replaced.
    type: path
    required: true
  title:
    description: Title of the report.
    type: str
    default: MySQL TLS report
  hosts:
    description:
      - Hosts whose servers are reported. The default is all hosts of the play, those that have failed included.
      - An empty list reports nothing but what O(merge) names.
    type: list
    elements: str
  variable:
    description:
      - Variable of each host that holds the registered result of M(dbtls.rds_mysql.mysql_ssl_status).
      - Of a result with C(endpoints) each endpoint is a server of its own.
    type: str
    default: mysql_tls_look
  merge:
    description:
      - Reports in JSON whose servers are added to those of the hosts, for an inventory that is done in slices.
      - Of a server that is in several the newest look counts.
    type: list
    elements: path
    default: []
  previous:
    description:
      - Report in JSON to compare with. It has to be there.
      - The default is the one of the run before in O(dest), where there is one.
    type: path
  junit:
    description:
      - Also write C(junit.xml), the report as a test run, with a test case for each server and check. A check fails
        from the severity on that O(fail_on) names, or from V(medium) on when that is V(none).
    type: bool
    default: false
  fail_on:
    description:
      - Fail, after everything is written, when there is a finding of at least this severity, or a server that could not
        be looked at.
      - What C(set_stats) would publish is then only in the result of the task, because Ansible takes no statistics
        from a task that has failed.
    type: str
    choices: [none, low, medium, high]
    default: none
notes:
  - The files say which accounts of which servers can be attacked. Keep them where only those who need them can read
    them.
  - The summary is published as the statistic C(mysql_tls), as M(ansible.builtin.set_stats) does. AWX makes it an
    artifact of the job.
seealso:
  - module: dbtls.rds_mysql.mysql_ssl_status
  - ref: Reading the report <ansible_collections.dbtls.rds_mysql.docsite.reading_the_report>
    description: What is in the page and in each field.
"""

EXAMPLES = r"""
- name: Look at every host of the play, and report whatever comes of it
  block:
    - name: Look
      dbtls.rds_mysql.mysql_ssl_status:
        login_host: "{{ ansible_host }}"
        config_file: ~/.my.cnf
        ca_cert: /etc/ssl/rds/eu-central-1-bundle.pem
      register: mysql_tls_look
  always:
    - name: Report
      dbtls.rds_mysql.mysql_tls_report:
        dest: /srv/reports/mysql-tls
        title: Databases of the shop
      run_once: true

- name: Report a sweep of many endpoints from one host, compare with last month, and fail the job for what is grave
  dbtls.rds_mysql.mysql_tls_report:
    dest: reports/november
    hosts:
      - localhost
    variable: looked
    previous: reports/october/report.json
    junit: true
    fail_on: high

- name: Make one report of the reports of four slices
  dbtls.rds_mysql.mysql_tls_report:
    dest: reports/all
    hosts: []
    merge:
      - reports/slice1/report.json
      - reports/slice2/report.json
      - reports/slice3/report.json
      - reports/slice4/report.json
  register: merged

- name: Say where it is, and what is worst
  ansible.builtin.debug:
    msg: "{{ merged.msg }} {{ merged.summary.worst | map(attribute='example') | join(' ') }}"
"""

RETURN = r"""
report:
  description: Paths of the files.
  returned: when the report was written
  type: dict
  contains:
    html:
      description: The page.
      type: str
      sample: /srv/reports/mysql-tls/report.html
    json:
      description: The report for programs.
      type: str
      sample: /srv/reports/mysql-tls/report.json
    csv:
      description: The report for spreadsheets, one line for each server.
      type: str
      sample: /srv/reports/mysql-tls/report.csv
    junit:
      description: The report as a test run, with O(junit=true).
      type: str
      sample: /srv/reports/mysql-tls/junit.xml
summary:
  description: The report in numbers, the same as in its JSON file.
  returned: when the report was written
  type: dict
  contains:
    servers:
      description: How many servers are in the report.
      type: int
      sample: 42
    looked_at:
      description: How many of them could be looked at.
      type: int
      sample: 40
    compliant:
      description: How many of these are compliant.
      type: int
      sample: 30
    not_compliant:
      description: How many have a finding of severity V(medium) or V(high).
      type: int
      sample: 9
    undecided:
      description:
        - How many have no such finding, but were looked at from outside only, or by a login that may not read the
          accounts, and do not require secure transport of all of them.
      type: int
      sample: 1
    unreachable:
      description: How many could not be reached.
      type: int
      sample: 1
    not_looked_at:
      description: How many were not looked at.
      type: int
      sample: 1
    findings:
      description: How many findings there are of each severity.
      type: dict
      sample: {high: 12, medium: 3, low: 40, info: 7}
    worst:
      description: Up to five kinds of findings of severity V(medium) or V(high), the worst first.
      type: list
      elements: dict
      contains:
        id:
          description: Id of the findings.
          type: str
          sample: account-without-tls
        severity:
          description: Their severity.
          type: str
          sample: high
        findings:
          description: How many there are.
          type: int
          sample: 12
        servers:
          description: On how many servers.
          type: int
          sample: 9
        example:
          description: The message of one of them.
          type: str
          sample: app@% may log in without TLS.
found:
  description:
    - What was found in words, by host, or by host and port of an endpoint. The lines of the summary that
      M(dbtls.rds_mysql.mysql_ssl_status) returns, or its message where it could not look.
    - It is there when the report could not be written, too.
  returned: when the looks could be read
  type: dict
  sample:
    billing:
      - mysql 9.7.4-2, TLSv1.3 TLS_AES_128_GCM_SHA256, not compliant
      - "high: account-without-tls: app@% may log in without TLS."
    stock: "Cannot reach stock:3306: Connection refused."
msg:
  description: The report in a sentence, and where it is.
  returned: always
  type: str
  sample: 30 of 42 servers are compliant, 9 are not, 1 could be seen in part only. /srv/reports/mysql-tls/report.html
ansible_stats:
  description: What is published as a statistic, RV(summary) and the paths.
  returned: when the report was written
  type: dict
  sample: {data: {mysql_tls: {servers: 42, compliant: 30}}, per_host: false, aggregate: true}
"""
