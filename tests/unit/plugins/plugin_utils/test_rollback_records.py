# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import re
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.errors import OptionError
from ansible_collections.dbtls.rds_mysql.plugins.plugin_utils.rollback_records import encode, records_of
from hypothesis import given
from hypothesis import strategies as st


def record(user: str = "app", subject: str = "") -> dict[str, t.Any]:
    """As the module returns it."""
    requirement = {"ssl_type": "NONE", "cipher": "", "issuer": "", "subject": ""}
    before = {**requirement, "ssl_type": "SPECIFIED", "subject": subject} if subject else requirement
    return {
        "id": "0" * 32,
        "state": "made",
        "begun_at": "2026-11-28T00:00:00Z",
        "ended_at": None,
        "server": {"host": "db", "port": 3306, "socket": None, "identity": None, "family": "mysql", "version": "9.7.4"},
        "accounts": [{"user": user, "host": "%", "before": before, "after": {**requirement, "ssl_type": "ANY"}}],
        "require_secure_transport": None,
        "rollback_statements": [],
        "made_by": "deploy on ansible-1",
        "note": None,
    }


@given(user=st.text(max_size=32).filter(lambda text: "\0" not in text), subject=st.text(max_size=50))
def test_any_name_travels_and_none_is_a_template(user: str, subject: str) -> None:
    try:
        (user + subject).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return
    given_record = record(user, subject.replace("\0", ""))
    text = encode({"db": [given_record]})
    assert re.fullmatch("[A-Za-z0-9+/]+=*", text)
    (read,) = records_of("db", text)
    assert read.describe() == given_record
    assert records_of("other", text) == ()


def test_nothing_is_no_record() -> None:
    nothings: tuple[t.Any, ...] = (None, "", {})
    for nothing in nothings:
        assert records_of("db", nothing) == ()


def test_the_plain_form_of_the_first_release() -> None:
    (read,) = records_of("db", {"db": record("app{")})
    assert read.changes[0].account.user == "app{"


@pytest.mark.parametrize("mark", ["{{ 1 }}", "{% raw %}", "{# x"])
@pytest.mark.parametrize("where", ["user", "subject", "host name"])
def test_the_plain_form_with_a_template_is_refused(mark: str, where: str) -> None:
    made = record(user=mark if where == "user" else "app", subject=mark if where == "subject" else "")
    with pytest.raises(OptionError, match=r"mysql_tls_rollback_records: these are records of version 0\.1\.0"):
        records_of("db", {"db": made, **({mark: made} if where == "host name" else {})})


@pytest.mark.parametrize(
    "wrong",
    [
        "not base64!",
        base64.b64encode(b"no JSON").decode(),
        base64.b64encode(b"[]").decode(),
        base64.b64encode(b'{"format": "another"}').decode(),
        base64.b64encode(b"[" * 100_000).decode(),
        base64.b64encode(
            json.dumps({"format": "dbtls.rds_mysql.records", "version": 2, "hosts": {}}).encode()
        ).decode(),
        encode({"db": [{"id": 1}]}),
        encode({"db": t.cast("t.Any", "text")}),
        7,
        ["text"],
    ],
)
def test_what_is_no_record_is_refused_by_name(wrong: t.Any) -> None:
    with pytest.raises(OptionError, match=r"^mysql_tls_rollback_records: "):
        records_of("db", wrong)
