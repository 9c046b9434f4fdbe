# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_require_ssl on a group of MySQL servers (InnoDB Cluster), which SHOW REPLICAS does not have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.servers import Pki, ServerUnavailable, provide
from tests.servers.process import free_port

from .database import Database, Tls
from .runner import Modules
from .under_way import wait_for

NAME = "mysql-9.7"


@pytest.fixture(scope="module")
def group(pki: Pki) -> Iterator[tuple[Database, Database]]:
    """A primary and a secondary."""
    ports = (free_port("127.0.0.1"), free_port("127.0.0.1"))
    of_all = {
        "group-name": "a2b7d2b0-0000-4000-8000-000000000001",
        "group-seeds": f"127.0.0.1:{ports[0]}",
        "start-on-boot": "OFF",
        "recovery-get-public-key": "ON",
    }

    def start(number: int, stack: ExitStack) -> Database:
        options = (
            f"--server-id={51 + number}",
            "--log-bin=bin",
            "--gtid-mode=ON",
            "--enforce-gtid-consistency=ON",
            "--report-host=127.0.0.1",
            "--plugin-load-add=group_replication.so",
            f"--loose-group-replication-local-address=127.0.0.1:{ports[number]}",
            *(f"--loose-group-replication-{name}={value}" for name, value in of_all.items()),
        )
        try:
            server = stack.enter_context(provide(NAME, tls=pki.server_for(NAME), options=options))
        except ServerUnavailable as e:
            pytest.skip(f"{NAME} cannot be had here: {e}")
        db = Database(server, pki)
        stack.callback(db.disconnect)
        db.query("SET sql_log_bin = OFF")
        db.query("CREATE USER repl_of_group IDENTIFIED BY 'pw!of-a-test'")
        db.query("GRANT REPLICATION SLAVE, GROUP_REPLICATION_STREAM ON *.* TO repl_of_group")
        db.query("SET sql_log_bin = ON")
        db.query("RESET BINARY LOGS AND GTIDS")
        return db

    with ExitStack() as stack:
        one, two = start(0, stack), start(1, stack)
        one.query("SET GLOBAL group_replication_bootstrap_group = ON")
        one.query("START GROUP_REPLICATION")
        two.query("START GROUP_REPLICATION USER = 'repl_of_group', PASSWORD = 'pw!of-a-test'")
        members = "SELECT 1 FROM performance_schema.replication_group_members WHERE MEMBER_STATE = 'ONLINE'"
        wait_for(lambda: len(one.query(members)) == 2)
        yield one, two


def test_clients_of_another_member(group: tuple[Database, Database], modules: Modules) -> None:
    one, two = group
    me, app = one.administrator(), one.create(one.name_of("app"))
    wait_for(lambda: two.query("SELECT 1 FROM mysql.user WHERE User = %s", app.user))
    other = f"127.0.0.1:{two.server.port}"
    alone = modules.require(**one.options(me, user=app.user))
    assert alone.failed
    assert f"also those of the group member {other}, whose sessions were not checked" in alone.msg
    with two.login(app, None):
        refused = modules.require(**one.options(me, user=app.user, members=[other]))
        assert refused.failed
        assert f"on {other}" in refused.msg
    two.wait_for_sessions_to_end(app.user)
    assert modules.require(**one.options(me, user=app.user, members=[other])).ok()["verified"]
    wait_for(lambda: two.ssl_type(app) == "ANY")
    assert not two.admits(app, None)
    assert two.admits(app, Tls())
