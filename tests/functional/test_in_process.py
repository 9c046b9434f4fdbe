# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same task in process and as a module, through Ansible itself: the result is the same, field by field."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Pki
from tests.servers.answering import answering, silent_server, wait_for_client

from .database import Account, Database
from .plays import Ansible
from .servers import Servers

STATUS = "dbtls.rds_mysql.mysql_ssl_status"
REQUIRE = "dbtls.rds_mysql.mysql_require_ssl"
_VOLATILE = re.compile(r'"(?:start|end|delta|id)": "?[^",]+"?')
PASSWORD = "{{ password }}"


@pytest.fixture
def db(servers: Servers) -> Database:
    """One server is enough for what Ansible does around the work."""
    return servers.get("mariadb-11.8")


@pytest.fixture
def admin(db: Database, ansible: Ansible) -> Account:
    """Its administrator, in the account of this test."""
    account = db.administrator()
    ansible.secrets.append(account.password)
    return account


def options(db: Database, admin: Account, **more: Any) -> dict[str, Any]:
    """For a task."""
    given = db.options(admin, **more)
    return {**given, "login_password": PASSWORD}


def both_ways(
    ansible: Ansible, tasks: list[dict[str, Any]], variables: dict[str, Any], *arguments: str, **play: Any
) -> tuple[dict[str, Any], str]:
    """Run the tasks both ways, in two plays of one run; their registered results, which have to agree."""
    found = []
    for way in ("never", "always"):
        path = ansible.directory / f"results-{way}.json"
        last = {
            "name": "Write down",
            "ansible.builtin.copy": {
                "dest": str(path),
                "content": "{{ dict(names | zip(names | map('extract', vars))) | to_json }}",
                "mode": "0600",
            },
            "vars": {"names": [task["register"] for task in tasks if "register" in task]},
            "run_once": True,
            "check_mode": False,
            "diff": False,
            "no_log": True,
        }
        run = ansible.play([*tasks, last], {**variables, "dbtls_in_process": way}, "-vvv", *arguments, **play).ok()
        assert ("runs in process" in run.output) == (way == "always")
        found.append((path.read_text(), run.output))
    module, in_process = (json.loads(_VOLATILE.sub('"-": "-"', text)) for text, _output in found)
    for name in module:
        ours, theirs = in_process[name], module[name]
        differences = {key for key in {*ours, *theirs} if ours.get(key, ...) != theirs.get(key, ...)}
        assert not differences, {key: (ours.get(key, ...), theirs.get(key, ...)) for key in differences}
    return in_process, found[1][1]


def test_options_of_every_kind(ansible: Ansible, db: Database, admin: Account) -> None:
    good = options(db, admin)
    stated = {
        "good": good,
        "strings": {**good, "login_port": str(db.server.port), "expiry_warn_days": "30", "connect_timeout": "7"},
        "templates": {
            **good,
            "login_port": "{{ port }}",
            "login_host": "{{ inventory_hostname | replace('localhost', '127.0.0.1') }}",
        },
        "aliases": {**{k: v for k, v in good.items() if k != "ca_cert"}, "ssl_ca": str(db.pki.bundle)},
        "alias_twice": {**good, "ssl_ca": str(db.pki.bundle)},
        "unknown": {**good, "nonsense": 1, "more_nonsense": "x"},
        "misnamed": {**good, "password": "{{ other_password }}"},
        "no_choice": {**good, "ssl_mode": "sometimes"},
        "no_number": {**good, "login_port": "three"},
        "not_together": {**good, "client_cert": "/etc/hostname"},
        "no_file": {**good, "ca_cert": "/nowhere.pem"},
        "refused": {**good, "login_password": "{{ password }}-wrong"},
        "failing": {**good, "fail_on": "low"},
        "outside": {k: v for k, v in good.items() if not k.startswith("login_u") and k != "login_password"},
    }
    tasks: list[dict[str, Any]] = [
        {"name": name, STATUS: given, "register": name, "ignore_errors": True} for name, given in stated.items()
    ]
    # Ansible itself shows what is given to an option that there is not.
    ansible.secrets.append("pw!under-another-name")
    variables = {"password": admin.password, "port": db.server.port, "other_password": "pw!under-another-name"}
    results, output = both_ways(ansible, tasks, variables)
    failed = {name for name, result in results.items() if result["failed"]}
    assert failed == {"unknown", "misnamed", "no_choice", "no_number", "not_together", "no_file", "refused", "failing"}
    assert results["unknown"]["msg"].startswith(
        f"Unsupported parameters for ({STATUS}) module: more_nonsense, nonsense."
    )
    assert "Both option ca_cert and its alias ssl_ca are set." in str(results["alias_twice"]["warnings"])
    assert results["good"]["mysql_ssl"]["session"]["verified"] is True
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in output


