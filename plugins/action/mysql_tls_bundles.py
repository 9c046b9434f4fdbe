# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which CA bundles the hosts of a play need, in one task for all of them."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import Fleet, bundle_of, own_ca_cert
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import ControllerAction, hosts_of

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {"hosts": {"type": "list", "elements": "str"}}


class ActionModule(ControllerAction):
    """``mysql_tls_bundles``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Ask each host's variables."""
        fleet = Fleet(self._task, variables, self._loader)
        bundles: list[dict[str, str]] = []
        ca_certs: dict[str, str] = {}
        errors: dict[str, str] = {}
        for host in hosts_of(options, variables, "ansible_play_batch"):
            values = fleet.of(host)
            try:
                own = own_ca_cert(values)
                bundle = bundle_of(values) if own is None else None
            except AnsibleError as e:
                # Of this host alone; the others get what they need.
                errors[host] = to_text(e)
                continue
            ca_certs[host] = own or (bundle or {}).get("dest", "")
            if bundle and bundle not in bundles:
                bundles.append(bundle)
        result = {"changed": False, "bundles": bundles, "ca_certs": ca_certs, "errors": errors}
        # As with no_log: what is registered has the password of a mirror, and nothing of it is printed.
        return {**result, "_ansible_no_log": True} if any(bundle["url_password"] for bundle in bundles) else result
