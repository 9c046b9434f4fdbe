# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The job templates, run by ansible-runner with what AWX injects, against real servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.rollback_records import records_of

from tests.functional.database import Database
from tests.functional.servers import Servers
from tests.servers import Pki

from .data import evaluated
from .jobs import Jobs
from .workflows import Workflow

# All that a shell, YAML, Jinja and an option file could trip over.
PASSWORD = "pw!{{ 7*7 }} '\"#\\ $(id) %s ü"
NAMES = ("mariadb-10.11", "mariadb-11.8", "mysql-9.7")


@pytest.fixture
def fleet(servers: Servers) -> dict[str, Database]:
    """Three servers with the same login."""
    found = {name: servers.get(name) for name in NAMES}
    for database in found.values():
        database.create("awx_login", "127.0.0.1", grants="ALL PRIVILEGES ON *.*")
        database.query("ALTER USER awx_login@'127.0.0.1' IDENTIFIED BY %s", PASSWORD)
    return found


@pytest.fixture
def jobs(fleet: dict[str, Database], pki: Pki, tmp_path: Path) -> Jobs:
    """Jobs on those servers."""
    hosts = {
        name: {"ansible_host": database.server.host, "mysql_tls_login_port": database.server.port}
        for name, database in fleet.items()
    }
    return Jobs(
        tmp_path,
        hosts,
        {"mysql_tls_ca_cert": str(pki.bundle)},
        {"login_user": "awx_login", "login_password": PASSWORD},
    )


def test_an_audit_with_the_credential(jobs: Jobs, fleet: dict[str, Database]) -> None:
    """Job type check; the injected login works, and is nowhere in what AWX keeps."""
    before = {name: database.snapshot() for name, database in fleet.items()}
    extra: dict[str, Any] = {"mysql_tls_report_dir": str(jobs.directory / "report")}
    job = jobs.run("playbooks/audit.yml", extra=extra)
    assert job.status == "successful", job.output
    assert job.artifacts["mysql_tls"]["servers"] == len(NAMES)
    # A host event for each, as before there was one task for all.
    job = jobs.run("playbooks/audit.yml", extra={**extra, "mysql_tls_per_host": True})
    looks = job.results("Check TLS status")
    assert {name: look["mysql_ssl"]["session"]["verified"] for name, look in looks.items()} == dict.fromkeys(
        NAMES, True
    )
    assert {name: database.snapshot() for name, database in fleet.items()} == before


def test_an_audit_that_is_to_fail(jobs: Jobs, fleet: dict[str, Database]) -> None:
    for database in fleet.values():
        database.create("awx_app", "%")
    job = jobs.run(
        "playbooks/audit.yml",
        {"mysql_tls_fail_on": "high"},
        extra={"mysql_tls_report_dir": str(jobs.directory / "report")},
    )
    assert job.status == "failed"
    assert "awx_app@% may log in without TLS" in job.output


def test_a_rehearsal_the_change_and_the_way_back(jobs: Jobs, fleet: dict[str, Database]) -> None:
    """The survey's answers in their own form: accounts as one text, nothing to leave out."""
    apps = {name: database.create("awx_app", "%") for name, database in fleet.items()}
    others = {name: database.create("awx_other", "%") for name, database in fleet.items()}
    report = jobs.directory / "report"
    # As the job templates set them.
    extra = {
        "mysql_tls_report_dir": str(report),
        "mysql_tls_rollback_dir": str(report / "rollback"),
        "mysql_tls_state_dir": str(report / "state"),
    }
    asked = {"mysql_tls_accounts": "awx_app@*,awx_oth*@*", "mysql_tls_plaintext_sessions": "warn"}
    rehearsal = jobs.run("playbooks/enforce.yml", asked, job_type="check", extra=extra)
    assert rehearsal.status == "successful", rehearsal.output
    for name, database in fleet.items():
        assert rehearsal.results("Require TLS")[name]["changed"]
        assert database.ssl_type(apps[name]) == ""
    done = jobs.run("playbooks/enforce.yml", {**asked, "mysql_tls_exclude": "awx_other@%"}, extra=extra)
    assert done.status == "successful", done.output
    for name, database in fleet.items():
        assert done.results("Require TLS")[name]["verified"]
        assert database.ssl_type(apps[name]) == "ANY"
        assert database.ssl_type(others[name]) == ""
    assert done.artifacts["mysql_tls_roll_out"] == dict.fromkeys(NAMES, "changed")
    for name in NAMES:
        (record,) = records_of(name, done.artifacts["mysql_tls_rollback_records"])
        assert record.state == "made"
    back = jobs.run("playbooks/rollback.yml", {"mysql_tls_rollback_dir": extra["mysql_tls_rollback_dir"]}, extra=extra)
    assert back.status == "successful", back.output
    for name, database in fleet.items():
        assert database.ssl_type(apps[name]) == ""


