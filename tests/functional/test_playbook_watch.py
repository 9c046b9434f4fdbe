# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook watch: all servers in one task, and what it saw is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pymysql
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.readiness import store

from .database import Account, Database, Tls
from .plays import Ansible, Run
from .servers import Servers

_STATE = "state"
_READS = "SELECT, PROCESS ON *.*"


class Fleet:
    """Servers as an inventory, each with a login that may see everybody's sessions."""

    def __init__(self, ansible: Ansible, databases: dict[str, Database]) -> None:
        self._ansible = ansible
        self.state = ansible.directory / _STATE
        hosts: dict[str, dict[str, Any]] = {}
        for name, db in databases.items():
            reader = db.create(db.name_of("reader"), grants=_READS)
            ansible.secrets.append(reader.password)
            hosts[name] = {
                "mysql_tls_login_port": db.server.port,
                "mysql_tls_login_user": reader.user,
                "mysql_tls_login_password": reader.password,
                "mysql_tls_ca_cert": str(db.pki.bundle),
            }
        common = {"ansible_host": "127.0.0.1", "mysql_tls_state_dir": str(self.state), "mysql_tls_connect_timeout": 3}
        self._inventory = ansible.directory / "databases.json"
        self._inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": common}}))

    def watch(self, *arguments: str) -> Run:
        return self._ansible.run("ansible-playbook", "-i", str(self._inventory), "dbtls.rds_mysql.watch", *arguments)

    def observed(self) -> store.Days:
        def no_warning(sentence: str) -> None:
            raise AssertionError(sentence)

        return store.read(self.state / store.DIRECTORY, "", no_warning)


@contextmanager
def clients(db: Database, app: Account) -> Iterator[None]:
    """A pool of two over TLS, one client in plain text, one over the socket."""
    with ExitStack() as stack:
        for tls in (Tls(), Tls(), None):
            stack.enter_context(db.login(app, tls))
        socket = pymysql.connect(unix_socket=db.server.socket, user=app.user, password=app.password, ssl_disabled=True)
        stack.callback(socket.close)
        yield


def test_a_fleet_in_one_task(servers: Servers, ansible: Ansible) -> None:
    telling = servers.get("mysql-9.7")
    counting = servers.get("mariadb-11.8")
    silent = servers.get("mariadb-10.11")
    counting.query("SET GLOBAL userstat = ON")
    try:
        fleet = Fleet(ansible, {"telling": telling, "counting": counting, "silent": silent})
        app = {db.name: db.create(db.name_of("app")) for db in (telling, counting, silent)}
        with clients(telling, app["mysql-9.7"]):
            # Check mode changes nothing on a server, which watching never does.
            first = fleet.watch("--check").ok()
        with counting.login(app["mariadb-11.8"], None), counting.login(app["mariadb-11.8"], Tls()):
            pass
        second = fleet.watch("-e", "mysql_tls_watch_for=2", "-e", "mysql_tls_watch_interval=2").ok()
    finally:
        counting.query("SET GLOBAL userstat = OFF")
    user = app["mysql-9.7"].user
    assert "3 servers checked, " in first.output
    assert f"telling: {user} from 127.0.0.1 without TLS, 1 session (pymysql " in first.output
    assert "silent: does not expose session TLS status, nor count logins" in first.output
    # One host's line: the work is one task.
    assert first.recap().keys() == second.recap().keys() == {"telling"}
    assert "3 servers checked in 2 passes" in second.output
    days = fleet.observed()
    seen: dict[tuple[str, str | None], int] = {}
    for _date, day in days["telling"]:
        for who, one in day.sightings.items():
            if who.user == user:
                seen[who.host, who.transport] = seen.get((who.host, who.transport), 0) + one.times
                assert who.driver.startswith("pymysql ")
    assert seen == {("127.0.0.1", "SSL/TLS"): 1, ("127.0.0.1", "TCP/IP"): 1, ("localhost", "Socket"): 1}
    counted = [day.logins.get((app["mariadb-11.8"].user, None)) for _date, day in days["counting"]]
    assert [(one.logins, one.plaintext) for one in counted if one] == [(2, 1)]
    assert [day.sampled | day.counted for _date, day in days["silent"]] == [0] * len(days["silent"])


def test_a_server_that_is_down_is_named_and_the_others_are_recorded(servers: Servers, ansible: Ansible) -> None:
    db = servers.get("mysql-9.7")
    fleet = Fleet(ansible, {"up": db})
    inventory = ansible.directory / "databases.json"
    hosts = json.loads(inventory.read_text())
    hosts["all"]["hosts"]["down"] = {**hosts["all"]["hosts"]["up"], "mysql_tls_login_port": 1}
    inventory.write_text(json.dumps(hosts))
    run = fleet.watch()
    assert run.status == 2
    assert "1 of 2 servers checked, " in run.output
    assert "1 could not be checked" in run.output
    # Once, and not in what a failed task returns as well.
    assert run.output.count("Cannot reach 127.0.0.1:1") == 1
    assert "down: Cannot reach 127.0.0.1:1" in run.output
    assert list(fleet.observed()) == ["up"]
    path = Path(ansible.directory / _STATE / store.DIRECTORY)
    assert path.stat().st_mode & 0o777 == 0o700
