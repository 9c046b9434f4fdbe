# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reaches a terminal has no control characters; what a program reads keeps its value."""

from __future__ import annotations

import json
import typing as t
import unicodedata

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import RdsMysqlError
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.module import outcome
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.printable import printable, printable_result
from hypothesis import given
from hypothesis import strategies as st

HOSTILE = "a\x1b[2J\x7f\x9b31m\u202e\u2066\u200f\u061c\r\n\x07\udc9b"


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    escaped = printable(text)
    for character in escaped:
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(character) not in (
            "LRE",
            "RLE",
            "PDF",
            "LRO",
            "RLO",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        )


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_other_text_stays(text: str) -> None:
    assert printable(text) == text


def test_forms() -> None:
    assert printable(HOSTILE) == r"a\x1b[2J\x7f\x9b31m\u202e\u2066\u200f\u061c\r\n\x07\udc9b"


def test_a_result() -> None:
    """What is printed is escaped, and the structured part is as the server has it."""
    data = {"accounts": [{"user": HOSTILE}], "rollback_record": {"user": HOSTILE}}
    diff = {"before_header": HOSTILE, "before": "a\x1b\nb\n", "after": "\x9b\n"}
    result = printable_result({"changed": True, "msg": HOSTILE, "warnings": [HOSTILE], "diff": [diff], **data})
    assert result["msg"] == printable(HOSTILE)
    assert result["warnings"] == [printable(HOSTILE)]
    header = printable(HOSTILE).replace(r"\n", "\n")
    assert result["diff"] == [{"before_header": header, "before": "a\\x1b\nb\n", "after": "\\x9b\n"}]
    assert {name: result[name] for name in data} == data


def test_a_result_that_is_printed_as_a_whole() -> None:
    """Ansible prints all of a failure as JSON; a record is left out where it would become another one."""
    failed: dict[str, t.Any] = {"failed": True, "msg": "No.", "accounts": [{HOSTILE: HOSTILE}], "count": 1}
    for record, kept in (({"user": HOSTILE}, None), ({"user": "app"}, {"user": "app"})):
        result = printable_result({**failed, "rollback_record": record})
        assert result["rollback_record"] == kept
        assert printable(json.dumps(result, ensure_ascii=False)) == json.dumps(result, ensure_ascii=False)
        assert result["count"] == 1


def fails() -> dict[str, t.Any]:
    raise RdsMysqlError(HOSTILE, name=HOSTILE)


@pytest.mark.parametrize("work", [fails, lambda: {"failed": True, "msg": HOSTILE, "name": HOSTILE}])
def test_every_outcome_goes_through_it(work: t.Callable[[], dict[str, t.Any]]) -> None:
    assert outcome(work) == {"failed": True, "msg": printable(HOSTILE), "name": printable(HOSTILE)}
