# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples in the documentation of modules and filters do what they say, on real servers, in one run of Ansible."""

from __future__ import annotations

import ast
import grp
import json
import os
import re
from pathlib import Path
from typing import Any

import yaml

from tests.servers import Mirror, Pki

from .database import Database
from .plays import Ansible
from .servers import Servers

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
OURS = "dbtls.rds_mysql."
ELSEWHERE = {
    "rds_ca_bundle": "test_rds_ca_bundle_aws.py runs each of them",
    "mysql_tls_rds": "the steps of playbooks that tests/awx runs against an AWS API",
}
REQUIRE = OURS + "mysql_require_ssl"
CONNECTING = (REQUIRE, OURS + "mysql_ssl_status")
# Nothing is required before an example that requires something, unless it follows another one.
FOLLOWS = {
    "Roll back the last change": ["Require TLS for every account, and write a rollback record"],
    "Roll back all changes": ["Require TLS for every account, and write a rollback record"],
    "Apply exactly that plan": ["Plan what would change"],
    "Remove the requirement": ["End connections without TLS, require TLS for the application, and verify its login"],
}
FAILS = {
    "Fail when somebody may log in without TLS, or the certificate expires within 60 days": "may log in without TLS",
    # Nothing was checked before this run, so everything is new.
    "Fail for what is new since the last check, except for what is waived": "new findings of severity medium",
    "Fail if the server has findings that are not waived": "severity medium or more: .*account-without-tls",
}
OF_THE_PLAY = (
    "Check every host of the play, and report the result in any case",
    "Fail for what is new since the last check, except for what is waived",
)
PARTS = ("tasks", "block", "always")
RESET: dict[str, Any] = {
    REQUIRE: {
        "config_file": "~/.my.cnf",
        "all_accounts": True,
        "include_local": True,
        "unchangeable": "skip",
        "ssl_type": "none",
        "require_secure_transport": False,
    }
}


def examples(name: str) -> list[dict[str, Any]]:
    """The tasks, or plays, that a module or filter is documented with."""
    (path,) = [path for kind in ("modules", "filter") for path in (PLUGINS / kind).glob(f"{name}.py")]
    (text,) = [
        ast.literal_eval(node.value)
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXAMPLES"
    ]
    found: list[dict[str, Any]] = yaml.safe_load(text)
    return found


class Here:
    """What stands in the examples, and what it is here: servers, files and passwords, and nothing else."""

    def __init__(self, servers: Servers, pki: Pki, directory: Path) -> None:
        # Its administrator is one of "all accounts": no other test has this server.
        self.db = servers.get("mariadb-11.8", options=("--performance-schema=ON", "--max-connections=90"))
        self.old, self.replicas = servers.get("mysql-5.6"), [servers.get("mysql-9.7"), servers.get("mariadb-10.11")]
        self.pki, self.directory = pki, directory
        self.password = "pw!of-the-examples"
        for db in (self.db, self.old, *self.replicas):
            self.account(db, "db_root", grants="ALL PRIVILEGES ON *.* ")
            self.account(db, "app")
        for user, host in (("app_shop", "%"), ("batch", "10.%"), ("replica", "192.0.2.%"), ("legacy", "10.1.2.3")):
            self.account(self.db, user, host)
        self.account(self.db, "audit", grants="SELECT ON *.*")
        self.db.require("audit", "%", "X509")
        for db in (self.db, self.old, *self.replicas):
            db.disconnect()  # A session of root's without TLS is one that the guard counts.
        client = pki.client()
        self.files = {
            r"/etc/ssl/rds/[\w.-]+\.pem|/etc/ssl/private-ca\.pem": str(pki.bundle),
            r"/etc/ssl/audit\.pem": str(client.cert),
            r"/etc/ssl/audit\.key": str(client.key),
            r"/run/mysqld/mysqld\.sock": str(self.old.server.socket),
            r"/(?=(?:srv|var/lib)/)": f"{directory}/",
        }
        self.group = grp.getgrgid(os.getgid()).gr_name

    def account(self, db: Database, user: str, host: str = "%", grants: str = "") -> None:
        db.query("CREATE USER %s@%s IDENTIFIED BY %s", user, host, self.password)
        db.adopt(user, host)
        if grants:
            db.query(f"GRANT {grants} TO %s@%s WITH GRANT OPTION", user, host)

    def server(self, name: str) -> Database:
        """The one that an example calls so."""
        if name.startswith("old"):
            return self.old
        return self.replicas["2" in name] if "replica" in name else self.db

    def value(self, value: Any, name: str = "") -> Any:
        """What an option has here."""
        if isinstance(value, dict):
            if name == "endpoints":
                server = (self.replicas[0] if "stock" in value["host"] else self.db).server
                return {**value, "host": server.host, "port": server.port}
            return {key: self.value(each, key) for key, each in value.items()}
        if name == "members":
            return [f"{self.server(each).server.host}:{self.server(each).server.port}" for each in value]
        if isinstance(value, list):
            return [self.value(each, name) for each in value]
        if name in ("rollback_group", "state_group", "group"):
            return self.group
        if name in ("watch_for", "interval"):
            return min(value, 1)
        if isinstance(value, str):
            for pattern, better in self.files.items():
                value = re.sub(pattern, better, value)
        return value

    def task(self, task: dict[str, Any]) -> dict[str, Any]:
        """The example with what it has here."""
        done = {key: [self.task(each) for each in value] if key in PARTS else value for key, value in task.items()}
        for key, options in task.items():
            if key.startswith(OURS) and options:
                given = self.value(options)
                if (
                    key in CONNECTING
                    and "{{" not in given.get("login_host", "")
                    and not {"endpoints", "login_unix_socket"} & set(given)
                ):
                    server = self.server(given.get("login_host", "localhost")).server
                    given |= {"login_host": server.host, "login_port": server.port}
                done[key] = given
        return done


