# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_tls_report
short_description: Write a report on the TLS status of an inventory's database servers
version_added: 0.1.0
description:
  - Writes one self-contained HTML page, a JSON file, and CSV files from what
    M(dbtls.rds_mysql.mysql_ssl_status) has found for each host, with what has changed since each
    server's own last good check.
  - Works on the controller only, whatever the connection of the host. Run it once for all hosts, at the end of the
    play. It reads variables of all of them.
  - Hosts that could not be reached, and hosts that were not checked because the play ended for them before that, are
    in the report as such.
author:
  - dbtls contributors (@dbtls)
extends_documentation_fragment:
  - dbtls.rds_mysql.attributes
  - dbtls.rds_mysql.state.readiness
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
      - Directory on the controller for the report. It is created, with its parents, if it does not exist.
      - The files are C(report.html), C(report.json), C(report.csv), C(findings.csv), and C(report.sha256) with their
        checksums.
      - A report that is there is replaced. What it was made of stays in the history (see O(state_dir)).
      - The files have the permissions C(0640), or what the umask leaves of them.
    type: path
    required: true
  title:
    description: Title of the report.
    type: str
    default: MySQL TLS report
  hosts:
    description:
      - Hosts whose servers are reported. The default is all hosts of the play, those that have failed included, and of
        other hosts of the inventory what their last check has found.
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
      - Reports in JSON whose servers are added to those of the hosts, for an inventory that is done in slices. Reports
        of older versions of the collection are read as well.
      - If a server is in several of them, its newest check counts. A report that could not check it counts as well, as
        of when it was made.
    type: list
    elements: path
    default: []
  slices:
    description:
      - Directory with a directory for each slice of an inventory that several jobs have audited. Each was the
        O(state_dir) of a job and the O(dest) of its report. The history has the checks, and the report has what could
        not be checked.
      - Adds their histories and observations to O(state_dir), reports every server of the history, and removes the
        slices. Servers that a slice could not check are reported so, unless a check was made after its report. Servers
        that are in no slice, or that the inventory no longer has, are reported as last checked.
      - Run it when the jobs have ended. A directory that has anything else in it, such as rollback records, stays, and
        a warning says so. In check mode all of them stay.
      - Fails, after everything is written, if there is no slice or nothing in a slice can be read.
    type: path
    version_added: 0.2.0
  previous:
    description:
      - Report in JSON to compare with. The file must exist. Reports of older versions of the collection are read as
        well.
      - By default each server is compared with its own last good check in the history.
    type: path
  state_dir:
    description:
      - Directory on the controller that keeps the history of all runs, in its directory C(history). It is created, with
        its parents, if it does not exist.
      - Each run writes a file of its own there. Histories of several machines can be merged by copying their files.
      - If it cannot be written, the report is made all the same, and a warning says so.
      - The default is C(dbtls-rds-mysql) in E(XDG_STATE_HOME), or in C(~/.local/state) if that is not set.
    type: path
    version_added: 0.2.0
  state_group:
    description:
      - Group whose members share O(state_dir). New files have the permissions C(0660) and this group.
      - By default they can be read and written by their owner only.
    type: str
    version_added: 0.2.0
  history_days:
    description:
      - How many days the history keeps the runs, from 1 to 36500. Older files are removed.
    type: int
    default: 400
    version_added: 0.2.0
  waivers:
    description:
      - Findings that are accepted for a time, as a list, or as the path of a YAML file with such a list.
      - Each is a dictionary with C(finding), C(owner), C(reason) and C(expires), and optionally C(server) and
        C(account).
      - C(finding) is the id of findings, C(server) the name of a server and C(account) an account such as V(app@%).
        They are patterns with V(*) and V(?), without regard to case. Server and account are V(*) by default. An account
        other than V(*) matches only findings about accounts and sessions.
      - C(owner) says who accepts the finding, C(reason) why, and C(expires) on which day it counts again.
      - A waived finding is reported as such, and does not count for the verdict, O(fail_on) and O(fail_on_new).
      - A waiver that expires within 14 days, that has expired or that matches nothing is named in a warning.
    type: raw
    version_added: 0.2.0
  junit:
    description:
      - Also write C(junit.xml), the report as a test run, with a test case for each server and kind of finding. A test
        case fails from the severity on that O(fail_on) names, or from V(medium) on when that is V(none).
    type: bool
    default: false
  openmetrics:
    description:
      - Also write metrics to this file, for the textfile collector of Prometheus' node_exporter. The collector reads
        files whose name ends in C(.prom). The directory must exist.
      - The file has the permissions C(0644), or what the umask leaves of them. It holds counts, and no names of servers
        or accounts.
    type: path
    version_added: 0.2.0
  ca_certs:
    description:
      - CA bundles on the controller that the checks verified with. The report records the SHA-256 of each. With
        O(slices) it records those of the slices.
    type: list
    elements: path
    default: []
    version_added: 0.2.0
  tls_min_version:
    description:
      - Oldest TLS version that the checks accepted for their own sessions. The report records it. With O(slices) it
        records that of the slices.
    type: str
    version_added: 0.2.0
  fail_on:
    description:
      - Fail, after everything is written, when there is a finding of at least this severity, or a server that could not
        be checked. A warning names servers whose accounts are not known, so that none without TLS fails it.
      - What C(set_stats) would publish is then only in the result of the task, because Ansible takes no statistics
        from a task that has failed.
    type: str
    choices: [none, low, medium, high]
    default: none
  fail_on_new:
    description:
      - Fail, after everything is written, when there is a finding of at least this severity that the server's last good
        check had not, an account that no longer requires TLS, or a server that could be checked then and cannot now.
      - Of a server that has never been checked everything is new.
    type: str
    choices: [none, low, medium, high]
    default: none
    version_added: 0.2.0
