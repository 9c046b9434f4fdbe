# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which CA bundles the hosts of a play need, in one task for all of them."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import (
    Fleet,
    HostVariables,
    bundle_of,
    own_ca_cert,
)
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
        secrets: list[dict[str, str]] = []
        secret_of: dict[str, int] = {}
        for host in hosts_of(options, variables, "ansible_play_batch"):
            values = fleet.of(host)
            try:
                own = own_ca_cert(values)
                bundle = bundle_of(values) if own is None else None
                secret = _secret(values)
            except AnsibleError as e:
                # Of this host alone; the others get what they need.
                errors[host] = to_text(e)
                continue
            ca_certs[host] = own or (bundle or {}).get("dest", "")
            if bundle and bundle not in bundles:
                bundles.append(bundle)
            if secret:
                if secret not in secrets:
                    secrets.append(secret)
                secret_of[host] = secrets.index(secret)
        result: dict[str, t.Any] = {"changed": False, "bundles": bundles, "ca_certs": ca_certs, "errors": errors}
        result.update(secrets=secrets, secret_of=secret_of)
        # As with no_log: what is registered has the password of a mirror, and nothing of it is printed.
        return {**result, "_ansible_no_log": True} if any(bundle["url_password"] for bundle in bundles) else result


def _secret(values: HostVariables) -> dict[str, str] | None:
    """The secret of AWS Secrets Manager that a host's login is in; an ARN names its region."""
    name = values.value("mysql_tls_secret")
    if name is None:
        return None
    region = str(name).split(":")[3] if str(name).startswith("arn:") else str(values.value("mysql_tls_region") or "")
    profile = str(values.value("mysql_tls_aws_profile") or "")
    return {"name": str(name), "region": "" if region == "global" else region, "profile": profile}
