# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Relative paths: in a task from the playbook's directory, in the role's variables from where Ansible was started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Pki

from .plays import Ansible

REPORT = "dbtls.rds_mysql.mysql_tls_report"
WAIVER = [
    {
        "finding": "weak-protocol",
        "server": "elsewhere",
        "owner": "dba",
        "reason": "Replaced soon.",
        "expires": "2020-01-01",
    }
]


@pytest.fixture
def nobody(ansible: Ansible) -> Ansible:
    """No server is needed: a report says that it was not reached."""
    ansible.secrets.append("none-at-all")
    return ansible


def inputs(directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    (directory / "waivers.yml").write_text(json.dumps(WAIVER))


def written(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} - {"play.yml"}


def test_in_a_task(nobody: Ansible) -> None:
    directory = nobody.directory / "plays"
    inputs(directory)
    task: dict[str, Any] = {REPORT: {"dest": "report", "hosts": ["localhost"]}}
    nobody.play([task], {}, at="plays")
    before = "report/report.json"
    more = {"previous": before, "merge": [before], "waivers": "waivers.yml", "openmetrics": "report/metrics.txt"}
    run = nobody.play([{REPORT: {**task[REPORT], **more}}], {}, at="plays")
    assert "The waiver of weak-protocol" in " ".join(run.output.split())
    assert written(directory) == {"report", "waivers.yml"}
    assert {"report.json", "report.html", "metrics.txt"} <= written(directory / "report")
    missing = nobody.play([{REPORT: {**task[REPORT], "merge": ["gone.json"]}}], {}, at="plays")
    assert str(directory / "gone.json") in "".join(missing.output.split())


def test_in_variables_of_the_role(nobody: Ansible, pki: Pki) -> None:
    inputs(nobody.directory)
    (nobody.directory / "ca.pem").write_bytes(pki.bundle.read_bytes())
    host = {"ansible_host": "127.0.0.1", "mysql_tls_login_port": 1, "mysql_tls_ca_cert": "ca.pem"}
    inventory = nobody.directory / "hosts.yml"
    inventory.write_text(json.dumps({"all": {"hosts": {"db": host}}}))

    def run(playbook: str, **variables: Any) -> str:
        given = {"mysql_tls_report_dir": "report", "mysql_tls_state_dir": "state", **variables}
        done = nobody.run(
            "ansible-playbook", "-i", str(inventory), "-e", json.dumps(given), f"dbtls.rds_mysql.{playbook}"
        )
        assert done.status == 2
        return " ".join(done.output.split())

    before = "report/report.json"
    run("audit")
    said = run(
        "audit", mysql_tls_waivers="waivers.yml", mysql_tls_report_previous=before, mysql_tls_report_merge=[before]
    )
    assert "The waiver of weak-protocol" in said
    run("plan", mysql_tls_all_accounts=True)
    assert {"report.json", "report.html", "plan.json"} <= written(nobody.directory / "report")
    assert "history" in written(nobody.directory / "state")
    assert "the plan has no change for these hosts" in run("enforce", mysql_tls_plan="report/plan.json")
