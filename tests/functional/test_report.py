# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_tls_report in plays against real servers."""

from __future__ import annotations

import getpass
import hashlib
import json
import re
import socket
import stat
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from .plays import Ansible, Run
from .servers import Servers

NAMES = ("mysql-5.6", "mysql-9.7", "mariadb-11.8")
UNREACHABLE = "gone"
NEVER = "never"


@dataclass
class Estate:
    """An inventory of real servers, one that is not there, and one that the play ends for before the look."""

    ansible: Ansible
    hosts: dict[str, dict[str, Any]]
    dest: Path

    def report(self, *arguments: str, look: dict[str, Any] | None = None, serial: int = 0, **options: Any) -> Run:
        """Look at every host, and report it."""
        looking = {
            "login_host": "127.0.0.1",
            "login_port": "{{ db_port }}",
            "login_user": "{{ user | default(omit) }}",
            "login_password": "{{ password | default(omit) }}",
            "ca_cert": "{{ bundle }}",
            "tls_min_version": "TLSv1",
            "connect_timeout": 10,
            **(look or {}),
        }
        tasks = [
            {"ansible.builtin.fail": {"msg": "before the look"}, "when": f"inventory_hostname == '{NEVER}'"},
            {"dbtls.rds_mysql.mysql_ssl_status": looking, "register": "mysql_tls_look"},
        ]
        play = {
            "hosts": "all",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
            **({"serial": serial} if serial else {}),
            "tasks": [
                {
                    "block": tasks,
                    "always": [
                        {
                            "dbtls.rds_mysql.mysql_tls_report": {"dest": str(self.dest), **options},
                            "run_once": True,
                            "register": "made",
                        }
                    ],
                }
            ],
        }
        directory = self.ansible.directory
        (directory / "report.yml").write_text(json.dumps([play]))
        (directory / "inventory.yml").write_text(json.dumps({"all": {"hosts": self.hosts}}))
        return self.ansible.run("ansible-playbook", "-v", "-i", "inventory.yml", "report.yml", *arguments)

    def data(self, name: str = "report.json") -> dict[str, Any]:
        """The report."""
        found: dict[str, Any] = json.loads((self.dest / name).read_text("utf-8"))
        return found

    def server(self, name: str) -> dict[str, Any]:
        """What the report has of one server."""
        return next(server for server in self.data()["servers"] if server["name"] == name)


@pytest.fixture
def estate(servers: Servers, ansible: Ansible, tmp_path: Path) -> Estate:
    """Three servers and the two others."""
    hosts: dict[str, dict[str, Any]] = {}
    for name in NAMES:
        db = servers.get(name)
        me = db.administrator()
        ansible.secrets.append(me.password)
        hosts[name] = {"db_port": db.server.port, "user": me.user, "password": me.password}
    hosts.update({UNREACHABLE: {"db_port": 1}, NEVER: {"db_port": 1}})
    bundle = str(servers.pki.bundle)
    return Estate(ansible, {name: {**host, "bundle": bundle} for name, host in hosts.items()}, tmp_path / "out" / "x")


def statistics(run: Run) -> dict[str, Any]:
    """What set_stats would have published."""
    found = re.search(r"^\tRUN: (\{.*\})$", run.output, re.MULTILINE)
    assert found, run.output
    published: dict[str, Any] = json.loads(found[1])["mysql_tls"]
    return published