def expected(name: str, task: dict[str, Any]) -> list[dict[str, Any]]:
    """What mysql_require_ssl has to say: that it has changed something, and has verified it."""
    verified = [] if task.get("check_mode") else [f"{name}.verified"]
    return [{"ansible.builtin.assert": {"that": [f"{name} is changed", *verified], "quiet": True}}]


def failing(task: dict[str, Any]) -> list[dict[str, Any]]:
    """An example that fails for what it finds does so."""
    if task.get("name") not in FAILS:
        return [task]
    failed = ["failing is failed", f"failing.msg is search({FAILS[task['name']]!r})"]
    return [
        {**task, "register": "failing", "ignore_errors": True},
        {"ansible.builtin.assert": {"that": failed, "quiet": True}},
    ]


def alone(here: Here) -> list[dict[str, Any]]:
    """One server in a task."""
    tasks = [each for task in examples("mysql_ssl_status") for each in failing(here.task(task))]
    required = {task["name"]: here.task(task) for task in examples("mysql_require_ssl")}
    for number, (name, task) in enumerate(required.items()):
        variable = task.get("register", f"required_{number}")
        before = [here.task(RESET), *(required[each] for each in FOLLOWS.get(name, ()))]
        tasks += [*before, {**task, "register": variable}, *expected(variable, task)]
    return [*tasks, here.task(RESET)]


def fleet(here: Here) -> list[dict[str, Any]]:
    """All servers in a task."""

    def of(name: str) -> list[dict[str, Any]]:
        return [here.task(task) for task in examples(name)]

    written = [f"reports/{name}/report.json" for name in ("slice1", "slice2", "slice3", "slice4", "october")]
    copied = " && ".join(
        [*(f"cp report/report.json {each}" for each in written), "cp -r srv/mysql-tls-state var/lib/mysql-tls/slices/1"]
    )
    look = {
        "name": "Check every server",
        OURS + "mysql_ssl_status": {"login_host": "{{ ansible_host }}"},
        "register": "mysql_tls_look",
    }
    # What the playbooks audit and watch have recorded before.
    recorded = [
        {OURS + name: {"state_dir": state, **more}, "run_once": True}
        for state in ("{{ omit }}", f"{here.directory}/srv/mysql-tls-state")
        for name, more in (
            ("mysql_tls_fleet", {"dest": f"{here.directory}/report"}),
            ("mysql_tls_watch", {"bundles": "{{ bundles }}"}),
        )
    ]
    for each in (*written, "var/lib/node_exporter/x", "var/lib/mysql-tls/slices/x"):
        (here.directory / each).parent.mkdir(parents=True)
    return [
        *of("mysql_tls_variables"),
        *of("mysql_tls_bundles"),
        *of("ca_cert"),
        *recorded,
        *of("mysql_tls_watch"),
        *of("mysql_tls_readiness"),
        *of("mysql_tls_plan"),
        *of("mysql_tls_fleet"),
        *of("rollout_summary"),
        *of("mysql_tls_history"),
        *of("mysql_tls_records"),
        *({**each, "run_once": True} for task in of("failing_findings") for each in failing(task)),
        look,
        {"ansible.builtin.shell": {"cmd": copied, "chdir": str(here.directory)}, "run_once": True},
        *(each for task in of("mysql_tls_report") if task["name"] in OF_THE_PLAY for each in failing(task)),
    ]


