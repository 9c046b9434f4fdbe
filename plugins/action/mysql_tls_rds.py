# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides what the RDS API's answers mean for a host. The calls themselves are made by modules of amazon.aws."""

from __future__ import annotations

import typing as t
from contextlib import closing

from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement import parameter_group
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.argument_spec import REQUIRE
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._rds import parse_endpoint
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import fleet_check, rds_api, rds_audit, role_options
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.ca_certs import ca_cert
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.fleet_report import STATE_OPTIONS, history_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.bundles import bundles_without
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import Fleet, HostVariables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import (
    ControllerAction,
    hosts_of,
    show_progress,
)

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "step": {"type": "str", "required": True, "choices": ["places", "databases", "lock", "rotation"]},
    "hosts": {"type": "list", "elements": "str"},
    "bundles": {"type": "dict"},
    "target": {"type": "str"},
    "apply_immediately": {"type": "bool", "default": False},
    "reboot": {"type": "bool", "default": False},
    "ca_cert": {"type": "path"},
    "client_bundles": {"type": "list", "elements": "path", "default": []},
    "clients_gone": {"type": "list", "elements": "str", "default": []},
    **STATE_OPTIONS,
}
# What the role registers.
PLACES, INSTANCES, CLUSTERS = "__mysql_tls_places", "__mysql_tls_rds_instances", "__mysql_tls_rds_clusters"
READY, CLIENT_BUNDLE = "__mysql_tls_ready", "__mysql_tls_client_bundle"
DATABASES, VERSIONS, LOOKS = "__mysql_tls_databases", "__mysql_tls_engine_versions", "__mysql_tls_client_looks"
INSTANCE_NOW = "__mysql_tls_instance_now"

# The guards of mysql_require_ssl for the server-wide switch.
LOCK_JOB = fleet_check.Job("mysql_require_ssl", REQUIRE, role_options.lock, parameter_group.run)


