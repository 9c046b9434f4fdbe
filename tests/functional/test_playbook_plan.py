# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan, approve, enforce: through Ansible itself, on real servers."""

from __future__ import annotations

import json
import re

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan.document import digest
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.history.history import History

from .plays import Ansible, Site
from .replication import caught_up, pair_of
from .servers import Servers

NEW, MARIA = "new-db", "maria-db"


@pytest.fixture
def site(ansible: Ansible) -> Site:
    return Site(ansible)


def test_plan_approve_enforce(servers: Servers, site: Site) -> None:
    new, maria = servers.get("mysql-9.7"), servers.get("mariadb-11.8")
    apps = {db: db.create(db.name_of("planned")) for db in (new, maria)}
    logins = {db: db.administrator() for db in (new, maria)}
    site.add(NEW, new, logins[new])
    site.add(MARIA, maria, logins[maria])
    site.add("maria-again", maria, logins[maria])
    site.add("gone", new, logins[new], mysql_tls_login_port=1)
    site.add("refused", maria, logins[maria], mysql_tls_login_password="pw-of-nobody")
    site.add("blind", maria, maria.create(maria.name_of("blind")))
    maria.create(maria.name_of("alone"))
    scope = ("mysql_tls_accounts=planned*", "mysql_tls_exclude=alone*,planed@%")
    told = "mysql_tls_exclude: no account of any server that was checked matches 'planed@%', so nothing is left out"
    before = [db.snapshot() for db in (new, maria)]
    planned = site.run("plan", *scope)
    assert planned.status == 2
    # As a warning, and in what is published.
    assert " ".join(planned.output.split()).count(told) == 2
    assert "2 accounts on 2 servers would change, 3 not checked" in planned.output
    assert [db.snapshot() for db in (new, maria)] == before
    plan = json.loads(site.plan.read_text())
    assert plan["sha256"] == digest(plan)
    assert plan["batches"] == [[NEW], [MARIA]]
    assert plan["warnings"] == [f"{told} for it."]
    assert [(s["name"], s["outcome"], s["aliases"]) for s in plan["servers"]] == [
        (NEW, "change", []),
        (MARIA, "change", ["maria-again"]),
        *((name, "not_checked", []) for name in ("gone", "refused", "blind")),
    ]
    assert plan["servers"][0]["statements"] == [f"ALTER USER '{apps[new].user}'@'%' REQUIRE SSL"]
    page = site.plan.with_name("plan.html").read_text()
    for text in (
        plan["sha256"],
        f"{apps[new].user}@%: NONE -&gt; ANY",
        "Cannot reach 127.0.0.1:1",
        "matches &#39;planed@%&#39;",
    ):
        assert text in page
    # Check mode has the same totals, once, and shows all servers. What was seen of one that has failed is not printed.
    checked = site.run("enforce", *scope, "--check")
    assert checked.status == 2
    assert " ".join(checked.output.split()).count("no account of") == 1
    summary = checked.output.partition("Show roll-out summary")[2].partition("TASK")[0]
    assert "2 accounts on 2 servers would change, 3 not checked" in summary
    assert " servers: " not in summary
    for name in ("gone", "refused", "blind"):
        assert re.search(rf'"{name}": "not checked: ', summary), summary
    assert len(checked.output) < 12000
    assert '"mysql_ssl"' not in checked.output
    assert "not started" not in checked.output
    assert [db.snapshot() for db in (new, maria)] == before

    # Somebody is at work after the plan was made.
    later = new.create(new.name_of("planned_later"))
    maria.require(apps[maria].user, apps[maria].host, "X509")
    done = site.run("enforce", f"mysql_tls_plan={site.plan}", "mysql_tls_all_accounts=true")
    assert done.status == 2
    assert "2 servers: 1 changed, 1 changed since the plan" in done.output
    assert "It was not checked again" not in done.output  # The last message, too, says why.
    assert done.output.count("Show roll-out summary") == 2
    assert "Batch 1 of 2: 1 server: 1 changed" in done.output
    assert {name for name, counts in done.recap().items() if counts["failed"]} == {MARIA}
    # Which plan that was is in the history and in the rollback record.
    state = site.ansible.state
    changes = History(state / "history", site.ansible.directory / "index").last_entries("change")
    assert (changes[NEW]["outcome"], changes[NEW]["plan"]) == ("changed", plan["sha256"])
    (record,) = json.loads((state / "rollback" / f"{NEW}.json").read_text())["changes"]
    assert record["note"] == f"plan {plan['sha256']}"
    assert [new.ssl_type(apps[new]), new.ssl_type(later), maria.ssl_type(apps[maria])] == ["ANY", "", "X509"]
    # What is as planned is done.
    again = site.run("enforce", f"mysql_tls_plan={site.plan}", "--limit", NEW).ok()
    assert "1 server: 1 nothing to change" in again.output