notes:
  - The files say which accounts of which servers can be attacked. Keep them where only those who need them can read
    them.
  - The summary is published as the statistic C(mysql_tls), as M(ansible.builtin.set_stats) does. AWX makes it an
    artifact of the job.
seealso:
  - module: dbtls.rds_mysql.mysql_ssl_status
  - ref: Reading the report <ansible_collections.dbtls.rds_mysql.docsite.reading_the_report>
    description: What the page and each field mean.
"""

EXAMPLES = r"""
- name: Check every host of the play, and report the result in any case
  block:
    - name: Check TLS status
      dbtls.rds_mysql.mysql_ssl_status:
        login_host: "{{ ansible_host }}"
        config_file: ~/.my.cnf
        ca_cert: /etc/ssl/rds/eu-central-1-bundle.pem
      register: mysql_tls_look
  always:
    - name: Write the report
      dbtls.rds_mysql.mysql_tls_report:
        dest: /srv/reports/mysql-tls
        title: Databases of the shop
      run_once: true

- name: Report a sweep of many endpoints from one host, compare with last month, and fail for severe findings
  dbtls.rds_mysql.mysql_tls_report:
    dest: reports/november
    hosts:
      - localhost
    variable: swept
    previous: reports/october/report.json
    state_dir: /srv/mysql-tls-state
    state_group: dba
    history_days: 730
    quiet_days: 100
    min_coverage: 0.95
    watch_every: 10
    min_seen: 0.1
    ca_certs:
      - /etc/ssl/rds/global-bundle.pem
    tls_min_version: TLSv1.2
    openmetrics: /var/lib/node_exporter/mysql_tls.prom
    junit: true
    fail_on: high

- name: Fail for what is new since the last check, except for what is waived
  dbtls.rds_mysql.mysql_tls_report:
    dest: reports/nightly
    fail_on_new: medium
    waivers:
      - finding: account-without-tls
        server: legacy-*
        account: erp@%
        owner: finance
        reason: The vendor's driver gets TLS in its next release.
        expires: 2027-03-31
  run_once: true

- name: Merge the reports of four slices into one
  dbtls.rds_mysql.mysql_tls_report:
    dest: reports/all
    hosts: []
    merge:
      - reports/slice1/report.json
      - reports/slice2/report.json
      - reports/slice3/report.json
      - reports/slice4/report.json
  register: merged

- name: Merge what the job slices of AWX have recorded
  dbtls.rds_mysql.mysql_tls_report:
    dest: /var/lib/mysql-tls/report
    state_dir: /var/lib/mysql-tls
    hosts: []
    slices: /var/lib/mysql-tls/slices

