# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rds_secure_transport: amazon.aws against moto's server, and real servers behind the endpoints.

moto applies parameters to no server: what RDS does then is done here. Values of parameters are answered in the form of
the Amazon RDS API Reference, with what moto was given. No answer was recorded from AWS.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.time import iso8601
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import fleet_check
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import History
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import model

from tests.functional.database import Account, Database, Tls
from tests.functional.plays import Ansible, Run
from tests.functional.servers import Servers

from .aws import (
    CALLED,
    OTHER_ACCOUNT,
    PROFILE,
    SECRET,
    Aws,
    Parameters,
    after_all_others,
    aws_on_loopback,
    client,
    denied,
    instance,
    of_profiles,
    permissions,
)

READS = ("rds:Describe", "rds:List", "sts:")
# Hosts and their servers. The first two share a parameter group, the next one is a cluster, the last two have default
# parameter groups, the second of these in another AWS account.
SERVERS = {
    "orders": "mysql-9.7",
    "stock": "mariadb-11.8",
    "shop-1": "mariadb-10.11",
    "depot": "mysql-9.7",
    "archive": "mariadb-10.5",
}
AURORA = {"Engine": "aurora-mysql", "EngineVersion": "8.0.mysql_aurora.3.05.2"}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Aws]:
    """An AWS on loopback."""
    with aws_on_loopback(monkeypatch, tmp_path) as running:
        yield running


class Fleet:
    """Real servers, each the endpoint of an instance."""

    def __init__(self, aws: Aws, ansible: Ansible, databases: dict[str, Database]) -> None:
        self.aws, self.ansible, self.databases = aws, ansible, databases
        self.logins: dict[str, Account] = {name: db.administrator() for name, db in databases.items()}
        ansible.secrets = [SECRET, *(login.password for login in self.logins.values())]
        self.inventory = ansible.directory / "inventory.yml"
        hosts = {name: self._variables(name) for name in databases}
        hosts["archive"]["mysql_tls_aws_profile"] = PROFILE
        hosts["archive"]["mysql_tls_only_ready"] = "{{ only_archive_is_ready | default(false) }}"
        hosts["depot"]["mysql_tls_attach_parameter_group"] = False
        hosts["proxy"] = {"mysql_tls_login_host": "shop.proxy-abc.eu-central-1.rds.amazonaws.com"}
        self.inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        rds = client()
        rds.create_db_parameter_group(DBParameterGroupName="shared", DBParameterGroupFamily="mysql8.0", Description="-")
        for name in ("orders", "stock"):
            instance(rds, name, DBParameterGroupName="shared")
        instance(rds, "depot")
        instance(client(profile=PROFILE), "archive", PROFILE)
        rds.create_db_cluster(
            DBClusterIdentifier="shop", Engine="aurora-mysql", MasterUsername="admin", MasterUserPassword="password1"
        )
        instance(rds, "shop-1", DBClusterIdentifier="shop", **AURORA)
        aws.after["ModifyDBParameterGroup"] = [self._apply]
        aws.after["ModifyDBClusterParameterGroup"] = [lambda _parameters: self.switch("ON", "shop-1")]
        aws.after["RebootDBInstance"] = [lambda parameters: self.switch("ON", parameters["DBInstanceIdentifier"])]

    def _apply(self, parameters: Parameters) -> None:
        if parameters["DBParameterGroupName"] == "shared":
            on = parameters["Parameters.Parameter.1.ParameterValue"] == "1"
            self.switch("ON" if on else "OFF", "orders", "stock")

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
            "mysql_tls_attach_parameter_group": True,
        }

    def run(self, hosts: str, *arguments: str) -> Run:
        """The playbook; waiting is short."""
        self.aws.calls.clear()
        self.aws.whole = 0
        run = self.ansible.run(
            *("ansible-playbook", "-i", str(self.inventory), "dbtls.rds_mysql.rds_secure_transport"),
            *("-e", f"mysql_tls_hosts={hosts}", "-e", "__mysql_tls_rds_poll=0.1", "-e", "mysql_tls_rds_wait=10"),
            *arguments,
        )
        self.aws.check_permissions("rds_secure_transport")
        return run

    def changes(self) -> set[str]:
        """The calls of the last run that have changed something."""
        return {call for call in self.aws.calls if not call.startswith(READS)}

    def observed(self, name: str, *accounts: Account, ago: dt.timedelta = dt.timedelta()) -> None:
        """What the playbooks watch and audit leave: a pass some time ago, and a check that has seen these accounts."""
        db, at = self.databases[name], dt.datetime.now(dt.UTC).replace(microsecond=0) - ago
        endpoint = model.Endpoint(db.server.host, db.server.port)
        options = {name: db.options(self.logins[name], sessions_only=True)}
        ((_name, result),) = fleet_check.run(fleet_check.Prepared(options), fleet_check.SESSIONS_JOB)
        seen = result["mysql_ssl_sessions"]
        store.record(self.ansible.state / store.DIRECTORY, [store.Pass(name, str(endpoint), seen)], at, keep_days=400)
        if accounts:
            server = model.Server(
                name,
                name,
                model.CHECKED,
                verdict="non_compliant",
                checked_at=iso8601(at),
                endpoint=endpoint,
                accounts=tuple(model.Account(one.user, one.host, "NONE") for one in accounts),
            )
            run = model.Run(name, iso8601(at), "0.2.0", "2.19.0", started_at=iso8601(at))
            History(self.ansible.state / "history").record(run, "audit", [server])

    def switch(self, value: str, *names: str) -> None:
        """What RDS does when a parameter is applied."""
        for name in names:
            self.databases[name].query(f"SET GLOBAL require_secure_transport = {value}")

    def switches(self) -> dict[str, int]:
        """The servers' own word."""
        return {name: int(db.value("SELECT @@require_secure_transport")) for name, db in self.databases.items()}

    def records(self) -> dict[str, dict[str, Any]]:
        """The rollback records, by host."""
        found = [json.loads(path.read_text()) for path in (self.ansible.state / "rollback" / "rds").glob("*.json")]
        return {record["host"]: record for record in found}


