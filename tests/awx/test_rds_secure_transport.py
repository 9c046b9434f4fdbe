# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rds_secure_transport: amazon.aws against moto's server, and real servers behind the endpoints."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import fleet_check
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import History
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import model

from tests.functional.database import Account, Database
from tests.functional.plays import Ansible, Run
from tests.functional.servers import Servers

from .aws import CALLED, SECRET, Aws, after_all_others, aws_on_loopback, client, instance, permissions

MODIFYING = {
    "rds:CreateDBParameterGroup",
    "rds:ModifyDBParameterGroup",
    "rds:CreateDBClusterParameterGroup",
    "rds:ModifyDBClusterParameterGroup",
    "rds:ModifyDBInstance",
    "rds:ModifyDBCluster",
    "rds:RebootDBInstance",
}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An AWS on loopback."""
    with aws_on_loopback(monkeypatch) as running:
        yield running


class Fleet:
    """Real servers, each the endpoint of an instance."""

    def __init__(self, aws: Aws, ansible: Ansible, databases: dict[str, Database]) -> None:
        self.aws, self.ansible, self.databases = aws, ansible, databases
        self.logins: dict[str, Account] = {name: db.administrator() for name, db in databases.items()}
        ansible.secrets = [SECRET, *(login.password for login in self.logins.values())]
        self.inventory = ansible.directory / "inventory.yml"
        hosts = {name: self._variables(name) for name in databases}
        self.inventory.write_text(json.dumps({"all": {"hosts": hosts}}))

    def _variables(self, name: str) -> dict[str, Any]:
        db, login = self.databases[name], self.logins[name]
        return {
            "mysql_tls_login_host": db.server.host,
            "mysql_tls_login_port": db.server.port,
            "mysql_tls_login_user": login.user,
            "mysql_tls_login_password": login.password,
            "mysql_tls_ca_cert": str(db.pki.bundle),
            "mysql_tls_region": "eu-central-1",
            "mysql_tls_db_identifier": name,
            "mysql_tls_plaintext_sessions": "warn" if db.mariadb else "fail",
        }

    def run(self, *arguments: str) -> Run:
        """The playbook; waiting is short."""
        self.aws.calls.clear()
        run = self.ansible.run(
            *("ansible-playbook", "-i", str(self.inventory), "dbtls.rds_mysql.rds_secure_transport"),
            *("-e", "__mysql_tls_rds_poll=0.1", "-e", "mysql_tls_rds_wait=10", *arguments),
        )
        self.aws.check_permissions("rds_secure_transport")
        return run

    def observed(self, name: str, app: Account) -> None:
        """What the playbooks watch and audit leave: one pass, and a check that has seen this account."""
        db, now = self.databases[name], dt.datetime.now(dt.UTC).replace(microsecond=0)
        endpoint = model.Endpoint(db.server.host, db.server.port)
        options = {name: db.options(self.logins[name], sessions_only=True)}
        ((_name, result),) = fleet_check.run(fleet_check.Prepared(options), fleet_check.SESSIONS_JOB)
        seen = result["mysql_ssl_sessions"]
        store.record(self.ansible.state / store.DIRECTORY, [store.Pass(name, str(endpoint), seen)], now, keep_days=400)
        server = model.Server(
            name,
            name,
            model.CHECKED,
            verdict="non_compliant",
            checked_at=iso8601(now),
            endpoint=endpoint,
            accounts=(model.Account(app.user, app.host, "NONE"),),
        )
        run = model.Run("1", iso8601(now), "0.2.0", "2.19.0", started_at=iso8601(now))
        History(self.ansible.state / "history").record(run, "audit", [server])

    def switch(self, value: str, *names: str) -> None:
        """What RDS does when a parameter is applied."""
        for name in names:
            self.databases[name].query(f"SET GLOBAL require_secure_transport = {value}")

    def switches(self) -> dict[str, int]:
        """The servers' own word."""
        return {name: int(db.value("SELECT @@require_secure_transport")) for name, db in self.databases.items()}

    def records(self) -> list[dict[str, Any]]:
        """The rollback records."""
        state = self.ansible.directory / "home" / ".local" / "state" / "dbtls-rds-mysql"
        found = sorted((state / "rollback" / "rds").glob("*.json"))
        return [json.loads(path.read_text()) for path in found]


@pytest.fixture
def fleet(aws: Aws, ansible: Ansible, servers: Servers) -> Iterator[Fleet]:
    """Two instances that share a parameter group."""
    running = Fleet(aws, ansible, {"orders": servers.get("mysql-9.7"), "stock": servers.get("mariadb-11.8")})
    try:
        yield running
    finally:
        running.switch("OFF", "orders", "stock")


def words(run: Run) -> str:
    """What was printed, in one line."""
    return " ".join(run.output.split())