@pytest.mark.parametrize("password", ["0123456", "yes", "12:30:45", "~"])
def test_a_password_that_yaml_gives_a_type(jobs: Jobs, servers: Servers, password: str) -> None:
    """ansible-core makes a number of such an extra variable from AWX; an environment variable stays a text."""
    database = servers.get("mariadb-11.8")
    database.query("ALTER USER awx_login@'127.0.0.1' IDENTIFIED BY %s", password)
    jobs.login["login_password"] = password
    jobs.checks_secrets = False  # Such a text is found everywhere.
    extra = {"mysql_tls_report_dir": str(jobs.directory / "report")}
    job = jobs.run("playbooks/audit.yml", extra=extra, hosts=slice(1, 2))
    assert job.status == "successful", job.output


def test_a_login_with_a_client_certificate(jobs: Jobs, fleet: dict[str, Database], pki: Pki) -> None:
    """Its key comes from the credential, as a file that only the job can read."""
    files = pki.client()
    for database in fleet.values():
        database.require("awx_login", "127.0.0.1", "X509")
    extra = {"mysql_tls_report_dir": str(jobs.directory / "report")}
    assert jobs.run("playbooks/audit.yml", extra=extra).status == "failed"
    jobs.login |= {"client_cert": Path(files.cert).read_text(), "client_key": Path(files.key).read_text()}
    job = jobs.run("playbooks/audit.yml", extra=extra)
    assert job.status == "successful", job.output
    injected = list((jobs.directory / "awx_2" / "env").glob("tmp*injected"))
    assert [path.stat().st_mode & 0o777 for path in injected] == [0o600, 0o600]


def directory_of(jobs: Jobs) -> dict[str, Any]:
    """What the setup gives to each template, for storage that lasts."""
    directory = str(jobs.directory / "lasting")
    settings = {"awx_setup_report_dir": directory, "awx_setup_organization": "Default"}
    (storage,) = evaluated("awx_setup_storage", **settings)
    return dict(storage)


