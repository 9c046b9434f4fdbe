# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All servers of the matrix in one inventory, and what playbooks say of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import MATRIX

from .database import Account, Database
from .plays import Run


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


ALL_AT_ONCE = ("-e", "mysql_tls_canary=0", "-e", "mysql_tls_serial=100%")


BUNDLES = ["/eu-central-1/eu-central-1-bundle.pem", "/eu-west-1/eu-west-1-bundle.pem"]


def assert_tasks(run: Run, count: int) -> None:
    """So many tasks for each host, but for the one that does what is done once for all."""
    counts = sorted(counts["ok"] for counts in run.recap().values())
    assert counts[:-1] == [count] * (len(counts) - 1), run.recap()


def types(fleet: Fleet) -> dict[str, str]:
    return {name: db.ssl_type(fleet.apps[name]) for name, db in fleet.databases.items()}


def given(run: Run, task: str, option: str) -> list[str]:
    """The values of an option that a task's module had, one for each server, as JSON shows them at -vvv."""
    part = run.output.partition(f": {task}]")[2].partition("TASK [")[0]
    return re.findall(rf'"{option}": ("[^"]*"|\w+)', part)


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


def published(run: Run) -> dict[str, Any]:
    """What set_stats has, as the callback plugin shows it."""
    found = re.search(r"^\tRUN: (.*)$", run.output, re.MULTILINE)
    assert found, run.output
    stats: dict[str, Any] = json.loads(found[1])
    return stats


def outcomes(run: Run) -> dict[str, str]:
    """What the last summary says of each host."""
    said = run.output.rpartition("Show roll-out summary")[2]
    found = dict(re.findall(r'^ +"(\S+)": "(.*?)",?$', said, re.MULTILINE))
    assert set(found) == set(MATRIX), run.output
    return found
