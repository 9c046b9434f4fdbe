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
        "recovery-retry-count": "1",
        # The default of MySQL 8.
        "recovery-use-ssl": "OFF",
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
        join(two)
        wait_for(lambda: state(two) == "ONLINE")
        yield one, two


def join(member: Database) -> None:
    member.query("START GROUP_REPLICATION USER = 'repl_of_group', PASSWORD = 'pw!of-a-test'")


def state(member: Database) -> str:
    """As the member itself has it."""
    members = "performance_schema.replication_group_members"
    ((found,),) = member.query(f"SELECT MEMBER_STATE FROM {members} WHERE MEMBER_PORT = {member.server.port}")
    return str(found)


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


def test_a_member_that_could_not_join_again(group: tuple[Database, Database], modules: Modules) -> None:
    """It logs in to another one only when it joins, perhaps without TLS."""
    one, two = group
    me = one.administrator()
    options = one.options(me, user="repl_of_group", members=[f"127.0.0.1:{two.server.port}"])
    wait_for(lambda: two.query("SELECT 1 FROM mysql.user WHERE User = %s", me.user))
    for choice in ("fail", "kill"):
        refused = modules.require(**options, plaintext_sessions=choice)
        assert refused.failed
        assert f"127.0.0.1:{two.server.port} joins its replication group without TLS" in refused.msg
        assert "perhaps as repl_of_group@%, and would be unable to join again" in refused.msg
        assert "Nothing was changed" in refused.msg
    warned = modules.require(**options, plaintext_sessions="warn", check=True).ok()
    assert "unable to join again" in warned.warnings
    switched = modules.require(**one.options(me, require_secure_transport=True), check=True)
    assert switched.failed
    assert f"127.0.0.1:{one.server.port} joins its replication group without TLS" in switched.msg
    for member in group:
        member.query("SET GLOBAL group_replication_recovery_use_ssl = ON")
    mode = one.query("SELECT @@GLOBAL.group_replication_ssl_mode")[0][0]
    two.query("SET GLOBAL group_replication_communication_stack = 'MYSQL'")
    two.query("SET GLOBAL group_replication_ssl_mode = 'DISABLED'")
    refused = modules.require(**options)
    assert refused.failed
    assert "Set group_replication_ssl_mode=REQUIRED on every member" in refused.msg
    two.query("SET GLOBAL group_replication_communication_stack = 'XCOM'")
    two.query("SET GLOBAL group_replication_ssl_mode = %s", mode)
    promised = modules.require(**options, check=True).ok()
    assert promised["changed"]
    assert "join" not in promised.warnings
    for member in group:
        member.query("SET GLOBAL group_replication_recovery_use_ssl = OFF")


def test_what_a_member_does_whose_account_requires_tls(group: tuple[Database, Database]) -> None:
    """Without TLS it ends in offline mode, which has no clients; with it, it is back."""
    one, two = group
    two.query("STOP GROUP_REPLICATION")
    one.query("ALTER USER repl_of_group REQUIRE SSL")
    join(two)
    error = (
        "SELECT LAST_ERROR_MESSAGE FROM performance_schema.replication_connection_status "
        "WHERE CHANNEL_NAME = 'group_replication_recovery' AND LAST_ERROR_NUMBER <> 0"
    )
    wait_for(lambda: two.query(error))
    assert "Access denied for user 'repl_of_group'" in str(two.query(error))
    wait_for(lambda: state(two) == "ERROR" and two.query("SELECT @@GLOBAL.offline_mode") == [(1,)])
    two.query("STOP GROUP_REPLICATION")
    two.query("SET GLOBAL offline_mode = OFF")
    two.query("SET GLOBAL group_replication_recovery_use_ssl = ON")
    join(two)
    wait_for(lambda: state(two) == "ONLINE" and two.requirement("repl_of_group", "%")[0] == "ANY")
