# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""rds_rotate_ca: amazon.aws against moto's server, and a real server whose certificate is replaced.

moto has no engine versions: those answers are written after the Amazon RDS API Reference. None was recorded from AWS.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.bundles import bundle_of, record_bundles
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import History
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.report import model

from tests.functional.database import Database
from tests.functional.plays import Ansible, Run
from tests.servers import Pki, ServerUnavailable, TlsFiles, provide

from .aws import (
    CALLED,
    REGION,
    SECRET,
    Aws,
    Parameters,
    after_all_others,
    aws_on_loopback,
    client,
    engine_versions,
    instance,
    permissions,
)

TARGET = "rds-ca-rsa2048-g1"
ENDPOINT = f"orders.aaaaaaaaaa.{REGION}.rds.amazonaws.com"
"""As moto names it, and as certificates of RDS have it."""


class Rotation:
    """A server with a certificate of rds-ca-2019, and what the clients trust."""

    def __init__(self, aws: Aws, ansible: Ansible, directory: Path, stack: ExitStack) -> None:
        self.aws, self.ansible = aws, ansible
        self.old = Pki(
            directory / "old", root_name="Amazon RDS Root 2019 CA", intermediate_name=f"Amazon RDS {REGION} 2019 CA"
        )
        self.new = Pki(
            directory / "new",
            root_name=f"Amazon RDS {REGION} Root CA RSA2048 G1",
            intermediate_name=f"Amazon RDS {REGION} Subordinate CA RSA2048 G1.A.1",
        )
        self.both = directory / "both.pem"
        self.both.write_bytes(self.old.root.read_bytes() + self.new.root.read_bytes())
        # MySQL verifies its own certificate when it reads it again, and wants the intermediates here.
        own = directory / "own.pem"
        own.write_bytes(self.old.bundle.read_bytes() + self.new.bundle.read_bytes())
        self.files = TlsFiles(own, directory / "cert.pem", directory / "key.pem")
        self._install(self.old, ENDPOINT)
        server = stack.enter_context(provide("mysql-9.7", tls=self.files))
        self.db = Database(server, self.old)
        stack.callback(self.db.disconnect)
        login = self.db.administrator()
        ansible.secrets = [SECRET, login.password]
        variables = {
            "mysql_tls_login_host": server.host,
            "mysql_tls_login_port": server.port,
            "mysql_tls_login_user": login.user,
            "mysql_tls_login_password": login.password,
            "mysql_tls_ca_cert": str(self.both),
            "mysql_tls_region": REGION,
            "mysql_tls_rotate_to": TARGET,
        }
        self.inventory = ansible.directory / "inventory.yml"
        names = ("orders", "trio", "stock")
        hosts = {name: {**variables, "mysql_tls_db_identifier": name} for name in names}
        there = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        clients = {
            "app2": {**there, "mysql_tls_bundle_dest": str(self.both)},
            "app3": {**there, "mysql_tls_bundle_dest": str(directory / "nothing.pem")},
        }
        self.inventory.write_text(json.dumps({"all": {"hosts": {**hosts, **clients}}}))

    def _install(self, authority: Pki, endpoint: str) -> None:
        files = authority.server(also=endpoint)
        shutil.copy(files.cert, self.files.cert)
        shutil.copy(files.key, self.files.key)

    def replace_certificate(self, parameters: Parameters) -> None:
        """What RDS does when the CA of an instance is changed at once."""
        if parameters.get("CACertificateIdentifier") == TARGET and parameters.get("ApplyImmediately") == "true":
            # From now on it is the server of the next one as well.
            self._install(self.new, ENDPOINT.replace("orders", "trio-1"))
            self.db.query("ALTER INSTANCE RELOAD TLS")

    def installed(self, day: int, **bundles: Path) -> None:
        """As the playbook bundle records it for its hosts."""
        at = f"2026-11-0{day}T03:00:00Z"
        run = model.Run(str(day), at, "0.2.0", "2.19.0", started_at=at)
        installed = {host: bundle_of("/etc/rds.pem", bundle) for host, bundle in bundles.items()}
        record_bundles(History(self.ansible.state / "history"), run, installed)

    def run(self, hosts: str, *arguments: str, bundles: list[Path] | None = None, at_once: bool = True) -> Run:
        """The playbook; waiting is short."""
        variables = {
            # Texts, as a survey has them, or a list.
            "mysql_tls_client_bundles": [str(path) for path in bundles] if bundles else f"{self.both}, ",
            "mysql_tls_apply_immediately": str(at_once).lower(),  # as -e has it
            "mysql_tls_clients_gone": "unknown, retired",
            "mysql_tls_hosts": hosts,
            "mysql_tls_rds_wait": 10,
            "__mysql_tls_rds_poll": 0.1,
        }
        self.aws.calls.clear()
        self.aws.whole = 0
        command = ("ansible-playbook", "-i", str(self.inventory), "dbtls.rds_mysql.rds_rotate_ca")
        run = self.ansible.run(*command, "-e", json.dumps(variables), *arguments)
        self.aws.check_permissions("rds_rotate_ca")
        return run


