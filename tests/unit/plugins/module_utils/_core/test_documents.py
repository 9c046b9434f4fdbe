# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents are read as they were written, or refused with the place; never half of one."""

from __future__ import annotations

import copy
import json
import typing as t
from dataclasses import dataclass

import pytest
from ansible_collections.dbtls.rds_mysql.plugins.module_utils._core.documents import WrongShape, decode, encode, load
from hypothesis import given
from hypothesis import strategies as st


@dataclass(frozen=True)
class Inner:
    """With each kind of value."""

    name: t.Annotated[str, 8]
    count: int
    sure: bool | None


@dataclass(frozen=True)
class Outer:
    """With each way to hold one."""

    first: Inner
    others: tuple[Inner, ...]
    notes: tuple[t.Annotated[str, 4], ...] | None
    raw: dict[str, t.Any]
    later: str | None = None
    number: int = 7


# As a server's names: bytes that are not UTF-8 are kept.
characters = st.characters(codec="utf-8", exclude_characters="\0") | st.integers(0xDC80, 0xDCFF).map(chr)
inner = st.builds(Inner, st.text(characters, max_size=8), st.integers(), st.none() | st.booleans())
outer = st.builds(
    Outer,
    inner,
    st.lists(inner, max_size=3).map(tuple),
    st.none() | st.lists(st.text(characters, max_size=4), max_size=3).map(tuple),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.none() | st.text(characters, max_size=20),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=5), parts, max_size=3),
    max_leaves=8,
)
WHOLE: dict[str, t.Any] = {
    "first": {"name": "a", "count": 1, "sure": None},
    "others": [{"name": "b", "count": 2, "sure": True}],
    "notes": ["n"],
    "raw": {},
}


def places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """Every place in plain values, but for what is taken as it is."""
    if path == ("raw",):
        return
    if path:
        yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


@given(outer)
def test_what_was_written_is_read(value: Outer) -> None:
    assert decode(Outer, load(json.dumps(encode(value))), exact=True) == value


@given(outer, st.data())
def test_what_somebody_has_changed_is_refused_or_read_as_it_stands(value: Outer, data: st.DataObject) -> None:
    changed = copy.deepcopy(encode(value))
    place = data.draw(st.sampled_from(sorted(places(changed), key=repr)))
    parent = changed
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = data.draw(anything)
    try:
        read = decode(Outer, changed, exact=True)
    except WrongShape:
        return
    # Further keys are left alone: a later version may have more.
    again = encode(read)
    for path in places(again):
        found, expected = again, changed
        for key in path:
            found, expected = found[key], expected[key]
        if not isinstance(found, dict):
            assert (found, type(found)) == (expected, type(expected))


@given(anything)
def test_anything_else_is_refused(value: t.Any) -> None:
    with pytest.raises(WrongShape):
        decode(Outer, value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("first",), 1, "first is not a dictionary"),
        (("first", "name"), None, "first.name is not text"),
        (("first", "name"), "123456789", "first.name has more than 8 characters"),
        (("first", "name"), "a\0", "first.name has a null byte"),
        (("first", "name"), "\ud800", "first.name is not text"),
        (("first", "count"), True, "first.count is not a whole number"),
        (("first", "count"), 1.0, "first.count is not a whole number"),
        (("others",), "text", "others is not a list"),
        (("others", 0, "sure"), 1, r"others\[0\].sure is not true or false"),
        (("notes", 0), "12345", r"notes\[0\] has more than 4 characters"),
        (("raw",), [], "raw is not a dictionary"),
        (("number",), None, "number is not a whole number"),
        (("later",), "x" * 65536, "later has more than 65535 characters"),
    ],
)
def test_the_message_names_the_place(path: tuple[t.Any, ...], value: t.Any, message: str) -> None:
    document = copy.deepcopy(WHOLE)
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    with pytest.raises(WrongShape, match=f"^{message}$"):
        decode(Outer, document, exact=True)


@pytest.mark.parametrize("name", ["first", "others", "notes", "raw"])
def test_what_has_no_default_must_be_there(name: str) -> None:
    assert decode(Outer, {**WHOLE, "unknown": 1}).number == 7
    with pytest.raises(WrongShape, match=f"^{name} is missing$"):
        decode(Outer, {key: value for key, value in WHOLE.items() if key != name})


def test_texts_that_are_not_exact_can_be_written() -> None:
    document = {**WHOLE, "later": "half \ud800 \0 " + "x" * 70000}
    assert decode(Outer, document).later == "half \N{REPLACEMENT CHARACTER} \0 " + "x" * 70000


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_not_json(content: bytes) -> None:
    with pytest.raises(WrongShape, match=r"^it is not JSON$"):
        load(content)
