# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime as dt
import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan import document, page, published, servers
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.change_plan.batches import batches

NOW = dt.datetime(2026, 11, 28, 12, 0, tzinfo=dt.UTC)
NONE = {"ssl_type": "NONE", "cipher": "", "issuer": "", "subject": ""}
ANY = {**NONE, "ssl_type": "ANY"}


def exact(number: int, user: str = "app", **values: t.Any) -> dict[str, t.Any]:
    return {
        "identity": {"hostname": f"db{number}", "port": "3306", "datadir": "/data/", "server_id": str(number)},
        "read_only": False,
        "accounts": [{"user": user, "host": "%", "before": NONE, "after": ANY}],
        "require_secure_transport": None,
        **values,
    }


RESULTS: dict[str, dict[str, t.Any]] = {
    "one": {"plan": exact(1), "warnings": ["Mind {{ this }}."]},
    "again": {"plan": exact(1)},
    "done": {"plan": exact(2, accounts=[])},
    "refused": {"plan": exact(3), "failed": True, "msg": "Clients are connected."},
    "reader": {"plan": exact(4, read_only=True), "skipped_reason": "read_only", "msg": "Skipped."},
    "gone": {"failed": True, "msg": "Cannot reach it \x1b[2J."},
    "nobody": {"failed": True, "accounts": [], "msg": "No account matches."},
    "template": {"plan": exact(5, user="{{ 1 }}")},
    "control": {"plan": exact(6, user="a\x07b")},
    "left": {"plan": exact(7)},
    "right": {"plan": exact(7, user="other")},
}


def made(**values: t.Any) -> document.PlanDocument:
    given: dict[str, t.Any] = {
        "made_at": "2026-11-28T11:00:00Z",
        "author": document.Author("dba", "controller", None),
        "collection_version": "0.2.0",
        "ansible_core_version": "2.19.0",
        "inventory": ("hosts.yml",),
        "limit": None,
        "batches": (("one",),),
        "servers": servers.servers_of(RESULTS),
        **values,
    }
    return document.PlanDocument(**given)


def test_servers_of_a_roll_out_without_a_document() -> None:
    """Accounts of any name count, as they are changed; a replica with one is a replica still."""
    reader = {"plan": exact(8, user="a\x07b", read_only=True), "skipped_reason": "read_only", "msg": "Skipped."}
    results = {**RESULTS, "replica": reader}
    found = {server.name: server for server in servers.servers_of(results, in_document=False)}
    assert [found[name].outcome for name in ("template", "control", "replica")] == ["change", "change", "read_only"]
    assert found["replica"].plan is None
    counted = [servers.totals(servers.servers_of(results, in_document=each)).accounts for each in (True, False)]
    assert counted[1] == counted[0] + 2


def test_servers() -> None:
    found = {server.name: server for server in servers.servers_of(RESULTS)}
    assert {name: server.outcome for name, server in found.items()} == {
        "one": "change",
        "done": "unchanged",
        "refused": "refused",
        "reader": "read_only",
        "gone": "not_checked",
        "nobody": "refused",
        "template": "refused",
        "control": "refused",
        "left": "refused",
    }
    assert found["one"].aliases == ("again",)
    assert found["left"].reason == "left and right are one server, and different changes are wanted of them."
    assert found["template"].plan is found["control"].plan is None
    assert found["gone"].reason == "Cannot reach it \\x1b[2J."
    sentence = "1 account on 1 server would change, 5 refused, 1 read-only, 1 not checked, 1 unchanged"
    assert servers.totals(tuple(found.values())).sentence() == sentence


def test_no_template_leaves_in_a_plan() -> None:
    text = document.to_json(made().described())
    assert not any(mark in text for mark in ("{{", "{%", "{#"))


def test_there_and_back(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    described = made().described()
    file.write_text(document.to_json(described))
    read = document.PlanFile(file).read(7, NOW)
    assert read.sha256 == described["sha256"]
    assert read.author == "dba on controller"
    assert [(server.name, server.outcome, server.plan) for server in read.servers] == [
        (server.name, server.outcome, server.plan) for server in made().servers
    ]


def signed(described: dict[str, t.Any], **values: t.Any) -> dict[str, t.Any]:
    content = {**described, **values}
    return {**content, "sha256": document.digest(content)}


def with_plan(described: dict[str, t.Any], plan: t.Any) -> dict[str, t.Any]:
    return signed(described, servers=[{**described["servers"][0], "plan": plan}])


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda d: {**d, "limit": "one"}, "was changed after it was made: its SHA-256 is another one"),
        (lambda d: signed(d, made_at="2026-11-21T11:00:00Z"), "is older than 7 days"),
        (lambda d: signed(d, made_at="2027-11-21T11:00:00Z"), "which is in the future"),
        (lambda d: signed(d, made_at="yesterday"), "is not a plan that the playbook plan has written"),
        (lambda d: signed(d, format="dbtls.rds_mysql.report"), "its format is not dbtls.rds_mysql.plan"),
        (lambda d: signed(d, format_version=2), "was made by another release"),
        (lambda d: signed(d, limit="{{ lookup('pipe', 'id') }}"), "could be taken for a template"),
        (lambda d: with_plan(d, None), "is not a plan that"),
        (lambda d: with_plan(d, exact(1, accounts=[{"user": "app"}])), "is not a plan that"),
        (lambda d: with_plan(d, {**exact(1), "identity": None}), "is not a plan that"),
        (lambda d: signed(d, servers=d["servers"][:1] * 2), "is not a plan that"),
        (lambda _d: [], "is not a plan that"),
    ],
)
def test_what_is_no_plan(tmp_path: Path, wrong: t.Any, sentence: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(wrong(made().described())))
    with pytest.raises(RdsMysqlError) as caught:
        document.PlanFile(file).read(7, NOW)
    assert sentence in caught.value.message
    assert caught.value.message.startswith(f"mysql_tls_plan: {file} ")


