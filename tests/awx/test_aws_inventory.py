# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventories from AWS: amazon.aws and boto3 against moto's server; IAM tokens from the AWS command line."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.functional.database import Database
from tests.functional.plays import Ansible
from tests.functional.servers import Servers
from tests.servers import Pki, ServerUnavailable
from tests.servers.aws_iam import IamPlugin, asking_for_tokens

from .aws import REGION, SECRET, Aws, aws_on_loopback, client
from .data import COLLECTION

VERSIONS = {"mysql": "8.0.36", "mariadb": "10.11.6", "postgres": "16"}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Aws]:
    """An AWS on loopback."""
    with aws_on_loopback(monkeypatch, tmp_path) as running:
        yield running


@pytest.fixture
def rds(aws: Aws) -> Any:
    """Databases of several engines."""
    del aws
    rds = client()
    _instance(rds, "orders", "mysql", CACertificateIdentifier="rds-ca-rsa2048-g1", Port=3307)
    _instance(
        rds,
        "old",
        "mariadb",
        CACertificateIdentifier="rds-ca-2019",
        EnableIAMDatabaseAuthentication=True,
        Tags=[{"Key": "team", "Value": "stock"}],
    )
    _instance(rds, "ledger", "postgres")
    rds.create_db_instance_read_replica(DBInstanceIdentifier="orders-copy", SourceDBInstanceIdentifier="orders")
    for name, engine in (("shop", "aurora-mysql"), ("docs", "aurora-postgresql")):
        rds.create_db_cluster(
            DBClusterIdentifier=name, Engine=engine, MasterUsername="admin", MasterUserPassword="password1"
        )
        rds.create_db_instance(
            DBInstanceIdentifier=f"{name}-1", Engine=engine, DBInstanceClass="db.r5.large", DBClusterIdentifier=name
        )
    return rds


def _instance(rds: Any, name: str, engine: str, **more: Any) -> None:
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        Engine=engine,
        EngineVersion=VERSIONS[engine],
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername="admin",
        MasterUserPassword="password1",
        **more,
    )


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """A copy of the examples, as users make one."""
    return Path(shutil.copytree(COLLECTION / "inventory", tmp_path / "inventory"))


def listed(ansible: Ansible, source: Path) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    """The variables of each host, and the hosts of each group; without templates."""
    ansible.secrets = [SECRET]
    run = ansible.run("ansible-inventory", "-i", str(source), "--list").ok()
    # amazon.aws 9.5 uses something that ansible-core will take away.
    warnings = re.findall(r"^\[WARNING\]: (?!Deprecation warnings).*", run.output, re.MULTILINE)
    assert warnings == []
    # Text from outside is marked, so that nobody takes it for a template.
    found = json.loads(run.output[run.output.index("{") :], object_hook=lambda o: o.get("__ansible_unsafe", o))
    hosts = found.pop("_meta")["hostvars"]
    return hosts, {name: group["hosts"] for name, group in found.items() if "hosts" in group}


