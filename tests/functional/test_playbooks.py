# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Through Ansible itself: the modules in plays, the role and the playbooks on all servers at once."""

from __future__ import annotations

import base64
import getpass
import hashlib
import json
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.rollback_records import records_of

from tests.servers import MATRIX, Mirror, Pki
from tests.unit.plugins.module_utils.scripted_server import Conversation, greeting, scripted

from .database import Account, Database, Tls
from .plays import Ansible, Run, connection
from .servers import Servers

TLS = Tls()


@pytest.mark.parametrize("name", ["mysql-9.7", "mariadb-11.8"])
def test_module_defaults_facts_and_registered_results(servers: Servers, ansible: Ansible, name: str) -> None:
    """The connection once for both modules, at the highest verbosity."""
    db = servers.get(name)
    me = db.administrator()
    app = db.create(db.name_of("app"))
    options, variables = connection(db, me)
    ansible.secrets = [me.password]
    run = ansible.play(
        [
            {"dbtls.rds_mysql.mysql_ssl_status": {}},
            {
                "vars": {
                    "app": app.user,
                    "without": "{{ mysql_ssl.accounts | selectattr('ssl_type', 'eq', 'NONE') "
                    "| map(attribute='user') }}",
                },
                "ansible.builtin.assert": {
                    "that": [
                        "mysql_ssl.session.verified",
                        f"mysql_ssl.endpoint.port == {db.server.port}",
                        "without is contains(app)",
                    ]
                },
            },
            {
                "dbtls.rds_mysql.mysql_require_ssl": {"accounts": [app.user, "{{ login }}@*"], "include_local": True},
                "register": "required",
                "when": "not mysql_ssl.compliant",
                "vars": {"login": me.user},
            },
            {
                "ansible.builtin.assert": {
                    "that": ["required is changed", "required.verified", "not required.rolled_back"]
                }
            },
            {"dbtls.rds_mysql.mysql_require_ssl": {"user": app.user}, "register": "again"},
            {"ansible.builtin.assert": {"that": ["again is not changed", "again.statements == []"]}},
            {"dbtls.rds_mysql.mysql_ssl_status": {}},
            {"ansible.builtin.debug": {"msg": "still not compliant"}, "when": "not mysql_ssl.compliant"},
        ],
        variables,
        "-vvvv",
        "--diff",
        module_defaults={"group/dbtls.rds_mysql.mysql": options},
    ).ok()
    assert run.recap()["localhost"]["changed"] == 1
    # The accounts of the server's administrator are local ones.
    assert run.recap()["localhost"]["skipped"] == 1
    assert f"-{app.user}@%: NONE" in run.output
    assert f"+{app.user}@%: ANY" in run.output
    assert '"rollback_statements": [' in run.output
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in run.output
    assert db.ssl_type(app) == db.ssl_type(me) == "ANY"


def test_failures_at_the_highest_verbosity(servers: Servers, ansible: Ansible, stranger: Pki) -> None:
    """Refused login, rejected certificate, missing account: one sentence each, and no secret."""
    db = servers.get("mariadb-10.11")
    me = db.administrator()
    options, variables = connection(db, me)
    ansible.secrets = [me.password, "pw!not-this-one"]
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"login_password": "{{ the_wrong_password }}"}, "refused the login"),
        ({"ca_cert": str(stranger.bundle)}, "does not chain"),
        ({"login_port": 1}, "Cannot reach 127.0.0.1:1"),
        ({"user": "nobody-here"}, "No account of"),
    ]
    run = ansible.play(
        [
            {"dbtls.rds_mysql.mysql_require_ssl": {**options, "user": me.user, **more}, "ignore_errors": True}
            for more, _sentence in wrong
        ],
        {**variables, "the_wrong_password": "pw!not-this-one"},
        "-vvvv",
    ).ok()
    for _more, sentence in wrong:
        assert sentence in run.output
    assert run.recap()["localhost"]["changed"] == 0
    assert run.output.count("...ignoring") == len(wrong)
    assert db.ssl_type(me) == ""


def test_fail_on_ends_the_play(servers: Servers, ansible: Ansible) -> None:
    db = servers.get("mariadb-10.11")
    me = db.administrator()
    app = db.create(db.name_of("app"))
    options, variables = connection(db, me)
    ansible.secrets = [me.password]
    tasks = [{"dbtls.rds_mysql.mysql_ssl_status": {**options, "fail_on": "high"}}]
    run = ansible.play(tasks, variables)
    assert run.status != 0
    assert f"{app.user}@% may log in without TLS" in run.output
    assert run.recap()["localhost"]["failed"] == 1
    db.require(app.user, app.host, "SSL")
    assert ansible.play(tasks, variables).ok().recap()["localhost"]["failed"] == 0


