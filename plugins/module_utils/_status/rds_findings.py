# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the RDS API says of a database, beside what its server has shown: changes that are not in force, and more."""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.dbtls.rds_mysql.plugins.module_utils._status.finding import Command, Finding, finding

_Data = t.Mapping[str, t.Any]

PERMISSIONS = (
    "rds:DescribeDBInstances, rds:DescribeDBClusters, rds:DescribeDBClusterParameterGroups, "
    "rds:DescribeDBClusterParameters, rds:DescribeDBEngineVersions and rds:ListTagsForResource"
)


def not_visible(subject: str, reason: str) -> Finding:
    """The finding for a database that the API does not show.

    :arg reason: A sentence.
    """
    return finding(
        "rds-api-not-visible",
        subject,
        f"The RDS API was not compared with the server: {reason}",
        f"Allow the identity that runs the audit {PERMISSIONS}, or set mysql_tls_rds_api to false for this host.",
    )


def of_rds_api(api: _Data, status: _Data, profile: str = "") -> t.Iterator[Finding]:
    """What is wrong, or not in force.

    :arg api: ``rds_api`` of the return value.
    :arg status: ``mysql_ssl`` of the same server.
    :arg profile: That of its AWS account: in another account there may be an instance of the same name.
    """
    instance = api["instance"]
    place = f"--region {api['region']}" + (f" --profile {shlex.quote(profile)}" if profile else "")
    command = f"{place} --db-instance-identifier {instance}"
    reboot = Command(f"aws rds reboot-db-instance {command}")
    yield from _of_parameter_group(api, status, reboot)
    yield from _of_ca(api, status, reboot)
    if api["pending"]:
        yield finding(
            "rds-change-pending",
            instance,
            f"Changes of {instance} are pending until its maintenance window ({api['window']}): "
            f"{', '.join(api['pending'])}.",
            (
                "Wait for the window, or apply them at once, which may restart the server:",
                Command(f"aws rds modify-db-instance {command} --apply-immediately"),
            ),
        )
    if api["publicly_accessible"]:
        yield finding(
            "publicly-accessible",
            instance,
            f"{instance} is publicly accessible: its endpoint has a public IP address.",
            (
                "First make sure that every client reaches its private address. Then:",
                # AWS applies this at once in any case, and with --apply-immediately everything that is pending as well.
                Command(f"aws rds modify-db-instance {command} --no-publicly-accessible"),
            ),
        )
    if api["version_available"] is False:
        yield finding(
            "engine-version-deprecated",
            instance,
            f"{instance} runs {api['engine']} {api['engine_version']}, which AWS does not offer any more.",
            (
                "Upgrade it. Versions that it can go to:",
                Command(
                    f"aws rds describe-db-engine-versions {place} --engine {api['engine']} "
                    f"--engine-version {api['engine_version']} --include-all "
                    "--query 'DBEngineVersions[].ValidUpgradeTarget[].EngineVersion'"
                ),
            ),
        )


def _of_parameter_group(api: _Data, status: _Data, reboot: Command) -> t.Iterator[Finding]:
    """A change that counts after a reboot, or a value that is not the server's."""
    instance, group = api["instance"], api["parameter_group"]
    in_force = status["tls"]["require_secure_transport"]
    is_now = "" if in_force is None else f" require_secure_transport is {'ON' if in_force else 'OFF'} on the server."
    given = api["require_secure_transport"]
    if given is not None and in_force is not None and given is not in_force:
        message = f"The parameter group {group} sets require_secure_transport to {'ON' if given else 'OFF'}.{is_now}"
    elif api["apply_status"] == "pending-reboot":
        message = (
            f"The parameter group {group} has changes that are not in force on {instance} before a reboot.{is_now}"
        )
    else:
        return
    yield finding(
        "rds-parameter-not-in-force", instance, message, ("Put them in force, which ends all sessions:", reboot)
    )


def _of_ca(api: _Data, status: _Data, reboot: Command) -> t.Iterator[Finding]:
    """A CA that was changed, and a certificate that was not."""
    instance = api["instance"]
    shown = (status["certificate"] or {}).get("rds_ca")
    if shown and api["ca"] and shown != api["ca"]:
        yield finding(
            "rds-ca-not-in-force",
            instance,
            f"The CA of {instance} is {api['ca']} in the RDS API, but its certificate is of {shown}.",
            ("If AWS is not changing it just now, the new certificate counts after a restart:", reboot),
        )
