# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running Ansible's programs, and what they print."""

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

from .database import Account, Database

_SECONDS = 900
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
        self.configuration = ""

    @property
    def state(self) -> Path:
        """The state directory by default."""
        return self.directory / "home" / ".local" / "state" / "dbtls-rds-mysql"

    def run(self, program: str, *arguments: str) -> Run:
        """Run one of Ansible's programs; no password and no traceback gets through."""
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        configuration = home / "ansible.cfg"
        configuration.write_text(self.configuration)
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
                "XDG_STATE_HOME": str(home / ".local" / "state"),
            },
        )
        assert self.secrets
        for secret in self.secrets:
            assert secret not in done.stdout
        assert "Traceback" not in done.stdout, done.stdout
        return Run(done.stdout, done.returncode)

    def play(
        self, tasks: list[dict[str, Any]], variables: dict[str, Any], *arguments: str, at: str = ".", **play: Any
    ) -> Run:
        """Run a play of these tasks on this machine, written to the directory ``at``. JSON is YAML."""
        head = {"hosts": "localhost", "connection": "local", "gather_facts": False}
        own = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        playbook, secrets = self.directory / at / "play.yml", self.directory / "secrets.yml"
        playbook.write_text(json.dumps([{**head, "vars": own, **play, "tasks": tasks}]))
        secrets.write_text(json.dumps(variables))
        return self.run("ansible-playbook", "-i", "localhost,", "-e", f"@{secrets}", str(playbook), *arguments)


class Site:
    """An inventory, and playbooks on it."""

    def __init__(self, ansible: Ansible) -> None:
        self.ansible = ansible
        self.hosts: dict[str, dict[str, Any]] = {}
        self.plan = ansible.directory / "mysql-tls-report" / "plan.json"

    def add(self, name: str, db: Database, login: Account, **more: Any) -> None:
        self.ansible.secrets.append(login.password)
        self.hosts[name] = {
            "ansible_host": db.server.host,
            "mysql_tls_login_port": db.server.port,
            "mysql_tls_login_user": login.user,
            "mysql_tls_login_password": login.password,
            "mysql_tls_ca_cert": str(db.pki.bundle),
            **more,
        }

    def run(self, playbook: str, *extra: str) -> Run:
        inventory = self.ansible.directory / "hosts.yml"
        inventory.write_text(json.dumps({"all": {"hosts": self.hosts}}))
        given = [argument for pair in extra for argument in (["-e", pair] if "=" in pair else [pair])]
        return self.ansible.run("ansible-playbook", "-i", str(inventory), f"dbtls.rds_mysql.{playbook}", *given)


def connection(db: Database, account: Account) -> tuple[dict[str, Any], dict[str, Any]]:
    """Connection options for a play, and the variables that they take the password from."""
    options = db.options(account)
    return {**options, "login_password": "{{ the_password }}"}, {"the_password": options["login_password"]}