class ActionModule(ControllerAction):
    """``mysql_tls_rds``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """One of the steps."""
        steps = {"places": self._places, "databases": self._databases, "lock": self._lock, "rotation": self._rotation}
        try:
            return {"changed": False, **steps[options["step"]](options, variables)}
        except RdsMysqlError as e:
            return {"changed": False, "failed": True, "msg": e.message}

    def _places(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """The regions and AWS accounts to ask, once each, and which of them each host is in."""
        missing = rds_audit.missing()
        if missing:
            raise RdsMysqlError(missing)
        fleet = Fleet(self._task, variables, self._loader)
        places: list[dict[str, str]] = []
        hosts: dict[str, int] = {}
        errors: dict[str, str] = {}
        for host, values in fleet.items(hosts_of(options, variables, "ansible_play_hosts_all")):
            try:
                place = _place(values)
            except (AnsibleError, RdsMysqlError) as e:
                errors[host] = to_text(e)
                continue
            if place not in places:
                places.append(place)
            hosts[host] = places.index(place)
        return {"places": places, "hosts": hosts, "errors": errors}

    def _databases(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the API says of each host."""
        hosts = hosts_of(options, variables, "ansible_play_hosts_all")
        databases, errors = _found(hosts, variables, Fleet(self._task, variables, self._loader))
        if errors:
            raise RdsMysqlError(_sentences(errors.values()))
        return {"databases": databases}

    def _lock(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Whether TLS has to be required in the parameter groups of these hosts, and what speaks against it."""
        everyone = plain(variables["ansible_play_hosts_all"])
        wanted = hosts_of(options, variables, "ansible_play_hosts_all")
        fleet = Fleet(self._task, variables, self._loader)
        databases, errors = _found(everyone, variables, fleet)
        found = [errors[host] for host in wanted if host in errors]
        changed = [databases[host] for host in wanted if host in databases]
        sharing = {(_place_of(one), name) for one in changed for name in one["sharing"]}
        concerned = [host for host, one in databases.items() if (_place_of(one), one["instance"]) in sharing]
        guarded, warnings = self._guarded(concerned, databases, options, variables, fleet)
        for one in changed:
            here = {host: each for host, each in guarded.items() if _place_of(each.database) == _place_of(one)}
            found += rds_api.lock_objections(one, here)
        if found:
            raise RdsMysqlError(_sentences(found))
        return {
            "databases": {host: databases[host] for host in wanted},
            "needed": any(not guarded[host].required for host in wanted),
            # It names the record of this run.
            "time": f"{utc_now():%Y%m%dT%H%M%SZ}",
            "warnings": warnings,
        }

    def _guarded(
        self,
        hosts: t.Sequence[str],
        databases: t.Mapping[str, dict[str, t.Any]],
        options: dict[str, t.Any],
        variables: dict[str, t.Any],
        fleet: Fleet,
    ) -> tuple[dict[str, rds_api.Guarded], list[str]]:
        """What the guards of mysql_require_ssl say of each server, and warnings."""

        def bundle(values: HostVariables) -> str:
            return ca_cert(options["bundles"], str(values.value("inventory_hostname")))

        judged = (plain(variables.get(READY)) or {}).get("readiness") or {}
        prepared = fleet_check.prepare(fleet, hosts, LOCK_JOB, bundle)
        for host, given in prepared.options.items():
            if host in judged:
                given["readiness"] = judged[host]
        guarded: dict[str, rds_api.Guarded] = {}
        warnings: list[str] = []
        for batch in _one_name_each(hosts, databases):
            options_of = {host: given for host, given in prepared.options.items() if host in batch}
            failed = {host: result for host, result in prepared.failed.items() if host in batch}
            now = fleet_check.Prepared(options_of, failed)
            with closing(fleet_check.run(now, LOCK_JOB, show_progress)) as results:
                for host, result in results:
                    objection = str(result.get("msg")) if result.get("failed") else None
                    endpoints, required = result.get("endpoints", ()), bool(result.get("required"))
                    guarded[host] = rds_api.Guarded(databases[host], objection, endpoints, required)
                    warnings += [f"{host}: {warning}" for warning in result.get("warnings", ())]
        return {host: guarded[host] for host in hosts}, warnings

    def _rotation(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Whether this host needs another certificate, what that takes, and what speaks against it."""
        host, target = variables["inventory_hostname"], options["target"] or ""
        one = plain(variables[DATABASES])["databases"][host]
        # Read again for an instance that is to be changed.
        read_again = plain(variables.get(INSTANCE_NOW) or {}).get("instances")
        if read_again == []:  # amazon.aws would take it for one that has to be created
            raise RdsMysqlError(f"The RDS API does not list the instance {one['instance']} any more.")
        for now in read_again or ():
            one = {**one, **rds_api.of_instance(now)}
        versions = plain(variables.get(VERSIONS) or {}).get("db_engine_versions") or []
        looks = {r["item"]: r for r in plain(variables.get(LOOKS) or {}).get("results") or () if "item" in r}
        found = rds_api.rotation_objections(
            one, target, versions, at_once=options["apply_immediately"], reboot=options["reboot"]
        )
        if target in rds_api.AUTHORITIES:
            reference, bundles = options["ca_cert"], options["client_bundles"]
            found += rds_api.bundle_objections(target, one["region"], reference, bundles, looks)
            found += self._recorded(options, variables, one) if one["ca"] != target else []
            certificate = next((r["mysql_ssl"]["certificate"] for r in looks.values() if r.get("mysql_ssl")), None)
            wrong = rds_api.another_server(rds_api.endpoints_of(certificate), one)
            found += [f"{host}: {wrong}"] if wrong else []
        if found:
            raise RdsMysqlError(" ".join(found))
        pending = one["pending_ca"] == target
        return {"needed": one["ca"] != target, "pending": pending, "restart": rds_api.restarts(versions)}

    def _recorded(
        self, options: dict[str, t.Any], variables: dict[str, t.Any], one: t.Mapping[str, t.Any]
    ) -> list[str]:
        """What the bundles lack that the playbook bundle has installed, as far as they were not read in this run."""
        wanted = rds_api.roots_of(options["ca_cert"], options["target"], one["region"])
        found = bundles_without(history_of(options), one["region"], str(one["ca"]), wanted)
        gone = {name.strip() for name in options["clients_gone"]}
        # What was read in this run is newer.
        hostvars = variables["hostvars"]
        clients = [
            (host, path)
            for host, path in found
            if host not in gone
            and not (host in hostvars and _has_read(plain(hostvars.raw_get(host).get(CLIENT_BUNDLE)), path))
        ]
        return rds_api.recorded_objections(options["target"], clients)


def _found(
    hosts: t.Collection[str], variables: dict[str, t.Any], fleet: Fleet
) -> tuple[dict[str, dict[str, t.Any]], dict[str, str]]:
    """By host the database that it is, or why that is not known."""
    places = plain(variables[PLACES])
    answers = {
        name: {tuple(answer["item"].values()): answer for answer in plain(variables[name])["results"]}
        for name in (INSTANCES, CLUSTERS)
    }
    databases: dict[str, dict[str, t.Any]] = {}
    errors = {host: f"{host}: {places['errors'][host]}" for host in hosts if host in places["errors"]}
    for host in hosts:
        if host in errors:
            continue
        try:
            place = places["places"][places["hosts"][host]]
            instances, clusters = (answers[name].get(tuple(place.values())) for name in (INSTANCES, CLUSTERS))
            if instances is not None:  # else of a region that was not read again
                databases[host] = {**place, **_database(fleet.of(host), instances, clusters)}
        except (AnsibleError, RdsMysqlError) as e:
            errors[host] = f"{host}: {to_text(e)}"
    return databases, errors


def _database(
    values: HostVariables, instances: dict[str, t.Any], clusters: dict[str, t.Any] | None
) -> dict[str, t.Any]:
    for answer in (instances, clusters or {}):
        if answer.get("failed"):
            raise RdsMysqlError(f"The RDS API could not be read: {answer.get('msg')}")
    login_host = str(values.value("mysql_tls_login_host"))
    endpoint = parse_endpoint(login_host)
    if values.value("mysql_tls_role") == "proxy" or (endpoint and endpoint.proxy):
        raise RdsMysqlError(
            f"{login_host} is an endpoint of RDS Proxy, which has neither a parameter group nor a certificate of an "
            "RDS CA. Leave it out of mysql_tls_hosts."
        )
    # No cluster was asked for where no instance is in one.
    identifier, known = values.value("mysql_tls_db_identifier"), (clusters or {}).get("clusters", ())
    return rds_api.database(login_host, identifier, instances["instances"], known)


def _one_name_each(
    hosts: t.Sequence[str], databases: t.Mapping[str, t.Mapping[str, t.Any]]
) -> t.Iterator[t.Collection[str]]:
    """The hosts in batches in which no instance is twice: one's guard would see the session of the other's."""
    left = list(hosts)
    while left:
        batch = {(_place_of(databases[host]), databases[host]["instance"]): host for host in reversed(left)}
        yield batch.values()
        left = [host for host in left if host not in batch.values()]


def _sentences(found: t.Iterable[str]) -> str:
    """Each once: those of a group are said by every host that has it."""
    return " ".join(dict.fromkeys(found))


def _has_read(fetched: t.Any, path: str) -> bool:
    """Whether a bundle was fetched from that path of the host."""
    return isinstance(fetched, dict) and fetched.get("file") == path and not fetched.get("failed")


def _place_of(one: t.Mapping[str, t.Any]) -> tuple[str, str]:
    return one["region"], one["profile"]


def _place(values: HostVariables) -> dict[str, str]:
    region, profile = rds_audit.place_of(values)
    return {"region": region, "profile": profile}
