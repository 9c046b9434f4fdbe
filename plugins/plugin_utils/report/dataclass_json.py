# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Typed data from plain values and back, with an error that says where a value is wrong."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing as t
from collections.abc import Mapping

T = t.TypeVar("T")

# Half of a pair that UTF-16 needs two of: JSON can say it, UTF-8 cannot.
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
_KINDS: dict[type, str] = {str: "text", int: "a whole number", bool: "true or false"}

_NONE = type(None)
_Decoder = t.Callable[[t.Any], t.Any]


class WrongShape(Exception):
    """A value is missing, or not of the type that it has to be; the message names the place."""


class _Wrong(Exception):
    """What is wrong with a value, and the place, which is known from the inside out."""

    def __init__(self, what: str, place: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.place = place

    def inside(self, part: str) -> _Wrong:
        rest = self.place if not self.place or self.place.startswith("[") else f".{self.place}"
        return _Wrong(self.what, part + rest)


def encode(value: t.Any) -> t.Any:
    """Dataclasses as dictionaries and tuples as lists, all the way down."""
    # Most values, of which a large fleet has a million.
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {name: encode(item) for name, item in vars(value).items()}
    return value


def decode(kind: type[T], value: t.Any, place: str = "") -> T:
    """A dataclass from a dictionary. Keys that it has no field for are left alone: a later version may add some.

    :arg place: Where the value is, for the message.
    :raises WrongShape: when it is not one.
    """
    try:
        return t.cast("T", _decoder_of_class(t.cast("t.Hashable", kind))(value))
    except _Wrong as e:
        where = e.inside(place) if place else e
        raise WrongShape(f"{where.place or 'the whole'} {e.what}") from None


def clean(text: str) -> str:
    """The text as it can be written in UTF-8, and nothing but text.

    The text of ansible-core before 2.19 that must not be evaluated stays of its own class through ``str()``.
    """
    text = str.__str__(text)
    return text if text.isascii() else text.translate(_SURROGATES)


# What a type says is worked out once: a large fleet has a million values.
@functools.cache
def _decoder_of_class(kind: t.Any) -> _Decoder:
    hints = t.get_type_hints(kind)
    missing = dataclasses.MISSING
    fields = [
        (field.name, _decoder(hints[field.name]), field.default is missing and field.default_factory is missing)
        for field in dataclasses.fields(kind)
    ]

    def decoder(value: t.Any) -> t.Any:
        if not isinstance(value, Mapping):
            raise _Wrong("is not a dictionary")
        given = {}
        for name, decode_field, required in fields:
            if name in value:
                try:
                    given[name] = decode_field(value[name])
                except _Wrong as e:
                    raise e.inside(name) from None
            elif required:
                raise _Wrong("is missing", name)
        return kind(**given)

    return decoder


def _decoder(hint: t.Any) -> _Decoder:
    if t.get_origin(hint) in (t.Union, types.UnionType):
        of_value = _decoder(next(argument for argument in t.get_args(hint) if argument is not _NONE))
        return lambda value: None if value is None else of_value(value)
    if t.get_origin(hint) is tuple:
        return _decoder_of_list(_decoder(t.get_args(hint)[0]))
    is_class = dataclasses.is_dataclass(hint)
    return _decoder_of_class(t.cast("t.Hashable", hint)) if is_class else _decoder_of_value(hint)


def _decoder_of_list(of_item: _Decoder) -> _Decoder:
    def decoder(value: t.Any) -> t.Any:
        if not isinstance(value, (list, tuple)):
            raise _Wrong("is not a list")
        found = []
        for number, item in enumerate(value):
            try:
                found.append(of_item(item))
            except _Wrong as e:
                raise e.inside(f"[{number}]") from None
        return tuple(found)

    return decoder


def _decoder_of_value(kind: type) -> _Decoder:
    wrong = f"is not {_KINDS[kind]}"

    def text(value: t.Any) -> t.Any:
        if not isinstance(value, str):
            raise _Wrong(wrong)
        return clean(value)

    def number(value: t.Any) -> t.Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _Wrong(wrong)
        return value

    return text if kind is str else number