def test_a_plan_of_any_age(tmp_path: Path) -> None:
    """As many days as Python has no word for."""
    file = tmp_path / "plan.json"
    file.write_text(document.to_json(made().described()))
    assert document.PlanFile(file).read(10**12, NOW).author == "dba on controller"


def test_files_that_are_not_read(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(document.to_json(made().described()))
    file.chmod(0o666)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, sentence in (
        (file, "by everybody"),
        (pipe, "is not a regular file"),
        (tmp_path / "none", "cannot be read"),
    ):
        with pytest.raises(RdsMysqlError, match=sentence):
            document.PlanFile(path).read(7, NOW)


def test_the_plan_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is taken if it is the one that was approved."""
    file = tmp_path / "plan.json"
    file.write_text(document.to_json(made().described()))
    file.chmod(0o664)  # As a checkout has it.
    if os.geteuid() == 0:
        os.chown(file, 65534, 65534)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 65534)
    with pytest.raises(RdsMysqlError, match=r"belongs to another user.*set mysql_tls_plan_sha256"):
        document.PlanFile(file).read(7, NOW)
    with pytest.raises(RdsMysqlError, match="mysql_tls_plan_sha256 is another one"):
        document.PlanFile(file).read(7, NOW, "0" * 64)
    sha256 = made().described()["sha256"]
    assert document.PlanFile(file).read(7, NOW, f" {sha256.upper()}").sha256 == sha256
    file.chmod(0o646)
    with pytest.raises(RdsMysqlError, match="by everybody"):
        document.PlanFile(file).read(7, NOW, sha256)


def test_page_escapes_what_servers_have_said() -> None:
    results: dict[str, dict[str, t.Any]] = {
        "db": {"plan": exact(1, user="<script>")},
        "bad": {"failed": True, "msg": "<b>"},
    }
    text = page.to_html(made(servers=servers.servers_of(results)), "0" * 64)
    assert "&lt;script&gt;@%: NONE -&gt; ANY" in text
    assert "&lt;b&gt;" in text
    assert "1 account on 1 server would change, 1 not checked" in text


@pytest.mark.parametrize(
    ("count", "serial", "sizes"),
    [
        (10, ["1", "25%"], [1, 2, 2, 2, 2, 1]),
        (3, ["100%"], [3]),
        (3, ["10%", "2"], [1, 2]),
        (0, ["1"], []),
        (2, [], [2]),
    ],
)
def test_batches(count: int, serial: list[str], sizes: list[int]) -> None:
    hosts = [f"db{number}" for number in range(count)]
    made_of = batches(hosts, serial)
    assert [len(batch) for batch in made_of] == sizes
    assert [host for batch in made_of for host in batch] == hosts


def test_published_for_the_next_job(tmp_path: Path) -> None:
    described = made().described()
    text = published.publish(described, 10000, None)
    assert text
    assert published.is_published(text)
    # Nothing in it that Ansible, YAML or a shell would take for anything else.
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-=")
    assert published.PublishedPlan(text).read(7, NOW) == read_from(tmp_path, described)
    assert not published.is_published("/var/lib/plan.json")
    assert published.publish(described, len(text) - 1, None) is None


def read_from(directory: Path, described: dict[str, t.Any]) -> document.ReadPlan:
    file = directory / "plan.json"
    file.write_text(document.to_json(described))
    return document.PlanFile(file).read(7, NOW)


def test_a_plan_that_is_too_large_is_in_a_file(tmp_path: Path) -> None:
    described = made().described()
    text = published.publish(described, 100, tmp_path)
    assert text
    assert len(text) < 400
    (file,) = (tmp_path / "plans").iterdir()
    assert published.PublishedPlan(text).read(7, NOW).sha256 == described["sha256"]
    # Another one, made later, is not what was approved.
    file.write_text(document.to_json(made(limit="other").described()))
    with pytest.raises(RdsMysqlError, match=f"mysql_tls_plan: {file} is another plan than the one that was published"):
        published.PublishedPlan(text).read(7, NOW)
    file.unlink()
    with pytest.raises(RdsMysqlError, match=f"mysql_tls_plan: {file} cannot be read: No such file"):
        published.PublishedPlan(text).read(7, NOW)


def test_old_plans_do_not_pile_up(tmp_path: Path) -> None:
    for number in range(25):
        published.publish(made(limit=f"host{number}").described(), 0, tmp_path)
    assert len(list((tmp_path / "plans").iterdir())) == 20


@pytest.mark.parametrize(
    "text",
    ["", "e", "eJwDAAAAAAE=", "ü", "eNqrVkrKSSwoVrJSUoqtBQAdKwQp"],
    ids=["none", "odd", "empty", "umlaut", "other"],
)
def test_what_was_not_published(text: str) -> None:
    with pytest.raises(RdsMysqlError, match="mysql_tls_plan_document: it is not the text that the playbook plan has"):
        published.PublishedPlan(published.PREFIX + text)


def test_a_published_plan_is_checked_as_a_file_is() -> None:
    text = published.publish({**made().described(), "limit": "other"}, 10000, None)
    with pytest.raises(RdsMysqlError, match="mysql_tls_plan: mysql_tls_plan_document was changed after it was made"):
        published.PublishedPlan(str(text)).read(7, NOW)