def test_states_and_summary(estate: Estate) -> None:
    """Checked, unreachable, and not checked; in the files, the result and the statistics."""
    run = estate.report("-vvvv", junit=True)
    data = estate.data()
    assert {server["name"]: server["state"] for server in data["servers"]} == {
        **dict.fromkeys(NAMES, "checked"),
        UNREACHABLE: "unreachable",
        NEVER: "not_checked",
    }, run.output
    assert "127.0.0.1:1" in estate.server(UNREACHABLE)["message"]
    words = run.output.partition('"found": {')[2].partition("}")[0]
    assert set(re.findall(r'^\s*"([a-z0-9.-]+)": ', words, re.MULTILINE)) == {*NAMES, UNREACHABLE}
    assert f'"{UNREACHABLE}": "Cannot reach 127.0.0.1:1: ' in words
    assert "low: transport-not-required: " in words
    assert data["summary"]["servers"] == 5
    assert data["run"]["ansible_core_version"] == version("ansible-core")
    assert data["changes"] is None
    published = statistics(run)
    assert {name: published[name] for name in data["summary"]} == data["summary"]
    assert {Path(path).name for path in published["report"].values()} == {path.name for path in estate.dest.iterdir()}
    assert "5 servers: " in run.output
    assert ", 1 unreachable, 1 not checked." in run.output
    text = "".join(path.read_text("utf-8") for path in estate.dest.iterdir())
    assert not [secret for secret in estate.ansible.secrets if secret in text]
    assert stat.S_IMODE(estate.dest.stat().st_mode) == 0o755
    assert {stat.S_IMODE(path.stat().st_mode) for path in estate.dest.iterdir()} == {0o640}
    run_data = data["run"]
    assert run_data["inventory"] == [str(estate.ansible.directory / "inventory.yml")]
    assert (run_data["user"], run_data["host"]) == (getpass.getuser(), socket.gethostname())
    assert {each["name"] for each in run_data["components"]} == {"Python", "PyMySQL", "cryptography"}


def test_check_mode_writes_the_same(estate: Estate) -> None:
    """There is nothing on a target that it could change."""
    estate.report("--check")
    first = estate.data()
    estate.report()
    assert [s["findings"] for s in estate.data()["servers"]] == [s["findings"] for s in first["servers"]]
    # It is recorded too.
    assert estate.data()["changes"]["since"] == first["servers"][1]["checked_at"]


def test_evidence_and_metrics(estate: Estate, servers: Servers) -> None:
    """What the report was made of is in it; what monitoring reads is where it was asked for."""
    bundle = servers.pki.bundle
    metrics = estate.ansible.directory / "mysql_tls.prom"
    more: dict[str, Any] = {
        "ca_certs": [str(bundle), "/nowhere.pem"],
        "tls_min_version": "TLSv1",
        "openmetrics": str(metrics),
    }
    run = estate.report("--limit", "all:!mysql-5.6", **more)
    found = estate.data()["run"]
    assert found["limit"] == "all:!mysql-5.6", run.output
    assert found["tls_min_version"] == "TLSv1"
    assert found["ca_bundles"] == [
        {"path": str(bundle), "sha256": hashlib.sha256(bundle.read_bytes()).hexdigest()},
        {"path": "/nowhere.pem", "sha256": None},
    ]
    page = (estate.dest / "report.html").read_text("utf-8")
    assert hashlib.sha256((estate.dest / "report.json").read_bytes()).hexdigest() in page
    assert "limit all:!mysql-5.6" in page
    assert 'dbtls_servers{report="MySQL TLS report",verdict="unreachable"} 1\n' in metrics.read_text("utf-8")


def test_where_servers_are(estate: Estate) -> None:
    """As the inventory of amazon.aws says it, and by inventory group; a template is not evaluated for it."""
    estate.hosts["mysql-9.7"].update(
        db_cluster_identifier="orders",
        region="us-east-1",
        db_instance_arn="arn:aws:rds:eu-central-1:123456789012:db:orders-1",
    )
    estate.hosts["mariadb-11.8"].update(db_cluster_identifier="{{ lookup('pipe', 'touch pwned') }}", region="eu-west-1")
    estate.report()
    keys = ("cluster", "region", "aws_account", "groups")
    found = {name: [estate.server(name)[key] for key in keys] for name in NAMES}
    assert found == {
        "mysql-5.6": [None, None, None, []],
        "mysql-9.7": ["orders", "eu-central-1", "123456789012", []],
        "mariadb-11.8": [None, "eu-west-1", None, []],
    }
    assert not (estate.ansible.directory / "pwned").exists()


def test_batches_are_one_report(estate: Estate) -> None:
    """Under serial the report is written after each batch, and is compared with the last run, not the last batch."""
    estate.report(serial=2)
    first = estate.data()
    assert [server["state"] for server in first["servers"]].count("checked") == 3
    run = estate.report(serial=1)
    assert run.output.count("TASK [dbtls.rds_mysql.mysql_tls_report") >= len(NAMES)
    changes = estate.data()["changes"]
    checks = [server["checked_at"] for server in first["servers"] if server["state"] == "checked"]
    assert (changes["since"], changes["until"]) == (min(checks), max(checks))
    assert changes["before"]["checked"] == first["summary"]["checked"] == 3
    assert len(list((estate.ansible.state / "history").iterdir())) == 2


