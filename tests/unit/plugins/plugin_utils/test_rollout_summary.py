# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.filter.rollout_summary import FilterModule
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import rollout_summary

LOOK = {"mysql_ssl": {}, "changed": False}
ACCOUNT = {"user": "app", "host": "%", "before": "NONE", "after": "ANY"}
CHANGE = {"changed": True, "verification": [{}], "accounts": [ACCOUNT]}
SWITCH = {"require_secure_transport": False, "identity": {}}
UNREACHABLE = {"failed": True, "msg": "Cannot reach db:1."}
FOUND = {**LOOK, "failed": True, "findings": True, "msg": "One finding is left."}
REFUSED = {"failed": True, "msg": "No.", "accounts": [ACCOUNT]}


@pytest.mark.parametrize(
    ("change", "look", "line"),
    [
        ({}, {}, "not started"),
        ({}, LOOK, "checked only"),
        ({}, UNREACHABLE, "not checked: Cannot reach db:1."),
        ({"skipped": True, "changed": False}, LOOK, "no rollback record"),
        ({"changed": False}, LOOK, "nothing to change"),
        (CHANGE, LOOK, "changed: app@% NONE -> ANY"),
        (
            {**CHANGE, "rollback_file": "/f"},
            FOUND,
            "changed: app@% NONE -> ANY; rollback record: /f; One finding is left.",
        ),
        ({**CHANGE, "verification": []}, LOOK, "would change: app@% NONE -> ANY"),
        (
            {**CHANGE, "accounts": [], "require_secure_transport": {"before": False, "after": True}},
            LOOK,
            "changed: require_secure_transport OFF -> ON",
        ),
        ({}, {**LOOK, "failed": True, "msg": "Login refused."}, "not checked: Login refused."),
        ({}, FOUND, "checked only; One finding is left."),
        (REFUSED, LOOK, "nothing changed: No."),
        ({"failed": True, "msg": "It may not read accounts."}, LOOK, "not checked: It may not read accounts."),
        ({"failed": True, "msg": "No.", "rolled_back": True, "changed": False}, LOOK, "rolled back: No."),
        ({"failed": True, "msg": "No.", "changed": True}, LOOK, "left changed: No."),
        ({"failed": True, "msg": "No.", "changed": True, "state_unknown": True}, LOOK, "state unknown: No."),
    ],
)
def test_lines(change: dict[str, t.Any], look: dict[str, t.Any], line: str) -> None:
    assert rollout_summary.lines({"db": change}, {"db": look}) == {"db": line}


def test_a_line_is_no_list_of_thousands() -> None:
    accounts = [{**ACCOUNT, "user": f"app{number}"} for number in range(5000)]
    line = rollout_summary.lines({"db": {**CHANGE, "accounts": accounts}}, {})["db"]
    assert line.endswith("app9@% NONE -> ANY and 4990 more")


def test_stats_are_bounded() -> None:
    record = {"state": "made", "accounts": [ACCOUNT]}
    changes = {
        "one": {**CHANGE, "rollback_record": record},
        "two": {"failed": True, "rolled_back": True, "rollback_record": {**record, "state": "undone"}},
        "three": {},
    }
    words = {"one": "changed", "two": "rolled back", "three": "not started"}
    published = rollout_summary.stats(changes, {}, 1000)
    assert published["mysql_tls_roll_out"] == words
    document = json.loads(base64.b64decode(published["mysql_tls_rollback_records"]))
    assert document["hosts"] == {"one": [record]}
    assert rollout_summary.stats(changes, {}, 10) == {"mysql_tls_roll_out": words}


