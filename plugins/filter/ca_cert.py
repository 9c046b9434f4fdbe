# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ca_cert
short_description: The CA certificates that a host's server is verified with
version_added: 0.2.0
description:
  - Takes what M(dbtls.rds_mysql.mysql_tls_bundles) has returned for all hosts, and gives the file of one host. The
    role P(dbtls.rds_mysql.mysql_tls#role) uses it.
  - Fails where the file of that host could not be determined or fetched, as without one the server would not be
    verified.
author:
  - dbtls contributors (@dbtls)
positional: host
options:
  _input:
    description:
      - The result of M(dbtls.rds_mysql.mysql_tls_bundles).
    type: dict
    required: true
  host:
    description:
      - The host.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Fetch CA bundles
  dbtls.rds_mysql.mysql_tls_bundles:
  run_once: true
  register: bundles

- name: Check TLS status
  dbtls.rds_mysql.mysql_ssl_status:
    login_host: "{{ ansible_host }}"
    ca_cert: "{{ bundles | dbtls.rds_mysql.ca_cert(inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: The file.
  type: path
  sample: /home/dba/.cache/dbtls-rds-mysql/bundles/current-eu-central-1.pem
"""

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.ca_certs import ca_cert


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"ca_cert": ca_cert}