def reports(here: Here) -> list[dict[str, Any]]:
    """Of other hosts, and of reports that are there."""
    (sweep,) = [here.task(task) for task in examples("mysql_ssl_status") if "whole fleet" in task["name"]]
    others = [task for task in examples("mysql_tls_report") if task["name"] not in OF_THE_PLAY]
    rest = [each for task in others for each in failing(here.task(task))]
    return [{**sweep, "register": "swept"}, *rest]


def test_no_module_and_no_filter_is_left_out() -> None:
    run = set(re.findall(r'(?:of|examples)\("(\w+)"\)', Path(__file__).read_text("utf-8")))
    assert run | set(ELSEWHERE) == {
        path.stem for kind in ("modules", "filter") for path in (PLUGINS / kind).glob("*.py")
    }


def test_the_examples_of_modules_and_filters(servers: Servers, ansible: Ansible, pki: Pki, mirror: Mirror) -> None:
    here = Here(servers, pki, ansible.directory)
    ansible.secrets = [here.password]
    home = ansible.directory / "home"
    home.mkdir()
    (home / ".my.cnf").write_text(f"[client]\nuser=db_root\npassword={here.password}\nssl-ca={pki.bundle}\n")
    (home / ".my.cnf").chmod(0o600)
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
    }
    hosts = {
        name: {"ansible_host": db.server.host, "mysql_tls_login_port": db.server.port}
        for name, db in zip(("orders-db", "stock", "billing"), (here.db, *here.replicas), strict=True)
    }
    variables = {
        "mysql_tls_login_user": "db_root",
        "mysql_tls_login_password": "{{ db_root_password }}",
        "mysql_tls_region": "eu-central-1",
        "mysql_tls_base_url": mirror.url,
        "mysql_tls_ca_path": str(pki.bundle),
        "mysql_tls_accounts": ["app*@*"],
        "approved_sha256": "{{ (lookup('ansible.builtin.file', planned_file) | from_json).sha256 }}",
        "planned_file": f"{ansible.directory}/var/lib/dbtls/plan/plan.json",
        "mysql_tls_report_dir": f"{ansible.directory}/report",
    }
    databases = {"hosts": hosts, "vars": variables, "children": {"orders": {"hosts": {"orders-db": {}}}}}
    inventory = ansible.directory / "inventory.yml"
    inventory.write_text(json.dumps({"all": {"hosts": {"localhost": {}}, "children": {"databases": databases}}}))
    login = {
        "login_port": "{{ mysql_tls_login_port }}",
        "login_user": "db_root",
        "login_password": "{{ db_root_password }}",
    }
    plays = [
        {**play, "tasks": alone(here)},
        {
            **play,
            "hosts": "databases",
            "tasks": fleet(here),
            "module_defaults": {"group/dbtls.rds_mysql.mysql": {**login, "ca_cert": str(pki.bundle)}},
        },
        {**play, "tasks": reports(here)},
        *(here.task(each) for each in examples("planned_hosts")),
    ]
    playbook = ansible.directory / "examples.yml"
    playbook.write_text(yaml.safe_dump(plays, sort_keys=False))
    secrets = ansible.directory / "secrets.yml"
    secrets.write_text(json.dumps({"db_root_password": here.password, "app_password": here.password}))
    done = ansible.run("ansible-playbook", "-i", str(inventory), "-e", f"@{secrets}", str(playbook))
    done.ok()
    assert done.output.count("...ignoring") == len(FAILS), done.output
    assert [f'"inventory_hostname": "{host}"' in done.output for host in (*hosts, "localhost")] == [True] * 3 + [False]