def test_relative_paths(ansible: Ansible, db: Database, admin: Account) -> None:
    """From the playbook's directory, which is not where Ansible was started; of several endpoints' options too."""
    directory = ansible.directory / "plays"
    directory.mkdir()
    (directory / "ca.pem").write_bytes(db.pki.bundle.read_bytes())
    (directory / "my.cnf").write_text(f"[client]\nuser={admin.user}\npassword={admin.password}\n")
    good = {**options(db, admin), "ca_cert": "ca.pem", "config_file": "my.cnf"}
    for name in ("login_user", "login_password"):
        good.pop(name)
    endpoint = {"host": good["login_host"], "port": good["login_port"], "ca_cert": "ca.pem"}
    tasks: list[dict[str, Any]] = [
        {STATUS: good, "register": "one"},
        {STATUS: {"endpoints": [endpoint], "config_file": "my.cnf"}, "register": "several"},
        {STATUS: {**good, "ca_cert": "other.pem"}, "register": "missing", "ignore_errors": True},
        {STATUS: {**good, "config_file": "other.cnf"}, "register": "no_file", "ignore_errors": True},
    ]
    results, _output = both_ways(ansible, tasks, {"password": admin.password}, at="plays")
    assert results["one"]["mysql_ssl"]["session"]["verified"] is True
    assert results["several"]["endpoints"][0]["mysql_ssl"]["session"]["verified"] is True
    for name, file in (("missing", "other.pem"), ("no_file", "other.cnf")):
        assert f"{directory / file} cannot be read: No such file" in results[name]["msg"]


def test_what_surrounds_a_task(ansible: Ansible, db: Database, admin: Account) -> None:
    good = options(db, admin)
    small = {"login_host": good["login_host"], "login_port": good["login_port"]}
    group = {k: v for k, v in good.items() if k not in small}
    tasks: list[dict[str, Any]] = [
        {STATUS: small, "register": "defaults"},
        {
            STATUS: {**small, "login_port": "{{ item }}"},
            "loop": [good["login_port"], 1],
            "register": "loop",
            "ignore_errors": True,
        },
        {STATUS: small, "register": "once", "run_once": True},
        {STATUS: small, "register": "delegated", "delegate_to": "localhost"},
        {STATUS: small, "register": "judged", "failed_when": "judged.mysql_ssl.accounts | length < 1"},
        {STATUS: small, "register": "condemned", "failed_when": True, "ignore_errors": True},
        {STATUS: small, "register": "unchanged", "changed_when": True},
        {STATUS: small, "register": "secret", "no_log": True},
        {STATUS: small, "register": "skipped", "when": "ansible_facts.mysql_ssl.server.family != 'mariadb'"},
        {STATUS: small, "register": "patient", "until": "patient is success", "retries": 2, "delay": 0},
        {REQUIRE: {**small, "user": admin.user}, "check_mode": True, "diff": True, "register": "promised"},
        {REQUIRE: {**small, "user": "nobody-here"}, "register": "nobody", "ignore_errors": True},
        {REQUIRE: {**small}, "register": "nothing_named", "ignore_errors": True},
    ]
    results, output = both_ways(
        ansible,
        tasks,
        {"password": admin.password},
        module_defaults={"group/dbtls.rds_mysql.mysql": group},
    )
    assert [result["failed"] for result in results["loop"]["results"]] == [False, True]
    assert results["skipped"]["skipped"] is True
    assert results["promised"]["changed"] is True
    assert results["promised"]["diff"]
    assert results["nobody"]["failed"] is True
    assert results["nothing_named"]["failed"] is True
    assert "censored" in output
    assert db.ssl_type(admin) in ("", "NONE")