def test_names_in_a_line_are_safe_to_print() -> None:
    """In the line alone: published records keep the name."""
    hostile = {**ACCOUNT, "user": "a\x1b[2J\u202e"}
    change = {**CHANGE, "accounts": [hostile], "rollback_record": {"state": "made", "accounts": [hostile]}}
    assert rollout_summary.lines({"db": change}, {})["db"] == r"changed: a\x1b[2J\u202e@% NONE -> ANY"
    text = rollout_summary.stats({"db": change}, {}, 1000)["mysql_tls_rollback_records"]
    assert json.loads(base64.b64decode(text))["hosts"]["db"][0]["accounts"] == [hostile]


def test_totals() -> None:
    changes: dict[str, dict[str, t.Any]] = {"one": CHANGE, "two": REFUSED, "three": {}, "four": CHANGE}
    assert rollout_summary.totals(changes, {}) == "4 servers: 2 changed, 1 nothing changed, 1 not started"
    assert rollout_summary.totals({"one": CHANGE}, {}) == "1 server: 1 changed"


def test_stop() -> None:
    """By the share of the hosts that were reached, and with the names of those that failed."""
    changes: dict[str, dict[str, t.Any]] = {"one": CHANGE, "two": {"failed": True}, "three": {}, "four": {}, "five": {}}
    looks = {"one": LOOK, "two": LOOK, "three": UNREACHABLE, "four": LOOK, "five": {}}
    stopped = "Roll-out stopped: 2 of 4 servers failed (limit {} %): two, three"
    assert rollout_summary.stop(changes, looks, 0) == stopped.format(0)
    assert rollout_summary.stop(changes, looks, 49.5) == stopped.format(49.5)
    assert rollout_summary.stop(changes, looks, 50) is None
    assert rollout_summary.stop({}, {}, 0) is None
    many = {f"db{number}": {"failed": True} for number in range(12)}
    assert str(rollout_summary.stop(many, {}, 0)).endswith("db8, db9 and 2 more")


def test_no_records() -> None:
    skipped = {"skipped": True, "changed": False}
    assert rollout_summary.no_records({"one": skipped, "two": skipped})
    for other in ({}, {"changed": False}, {"failed": True}):
        assert not rollout_summary.no_records({"one": skipped, "two": other})
    assert not rollout_summary.no_records({})


def test_filter() -> None:
    """Reads what hosts have registered, and renders none of it."""
    hostvars = {"db": {"mysql_tls_change": {**CHANGE, "msg": "{{ 1 }}"}, "mysql_tls_look": LOOK}, "other": {}}
    result = FilterModule().filters()["rollout_summary"](["db", "other"], hostvars, 0)
    assert result["lines"] == {"db": "changed: app@% NONE -> ANY", "other": "not started"}
    assert result["totals"] == "2 servers: 1 changed, 1 not started"
    assert result["stop"] == ""
    assert result["no_records"] is False
    assert set(result["stats"]) == {"mysql_tls_roll_out"}


def test_hosts_that_the_rollout_leaves_out() -> None:
    """They count, are in no batch, and make no failure look smaller."""
    summarize = FilterModule().filters()["rollout_summary"]
    variables: dict[str, t.Any] = {"a": {"mysql_tls_change": CHANGE, "mysql_tls_look": LOOK}, "b": {}}
    planned = {"hosts": ["a", "b"], "unchanged": ["c", "d"], "msg": "1 account on 2 servers would change, 2 unchanged"}
    told = summarize(["a", "b"], variables, batch=["a"], serial=["1"], planned=planned)
    assert told["totals"] == "4 servers: 1 changed, 2 nothing to change, 1 not started"
    assert told["message"] == ["Batch 1 of 2: 1 server: 1 changed"]
    words = {"a": "changed", "b": "not started", "c": "nothing to change", "d": "nothing to change"}
    assert told["stats"]["mysql_tls_roll_out"] == words
    variables["b"] = {"mysql_tls_change": {"failed": True, "msg": "No."}}
    told = summarize(["a", "b"], variables, most_failures=25, planned=planned)
    assert told["stop"] == "Roll-out stopped: 1 of 2 servers failed (limit 25 %): b"
    # Its task prints the reason alone, and so does not fail itself.
    variables["b"] = {"mysql_tls_change": {"failed": False, "reason": "refused", "accounts": [], "msg": "Clients."}}
    refused = summarize(["a", "b"], variables, most_failures=25, planned=planned)
    assert refused["stop"] == told["stop"]
    assert refused["lines"]["b"] == "nothing changed: Clients."
    # With nothing to change anywhere, no batch comes.
    told = summarize([], variables, batch=[], check_mode=True, planned=planned)
    assert told["message"] == [planned["msg"], {}]
    # What a plan said that was read is not what this run has found.
    told = summarize(["a"], variables, check_mode=True, planned={**planned, "sha256": "0" * 64})
    assert "2 unchanged" not in str(told["message"])