@pytest.fixture
def fleet(aws: Aws, ansible: Ansible, servers: Servers) -> Iterator[Fleet]:
    """Instances, a cluster, and an instance of another AWS account."""
    databases = {host: servers.get(name) for host, name in SERVERS.items()}
    running = Fleet(aws, ansible, databases)
    databases["stock"].query("SET GLOBAL userstat = ON")
    try:
        yield running
    finally:
        running.switch("OFF", *SERVERS)
        databases["stock"].query("SET GLOBAL userstat = OFF")


def words(run: Run) -> str:
    """What was printed, in one line."""
    return " ".join(run.output.split())


def undo(record: dict[str, Any]) -> str:
    """Run the command of a record, and return it."""
    (command,) = record["undo"]
    program, *arguments = shlex.split(command)
    # The command line keeps what it got for a role there, which the next AWS on loopback would not know.
    home = {**os.environ, "HOME": str(Path(os.environ["AWS_CONFIG_FILE"]).parent)}
    command_line = str(Path(sys.executable).with_name(program))
    subprocess.run([command_line, *arguments], check=True, capture_output=True, env=home)
    return str(command)


def test_who_would_be_shut_out(fleet: Fleet) -> None:
    """Everything that speaks against it is said at once, and nothing is changed."""
    app, job = (fleet.databases[name].create("app", "%") for name in ("orders", "archive"))
    fleet.observed("archive", job)
    instance(client(), "shop-2", DBClusterIdentifier="shop", **AURORA)
    with fleet.databases["orders"].login(app, None):
        run = fleet.run("orders,archive,shop-1,proxy", "-e", '{"only_archive_is_ready": true}')
    said = words(run)
    assert run.status == 2
    assert "group shared counts for instances that were not checked in this run: stock. Add them to mysql_tls" in said
    assert "not checked in this run: shop-2. Add them" in said
    assert "orders: Clients are connected to 127.0.0.1" in said
    assert "without TLS and would be unable to reconnect: app from" in said
    assert "or set mysql_tls_plaintext_sessions to warn or allow." in said
    assert f"are not ready (mysql_tls_only_ready): {job.user}@% is unknown: The server does not expose" in said
    assert "proxy: shop.proxy-abc.eu-central-1.rds.amazonaws.com is an endpoint of RDS Proxy" in said
    assert not fleet.changes()