def test_ad_hoc(servers: Servers, ansible: Ansible, pki: Pki) -> None:
    """One line in a shell, without credentials."""
    db = servers.get("mysql-9.7")
    ansible.secrets = [db.server.admin_password]
    run = ansible.run(
        "ansible",
        "localhost",
        "-i",
        "localhost,",
        "-c",
        "local",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        "-m",
        "dbtls.rds_mysql.mysql_ssl_status",
        "-a",
        f"login_host=127.0.0.1 login_port={db.server.port} ca_cert={pki.bundle}",
    ).ok()
    assert "SUCCESS" in run.output
    assert '"trusted": true' in run.output


# The playbooks


@dataclass(frozen=True)
class Fleet:
    """All servers in one inventory: who logs in, and who else is there."""

    databases: dict[str, Database]
    logins: dict[str, Account]
    apps: dict[str, Account]
    inventory: Path

    def command(self, name: str) -> tuple[str, ...]:
        """What runs a playbook of the collection on them."""
        return ("ansible-playbook", "-i", str(self.inventory), f"dbtls.rds_mysql.{name}")

    def snapshots(self) -> dict[str, Any]:
        """What each server has about its accounts."""
        return {name: db.snapshot() for name, db in self.databases.items()}


@pytest.fixture
def mirror(pki: Pki, tmp_path: Path) -> Iterator[Mirror]:
    """A mirror with the bundles of two regions."""
    directory = pki.write_trust_store(tmp_path / "store")
    other = directory / "eu-west-1"
    other.mkdir()
    (other / "eu-west-1-bundle.pem").write_bytes(pki.bundle.read_bytes())
    with Mirror(directory, certificate=pki.server()) as running:
        yield running


@pytest.fixture
def fleet(servers: Servers, pki: Pki, ansible: Ansible, mirror: Mirror) -> Fleet:
    """The five of them, three in one region and two in the other."""
    databases = {name: servers.get(name) for name in MATRIX}
    logins = {name: db.administrator() for name, db in databases.items()}
    apps = {name: db.create(db.name_of("app")) for name, db in databases.items()}
    ansible.secrets = [account.password for account in logins.values()]
    hosts = {
        name: {
            "ansible_host": db.server.host,
            "mysql_tls_login_port": db.server.port,
            "mysql_tls_login_user": logins[name].user,
            "mysql_tls_login_password": logins[name].password,
            "mysql_tls_region": "eu-west-1" if name.startswith("mysql") else "eu-central-1",
            **({"mysql_tls_min_version": "TLSv1"} if db.legacy else {}),
        }
        for name, db in databases.items()
    }
    variables = {
        "mysql_tls_base_url": mirror.url,
        "mysql_tls_ca_path": str(pki.bundle),
        "mysql_tls_accounts": ["*@*"],
        "mysql_tls_include_local": True,
        "mysql_tls_exclude": ["root@*"],
    }
    inventory = ansible.directory / "inventory.yml"
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
    return Fleet(databases, logins, apps, inventory)


def assert_tasks(run: Run, count: int) -> None:
    """So many tasks for each host, but for the one that does what is done once for all."""
    counts = sorted(counts["ok"] for counts in run.recap().values())
    assert counts[:-1] == [count] * (len(counts) - 1), run.recap()


ALL_AT_ONCE = ("-e", "mysql_tls_canary=0", "-e", "mysql_tls_serial=100%")
BUNDLES = ["/eu-central-1/eu-central-1-bundle.pem", "/eu-west-1/eu-west-1-bundle.pem"]


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
        assert f"The check of {len(MATRIX)} servers failed." in audited.output
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
    again = playbook("enforce", "-vvvv")
    assert {name: counts["changed"] for name, counts in again.recap().items()} == dict.fromkeys(MATRIX, 0)
    assert fleet.snapshots() == after


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


# Rolling out


def failing(fleet: Fleet, name: str) -> None:
    """This server is up, and its change fails: its application is connected without TLS, or cannot be told apart."""
    inventory = json.loads(fleet.inventory.read_text())
    # An account that is not there: found out by mysql_require_ssl, after the first look.
    inventory["all"]["hosts"][name]["mysql_tls_accounts"] = ["nobody-here@*"]
    fleet.inventory.write_text(json.dumps(inventory))


def outcomes(run: Run) -> dict[str, str]:
    """What the last summary says of each host."""
    said = run.output.rpartition("Show roll-out summary")[2]
    found = dict(re.findall(r'^ +"(\S+)": "(.*?)",?$', said, re.MULTILINE))
    assert set(found) == set(MATRIX), run.output
    return found


def types(fleet: Fleet) -> dict[str, str]:
    return {name: db.ssl_type(fleet.apps[name]) for name, db in fleet.databases.items()}


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
    assert {said[name] for name in others} == {"not reached"}


