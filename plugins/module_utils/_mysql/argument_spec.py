# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that modules which connect to a server share, and those of ``mysql_ssl_status``."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.options import SSL_MODES
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.versions import TLS_VERSIONS


@dataclass(frozen=True)
class ModuleSpec:
    """A module's options. ``rules`` are what options have to do with each other, as AnsibleModule takes them."""

    argument_spec: dict[str, dict[str, t.Any]]
    rules: dict[str, t.Any] = field(default_factory=dict)

    def for_module(self) -> dict[str, t.Any]:
        """What AnsibleModule takes."""
        return {"argument_spec": self.argument_spec, **self.rules}


def connection_argument_spec() -> dict[str, dict[str, t.Any]]:
    """The options of the doc fragment ``dbtls.rds_mysql.connection``."""
    return {
        "login_host": {"type": "str", "default": "localhost"},
        "login_port": {"type": "int", "default": 3306},
        "login_user": {"type": "str"},
        "login_password": {"type": "str", "no_log": True},
        "login_unix_socket": {"type": "path"},
        "config_file": {"type": "path"},
        "connect_timeout": {"type": "int", "default": 30},
        "timeout": {"type": "int"},
        "ca_cert": {"type": "path", "aliases": ["ssl_ca"]},
        "client_cert": {"type": "path", "aliases": ["ssl_cert"]},
        "client_key": {"type": "path", "aliases": ["ssl_key"]},
        "check_hostname": {"type": "bool"},
        "ssl_mode": {"type": "str", "choices": list(SSL_MODES)},
        "tls_min_version": {"type": "str", "default": "TLSv1.2", "choices": list(TLS_VERSIONS)},
    }


def endpoint_argument_spec() -> dict[str, dict[str, t.Any]]:
    """The options of one endpoint of several: those of a connection, without defaults of their own."""
    spec = {
        name: {key: value for key, value in option.items() if key != "default"}
        for name, option in connection_argument_spec().items()
        if name not in ("login_host", "login_port")
    }
    return {"host": {"type": "str", "required": True}, "port": {"type": "int"}, **spec}


STATUS = ModuleSpec(
    argument_spec=dict(
        connection_argument_spec(),
        endpoints={
            "type": "list",
            "elements": "dict",
            "options": endpoint_argument_spec(),
            "required_together": [("client_cert", "client_key")],
        },
        concurrency={"type": "int", "default": 32},
        expiry_warn_days={"type": "int", "default": 30},
        probe_protocols={"type": "bool", "default": False},
        sessions_only={"type": "bool", "default": False},
        fail_on={"type": "str", "default": "none", "choices": ["none", "low", "medium", "high"]},
    ),
    rules={
        "required_together": [("client_cert", "client_key")],
        "mutually_exclusive": [("endpoints", "login_unix_socket")],
    },
)
"""``mysql_ssl_status``."""
