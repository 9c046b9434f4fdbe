# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which database of the RDS API a host is, and what speaks against changing it. Data in, data out."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._rds import (
    endpoints_in,
    is_region,
    parse_endpoint,
    rds_authority,
    rds_region,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._tls.certificates import parse_pem
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_variables import listed
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.role_words import with_variables

# What the tests run with is amazon.aws 9.5.2.
AMAZON_AWS = (9, 5)
# In the second it may be for hours after its storage has grown.
USABLE = ("available", "storage-optimization")
ENGINES = ("mysql", "mariadb", "aurora-mysql")
AUTHORITIES = ("rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1")

_Data = t.Mapping[str, t.Any]
_NO_BUNDLES = (
    "Which CA certificates the clients have is not known: set mysql_tls_client_bundles to copies of their bundles, or "
    "mysql_tls_client_hosts to the hosts that have them at mysql_tls_bundle_dest."
)


def missing_collection(version: str | None, *, boto3: bool) -> str | None:
    """What has to be installed on the controller, in a sentence.

    :arg version: That of amazon.aws, None where it is not installed.
    """
    needed = ".".join(str(part) for part in AMAZON_AWS)
    install = f"ansible-galaxy collection install 'amazon.aws:>={needed}.0'"
    if version is None:
        return f"The collection amazon.aws is not installed here. Install it with: {install}"
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < AMAZON_AWS:
        return f"amazon.aws {version} is too old; {needed} is the oldest supported. Install it with: {install}"
    if not boto3:
        return "amazon.aws needs boto3, which this Python does not have. Install it with: python3 -m pip install boto3"
    return None


def region_of(region: str, login_host: str) -> str:
    """The region of a host's database.

    :raises RdsMysqlError: where neither variable tells.
    """
    if is_region(region):
        return region
    endpoint = parse_endpoint(login_host)
    if endpoint is None:
        raise RdsMysqlError(f"The AWS region of {login_host} is not known: set mysql_tls_region.")
    return endpoint.region


# Finding the database


def database(
    login_host: str, identifier: str | None, instances: t.Sequence[_Data], clusters: t.Sequence[_Data]
) -> dict[str, t.Any]:
    """The database that a host is, from the API's instances and clusters of its region.

    :arg identifier: ``mysql_tls_db_identifier``; without it the endpoint's address decides.
    :raises RdsMysqlError: where it is none of them, or several.
    """
    instance, cluster = _match(login_host, identifier, instances, clusters)
    if instance is None and cluster is not None:
        writers = [m["db_instance_identifier"] for m in cluster["db_cluster_members"] if m.get("is_cluster_writer")]
        instance = next((i for i in instances if i["db_instance_identifier"] in writers), None)
    if instance is None:
        what = identifier or login_host
        raise RdsMysqlError(f"The cluster of {what} has no writer in the RDS API.")
    if cluster is None and instance.get("db_cluster_identifier"):
        cluster = next(
            (c for c in clusters if c["db_cluster_identifier"] == instance["db_cluster_identifier"]),
            None,
        )
        if cluster is None:
            raise RdsMysqlError(f"The RDS API does not list the cluster {instance['db_cluster_identifier']}.")
    return {**of_instance(instance), **_parameter_group(instance, cluster, instances, clusters)}


def _match(
    login_host: str, identifier: str | None, instances: t.Sequence[_Data], clusters: t.Sequence[_Data]
) -> tuple[_Data | None, _Data | None]:
    address = login_host.rstrip(".").lower()
    if identifier:
        identifier = str(identifier).lower()  # as the API has it, whatever it was created with
        found = [i for i in instances if i["db_instance_identifier"] == identifier]
        owners = [c for c in clusters if c["db_cluster_identifier"] == identifier]
        hint = f"mysql_tls_db_identifier: the RDS API lists no instance and no cluster {identifier}."
    else:
        found = [i for i in instances if (i.get("endpoint") or {}).get("address", "").lower() == address]
        owners = [c for c in clusters if str(c.get("endpoint", "")).lower() == address]
        hint = f"No instance or cluster in the RDS API has the endpoint {login_host}: set mysql_tls_db_identifier."
        several = [str(name).lower() for c in clusters for name in (c.get("reader_endpoint"), *_custom_endpoints(c))]
        if address in several:
            hint = f"{login_host} is a reader endpoint, which stands for several instances. Name the instances instead."
    if found and owners:
        raise RdsMysqlError(f"mysql_tls_db_identifier: both an instance and a cluster are called {identifier}.")
    if not found and not owners:
        raise RdsMysqlError(hint)
    return (found[0] if found else None), (owners[0] if owners else None)


