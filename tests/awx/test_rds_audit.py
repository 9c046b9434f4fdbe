# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_tls_rds_api: the audit of a real server, with modules of amazon.aws against moto's server.

What moto has not, engine versions among it, is answered in the form of the Amazon RDS API Reference. No answer was
recorded from AWS.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.functional.plays import Ansible
from tests.functional.servers import Servers

from .aws import CALLED, OFFERED, REGION, SECRET, aws_on_loopback, client, denied, instance, permissions


def test_contradictions(monkeypatch: pytest.MonkeyPatch, ansible: Ansible, servers: Servers, tmp_path: Path) -> None:
    """One of two servers has a parameter that is set and not in force; the API is asked once for both."""
    db = servers.get("mysql-9.7")
    login = db.administrator()
    ansible.secrets = [SECRET, login.password]
    variables = {
        "mysql_tls_login_host": db.server.host,
        "mysql_tls_login_port": db.server.port,
        "mysql_tls_login_user": login.user,
        "mysql_tls_login_password": login.password,
        "mysql_tls_ca_cert": str(db.pki.bundle),
        "mysql_tls_region": REGION,
    }
    names = ("orders", "shop")
    hosts = {name: {**variables, "mysql_tls_db_identifier": name} for name in names}
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    command = ["ansible-playbook", "-i", str(inventory), "dbtls.rds_mysql.audit", "-e", "mysql_tls_rds_api=true"]
    command += ["-e", f"mysql_tls_report_dir={tmp_path / 'report'}"]

    def findings() -> dict[str, list[str]]:
        report = json.loads((tmp_path / "report" / "report.json").read_text())
        kept = ("rds-", "publicly-", "engine-")
        return {
            server["name"]: [one["id"] for one in server["findings"] if one["id"].startswith(kept)]
            for server in report["servers"]
        }

    with aws_on_loopback(monkeypatch, tmp_path) as aws:
        rds = client()
        instance(rds, "orders", EngineVersion="8.0.28", PubliclyAccessible=True)
        aurora = {"Engine": "aurora-mysql", "EngineVersion": OFFERED["aurora-mysql"]}
        master = {"MasterUsername": "admin", "MasterUserPassword": "password1"}
        rds.create_db_cluster(DBClusterIdentifier="shop", **aurora, **master)
        instance(rds, "shop-1", DBClusterIdentifier="shop", **aurora)
        rds.create_db_cluster_parameter_group(
            DBClusterParameterGroupName="shop-tls", DBParameterGroupFamily="aurora-mysql8.0", Description="-"
        )
        rds.modify_db_cluster(DBClusterIdentifier="shop", DBClusterParameterGroupName="shop-tls", ApplyImmediately=True)
        parameter = {"ParameterName": "require_secure_transport", "ParameterValue": "ON"}
        rds.modify_db_cluster_parameter_group(
            DBClusterParameterGroupName="shop-tls", Parameters=[{**parameter, "ApplyMethod": "pending-reboot"}]
        )
        aws.log.clear()
        aws.calls.clear()
        ansible.run(*command).ok()
        assert findings() == {
            "orders": ["publicly-accessible", "engine-version-deprecated"],
            "shop": ["rds-parameter-not-in-force"],
        }
        assert aws.log.count("rds:DescribeDBInstances") == 1
        aws.check_permissions("audit")
        assert permissions("audit") == CALLED["audit"]

        aws.answers["DescribeDBInstances"] = lambda _parameters: denied("rds:DescribeDBInstances")
        ansible.run(*command).ok()
        assert findings() == {name: ["rds-api-not-visible"] for name in names}