def test_a_group_that_two_share(fleet: Fleet) -> None:
    rds = client()
    rds.create_db_parameter_group(DBParameterGroupName="shared", DBParameterGroupFamily="mysql8.0", Description="-")
    for name in fleet.databases:
        instance(rds, name, DBParameterGroupName="shared")
    fleet.aws.after["ModifyDBParameterGroup"] = [lambda _parameters: fleet.switch("ON", "orders", "stock")]

    app = fleet.databases["orders"].create("app", "%")
    fleet.observed("orders", app)
    with fleet.databases["orders"].login(app, None):
        run = fleet.run("-e", "mysql_tls_hosts=orders", "-e", "mysql_tls_only_ready=true")
    assert run.status == 2
    assert "counts for instances that were not checked in this run: stock. Add them to mysql_tls_hosts" in words(run)
    assert "orders: clients are connected without TLS: app@" in words(run)
    assert f"orders: mysql_tls_only_ready is set, and {app.user}@% is unknown (Observed for 0.0 of 35 days" in words(
        run
    )

    rehearsal = fleet.run("--check").ok()
    assert "require_secure_transport would be set to ON in the parameter group shared" in words(rehearsal)
    assert not fleet.aws.calls & MODIFYING
    assert fleet.switches() == {"orders": 0, "stock": 0}
    assert fleet.records() == []

    done = fleet.run().ok()
    assert fleet.aws.calls & MODIFYING == {"rds:ModifyDBParameterGroup"}
    assert fleet.switches() == {"orders": 1, "stock": 1}
    (record,) = fleet.records()
    assert (record["parameter_group"], record["in_force_before"], record["host"]) == ("shared", "OFF", "orders")
    assert "ParameterName=require_secure_transport,ParameterValue=0,ApplyMethod=immediate" in record["undo"][0]
    assert record["undo"][0] in words(done)
    assert "require_secure_transport is already ON for stock" in words(done)


def test_a_default_group(fleet: Fleet) -> None:
    """A custom group of the same family; attached only if that is asked for."""
    instance(client(), "orders")
    only = ("-e", "mysql_tls_hosts=orders")

    # As text, which is what -e makes of it.
    created = fleet.run(*only, "-e", "mysql_tls_attach_parameter_group=false")
    assert created.status == 2
    assert "orders uses default.mysql8.0, which cannot be edited. The parameter group orders-tls has been" in words(
        created
    )
    assert "set mysql_tls_attach_parameter_group to true" in words(created)
    assert fleet.aws.calls & MODIFYING == {"rds:CreateDBParameterGroup"}

    # As where AWS applies it after a reboot, which moto does not know.
    fleet.aws.rewritten["DescribeDBInstances"] = (b">in-sync<", b">pending-reboot<")
    waiting = fleet.run(*only, "-e", "mysql_tls_attach_parameter_group=true", "-e", "mysql_tls_reboot=false")
    assert waiting.status == 2
    assert "is set in orders-tls, but is not in force on orders. The parameter group counts after a reboot" in words(
        waiting
    )
    assert fleet.aws.calls & MODIFYING == {"rds:ModifyDBInstance", "rds:ModifyDBParameterGroup"}
    (described,) = client().describe_db_instances(DBInstanceIdentifier="orders")["DBInstances"]
    assert [group["DBParameterGroupName"] for group in described["DBParameterGroups"]] == ["orders-tls"]

    fleet.aws.after["RebootDBInstance"] = [lambda _parameters: fleet.switch("ON", "orders")]
    fleet.run(*only, "-e", "mysql_tls_reboot=true").ok()
    assert fleet.aws.calls & MODIFYING == {"rds:RebootDBInstance"}
    assert fleet.switches()["orders"] == 1


def test_a_cluster_with_a_default_group(fleet: Fleet) -> None:
    """A custom cluster parameter group, when all members were checked."""
    rds = client()
    rds.create_db_cluster(
        DBClusterIdentifier="shop", Engine="aurora-mysql", MasterUsername="admin", MasterUserPassword="password1"
    )
    for name in fleet.databases:
        instance(rds, name, Engine="aurora-mysql", EngineVersion="8.0.mysql_aurora.3.05.2", DBClusterIdentifier="shop")
    fleet.aws.after["ModifyDBClusterParameterGroup"] = [lambda _parameters: fleet.switch("ON", "orders", "stock")]
    done = fleet.run("-e", "mysql_tls_attach_parameter_group=true").ok()
    modifying = {"rds:CreateDBClusterParameterGroup", "rds:ModifyDBCluster", "rds:ModifyDBClusterParameterGroup"}
    assert fleet.aws.calls & MODIFYING == modifying
    assert fleet.switches() == {"orders": 1, "stock": 1}
    parameter = fleet.aws.backend.db_cluster_parameter_groups["shop-tls"].parameters["require_secure_transport"]
    assert (parameter["ParameterValue"], parameter["ApplyMethod"]) == ("ON", "immediate")
    (cluster,) = rds.describe_db_clusters()["DBClusters"]
    assert cluster["DBClusterParameterGroup"] == "shop-tls"
    assert "aws rds modify-db-cluster-parameter-group --region eu-central-1" in words(done)


def test_the_guide_lists_no_call_that_is_not_made(request: pytest.FixtureRequest) -> None:
    after_all_others(request)
    assert permissions("rds_secure_transport") == CALLED["rds_secure_transport"]
