# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exactly what was planned is changed, where the server still is what the plan saw, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from .database import Account, Database, Tls
from .replication import caught_up, pair_of
from .result import Result
from .runner import Modules
from .servers import Servers


def refused(done: Result, *words: str) -> None:
    assert done.failed
    assert done["reason"] == "changed_since_plan"
    assert not done.values.get("changed")
    for word in (*words, "has changed since the plan", "Nothing was changed. Make a new plan."):
        assert word in done.msg
    assert all(account["after"] == account["before"] for account in done["accounts"])


@pytest.fixture
def planned(db: Database, modules: Modules) -> tuple[Account, list[Account], dict[str, Any]]:
    """Two accounts of one user that have no requirement, and the plan to give them one."""
    me = db.administrator()
    user = db.name_of("app")
    apps = [db.create(user, host) for host in ("%", "10.%")]
    done = modules.require(**db.options(me), check=True, accounts=[f"{user}@*"]).ok()
    return me, apps, done["plan"]


def test_exactly_the_plan(
    db: Database, modules: Modules, planned: tuple[Account, list[Account], dict[str, Any]]
) -> None:
    me, apps, plan = planned
    assert [
        (account["user"], account["host"], account["before"]["ssl_type"], account["after"]["ssl_type"])
        for account in plan["accounts"]
    ] == [(app.user, app.host, "NONE", "ANY") for app in sorted(apps, key=lambda app: app.host)]
    later = db.create(apps[0].user, "192.0.2.1")
    # Half of it has been done by somebody else.
    db.require(apps[1].user, apps[1].host, "SSL")
    done = modules.require(**db.options(me), plan=plan).ok()
    assert done["changed"]
    assert done["verified"]
    assert [db.ssl_type(account) for account in (*apps, later)] == ["ANY", "ANY", ""]
    assert f"TLS requirements on {db.server.host}:{db.server.port}" == done["diff"]["before_header"]
    again = modules.require(**db.options(me), plan=plan).ok()
    assert not again["changed"]


def test_changed_since_the_plan(
    db: Database, modules: Modules, planned: tuple[Account, list[Account], dict[str, Any]]
) -> None:
    me, apps, plan = planned
    db.require(apps[0].user, apps[0].host, "X509")
    refused(modules.require(**db.options(me), plan=plan), f"{apps[0].user}@% has X509 by now")
    db.require(apps[0].user, apps[0].host, "NONE")
    db.query("DROP USER %s@%s", apps[1].user, apps[1].host)
    db.forget(apps[1].user, apps[1].host)
    refused(modules.require(**db.options(me), plan=plan), f"{apps[1].user}@10.% is gone")
    assert db.ssl_type(apps[0]) == ""
    other = {**plan, "identity": {**plan["identity"], "server_id": "11111111-2222-3333-4444-555555555555"}}
    refused(modules.require(**db.options(me), plan=other), "it was ")


def test_a_plan_that_cannot_be_meant(new_db: Database, modules: Modules) -> None:
    me = new_db.administrator()
    app = new_db.create(new_db.name_of("app"))
    plan = modules.require(**new_db.options(me), check=True, user=app.user).ok()["plan"]
    twice = modules.require(**new_db.options(me), plan={**plan, "accounts": 2 * plan["accounts"]})
    assert twice.msg == "plan: this is not a plan of mysql_require_ssl: an account is in a change twice."
    both = modules.require(**new_db.options(me), plan=plan, exact=True)
    assert both.msg == "plan: it says what is changed; exact cannot go with it."
    assert new_db.ssl_type(app) == ""


# Replicas


@pytest.fixture(params=["mysql-9.7", "mariadb-11.8"])
def pair(request: pytest.FixtureRequest, servers: Servers) -> tuple[Database, Database]:
    """A source and its replica."""
    return pair_of(servers, request.param)


