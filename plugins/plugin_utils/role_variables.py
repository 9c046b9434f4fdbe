# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which variables there are, and what is wrong with those that are set, in sentences."""

from __future__ import annotations

import difflib
import os
import re
import tempfile
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import PREFIX, HostVariables

# Extra variables that Ansible evaluates before there is a host. See the role's README.
OF_PLAYBOOKS = frozenset({"mysql_tls_hosts", "mysql_tls_canary", "mysql_tls_serial"})
# What the collection registers for a host, or publishes and takes back.
OF_RESULTS = frozenset({"mysql_tls_look", "mysql_tls_change", "mysql_tls_roll_out", "mysql_tls_rollback_records"})
OWN = "mysql_tls_own_variables"

_BATCHES = ("mysql_tls_canary", "mysql_tls_serial")
_BATCH = re.compile(r"[0-9]+%?")
_ROLE = Path(__file__).resolve().parents[2] / "roles" / "mysql_tls"
_MOST_HOSTS = 5


def known() -> frozenset[str]:
    """Every variable of the collection: the role's argument_specs have all but those above."""
    specs = yaml_load((_ROLE / "meta" / "argument_specs.yml").read_text("utf-8"))["argument_specs"]
    return OF_PLAYBOOKS | OF_RESULTS | {str(name) for entry in specs.values() for name in entry["options"]}


def unknown_variables(fleet: t.Mapping[str, HostVariables], variables: t.Collection[str]) -> list[str]:
    """A sentence for each variable that is set for a host and is not one of these."""
    hosts: dict[str, list[str]] = {}
    for host, values in fleet.items():
        for name in set(values.names()).difference(variables):
            hosts.setdefault(name, []).append(host)
    own = {host: _own(fleet[host]) for host in {host for found in hosts.values() for host in found}}
    sentences = []
    for name in sorted(hosts):
        where = [host for host in hosts[name] if name not in own[host]]
        # Without what all of them have in common.
        nearest = difflib.get_close_matches(name[len(PREFIX) :], sorted(one[len(PREFIX) :] for one in variables), 1)
        meant = f" Did you mean {PREFIX}{nearest[0]}?" if nearest else ""
        if where:
            sentences.append(f"{name} is not a variable of dbtls.rds_mysql (set for {listed(where)}).{meant}")
    return [*sentences, f"Custom variables can be listed in {OWN}."] if sentences else []


def _own(variables: HostVariables) -> t.Collection[str]:
    try:
        own = variables.value(OWN) or ()
    except AnsibleError:
        return ()
    return own.replace(",", " ").split() if isinstance(own, str) else [str(name) for name in own]


def missing_scope(fleet: t.Mapping[str, HostVariables]) -> list[str]:
    """A sentence where it was not said, or said twice, which accounts are meant."""
    unnamed, twice = [], []
    for host, variables in fleet.items():
        try:
            if variables.value("mysql_tls_plan"):
                continue  # which says what is meant
            accounts, everything = (variables.value(f"mysql_tls_{name}") for name in ("accounts", "all_accounts"))
            switch = variables.value("mysql_tls_require_secure_transport")
        except AnsibleError:
            continue  # The host's own task says what cannot be evaluated.
        all_accounts = str(everything).lower() in ("true", "yes", "on", "1", "t", "y")
        if accounts and all_accounts:
            twice.append(host)
        elif not accounts and not all_accounts and switch is None:
            unnamed.append(host)
    sentences = []
    if unnamed:
        sentences.append(
            f'No accounts are named for {listed(unnamed)}. Set mysql_tls_accounts, such as ["app@*"], or '
            "mysql_tls_all_accounts to true for every account."
        )
    if twice:
        sentences.append(
            f"Both mysql_tls_accounts and mysql_tls_all_accounts are set for {listed(twice)}. Set one of them."
        )
    return sentences


def unwritable_records(fleet: t.Mapping[str, HostVariables], *, leave_nothing: bool) -> list[str]:
    """A sentence for each directory in which no rollback record could be written.

    :arg leave_nothing: Whether no directory may be made, as in check mode.
    """
    hosts: dict[str, list[str]] = {}
    for host, variables in fleet.items():
        try:
            path = str(variables.value("mysql_tls_rollback_file") or "")
        except AnsibleError:
            continue  # The host's own task says what cannot be evaluated.
        if path:
            hosts.setdefault(os.path.dirname(os.path.abspath(os.path.expanduser(path))), []).append(host)
    reasons = {directory: _why_unwritable(directory, leave_nothing) for directory in hosts}
    return [
        f"Rollback records cannot be written to {directory} ({reason}; for {listed(hosts[directory])}). Nothing was "
        "changed. Set mysql_tls_state_dir to a directory that lasts and can be written."
        for directory, reason in reasons.items()
        if reason
    ]


def _why_unwritable(directory: str, leave_nothing: bool) -> str | None:
    """What is in the way of a file in the directory; None where nothing is. Only writing one shows a full disk."""
    while leave_nothing and not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".", suffix=".new") as file:
            file.write(b"\0" * 4096)
            file.flush()
    except OSError as e:
        return e.strerror or str(e)
    return None


def wrong_batches(variables: HostVariables) -> list[str]:
    """A sentence for each size of a batch that is neither a number nor a percentage."""
    names = set(variables.names())
    given = {name: variables.value(name) for name in _BATCHES if name in names}
    return [
        f"{name} is {'' if value is None else value!r} and has to be a number of servers, such as 1, or a percentage, "
        "such as 25%."
        for name, value in given.items()
        if isinstance(value, bool) or not _BATCH.fullmatch(str(value).strip())
    ]


def listed(hosts: t.Sequence[str]) -> str:
    """The names, or the first of many."""
    rest = len(hosts) - _MOST_HOSTS
    return ", ".join(hosts[:_MOST_HOSTS]) + (f" and {rest} more" if rest > 0 else "")