def test_the_third_fails_in_the_second_batch(fleet: Fleet, ansible: Ansible) -> None:
    """The canary and the batch are done, and the rest is not."""
    first, second, third, *others = MATRIX
    failing(fleet, third)
    run = ansible.run(*fleet.command("enforce"), "-e", "mysql_tls_serial=2")
    assert run.status != 0
    print(run.output)
    assert types(fleet) == {first: "ANY", second: "ANY", third: "", **dict.fromkeys(others, "")}
    said = outcomes(run)
    for name in (first, second):
        assert said[name].startswith("changed: ")
        assert f"; rollback record: {ansible.state}/rollback/{name}.json" in said[name]
    assert said[third].startswith("nothing changed: No account of")
    assert {said[name] for name in others} == {"not reached"}
    assert set(run.recap()) == {first, second, third}


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
    assert other.status != 0
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
        assert nothing.status != 0
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


# 27 characters; MySQL takes 32 for a user, and 5.6 takes 16. The home directory is the test's own.
RUNS = '{{lookup("pipe","id>~/x")}}'


def _name_templates(fleet: Fleet) -> dict[str, dict[str, tuple[str, str, str, str]]]:
    """Have accounts and distinguished names that are templates; what each of them requires, by server."""
    for db in fleet.databases.values():
        for user in ("{% raw %}", "{{", *(() if db.legacy else (RUNS,))):
            db.create(user, require="SSL")
        db.create("named", require=f"SUBJECT '/CN={RUNS}'")
    return {name: _requirements(db) for name, db in fleet.databases.items()}


def _requirements(db: Database) -> dict[str, tuple[str, str, str, str]]:
    users = ("{% raw %}", "{{", "named", *(() if db.legacy else (RUNS,)))
    return {user: db.requirement(user, "%") for user in users}


def test_no_name_is_a_template(fleet: Fleet, ansible: Ansible) -> None:
    """Others choose names, and what a job has published is given to the next one as variables."""
    ran = ansible.directory / "home" / "x"
    rollback = ansible.state / "rollback"
    # The first finding of its kind, whose message the summary has as an example.
    fleet.databases["mariadb-10.11"].create(f"!{RUNS}")
    before = _name_templates(fleet)
    shown = ansible.directory / "shown.yml"
    tasks = [{"ansible.builtin.debug": {"var": name}} for name in ("mysql_tls", "mysql_tls_roll_out")]
    shown.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    extra = ansible.directory / "extra.json"

    def published_and_shown(run: Run) -> dict[str, Any]:
        """As the next job of a workflow has it: as extra variables, and rendered."""
        stats = published(run.ok())
        extra.write_text(json.dumps(stats))
        ansible.run("ansible-playbook", "-i", "localhost,", str(shown), "-e", f"@{extra}").ok()
        return stats

    for _time in range(2):  # The second one compares with the report of the first.
        assert "lookup" in json.dumps(published_and_shown(ansible.run(*fleet.command("audit"))))
    stats = published_and_shown(ansible.run(*fleet.command("enforce"), "-e", "mysql_tls_ssl_type=none", "-vvv"))
    assert "lookup" not in json.dumps(stats)
    assert {required for db in fleet.databases.values() for required in _requirements(db).values()} == {("",) * 4}
    shutil.rmtree(rollback)
    ansible.run(*fleet.command("rollback"), "-e", f"@{extra}", "--check", "-vvv").ok()
    ansible.run(*fleet.command("rollback"), "-e", f"@{extra}", "-vvv").ok()
    assert {name: _requirements(db) for name, db in fleet.databases.items()} == before
    ansible.run(*fleet.command("audit"), "-e", '{"mysql_tls_report_merge": ["mysql-tls-report/report.json"]}').ok()
    assert not ran.exists()


def test_records_of_the_first_release_are_no_templates_either(fleet: Fleet, ansible: Ansible) -> None:
    """It published them as they are. Where a name could be a template, they are refused; else they are good."""
    ran = ansible.directory / "home" / "x"
    rollback = ansible.state / "rollback"
    text = published(ansible.run(*fleet.command("enforce")).ok())["mysql_tls_rollback_records"]
    shutil.rmtree(rollback)
    plain = {name: json.loads(base64.b64decode(text))["hosts"][name][0] for name in MATRIX}
    extra = ansible.directory / "extra.json"

    evil = json.loads(json.dumps(plain).replace(fleet.apps[MATRIX[0]].user, json.dumps(RUNS)[1:-1]))
    extra.write_text(json.dumps({"mysql_tls_rollback_records": evil}))
    for mode in (("--check",), ()):
        refused = ansible.run(*fleet.command("rollback"), "-e", f"@{extra}", *mode)
        assert refused.status != 0
        assert "mysql_tls_rollback_records: these are records of version 0.1.0" in refused.output
    assert not ran.exists()
    assert set(types(fleet).values()) == {"ANY"}

    extra.write_text(json.dumps({"mysql_tls_rollback_records": plain}))
    ansible.run(*fleet.command("rollback"), "-e", f"@{extra}").ok()
    assert set(types(fleet).values()) == {""}