def test_a_change(ansible: Ansible, db: Database, admin: Account) -> None:
    """Done in process and undone as a module, so that both do the same."""
    targets = [db.create(f"app-{number}") for number in range(3)]
    good = options(db, admin, accounts=[target.user for target in targets])
    tasks: list[dict[str, Any]] = [
        {REQUIRE: good, "register": "required"},
        {REQUIRE: good, "register": "again"},
        {REQUIRE: {**good, "ssl_type": "none"}, "register": "released"},
    ]
    results, _output = both_ways(ansible, tasks, {"password": admin.password})
    assert [results[name]["changed"] for name in ("required", "again", "released")] == [True, False, True]
    assert len(results["required"]["statements"]) >= 1


def test_a_hostile_version_stays_text(ansible: Ansible, tmp_path: Path) -> None:
    """What a server says of itself is never a template, in whatever process it was read."""
    witness = tmp_path / "witness"
    hostile = "{{ lookup('pipe', 'touch " + str(witness) + "') }}"
    ansible.secrets.append("no-password-here")
    with greeting_server(hostile) as port:
        tasks: list[dict[str, Any]] = [
            {STATUS: {"login_host": "127.0.0.1", "login_port": port, "ssl_mode": "preferred"}, "register": "seen"},
            {"ansible.builtin.debug": {"msg": "{{ seen.mysql_ssl.server.version }}"}},
            {"ansible.builtin.debug": {"msg": "{{ ansible_facts.mysql_ssl.server.version }}"}},
        ]
        results, _output = both_ways(ansible, tasks, {})
    assert results["seen"]["mysql_ssl"]["server"]["version"] == hostile
    assert not witness.exists()


@pytest.mark.parametrize("in_process", ["never", "always"])
def test_a_cached_fact_stays_text(ansible: Ansible, tmp_path: Path, in_process: str) -> None:
    """Another run reads it from a file and asks no server."""
    witness = tmp_path / "witness"
    hostile = "{{ lookup('pipe', 'touch " + str(witness) + "') }}"
    ansible.secrets.append("no-password-here")
    ansible.configuration = f"[defaults]\nfact_caching = jsonfile\nfact_caching_connection = {tmp_path}/facts\n"
    with greeting_server(hostile) as port:
        check = {STATUS: {"login_host": "127.0.0.1", "login_port": port, "ssl_mode": "preferred"}}
        ansible.play([check], {"dbtls_in_process": in_process}).ok()
    assert "lookup" in "".join(path.read_text() for path in (tmp_path / "facts").iterdir())
    shown = {"ansible.builtin.debug": {"msg": "{{ ansible_facts.mysql_ssl.server.version }}"}}
    assert "lookup('pipe'" in ansible.play([shown], {}).ok().output
    assert not witness.exists()


