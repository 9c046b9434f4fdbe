# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.filter.roll_out import FilterModule
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils import roll_out

LOOK = {"mysql_ssl": {}, "changed": False}
ACCOUNT = {"user": "app", "host": "%", "before": "NONE", "after": "ANY"}
CHANGE = {"changed": True, "verification": [{}], "accounts": [ACCOUNT]}
UNREACHABLE = {"failed": True, "msg": "Cannot reach db:1."}
FOUND = {**LOOK, "failed": True, "msg": "One finding is left."}


@pytest.mark.parametrize(
    ("change", "look", "line"),
    [
        ({}, {}, "not reached"),
        ({}, LOOK, "looked at only"),
        ({}, UNREACHABLE, "not looked at: Cannot reach db:1."),
        ({"skipped": True, "changed": False}, LOOK, "nothing to change"),
        ({"changed": False}, LOOK, "nothing to change"),
        (CHANGE, LOOK, "changed: app@% NONE -> ANY"),
        (
            {**CHANGE, "rollback_file": "/f"},
            FOUND,
            "changed: app@% NONE -> ANY; what was there is in /f; One finding is left.",
        ),
        ({**CHANGE, "verification": []}, LOOK, "would change: app@% NONE -> ANY"),
        (
            {**CHANGE, "accounts": [], "require_secure_transport": {"before": False, "after": True}},
            LOOK,
            "changed: require_secure_transport OFF -> ON",
        ),
        ({"failed": True, "msg": "No."}, LOOK, "nothing changed: No."),
        ({"failed": True, "msg": "No.", "rolled_back": True, "changed": False}, LOOK, "put back: No."),
        ({"failed": True, "msg": "No.", "changed": True}, LOOK, "left changed: No."),
        ({"failed": True, "msg": "No.", "changed": True, "state_unknown": True}, LOOK, "state unknown: No."),
    ],
)
def test_lines(change: dict[str, t.Any], look: dict[str, t.Any], line: str) -> None:
    assert roll_out.lines({"db": change}, {"db": look}) == {"db": line}


def test_a_line_is_no_list_of_thousands() -> None:
    accounts = [{**ACCOUNT, "user": f"app{number}"} for number in range(5000)]
    line = roll_out.lines({"db": {**CHANGE, "accounts": accounts}}, {})["db"]
    assert line.endswith("app9@% NONE -> ANY and 4990 more")


def test_stats_are_bounded() -> None:
    record = {"state": "made", "accounts": [ACCOUNT]}
    changes = {
        "one": {**CHANGE, "rollback_record": record},
        "two": {"failed": True, "rolled_back": True, "rollback_record": {**record, "state": "undone"}},
        "three": {},
    }
    words = {"one": "changed", "two": "put back", "three": "not reached"}
    published = roll_out.stats(changes, {}, 1000)
    assert published["mysql_tls_roll_out"] == words
    document = json.loads(base64.b64decode(published["mysql_tls_rollback_records"]))
    assert document["hosts"] == {"one": [record]}
    assert roll_out.stats(changes, {}, 10) == {"mysql_tls_roll_out": words}


def test_share_of_the_hosts_that_were_reached() -> None:
    changes: dict[str, dict[str, t.Any]] = {"one": CHANGE, "two": {"failed": True}, "three": {}, "four": {}, "five": {}}
    looks = {"one": LOOK, "two": LOOK, "three": UNREACHABLE, "four": LOOK, "five": {}}
    assert roll_out.failed_share(changes, looks) == 50.0
    assert roll_out.failed_share({}, {}) == 0.0


def test_filter() -> None:
    result = FilterModule().filters()["roll_out"]({"db": CHANGE}, {"db": LOOK}, 0)
    assert set(result) == {"lines", "failed_share", "stats"}
