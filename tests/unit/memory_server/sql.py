# Copyright (c) 2026, dbtls contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As much of SQL as is asked here: tokens, expressions, SELECT over rows in memory.

A statement in a form that nobody has taught it is an AssertionError, so that the memory server never answers something
that a real one would not.
"""

from __future__ import annotations

import functools
import re
import typing as t

Value = t.Any
Row = t.Mapping[str, Value]
Function = t.Callable[..., Value]

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|/\*.*?\*/|--\s[^\n]*)
    | (?P<string>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
    | (?P<name>`(?:[^`]|``)*`)
    | (?P<variable>@@[A-Za-z_.]+)
    | (?P<number>\d+)
    | (?P<word>[A-Za-z_][A-Za-z0-9_$]*)
    | (?P<argument>%s)
    | (?P<sign><=|>=|<>|!=|[=<>(),.*@;-])
    """,
    re.DOTALL | re.VERBOSE,
)
# Where a backslash is an ordinary character.
_PLAIN_STRING = re.compile(r"'(?:[^']|'')*'", re.DOTALL)
_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}


class Unknown(AssertionError):
    """The memory server was asked for something that it has not been taught."""


class ServerError(Exception):
    """The server's answer is an error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


class Token(t.NamedTuple):
    """``text`` of a string or a quoted name is what it stands for."""

    kind: str
    text: str


def unquote(literal: str, *, backslash: bool = True) -> str:
    """What a string literal stands for."""
    quote, text = literal[0], literal[1:-1]
    if not backslash:
        return text.replace(quote * 2, quote)
    return re.sub(
        r"\\(.)|" + quote * 2,
        lambda match: quote if match.group(1) is None else _ESCAPES.get(match.group(1), match.group(1)),
        text,
        flags=re.DOTALL,
    )


@functools.lru_cache(maxsize=4096)
def tokens(text: str, backslash: bool = True) -> tuple[Token, ...]:
    """Its tokens, comments left out."""
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = None
        if not backslash and text[position] == "'":
            match = _PLAIN_STRING.match(text, position)
            if match:
                found.append(Token("string", unquote(match.group(), backslash=False)))
        if match is None:
            match = _TOKEN.match(text, position)
            if match is None:
                raise Unknown(f"no token at {text[position : position + 40]!r} of {text!r}")
            kind = str(match.lastgroup)
            if kind == "string":
                found.append(Token(kind, unquote(match.group())))
            elif kind == "name":
                found.append(Token("word", match.group()[1:-1].replace("``", "`")))
            elif kind != "space":
                found.append(Token(kind, match.group()))
        position = match.end()
    return tuple(found)


class Scope:
    """What an expression is evaluated in."""

    __slots__ = ("arguments", "functions", "rows", "variables")

    def __init__(
        self,
        functions: t.Mapping[str, Function],
        variables: t.Callable[[str], Value],
        arguments: t.Sequence[Value],
    ) -> None:
        self.rows: dict[str, Row] = {}
        self.functions = functions
        self.variables = variables
        self.arguments = arguments


class Expression(t.NamedTuple):
    """``exact``: compares with case, as the columns with the collation utf8_bin do. ``literal``: of a string."""

    value: t.Callable[[Scope], Value]
    exact: bool = False
    literal: str | None = None


# Names of users, and nothing else here, compare with case.
_EXACT = ("user", "proxied_user", "authentication_string")


def _fold(value: Value, exact: bool) -> Value:
    if isinstance(value, bytes):
        value = value.decode("utf-8")
    return value if exact or not isinstance(value, str) else value.lower()


def _equal(left: Value, right: Value, exact: bool) -> bool | None:
    if left is None or right is None:
        return None
    if isinstance(left, str) != isinstance(right, str) and not isinstance(left, bytes):
        return str(left) == str(right)
    return bool(_fold(left, exact) == _fold(right, exact))


@functools.lru_cache(maxsize=256)
def like(pattern: str) -> t.Pattern[str]:
    """LIKE as a regular expression."""
    parts = re.findall(r"\\?.", pattern, re.DOTALL)
    translated = "".join({"%": ".*", "_": "."}.get(part) or re.escape(part[-1]) for part in parts)
    return re.compile(translated + r"\Z", re.DOTALL | re.IGNORECASE)


class Parser:
    """Reads one statement, from left to right."""

    def __init__(self, text: str, backslash: bool = True) -> None:
        self.text = text
        self._tokens = tokens(text, backslash)
        self._at = 0
        self._arguments = 0

    def peek(self, ahead: int = 0) -> Token:
        """The next token."""
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else Token("end", "")

    def next(self) -> Token:
        """The next token, read."""
        found = self.peek()
        self._at += 1
        return found

    def word(self, *words: str) -> bool:
        """Read these words if they come next."""
        for ahead, wanted in enumerate(words):
            found = self.peek(ahead)
            if found.kind not in ("word", "sign") or found.text.upper() != wanted:
                return False
        self._at += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Read these words, which have to come next."""
        if not self.word(*words):
            raise self.unknown()

    def string(self) -> str:
        """Read a string."""
        found = self.next()
        if found.kind != "string":
            raise self.unknown()
        return found.text

    def number(self) -> int:
        """Read a whole number."""
        found = self.next()
        if found.kind != "number":
            raise self.unknown()
        return int(found.text)

    def end(self) -> None:
        """Nothing more may come."""
        self.word(";")
        if self.peek().kind != "end":
            raise self.unknown()

    def unknown(self) -> Unknown:
        """What to raise at this place."""
        return Unknown(f"the memory server does not know this statement (at {self.peek().text!r}): {self.text}")

    # Expressions

    def expression(self) -> Expression:
        """``a AND b OR c``."""
        parts = [self._conjunction()]
        while self.word("OR"):
            parts.append(self._conjunction())
        if len(parts) == 1:
            return parts[0]
        values = [part.value for part in parts]
        return Expression(lambda scope: any(value(scope) for value in values))

    def _conjunction(self) -> Expression:
        parts = [self._negation()]
        while self.word("AND"):
            parts.append(self._negation())
        if len(parts) == 1:
            return parts[0]
        values = [part.value for part in parts]
        return Expression(lambda scope: all(value(scope) for value in values))

    def _negation(self) -> Expression:
        if self.word("NOT"):
            value = self._negation().value
            return Expression(lambda scope: not value(scope))
        return self._comparison()

    def _comparison(self) -> Expression:
        left = self._primary()
        if self.word("IS", "NOT", "NULL"):
            return Expression(lambda scope: left.value(scope) is not None)
        if self.word("IS", "NULL"):
            return Expression(lambda scope: left.value(scope) is None)
        negated = self.word("NOT")
        if self.word("IN"):
            return self._negated(self._in(left), negated)
        if self.word("LIKE"):
            pattern = self._primary().value
            return self._negated(
                Expression(lambda scope: bool(like(str(pattern(scope))).match(str(left.value(scope) or "")))), negated
            )
        if negated:
            raise self.unknown()
        sign = self.peek()
        if sign.kind == "sign" and sign.text in ("=", "<>", "!=", "<", ">", "<=", ">="):
            self.next()
            return self._compared(sign.text, left, self._primary())
        return left

    @staticmethod
    def _negated(inner: Expression, negated: bool) -> Expression:
        return Expression(lambda scope: not inner.value(scope)) if negated else inner

    def _in(self, left: Expression) -> Expression:
        self.expect("(")
        if self.peek().text == "(":  # (a, b) IN ((1, 2), ...) is not needed so far
            raise self.unknown()
        choices = [self.expression()]
        while self.word(","):
            choices.append(self.expression())
        self.expect(")")
        literals = [choice.literal for choice in choices]
        if not left.exact and all(isinstance(literal, str) for literal in literals):
            folded = frozenset(str(literal).lower() for literal in literals)
            return Expression(lambda scope: _fold(left.value(scope), exact=False) in folded)

        def value(scope: Scope) -> bool:
            found = left.value(scope)
            return any(_equal(found, choice.value(scope), left.exact or choice.exact) for choice in choices)

        return Expression(value)

    @staticmethod
    def _compared(sign: str, left: Expression, right: Expression) -> Expression:
        exact = left.exact or right.exact
        a, b = left.value, right.value
        if sign == "=":
            return Expression(lambda scope: _equal(a(scope), b(scope), exact))
        if sign in ("<>", "!="):

            def differs(scope: Scope) -> bool | None:
                same = _equal(a(scope), b(scope), exact)
                return None if same is None else not same

            return Expression(differs)
        compare: dict[str, t.Callable[[Value, Value], bool]] = {
            "<": lambda x, y: bool(x < y),
            ">": lambda x, y: bool(x > y),
            "<=": lambda x, y: bool(x <= y),
            ">=": lambda x, y: bool(x >= y),
        }
        return Expression(lambda scope: compare[sign](a(scope), b(scope)))

    def _primary(self) -> Expression:
        token = self.next()
        if token.kind == "string":
            return Expression(lambda scope: token.text, literal=token.text)
        if token.kind == "number":
            number = int(token.text)
            return Expression(lambda scope: number)
        if token.kind == "argument":
            index = self._arguments
            self._arguments += 1
            return Expression(lambda scope: scope.arguments[index])
        if token.kind == "variable":
            name = token.text[2:].lower()
            return Expression(lambda scope: scope.variables(name))
        if token.text == "(":
            inner = self.expression()
            self.expect(")")
            return inner
        if token.kind != "word":
            raise self.unknown()
        upper = token.text.upper()
        if upper in ("TRUE", "FALSE"):
            return Expression(lambda scope: upper == "TRUE")
        if upper == "NULL":
            return Expression(lambda scope: None)
        if self.word("("):
            return self._call(upper)
        return self._column(token.text.lower())

    def _call(self, name: str) -> Expression:
        arguments: list[Expression] = []
        if self.word("*"):
            self.expect(")")
        elif not self.word(")"):
            arguments.append(self.expression())
            while self.word(","):
                arguments.append(self.expression())
            self.expect(")")
        text = self.text

        def value(scope: Scope) -> Value:
            function = scope.functions.get(name)
            if function is None:
                raise Unknown(f"the memory server does not know the function {name}: {text}")
            return function(*[argument.value(scope) for argument in arguments])

        return Expression(value, exact=name in ("CURRENT_USER", "USER"))

    def _column(self, name: str) -> Expression:
        alias = None
        if self.word("."):
            alias, name = name, self.next().text.lower()
        text = self.text

        def value(scope: Scope) -> Value:
            rows = [scope.rows[alias]] if alias in scope.rows else ([] if alias else scope.rows.values())
            for row in rows:
                if name in row:
                    return row[name]
            raise ServerError(1054, f"Unknown column '{name}' in {text!r}")

        return Expression(value, exact=name in _EXACT)

    # SELECT

    def select(self) -> Select:
        """What follows the word SELECT, to the end."""
        columns = [self.expression()]
        self._alias()
        while self.word(","):
            columns.append(self.expression())
            self._alias()
        tables: list[tuple[str, str]] = []
        conditions: list[Expression] = []
        joined: list[Expression | None] = [None]
        if self.word("FROM"):
            tables.append(self._table())
            while self.word("JOIN") or self.word("INNER", "JOIN"):
                tables.append(self._table())
                self.expect("ON")
                joined.append(self.expression())
        if self.word("WHERE"):
            conditions.append(self.expression())
        order: list[Expression] = []
        if self.word("ORDER", "BY"):
            order.append(self.expression())
            while self.word(","):
                order.append(self.expression())
        limit = self.number() if self.word("LIMIT") else None
        self.end()
        return Select(self.text, columns, tables, joined, conditions, order, limit)

    def _alias(self) -> None:
        if self.word("AS"):
            self.next()

    def _table(self) -> tuple[str, str]:
        schema = self.next().text.lower()
        self.expect(".")
        table = self.next().text.lower()
        alias = table
        if self.peek().kind == "word" and self.peek().text.upper() not in (
            "JOIN", "INNER", "ON", "WHERE", "ORDER", "LIMIT"
        ):  # fmt: skip
            alias = self.next().text.lower()
        return f"{schema}.{table}", alias