@pytest.fixture
def rotation(monkeypatch: pytest.MonkeyPatch, ansible: Ansible, tmp_path: Path) -> Iterator[Rotation]:
    """One instance, with a certificate of the retired CA."""
    with ExitStack() as stack:
        aws = stack.enter_context(aws_on_loopback(monkeypatch, tmp_path))
        try:
            yield Rotation(aws, ansible, tmp_path, stack)
        except ServerUnavailable as e:
            pytest.skip(str(e))


def words(run: Run) -> str:
    """What was printed, in one line."""
    return " ".join(run.output.split())


def test_from_2019_to_g1(rotation: Rotation) -> None:
    rds = client()
    for name in ("orders", "stock"):
        instance(rds, name, CACertificateIdentifier="rds-ca-2019")
    rds.create_db_cluster(
        DBClusterIdentifier="trio",
        Engine="mysql",
        EngineVersion="8.0.36",
        MasterUsername="admin",
        MasterUserPassword="password1",
        DBClusterInstanceClass="db.r6gd.large",
        AllocatedStorage=100,
        StorageType="io1",
        Iops=1000,
    )
    instance(rds, "trio-1", DBClusterIdentifier="trio", CACertificateIdentifier="rds-ca-2019")
    rotation.aws.after["ModifyDBInstance"] = [rotation.replace_certificate]

    rotation.aws.answers["DescribeDBEngineVersions"] = lambda parameters: engine_versions(parameters, restarts=True)
    rotation.installed(1, app1=rotation.old.root, retired=rotation.old.root)
    refused = rotation.run("stock,orders", bundles=[rotation.old.root, rotation.new.root])
    assert refused.status == 2
    assert "mysql 8.0.36 restarts to change its certificate. Set mysql_tls_reboot to true" in words(refused)
    assert f"{rotation.old.root} lacks the new CA: CN=Amazon RDS {REGION} Root CA RSA2048 G1" in words(refused)
    assert f"{rotation.new.root} does not verify the current certificate: " in words(refused)
    assert f"verify the current certificate and lack {TARGET}: app1:/etc/rds.pem. Run the playbook" in words(refused)
    # The server is that of orders.
    assert f"stock: the server that answers has the certificate of {ENDPOINT}, but stock has the endp" in words(refused)
    assert rotation.aws.log.count("rds:DescribeDBEngineVersions") == 1
    assert "rds:ModifyDBInstance" not in rotation.aws.calls

    rotation.installed(2, app1=rotation.both)
    # What is not found of the clients' hosts has a bundle that nobody has looked at.
    misspelled = rotation.run("orders", "-e", "mysql_tls_client_hosts=applicatoins", "--check", at_once=False)
    assert misspelled.status == 2
    assert "mysql_tls_client_hosts: no host matches 'applicatoins'." in words(misspelled)
    assert rotation.aws.calls == set()
    unread = rotation.run("orders", "-e", "mysql_tls_client_hosts=app2,app3")
    assert unread.status == 2
    assert "the remote file does not exist" in words(unread)
    assert rotation.aws.calls == set()
    rehearsal = rotation.run("orders", "-e", "mysql_tls_client_hosts=app2", "--check", at_once=False).ok()
    assert f"orders: rds-ca-2019 -> {TARGET}, in the maintenance window " in words(rehearsal)
    assert "the server restarts" in words(rehearsal)
    assert f"orders: would be changed to {TARGET}" in words(rehearsal)
    assert "rds:ModifyDBInstance" not in rotation.aws.calls

    # The second fails, as amazon.aws cannot change it, and the third is left as it is.
    rotation.aws.answers["DescribeDBEngineVersions"] = engine_versions
    done = rotation.run("orders,trio,stock")
    assert done.status == 2
    assert f"orders: rds-ca-2019 -> {TARGET}, at once; without a restart" in words(done)
    assert f"orders: the certificate is of {TARGET}, and verified logins work with {rotation.both}" in words(done)
    assert (
        f"Run: aws rds modify-db-cluster --region {REGION} --db-cluster-identifier trio --ca-certificate-identifier "
        f"{TARGET} --apply-immediately and then this playbook again."
    ) in words(done)
    assert rotation.aws.whole == 1
    described = {one["DBInstanceIdentifier"]: one for one in client().describe_db_instances()["DBInstances"]}
    assert {name: one["CACertificateIdentifier"] for name, one in described.items()} == {
        "orders": TARGET,
        "stock": "rds-ca-2019",
        "trio-1": "rds-ca-2019",
    }


def test_the_guide_lists_no_call_that_is_not_made(request: pytest.FixtureRequest) -> None:
    after_all_others(request)
    assert permissions("rds_rotate_ca") == CALLED["rds_rotate_ca"]