@pytest.mark.parametrize("serial", [["1", "2"], ["100%"]])
def test_the_last_batch_has_a_line_for_each_host_whichever_have_failed(serial: list[str]) -> None:
    """Ansible's batch lacks those that have."""
    summarize = FilterModule().filters()["rollout_summary"]
    changed = {"mysql_tls_change": CHANGE, "mysql_tls_look": {"mysql_ssl": {"verdict": "compliant"}}}
    refused = {"mysql_tls_look": {"mysql_ssl": {"verdict": "undecided"}, "msg": "Login refused.", "failed": False}}
    variables: dict[str, t.Any] = {"a": changed, "b": changed, "c": refused}
    told = summarize(["a", "b", "c"], variables, most_failures=100, batch=["b"], serial=serial)
    assert told["message"][0] == "3 servers: 2 changed, 1 not checked"
    assert told["message"][1:-1] == (["Batch 2 of 2: 2 servers: 1 changed, 1 not checked"] if len(serial) > 1 else [])
    assert told["message"][-1]["c"] == "not checked: Login refused."
    told = summarize(["a", "b", "c"], {**variables, "b": refused}, most_failures=100, batch=[], serial=serial)
    assert told["message"][-1]["b"] == "not checked: Login refused."
    assert "Ansible ends" not in str(told["message"])
    told = summarize(["a", "b", "c"], {"a": refused, "b": {}, "c": {}}, most_failures=100, batch=[], serial=["1", "2"])
    assert told["message"][2] == "Ansible ends the roll-out here, as every server of this batch has failed."
    assert told["message"][3]["c"] == "not started"


def test_check_mode_counts_once() -> None:
    """With the words of a plan."""
    summarize = FilterModule().filters()["rollout_summary"]
    refused = {"mysql_ssl": {"verdict": "undecided"}, "msg": "Login refused.", "failed": False}
    may_not = {"failed": True, "msg": "It may not read accounts."}
    variables = {
        "a": {"mysql_tls_change": {**CHANGE, "verification": [], "plan": {"accounts": [ACCOUNT], **SWITCH}}},
        "b": {"mysql_tls_look": refused},
        "c": {"mysql_tls_look": LOOK, "mysql_tls_change": may_not},
        "d": {"mysql_tls_look": UNREACHABLE},
    }
    told = summarize(list(variables), variables, most_failures=100, batch=["a"], check_mode=True)
    assert told["message"][0] == "1 account on 1 server would change, 3 not checked"
    assert told["totals"] == "4 servers: 1 would change, 3 not checked"
    assert told["message"][1:] == [told["lines"]]


def test_totals_of_check_mode_count_accounts_of_any_name() -> None:
    """A plan in a file cannot hold this name; a roll-out without one changes the account."""
    account = {"user": "evil\u202etxt", "host": "%", "before": {"ssl_type": ""}, "after": {"ssl_type": "ANY"}}
    plan = {"identity": {"hostname": "db"}, "accounts": [account], "require_secure_transport": None}
    assert rollout_summary.planned({"db": {"changed": True, "plan": plan}}, {}) == "1 account on 1 server would change"
