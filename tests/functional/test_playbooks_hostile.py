# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that are templates, mirrors that have nothing, servers that never end."""

from __future__ import annotations

import base64
import json
import shutil
import time
from typing import Any

import pytest

from tests.servers import MATRIX, Mirror, Pki
from tests.unit.plugins.module_utils.scripted_server import Conversation, greeting, scripted

from .database import Database
from .plays import Ansible, Run
from .servers import Servers
from .whole_fleet import ALL_AT_ONCE, Fleet, outcomes, published, role_play, types

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
    assert ": not checked: No CA bundle: mysql_tls_bundle_checksum: " in refused.output
    assert f"The check of {len(MATRIX)} servers (" in refused.output


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
