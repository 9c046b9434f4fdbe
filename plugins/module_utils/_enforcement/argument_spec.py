# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of ``mysql_require_ssl``: apart from the others, as a check of a server needs nothing of enforcement."""

from __future__ import annotations

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.readiness import STATES
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.request import (
    FLUSH,
    METHODS,
    PLAINTEXT_SESSIONS,
    UNCHANGEABLE,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.restore import LAST
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import LEVELS
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.argument_spec import (
    ModuleSpec,
    connection_argument_spec,
)

_REQUIREMENT = {
    "type": "dict",
    "required": True,
    "options": {
        "ssl_type": {"type": "str", "required": True, "choices": list(LEVELS)},
        "cipher": {"type": "str"},
        "issuer": {"type": "str"},
        "subject": {"type": "str"},
    },
}
_SWITCH = {
    "type": "dict",
    "required": True,
    "options": {"value": {"type": "bool", "required": True}, "persisted": {"type": "bool"}},
}
_PLAN = {
    "identity": {
        "type": "dict",
        "required": True,
        "options": {name: {"type": "str", "required": True} for name in ("hostname", "port", "datadir", "server_id")},
    },
    "read_only": {"type": "bool", "default": False},
    "accounts": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "user": {"type": "str", "required": True},
            "host": {"type": "str", "required": True},
            "before": _REQUIREMENT,
            "after": _REQUIREMENT,
        },
    },
    "require_secure_transport": {"type": "dict", "options": {"before": _SWITCH, "after": _SWITCH}},
}

_READINESS = {
    "account": {"type": "str", "required": True},
    "state": {"type": "str", "required": True, "choices": list(STATES)},
    "reason": {"type": "str"},
    "counted": {
        "type": "list",
        "elements": "dict",
        "options": {
            "at": {"type": "str"},
            "server": {"type": "str", "required": True},
            "since": {"type": "int", "required": True},
            "logins": {"type": "int", "required": True},
            "plaintext": {"type": "int", "required": True},
        },
    },
}

REQUIRE = ModuleSpec(
    argument_spec=dict(
        connection_argument_spec(),
        user={"type": "str"},
        host={"type": "str"},
        accounts={"type": "list", "elements": "str"},
        all_accounts={"type": "bool", "default": False},
        exclude={"type": "list", "elements": "str"},
        include_system={"type": "bool", "default": False},
        include_local={"type": "bool", "default": False},
        ssl_type={"type": "str", "default": "any", "choices": ["any", "x509", "specified", "none"]},
        subject={"type": "str"},
        issuer={"type": "str"},
        cipher={"type": "str"},
        exact={"type": "bool", "default": False},
        method={"type": "str", "default": "auto", "choices": list(METHODS)},
        flush={"type": "str", "default": "auto", "choices": list(FLUSH)},
        plaintext_sessions={"type": "str", "default": "fail", "choices": list(PLAINTEXT_SESSIONS)},
        members={"type": "list", "elements": "str"},
        unchangeable={"type": "str", "default": "fail", "choices": list(UNCHANGEABLE)},
        require_secure_transport={"type": "bool"},
        plan={"type": "dict", "options": _PLAN},
        change_replicas={"type": "bool", "default": False},
        only_ready={"type": "bool", "default": False},
        readiness={"type": "list", "elements": "dict", "options": _READINESS},
        rollback_file={"type": "path"},
        restore_file={"type": "path"},
        restore={"type": "str", "default": LAST},
        rollback_group={"type": "str"},
        rollback_note={"type": "str"},
        verify={
            "type": "list",
            "elements": "dict",
            "options": {
                "user": {"type": "str", "required": True},
                "password": {"type": "str", "no_log": True},
            },
        },
    ),
    rules={
        "required_by": {"host": ("user",)},
        "required_together": [("client_cert", "client_key")],
    },
)
"""``mysql_require_ssl``."""
