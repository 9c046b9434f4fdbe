# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks on all servers at once."""

from __future__ import annotations

import getpass
import hashlib
import json
import re
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import History
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.rollback_records import records_of

from tests.servers import MATRIX, Mirror, Pki

from .database import Tls
from .plays import Ansible, Run
from .servers import Servers
from .whole_fleet import ALL_AT_ONCE, BUNDLES, Fleet, assert_tasks, outcomes, published, types

TLS = Tls()


def assert_bundles_are_evidence(ansible: Ansible) -> None:
    """The report names the bundles that were fetched for its checks, by what is in them."""
    report = json.loads((ansible.directory / "mysql-tls-report" / "report.json").read_text("utf-8"))
    found = {each["path"]: each["sha256"] for each in report["run"]["ca_bundles"]}
    assert len(found) == 2
    assert found == {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in found}


def test_audit_and_enforce(fleet: Fleet, ansible: Ansible, mirror: Mirror) -> None:
    """A user's way through: check, see what would change, change it, change nothing more."""

    def playbook(name: str, *arguments: str) -> Run:
        mirror.requests.clear()
        run = ansible.run(*fleet.command(name), *ALL_AT_ONCE, *arguments).ok()
        # Once for each region, not for each host.
        assert sorted(request.path for request in mirror.requests) == BUNDLES
        assert set(run.recap()) == set(MATRIX)
        assert all(counts["failed"] == counts["unreachable"] == 0 for counts in run.recap().values())
        return run

    before = fleet.snapshots()
    audit = playbook("audit", "-vvv", "-e", "mysql_tls_per_host=true")
    for account in fleet.apps.values():
        assert f"high: account-without-tls: {account.user}@%" in audit.output
    assert_tasks(audit, 1)
    assert_bundles_are_evidence(ansible)
    assert "runs as a module" not in audit.output.replace("rds_ca_bundle", "")
    assert fleet.snapshots() == before

    # What enforce would fix does not fail its rehearsal; the audit's word on the same servers stays what it was.
    promised = playbook("enforce", "--check", "--diff", "-e", "mysql_tls_fail_on=high")
    assert fleet.snapshots() == before
    for name, app in fleet.apps.items():
        assert f"-{app.user}@%: NONE" in promised.output
        assert f"+{app.user}@%: ANY" in promised.output
        assert promised.recap()[name]["changed"] >= 1

    for mode in ([], ["--check"]):
        audited = ansible.run(*fleet.command("audit"), "-e", "mysql_tls_fail_on=high", *mode)
        assert audited.status == 2
        assert f"Findings of {len(MATRIX)} servers (" in audited.output
        said = audited.output.partition("Show audit summary")[2]
        assert all(f"{name}: high: account-without-tls: " in said for name in MATRIX)
        assert f"{ansible.directory}/mysql-tls-report/report.html" in said
        assert_bundles_are_evidence(ansible)

    enforced = playbook("enforce", "-e", "mysql_tls_fail_on=high")
    assert_tasks(enforced, 3)
    for name, db in fleet.databases.items():
        for account in (fleet.logins[name], fleet.apps[name]):
            assert db.ssl_type(account) == "ANY"
            assert not db.admits(account, None)
            assert db.admits(account, TLS)
        assert db.requirement("root", "127.0.0.1")[0] == ""

    after = fleet.snapshots()
    # Nothing is left to change: no server takes a task of its own, and all of them count.
    ansible.configuration = "[defaults]\nshow_custom_stats = true\n"
    for more in ((), ("--check",)):
        again = ansible.run(*fleet.command("enforce"), *more).ok()
        assert [counts["changed"] for counts in again.recap().values()] == [0]
        assert (f"0 accounts on 0 servers would change, {len(MATRIX)} unchanged" in again.output) == bool(more)
        assert (f"{len(MATRIX)} servers: {len(MATRIX)} nothing to change" in again.output) == (not more)
        assert published(again)["mysql_tls_roll_out"] == dict.fromkeys(MATRIX, "nothing to change")
        assert "Check TLS status" not in again.output
    assert fleet.snapshots() == after
    # With a limit on findings each server is checked as ever.
    assert set(playbook("enforce", "-e", "mysql_tls_fail_on=high").recap()) == set(MATRIX)