def test_a_plan_that_was_changed(servers: Servers, site: Site) -> None:
    db = servers.get("mariadb-11.8")
    app, me = db.create(db.name_of("planned")), db.administrator()
    site.add(MARIA, db, me)
    site.run("plan", "mysql_tls_accounts=planned*").ok()
    site.plan.write_text(site.plan.read_text().replace('"ANY"', '"X509"'))
    refused = site.run("enforce", f"mysql_tls_plan={site.plan}")
    assert refused.status == 2
    assert "was changed after it was made" in " ".join(refused.output.split())
    assert db.ssl_type(app) == ""


def test_a_replica_follows_and_is_never_the_canary(servers: Servers, site: Site) -> None:
    source, replica = pair_of(servers, "mariadb-11.8")
    me, app = source.administrator(), source.create(source.name_of("planned"))
    caught_up(source, replica)
    site.add("a-replica", replica, me)
    alone = site.run("enforce", "mysql_tls_accounts=planned*")
    assert alone.status == 2
    assert "every server is read-only (a-replica)" in " ".join(alone.output.split())
    checked = site.run("enforce", "mysql_tls_accounts=planned*", "--check")
    assert checked.status == 2
    for name in ("source", "the-source-again"):
        site.add(name, source, me)
    # The clients of the replica are checked with those of the source, which nobody has to list.
    with replica.login(app, None):
        refused = site.run("enforce", "mysql_tls_accounts=planned*")
        assert refused.status == 2
        assert f"{app.user} from 127.0.0.1 (connection" in " ".join(refused.output.split())
        assert f"on 127.0.0.1:{replica.server.port}" in " ".join(refused.output.split())
        # As the reader has set it.
        assert "set mysql_tls_plaintext_sessions to warn" in " ".join(refused.output.split())
    replica.wait_for_sessions_to_end(app.user)
    alone = site.run("enforce", "mysql_tls_accounts=planned*", "--limit", "source")
    assert "also those of the replica" in " ".join(alone.output.split())
    assert replica.ssl_type(app) == source.ssl_type(app) == ""
    assert (
        "1 account on 1 server would change, 1 read-only" in site.run("plan", "mysql_tls_accounts=planned*").ok().output
    )
    (planned,) = [each for each in json.loads(site.plan.read_text())["servers"] if each["name"] == "source"]
    assert planned["members"] == ["a-replica"]
    done = site.run("enforce", f"mysql_tls_plan={site.plan}").ok()
    assert "1 server: 1 changed" in done.output
    assert "The change has arrived from the source." in done.output
    assert done.recap()["source"]["changed"] == 1
    assert replica.ssl_type(app) == source.ssl_type(app) == "ANY"


def test_the_stop_is_the_culprits(servers: Servers, site: Site) -> None:
    """A batch in which one server fails and two do not."""
    new, maria = servers.get("mysql-9.7"), servers.get("mariadb-11.8")
    apps = {db: db.create(db.name_of("planned")) for db in (new, maria)}
    for name, db in ((NEW, new), (MARIA, maria)):
        site.add(name, db, db.administrator())
    site.add("gone", new, new.administrator(), mysql_tls_login_port=1)
    stopped = site.run("enforce", "mysql_tls_accounts=planned*", "mysql_tls_canary=0", "mysql_tls_serial=100%")
    assert stopped.status == 2
    assert "Roll-out stopped: 1 of 3 servers failed (limit 0 %): gone" in " ".join(stopped.output.split())
    assert {name for name, counts in stopped.recap().items() if counts["failed"]} == {"gone"}
    assert {db.ssl_type(app) for db, app in apps.items()} == {"ANY"}


def test_no_such_hosts_for_a_bundle(ansible: Ansible) -> None:
    site = Site(ansible)
    ansible.secrets = ["none-at-all"]
    site.hosts["app"] = {}
    run = site.run("bundle", "mysql_tls_hosts=nothing-like-it", "mysql_tls_bundle_dest=/nowhere/bundle.pem")
    assert run.status == 2
    assert "no host matches 'nothing-like-it'" in run.output