def test_a_replica_is_skipped_and_follows(pair: tuple[Database, Database], modules: Modules) -> None:
    source, replica = pair
    me, app = source.administrator(), source.create(source.name_of("app"))
    caught_up(source, replica)
    wanted = {"user": app.user}
    members = [f"{replica.server.host}:{replica.server.port}"]
    assert modules.require(**source.options(me, members=members), check=True, **wanted).ok()["server"] == {
        "read_only": False,
        "replica_of": None,
    }
    skipped = modules.require(**replica.options(me), **wanted).ok()
    where = f"127.0.0.1:{source.server.port}"
    assert skipped["server"] == {"read_only": False, "replica_of": where}
    assert skipped["skipped_reason"] == "read_only"
    assert not skipped["changed"]
    assert not skipped["verified"]
    assert f"a replica, changes come from its source ({where})" in skipped.warnings
    assert skipped["accounts"] == [{"user": app.user, "host": "%", "before": "NONE", "after": "NONE"}]
    assert modules.status(**replica.options(me)).ok()["mysql_ssl"]["server"]["replica_of"] == where
    plan = skipped["plan"]
    assert plan["read_only"]
    # Not what the plan of the source says, and of the replica not if it were to be written to.
    refused(modules.require(**replica.options(me), plan={**plan, "read_only": False}), "it is read-only by now")
    assert modules.require(**replica.options(me), check=True, change_replicas=True, **wanted).ok()["changed"]

    replica.query("SET GLOBAL read_only = ON")
    try:
        reader = modules.require(**replica.options(me), plan=plan).ok()
        assert reader["skipped_reason"] == "read_only"
        assert reader["server"]["read_only"]
        assert "was skipped: read-only, changes come from its source" in reader.warnings
        assert modules.require(**replica.options(me), change_replicas=True, **wanted).ok()["skipped_reason"]
        modules.require(**source.options(me, members=members), **wanted).ok()
        caught_up(source, replica)
        for followed in (wanted, {"plan": plan}):
            done = modules.require(**replica.options(me), **followed).ok()
            assert "skipped_reason" not in done.values
            assert not done["changed"]
    finally:
        replica.query("SET GLOBAL read_only = OFF")


def test_a_quote_in_a_subject_reaches_the_replica(pair: tuple[Database, Database], modules: Modules) -> None:
    """By ALTER USER, MySQL's replicas would stop, or take another name."""
    source, replica = pair
    me, app = source.administrator(), source.create(source.name_of("app"))
    caught_up(source, replica)
    options = source.options(me, user=app.user, members=[f"{replica.server.host}:{replica.server.port}"])
    subject = "/O=It's \\ quoted/CN=app"
    modules.require(**options, ssl_type="specified", subject=subject).ok()
    caught_up(source, replica)
    assert replica.requirement(app.user, app.host)[3] == subject
    assert not replica.admits(app, Tls())
    modules.require(**options, ssl_type="none").ok()
    caught_up(source, replica)
    assert replica.admits(app, None)


def test_filters_and_replication_that_has_stopped(pair: tuple[Database, Database], modules: Modules) -> None:
    source, replica = pair
    me, app = source.administrator(), source.create(source.name_of("app"))
    caught_up(source, replica)
    name = "SLAVE" if replica.mariadb else "REPLICA"
    replica.query(f"STOP {name}")
    try:
        stopped = modules.require(**replica.options(me), check=True, user=app.user).ok()
        assert stopped["changed"]
        assert f"is a replica of 127.0.0.1:{source.server.port}" in stopped.warnings
        _filter(replica, "mysql.%")
        replica.query(f"START {name}")
        filtered = modules.require(**replica.options(me), check=True, user=app.user).ok()
        assert filtered["changed"]
        assert filtered["server"]["replica_of"] is None
    finally:
        replica.query(f"STOP {name}")
        _filter(replica, "")
        replica.query(f"START {name}")


def _filter(replica: Database, ignored: str) -> None:
    if replica.mariadb:
        replica.query(f"SET GLOBAL replicate_wild_ignore_table = '{ignored}'")
    else:
        listed = f"('{ignored}')" if ignored else "()"
        replica.query(f"CHANGE REPLICATION FILTER REPLICATE_WILD_IGNORE_TABLE = {listed}")
