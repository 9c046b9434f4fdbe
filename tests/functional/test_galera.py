# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mysql_require_ssl on a Galera cluster: accounts are those of all nodes, and clients are connected to one of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import Pki, ServerUnavailable
from tests.servers.galera import NAME, galera_cluster

from .database import Account, Database, Tls
from .plays import Ansible, Site
from .runner import Modules

Nodes = tuple[Database, Database]


@pytest.fixture(scope="module")
def cluster(pki: Pki) -> Iterator[Nodes]:
    """Two nodes that tell how their clients are connected."""
    try:
        with galera_cluster(pki.server_for(NAME), ("--performance-schema=ON",)) as servers:
            one, two = (Database(server, pki) for server in servers)
            two.query("SET SESSION wsrep_sync_wait = 1")
            yield one, two
            one.disconnect()
            two.disconnect()
    except ServerUnavailable as e:
        pytest.skip(f"a Galera cluster cannot be had here: {e}")


@pytest.fixture
def nodes(cluster: Nodes) -> Iterator[Nodes]:
    """The same; accounts are dropped after the test."""
    yield cluster
    cluster[0].drop_all()


def address(db: Database) -> str:
    return f"{db.server.host}:{db.server.port}"


def people(nodes: Nodes) -> tuple[Account, Account]:
    """An administrator and an application, as all nodes have them by now."""
    one, two = nodes
    me, app = one.administrator(), one.create(one.name_of("app"))
    assert two.ssl_type(app) == ""
    return me, app


def test_a_client_of_another_node_stops_the_change(nodes: Nodes, modules: Modules) -> None:
    one, two = nodes
    me, app = people(nodes)
    options = one.options(me, user=app.user, members=[address(one), address(two)])
    with two.login(app, None):
        for choice in ("fail", "kill"):
            refused = modules.require(**options, plaintext_sessions=choice)
            assert refused.failed
            assert f"{app.user} from 127.0.0.1" in refused.msg
            assert f"on {address(two)}" in refused.msg
            assert "Nothing was changed" in refused.msg
            assert [session["server"] for session in refused["plaintext_sessions"]] == [address(two)]
        assert one.ssl_type(app) == two.ssl_type(app) == ""
    two.wait_for_sessions_to_end(app.user)
    with two.login(app, Tls()):
        assert modules.require(**options).ok()["verified"]
    assert two.ssl_type(app) == "ANY"
    assert not two.admits(app, None)


def test_a_node_that_is_not_named(nodes: Nodes, modules: Modules) -> None:
    one, two = nodes
    me, app = people(nodes)
    # The node itself is no other member, though nodes may all have the same address for the others.
    for members in ([], [address(one)]):
        refused = modules.require(**one.options(me, user=app.user, members=members))
        assert refused.failed
        assert "the Galera node node2, whose sessions were not checked" in refused.msg
        assert "node1" not in refused.msg
    warned = modules.require(**one.options(me, user=app.user, plaintext_sessions="warn"), check=True).ok()
    assert "the Galera node node2" in warned.warnings
    assert one.ssl_type(app) == ""
    # By the other node it is the first one that is missing.
    assert "the Galera node node1" in modules.require(**two.options(me, user=app.user)).msg


def test_nodes_of_a_play_are_checked_together(nodes: Nodes, ansible: Ansible) -> None:
    """Nobody has to list them."""
    one, two = nodes
    me, app = people(nodes)
    site = Site(ansible)
    for name, node in (("one", one), ("two", two)):
        site.add(name, node, me)
    with two.login(app, None):
        refused = site.run("enforce", f"mysql_tls_accounts={app.user}")
        assert refused.status == 2
        assert f"{app.user} from 127.0.0.1 (connection" in " ".join(refused.output.split())
        assert f"on {address(two)}" in refused.output
        assert one.ssl_type(app) == ""
    two.wait_for_sessions_to_end(app.user)
    done = site.run("enforce", f"mysql_tls_accounts={app.user}").ok()
    assert "2 servers: 1 changed, 1 nothing to change" in done.output
    assert one.ssl_type(app) == two.ssl_type(app) == "ANY"


def test_nodes_that_could_not_join(nodes: Nodes, modules: Modules) -> None:
    """The program that sends them all data logs in on the machine of the node that has it."""
    one, two = nodes
    me = one.administrator()
    sst = one.create(one.name_of("sst"), host="localhost", grants="RELOAD ON *.*")
    options = one.options(me, user=sst.user, include_local=True, members=[address(two)])
    assert modules.require(**options, check=True).ok()["changed"]
    two.query("SET GLOBAL wsrep_sst_method = 'mariabackup'")
    two.query("SET GLOBAL wsrep_sst_auth = %s", f"{sst.user}:a-password")
    try:
        refused = modules.require(**options)
        assert refused.failed
        assert (
            f"wsrep_sst_method=mariabackup of {address(two)} logs in without TLS, perhaps as {sst.user}@localhost"
            in refused.msg
        )
        assert "a-password" not in refused.msg
        warned = modules.require(**options, plaintext_sessions="warn", check=True).ok()
        assert "nodes would be unable to join" in warned.warnings
        two.query("SET GLOBAL wsrep_sst_method = 'rsync'")
        assert modules.require(**options, check=True).ok()["changed"]
    finally:
        two.query("SET GLOBAL wsrep_sst_auth = ''")
        two.query("SET GLOBAL wsrep_sst_method = 'rsync'")
