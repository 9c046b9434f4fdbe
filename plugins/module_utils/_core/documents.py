# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON documents as dataclasses, and back: the annotations say what a document has to be, an error where it is not.

A field is a text, a whole number, true or false, a dictionary that is taken as it is, another dataclass, or a
``tuple[..., ...]`` of one of these; ``| None`` allows null, and ``Annotated[str, 40]`` is at most 40 characters long.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import sys
import typing as t
from collections.abc import Mapping

T = t.TypeVar("T")
_Decoder = t.Callable[[t.Any], t.Any]

# Half of a pair that UTF-16 needs two of: JSON can say it, UTF-8 cannot.
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
_KINDS: dict[type, str] = {int: "a whole number", bool: "true or false", dict: "a dictionary"}
_OR_NONE = " | None"
# Of what a server calls something; TEXT, as the parts of a requirement are.
_LONGEST = 65535


class WrongShape(ValueError):
    """A value is missing, or not of the type that it has to be; the message names the place."""


class _Wrong(Exception):
    """What is wrong with a value, and the place, which is known from the inside out."""

    def __init__(self, what: str, place: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.place = place

    def inside(self, part: str) -> _Wrong:
        dot = "." if self.place and not self.place.startswith("[") else ""
        return _Wrong(self.what, f"{part}{dot}{self.place}")


def load(content: bytes | str) -> t.Any:
    """Plain values from JSON.

    :raises WrongShape: when it is not JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as e:
        raise WrongShape("it is not JSON") from e


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


def decode(kind: type[T], value: t.Any, place: str = "", *, exact: bool = False) -> T:
    """A dataclass from a dictionary. Keys that it has no field for are left alone: a later version may add some.

    :arg place: Where the value is, for the message.
    :arg exact: Whether texts are what a server calls something, and stay as they are. Else they can be written in UTF-8
        afterwards, whatever they were, and have any length.
    :raises WrongShape: when it is not one.
    """
    try:
        return t.cast("T", _decoder(t.cast("t.Hashable", kind), exact)(value))
    except _Wrong as e:
        found = e.inside(place) if place else e
        raise WrongShape(f"{found.place or 'the whole'} {found.what}") from None


def clean(text: str) -> str:
    """The text as it can be written in UTF-8, and nothing but text: a tagged string of Ansible's loses its tags."""
    text = str.__str__(text)
    return text if text.isascii() else text.translate(_SURROGATES)


# What annotations say is worked out once: a large fleet has a million values.
@functools.cache
def _decoder(kind: t.Any, exact: bool) -> _Decoder:
    fields = dataclasses.fields(kind)
    # Python 3.9 cannot evaluate the bar.
    texts = {field.name: str(field.type).removesuffix(_OR_NONE) for field in fields}
    namespace = {"__annotations__": texts, "__module__": kind.__module__}
    hints = t.get_type_hints(type(kind.__name__, (), namespace), include_extras=True)
    wanted = [(field.name, *_of_field(field, hints[field.name], exact)) for field in fields]

    def decoder(value: t.Any) -> t.Any:
        if not isinstance(value, Mapping):
            raise _Wrong("is not a dictionary")
        given = {}
        for name, required, of_value in wanted:
            if name in value:
                try:
                    given[name] = of_value(value[name])
                except _Wrong as e:
                    raise e.inside(name) from None
            elif required:
                raise _Wrong("is missing", name)
        return kind(**given)

    return decoder


def _of_field(field: dataclasses.Field[t.Any], hint: t.Any, exact: bool) -> tuple[bool, _Decoder]:
    """Whether a field has to be given, and what decodes it."""
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    listed = t.get_origin(hint) is tuple
    if listed:
        hint = t.get_args(hint)[0]
    longest = _LONGEST
    if t.get_origin(hint) is t.Annotated:
        hint, longest = t.get_args(hint)
    kind = t.get_origin(hint) or hint
    if dataclasses.is_dataclass(kind):
        of_value = _decoder(t.cast("t.Hashable", kind), exact)
    else:
        of_value = _of_text(longest, exact) if kind is str else _of_kind(kind)
    if listed:
        of_value = _of_list(of_value)
    if not str(field.type).endswith(_OR_NONE):
        return required, of_value
    return required, lambda value: None if value is None else of_value(value)


def _of_list(of_item: _Decoder) -> _Decoder:
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


def _of_kind(kind: t.Any) -> _Decoder:
    def decoder(value: t.Any) -> t.Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise _Wrong(f"is not {_KINDS[kind]}")
        return value

    return decoder


def _of_text(longest: int, exact: bool) -> _Decoder:
    def decoder(value: t.Any) -> t.Any:
        if not isinstance(value, str):
            raise _Wrong("is not text")
        if not exact:
            # The same texts are on thousands of servers.
            return sys.intern(clean(value))
        if len(value) > longest:
            raise _Wrong(f"has more than {longest} characters")
        try:
            # As names are sent to a server; bytes that are no UTF-8 stay what they are.
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as e:
            raise _Wrong("is not text") from e
        if "\0" in value:
            raise _Wrong("has a null byte")
        return value

    return decoder