def test_lists_one_level_too_deep(ansible: Ansible, db: Database, admin: Account) -> None:
    """Ansible's own message about that has the whole value. A password there may not be as it is in a text."""
    passwords = ['it\'s "quoted" pw!', "back\\slash pw!", "plain-pw!"]
    ansible.secrets += [*passwords, *(repr(password)[1:-1] for password in passwords), "quoted", "slash pw"]
    endpoints = [{"host": "127.0.0.1", "login_user": "app", "login_password": password} for password in passwords]
    accounts = [{"user": "app", "password": password} for password in passwords]
    good = options(db, admin)
    tasks: list[dict[str, Any]] = [
        {STATUS: {"endpoints": ["{{ dbs }}"]}, "register": "deep"},
        {STATUS: {"endpoints": ["{{ dbs[0] }}", ["{{ dbs[1] }}"]]}, "register": "second"},
        {STATUS: {"endpoints": "{{ dbs | to_json }}"}, "register": "text"},
        {STATUS: {"endpoints": ["{{ dbs | to_json }}"]}, "register": "text_in_a_list"},
        {REQUIRE: {**good, "user": "app", "verify": ["{{ apps }}"]}, "register": "verified"},
        {REQUIRE: {**good, "user": "app", "verify": [["{{ apps }}"]]}, "register": "deeper"},
    ]
    tasks = [{**task, "ignore_errors": True} for task in tasks]
    variables = {"password": admin.password, "dbs": endpoints, "apps": accounts}
    results, _output = both_ways(ansible, tasks, variables)
    too_deep = " is a list and has to be a dictionary. Is the list one level too deep?"
    assert results["deep"]["msg"] == f"endpoints: element 1{too_deep}"
    assert results["second"]["msg"] == f"endpoints: element 2{too_deep}"
    for name in ("verified", "deeper"):
        assert results[name]["msg"] == f"verify: element 1{too_deep}"
    for name in ("text", "text_in_a_list"):
        assert results[name]["msg"].startswith("endpoints: element 1 is a str and has to be a dictionary."), results[
            name
        ]
    for secret in ansible.secrets:
        assert secret not in json.dumps(results, ensure_ascii=False)


# C0, DEL, C1 and bidirectional controls, as UTF-8.
CONTROLS = re.compile(
    b"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]"
)
# Clears the screen, sets the clipboard, colors by C1, turns the text around; 16 characters are what MySQL 5.6 takes.
HOSTILE = "x\x1b[2J\x7f\x9b31m\u202ey"


def refusing_server(message: bytes) -> AbstractContextManager[int]:
    """Refuses before any login, in its own words."""
    return answering(b"\xff" + (1129).to_bytes(2, "little") + message)


@pytest.mark.parametrize("in_process", ["never", "always"])
def test_no_server_writes_to_the_terminal(ansible: Ansible, in_process: str) -> None:
    """In errors, in the result of many, in what was registered and is shown again."""
    ansible.secrets.append("no-password-here")
    forged = f"{HOSTILE}\r\nPLAY RECAP ***\ndb : ok=1 \x1b]52;c;aWQ=\x07"
    with refusing_server(forged.encode()) as refusing, greeting_server(HOSTILE) as greeting:
        one = {"login_host": "127.0.0.1", "ssl_mode": "preferred"}
        many = [{"host": "127.0.0.1", "port": port, "ssl_mode": "preferred"} for port in (refusing, greeting)]
        tasks: list[dict[str, Any]] = [
            {STATUS: {**one, "login_port": refusing}, "register": "refused", "ignore_errors": True},
            {STATUS: {**one, "login_port": greeting, "fail_on": "low"}, "register": "seen", "ignore_errors": True},
            {STATUS: {"endpoints": many}, "register": "many", "ignore_errors": True},
            {"ansible.builtin.debug": {"msg": "{{ refused.msg }}"}},
        ]
        run = ansible.play(tasks, {"dbtls_in_process": in_process})
    assert r"x\x1b[2J\x7f\x9b31m\u202ey" in run.output
    assert not CONTROLS.findall(run.output.encode())
    assert not re.search(r"^db +: ok=1", run.output, re.MULTILINE)


@pytest.mark.parametrize("name", ["mysql-5.6", "mysql-9.7", "mariadb-11.8"])
@pytest.mark.parametrize("in_process", ["never", "always"])
def test_no_account_writes_to_the_terminal(ansible: Ansible, servers: Servers, name: str, in_process: str) -> None:
    """In a promise with its diff, in a change, and in a failure; and yet the change is that of this account."""
    db = servers.get(name)
    admin = db.administrator()
    ansible.secrets.append(admin.password)
    target = db.create(HOSTILE)
    line = db.create("two\nlines")
    good = options(db, admin, accounts=["x*@*", "two*@*"])
    tasks: list[dict[str, Any]] = [
        {REQUIRE: good, "check_mode": True, "diff": True},
        {REQUIRE: good, "register": "required", "diff": True},
        {REQUIRE: {**good, "ssl_type": "none", "rollback_file": "/nowhere/at/all"}, "ignore_errors": True},
        {STATUS: {**options(db, admin), "fail_on": "low"}, "ignore_errors": True},
        {"ansible.builtin.assert": {"that": "required.accounts | map(attribute='user') is contains(hostile)"}},
    ]
    variables = {"password": admin.password, "dbtls_in_process": in_process, "hostile": HOSTILE}
    run = ansible.play(tasks, variables).ok()
    assert not CONTROLS.findall(run.output.encode())
    assert r"+x\x1b[2J\x7f\x9b31m\u202ey@%: ANY" in run.output
    assert r"+two\nlines@%: ANY" in run.output
    assert db.ssl_type(target) == db.ssl_type(line) == "ANY"


