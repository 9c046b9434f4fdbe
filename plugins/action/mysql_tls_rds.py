# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides what the RDS API's answers mean for a host. The calls themselves are made by modules of amazon.aws."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import utc_now
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import rds_api, rds_audit
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.fleet_report import STATE_OPTIONS, history_of
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.bundles import bundles_without
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import Fleet, HostVariables
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.in_process import plain
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.on_controller import ControllerAction

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "step": {"type": "str", "required": True, "choices": ["places", "database", "lock", "rotation"]},
    "only_ready": {"type": "bool", "default": False},
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
DATABASE, VERSIONS, LOOKS = "__mysql_tls_database", "__mysql_tls_engine_versions", "__mysql_tls_client_looks"


class ActionModule(ControllerAction):
    """``mysql_tls_rds``."""

    argument_spec = ARGUMENT_SPEC

    def work(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """One of the steps."""
        steps = {"places": self._places, "database": self._database, "lock": self._lock, "rotation": self._rotation}
        try:
            return {"changed": False, **steps[options["step"]](options, variables)}
        except RdsMysqlError as e:
            return {"changed": False, "failed": True, "msg": e.message}

    def _places(self, _options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """The regions and AWS accounts to ask, once each, and which of them each host is in."""
        missing = rds_audit.missing()
        if missing:
            raise RdsMysqlError(missing)
        fleet = Fleet(self._task, variables, self._loader)
        places: list[dict[str, str]] = []
        hosts: dict[str, int] = {}
        errors: dict[str, str] = {}
        for host in plain(variables.get("ansible_play_batch", ())):
            values = fleet.of(host)
            try:
                place = _place(values)
            except (AnsibleError, RdsMysqlError) as e:
                errors[host] = to_text(e)
                continue
            if place not in places:
                places.append(place)
            hosts[host] = places.index(place)
        return {"places": places, "hosts": hosts, "errors": errors}

    def _database(self, _options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the API says of this host."""
        host, places = variables["inventory_hostname"], plain(variables[PLACES])
        if host in places["errors"]:
            raise RdsMysqlError(places["errors"][host])
        number = places["hosts"][host]
        answers = [plain(variables[name])["results"][number] for name in (INSTANCES, CLUSTERS)]
        for answer in answers:
            if answer.get("failed"):
                raise RdsMysqlError(f"The RDS API could not be asked: {answer.get('msg')}")
        values = HostVariables(variables, self._loader)
        found = rds_api.database(
            str(values.value("mysql_tls_login_host")),
            values.value("mysql_tls_db_identifier"),
            answers[0]["instances"],
            answers[1].get("clusters", ()),  # not asked for where no instance is in one
        )
        return {"database": {**places["places"][number], **found}}

    def _lock(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Whether TLS has to be required in the parameter group of this host, and what speaks against it."""
        fleet = Fleet(self._task, variables, self._loader)
        judged = (plain(variables.get(READY)) or {}).get("readiness") or {}
        checked = {}
        for host in plain(variables["ansible_play_hosts_all"]):
            known = variables["hostvars"].raw_get(host)
            one = (plain(known.get(DATABASE)) or {}).get("database") or {}
            checked[host] = rds_api.Checked(
                one.get("instance"),
                (one.get("region", ""), one.get("profile", "")),
                plain(known.get("mysql_tls_look")),
                fleet.of(host).value("mysql_tls_plaintext_sessions") in ("warn", "allow"),
                judged.get(host),
            )
        one = plain(variables[DATABASE])["database"]
        found = rds_api.lock_objections(one, (one["region"], one["profile"]), checked, only_ready=options["only_ready"])
        if found:
            raise RdsMysqlError(" ".join(found))
        look = checked[variables["inventory_hostname"]].look
        # The time names the record of this run.
        return {"needed": not rds_api.requires_tls(look), "time": f"{utc_now():%Y%m%dT%H%M%SZ}"}

    def _rotation(self, options: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Whether this host needs another certificate, what that takes, and what speaks against it."""
        one, target = plain(variables[DATABASE])["database"], options["target"] or ""
        versions = plain(variables.get(VERSIONS) or {}).get("db_engine_versions") or []
        looks = {r["item"]: r for r in plain(variables.get(LOOKS) or {}).get("results") or () if "item" in r}
        found = rds_api.rotation_objections(
            one, target, versions, at_once=options["apply_immediately"], reboot=options["reboot"]
        )
        if target in rds_api.AUTHORITIES:
            found += rds_api.bundle_objections(target, options["ca_cert"], options["client_bundles"], looks)
            found += self._recorded(options, variables, one) if one["ca"] != target else []
        if found:
            raise RdsMysqlError(" ".join(found))
        pending = one["pending_ca"] == target
        return {"needed": one["ca"] != target, "pending": pending, "restarts": rds_api.restarts(versions)}

    def _recorded(
        self, options: dict[str, t.Any], variables: dict[str, t.Any], one: t.Mapping[str, t.Any]
    ) -> list[str]:
        """What the bundles lack that the playbook bundle has installed, as far as they were not read in this run."""
        wanted = rds_api.roots_of(options["ca_cert"], options["target"])
        found = bundles_without(history_of(options), one["region"], str(one["ca"]), wanted)
        # What was read in this run is newer.
        hostvars = variables["hostvars"]
        clients = [
            (host, path)
            for host, path in found
            if host not in options["clients_gone"]
            and not (host in hostvars and _has_read(plain(hostvars.raw_get(host).get(CLIENT_BUNDLE)), path))
        ]
        return rds_api.recorded_objections(options["target"], clients)


def _has_read(fetched: t.Any, path: str) -> bool:
    """Whether a bundle was fetched from that path of the host."""
    return isinstance(fetched, dict) and fetched.get("file") == path and not fetched.get("failed")


def _place(values: HostVariables) -> dict[str, str]:
    region, profile = rds_audit.place_of(values)
    return {"region": region, "profile": profile}
