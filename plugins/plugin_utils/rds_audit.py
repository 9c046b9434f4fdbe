# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit's comparison of servers with the RDS API, which is read once for each region and AWS account."""

from __future__ import annotations

import importlib.util
import json
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._rds import parse_endpoint
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding import Finding
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding_kinds import SEVERITIES
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.rds_findings import not_visible, of_rds_api
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import rds_api
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.host_variables import HostVariables

Execute = t.Callable[[str, dict[str, t.Any]], t.Mapping[str, t.Any]]
Place = tuple[str, str]
_Data = t.Mapping[str, t.Any]


def place_of(values: HostVariables) -> Place:
    """The region and the profile of a host's database.

    :raises AnsibleError: where a variable cannot be evaluated.
    :raises RdsMysqlError: where no variable tells the region.
    """
    region = rds_api.region_of(str(values.value("mysql_tls_region")), str(values.value("mysql_tls_login_host")))
    return region, str(values.value("mysql_tls_aws_profile") or "")


def missing() -> str | None:
    """What has to be installed on this controller, in a sentence; None where nothing is missing."""
    return rds_api.missing_collection(_version_of_amazon_aws(), boto3=_importable("boto3"))


class _Host(t.NamedTuple):
    place: Place | None
    problem: str
    login_host: str
    identifier: str | None
    is_rds: bool


class _Region:
    """What the API says of one region and account, or why it says nothing."""

    def __init__(self, place: Place, execute: Execute) -> None:
        self._options = {"region": place[0], **({"profile": place[1]} if place[1] else {})}
        self._execute = execute
        self.problems: list[str] = []
        self.instances = self._ask("rds_instance_info", "instances")
        in_clusters = any(instance.get("db_cluster_identifier") for instance in self.instances)
        self.clusters = self._ask("rds_cluster_info", "clusters") if in_clusters else []
        groups: list[_Data] = []
        if in_clusters:  # of instances' groups amazon.aws reads no values
            groups = self._ask("rds_cluster_param_group_info", "db_cluster_parameter_groups", include_parameters="user")
        self.values = {group.get("db_cluster_parameter_group_name"): _value(group) for group in groups}
        self.offered: dict[str, set[t.Any]] = {}
        for engine in sorted({str(one.get("engine")) for one in self.instances} & set(rds_api.ENGINES)):
            versions = self._ask("rds_engine_versions_info", "db_engine_versions", engine=engine)
            if versions:
                offered = {one.get("engine_version") for one in versions if one.get("status") != "deprecated"}
                self.offered[engine] = offered

    def _ask(self, module: str, name: str, **options: t.Any) -> list[_Data]:
        answer = self._execute(f"amazon.aws.{module}", {**self._options, **options})
        if answer.get("failed"):
            self.problems.append(f"{module}: {str(answer.get('msg')).rstrip('. ')}.")
            return []
        return list(answer.get(name) or ())


class RdsAudit:
    """What the RDS API says of the hosts that ask for it with ``mysql_tls_rds_api``."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}
        self._regions: dict[Place, _Region] = {}

    def look(self, host: str, variables: HostVariables) -> None:
        """Take in one host."""
        try:
            if not boolean(variables.value("mysql_tls_rds_api") or False, strict=False):
                return
            role, login_host = variables.value("mysql_tls_role"), str(variables.value("mysql_tls_login_host"))
            identifier = variables.value("mysql_tls_db_identifier")
        except AnsibleError:
            return  # The check says what cannot be evaluated.
        endpoint = parse_endpoint(login_host)
        if role == "proxy" or (endpoint and endpoint.proxy):
            return
        place, problem = None, ""
        try:
            place = place_of(variables)
        except AnsibleError as e:
            problem = to_text(e)
        except RdsMysqlError as e:
            problem = e.message
        is_rds = endpoint is not None or bool(identifier)
        self._hosts[host] = _Host(place, problem, login_host, identifier, is_rds)

    def sentences(self) -> list[str]:
        """What is missing on the controller."""
        problem = missing() if self._hosts else None
        return [f"mysql_tls_rds_api: {problem}"] if problem else []

    def read(self, execute: Execute) -> None:
        """Ask the API for each region and account.

        :arg execute: Runs a module with options and returns its result.
        """
        for place in {host.place: None for host in self._hosts.values() if host.place}:
            self._regions[place] = _Region(place, execute)

    def add_to(self, name: str, result: dict[str, t.Any]) -> dict[str, t.Any]:
        """The result of mysql_ssl_status for a host, with what the API says of it."""
        host, status = self._hosts.get(name), result.get("mysql_ssl")
        if host is None or status is None:
            return result
        # The region of a self-managed server says nothing about AWS.
        if not host.is_rds and not status["server"].get("managed_by"):
            return result
        found, api = self._found(host, status)
        status = {
            **status,
            "rds_api": api,
            "findings": sorted(
                [*status["findings"], *(one.describe() for one in found)],
                key=lambda one: SEVERITIES.index(one["severity"]),
            ),
            "summary": [*status["summary"], *(f"{one.severity}: {one.id}: {one.message}" for one in found)],
        }
        return {**result, "mysql_ssl": status}

    def _found(self, host: _Host, status: _Data) -> tuple[list[Finding], dict[str, t.Any] | None]:
        region = self._regions[host.place] if host.place else None
        if region is None or host.place is None:
            return [not_visible(host.login_host, host.problem)], None
        problems = [not_visible(host.login_host, problem) for problem in region.problems]
        try:
            one = rds_api.database(host.login_host, host.identifier, region.instances, region.clusters)
        except RdsMysqlError as e:
            # Not found in what could not be read says nothing.
            return problems or [not_visible(host.login_host, e.message)], None
        wrong = rds_api.another_server(rds_api.endpoints_of(status["certificate"]), one)
        if wrong:
            return [not_visible(host.login_host, f"{wrong[0].upper()}{wrong[1:]}")], None
        api = _described(host.place[0], one, region)
        return [*of_rds_api(api, status, host.place[1]), *problems], api


def _described(place: str, one: _Data, region: _Region) -> dict[str, t.Any]:
    offered = region.offered.get(one["engine"])
    return {
        "region": place,
        "instance": one["instance"],
        "engine": one["engine"],
        "engine_version": one["engine_version"],
        "ca": one["ca"],
        "pending": one["pending"],
        "window": one["window"],
        "parameter_group": one["group"],
        "apply_status": one["own_apply_status"],
        "require_secure_transport": region.values.get(one["group"]) if one["kind"] == "cluster" else None,
        "publicly_accessible": one["publicly_accessible"],
        "version_available": one["engine_version"] in offered if offered is not None else None,
    }


def _value(group: _Data) -> bool | None:
    """Whether the group requires TLS, None where nobody has set it."""
    for parameter in group.get("db_parameters") or ():
        if parameter.get("parameter_name") == "require_secure_transport" and parameter.get("parameter_value"):
            return str(parameter["parameter_value"]).upper() in ("1", "ON")
    return None


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _version_of_amazon_aws() -> str | None:
    """The version of the collection that this controller has, None where it has none."""
    try:
        found = importlib.util.find_spec("ansible_collections.amazon.aws")
    except (ImportError, ValueError):
        return None
    for directory in found.submodule_search_locations or () if found else ():
        manifest = Path(directory) / "MANIFEST.json"
        if manifest.is_file():
            return str(json.loads(manifest.read_text("utf-8"))["collection_info"]["version"])
    # A checkout has none, and whoever uses one knows its version.
    return "999" if found else None
