# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: roll_out
short_description: What a change has come to on each host
version_added: 0.1.0
description:
  - Puts the results of M(dbtls.rds_mysql.mysql_require_ssl) of many hosts into words, and into what
    M(ansible.builtin.set_stats) can publish. The role P(dbtls.rds_mysql.mysql_tls#role) uses it.
author:
  - dbtls contributors (@dbtls)
positional: looks, limit
options:
  _input:
    description:
      - Registered results of M(dbtls.rds_mysql.mysql_require_ssl) by host; an empty dictionary for a host without.
    type: dict
    required: true
  looks:
    description: Registered results of M(dbtls.rds_mysql.mysql_ssl_status) by host, in the same way.
    type: dict
    required: true
  limit:
    description:
      - How long C(mysql_tls_rollback_records) in RV(_value.stats) may be, in bytes. It is left out if longer.
    type: int
    default: 262144
"""

EXAMPLES = r"""
- name: Say what was changed, what was put back, and what was not reached
  ansible.builtin.debug:
    msg: "{{ ({'db1': mysql_tls_change} | dbtls.rds_mysql.roll_out({'db1': mysql_tls_look})).lines }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: What has come of it.
  type: dict
  contains:
    lines:
      description: A sentence for each host.
      type: dict
      sample: {db1: "changed: app@% NONE -> ANY; what was there is in /var/lib/dbtls/db1.json"}
    failed_share:
      description: How many of the hosts that were reached so far have failed, in percent.
      type: float
      sample: 12.5
    stats:
      description:
        - For M(ansible.builtin.set_stats). Holds no secrets.
        - C(mysql_tls_roll_out) has a word for each host, C(mysql_tls_rollback_records) the record of each change as one
          opaque text, which the entry point rollback of the role takes as a variable.
      type: dict
"""

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.roll_out import failed_share, lines, stats


def roll_out(
    changes: dict[str, t.Any],
    looks: dict[str, t.Any],
    limit: int = 262144,
) -> dict[str, t.Any]:
    """The filter's work. See its documentation."""
    return {
        "lines": lines(changes, looks),
        "failed_share": failed_share(changes, looks),
        "stats": stats(changes, looks, limit),
    }


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"roll_out": roll_out}
