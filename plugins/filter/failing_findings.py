# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: failing_findings
short_description: Why a check of a server fails for its findings
version_added: 0.2.0
description:
  - What M(dbtls.rds_mysql.mysql_ssl_status) has registered for a host, as a sentence about the findings of a severity.
    Findings that are waived do not count. The role P(dbtls.rds_mysql.mysql_tls#role) uses it after a change.
author:
  - dbtls contributors (@dbtls)
positional: host, fail_on, waivers
options:
  _input:
    description:
      - The registered result.
    type: dict
    required: true
  host:
    description:
      - The host.
    type: str
    required: true
  fail_on:
    description:
      - The least severity that counts.
    type: str
    choices: [none, low, medium, high]
    required: true
  waivers:
    description:
      - Findings that are accepted for a time, as M(dbtls.rds_mysql.mysql_tls_report) takes them.
    type: raw
    default: []
"""

EXAMPLES = r"""
- name: Check TLS status
  dbtls.rds_mysql.mysql_ssl_status:
    login_host: "{{ ansible_host }}"
  register: checked

- name: Fail if the server has findings that are not waived
  ansible.builtin.fail:
    msg: "{{ problem }}"
  vars:
    problem: "{{ checked | dbtls.rds_mysql.failing_findings(inventory_hostname, 'medium', waivers) }}"
    waivers:
      - finding: account-without-tls
        account: erp@10.*
        owner: finance-platform
        reason: The vendor's driver gets TLS in its next release.
        expires: 2099-03-31
  when: problem | length > 0
"""

RETURN = r"""
_value:
  description: The sentence, or an empty text.
  type: str
  sample: "db1 has 1 finding of severity medium or more: [transport-not-required] ..."
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601, utc_now
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.from_results import servers_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report.waivers import failing, read_waivers


def failing_findings(result: t.Any, host: str, fail_on: str, waivers: t.Any = ()) -> str:
    """The filter's work. See its documentation."""
    now = utc_now()
    try:
        accepted = read_waivers(plain(waivers) or [], now.date())
    except RdsMysqlError as e:
        raise AnsibleFilterError(e.message) from None  # which Ansible would print as well
    servers = accepted.apply(servers_of(str(host), plain(result), iso8601(now)))
    return failing(servers, {str(host): str(fail_on)}).get(str(host), "")


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"failing_findings": failing_findings}