def test_drift_on_a_real_server(estate: Estate, servers: Servers) -> None:
    """An account that required TLS and does not any more, and what got better meanwhile."""
    db = servers.get("mysql-9.7")
    slipping, mended = db.create(db.name_of("slipping"), require="SSL"), db.create(db.name_of("mended"))
    estate.report()
    db.require(slipping.user, slipping.host, "NONE")
    db.require(mended.user, mended.host, "SSL")
    estate.report()
    found = estate.data()["changes"]
    assert found["regressions"] == [
        {
            "server": "mysql-9.7",
            "user": slipping.user,
            "host": "%",
            "before": "ANY",
            "after": "NONE",
            "since": found["since"],
            "severity": "high",
        }
    ]
    assert [(change["id"], change["subject"]) for change in found["worse"]] == [
        ("account-without-tls", f"{slipping.user}@%")
    ]
    assert [(change["id"], change["subject"]) for change in found["resolved"]] == [
        ("account-without-tls", f"{mended.user}@%")
    ]
    page = (estate.dest / "report.html").read_text("utf-8")
    assert f"<bdi>{slipping.user}@%</bdi>" in page
    assert "These accounts required TLS then and no longer require it." in page


def test_slices_are_merged(estate: Estate, tmp_path: Path) -> None:
    """Each slice of the inventory makes its own report, and one is made of them, also of what could not be checked."""
    whole = estate.dest
    slices = [tmp_path / "slices" / "1", tmp_path / "slices" / "2"]
    limits = (f"mysql-5.6,{NEVER},mysql-9.7", f"mysql-9.7,mariadb-11.8,{UNREACHABLE}")
    # The first has a history of its own, the second writes into that of all.
    times = []
    for dest, limit, state in zip(slices, limits, (slices[0], estate.ansible.state), strict=True):
        estate.dest = dest
        estate.report("--limit", limit, tls_min_version="TLSv1", state_dir=str(state))
        assert sum(server["in_run"] for server in estate.data()["servers"]) == 3
        times.append(estate.server("mysql-9.7")["checked_at"])
    newest = estate.server("mysql-9.7")
    estate.dest = whole
    task = {"dest": str(whole), "hosts": [], "merge": [str(dest / "report.json") for dest in slices]}
    estate.ansible.play([{"dbtls.rds_mysql.mysql_tls_report": task}], {}).ok()
    assert {server["name"] for server in estate.data()["servers"]} == {*NAMES, NEVER, UNREACHABLE}
    assert estate.server("mysql-9.7") == newest
    assert estate.data()["run"]["merged"] == 2
    # The playbook, which has no inventory, reports every server of the history and removes the slices.
    extra = f"mysql_tls_report_dir={tmp_path}/all mysql_tls_slices_dir={tmp_path}/slices"
    merge = ("ansible-playbook", "dbtls.rds_mysql.merge_reports", "-e", extra)
    estate.ansible.run(*merge, "--check").ok()
    assert all((dest / "report.json").exists() for dest in slices)
    estate.ansible.run(*merge).ok()
    estate.dest = tmp_path / "all"
    assert {server["name"] for server in estate.data()["servers"]} == {*NAMES, NEVER, UNREACHABLE}
    findings = [{**finding, "first_seen": times[0]} for finding in newest["findings"]]
    assert estate.server("mysql-9.7") == {**newest, "findings": findings}
    assert estate.data()["run"]["merged"] == 2
    assert estate.server(NEVER)["state"] == "not_checked"
    assert [estate.data()["run"][name] for name in ("limit", "tls_min_version")] == ["; ".join(limits), "TLSv1"]
    assert list((tmp_path / "slices").iterdir()) == []
    again = estate.ansible.run(*merge)
    said = "mysql_tls_slices_dir: there is nothing to merge in"
    assert (again.status, said in again.output) == (2, True), again.output
    assert '"ansible_stats"' not in again.output  # What it has returned is not printed.
    # Nor is it green where all that a job has left cannot be read.
    (slices[0] / "report.json").parent.mkdir()
    (slices[0] / "report.json").write_text("{")
    again = estate.ansible.run(*merge)
    said = f"mysql_tls_slices_dir: {slices[0]} could not be merged, see the warnings. 4 servers: "
    assert (again.status, said in again.output) == (2, True), again.output
    assert (slices[0] / "report.json").exists()