def test_instances_and_clusters(rds: Any, ansible: Ansible, inventory: Path) -> None:
    hosts, groups = listed(ansible, inventory / "databases.aws_rds.yml")
    assert sorted(groups["rds_databases"]) == ["old", "orders", "orders-copy", "shop", "shop-1"]
    described = {item["DBInstanceIdentifier"]: item for item in rds.describe_db_instances()["DBInstances"]}
    for name in ("old", "orders", "orders-copy", "shop-1"):
        variables = hosts[name]
        assert variables["mysql_tls_login_host"] == described[name]["Endpoint"]["Address"]
        assert variables["mysql_tls_login_port"] == described[name]["Endpoint"]["Port"]
        assert variables["mysql_tls_region"] == REGION
        assert variables["mysql_tls_ca_set"] == ("rds-ca-2019" if name == "old" else "current")
        assert variables["aws_engine"] == described[name]["Engine"]
    assert hosts["orders"]["mysql_tls_login_port"] == 3307
    assert groups["rds_iam"] == ["old"]
    assert "mysql_tls_login_password" in hosts["old"]
    assert "mysql_tls_login_password" not in hosts["orders"]
    assert groups["rds_ca_2019"] == ["old"]
    (cluster,) = rds.describe_db_clusters(DBClusterIdentifier="shop")["DBClusters"]
    assert hosts["shop"]["mysql_tls_login_host"] == cluster["Endpoint"]
    assert hosts["shop"]["mysql_tls_login_port"] == cluster["Port"]
    assert hosts["shop"]["mysql_tls_region"] == REGION
    assert hosts["shop"]["mysql_tls_ca_set"] == "current"
    roles = {name: variables["mysql_tls_role"] for name, variables in hosts.items() if name in groups["rds_databases"]}
    assert roles == {"old": "writer", "orders": "writer", "orders-copy": "reader", "shop": "writer", "shop-1": "reader"}
    assert sorted(groups["rds_writers"]) == ["old", "orders", "shop"]
    assert sorted(groups["rds_readers"]) == ["orders-copy", "shop-1"]
    assert sorted(groups["rds_cluster_shop"]) == ["shop", "shop-1"]
    assert sorted(groups["rds_aurora_mysql"]) == ["shop", "shop-1"]
    assert set(groups["rds_databases"]) <= set(groups["rds_region_eu_central_1"])
    assert set(groups["rds_databases"]) <= set(groups["rds_account_123456789012"])
    assert groups["rds_tag_team_stock"] == ["old"]


def test_logins_from_secrets_manager(
    rds: Any, aws: Aws, ansible: Ansible, inventory: Path, servers: Servers, tmp_path: Path
) -> None:
    """Each secret is fetched once, RDS's own one too; readers are not written to, and no password is seen."""
    db = servers.get("mysql-9.7")
    me, app = db.administrator(), db.create("app", "%")
    ansible.secrets = [SECRET, me.password]
    login = json.dumps({"username": me.user, "password": me.password})
    secrets = client("secretsmanager")
    shared = secrets.create_secret(Name="login", SecretString=login)["ARN"]
    # The secret that RDS manages. Its password is that of the server which stands in for the instance.
    rds.modify_db_instance(DBInstanceIdentifier="orders", ManageMasterUserPassword=True, ApplyImmediately=True)
    (described,) = rds.describe_db_instances(DBInstanceIdentifier="orders")["DBInstances"]
    secrets.put_secret_value(SecretId=described["MasterUserSecret"]["SecretArn"], SecretString=login)
    source = inventory / "databases.aws_rds.yml"
    text = source.read_text()
    assert text.count("  # mysql_tls_secret:") == 1
    source.write_text(text.replace("  # mysql_tls_secret:", "  mysql_tls_secret:"))
    place = {
        "mysql_tls_login_host": db.server.host,
        "mysql_tls_login_port": db.server.port,
        "mysql_tls_ca_cert": str(db.pki.bundle),
    }
    # Two that share a secret of their own, beside the instance.
    names = ("orders", "orders-copy", "shop-1")
    places = {name: place if name == "orders" else {**place, "mysql_tls_secret": shared} for name in names}
    here = inventory / "here.yml"
    here.write_text(json.dumps({"all": {"hosts": places}}))
    aws.calls.clear()
    command = ["-i", str(inventory / "databases.aws_rds.yml"), "-i", str(here), "-vvv"]
    command += ["-e", f"mysql_tls_hosts={','.join(names)}", "-e", f"mysql_tls_report_dir={tmp_path / 'report'}"]
    ansible.run("ansible-playbook", *command, "dbtls.rds_mysql.audit").ok()
    assert aws.log.count("secretsmanager:GetSecretValue") == 2
    guide = (COLLECTION / "docs" / "docsite" / "rst" / "inventory_from_aws.rst").read_text("utf-8")
    assert aws.calls == set(re.findall(r"``((?:rds|secretsmanager):\w+)``", guide))
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert {server["name"]: server["session"]["user"] for server in report["servers"]} == dict.fromkeys(
        names, f"{me.user}@{me.host}"
    )
    accounts = ["-e", '{"mysql_tls_accounts": ["app@*"]}', "-e", "mysql_tls_canary=0", "-e", "mysql_tls_serial=2"]
    accounts += ["--limit", "orders,orders-copy"]
    done = ansible.run("ansible-playbook", *command, *accounts, "dbtls.rds_mysql.enforce").ok()
    assert db.ssl_type(app) == "ANY"
    assert '"orders-copy": "checked only' in done.output
    where = ["-i", str(inventory / "databases.aws_rds.yml"), "-i", str(here), "-e", "mysql_tls_hosts=orders"]
    missing = ansible.run("ansible-playbook", *where, "-e", "mysql_tls_secret=other", "dbtls.rds_mysql.audit")
    assert missing.status != 0
    assert "mysql_tls_secret: AWS Secrets Manager has no secret other, or denies it." in missing.output


