# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_summary
short_description: What a change has come to on each host
version_added: 0.2.0
description:
  - Puts the results that M(dbtls.rds_mysql.mysql_require_ssl) and M(dbtls.rds_mysql.mysql_ssl_status) have registered
    for many hosts into words, and into what M(ansible.builtin.set_stats) can publish. The role
    P(dbtls.rds_mysql.mysql_tls#role) uses it.
  - The results are those in the variables C(mysql_tls_change) and C(mysql_tls_look) of each host.
  - Control characters in what servers have said are escaped in the words.
author:
  - dbtls contributors (@dbtls)
positional: hostvars, limit, most_failures, batch, serial, check_mode, planned
options:
  _input:
    description:
      - The hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description:
      - Ansible's variable C(hostvars).
    type: dict
    required: true
  limit:
    description:
      - How long C(mysql_tls_rollback_records) in RV(_value.stats) may be, in bytes. It is left out if longer.
    type: int
    default: 262144
  most_failures:
    description:
      - How many percent of the hosts that were reached may have failed without RV(_value.stop).
    type: float
    default: 0
  batch:
    description:
      - The hosts of this batch. The default is all hosts.
    type: list
    elements: str
  serial:
    description:
      - The sizes of the batches, as in the keyword C(serial) of the play.
    type: list
    elements: str
    default: ["100%"]
  check_mode:
    description:
      - Whether it was a roll-out in check mode, so that RV(_value.message) has the totals of a plan.
    type: bool
    default: false
  planned:
    description:
      - What M(dbtls.rds_mysql.mysql_tls_plan) has returned for the roll-out. The hosts in its C(unchanged) count in
        RV(_value.totals) and RV(_value.stats).
    type: dict
"""

EXAMPLES = r"""
- name: Show roll-out summary
  ansible.builtin.debug:
    msg: "{{ (ansible_play_hosts_all | dbtls.rds_mysql.rollout_summary(hostvars)).lines }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: What has come of it.
  type: dict
  contains:
    totals:
      description: How many hosts there are of each outcome.
      type: str
      sample: "13 servers: 12 changed, 1 not started"
    lines:
      description: A sentence for each host.
      type: dict
      sample: {db1: "changed: app@% NONE -> ANY; rollback record: /var/lib/dbtls/db1.json"}
    message:
      description:
        - What to show after a batch. It is the number of the batch and its totals; after the last batch also why the
          roll-out has stopped, the totals, and the lines.
      type: list
      elements: raw
      sample: ["Batch 1 of 5: 1 server: 1 changed"]
    stop:
      description: Why the roll-out has to stop, or empty.
      type: str
      sample: "Roll-out stopped: 1 of 13 servers failed (limit 0 %): customers-stage"
    no_records:
      description: Whether there was no rollback record of any host.
      type: bool
      sample: false
    stats:
      description:
        - For M(ansible.builtin.set_stats). Holds no secrets.
        - C(mysql_tls_roll_out) has a word for each host, C(mysql_tls_rollback_records) the record of each change as one
          opaque text, which the entry point rollback of the role takes as a variable.
      type: dict
"""

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import rollout_summary as rollout


def rollout_summary(
    hosts: t.Iterable[str],
    hostvars: t.Any,
    limit: int = 262144,
    most_failures: float = 0,
    batch: t.Iterable[str] | None = None,
    serial: t.Iterable[t.Any] = ("100%",),
    check_mode: bool = False,
    planned: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """The filter's work. See its documentation."""
    hosts = [str(host) for host in hosts]
    changes, checks = rollout.registered(hosts, hostvars, "mysql_tls_change"), rollout.checked(hosts, hostvars)
    stopped = rollout.stop(changes, checks, float(most_failures))
    planned = planned or {}
    unchanged = [str(host) for host in planned.get("unchanged") or ()]
    whole = rollout.with_unchanged(changes, unchanged)
    # A plan that was read is one of another time.
    of_now = planned.get("msg") if "unchanged" in planned and "sha256" not in planned else None
    would = (of_now or rollout.planned(changes, checks)) if check_mode else None
    here = hosts if batch is None else [str(host) for host in batch]
    first = [text for text in (stopped, would) if text]
    sizes = [str(size) for size in serial]
    message = rollout.message(
        changes, checks, first, here, sizes, stops=bool(stopped), planned=bool(would), unchanged=unchanged
    )
    return {
        "totals": rollout.totals(whole, checks),
        "lines": rollout.lines(changes, checks),
        "message": message,
        "stop": stopped or "",
        "no_records": rollout.no_records(changes),
        "stats": rollout.stats(whole, checks, limit),
    }


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"rollout_summary": rollout_summary}