def _custom_endpoints(cluster: _Data) -> t.Sequence[str]:
    return cluster.get("custom_endpoints") or ()


def _pending(one: _Data) -> list[str]:
    """What waits for the maintenance window of an instance or cluster."""
    pending = one.get("pending_modified_values") or {}
    return sorted(name for name, value in pending.items() if value not in (None, "", [], {}))


def of_instance(instance: _Data) -> dict[str, t.Any]:
    """What the API says of an instance, without what it shares with others."""
    return {
        "instance": instance["db_instance_identifier"],
        # arn:aws:rds:eu-central-1:123456789012:db:orders
        "account": instance["db_instance_arn"].split(":")[4],
        "address": (instance.get("endpoint") or {}).get("address"),
        "engine": instance["engine"],
        "engine_version": instance.get("engine_version"),
        "status": instance.get("db_instance_status"),
        "ca": instance.get("ca_certificate_identifier"),
        "pending_ca": (instance.get("pending_modified_values") or {}).get("ca_certificate_identifier"),
        "pending": _pending(instance),
        "window": instance.get("preferred_maintenance_window"),
        "publicly_accessible": instance.get("publicly_accessible"),
    }


def _parameter_group(
    instance: _Data, cluster: _Data | None, instances: t.Sequence[_Data], clusters: t.Sequence[_Data]
) -> dict[str, t.Any]:
    """The parameter group that has require_secure_transport, and every instance that it counts for."""
    name = instance["db_instance_identifier"]
    own = status = None
    if cluster is None:
        groups = instance.get("db_parameter_groups") or [{}]
        group, status = groups[0].get("db_parameter_group_name"), groups[0].get("parameter_apply_status")
        owner, kind = name, "instance"
    else:
        group, owner, kind = cluster["db_cluster_parameter_group"], cluster["db_cluster_identifier"], "cluster"
    default = str(group).startswith("default.")
    # In place of a default group one for this database, which may be there and count for others as well.
    target = f"{owner}-tls" if default else group
    if cluster is None:
        sharing = [
            i["db_instance_identifier"]
            for i in instances
            if not i.get("db_cluster_identifier")
            and (
                i["db_instance_identifier"] == name
                or target in [g.get("db_parameter_group_name") for g in i.get("db_parameter_groups") or ()]
            )
        ]
    else:
        members = [
            c for c in clusters if c["db_cluster_identifier"] == owner or c["db_cluster_parameter_group"] == target
        ]
        sharing = [m["db_instance_identifier"] for c in members for m in c["db_cluster_members"]]
        states = {
            m["db_instance_identifier"]: m.get("db_cluster_parameter_group_status")
            for m in cluster["db_cluster_members"]
        }
        status = own = states.get(name)
        waiting = [state for state in states.values() if state != "in-sync"]
        status = waiting[0] if waiting else status
    aurora = str(instance["engine"]).startswith("aurora")
    return {
        "kind": kind,
        "owner": owner,
        "group": group,
        "default_group": default,
        "group_to_change": target,
        "apply_status": status,
        "own_apply_status": own or status,
        "sharing": sharing,
        "multi_az_cluster": cluster is not None and not aurora,
        # "Valid values" of the parameter differ: a boolean in instances' groups, ON or OFF in clusters'.
        "on": "ON" if kind == "cluster" else "1",
        "off": "OFF" if kind == "cluster" else "0",
    }