def test_the_workflow_applies_exactly_what_was_approved(jobs: Jobs, fleet: dict[str, Database]) -> None:
    """The plan is an artifact, and what has come since is left alone."""
    name, hosts = "mariadb-11.8", slice(1, 2)
    database = fleet[name]
    app = database.create("awx_app", "%")
    late: list[Any] = []
    storage = directory_of(jobs)
    for step in ("write", "check"):
        assert (
            jobs.run("Check storage", {"awx_setup_step": step}, template_vars=storage, hosts=hosts).status
            == "successful"
        )

    # Another prefix with the same directory would take it from these jobs.
    another = {**storage, "mysql_tls_state_marker": "dbtls-another"}
    refused = jobs.run("Check storage", {"awx_setup_step": "write"}, template_vars=another, hosts=hosts)
    assert refused.status == "failed"
    assert "is of another set of job templates" in refused.output

    def execute(node: str, extra: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if node == "approval":
            late.append(database.create("awx_app_late", "%"))
            return "successful", {}
        template = str(flow.nodes[node]["unified_job_template"]["name"]).removeprefix("MySQL TLS ")
        job = jobs.run(template, extra={**extra, "awx_workflow_job_id": 1}, template_vars=storage, hosts=hosts)
        return job.status, job.artifacts

    flow = Workflow({node["identifier"]: node for node in evaluated("awx_setup_nodes")[0]})
    answers = {"mysql_tls_accounts": "awx_app*@*", "mysql_tls_exclude": "", "mysql_tls_only_ready": "false"}
    flow.run(execute, **answers)
    assert flow.statuses["enforce"] == "successful"
    assert (database.ssl_type(app), database.ssl_type(late[0])) == ("ANY", "")
    # What the approver reads.
    planned = flow.artifacts["plan"]["mysql_tls_planned"]
    assert planned["summary"] == "1 account on 1 server would change"
    assert planned["lines"] == [f"{name}: change: awx_app@%: NONE -> ANY"]
    assert planned["job"] == "https://awx.example.org/#/jobs/playbook/4"
    assert Path(planned["html"]).is_file()
    # The audit finds the account that is not in the plan.
    assert flow.statuses["audit"] == "failed"

    # Only the workflow can launch that template.
    alone = jobs.run("Enforce plan", template_vars=storage, hosts=hosts)
    assert alone.status == "failed"
    assert "Only the workflow launches this job" in alone.output

    # In another place there is nothing to restore, which is no success; the artifact alone is enough.
    away = {"mysql_tls_rollback_dir": str(jobs.directory / "away")}
    nothing = jobs.run("Rollback", away, hosts=hosts)
    assert nothing.status == "failed"
    assert "Nothing was rolled back: no host has a rollback record" in nothing.output
    records = {"mysql_tls_rollback_records": flow.artifacts["enforce"]["mysql_tls_rollback_records"]}
    assert jobs.run("Rollback", away, extra=records, hosts=hosts).status == "successful"
    assert database.ssl_type(app) == ""


def test_a_workflow_with_a_limit_fails_as_well(jobs: Jobs) -> None:
    """Its nodes on localhost get none: Ansible would skip them, and a failed change would be green."""
    flow = Workflow({node["identifier"]: node for node in evaluated("awx_setup_nodes")[0]})

    def execute(node: str, _extra: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if node == "failed":
            return jobs.run("Workflow failed", limit=NAMES[0]).status, {}
        return "failed" if node == "enforce" else "successful", {}

    assert flow.run(execute) == "failed"


def test_a_job_on_other_storage_does_nothing(jobs: Jobs, fleet: dict[str, Database]) -> None:
    """As on an execution node where nobody has mounted it: the marker of the setup is not there."""
    storage = directory_of(jobs)
    job = jobs.run("Check storage", template_vars=storage, hosts=slice(1, 2))
    assert job.status == "failed"
    assert "does not have what the job before has left there" in job.output
    job = jobs.run("Enforce", {"mysql_tls_accounts": "awx_app@*"}, template_vars=storage, hosts=slice(1, 2))
    assert job.status == "failed"
    assert "does not have the file marker that the setup has left there" in job.output


def test_reports_are_whole(jobs: Jobs, fleet: dict[str, Database]) -> None:
    """With a limit at the launch, and of slices, which are merged."""
    directory = jobs.directory / "lasting"
    storage = {name: value for name, value in directory_of(jobs).items() if name != "mysql_tls_state_marker"}
    assert jobs.run("Audit", template_vars=storage).status == "successful"
    assert jobs.run("Audit", template_vars=storage, limit=NAMES[0]).status == "successful"
    assert reported(directory) == list(NAMES)

    settings = {"awx_setup_report_dir": str(directory), "awx_setup_slices": 2}
    (own,) = evaluated("awx_setup_slice_storage", **settings)
    for hosts in (slice(0, None, 2), slice(1, None, 2)):
        job = jobs.run("Audit", template_vars={**storage, **own}, hosts=hosts)
        assert job.status == "successful", job.output
    assert len(list((directory / "state" / "slices").iterdir())) == 2
    merged = jobs.run("Merge reports", template_vars=storage)
    assert merged.status == "successful", merged.output
    assert merged.artifacts["mysql_tls"]["servers"] == len(NAMES)
    assert reported(directory) == list(NAMES)
    assert not list((directory / "state" / "slices").iterdir())


def reported(directory: Path) -> list[str]:
    """The hosts in the report."""
    report = json.loads((directory / "report.json").read_text("utf-8"))
    return sorted(server["inventory_hostname"] for server in report["servers"])
