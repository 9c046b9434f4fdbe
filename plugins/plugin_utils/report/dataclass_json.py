# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Typed data from plain values and back, with an error that says where a value is wrong."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing as t

T = t.TypeVar("T")

# Half of a pair that UTF-16 needs two of: JSON can say it, UTF-8 cannot.
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
_KINDS: dict[type, str] = {str: "text", int: "a whole number", bool: "true or false"}

_known: dict[t.Any, dict[str, tuple[t.Any, bool]]] = {}


class WrongShape(Exception):
    """A value is missing, or not of the type that it has to be; the message names the place."""


def encode(value: t.Any) -> t.Any:
    """Dataclasses as dictionaries and tuples as lists, all the way down."""
    # Most values, of which a large fleet has a million.
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {name: encode(getattr(value, name)) for name in _fields(type(value))}
    return value


def decode(kind: type[T], value: t.Any, place: str = "") -> T:
    """A dataclass from a dictionary. Keys that it has no field for are left alone: a later version may add some.

    :arg place: Where the value is, for the message.
    :raises WrongShape: when it is not one.
    """
    if not isinstance(value, t.Mapping):
        raise WrongShape(f"{place or 'the whole'} is not a dictionary")
    given = {}
    for name, (hint, required) in _fields(kind).items():
        where = f"{place}.{name}" if place else name
        if name in value:
            given[name] = _decode(hint, value[name], where)
        elif required:
            raise WrongShape(f"{where} is missing")
    return kind(**given)


def clean(text: str) -> str:
    """The text as it can be written in UTF-8, and nothing but text.

    The text of ansible-core before 2.19 that must not be evaluated stays of its own class through ``str()``.
    """
    text = str.__str__(text)
    return text if text.isascii() else text.translate(_SURROGATES)


def _fields(kind: t.Any) -> dict[str, tuple[t.Any, bool]]:
    """The type of each field, and whether it has to be given."""
    if kind not in _known:
        hints = t.get_type_hints(kind)
        missing = dataclasses.MISSING
        _known[kind] = {
            field.name: (hints[field.name], field.default is missing and field.default_factory is missing)
            for field in dataclasses.fields(kind)
        }
    return _known[kind]


_NONE = type(None)


class _Shape(t.NamedTuple):
    """What a type says: whether None is one, whether it is a list of these, and whether these are dataclasses."""

    optional: bool
    listed: bool
    kind: t.Any
    dataclass: bool


@functools.cache
def _shape(hint: t.Any) -> _Shape:
    optional = t.get_origin(hint) in (t.Union, types.UnionType)
    if optional:
        hint = next(argument for argument in t.get_args(hint) if argument is not _NONE)
    listed = t.get_origin(hint) is tuple
    if listed:
        hint = t.get_args(hint)[0]
    return _Shape(optional, listed, hint, dataclasses.is_dataclass(hint))


def _decode(hint: t.Any, value: t.Any, place: str) -> t.Any:
    shape = _shape(hint)
    if value is None and shape.optional:
        return None
    if not shape.listed:
        return _decode_one(shape, value, place)
    if not isinstance(value, (list, tuple)):
        raise WrongShape(f"{place} is not a list")
    return tuple(_decode_one(shape, item, f"{place}[{number}]") for number, item in enumerate(value))


def _decode_one(shape: _Shape, value: t.Any, place: str) -> t.Any:
    if shape.dataclass:
        return decode(t.cast("type[t.Any]", shape.kind), value, place)
    if not isinstance(value, shape.kind) or (isinstance(value, bool) and shape.kind is int):
        raise WrongShape(f"{place} is not {_KINDS[shape.kind]}")
    return clean(value) if shape.kind is str else value
