# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fetches the CA bundles that the hosts of a play need, in one task for all of them."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.ca_bundles import CaBundles
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import Fleet
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.login_secrets import secret_of_host
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import ControllerAction, hosts_of

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "hosts": {"type": "list", "elements": "str"},
    "fetch": {"type": "bool", "default": True},
}


class ActionModule(ControllerAction):
    """``mysql_tls_bundles``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Ask each host's variables, and fetch what they need."""
        bundles = CaBundles()
        ca_certs: dict[str, str] = {}
        errors: dict[str, str] = {}
        secrets: list[dict[str, str]] = []
        secret_of: dict[str, int] = {}
        fleet = Fleet(self._task, variables, self._loader)
        for host, values in fleet.items(hosts_of(options, variables, "ansible_play_batch")):
            try:
                ca_certs[host] = bundles.path_of(values)
                secret = secret_of_host(values)
            except AnsibleError as e:
                # Of this host alone; the others get what they need.
                errors[host] = to_text(e)
                continue
            if secret:
                if secret not in secrets:
                    secrets.append(secret)
                secret_of[host] = secrets.index(secret)
        if options["fetch"]:
            bundles.fetch(self.run_module(variables))
        errors.update({host: bundles.errors[path] for host, path in ca_certs.items() if path in bundles.errors})
        if ca_certs and all(path in bundles.errors for path in ca_certs.values()):
            # Said once, and not by each host.
            reasons = " ".join(dict.fromkeys(bundles.errors.values()))
            return {"failed": True, "msg": reasons, "warnings": bundles.warnings}
        return {
            "changed": False,
            "bundles": bundles.files,
            "ca_certs": ca_certs,
            "errors": errors,
            "warnings": bundles.warnings,
            "secrets": secrets,
            "secret_of": secret_of,
        }