def published(run: Run) -> dict[str, Any]:
    """What set_stats has, as the callback plugin shows it."""
    found = re.search(r"^\tRUN: (.*)$", run.output, re.MULTILINE)
    assert found, run.output
    stats: dict[str, Any] = json.loads(found[1])
    return stats


def test_a_bundle_that_cannot_be_fetched(fleet: Fleet, ansible: Ansible, mirror: Mirror) -> None:
    """Fails the hosts that need it, and no others; nothing is sent to their servers."""
    gone = "eu-west-1"
    kept = mirror.directory.parent / gone
    (mirror.directory / gone).rename(kept)
    run = ansible.run(*fleet.command("enforce"), *ALL_AT_ONCE, "-e", "mysql_tls_max_fail_percentage=100")
    assert run.status != 0
    failed = {name for name, counts in run.recap().items() if counts["failed"]}
    assert failed == {name for name in MATRIX if name.startswith("mysql")}
    assert {name for name, ssl_type in types(fleet).items() if ssl_type == "ANY"} == set(MATRIX) - failed
    for name in failed:
        assert "has no CA certificates to verify with. No CA bundle: " in outcomes(run)[name]
    # The audit says it once, as its own state; one of an earlier run is used, with a warning.
    audited = ansible.run(*fleet.command("audit"))
    assert audited.status == 2
    assert audited.output.count(" not checked: No CA bundle: ") == 1
    kept.rename(mirror.directory / gone)
    ansible.run(*fleet.command("audit")).ok()
    (mirror.directory / gone).rename(kept)
    said = " ".join(ansible.run(*fleet.command("audit")).ok().output.split())
    assert "The one of an earlier run is used, which is 0 hours old: " in said
    # One with another checksum than asked for is none that can be used, though it is there.
    refused = ansible.run(*fleet.command("audit"), "-e", f"mysql_tls_bundle_checksum=sha256:{'0' * 64}")
    assert ": not checked: No CA bundle: checksum: " in refused.output
    assert f"The check of {len(MATRIX)} servers failed." in refused.output


@pytest.mark.parametrize(
    "text", ['it\'s "quoted" \\\\ ü', "{{ 7 * 191 }}", "{% raw %}#}", "0042", "None", "[1]", "a: b # c"]
)
def test_passwords_are_no_templates(servers: Servers, ansible: Ansible, pki: Pki, text: str) -> None:
    """Whatever characters are in one, the server gets them as they are in the inventory."""
    db = servers.get("mariadb-11.8")
    me = db.administrator()
    # What is a number, a null or a list to others is the whole password, and too short to be looked for in the output.
    password = f"{text}-pw!" if text.startswith(("it", "{", "a")) else text
    ansible.secrets = [password if password != text else me.password]
    db.query("ALTER USER %s@%s IDENTIFIED BY %s", me.user, me.host, password)
    variables = {
        "ansible_host": db.server.host,
        "mysql_tls_login_port": db.server.port,
        "mysql_tls_login_user": me.user,
        "mysql_tls_ca_cert": str(pki.bundle),
    }
    inventory = ansible.directory / "inventory.yml"
    host = {**variables, "mysql_tls_login_password": "PASSWORD"}
    content = json.dumps({"all": {"hosts": {"one": host}}})
    # Ansible takes an unsafe 0042 for a number, with quotes around it too.
    tag = "!unsafe " if "{" in password else ""
    inventory.write_text(content.replace('"PASSWORD"', tag + json.dumps(password)))
    command = ("ansible-playbook", "-i", str(inventory), "dbtls.rds_mysql.audit", "-v")
    ansible.run(*command).ok()
    db.query("ALTER USER %s@%s IDENTIFIED BY %s", me.user, me.host, "another-" + password)
    assert ansible.run(*command).status != 0


def given(run: Run, task: str, option: str) -> list[str]:
    """The values of an option that a task's module had, one for each server, as JSON shows them at -vvv."""
    part = run.output.partition(f": {task}]")[2].partition("TASK [")[0]
    return re.findall(rf'"{option}": ("[^"]*"|\w+)', part)


