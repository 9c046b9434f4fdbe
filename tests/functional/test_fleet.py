# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook audit in one task for all hosts: the same report as with a task for each, in less."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Pki

from .database import Database
from .plays import Ansible, Run
from .servers import Servers

NAMES = ("mariadb-11.8", "mysql-9.7")
_SECONDS = 60


class Inventory:
    """Hosts on a few servers."""

    def __init__(self, ansible: Ansible, servers: Servers, pki: Pki) -> None:
        self.databases: dict[str, Database] = {name: servers.get(name) for name in NAMES}
        self.ansible = ansible
        self.hosts: dict[str, dict[str, Any]] = {}
        self.variables: dict[str, Any] = {"ansible_host": "127.0.0.1", "mysql_tls_ca_cert": str(pki.bundle)}
        ansible.secrets = ["pw-of-nobody"]
        for name, database in self.databases.items():
            me = database.administrator()
            ansible.secrets.append(me.password)
            self.hosts[name] = {
                "mysql_tls_login_port": database.server.port,
                "mysql_tls_login_user": me.user,
                "the_password": me.password,
                "mysql_tls_login_password": "{{ the_password }}",
                "db_cluster_identifier": f"cluster-of-{name}",
            }

    def audit(self, *arguments: str) -> Run:
        """Run the playbook."""
        path = self.ansible.directory / "inventory.json"
        group = {"hosts": dict.fromkeys(self.hosts)}
        path.write_text(
            json.dumps({"all": {"hosts": self.hosts, "vars": self.variables, "children": {"shop": group}}}),
            encoding="utf-8",
        )
        return self.ansible.run("ansible-playbook", "-i", str(path), "dbtls.rds_mysql.audit", *arguments)

    def report(self, name: str = "mysql-tls-report") -> dict[str, Any]:
        """The servers of a report by name."""
        report = json.loads((self.ansible.directory / name / "report.json").read_text("utf-8"))
        return {server["name"]: server for server in report["servers"]}


@pytest.fixture
def inventory(ansible: Ansible, servers: Servers, pki: Pki) -> Inventory:
    return Inventory(ansible, servers, pki)


def stable(servers: dict[str, Any]) -> dict[str, Any]:
    """Without what differs between two checks of one server, as who else checks it at the same time."""
    for server in servers.values():
        if server["name"] != NAMES[0]:
            del server["sessions"]
        del server["checked_at"]
        for finding in server["findings"]:
            del finding["first_seen"]
    return servers


def test_both_forms_report_the_same(inventory: Inventory) -> None:
    """Of servers that are bad, refuse the login, cannot be reached, or must not be contacted."""
    mariadb, mysql = (inventory.hosts[name] for name in NAMES)
    more: dict[str, dict[str, Any]] = {
        "wrong-password": {**mariadb, "mysql_tls_login_password": "pw-of-nobody"},
        "nobody-there": {**mysql, "mysql_tls_login_port": 1},
        "no-login": {"mysql_tls_login_port": mysql["mysql_tls_login_port"]},
        "no-port": {**mysql, "mysql_tls_login_port": 65536},
        "no-file": {**mysql, "mysql_tls_ca_cert": "/nowhere/ca.pem"},
        "other-name": {**mysql, "ansible_host": "127.1", "mysql_tls_check_hostname": False},
        "from-a-template": {**mysql, "mysql_tls_login_port": "{{ hostvars['mysql-9.7'].mysql_tls_login_port | int }}"},
    }
    inventory.hosts.update(more)
    ways = {}
    for way, arguments in {"fleet": (), "hosts": ("-e", "mysql_tls_per_host=true")}.items():
        where = ("-e", f"mysql_tls_report_dir={way}", "-e", f"mysql_tls_state_dir=state-of-{way}")
        run = inventory.audit(*arguments, *where, "-e", "mysql_tls_fail_on=high", "--check")
        assert run.status == 2, run.output
        assert "mysql_tls_fail_on: the accounts of no-login are not known" in " ".join(run.output.split())
        recap = run.recap()
        assert len(recap) == (1 if way == "fleet" else len(inventory.hosts))
        ways[way] = stable(inventory.report(way))
    assert ways["fleet"] == ways["hosts"]
    states = {name: server["state"] for name, server in ways["fleet"].items()}
    assert states == {
        **dict.fromkeys([*NAMES, "wrong-password", "no-login", "other-name", "from-a-template"], "checked"),
        "nobody-there": "unreachable",
        **dict.fromkeys(["no-port", "no-file"], "not_checked"),
    }
    (mismatch,) = (f for f in ways["fleet"]["other-name"]["findings"] if f["id"] == "certificate-hostname-mismatch")
    assert mismatch["remediation"].startswith("Set mysql_tls_login_host to a name that the certificate holds (")
    assert ways["fleet"]["mysql-9.7"]["groups"] == ["shop"]
    assert ways["fleet"]["mysql-9.7"]["cluster"] == "cluster-of-mysql-9.7"