def test_one_server_of_the_fleet_is_down(fleet: Fleet, ansible: Ansible) -> None:
    """The others are done all the same."""
    inventory = json.loads(fleet.inventory.read_text())
    inventory["all"]["hosts"]["mariadb-10.5"]["mysql_tls_login_port"] = 1
    fleet.inventory.write_text(json.dumps(inventory))
    run = ansible.run(*fleet.command("enforce"), *ALL_AT_ONCE, "-e", "mysql_tls_max_fail_percentage=100")
    assert run.status != 0
    failed = {name for name, counts in run.recap().items() if counts["failed"]}
    assert failed == {"mariadb-10.5"}
    assert "127.0.0.1:1" in run.output.partition("Show roll-out summary")[2]
    types = {name: db.ssl_type(fleet.apps[name]) for name, db in fleet.databases.items()}
    assert types == {name: "" if name == "mariadb-10.5" else "ANY" for name in MATRIX}


def failing(fleet: Fleet, name: str) -> None:
    """This server is up, and its change fails: its application is connected without TLS, or cannot be told apart."""
    inventory = json.loads(fleet.inventory.read_text())
    # An account that is not there: found out by mysql_require_ssl, after the first look.
    inventory["all"]["hosts"][name]["mysql_tls_accounts"] = ["nobody-here@*"]
    fleet.inventory.write_text(json.dumps(inventory))


def test_the_canary_fails(fleet: Fleet, ansible: Ansible) -> None:
    """Nothing else is touched, or even looked at."""
    canary, *others = MATRIX
    failing(fleet, canary)
    before = fleet.snapshots()
    run = ansible.run(*fleet.command("enforce"))
    assert run.status != 0
    assert fleet.snapshots() == before
    assert set(run.recap()) == {canary}
    said = outcomes(run)
    assert said[canary].startswith("nothing changed: No account of")
    assert {said[name] for name in others} == {"not started"}


def test_the_third_fails_in_the_second_batch(fleet: Fleet, ansible: Ansible) -> None:
    """The canary and the batch are done, and the rest is not. Its task prints the reason, and not all that is known."""
    first, second, third, *others = MATRIX
    with fleet.databases[third].login(fleet.apps[third], None):
        run = ansible.run(*fleet.command("enforce"), "-e", "mysql_tls_serial=2")
    assert run.status != 0
    refused, stopped = re.findall(rf"^fatal: \[{re.escape(third)}\]: FAILED! => (.*)$", run.output, re.MULTILINE)
    assert json.loads(refused).keys() == json.loads(stopped).keys() == {"changed", "msg"}
    assert fleet.apps[third].user in refused
    assert len(refused) < 600
    assert types(fleet) == {first: "ANY", second: "ANY", third: "", **dict.fromkeys(others, "")}
    said = outcomes(run)
    for name in (first, second):
        assert said[name].startswith("changed: ")
        assert f"; rollback record: {ansible.state}/rollback/{name}.json" in said[name]
    assert said[third] == f"nothing changed: {json.loads(refused)['msg']}"
    assert {said[name] for name in others} == {"not started"}
    assert set(run.recap()) == {first, second, third}
    changes = History(ansible.state / "history", ansible.directory / "index").last_entries("change")
    assert changes[third]["message"] == json.loads(refused)["msg"]


@pytest.mark.parametrize(
    ("variables", "done"),
    [
        ({"mysql_tls_max_fail_percentage": 100}, 4),
        ({"mysql_tls_max_fail_percentage": 100, "mysql_tls_any_errors_fatal": True}, 2),
        ({"mysql_tls_canary": 0, "mysql_tls_serial": "100%"}, 4),
        ({"mysql_tls_canary": "60%", "mysql_tls_serial": "40%"}, 2),
    ],
)
def test_how_far_a_failure_goes(fleet: Fleet, ansible: Ansible, variables: dict[str, Any], done: int) -> None:
    """The third of five fails."""
    failing(fleet, MATRIX[2])
    run = ansible.run(*fleet.command("enforce"), "-e", json.dumps({"mysql_tls_serial": 2, **variables}))
    assert run.status != 0
    assert sorted(types(fleet).values()) == [""] * (5 - done) + ["ANY"] * done