def test_module_defaults(fleet: Fleet, ansible: Ansible) -> None:
    """The play of the role's README: options without a variable, of both modules and of one alone."""
    readme = (Path(__file__).parents[2] / "roles" / "mysql_tls" / "README.md").read_text("utf-8")
    (ansible.directory / "patient.yml").write_text(readme.partition("```yaml\n")[2].partition("```")[0])
    passwords = {name: app.password for name, app in fleet.apps.items()}
    passwords["mariadb-11.8"] = wrong = "not-the-password-of-the-app"
    ansible.secrets += [*passwords.values()]
    apps = ansible.directory / "apps.yml"
    hosts = {name: {"app_user": fleet.apps[name].user, "app_password": passwords[name]} for name in MATRIX}
    apps.write_text(json.dumps({"all": {"hosts": hosts}}))
    command = ("ansible-playbook", "-i", str(fleet.inventory), "-i", str(apps), "patient.yml", "-vvv")
    run = ansible.run(*command, "-e", "mysql_tls_max_fail_percentage=100")
    for task in ("Check TLS status", "Require TLS"):
        assert given(run, task, "timeout") == ["300"] * len(MATRIX)
    # One more login is proven on each server; where it fails, everything is as it was.
    assert {name for name, counts in run.recap().items() if counts["failed"]} == {"mariadb-11.8"}, run.output
    assert types(fleet) == {**dict.fromkeys(MATRIX, "ANY"), "mariadb-11.8": ""}
    apps.write_text(apps.read_text().replace(wrong, fleet.apps["mariadb-11.8"].password))
    ansible.run(*command).ok()
    assert types(fleet) == dict.fromkeys(MATRIX, "ANY")


def role_play(module_defaults: dict[str, Any], **role: Any) -> str:
    """A play of one's own that runs the role, with Ansible's validation of its arguments. JSON is YAML."""
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "module_defaults": module_defaults,
        "tasks": [{"ansible.builtin.import_role": {"name": "dbtls.rds_mysql.mysql_tls", **role}}],
    }
    return json.dumps([play])


def test_a_server_that_never_ends_its_answer_fails_alone(fleet: Fleet, ansible: Ansible) -> None:
    """It lets the login in, and sends a byte now and then. Everybody else's result and the report are there."""

    def drip(conversation: Conversation) -> None:
        conversation.send(greeting(tls=False))
        conversation.receive()
        conversation.send(b"\0\0\0\x02\0\0\0")  # OK
        conversation.receive()
        conversation.send_raw(b"\xff\0\0\x01")
        for _byte in range(255):
            conversation.send_raw(b"x")
            time.sleep(0.25)

    with scripted(drip) as server:
        content = json.loads(fleet.inventory.read_text())
        login = content["all"]["hosts"]["mariadb-11.8"]
        content["all"]["hosts"]["dripping"] = {
            **login,
            "mysql_tls_login_port": server.port,
            "mysql_tls_ssl_mode": "preferred",
        }
        fleet.inventory.write_text(json.dumps(content))
        content["all"]["vars"]["mysql_tls_connect_timeout"] = 3
        fleet.inventory.write_text(json.dumps(content))
        (ansible.directory / "play.yml").write_text(role_play({}, tasks_from="audit"))
        started = time.monotonic()
        run = ansible.run("ansible-playbook", "-i", str(fleet.inventory), "play.yml")
        # What its bytes would take is a minute.
        assert time.monotonic() - started < 55
    assert {name for name, counts in run.recap().items() if counts["failed"]} == {"dripping"}
    report = json.loads((ansible.directory / "mysql-tls-report" / "report.json").read_text())
    assert {server["name"]: server["state"] for server in report["servers"]} == {
        **dict.fromkeys(MATRIX, "checked"),
        "dripping": "checked",  # what could be seen without a login
    }
    (message,) = (server["message"] for server in report["servers"] if server["name"] == "dripping")
    assert "3 seconds" in message