# Guards


class Guarded(t.NamedTuple):
    """A host of the play: the instance that it is, and what the guards have said of its server.

    ``objection`` is a sentence; ``endpoints`` are those that the server's certificate is for.
    """

    database: _Data
    objection: str | None = None
    endpoints: t.Sequence[str] = ()
    required: bool = False


def lock_objections(one: _Data, guarded: t.Mapping[str, Guarded]) -> list[str]:
    """What speaks against requiring TLS in the parameter group of this database, in sentences.

    :arg guarded: The hosts of the play in the same region and AWS account.
    """
    concerned = {host: each for host, each in guarded.items() if each.database["instance"] in one["sharing"]}
    checked = {each.database["instance"] for each in concerned.values()}
    found = []
    unchecked = [name for name in one["sharing"] if name not in checked]
    if unchecked:
        found.append(
            f"The parameter group {one['group_to_change']} counts for instances that were not checked in this run: "
            f"{listed(unchecked)}. Add them to mysql_tls_hosts."
        )
    for host, each in concerned.items():
        if each.objection:
            found.append(f"{host}: {_for_a_parameter_group(each.objection)}")
        wrong = another_server(each.endpoints, each.database)
        if wrong:
            found.append(f"{host}: {wrong}")
    if not all(each.required for each in concerned.values()):
        found += _unusable(one)
        if one["kind"] == "instance" and one["default_group"] and one["pending"]:
            found.append(_applied_as_well(one, one["pending"], "or attach a custom parameter group yourself"))
    return found


def _unusable(one: _Data) -> list[str]:
    if one["status"] in USABLE:
        return []
    return [f"The instance {one['instance']} is {one['status']}, not available. Run the playbook again later."]


def _applied_as_well(one: _Data, pending: t.Sequence[str], otherwise: str) -> str:
    """*ApplyImmediately* of ModifyDBInstance is for pending modifications as well (Amazon RDS API Reference)."""
    return (
        f"With this change AWS would apply at once what waits for the maintenance window of {one['instance']}: "
        f"{listed(pending)}. Apply or cancel that first, {otherwise}."
    )


def _for_a_parameter_group(sentence: str) -> str:
    """A module's message with what can be set here: no session is ended for it."""
    sentence = sentence.replace(" Nothing was changed.", "").replace("warn, allow or kill", "warn or allow")
    return with_variables(sentence)


def endpoints_of(certificate: _Data | None) -> list[str]:
    """The RDS endpoints that a certificate is for, as mysql_ssl_status describes it."""
    names = [certificate["common_name"], *certificate["san"]] if certificate else []
    return endpoints_in(str(name).removeprefix("DNS:") for name in names)


def another_server(endpoints: t.Sequence[str], one: _Data) -> str | None:
    """A sentence where the server's certificate is for another instance than this one of the API.

    :arg endpoints: Endpoints of RDS that the certificate is for. Servers that are not RDS's have none.
    """
    address = str(one["address"] or "").lower()
    if not endpoints or address in endpoints or f"*.{address.partition('.')[2]}" in endpoints:
        return None
    return (
        f"the server that answers has the certificate of {listed(endpoints)}, but {one['instance']} has the endpoint "
        f"{address or 'none'} in the RDS API. Check mysql_tls_login_host and mysql_tls_db_identifier; after a "
        "failover, run the playbook again."
    )


