# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON documents as dataclasses, and back: the annotations say what a document has to be, an error where it is not.

A field is a text, a whole number, true or false, a dictionary that is taken as it is, another dataclass, or a
``tuple[..., ...]`` of one of these; ``| None`` allows null, and ``Annotated[str, 40]`` is at most 40 characters long.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

T = t.TypeVar("T")

# Half of a pair that UTF-16 needs two of: JSON can say it, UTF-8 cannot.
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
_KINDS: dict[type, str] = {str: "text", int: "a whole number", bool: "true or false", dict: "a dictionary"}
_OR_NONE = " | None"
# Of what a server calls something; TEXT, as the parts of a requirement are.
_LONGEST = 65535


class WrongShape(ValueError):
    """A value is missing, or not of the type that it has to be; the message names the place."""


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
        return {name: encode(getattr(value, name)) for name in _shapes(type(value))}
    return value


def decode(kind: type[T], value: t.Any, place: str = "", *, exact: bool = False) -> T:
    """A dataclass from a dictionary. Keys that it has no field for are left alone: a later version may add some.

    :arg place: Where the value is, for the message.
    :arg exact: Whether texts are what a server calls something, and stay as they are. Else they can be written in UTF-8
        afterwards, whatever they were, and have any length.
    :raises WrongShape: when it is not one.
    """
    if not isinstance(value, t.Mapping):
        raise WrongShape(f"{place or 'the whole'} is not a dictionary")
    given = {}
    for name, shape in _shapes(kind).items():
        where = f"{place}.{name}" if place else name
        if name in value:
            given[name] = _decode(shape, value[name], where, exact)
        elif shape.required:
            raise WrongShape(f"{where} is missing")
    return kind(**given)


def clean(text: str) -> str:
    """The text as it can be written in UTF-8, and nothing but text: a tagged string of Ansible's loses its tags."""
    text = str.__str__(text)
    return text if text.isascii() else text.translate(_SURROGATES)


class _Shape(t.NamedTuple):
    """What a field takes."""

    required: bool
    optional: bool
    listed: bool
    longest: int
    kind: t.Any
    dataclass: bool


_known: dict[type, dict[str, _Shape]] = {}


def _shapes(kind: type) -> dict[str, _Shape]:
    if kind not in _known:
        fields = dataclasses.fields(t.cast("t.Any", kind))
        # Python 3.9 cannot evaluate the bar.
        texts = {field.name: str(field.type).removesuffix(_OR_NONE) for field in fields}
        namespace = {"__annotations__": texts, "__module__": kind.__module__}
        hints = t.get_type_hints(type(kind.__name__, (), namespace), include_extras=True)
        _known[kind] = {field.name: _shape(field, hints[field.name]) for field in fields}
    return _known[kind]


def _shape(field: dataclasses.Field[t.Any], hint: t.Any) -> _Shape:
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    listed = t.get_origin(hint) is tuple
    if listed:
        hint = t.get_args(hint)[0]
    longest = _LONGEST
    if t.get_origin(hint) is t.Annotated:
        hint, longest = t.get_args(hint)
    kind = t.get_origin(hint) or hint
    return _Shape(required, str(field.type).endswith(_OR_NONE), listed, longest, kind, dataclasses.is_dataclass(kind))


def _decode(shape: _Shape, value: t.Any, place: str, exact: bool) -> t.Any:
    if value is None and shape.optional:
        return None
    if not shape.listed:
        return _decode_one(shape, value, place, exact)
    if not isinstance(value, (list, tuple)):
        raise WrongShape(f"{place} is not a list")
    return tuple(_decode_one(shape, item, f"{place}[{number}]", exact) for number, item in enumerate(value))


def _decode_one(shape: _Shape, value: t.Any, place: str, exact: bool) -> t.Any:
    kind = shape.kind
    if shape.dataclass:
        return decode(t.cast("type[t.Any]", kind), value, place, exact=exact)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise WrongShape(f"{place} is not {_KINDS[kind]}")
    if kind is not str:
        return value
    if not exact:
        return clean(value)
    if len(value) > shape.longest:
        raise WrongShape(f"{place} has more than {shape.longest} characters")
    try:
        # As names are sent to a server; bytes that are no UTF-8 stay what they are.
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as e:
        raise WrongShape(f"{place} is not text") from e
    if "\0" in value:
        raise WrongShape(f"{place} has a null byte")
    return value