def test_what_module_defaults_overrule(fleet: Fleet, ansible: Ansible) -> None:
    """A variable overrules those of the group, those of a module overrule one of a login; the server is the role's.

    An alias and a socket are further names of what has a variable.
    """
    nowhere = "/nowhere"
    aliases = {"ssl_ca": nowhere, "ssl_cert": nowhere, "ssl_key": nowhere, "login_unix_socket": nowhere}
    defaults = {
        "group/dbtls.rds_mysql.mysql": {"ssl_mode": "disabled", "login_user": "of-the-group", **aliases},
        "dbtls.rds_mysql.mysql_ssl_status": {
            "login_host": "192.0.2.1",
            "login_port": 1,
            "login_unix_socket": nowhere,
            "ssl_mode": "required",
        },
        "dbtls.rds_mysql.mysql_require_ssl": {
            "login_unix_socket": nowhere,
            "exclude": ["*@*"],
            "ssl_type": "none",
            "plaintext_sessions": "kill",
            "require_secure_transport": True,
        },
    }
    (ansible.directory / "play.yml").write_text(role_play(defaults))
    command = ("ansible-playbook", "-i", str(fleet.inventory), "play.yml", "-vvv", "--check")
    run = ansible.run(*command, "-e", "mysql_tls_ssl_mode=verify_ca").ok()
    for task, mode in (("Check TLS status", "required"), ("Require TLS", "verify_ca")):
        assert given(run, task, "ssl_mode") == [f'"{mode}"'] * len(MATRIX)
        ports = {str(db.server.port) for db in fleet.databases.values()}
        assert set(given(run, task, "login_port")) == ports
        assert set(given(run, task, "login_unix_socket")) == {"null"}
        assert '"of-the-group"' not in given(run, task, "login_user")
        assert len(set(given(run, task, "ca_cert"))) == 2  # that of each region
    # In capitals it is a requirement in the results.
    assert {kind for kind in given(run, "Require TLS", "ssl_type") if not kind.isupper()} == {'"any"'}
    assert set(given(run, "Require TLS", "plaintext_sessions")) == {'"fail"'}
    assert set(given(run, "Require TLS", "require_secure_transport")) == {"null"}
    assert {name for name, counts in run.recap().items() if counts["changed"]} == set(MATRIX)


def test_module_defaults_for_a_change_do_not_disturb_a_rollback(fleet: Fleet, ansible: Ansible) -> None:
    """The file says what is put back."""
    ansible.run(*fleet.command("enforce"), *ALL_AT_ONCE).ok()
    assert types(fleet) == dict.fromkeys(MATRIX, "ANY")
    change = {
        "user": "somebody",
        "host": "%",
        "exclude": ["*@*"],
        "include_system": True,
        "ssl_type": "x509",
        "exact": True,
        "subject": "/CN=somebody",
        "issuer": "/CN=nobody",
        "cipher": "none",
        "require_secure_transport": True,
        "login_unix_socket": "/nowhere",
    }
    for more in ({"accounts": ["nobody@*"]}, {"all_accounts": True}):
        defaults = {"dbtls.rds_mysql.mysql_require_ssl": {**change, **more}}
        (ansible.directory / "play.yml").write_text(role_play(defaults, tasks_from="rollback"))
        ansible.run("ansible-playbook", "-i", str(fleet.inventory), "play.yml").ok()
        assert types(fleet) == dict.fromkeys(MATRIX, "")


def test_a_variable_without_a_value(fleet: Fleet, ansible: Ansible) -> None:
    """Null is what is not set, for every variable that has no default, also where Ansible validates the arguments."""
    names = ("ca_cert", "ca_path", "bundle_checksum", "client_cert", "client_key", "config_file", "check_hostname")
    content = json.loads(fleet.inventory.read_text())
    ca_path = content["all"]["vars"].pop("mysql_tls_ca_path")
    variables = dict.fromkeys([f"mysql_tls_{name}" for name in (*names, "require_secure_transport")])
    content["all"]["vars"].update(variables)
    fleet.inventory.write_text(json.dumps(content))
    play = role_play({"dbtls.rds_mysql.rds_ca_bundle": {"ca_path": ca_path}})
    (ansible.directory / "play.yml").write_text(play)
    run = ansible.run("ansible-playbook", "-i", str(fleet.inventory), "play.yml", "--check")
    # It stays without the certificate of the mirror, as the role's variable says.
    assert "its certificate does not verify" in run.output
    content["all"]["vars"]["mysql_tls_ca_path"] = ca_path
    fleet.inventory.write_text(json.dumps(content))
    run = ansible.run("ansible-playbook", "-i", str(fleet.inventory), "play.yml", "--check", "-vvv").ok()
    assert len(given(run, "Check TLS status", "ca_cert")) == len(MATRIX)
    assert "null" not in given(run, "Check TLS status", "ca_cert")


@pytest.mark.parametrize(
    "name", ["login_user", "config_file", "client_cert", "client_key", "min_version", "require_secure_transport"]
)
def test_a_variable_of_the_login_that_is_undefined(fleet: Fleet, ansible: Ansible, name: str) -> None:
    """Fails the host whose it is, and no others: it is not one that is not set."""
    content = json.loads(fleet.inventory.read_text())
    content["all"]["hosts"]["mariadb-11.8"][f"mysql_tls_{name}"] = "{{ no_such_variable }}"
    fleet.inventory.write_text(json.dumps(content))
    run = ansible.run(*fleet.command("enforce"), "--check", "-e", "mysql_tls_max_fail_percentage=100")
    assert {host for host, counts in run.recap().items() if counts["failed"]} == {"mariadb-11.8"}, run.output
    assert "'no_such_variable' is undefined" in run.output