class Select(t.NamedTuple):
    """A SELECT, ready to run."""

    text: str
    columns: list[Expression]
    tables: list[tuple[str, str]]
    joined: list[Expression | None]
    conditions: list[Expression]
    order: list[Expression]
    limit: int | None

    def run(self, scope: Scope, table: t.Callable[[str], t.Sequence[Row]]) -> list[tuple[Value, ...]]:
        """Its rows. ``table`` gives the rows of a table by name, or raises."""
        found: list[tuple[t.Any, ...]] = []
        sources = [(alias, table(name), on) for (name, alias), on in zip(self.tables, self.joined)]
        columns = [column.value for column in self.columns]
        for _unused in self._joined(scope, sources):
            if all(condition.value(scope) for condition in self.conditions):
                row = tuple([_plain(value(scope)) for value in columns])
                found.append((tuple(part.value(scope) for part in self.order), row))
        if self.order:
            found.sort(key=lambda pair: pair[0])
        return [row for _order, row in found][: self.limit]

    def _joined(self, scope: Scope, sources: list[tuple[str, t.Sequence[Row], Expression | None]]) -> t.Iterator[None]:
        if not sources:
            yield None
            return
        (alias, rows, on), rest = sources[0], sources[1:]
        for row in rows:
            scope.rows[alias] = row
            if on is None or on.value(scope):
                yield from self._joined(scope, rest)


def _plain(value: Value) -> Value:
    return int(value) if isinstance(value, bool) else value


@functools.lru_cache(maxsize=1024)
def parse_select(text: str, backslash: bool = True) -> Select:
    """A statement that begins with SELECT."""
    parser = Parser(text, backslash)
    parser.expect("SELECT")
    return parser.select()


@functools.lru_cache(maxsize=1024)
def parse_condition(text: str, backslash: bool = True) -> Expression:
    """What follows a WHERE."""
    parser = Parser(text, backslash)
    found = parser.expression()
    parser.end()
    return found
