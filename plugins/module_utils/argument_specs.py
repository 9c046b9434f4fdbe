# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups of options that the modules share."""

from __future__ import annotations

import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils.connection import SSL_MODES, TLS_VERSIONS


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
        "ca_cert": {"type": "path", "aliases": ["ssl_ca"]},
        "client_cert": {"type": "path", "aliases": ["ssl_cert"]},
        "client_key": {"type": "path", "aliases": ["ssl_key"]},
        "check_hostname": {"type": "bool"},
        "ssl_mode": {"type": "str", "choices": list(SSL_MODES)},
        "tls_min_version": {"type": "str", "default": "TLSv1.2", "choices": list(TLS_VERSIONS)},
    }