def test_from_check_mode_to_rollback(fleet: Fleet) -> None:
    aws, stock = fleet.aws, fleet.databases["stock"]
    app = stock.create("app", "%")
    for ago in (25, 0):
        fleet.observed("stock", app, ago=dt.timedelta(hours=ago))
    counted = ("-e", "mysql_tls_quiet_days=1", "-e", "mysql_tls_watch_every=1440")
    with ExitStack() as stack:
        # MariaDB does not tell that it uses TLS, but counts it.
        stack.enter_context(stock.login(app, Tls()))
        rehearsal = fleet.run("orders,stock,shop-1,depot", *counted, "--check", "-e", "mysql_tls_canary=3")
        said = words(rehearsal)
        assert said.count("require_secure_transport would be set to ON in the parameter group shared") == 2
        assert "to ON in the parameter group shop-tls (new, attached to shop)" in said
        assert "uses default.mysql8.0, which cannot be edited. The parameter group depot-tls would be created" in said
        assert rehearsal.status == 2
        assert not fleet.changes()
        assert set(fleet.switches().values()) == {0}
        assert fleet.records() == {}

        # As where AWS applies it after a reboot, which moto does not know.
        aws.rewritten["DescribeDBInstances"] = (b">in-sync<", b">pending-reboot<")
        done = fleet.run("orders,stock,shop-1,archive,depot", *counted)
    said = words(done)
    assert done.status == 2
    assert "is set in archive-tls, but is not in force on archive. The parameter group counts after a reboot" in said
    # The first failure was the last host.
    assert "depot-tls" not in said
    assert fleet.changes() == {
        "rds:CreateDBParameterGroup",
        "rds:CreateDBClusterParameterGroup",
        "rds:ModifyDBCluster",
        "rds:ModifyDBClusterParameterGroup",
        "rds:ModifyDBInstance",
        "rds:ModifyDBParameterGroup",
    }
    # depot's server is that of orders.
    assert fleet.switches() == {**dict.fromkeys(SERVERS, 1), "archive": 0}
    assert "require_secure_transport is already ON for stock" in said
    # Of two accounts, and again before each of the three changes.
    assert aws.whole == 5
    assert aws.value("shared") == "1"
    assert aws.value("shop-tls") == "ON"
    (described,) = client(profile=PROFILE).describe_db_instances()["DBInstances"]
    assert [group["DBParameterGroupName"] for group in described["DBParameterGroups"]] == ["archive-tls"]
    assert aws.value("archive-tls", OTHER_ACCOUNT) == "1"
    (cluster,) = client().describe_db_clusters()["DBClusters"]
    assert cluster["DBClusterParameterGroup"] == "shop-tls"

    records = fleet.records()
    assert set(records) == {"orders", "shop-1", "archive"}
    files = {path.name.rpartition("-")[0] for path in (fleet.ansible.state / "rollback" / "rds").iterdir()}
    assert f"{OTHER_ACCOUNT}-eu-central-1-archive-tls" in files
    assert f"{records['shop-1']['account']}-eu-central-1-cluster-shop-tls" in files
    assert (records["orders"]["parameter_group"], records["orders"]["in_force_before"]) == ("shared", "OFF")
    for name in ("orders", "shop-1"):
        assert undo(records[name]) in said
    assert aws.value("shared") == "0"
    assert aws.value("shop-tls") == "OFF"
    assert fleet.switches()["orders"] == fleet.switches()["stock"] == 0

    # Somebody's own group of that name. And as text, which is what -e makes of it.
    client().create_db_parameter_group(
        DBParameterGroupName="depot-tls", DBParameterGroupFamily="mysql8.0", Description="-"
    )
    last = fleet.run("archive,depot", "-e", "mysql_tls_reboot=true")
    assert fleet.changes() == {"rds:RebootDBInstance"}
    assert fleet.switches()["archive"] == 1
    assert "group depot-tls that would take its place exists already. This playbook has not created it" in words(last)
    # In the other account there could be a group of the same name.
    assert f" --profile {PROFILE} " in undo(records["archive"])
    assert aws.value("archive-tls", OTHER_ACCOUNT) == "0"


def test_the_way_back_is_told_when_aws_says_nothing_more(fleet: Fleet) -> None:
    """After the change, as with a session that has expired. The server has not got it yet."""

    def no_more(_parameters: Parameters) -> None:
        fleet.aws.answers["DescribeDBInstances"] = lambda _parameters: denied("rds:DescribeDBInstances")

    fleet.aws.after["ModifyDBParameterGroup"] = [no_more]
    run = fleet.run("orders,stock", "-e", "mysql_tls_rds_wait=0")
    assert run.status == 2
    said = words(run)
    assert "require_secure_transport is set in shared, but is not in force on orders." in said
    (record,) = fleet.records().values()
    assert f"To undo it: {record['undo'][0]}" in said


def test_somebody_else_uses_the_group_meanwhile(fleet: Fleet) -> None:
    """Between the check and the change; the run ends with that host, and the next one is not changed."""
    instance(client(), "late")
    fleet.aws.after["DescribeDBInstances"] = [lambda _parameters: fleet.aws.attach("late", "shared")]
    run = fleet.run("orders,stock,depot")
    assert run.status == 2
    assert "group shared counts for instances that were not checked in this run: late." in words(run)
    assert not fleet.changes()


def test_the_guide_lists_no_call_that_is_not_made(request: pytest.FixtureRequest) -> None:
    after_all_others(request)
    assert permissions("rds_secure_transport") | of_profiles() == CALLED["rds_secure_transport"]
