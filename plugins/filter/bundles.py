# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: bundles
short_description: The CA bundles that the hosts of a run need, each once
version_added: 0.1.0
author: dbtls contributors (@dbtls)
description:
  - Works out which different CA bundles the hosts of a play need, so that each is fetched once and not once for every
    host. Hosts that bring their own CA certificates need none.
positional: hostvars, current, defaults
options:
  _input:
    description: Names of the hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The C(hostvars) of the play.
    type: dict
    required: true
  current:
    description: For each variable, its value for the host that runs the task.
    type: dict
    required: true
  defaults:
    description: For each variable, the role's default. Another host's variables do not show it.
    type: dict
    required: true
  name:
    description: Name of the host that runs the task.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Fetch every bundle once
  dbtls.rds_mysql.rds_ca_bundle:
    dest: "/etc/ssl/rds/{{ item.region }}.pem"
    region: "{{ item.region }}"
  loop: >-
    {{ ansible_play_hosts | dbtls.rds_mysql.bundles(hostvars, {'mysql_tls_region': mysql_tls_region},
    {'mysql_tls_region': 'global'}, name=inventory_hostname) }}
  run_once: true
"""

RETURN = r"""
_value:
  description: The different combinations of the variables, by name without C(mysql_tls_).
  type: list
  elements: dict
"""

import typing as t

_PREFIX = "mysql_tls_"
_OWN_CERTIFICATES = "mysql_tls_ca_cert"


def bundles(
    hosts: t.Sequence[str],
    hostvars: t.Mapping[str, t.Mapping[str, t.Any]],
    current: t.Mapping[str, t.Any],
    defaults: t.Mapping[str, t.Any],
    name: str,
) -> list[dict[str, t.Any]]:
    """The different combinations of ``defaults``' variables among the hosts, in the order of the hosts."""
    mine = hostvars[name]
    # A variable of the play or of the role's call is not among any host's variables, but beats them: it shows in that
    # the current host's value is not the one that the inventory (or the default) gives it.
    overridden = {key for key in defaults if current[key] != mine.get(key, defaults[key])}
    found: dict[tuple[t.Any, ...], dict[str, t.Any]] = {}
    for host in hosts:
        if hostvars[host].get(_OWN_CERTIFICATES):
            continue
        values = {
            key: current[key] if key in overridden else hostvars[host].get(key, default)
            for key, default in defaults.items()
        }
        found.setdefault(tuple(values.values()), {key[len(_PREFIX) :]: value for key, value in values.items()})
    return list(found.values())


class FilterModule:
    """Filters of the role."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """By name."""
        return {"bundles": bundles}