def test_rollback_by_id_from_anywhere(fleet: Fleet, ansible: Ansible) -> None:
    """Records of another inventory name, where version 0.1 has left them, and the one that was named."""
    name = "mariadb-11.8"
    command = (*fleet.command("enforce"), "--limit", name)
    blocked = ansible.run(*command, "-e", "mysql_tls_state_dir=/proc/nowhere")
    assert blocked.status != 0
    assert "Rollback records cannot be written to /proc/nowhere/rollback (" in " ".join(blocked.output.split())
    assert "Check TLS status" not in blocked.output

    ansible.run(*command).ok()
    record = ansible.state / "rollback" / f"{name}.json"
    former = ansible.directory / "mysql-tls-report" / "rollback" / record.name
    (change,) = json.loads(record.read_text())["changes"]
    assert change["made_by"] == f"{getpass.getuser()} on {socket.gethostname()}"
    rollback = (*fleet.command("rollback"), "--limit", name)
    other = ansible.run(*rollback, "-e", f"mysql_tls_restore={'0' * 32}")
    assert other.status == 2
    assert "no host has a rollback record" in " ".join(other.output.split())

    # Under another name in the inventory, as before a host was renamed.
    record.rename(record.with_name("former-name.json"))
    promised = ansible.run(*rollback, "--check", "-e", f"mysql_tls_restore={change['id']}").ok()
    assert f"restores {change['id']} of {change['begun_at']} by {change['made_by']}" in promised.output
    assert not record.exists()
    # And where version 0.1 has left it.
    former.parent.mkdir(parents=True)
    record.with_name("former-name.json").rename(former)
    ansible.run(*rollback, "-e", f"mysql_tls_restore={change['id']}").ok()
    assert types(fleet)[name] == ""
    # Whatever the old file still says, it was restored.
    again = ansible.run(*rollback).ok()
    assert {counts["changed"] for counts in again.recap().values()} == {0}


def test_enforce_and_rollback(fleet: Fleet, ansible: Ansible) -> None:
    """From the files, and then, the files lost, from what AWX would hand on."""
    before = {name: db.requirement(fleet.apps[name].user, "%") for name, db in fleet.databases.items()}
    facts = ("-e", "mysql_tls_max_fail_percentage=0")
    rollback = ansible.state / "rollback"
    ansible.configuration = "[defaults]\nshow_custom_stats = true\n"

    ansible.run(*fleet.command("enforce"), "--check").ok()
    assert not rollback.exists()
    for mode in ((), ("--check",)):
        nothing = ansible.run(*fleet.command("rollback"), *mode)
        assert nothing.status == 2
        assert set(outcomes(nothing).values()) == {"no rollback record"}
        assert "Nothing was rolled back: no host has a rollback record." in nothing.output

    enforced = ansible.run(*fleet.command("enforce"), *facts).ok()
    assert set(types(fleet).values()) == {"ANY"}
    assert sorted(path.name for path in rollback.iterdir()) == sorted(f"{name}.json" for name in MATRIX)
    assert {path.stat().st_mode & 0o777 for path in rollback.iterdir()} == {0o600}
    stats = published(enforced)
    assert stats["mysql_tls_roll_out"] == dict.fromkeys(MATRIX, "changed")
    assert all(len(records_of(name, stats["mysql_tls_rollback_records"])) == 1 for name in MATRIX)

    promised = ansible.run(*fleet.command("rollback"), "--check", "--diff").ok()
    assert f"{len(MATRIX)} servers: {len(MATRIX)} would change" in promised.output
    assert {said.partition(":")[0] for said in outcomes(promised).values()} == {"would change"}
    assert all(f"-{app.user}@%: ANY" in promised.output for app in fleet.apps.values())
    assert set(types(fleet).values()) == {"ANY"}
    done = ansible.run(*fleet.command("rollback")).ok()
    assert {said.partition(":")[0] for said in outcomes(done).values()} == {"changed"}
    assert {name: db.requirement(fleet.apps[name].user, "%") for name, db in fleet.databases.items()} == before
    again = ansible.run(*fleet.command("rollback")).ok()
    assert {counts["changed"] for counts in again.recap().values()} == {0}

    # The next job runs in another container.
    stats = published(ansible.run(*fleet.command("enforce")).ok())
    shutil.rmtree(rollback)
    extra = ansible.directory / "extra.json"
    extra.write_text(json.dumps({"mysql_tls_rollback_records": stats["mysql_tls_rollback_records"]}))
    promised = ansible.run(*fleet.command("rollback"), "-e", f"@{extra}", "--check").ok()
    assert {said.partition(":")[0] for said in outcomes(promised).values()} == {"would change"}
    assert not rollback.exists()
    ansible.run(*fleet.command("rollback"), "-e", f"@{extra}").ok()
    assert {name: db.requirement(fleet.apps[name].user, "%") for name, db in fleet.databases.items()} == before
    assert {path.stat().st_mode & 0o777 for path in rollback.iterdir()} == {0o600}

    # Who changed what, and when it was rolled back, is remembered; what a rehearsal did is not.
    kinds = sorted(path.name.rpartition("-")[2] for path in (ansible.state / "history").iterdir())
    assert kinds == ["enforce.jsonl.gz"] * 2 + ["rollback.jsonl.gz"] * 4

    # Bounded, for those who keep artifacts in a database.
    few = published(ansible.run(*fleet.command("enforce"), "-e", "mysql_tls_artifact_bytes=10").ok())
    assert set(few) == {"mysql_tls_roll_out"}


