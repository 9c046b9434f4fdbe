# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of modules in the words of somebody who has set variables of the role, and no options."""

from __future__ import annotations

import re
import typing as t

PREFIX = "mysql_tls_"
_ROLE = "dbtls.rds_mysql.mysql_tls"
# Options whose variable is not their name with the prefix before it.
_OTHERS = {
    "dest": "mysql_tls_report_dir",
    "interval": "mysql_tls_watch_interval",
    "merge": "mysql_tls_report_merge",
    "previous": "mysql_tls_report_previous",
    "restore_file": "mysql_tls_rollback_file",
    "rollback_group": "mysql_tls_state_group",
    "slices": "mysql_tls_slices_dir",
    "timeout": "mysql_tls_connect_timeout",
    "tls_min_version": "mysql_tls_min_version",
}
# They are neither words of English nor in a statement, so that a message means the option wherever it has one.
_NAMES = (
    *("all_accounts", "ca_cert", "change_replicas", "check_hostname", "client_cert", "client_key", "config_file"),
    *("connect_timeout", "expiry_warn_days", "fail_on", "include_local", "login_host", "login_password", "login_port"),
    *("login_user", "only_ready", "plaintext_sessions", "probe_protocols", "restore_file", "rollback_file"),
    *("rollback_group", "ssl_mode", "tls_min_version"),
)
_UNMISTAKABLE = re.compile(rf"(?<![\w./@%'\"`-])({'|'.join(_NAMES)})(?![\w/@%'\"`-]|\.\w)")
# Other options are such words, so only where a message is about one.
_ABOUT = re.compile(
    r"((?<=[Ss]et )(?:members|timeout|unchangeable)\b|(?<=option )restore\b|(?<=servers in )members\b"
    r"|(?:(?<=^)|(?<=[.] ))(?:dest|members|merge|previous|slices|waivers)(?=: )|(?<=\()timeout(?=\))"
    r"|(?<=value of )\w+(?= must be one of)|(?<=argument ')\w+(?=' is of type))"
)
# The file is that of the variable, or of a bundle that the role has fetched.
_CA_FILE = re.compile(r"(?<=a certificate in )ca_cert (?=/)")


def variable_of(option: str) -> str:
    """The role's variable that an option of a module is set with."""
    return _OTHERS.get(option, option if option.startswith(PREFIX) else PREFIX + option)


def with_variables(message: str) -> str:
    """A module's message with the role's variables in place of its options. Names and paths in it stay as they are."""
    message = _CA_FILE.sub("", message)
    for pattern in (_ABOUT, _UNMISTAKABLE):
        message = pattern.sub(lambda found: variable_of(found[1]), message)
    return message


def is_in_role(variables: t.Mapping[str, t.Any]) -> bool:
    """Whether a task with these variables is one of the role's."""
    return str(variables.get("ansible_role_name") or "") == _ROLE


def reworded(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result of a module's task in the role: its message, what it warns of, and the lines that it shows."""
    for name in ("msg", "failure"):
        if isinstance(result.get(name), str):
            result[name] = with_variables(result[name])
    for name in ("warnings", "lines"):
        if isinstance(result.get(name), list):
            result[name] = [with_variables(each) if isinstance(each, str) else each for each in result[name]]
    return result
