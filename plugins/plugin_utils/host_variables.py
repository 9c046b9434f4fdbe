# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's variables of each host, read by code: one task of Ansible can ask for those of all hosts."""

from __future__ import annotations

import hashlib
import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.template import Templar
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain

PREFIX = "mysql_tls_"


class HostVariables:
    """What a task would see on one host. A value is evaluated when it is asked for."""

    def __init__(self, seen: dict[str, t.Any], loader: t.Any = None) -> None:
        self._seen = seen
        self._templar = Templar(loader=loader, variables=seen)

    def names(self) -> list[str]:
        """All that are called like the role's."""
        return [str(name) for name in self._seen if str(name).startswith(PREFIX)]

    def value(self, name: str) -> t.Any:
        """The value in plain types; None where it is not set, which empty, null and omitted are too.

        :raises AnsibleError: where it cannot be evaluated, naming what is undefined.
        """
        # In a dictionary, what is omitted drops out.
        found = plain(self._templar.template({name: self._seen[name]} if name in self._seen else {})).get(name)
        return None if found in ("", []) else found


class Fleet:
    """The variables of all hosts, as a task sees them."""

    def __init__(self, task: t.Any, variables: t.Mapping[str, t.Any], loader: t.Any) -> None:
        self._task = task
        self._hostvars = variables["hostvars"]
        self._loader = loader

    def of(self, host: str) -> HostVariables:
        """Those of one host.

        hostvars itself knows neither a play's variables nor a role's. Who gives them to Ansible's own tasks does.

        :raises AnsibleActionFail: for a host that is not in the inventory.
        """
        found = self._hostvars._inventory.get_host(host)
        if found is None:
            raise AnsibleActionFail(f"hosts: {host} is not in the inventory.")
        manager = self._hostvars._variable_manager
        seen = manager.get_vars(play=self._task.get_play(), host=found, task=self._task)
        return HostVariables(seen, self._loader)

    def matching(self, pattern: t.Any) -> list[str]:
        """The hosts of a pattern, within the limit of the command line."""
        return [str(host.name) for host in self._hostvars._inventory.get_hosts(pattern)]


def own_ca_cert(variables: HostVariables) -> str | None:
    """The file with CA certificates that the user has named for this host; None where a bundle is fetched."""
    own = variables.value("mysql_tls_ca_cert")
    return None if own is None else os.path.expanduser(str(own))


def bundle_of(variables: HostVariables) -> dict[str, str]:
    """The CA bundle that is fetched for a host, as options of ``rds_ca_bundle``; what is not set is empty.

    Each mirror has a file name of its own, so that what one of them serves never counts for the hosts of another.
    """
    names = ("region", "ca_set", "base_url", "url_username", "url_password", "ca_path", "bundle_checksum", "bundle_dir")
    given = {name: str(variables.value(PREFIX + name) or "") for name in names}
    mirror = f"-{hashlib.sha256(given['base_url'].encode()).hexdigest()[:12]}" if given["base_url"] else ""
    directory = os.path.expanduser(given.pop("bundle_dir"))
    return {
        "dest": f"{directory}/{given['ca_set']}-{given['region']}{mirror}.pem",
        "checksum": given.pop("bundle_checksum"),
        **given,
    }
