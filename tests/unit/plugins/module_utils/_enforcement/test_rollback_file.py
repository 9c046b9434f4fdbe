# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Properties of the file of changes, and of reading it: nothing in it is taken on trust."""

from __future__ import annotations

import copy
import json
import os
import re
import typing as t

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.change_record import (
    BEGUN,
    MADE,
    RESTORED,
    UNDONE,
    ChangeRecord,
    Endpoint,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.rollback_file import (
    FORMAT,
    RecordError,
    RollbackFile,
)
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._enforcement.statements import Change
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.accounts import LEVELS, Account, Requirement
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.identity import ServerIdentity
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._mysql.secure_transport import SwitchState
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

if t.TYPE_CHECKING:
    from pathlib import Path

# What a server may have in a name: anything but a null character, also bytes that are no UTF-8.
names = st.text(
    st.one_of(
        st.characters(codec="utf-8", exclude_characters="\0"),
        st.integers(0xDC80, 0xDCFF).map(chr),
        st.sampled_from("'\"\\`{}%@"),
    ),
    max_size=20,
)
requirements = st.builds(Requirement, st.sampled_from(LEVELS), names, names, names)
changes = st.builds(Change, st.builds(Account, names, names), requirements, requirements)
switches = st.builds(SwitchState, st.booleans(), st.none() | st.booleans())
endpoints = st.builds(Endpoint, names.map(str.lower), st.integers(1, 65535), st.none()) | st.builds(
    Endpoint, st.none(), st.none(), names.filter(bool)
)
records = st.builds(
    ChangeRecord,
    id=st.uuids().map(lambda value: value.hex),
    state=st.sampled_from([BEGUN, MADE, UNDONE, RESTORED]),
    begun_at=st.datetimes().map(lambda value: value.isoformat()),
    ended_at=st.none() | st.datetimes().map(lambda value: value.isoformat()),
    identity=st.none() | st.builds(ServerIdentity, names, names, names, names),
    endpoint=endpoints.filter(lambda endpoint: endpoint.socket is not None or bool(endpoint.host)),
    family=st.sampled_from(["mysql", "mariadb"]),
    version=names,
    changes=st.lists(
        changes.filter(lambda change: change.before != change.after),
        max_size=4,
        unique_by=lambda change: change.account,
    ).map(tuple),
    switch=st.none() | st.tuples(switches, switches),
    rollback_statements=st.lists(names, max_size=3).map(tuple),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def _places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """Every place in a JSON value."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from _places(part, (*path, key))


@given(records)
def test_a_record_is_read_as_it_was_written(record: ChangeRecord) -> None:
    assert ChangeRecord.parse(json.loads(json.dumps(record.describe()))) == record


@given(anything)
def test_whatever_stands_there_instead(value: t.Any) -> None:
    with pytest.raises(ValueError, match=r"is missing$|^the whole is not a dictionary$"):
        ChangeRecord.parse(value)


@settings(max_examples=300)
@given(records, st.data())
def test_a_record_that_somebody_has_changed(record: ChangeRecord, data: st.DataObject) -> None:
    """Is refused, or is one that says exactly what stands there: never an error that nobody expects."""
    value = copy.deepcopy(record.describe())
    place = data.draw(st.sampled_from(sorted(_places(value), key=repr)))
    parent = value
    for key in place[:-1]:
        parent = parent[key]
    what = data.draw(st.sampled_from(["delete", "replace", "add"]))
    if what == "delete":
        del parent[place[-1]]
    elif what == "replace":
        parent[place[-1]] = data.draw(anything)
    else:
        assume(isinstance(parent, dict))
        parent[data.draw(st.text(max_size=5))] = data.draw(anything)
    try:
        parsed = ChangeRecord.parse(value)
    except ValueError:
        return
    again = parsed.describe()
    assert ChangeRecord.parse(again) == parsed
    # Nothing that matters is read into it, or out of it.
    assert again["accounts"] == [
        {
            **{name: entry[name] for name in ("user", "host")},
            **{
                side: {part: entry[side][part] for part in ("ssl_type", "cipher", "issuer", "subject")}
                for side in ("before", "after")
            },
        }
        for entry in value["accounts"]
    ]
    assert again["state"] == value["state"]


_NONE = {"ssl_type": "NONE", "cipher": "", "issuer": "", "subject": ""}
_ENTRY: dict[str, t.Any] = {"user": "app", "host": "%", "before": _NONE, "after": {**_NONE, "ssl_type": "ANY"}}
_SERVER = {"host": "db", "port": 3306, "socket": None, "family": "mysql", "version": "9.7.4"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"server": {**_SERVER, "port": True}}, "server.port is not a whole number"),
        ({"server": {**_SERVER, "socket": "/x"}}, "server has to have host and port, or socket"),
        ({"server": None}, "server is not a dictionary"),
        ({"state": "done"}, "'done' is not a state of a change"),
        ({"accounts": [_ENTRY, _ENTRY]}, "an account is in a change twice"),
        (
            {"accounts": [{**_ENTRY, "before": {**_NONE, "ssl_type": "NONE; DROP USER x"}}]},
            "'NONE; DROP USER x' is not a requirement",
        ),
        ({"accounts": [{**_ENTRY, "before": {**_NONE, "ssl_type": "SSL"}}]}, "'SSL' is not a requirement"),
        ({"accounts": [{**_ENTRY, "before": {**_NONE, "subject": 5}}]}, "accounts[0].before.subject is not text"),
        ({"accounts": [{**_ENTRY, "before": {"ssl_type": "NONE"}}]}, "accounts[0].before.cipher is missing"),
        ({"accounts": [{**_ENTRY, "before": {}}]}, "accounts[0].before.ssl_type is missing"),
        ({"accounts": [{**_ENTRY, "before": _ENTRY["after"]}]}, "app@% has the same requirement before and after"),
        ({"accounts": [{**_ENTRY, "user": "x" * 129}]}, "accounts[0].user has more than 128 characters"),
        ({"accounts": [{**_ENTRY, "host": "\0"}]}, "accounts[0].host has a null byte"),
        ({"accounts": [{**_ENTRY, "user": "\ud800"}]}, "accounts[0].user is not text"),
        ({"accounts": "all"}, "accounts is not a list"),
        (
            {"require_secure_transport": {"before": {"value": 1, "persisted": None}}},
            "require_secure_transport.before.value is not true or false",
        ),
        ({"rollback_statements": [1]}, "rollback_statements[0] is not text"),
        ({"id": None}, "id is not text"),
    ],
)
def test_a_record_that_cannot_be_meant(changed: dict[str, t.Any], said: str) -> None:
    value = {
        "id": "0" * 32,
        "state": MADE,
        "begun_at": "2026-11-28T00:00:00Z",
        "ended_at": None,
        "server": _SERVER,
        "accounts": [_ENTRY],
        "require_secure_transport": None,
        "rollback_statements": [],
    }
    assert ChangeRecord.parse(value).changes[0].after.ssl_type == "ANY"
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        ChangeRecord.parse({**value, **changed})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=60)
    | anything.map(lambda value: json.dumps(value).encode())
    | st.builds(
        lambda version, value: json.dumps({"format": FORMAT, "version": version, "changes": value}).encode(),
        st.sampled_from([1, 1, 1, 2, "1", None]),
        anything,
    )
    | st.integers(2000, 100_000).map(lambda depth: b"[" * depth)
)
def test_whatever_is_in_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "changes.json"
    path.write_bytes(content)
    path.chmod(0o600)
    file = RollbackFile(str(path), "restore_file")
    try:
        empty = json.loads(content) == {"format": FORMAT, "version": 1, "changes": []}
    except (ValueError, RecursionError):
        empty = False
    if empty:
        assert file.read(Endpoint("db", 3306, None), "mysql") == ()
        return
    with pytest.raises(RecordError, match=f"restore_file: {path} "):
        file.read(Endpoint("db", 3306, None), "mysql")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(records, min_size=1, max_size=4, unique_by=lambda record: record.id), st.data())
def test_what_is_added_and_marked(tmp_path: Path, several: list[ChangeRecord], data: st.DataObject) -> None:
    path = str(tmp_path / "changes.json")
    if os.path.exists(path):
        os.unlink(path)
    file = RollbackFile(path, "rollback_file")
    first = several[0]
    of_one = [ChangeRecord.parse({**record.describe(), "server": first.describe()["server"]}) for record in several]
    for record in of_one:
        file.add(record)
    assert file.read(first.endpoint, first.family) == tuple(of_one)
    marked = {record.id for record in of_one if data.draw(st.booleans())}
    file.mark(first.endpoint, first.family, marked, UNDONE)
    for before, after in zip(of_one, file.read(first.endpoint, first.family)):
        if before.id in marked:
            assert (after.state, after.changes, after.switch) == (UNDONE, before.changes, before.switch)
        else:
            assert after == before