def greeting_server(version: str) -> AbstractContextManager[int]:
    """Greets, and offers no TLS."""
    return answering(
        b"\x0a" + version.encode() + b"\0" + b"\1\0\0\0" + b"12345678\0" + b"\0\0" + b"\x21\2\0" + b"\0\0" + b"\0" * 11
    )


@pytest.mark.parametrize(
    ("keywords", "reason"),
    [
        ({"environment": {"COLOUR": "blue"}}, r"the task has an environment \(COLOUR\)"),
        ({"async": 60, "poll": 1}, "the task is asynchronous"),
        ({"vars": {"ansible_python_interpreter": "{{ other_python }}"}}, "the task's Python is .*/other"),
        ({"become": True, "become_user": "root", "become_method": "su"}, "the task becomes another user"),
    ],
    ids=["environment", "async", "interpreter", "become"],
)
def test_where_it_runs_as_a_module(
    ansible: Ansible, db: Database, admin: Account, tmp_path: Path, keywords: dict[str, Any], reason: str
) -> None:
    if "become" in keywords and os.getuid() != 0:
        pytest.skip("needs root, which may become anybody without a password")
    # The same Python by another path is another one, as the environment of the link is not that of its target.
    other = tmp_path / "other"
    other.symlink_to(sys.executable)
    variables = {"password": admin.password, "other_python": str(other), "PYTHONPATH": ""}
    task = {STATUS: options(db, admin), "register": "seen", **keywords}
    known = {"assert": {"that": ["seen.mysql_ssl.session.encrypted or seen is failed"]}}
    auto = ansible.play([{**task, "ignore_errors": True}, known], variables, "-vvv")
    assert re.search(f"{STATUS} runs as a module: {reason}", auto.output), auto.output
    always = ansible.play([task], {**variables, "dbtls_in_process": "always"})
    assert always.status != 0
    said = " ".join(always.output.split())
    assert re.search(f"dbtls_in_process is 'always', but {STATUS} cannot run in process: {reason}", said), said


def test_the_variable(ansible: Ansible, db: Database, admin: Account) -> None:
    variables = {"password": admin.password}
    task = {STATUS: options(db, admin)}
    assert "runs in process" in ansible.play([task], variables, "-vvv").ok().output
    templated = ansible.play([task], {**variables, "dbtls_in_process": "{{ 'ne' ~ 'ver' }}"}, "-vvv").ok()
    assert "runs as a module: dbtls_in_process is never" in templated.output
    wrong = ansible.play([task], {**variables, "dbtls_in_process": "maybe"})
    assert wrong.status != 0
    assert "dbtls_in_process is 'maybe'; it can be auto, never, always." in " ".join(wrong.output.split())


