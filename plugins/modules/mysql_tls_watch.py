# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_tls_watch
short_description: Record who is connected to the servers of a play, and how
version_added: 0.2.0
description:
  - Logs in to the server of every host of the play in one task, as M(dbtls.rds_mysql.mysql_ssl_status) does with
    O(dbtls.rds_mysql.mysql_ssl_status#module:sessions_only=true), and adds what it sees to the observations in
    O(state_dir).
  - Meant to run every few minutes. After some weeks the observations show which accounts no client uses without TLS.
    See R(When is an account ready?, ansible_collections.dbtls.rds_mysql.docsite.account_readiness).
  - How to log in is read from the variables of the role P(dbtls.rds_mysql.mysql_tls#role) for each host.
  - Fails if a server could not be checked. What was seen of the others is recorded all the same.
  - Never changes anything on a server.
  - Works on the controller only, whatever the connection of the host. Run it once for all hosts.
author:
  - dbtls contributors (@dbtls)
extends_documentation_fragment:
  - dbtls.rds_mysql.attributes
  - dbtls.rds_mysql.state
attributes:
  check_mode:
    support: full
    details:
      - Records what it sees in check mode too, as it changes nothing on a server.
  diff_mode:
    support: none
options:
  bundles:
    description:
      - The result of M(dbtls.rds_mysql.mysql_tls_bundles) for these hosts.
    type: dict
    required: true
  watch_for:
    description:
      - Seconds for which it checks again and again. V(0) checks once.
    type: int
    default: 0
  interval:
    description:
      - Seconds from the beginning of one check to the next.
    type: int
    default: 60
  changes:
    description:
      - Name of a variable that has the registered result of M(dbtls.rds_mysql.mysql_require_ssl) for each host. The
        accounts for which it required TLS are recorded as changed, and logins of theirs that are refused from then on
        are returned in RV(refused) for a week.
    type: str
  stop_on_refusals:
    description:
      - Fail if logins of changed accounts are refused. Nothing is rolled back. A wrong password counts the same, so
        anyone could cause a rollback of TLS requirements by guessing.
    type: bool
    default: false
  hosts:
    description:
      - The hosts. The default is all hosts of the play.
    type: list
    elements: str
seealso:
  - module: dbtls.rds_mysql.mysql_ssl_status
  - module: dbtls.rds_mysql.mysql_tls_report
"""

EXAMPLES = r"""
- name: Determine required CA bundles
  dbtls.rds_mysql.mysql_tls_bundles:
  run_once: true
  register: bundles

- name: Record who is connected, every minute for a quarter of an hour
  dbtls.rds_mysql.mysql_tls_watch:
    state_dir: /var/lib/dbtls
    bundles: "{{ bundles }}"
    watch_for: 900
    interval: 60
  run_once: true

- name: Watch for refused logins for five minutes after a change
  dbtls.rds_mysql.mysql_tls_watch:
    bundles: "{{ bundles }}"
    changes: change
    watch_for: 300
    stop_on_refusals: true
  run_once: true

- name: Record who is connected to the servers of one group, with CA bundles that are downloaded now, and keep a year
  dbtls.rds_mysql.mysql_tls_watch:
    hosts: "{{ groups['orders'] }}"
    state_dir: /var/lib/dbtls
    bundles: "{{ bundles }}"
    history_days: 366
    state_group: dba
  run_once: true
"""

RETURN = r"""
passes:
  description: How often every server was checked.
  returned: always
  type: int
  sample: 1
checked:
  description: How many servers could be checked.
  returned: always
  type: int
  sample: 12
plaintext:
  description: The clients that were connected over a network without TLS, with the most sessions at a time.
  returned: always
  type: list
  elements: dict
  sample:
    - server: orders-db
      user: app
      host: 192.0.2.7
      program: billing
      driver: Connector/Python 9.1.0
      sessions: 3
blind:
  description: The servers that neither tell which sessions use TLS nor count logins with and without TLS.
  returned: always
  type: list
  elements: str
  sample: [legacy-db]
refused:
  description:
    - Changed accounts whose logins are refused since. C(logins) are those that the server counted for the user,
      C(clients) where they came from; with C(of_any_user) those of all users of a client.
    - A client that has given up is not counted.
  returned: always
  type: list
  elements: dict
  sample:
    - server: orders-db
      account: app@%
      since: "2026-11-28T12:00:00Z"
      last: "2026-11-28T12:05:00Z"
      logins: 3
      clients: [{host: 192.0.2.7, logins: 3}]
      of_any_user: false
unchecked:
  description: Why servers could not be checked, by host.
  returned: always
  type: dict
  sample:
    shop-db: "shop.example.com:3306 cannot be reached: timed out"
failure:
  description: Why the run as a whole should fail. Missing where the task could not do its work.
  returned: when a server could not be checked, or as O(stop_on_refusals) says
  type: str
  sample: "11 of 12 servers checked, 0.4 s a pass, 1 could not be checked: 1 client without TLS."
lines:
  description: The result in lines, at most some dozens.
  returned: always
  type: list
  elements: str
  sample:
    - "12 servers checked, 0.4 s a pass: 1 client without TLS."
    - "orders-db: app from 192.0.2.7 without TLS, 3 sessions (billing, Connector/Python 9.1.0)"
"""