@pytest.fixture
def asking(pki: Pki, tmp_path: Path) -> Iterator[tuple[Database, IamPlugin]]:
    """A server that asks for tokens, and what it is asked by."""
    with ExitStack() as stack:
        try:
            server, plugin = stack.enter_context(asking_for_tokens("mysql-9.7", pki.server(), tmp_path / "plugin"))
        except ServerUnavailable as e:
            pytest.skip(str(e))  # which says what cannot be had on this machine
        database = Database(server, pki)
        stack.callback(database.disconnect)
        yield database, plugin


def test_a_token_from_the_command_line(
    rds: Any, ansible: Ansible, inventory: Path, asking: tuple[Database, IamPlugin], tmp_path: Path
) -> None:
    """Audit and enforce on a server that asks for tokens, with the variables as they are documented."""
    database, plugin = asking
    database.query("CREATE USER db_iam@'127.0.0.1' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL")
    database.query("GRANT ALL PRIVILEGES ON *.* TO db_iam@'127.0.0.1' WITH GRANT OPTION")
    app = database.create("app", "%")
    # What AWS names cannot be reached from here: this server stands where "old" is.
    here = inventory / "here.yml"
    place = {"mysql_tls_login_host": database.server.host, "mysql_tls_login_port": database.server.port}
    here.write_text(json.dumps({"all": {"hosts": {"old": place}}}))
    arguments = ["-i", str(inventory / "databases.aws_rds.yml"), "-i", str(here), "-vvv"]
    arguments += ["-e", "mysql_tls_hosts=old", "-e", f"mysql_tls_ca_cert={database.pki.bundle}"]
    arguments += ["-e", f"mysql_tls_report_dir={tmp_path / 'report'}"]
    ansible.secrets = [SECRET, "X-Amz-Signature"]
    ansible.run("ansible-playbook", *arguments, "dbtls.rds_mysql.audit").ok()
    (first, *_more) = plugin.received()
    assert re.match(
        rf"127\.0\.0\.1:{database.server.port}/\?Action=connect&DBUser=db_iam&X-Amz-Algorithm=AWS4-HMAC-SHA256&", first
    )
    assert f"%2F{REGION}%2Frds-db%2Faws4_request" in first
    assert "X-Amz-Expires=900" in first
    accounts = [*arguments, "-e", '{"mysql_tls_accounts": ["app@*"]}']
    in_process = ansible.run("ansible-playbook", *accounts, "dbtls.rds_mysql.enforce", "--check").ok()
    assert "mysql_ssl_status runs as a module" not in in_process.output
    by_modules = [*accounts, "-e", "dbtls_in_process=never"]
    modules = ansible.run("ansible-playbook", *by_modules, "dbtls.rds_mysql.enforce").ok()
    assert "mysql_require_ssl runs as a module" in modules.output
    assert database.ssl_type(app) == "ANY"