def test_what_is_published(inventory: Inventory) -> None:
    """Statistics, and a few facts of each host for the plays that follow. Nothing is changed."""
    run = inventory.audit("-v").ok()
    assert run.recap() == {NAMES[0]: {"ok": 3, "changed": 0, "unreachable": 0, "failed": 0, "skipped": 2}}
    assert '"mysql_tls": {' in run.output.partition("CUSTOM STATS")[2]
    assert '"verdict": "compliant"' in run.output
    assert "login_password" not in run.output


def test_a_waived_finding_is_no_reason_to_fail(inventory: Inventory) -> None:
    """In both forms. What a failing report publishes is published all the same."""
    inventory.databases["mysql-9.7"].create("no_tls")
    low = ("-e", "mysql_tls_fail_on=low", "-e", "mysql_tls_per_host=true")
    failing = inventory.audit(*low, "-e", "mysql_tls_fail_on_new=low")
    assert failing.status == 2
    failed = {name for name, counts in failing.recap().items() if counts["failed"]}
    assert "mysql-9.7" in failed
    said = " ".join(failing.output.split())
    assert re.search(r"mysql-9\.7 has \d findings? of severity low or more: .*\[account-without-tls\] ", said), (
        failing.output
    )
    assert '"mysql_tls": {' in failing.output.partition("CUSTOM STATS")[2]
    waiver = {"finding": "*", "owner": "dba", "reason": "Until spring.", "expires": "2099-03-31"}
    waived = ("-e", json.dumps({"mysql_tls_waivers": [waiver]}))
    for arguments in (low, low[:2]):
        assert " with waivers)" in inventory.audit(*arguments, *waived).ok().output
    # Without a report, as the check after a change.
    for arguments in (low, low[:2]):
        inventory.audit(*arguments, *waived, "--tags", "bundle,status").ok()


def test_fifty_servers_of_which_ten_are_bad_fit_on_a_page(inventory: Inventory) -> None:
    good, bad = ({**inventory.hosts[name]} for name in ("mariadb-11.8", "mysql-9.7"))
    inventory.hosts.clear()
    inventory.hosts.update({f"good{number:02}": good for number in range(40)})
    inventory.hosts.update({f"bad{number:02}": {**bad, "mysql_tls_login_port": 1} for number in range(5)})
    inventory.hosts.update(
        {f"worse{number:02}": {**bad, "mysql_tls_login_password": "pw-of-nobody"} for number in range(5)}
    )
    inventory.databases["mysql-9.7"].create("no_tls")
    run = inventory.audit()
    assert run.status == 2
    assert len(run.output.splitlines()) < 60, run.output
    assert len(run.output) < 15000
    assert "50 servers: " in run.output
    assert "The check of 10 servers (bad00, bad01, " in run.output
    assert "5 servers (bad00, bad01, bad02, bad03, bad04): unreachable: Cannot reach 127.0.0.1:1" in run.output


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"mysql_tls_login_password": None}, "No password is set for {}. Set mysql_tls_login_password"),
        ({"mysql_tls_login_user": ""}, "A password is set for {}, but no user. Set mysql_tls_login_user."),
    ],
)
def test_missing_credentials_are_said_once(inventory: Inventory, change: dict[str, Any], sentence: str) -> None:
    for host in inventory.hosts.values():
        host.update(change)
    counts = [db.query("SHOW GLOBAL STATUS LIKE 'Connections'") for db in inventory.databases.values()]
    for way in ("false", "true"):
        run = inventory.audit("-e", f"mysql_tls_per_host={way}")
        assert run.status == 2
        assert sentence.format(", ".join(NAMES)) in " ".join(run.output.split())
        assert len(run.output.splitlines()) < 40
    assert counts == [db.query("SHOW GLOBAL STATUS LIKE 'Connections'") for db in inventory.databases.values()]


