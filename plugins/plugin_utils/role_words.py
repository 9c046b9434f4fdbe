# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of modules in the words of somebody who has set variables of the role, and no options."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.account_changes import IDLE_EXCLUSIONS

PREFIX = "mysql_tls_"
_ROLE = "dbtls.rds_mysql.mysql_tls"
# Options whose variable is not their name with the prefix before it.
_OTHERS = {
    "allow_weaker": "mysql_tls_bundle_allow_weaker",
    "checksum": "mysql_tls_bundle_checksum",
    "dest": "mysql_tls_report_dir",
    "interval": "mysql_tls_watch_interval",
    "junit": "mysql_tls_report_junit",
    "lasting_dir": "mysql_tls_state_dir",
    "max_age": "mysql_tls_plan_max_age",
    "merge": "mysql_tls_report_merge",
    "previous": "mysql_tls_report_previous",
    "restore_file": "mysql_tls_rollback_file",
    "rollback_group": "mysql_tls_state_group",
    "sha256": "mysql_tls_plan_sha256",
    "slices": "mysql_tls_slices_dir",
    "source": "mysql_tls_plan",
    "target": "mysql_tls_rotate_to",
    "timeout": "mysql_tls_connect_timeout",
    "title": "mysql_tls_report_title",
    "tls_min_version": "mysql_tls_min_version",
    "unknown_roots": "mysql_tls_bundle_unknown_roots",
}
# They are neither words of English nor in a statement, so that a message means the option wherever it has one.
_NAMES = (
    *("all_accounts", "allow_weaker", "artifact_bytes", "base_url", "ca_cert", "ca_path", "ca_set", "change_replicas"),
    *("check_hostname", "client_bundles", "client_cert", "client_key", "clients_gone", "config_file"),
    *("connect_timeout", "expiry_warn_days", "fail_on", "fail_on_new", "history_days", "include_local", "login_host"),
    *("login_password", "login_port", "login_user", "max_fail_percentage", "min_coverage", "min_seen", "only_ready"),
    *("plaintext_sessions", "probe_protocols", "quiet_days", "restore_file", "rollback_file", "rollback_group"),
    *("ssl_mode", "state_dir", "state_group", "tls_min_version", "unknown_roots", "url_password", "url_username"),
    *("watch_every", "watch_for"),
)
_UNMISTAKABLE = re.compile(rf"(?<![\w./@%'\"`-])({'|'.join(_NAMES)})(?![\w/@%'\"`-]|\.\w)")
# Other options are such words, so only where a message is about one.
_ABOUT = re.compile(
    r"((?<=[Ss]et )(?:checksum|members|region|timeout|unchangeable)\b|(?<=option )restore\b|(?<=servers in )members\b"
    r"|(?:(?<=^)|(?<=[.] ))(?:accounts|checksum|dest|exclude|members|merge|previous|region|slices|waivers)(?=: )"
    r"|(?<=\()timeout(?=\))"
    r"|(?<=value of )\w+(?= must be one of)|(?<=argument ')\w+(?=' is of type))"
)
# The file is that of the variable, or of a bundle that the role has fetched.
_CA_FILE = re.compile(r"(?<=a certificate in )ca_cert (?=/)")
# What only an option of a module does, and what is left of the sentence for somebody who cannot set it.
_NO_VARIABLE = (
    ("roles never match, system accounts only with include_system: true,", "roles and system accounts never match,"),
    ("Ask them, and set flush to always where it may", "Ask them, and run FLUSH PRIVILEGES where it may"),
    ("give it a certificate, or log in on its own machine with login_unix_socket", "give it a certificate"),
    ("or use https with validate_certs", "or use https"),
    ("or set use_proxy to false", "or except the host from it with no_proxy"),
    ("and max_certificates permits", "and the most are"),
)


def variable_of(option: str) -> str:
    """The role's variable that an option of a module is set with."""
    return _OTHERS.get(option, option if option.startswith(PREFIX) else PREFIX + option)


def with_variables(message: str) -> str:
    """A module's message with the role's variables in place of its options. Names and paths in it stay as they are."""
    message = _CA_FILE.sub("", message)
    for words, without in _NO_VARIABLE:
        message = message.replace(words, without)
    for pattern in (_ABOUT, _UNMISTAKABLE):
        message = pattern.sub(lambda found: variable_of(found[1]), message)
    return message


def without_idle_exclusions(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result without a warning that is for all servers together: a pattern is right that matches on any."""
    if isinstance(result.get("warnings"), list):
        of_one = (IDLE_EXCLUSIONS, with_variables(IDLE_EXCLUSIONS))
        result["warnings"] = [each for each in result["warnings"] if not str(each).startswith(of_one)]
    return result


def is_in_role(variables: t.Mapping[str, t.Any]) -> bool:
    """Whether a task with these variables is one of the role's."""
    return str(variables.get("ansible_role_name") or "") == _ROLE


def reworded(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """The result of a module's task in the role: its message, what it warns of, and what to do about findings."""
    for name in ("msg", "failure"):
        if isinstance(result.get(name), str):
            result[name] = with_variables(result[name])
    for name in ("warnings", "lines"):
        if isinstance(result.get(name), list):
            result[name] = [with_variables(each) if isinstance(each, str) else each for each in result[name]]
    for holder in (result, result.get("ansible_facts")):
        status = holder.get("mysql_ssl") if isinstance(holder, dict) else None
        for finding in status.get("findings", ()) if isinstance(status, dict) else ():
            finding["remediation"] = _remediation(finding["remediation"], finding["commands"])
    return result


def _remediation(text: str, commands: t.Iterable[str]) -> str:
    """The commands in it stay as they are run."""
    parts = []
    for command in commands:
        before, found, text = text.partition(command)
        parts += [with_variables(before), found]
    return "".join([*parts, with_variables(text)])