@pytest.mark.parametrize(
    ("fail_on", "message"),
    [
        ("medium", "There is 1 finding of severity medium or more and 2 servers that could not be checked."),
        ("high", "There are 2 servers that could not be checked."),
    ],
)
def test_failing_after_everything_is_written(estate: Estate, fail_on: str, message: str) -> None:
    """The files are there, and so is the result."""
    run = estate.report(fail_on=fail_on, junit=True)
    assert message in run.output
    assert estate.data()["summary"]["servers"] == 5
    assert (estate.dest / "junit.xml").exists()
    assert run.status != 0


def test_a_sweep(estate: Estate, servers: Servers) -> None:
    """Endpoints of one host, each a server of its own."""
    endpoints: list[dict[str, Any]] = [
        {"host": "127.0.0.1", "port": servers.get(name).server.port, "tls_min_version": "TLSv1"} for name in NAMES
    ]
    endpoints.append({"host": "127.0.0.1", "port": 1})
    look = {"endpoints": endpoints, "ca_cert": str(servers.pki.bundle)}
    report = {"dest": str(estate.dest), "hosts": ["localhost"], "variable": "swept"}
    estate.ansible.play(
        [
            {"dbtls.rds_mysql.mysql_ssl_status": look, "register": "swept"},
            {"dbtls.rds_mysql.mysql_tls_report": report, "register": "made"},
            {"ansible.builtin.assert": {"that": ["made is changed", "made.summary.unreachable == 1"]}},
            {"dbtls.rds_mysql.mysql_tls_report": report, "register": "again"},
            {"ansible.builtin.assert": {"that": "again is not changed"}},
        ],
        {},
    ).ok()
    data = estate.data()
    assert {server["name"] for server in data["servers"]} == {f"127.0.0.1:{each['port']}" for each in endpoints}
    assert {server["verdict"] for server in data["servers"]} <= {"undecided", "non_compliant", None}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hosts": ["nobody"]}, "hosts: nobody is not in the inventory."),
        ({"merge": ["no.json"]}, "no.json cannot be read: No such file or directory."),
        ({"previous": "inventory.yml"}, "inventory.yml is not a report of mysql_tls_report"),
        ({"fail_on": "never"}, "value of fail_on must be one of"),
        ({"sort": True}, "Unsupported parameters"),
        ({"dest": "/proc/nowhere"}, "dest: the directory /proc/nowhere cannot be created"),
    ],
)
def test_bad_options(estate: Estate, options: dict[str, Any], message: str) -> None:
    """One sentence each, and no traceback."""
    run = estate.report(**options)
    assert run.status != 0
    assert message in run.output
    # What was found is said all the same.
    assert ('"found": {' in run.output) == (not {"hosts", "fail_on", "sort"} & set(options))
    assert not estate.dest.exists() or not list(estate.dest.iterdir())


def test_control_characters_reach_no_terminal(estate: Estate, servers: Servers) -> None:
    """Of accounts, in what the task prints; the data keep them."""
    db = servers.get("mysql-9.7")
    user = "bell\a\x1b[2J\u202egnp"
    db.create(user)
    run = estate.report()
    said = run.output.partition("TASK [dbtls.rds_mysql.mysql_tls_report]")[2]
    assert not set(re.findall("\a|\x1b\\[2J|\u202e", said))
    assert "bell\u2407\u241b[2J\ufffdgnp@%" in said
    assert user in {account["user"] for account in estate.server("mysql-9.7")["accounts"]}


def test_hostile_accounts_are_no_templates(estate: Estate, servers: Servers) -> None:
    """What a server says is never evaluated on its way into the report."""
    db = servers.get("mariadb-11.8")
    for user in ("{{ 7 * 191 }}", "{% raw %}", "<script>alert(1)</script>"):
        db.create(user)
    estate.report(title="Report of {{ '{{' }} 3 {{ '}}' }}")
    assert {"{{ 7 * 191 }}", "{% raw %}", "<script>alert(1)</script>"} <= {
        account["user"] for account in estate.server("mariadb-11.8")["accounts"]
    }
    page = (estate.dest / "report.html").read_text("utf-8")
    assert "{{ 7 * 191 }}@%" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;@%" in page
    assert "1337" not in page
    assert page.count("<script>") == 1
