# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the role's variables of a host to a module's options, as the role's tasks have them."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import HostVariables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_words import PREFIX

# Options that have their variable's name without its beginning.
_CONNECTION = ("login_host", "login_port", "login_user", "config_file", "client_cert", "client_key", "ssl_mode")


def connection(variables: HostVariables, ca_cert: str) -> dict[str, t.Any]:
    """How to reach the host's server.

    :raises AnsibleError: where a variable cannot be evaluated.
    """
    return _set(
        {
            **{name: variables.value(PREFIX + name) for name in _CONNECTION},
            # An empty password is one.
            "login_password": variables.given("mysql_tls_login_password"),
            "connect_timeout": variables.value("mysql_tls_connect_timeout"),
            "ca_cert": ca_cert,
            "tls_min_version": variables.value("mysql_tls_min_version"),
            "check_hostname": variables.value("mysql_tls_check_hostname"),
        }
    )


def status(variables: HostVariables, ca_cert: str) -> dict[str, t.Any]:
    """The options of mysql_ssl_status."""
    names = ("probe_protocols", "expiry_warn_days", "fail_on")
    return {**connection(variables, ca_cert), **_set({name: variables.value(PREFIX + name) for name in names})}


def sessions(variables: HostVariables, ca_cert: str) -> dict[str, t.Any]:
    """The options of mysql_ssl_status that shows only who is connected."""
    return {**connection(variables, ca_cert), "sessions_only": True}


def require(variables: HostVariables, ca_cert: str) -> dict[str, t.Any]:
    """The options of mysql_require_ssl, without a file for the record."""
    names = (
        "accounts",
        "all_accounts",
        "change_replicas",
        "exclude",
        "include_local",
        "members",
        "only_ready",
        "plaintext_sessions",
        "require_secure_transport",
        "ssl_type",
        "unchangeable",
    )
    return {**connection(variables, ca_cert), **_set({name: variables.value(PREFIX + name) for name in names})}


def lock(variables: HostVariables, ca_cert: str) -> dict[str, t.Any]:
    """The options of mysql_require_ssl that concern the server-wide switch, where a parameter group has it."""
    tolerance = variables.value("mysql_tls_plaintext_sessions")
    return {
        **connection(variables, ca_cert),
        **_set({"only_ready": variables.value("mysql_tls_only_ready")}),
        # Ending sessions is no part of it.
        "plaintext_sessions": tolerance if tolerance in ("warn", "allow") else "fail",
        "require_secure_transport": True,
    }


def _set(options: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: value for name, value in options.items() if value is not None}
