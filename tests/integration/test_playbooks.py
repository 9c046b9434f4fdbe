# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Through Ansible itself: the modules in plays, the role and the playbooks on all servers at once."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers import MATRIX, Mirror, Pki

from .conftest import Servers
from .helpers import Account, Database, Tls

TLS = Tls()
_SECONDS = 180
_RECAP = re.compile(
    r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)\s+unreachable=(?P<unreachable>\d+)"
    r"\s+failed=(?P<failed>\d+)\s+skipped=(?P<skipped>\d+)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Run:
    """What Ansible printed, and how it ended."""

    output: str
    status: int

    def recap(self) -> dict[str, dict[str, int]]:
        """The counts of each host."""
        found = {m["host"]: {k: int(v) for k, v in m.groupdict().items() if k != "host"} for m in self._matches()}
        assert found, self.output
        return found

    def _matches(self) -> Iterator[re.Match[str]]:
        return _RECAP.finditer(self.output)

    def ok(self) -> Run:
        """Itself; fails the test where a host has failed."""
        assert self.status == 0, self.output
        return self


class Ansible:
    """Runs Ansible with nothing of the user's."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cache = directory / "cache"
        self.secrets: list[str] = []

    def run(self, program: str, *arguments: str) -> Run:
        """Run one of Ansible's programs; no password and no traceback gets through."""
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        configuration = home / "ansible.cfg"
        configuration.touch()
        inherited = {
            n: v for n, v in os.environ.items() if not n.startswith("ANSIBLE_") or n.endswith("COLLECTIONS_PATH")
        }
        done = subprocess.run(
            [str(Path(sys.executable).with_name(program)), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_SECONDS,
            check=False,
            cwd=self.directory,
            env={
                **inherited,
                "ANSIBLE_CONFIG": str(configuration),
                "ANSIBLE_HOME": str(home / ".ansible"),
                # Off by default from ansible-core 2.21 on; on, it is one more place where a password could show.
                "ANSIBLE_INJECT_INVOCATION": "1",
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_SHOW_CUSTOM_STATS": "1",
                "HOME": str(home),
                "LC_ALL": "C.UTF-8",
                "XDG_CACHE_HOME": str(self.cache),
            },
        )
        assert self.secrets
        for secret in self.secrets:
            assert secret not in done.stdout
        assert "Traceback" not in done.stdout, done.stdout
        return Run(done.stdout, done.returncode)

    def play(self, tasks: list[dict[str, Any]], variables: dict[str, Any], *arguments: str, **play: Any) -> Run:
        """Run a play of these tasks on this machine. JSON is YAML."""
        head = {"hosts": "localhost", "connection": "local", "gather_facts": False}
        own = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        playbook, secrets = self.directory / "play.yml", self.directory / "secrets.yml"
        playbook.write_text(json.dumps([{**head, "vars": own, **play, "tasks": tasks}]))
        secrets.write_text(json.dumps(variables))
        return self.run("ansible-playbook", "-i", "localhost,", "-e", f"@{secrets}", str(playbook), *arguments)


@pytest.fixture
def ansible(tmp_path: Path) -> Ansible:
    """Ansible, in a directory of its own."""
    return Ansible(tmp_path)


def connection(db: Database, account: Account) -> tuple[dict[str, Any], dict[str, Any]]:
    """Connection options for a play, and the variables that they take the password from."""
    options = db.options(account)
    return {**options, "login_password": "{{ the_password }}"}, {"the_password": options["login_password"]}


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
                "dbtls.rds_mysql.mysql_require_ssl": {"accounts": [f"{app.user}@*", "{{ login }}@*"]},
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
        "mysql_tls_exclude": ["root@*"],
    }
    inventory = ansible.directory / "inventory.yml"
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": variables}}))
    return Fleet(databases, logins, apps, inventory)


def assert_tasks(run: Run, count: int) -> None:
    """So many tasks for each host, but for the one that does what is done once for all."""
    counts = sorted(counts["ok"] for counts in run.recap().values())
    assert counts[:-1] == [count] * (len(counts) - 1), run.recap()


BUNDLES = ["/eu-central-1/eu-central-1-bundle.pem", "/eu-west-1/eu-west-1-bundle.pem"]


def test_audit_and_enforce(fleet: Fleet, ansible: Ansible, mirror: Mirror) -> None:
    """A user's way through: look, see what would change, change it, change nothing more."""

    def playbook(name: str, *arguments: str) -> Run:
        mirror.requests.clear()
        run = ansible.run("ansible-playbook", "-i", str(fleet.inventory), f"dbtls.rds_mysql.{name}", *arguments).ok()
        # Once for each region, not for each host.
        assert sorted(request.path for request in mirror.requests) == BUNDLES
        assert set(run.recap()) == set(MATRIX)
        assert all(counts["failed"] == counts["unreachable"] == 0 for counts in run.recap().values())
        return run

    before = fleet.snapshots()
    audit = playbook("audit", "-vvv")
    for account in fleet.apps.values():
        assert f"high: account-without-tls: {account.user}@%" in audit.output
    assert_tasks(audit, 2)
    assert "runs as a module" not in audit.output.replace("rds_ca_bundle", "")
    assert fleet.snapshots() == before

    # What enforce would mend does not fail its rehearsal; the audit's word on the same servers stays what it was.
    promised = playbook("enforce", "--check", "--diff", "-e", "mysql_tls_fail_on=high")
    assert fleet.snapshots() == before
    for name, app in fleet.apps.items():
        assert f"-{app.user}@%: NONE" in promised.output
        assert f"+{app.user}@%: ANY" in promised.output
        assert promised.recap()[name]["changed"] >= 1

    for mode in ([], ["--check"]):
        audited = ansible.run(
            "ansible-playbook",
            "-i",
            str(fleet.inventory),
            "dbtls.rds_mysql.audit",
            "-e",
            "mysql_tls_fail_on=high",
            *mode,
        )
        assert {name for name, counts in audited.recap().items() if counts["failed"]} == set(MATRIX)
        # What was found is said of those that have failed, too.
        said = audited.output.partition("Say what was found")[2]
        assert all(f"high: account-without-tls: {account.user}@%" in said for account in fleet.apps.values())

    enforced = playbook("enforce", "-e", "mysql_tls_fail_on=high")
    assert_tasks(enforced, 4)
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
    run = ansible.run("ansible-playbook", "-i", str(fleet.inventory), "dbtls.rds_mysql.enforce")
    assert run.status != 0
    failed = {name for name, counts in run.recap().items() if counts["failed"]}
    assert failed == {"mariadb-10.5"}
    assert "127.0.0.1:1" in run.output.partition("Say what was found")[2]
    types = {name: db.ssl_type(fleet.apps[name]) for name, db in fleet.databases.items()}
    assert types == {name: "" if name == "mariadb-10.5" else "ANY" for name in MATRIX}