@pytest.mark.parametrize("nothing", ["", None, "{{ omit }}", "{{ none }}"])
def test_no_ca_certificates_of_ones_own(fleet: Fleet, ansible: Ansible, nothing: str | None) -> None:
    """Empty, null and omitted are no file of one's own: the bundle is fetched, and servers are verified with it."""
    names = ("mysql_tls_ca_cert", "mysql_tls_bundle_checksum")
    variables = ansible.directory / "nothing.yml"
    variables.write_text(json.dumps(dict.fromkeys(names, nothing)))
    run = ansible.run(*fleet.command("audit"), "-vvv", "-e", f"@{variables}", "-e", "mysql_tls_per_host=true").ok()
    used = given(run, "Check TLS status", "ca_cert")
    assert len(used) == len(MATRIX)
    assert {re.sub(r"-[0-9a-f]{12}\.pem", ".pem", path).rpartition("/")[2] for path in used} == {
        'current-eu-central-1.pem"',
        'current-eu-west-1.pem"',
    }


@pytest.mark.parametrize("name", ["ca_cert", "bundle_checksum", "ca_path"])
def test_a_variable_of_the_bundle_that_is_undefined(fleet: Fleet, ansible: Ansible, name: str) -> None:
    """Fails the host whose it is, and no others, although there is a bundle that would do; nothing is sent."""
    ansible.run(*fleet.command("audit")).ok()
    content = json.loads(fleet.inventory.read_text())
    content["all"]["hosts"]["mariadb-11.8"][f"mysql_tls_{name}"] = "{{ no_such_variable }}"
    fleet.inventory.write_text(json.dumps(content))
    audited = ansible.run(*fleet.command("audit"))
    assert audited.status == 2
    assert "mariadb-11.8: not checked: " in audited.output
    assert "'no_such_variable' is undefined" in audited.output
    run = ansible.run(*fleet.command("audit"), "-e", "mysql_tls_per_host=true")
    assert {host for host, counts in run.recap().items() if counts["failed"]} == {"mariadb-11.8"}
    assert "'no_such_variable' is undefined" in run.output
    assert run.recap()["mariadb-11.8"]["ok"] <= 1  # what is done once for all may be said of it


def test_a_mirror_with_a_password(fleet: Fleet, ansible: Ansible, mirror: Mirror) -> None:
    """It is an option of the module, and not in the URL, where it is refused and not shown."""
    secret = "pw-of-the-mirror"
    mirror.require("reader", secret)
    ansible.secrets += [secret, "pw-that-is-wrong"]
    variables = ansible.directory / "mirror.yml"
    variables.write_text(json.dumps({"mysql_tls_base_url": mirror.url.replace("://", f"://reader:{secret}@")}))
    refused = ansible.run(*fleet.command("audit"), "-vvv", "-e", f"@{variables}")
    assert refused.status != 0
    assert "Set url_username and url_password instead" in refused.output
    assert mirror.requests == []

    for password in ("pw-that-is-wrong", secret):
        variables.write_text(json.dumps({"mysql_tls_url_username": "reader", "mysql_tls_url_password": password}))
        run = ansible.run(*fleet.command("audit"), "-vvv", "-e", f"@{variables}")
        assert (run.status == 0) == (password == secret), run.output
    login = {"mysql_tls_url_username": "reader", "mysql_tls_url_password": secret}
    variables.write_text(json.dumps({**login, "mysql_tls_region": "no-such-region"}))
    refused = ansible.run(*fleet.command("audit"), "-vvv", "-e", f"@{variables}")
    assert "not checked: No CA bundle: region: 'no-such-region' " in refused.output


# Only what was named


def refused_before_any_contact(fleet: Fleet, ansible: Ansible, name: str, *arguments: str) -> str:
    """The playbook's message; it has contacted no server and no mirror."""
    before = {server: db.query("SHOW GLOBAL STATUS LIKE 'Connections'") for server, db in fleet.databases.items()}
    run = ansible.run(*fleet.command(name), *arguments)
    after = {server: db.query("SHOW GLOBAL STATUS LIKE 'Connections'") for server, db in fleet.databases.items()}
    assert run.status != 0, run.output
    assert "Check TLS status" not in run.output
    assert after == before
    return " ".join(run.output.split())


