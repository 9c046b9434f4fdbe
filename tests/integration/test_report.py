# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_tls_report in plays against real servers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .conftest import Servers
from .test_playbooks import Ansible, Run, ansible

__all__ = ["ansible"]

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
    hosts: dict[str, dict[str, Any]] = {UNREACHABLE: {"db_port": 1}, NEVER: {"db_port": 1}}
    for name in NAMES:
        db = servers.get(name)
        me = db.administrator()
        ansible.secrets.append(me.password)
        hosts[name] = {"db_port": db.server.port, "user": me.user, "password": me.password}
    bundle = str(servers.pki.bundle)
    return Estate(ansible, {name: {**host, "bundle": bundle} for name, host in hosts.items()}, tmp_path / "out" / "x")


def test_states_and_summary(estate: Estate) -> None:
    """Looked at, not reached, and never looked at."""
    run = estate.report("-vvvv")
    data = estate.data()
    assert {server["name"]: server["state"] for server in data["servers"]} == {
        **dict.fromkeys(NAMES, "looked_at"),
        UNREACHABLE: "unreachable",
        NEVER: "not_looked_at",
    }, run.output
    assert "127.0.0.1:1" in estate.server(UNREACHABLE)["message"]
    assert data["summary"]["servers"] == 5