def rotation_objections(
    one: _Data, target: str, engine_versions: t.Sequence[_Data], *, at_once: bool, reboot: bool
) -> list[str]:
    """What the API says against giving this instance a certificate of another CA, in sentences."""
    if target not in AUTHORITIES:
        return [f"mysql_tls_rotate_to is {target or 'not set'} and has to be one of: {', '.join(AUTHORITIES)}."]
    if one["ca"] == target:
        instance, other = one["instance"], one["pending_ca"] if one["pending_ca"] != target else None
        waits = f"{instance} uses {target}, but waits for its maintenance window to use {other}. Cancel that first."
        return [waits] if other else []
    found = _unusable(one)
    version = engine_versions[0] if engine_versions else {}
    supported = version.get("supported_ca_certificate_identifiers")
    name = f"{one['engine']} {one['engine_version']}"
    if supported and target not in supported:
        found.append(f"{name} does not support {target}, only: {', '.join(supported)}.")
    if not at_once:
        return found
    pending = [name for name in one["pending"] if name != "ca_certificate_identifier"]
    if pending and not one["multi_az_cluster"]:
        found.append(_applied_as_well(one, pending, "or set mysql_tls_apply_immediately to false"))
    if restarts(engine_versions) != WITHOUT_RESTART and not reboot:
        found.append(
            f"{name} {'restarts' if engine_versions else 'may restart'} to change its certificate. Set "
            "mysql_tls_reboot to true to accept that, or mysql_tls_apply_immediately to false for the maintenance "
            "window."
        )
    return found


WITHOUT_RESTART = "without a restart"


def restarts(engine_versions: t.Sequence[_Data]) -> str:
    """Whether a new certificate takes a restart. AWS does not say it of versions that it does not offer any more."""
    if not engine_versions:
        return "the server may restart"
    supported = engine_versions[0].get("supports_certificate_rotation_without_restart") is True
    return WITHOUT_RESTART if supported else "the server restarts"


def roots_of(path: str, target: str, region: str | None = None) -> dict[str, str]:
    """The self-signed certificates of an RDS CA in a bundle: subject by fingerprint.

    :arg region: Only that of this region, where there is one: the bundle may be that of all regions.
    :raises RdsMysqlError: where the file is not a bundle.
    """
    try:
        with open(path, "rb") as handle:
            content = handle.read()
    except OSError as e:
        raise RdsMysqlError(f"{path}: {e.strerror}.") from e
    roots = [one for one in parse_pem(content, path) if one.self_signed and rds_authority(one) == target]
    # AWS's preview environment, in us-east-2, has one of its own.
    own = [one for one in roots if region and rds_region(one) == region and "preview" not in one.subject.lower()]
    return {one.fingerprint_sha256: one.subject for one in own or roots}


def bundle_objections(
    target: str, region: str, reference: str, bundles: t.Sequence[str], checks: t.Mapping[str, t.Any]
) -> list[str]:
    """What the clients' bundles lack, in sentences.

    :arg reference: The bundle of AWS, whose CA it has to be, not just one with the name.
    :arg checks: What an unauthenticated check of the server said with each bundle.
    """
    if not bundles:
        return [_NO_BUNDLES]
    wanted = roots_of(reference, target, region)
    if not wanted:
        return [f"{reference} has no root certificate of {target}."]
    found = []
    for path in bundles:
        missing = [subject for digest, subject in wanted.items() if digest not in roots_of(path, target)]
        if missing:
            found.append(f"{path} lacks the new CA: {listed(missing)}.")
        certificate = ((checks.get(path) or {}).get("mysql_ssl") or {}).get("certificate")
        if certificate is None:
            found.append(f"The current certificate could not be checked with {path}.")
        # With an expired one, clients that verify cannot connect anyway.
        elif not certificate["trusted"] and "expired" not in str(certificate["trust_error"]):
            found.append(f"{path} does not verify the current certificate: {certificate['trust_error']}.")
    return found


def recorded_objections(target: str, clients: t.Sequence[tuple[str, str]]) -> list[str]:
    """A sentence about the hosts whose bundle, as it was installed last, lacks the new CA.

    :arg clients: Hosts and the paths of their bundles.
    """
    if not clients:
        return []
    names = listed([f"{host}:{path}" for host, path in clients])
    sentence = (
        "The CA bundles that the playbook bundle has installed last verify the current certificate and lack "
        f"{target}: {names}. Run the playbook bundle for these hosts, and name those that are gone in "
        "mysql_tls_clients_gone."
    )
    return [sentence]