def test_no_accounts_are_named(fleet: Fleet, ansible: Ansible) -> None:
    """Nothing means nothing, also as a survey says it; everything has to be said, and then is meant."""
    content = json.loads(fleet.inventory.read_text())
    del content["all"]["vars"]["mysql_tls_accounts"]
    fleet.inventory.write_text(json.dumps(content))
    for arguments in ((), ("-e", "mysql_tls_accounts="), ("-e", "mysql_tls_all_accounts=false")):
        said = refused_before_any_contact(fleet, ansible, "enforce", *arguments)
        assert f"No accounts are named for {', '.join(MATRIX)}. Set mysql_tls_accounts" in said
    # The administrators of the tests are connected over the sockets.
    everything = ("-e", "mysql_tls_all_accounts=true", "-e", "mysql_tls_plaintext_sessions=warn")
    said = refused_before_any_contact(fleet, ansible, "enforce", *everything, "-e", "mysql_tls_accounts=app@*")
    assert "Both mysql_tls_accounts and mysql_tls_all_accounts are set for" in said
    ansible.run(*fleet.command("audit")).ok()
    # Nor does an empty text leave out nobody.
    nobody = ("-e", "mysql_tls_exclude=")
    checked = ansible.run(*fleet.command("enforce"), *ALL_AT_ONCE, *everything, *nobody, "--check", "--diff")
    assert "-root@localhost: NONE" in checked.output
    ansible.run(*fleet.command("enforce"), *ALL_AT_ONCE, *everything).ok()
    assert types(fleet) == dict.fromkeys(MATRIX, "ANY")


@pytest.mark.parametrize("where", ["extra", "inventory", "group_vars", "play"])
def test_a_variable_that_there_is_not(fleet: Fleet, ansible: Ansible, where: str) -> None:
    """Is refused by its name, with the nearest one, wherever it is set."""
    wrong = {"mysql_tls_account": ["app@*"]}
    arguments: tuple[str, ...] = ()
    if where == "extra":
        arguments = ("-e", json.dumps(wrong))
    elif where == "inventory":
        content = json.loads(fleet.inventory.read_text())
        content["all"]["hosts"]["mariadb-11.8"].update(wrong)
        fleet.inventory.write_text(json.dumps(content))
    elif where == "group_vars":
        (ansible.directory / "group_vars").mkdir()
        (ansible.directory / "group_vars" / "all.yml").write_text(json.dumps(wrong))
    for name in ("enforce", "audit", "rollback") if where == "inventory" else ("enforce",):
        if where == "play":
            (play,) = json.loads(role_play({}))
            play["vars"].update(wrong)
            (ansible.directory / "play.yml").write_text(json.dumps([play]))
            run = ansible.run("ansible-playbook", "-i", str(fleet.inventory), "play.yml")
            assert run.status != 0
            said = " ".join(run.output.split())
        else:
            said = refused_before_any_contact(fleet, ansible, name, *arguments)
        hosts = "mariadb-11.8" if where == "inventory" else ", ".join(MATRIX)
        assert f"mysql_tls_account is not a variable of dbtls.rds_mysql (set for {hosts})" in said
        assert "Did you mean mysql_tls_accounts?" in said
    own = ("-e", '{"mysql_tls_own_variables": ["mysql_tls_account"]}')
    if where == "inventory":
        ansible.run(*fleet.command("audit"), *own).ok()


def test_results_of_an_earlier_play_are_known(fleet: Fleet, ansible: Ansible) -> None:
    """What the role registers, and what a job has published and the next one gets."""
    plays = [*json.loads(role_play({})), *json.loads(role_play({}, tasks_from="audit"))]
    (ansible.directory / "play.yml").write_text(json.dumps(plays))
    stats = published(ansible.run("ansible-playbook", "-i", str(fleet.inventory), "play.yml").ok())
    extra = ansible.directory / "extra.json"
    extra.write_text(json.dumps(stats))
    ansible.run(*fleet.command("audit"), "-e", f"@{extra}").ok()


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        ("mysql_tls_hosts=no-such-host", "mysql_tls_hosts: no host matches 'no-such-host'."),
        ("mysql_tls_hosts=", "mysql_tls_hosts: no host matches ''."),
        (
            "mysql_tls_canary=one",
            "mysql_tls_canary is 'one' and has to be a number of servers, such as 1, or a percentage",
        ),
        ("mysql_tls_serial=", "mysql_tls_serial is '' and has to be a number of servers, such as 1, or a percentage"),
        (
            "mysql_tls_serial=-1",
            "mysql_tls_serial is '-1' and has to be a number of servers, such as 1, or a percentage",
        ),
    ],
)
def test_hosts_and_batches_that_cannot_be_meant(fleet: Fleet, ansible: Ansible, variable: str, sentence: str) -> None:
    assert sentence in refused_before_any_contact(fleet, ansible, "enforce", "-e", variable)


def test_a_pattern_outside_the_limit(fleet: Fleet, ansible: Ansible) -> None:
    arguments = ("-e", "mysql_tls_hosts=mariadb-11.8", "--limit", "mysql*")
    for name in ("audit", "rollback"):
        said = refused_before_any_contact(fleet, ansible, name, *arguments)
        assert "mysql_tls_hosts: no host matches 'mariadb-11.8' and is within the limit 'mysql*'" in said


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
        ("require", ["Require TLS"]),
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