def test_audit_report_and_exit_code(fleet: Fleet, ansible: Ansible) -> None:
    """The report is there after a failure, in check mode too, and holds every host."""
    directory = ansible.directory / "report"
    hosts = {}
    for mode in ([], ["--check"]):
        shutil.rmtree(directory, ignore_errors=True)
        run = ansible.run(
            *fleet.command("audit"),
            *mode,
            *("-e", "mysql_tls_fail_on=high", "-e", f"mysql_tls_report_dir={directory}"),
            *(
                "-e",
                "mysql_tls_report_title='Of a test'",
                "-e",
                "mysql_tls_report_junit=true",
                "-e",
                "mysql_tls_expiry_warn_days=100000",
                "-e",
                "mysql_tls_probe_protocols=true",
            ),
        )
        assert run.status != 0
        assert {path.name for path in directory.iterdir()} >= {"report.html", "report.json", "report.csv", "junit.xml"}
        report = json.loads((directory / "report.json").read_text())
        assert "Of a test" in (directory / "report.html").read_text()
        hosts[bool(mode)] = sorted((server["name"], server["state"]) for server in report["servers"])
        for server in report["servers"]:
            assert "certificate-expiring" in {finding["id"] for finding in server["findings"]}
            assert server["tls"]["versions"]
        assert run.status == 2
    assert hosts[False] == hosts[True]
    assert len(hosts[False]) == len(MATRIX)


def test_tags(fleet: Fleet, ansible: Ansible) -> None:
    """Each runs its part of enforce alone."""
    always = ["Check variables", "Fetch CA bundles"]
    for tags, tasks in (
        ("bundle", []),
        ("status", ["Check TLS status", "Recheck TLS status"]),
        ("require", ["Determine the servers to change", "Determine which accounts are ready", "Require TLS"]),
        (
            "report",
            [
                "Show roll-out summary",
                "Record the run",
                "Publish results and rollback records",
            ],
        ),
    ):
        run = ansible.run(*fleet.command("enforce"), *ALL_AT_ONCE, "--check", "--tags", tags).ok()
        # What comes before the batches is skipped in them.
        found = re.findall(r"^TASK \[\S+ : (.*?)\] \**\n(?!skipping)", run.output, re.MULTILINE)
        assert found == [*always, *tasks], run.output


def test_client_certificate(servers: Servers, ansible: Ansible, mirror: Mirror, pki: Pki) -> None:
    """The login needs one, and is accepted with mysql_tls_client_cert and mysql_tls_client_key."""
    db = servers.get("mariadb-11.8")
    me = db.administrator(require="X509")
    ansible.secrets = [me.password]
    files = pki.client()
    variables = {
        "ansible_host": db.server.host,
        "mysql_tls_login_port": db.server.port,
        "mysql_tls_login_user": me.user,
        "mysql_tls_login_password": me.password,
        "mysql_tls_ca_cert": str(pki.bundle),
        "mysql_tls_all_accounts": True,
        "mysql_tls_include_local": True,
        "mysql_tls_exclude": ["root@*"],
        "mysql_tls_ssl_type": "x509",
    }
    inventory = ansible.directory / "inventory.yml"
    inventory.write_text(json.dumps({"all": {"hosts": {"one": variables}}}))
    command = ("ansible-playbook", "-i", str(inventory), "dbtls.rds_mysql.enforce")
    assert ansible.run(*command).status != 0
    certificate = ("-e", f"mysql_tls_client_cert={files.cert}", "-e", f"mysql_tls_client_key={files.key}")
    ansible.run(*command, *certificate).ok()
    # A file of one's own: nothing is fetched.
    assert mirror.requests == []