def test_nothing_of_one_host_reaches_another_and_no_descriptor_is_left(
    ansible: Ansible, servers: Servers, stranger: Pki, tmp_path: Path
) -> None:
    """Two hundred hosts with credentials and trust of their own, some of them wrong, three at a time."""
    db = servers.get("mariadb-11.8")
    accounts = [db.create(f"reader-{number}", grants="SELECT ON mysql.*") for number in range(4)]
    ansible.secrets += [account.password for account in accounts]
    hosts = {}
    for number in range(200):
        account = accounts[number % 4]
        hosts[f"h{number:03}"] = {
            "user": account.user,
            "password": account.password if number % 5 else f"wrong-{number}",
            "bundle": str(db.pki.bundle if number % 7 else stranger.bundle),
        }
    inventory = tmp_path / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    plugins = tmp_path / "callback_plugins"
    plugins.mkdir()
    (plugins / "descriptors.py").write_text(COUNT_DESCRIPTORS)
    playbook = tmp_path / "many.yml"
    playbook.write_text(
        json.dumps(
            [
                {
                    "hosts": "all",
                    "gather_facts": False,
                    "connection": "local",
                    "vars": {"dbtls_in_process": "always"},
                    "tasks": [
                        {
                            STATUS: {
                                "login_host": db.server.host,
                                "login_port": db.server.port,
                                "login_user": "{{ user }}",
                                "login_password": PASSWORD,
                                "ca_cert": "{{ bundle }}",
                            },
                            "register": "seen",
                            "ignore_errors": True,
                        },
                        {
                            "ansible.builtin.assert": {
                                "that": [
                                    "(seen is failed) == (password is match('wrong') or bundle is search('stranger'))",
                                    "seen is failed or seen.mysql_ssl.session.user.startswith(user ~ '@')",
                                ],
                                "quiet": True,
                            }
                        },
                    ],
                }
            ]
        )
    )
    counted = tmp_path / "descriptors.txt"
    os.environ["DESCRIPTORS"] = str(counted)
    try:
        run = ansible.run("ansible-playbook", "-i", str(inventory), "-f", "3", str(playbook)).ok()
    finally:
        del os.environ["DESCRIPTORS"]
    assert len(run.recap()) == 200
    counts = [int(line) for line in counted.read_text().split()]
    assert len(counts) >= 200
    assert max(counts[100:]) <= max(counts[10:100])


COUNT_DESCRIPTORS = """
import os
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "descriptors"

    def v2_runner_on_ok(self, result):
        self._count()

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._count()

    def _count(self):
        with open(os.environ["DESCRIPTORS"], "a") as f:
            f.write(f"{len(os.listdir('/proc/self/fd'))}\\n")
"""


def test_a_server_that_hangs_holds_up_only_its_own_host(ansible: Ansible, db: Database, admin: Account) -> None:
    with silent_server() as port:
        tasks: list[dict[str, Any]] = [
            {
                STATUS: {**options(db, admin), "login_port": port, "connect_timeout": 2},
                "ignore_errors": True,
                "register": "short",
            },
            {
                STATUS: {**options(db, admin), "login_port": port},
                "timeout": 2,
                "ignore_errors": True,
                "register": "limited",
            },
            {STATUS: options(db, admin), "register": "well"},
        ]
        started = time.monotonic()
        run = ansible.play(tasks, {"password": admin.password, "dbtls_in_process": "always"}).ok()
        assert time.monotonic() - started < 120
    assert "sent no handshake within 2 seconds" in " ".join(run.output.split())
    said = " ".join(run.output.split())
    # What Ansible says of its own time limit.
    assert re.search(r"[Tt]imed out after 2|timeout of 2", said)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(ansible: Ansible, db: Database, admin: Account, number: signal.Signals, tmp_path: Path) -> None:
    """Ansible ends at once, as with any task, and leaves no process behind."""
    with silent_server() as port:
        playbook = tmp_path / "play.yml"
        task = {STATUS: {"login_host": "127.0.0.1", "login_port": port, "connect_timeout": 600}}
        head = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"dbtls_in_process": "always"},
        }
        playbook.write_text(json.dumps([{**head, "tasks": [task]}]))
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", str(playbook)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            cwd=tmp_path,
            env={**os.environ, "ANSIBLE_HOME": str(tmp_path / ".ansible"), "HOME": str(tmp_path)},
        )
        wait_for_client(port)
        started = time.monotonic()
        # To the whole group, as a terminal does.
        os.killpg(process.pid, number)
        output, _nothing = process.communicate(timeout=120)
        assert time.monotonic() - started < 60
        assert process.returncode != 0
        assert "Traceback" not in output
        assert gone(process.pid)


def gone(group: int) -> bool:
    """Whether no process of the group is left, after a moment."""
    for _attempt in range(600):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