def test_without_a_password_on_purpose(inventory: Inventory) -> None:
    """An empty text is one. The server is asked, and refuses."""
    for host in inventory.hosts.values():
        host["mysql_tls_login_password"] = ""
    run = inventory.audit()
    assert "2 partially checked" in run.output
    assert run.status == 2


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts connections and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=100)) as listening:
        yield int(listening.getsockname()[1])


# Enough for several processes.
SILENT = 60


def abort(pid: int) -> None:
    """Have this process and its children say where they are, and end."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    for one in (*map(int, children), pid):
        os.kill(one, signal.SIGABRT)


def test_an_interrupt_leaves_a_report_of_what_was_seen(inventory: Inventory, silent: int) -> None:
    mysql = inventory.hosts["mysql-9.7"]
    inventory.hosts.update(
        {
            f"silent{number}": {**mysql, "mysql_tls_login_port": silent, "mysql_tls_connect_timeout": 600}
            for number in range(SILENT)
        }
    )
    path = inventory.ansible.directory / "inventory.json"
    path.write_text(json.dumps({"all": {"hosts": inventory.hosts, "vars": inventory.variables}}))
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(path), "dbtls.rds_mysql.audit"],
        cwd=inventory.ansible.directory,
        env={
            **os.environ,
            "HOME": str(inventory.ansible.directory),
            "ANSIBLE_FORCE_COLOR": "0",
            "PYTHONFAULTHANDLER": "1",
            # As in a user's pipe.
            "PYTHONUNBUFFERED": "",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    lines: list[str] = []
    give_up = threading.Timer(2 * _SECONDS, abort, (process.pid,))
    give_up.start()
    try:
        for line in process.stdout:
            lines.append(f"{time.monotonic():.1f} {line}")
            if "waiting for silent" in line:
                break
        else:
            pytest.fail(f"nobody was waited for\n{''.join(lines)}")
        give_up.cancel()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=_SECONDS)
        # What it would take otherwise is ten minutes.
        assert time.monotonic() - began < _SECONDS / 2
    finally:
        give_up.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
    states = {name: server["state"] for name, server in inventory.report().items()}
    assert states == {
        **dict.fromkeys(NAMES, "checked"),
        **{f"silent{number}": "not_checked" for number in range(SILENT)},
    }
    report = json.loads((inventory.ansible.directory / "mysql-tls-report" / "report.json").read_text("utf-8"))
    assert report["run"]["interrupted"] is True


def test_tags(inventory: Inventory) -> None:
    """The report alone destroys nothing, and a check without a report writes none."""
    inventory.audit().ok()
    before = stable(inventory.report())
    inventory.audit("--tags", "report").ok()
    assert {name: server["state"] for name, server in inventory.report().items()} == dict.fromkeys(NAMES, "checked")
    assert {name: server["verdict"] for name, server in inventory.report().items()} == {
        name: server["verdict"] for name, server in before.items()
    }
    run = inventory.audit("--tags", "status", "-e", "mysql_tls_report_dir=none", "-v").ok()
    assert not (inventory.ansible.directory / "none").exists()
    assert '"verdict": "compliant"' in run.output
    # What is skipped is that part alone, and not the check.
    run = inventory.audit("--skip-tags", "bundle,report", "-e", "mysql_tls_report_dir=none", "-v").ok()
    assert not (inventory.ansible.directory / "none").exists()
    assert '"verdict": "compliant"' in run.output
