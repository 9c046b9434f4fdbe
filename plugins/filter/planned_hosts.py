# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: planned_hosts
short_description: The hosts of a roll-out in their order
version_added: 0.2.0
description:
  - From what M(dbtls.rds_mysql.mysql_tls_plan) has registered in an earlier play to the hosts of the next one. The
    playbook C(dbtls.rds_mysql.enforce) uses it.
  - Servers that are read-only are not among them, and of several names of one server only the first is.
author:
  - dbtls contributors (@dbtls)
positional: hostvars, pattern, followers
options:
  _input:
    description:
      - The hosts of the inventory.
    type: list
    elements: str
    required: true
  hostvars:
    description:
      - Ansible's variable C(hostvars).
    type: dict
    required: true
  pattern:
    description:
      - What to return where nothing was registered.
    type: raw
    default: all
  followers:
    description:
      - With V(true), the hosts to check after the roll-out. These are servers that are read-only, and those that have
        changed since the plan.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read the plan
  hosts: all
  gather_facts: false
  tasks:
    - name: Read the plan
      dbtls.rds_mysql.mysql_tls_plan:
        source: /var/lib/dbtls/plan/plan.json
      run_once: true
      register: __mysql_tls_planned

- name: Require TLS
  hosts: "{{ groups['all'] | dbtls.rds_mysql.planned_hosts(hostvars) }}"
  gather_facts: false
  tasks:
    - name: Name the server
      ansible.builtin.debug:
        var: inventory_hostname
"""

RETURN = r"""
_value:
  description: The hosts.
  type: list
  elements: str
  sample: [orders-db, customers-db]
"""

import re
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain

_REGISTERED = "__mysql_tls_planned"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_ODD = re.compile(r"[^A-Za-z0-9_]", re.ASCII)
# A pattern that matches nothing; an empty list of hosts is an error in a play.
_NONE = ["!all"]


def planned_hosts(hosts: t.Iterable[str], hostvars: t.Any, pattern: t.Any = "all", followers: bool = False) -> t.Any:
    """The filter's work. See its documentation."""
    read = getattr(hostvars, "raw_get", hostvars.get)
    names = [str(host) for host in hosts]
    # A syntax check has no variables. A task that runs once registers its result for every host of its play.
    registered = (plain((read(host) or {}).get(_REGISTERED)) for host in names)
    planned: dict[str, t.Any] = next((found for found in registered if found), {})
    if "hosts" not in planned:
        return _NONE if followers else pattern
    if not followers:
        return _patterns(planned["hosts"])
    late = [
        host
        for host in planned["hosts"]
        if (plain(read(host).get("mysql_tls_change")) or {}).get("reason") == "changed_since_plan"
    ]
    return _patterns([*(host for host in planned["read_only"] if planned["plans"].get(host)), *late])


def _patterns(hosts: t.Iterable[str]) -> list[str]:
    """What selects exactly these hosts in a play.

    A name with a space or a comma would be a list of patterns there, none of which is a host, and the run would leave
    that host out; so such a name is a regular expression without these characters.
    """
    return [host if _PLAIN.fullmatch(host) else f"~{_ODD.sub(_escaped, host)}\\Z" for host in hosts] or _NONE


def _escaped(character: t.Match[str]) -> str:
    return f"\\U{ord(character[0]):08x}"


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"planned_hosts": planned_hosts}