- name: Show the path of the report, and the top issues
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
    findings_csv:
      description: The findings for spreadsheets, one line for each.
      type: str
      sample: /srv/reports/mysql-tls/findings.csv
    checksums:
      description: SHA-256 of the other files in O(dest), as C(sha256sum --check) reads it.
      type: str
      sample: /srv/reports/mysql-tls/report.sha256
    openmetrics:
      description: The metrics, with O(openmetrics).
      type: str
      sample: /var/lib/node_exporter/mysql_tls.prom
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
    checked:
      description: How many of them could be checked.
      type: int
      sample: 40
    compliant:
      description: How many of these are compliant.
      type: int
      sample: 30
    non_compliant:
      description: How many have a finding of severity V(medium) or V(high).
      type: int
      sample: 9
    undecided:
      description:
        - How many have no such finding, but something that decides could not be read, such as the accounts.
      type: int
      sample: 1
    unreachable:
      description: How many could not be reached.
      type: int
      sample: 1
    not_checked:
      description: How many were not checked.
      type: int
      sample: 1
    accounts:
      description: How many accounts could be read, without roles.
      type: int
      sample: 412
    exposed_accounts:
      description: How many accounts accept plaintext over a network.
      type: int
      sample: 12
    exposed_servers:
      description: On how many servers.
      type: int
      sample: 9
    plaintext_clients:
      description: How many clients were connected without TLS.
      type: int
      sample: 3
    certificates:
      description: How many servers have shown a certificate.
      type: int
      sample: 40
    certificates_expiring:
      description: How many of these have expired or will soon.
      type: int
      sample: 2
    findings:
      description: How many findings there are of each severity.
      type: dict
      sample: {high: 12, medium: 3, low: 40, info: 7}
    compliant_with_waivers:
      description: How many of the compliant servers are so because findings are waived.
      type: int
      sample: 1
    waived:
      description: How many findings of severity V(medium) or V(high) are waived.
      type: int
      sample: 2
    earlier:
      description: How many servers this run did not cover. They are as their last check has found them.
      type: int
      sample: 0
    oldest_check:
      description: When the server was checked whose last check is the longest ago.
      type: str
      sample: "2026-11-24T15:40:00Z"
    readiness:
      description:
        - How many accounts that can log in without TLS are V(ready), V(not_ready) or V(unknown); V(null) where
          M(dbtls.rds_mysql.mysql_tls_watch) has recorded nothing.
      type: dict
      sample: {ready: 12, not_ready: 3, unknown: 5}
    worst:
      description: Up to five kinds of findings of severity V(medium) or V(high), the most severe first.
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
refused_logins:
  description:
    - Accounts for which TLS was required and whose logins are refused since, a sentence each, at most 20. A wrong
      password counts the same.
  returned: when the report was written
  type: list
  elements: str
  sample:
    - "orders-db: app@%: 3 refused logins since 2026-11-28T12:00:00Z: 3 from 192.0.2.7"
changes:
  description:
    - What is C(new), C(resolved) and C(drifted), as a list of sentences each, the most severe first, at most 20 of
      each.
  returned: when the report was written
  type: dict
  sample:
    new: ["high: db1: app@% may log in without TLS."]
    resolved: []
    drifted: ["high: db1: app@% required ANY on 2026-11-24T15:40:00Z and requires NONE now."]
clients:
  description:
    - A sentence for each application host whose CA bundle lacks a CA of Amazon RDS that a server uses, or will use
      after its rotation. The playbook C(bundle) records which host has which bundle. They are warnings, too.
  returned: when the report was written
  type: list
  elements: str
  sample:
    - >-
      app1: /etc/ssl/rds.pem lacks rds-ca-ecc384-g1 of eu-central-1, which db1 uses. Run the playbook bundle for this
      host.
notice:
  description: What a message to people says.
  returned: when the report was written
  type: dict
  contains:
    subject:
      description: The title and the report in a sentence.
      type: str
      sample: "MySQL TLS report: 42 servers: 31 compliant, 9 non-compliant, 2 unreachable."
    lines:
      description:
        - What is new or worse, no longer requires TLS, resolved, expiring and not checked, with the first of each.
      type: list
      elements: str
      sample: ["New or worse: 1 (high: db1: app@% may log in without TLS.)"]
    report:
      description: Path of the page.
      type: str
      sample: /srv/reports/mysql-tls/report.html
    changed:
      description:
        - Whether something is new, worse or resolved, an account no longer requires TLS, or there was nothing to
          compare with.
      type: bool
      sample: true
found:
  description:
    - What was found as text, by host, or by host and port of an endpoint. The lines of the summary that
      M(dbtls.rds_mysql.mysql_ssl_status) returns, or its message where it could not check.
    - It is there when the report could not be written, too.
  returned: when the results could be read
  type: dict
  sample:
    billing:
      - mysql 9.7.4-2, TLSv1.3 TLS_AES_128_GCM_SHA256, non-compliant
      - "high: account-without-tls: app@% may log in without TLS."
    stock: "Cannot reach stock:3306: Connection refused."
msg:
  description: The report in a sentence, and where it is.
  returned: always
  type: str
  sample: "42 servers: 31 compliant, 9 non-compliant, 2 unreachable. /srv/reports/mysql-tls/report.html"
failing:
  description:
    - Why hosts fail, by host, as the role's variable C(mysql_tls_fail_on) of each says. Waived findings do not
      count.
  returned: when the report was written
  type: dict
  sample:
    billing: "billing has 1 finding of severity high or more: [account-without-tls] app@% may log in without TLS."
failure:
  description:
    - Why the task fails by O(fail_on) or O(fail_on_new), or as there are no O(slices), where the report was written all
      the same.
  returned: failure
  type: str
  sample: "There are 2 new findings of severity high or more. 42 servers: 31 compliant, 11 non-compliant."
ansible_stats:
  description: What is published as a statistic, RV(summary), RV(changes) and the paths.
  returned: when the report was written
  type: dict
  sample: {data: {mysql_tls: {servers: 42, compliant: 30}}, per_host: false, aggregate: true}
"""
