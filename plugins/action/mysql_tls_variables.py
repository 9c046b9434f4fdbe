# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the variables of all hosts can be meant, before any host is contacted."""

from __future__ import annotations

import typing as t

from ansible.inventory.manager import split_host_pattern
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import role_variables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import Fleet, HostVariables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import ControllerAction, hosts_of

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "check": {"type": "str", "default": "names", "choices": ["install", "names", "per_host", "scope", "selection"]},
    "hosts": {"type": "list", "elements": "str"},
}


class ActionModule(ControllerAction):
    """``mysql_tls_variables``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Check what is set, and fail with a sentence for each thing that cannot be meant."""
        fleet = Fleet(self._task, variables, self._loader)
        if options["check"] in ("install", "selection"):
            own = HostVariables(variables, self._loader)
            sentences = _selection(fleet, own)
            if options["check"] == "install" and not sentences:
                hosts = fleet.matching(own.value("mysql_tls_hosts") or "all")
                sentences = role_variables.checked(fleet.items(hosts), role_variables.MissingDestination())
        else:
            hosts = _all_at_once(hosts_of(options, variables, "ansible_play_hosts_all"), variables)
            checks: list[role_variables.Check] = [
                role_variables.UnknownVariables(role_variables.known()),
                role_variables.MissingCredentials(),
                role_variables.OtherStorage(),
                role_variables.WrongNames(),
                role_variables.WrongValues(),
                role_variables.WrongWaivers(),
            ]
            if options["check"] == "per_host":
                checks += [role_variables.RdsApiPerHost(), role_variables.OneReport()]
            if options["check"] == "scope":
                checks.append(role_variables.MissingScope())
                # Before anything else happens; each server's own record is written before its first statement.
                checks.append(role_variables.UnwritableRecords(leave_nothing=self._task.check_mode))
            strategy = role_variables.wrong_strategy(str(self._task.get_play().strategy))
            sentences = [*strategy, *role_variables.checked(fleet.items(hosts), *checks)]
        return {"changed": False, **({"failed": True, "msg": " ".join(sentences)} if sentences else {})}


def _all_at_once(hosts: list[str], variables: dict[str, t.Any]) -> list[str]:
    """All hosts in the play's first batch, so that none is contacted before; in a later one those of the batch."""
    batch = set(variables.get("ansible_play_batch", ()))
    first = not batch or batch.issuperset(hosts[:1])
    return hosts if first else [host for host in hosts if host in batch]


def _selection(fleet: Fleet, variables: HostVariables) -> list[str]:
    """What is wrong with the hosts and the batches of the play that follows."""
    sentences = role_variables.wrong_batches(variables)
    limit = variables.value("ansible_limit")
    within = f" and is within the limit {limit!r} of the command line" if limit else ""
    pattern = variables.value("mysql_tls_hosts")
    if "mysql_tls_hosts" in variables.names() and not (pattern and fleet.matching(pattern)):
        sentences.append(f"mysql_tls_hosts: no host matches {pattern or ''!r}{within}.")
    # Each part of it: nobody would look at the CA bundle of a client that is not found.
    parts = split_host_pattern(variables.value("mysql_tls_client_hosts") or [])
    for part in parts:
        if not part.startswith(("!", "&")) and not fleet.matching(part):
            sentences.append(f"mysql_tls_client_hosts: no host matches {part!r}{within}.")
    return sentences
