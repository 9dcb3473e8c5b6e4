"""Filter expressions taken apart: text to a tree of tests. The grammar is in docs/filters.md."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from dnstap.errors import FilterError
from dnstap.filters.fields import BOTH, FIELDS, FLAG, OPERATORS, Field

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MAX_DEPTH", "All", "Either", "Node", "Not", "Test", "parsed"]

MAX_DEPTH = 64
"""Parentheses and `not`s within each other: what is made of them has as many within each other."""

_token_at = re.compile(
    r'(?P<word>[^\s()"=<>!~,]+)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>==|[!<>]=|[=<>~(),])|(?P<end>\Z)',
    re.DOTALL,
).match
_escapes = re.compile(r'\\(["\\])')

_A_FIELD = f"a field: one of {', '.join([*FIELDS, *BOTH])}"
_A_TEST = f"a test: (, not, has, flag, or {_A_FIELD}"


class Test(NamedTuple):
    """One comparison: a field, an operator or "has" or "flag", and the values."""

    field: Field
    operator: str
    values: tuple[Any, ...] = ()


class Not(NamedTuple):
    """What is so if its part is not."""

    part: Node


class All(NamedTuple):
    """What is so if all parts are."""

    parts: tuple[Node, ...]


class Either(NamedTuple):
    """What is so if one of the parts is."""

    parts: tuple[Node, ...]


Node = Test | Not | All | Either


class _Token(NamedTuple):
    """A word, a text (whose value is without its quotes), a mark, or the end."""

    kind: str
    value: str
    position: int
    came: str


def parsed(text: str) -> Node:
    """The tree of an expression.

    Raises: FilterError.
    """
    return _Parser(text).parse()


class _Parser:
    """Takes one expression apart, a token at a time."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = 0
        self._token = self._next()

    def parse(self) -> Node:
        node = self._either(0)
        if self._token.kind != "end":
            raise self._error("and, or, or the end")
        return node

    def _error(self, expected: str, token: _Token | None = None) -> FilterError:
        token = token or self._token
        return FilterError(self._text, token.position, expected, token.came)

    def _next(self) -> _Token:
        while self._text[self._end : self._end + 1].isspace():
            self._end += 1
        position = self._end
        found = _token_at(self._text, position)
        if found is None:
            if self._text[position] == '"':
                raise FilterError(self._text, position, 'a text with a " at its end', "the end")
            raise FilterError(self._text, position, "!=", "'!'")
        self._end = found.end()
        kind = str(found.lastgroup)
        value = found[kind]
        came = "the end" if kind == "end" else repr(value if len(value) <= 40 else value[:40] + "...")
        if kind == "text":
            value = _escapes.sub(r"\1", value[1:-1])
        return _Token(kind, value, position, came)

    def _take(self) -> _Token:
        token = self._token
        self._token = self._next()
        return token

    def _is(self, *values: str) -> bool:
        """Whether the next token is one of these keywords or marks."""
        return self._token.kind != "text" and self._token.value.lower() in values

    def _taken(self, value: str) -> bool:
        """Whether the next token was this keyword or mark, which is then taken."""
        found = self._is(value)
        if found:
            self._take()
        return found

    def _either(self, depth: int) -> Node:
        parts = [self._all(depth)]
        while self._taken("or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _all(self, depth: int) -> Node:
        parts = [self._not(depth)]
        while self._taken("and"):
            parts.append(self._not(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _not(self, depth: int) -> Node:
        if self._is("not", "("):
            if depth == MAX_DEPTH:
                raise self._error(f"no more than {MAX_DEPTH} parentheses and nots within each other")
            if self._take().value != "(":
                return Not(self._not(depth + 1))
            node = self._either(depth + 1)
            self._close("and, or, or )")
            return node
        return self._test()

    def _close(self, expected: str) -> None:
        if not self._taken(")"):
            raise self._error(expected)

    def _test(self) -> Node:
        if self._taken("has"):
            return self._of_each(self._fields(_A_FIELD), "has", ())
        if self._taken("flag"):
            return Test(FLAG, "flag", (self._value(FLAG, str.lower),))
        if self._is("flags"):
            raise self._error(f"flag and {FLAG.what}")
        fields = self._fields(_A_TEST)
        field = fields[0]
        operator = self._operator(field)
        if operator == "~":
            return self._of_each(fields, "~", (self._pattern(),))
        if operator == "under" or operator.endswith("in"):
            return self._of_each(fields, operator, self._values(field, operator))
        is_address = field.value is FIELDS["client"].value
        value = self._value(field, _no_network if is_address else str)
        return self._of_each(fields, operator, (value,))

    @staticmethod
    def _of_each(fields: list[Field], operator: str, values: tuple[Any, ...]) -> Node:
        tests = tuple([Test(field, operator, values) for field in fields])
        return tests[0] if len(tests) == 1 else Either(tests)

    def _fields(self, expected: str) -> list[Field]:
        name = self._token.value.lower()
        names = BOTH.get(name, (name,))
        if self._token.kind != "word" or names[0] not in FIELDS:
            raise self._error(expected)
        self._take()
        return [FIELDS[name] for name in names]

    def _operator(self, field: Field) -> str:
        if self._taken("not"):
            if not self._taken("in"):
                raise self._error("in")
            return "not in"
        operator = "=" if self._is("==") else self._token.value.lower()
        if not self._is(*field.operators, "=="):
            what = "an operator of this field" if self._is(*OPERATORS) else "an operator"
            raise self._error(f"{what}: {', '.join(field.operators)} or not in")
        self._take()
        return operator

    def _values(self, field: Field, operator: str) -> tuple[Any, ...]:
        """One or more values in parentheses; of names and networks one may stand without."""
        is_address = field.value is FIELDS["client"].value
        field = field._replace(what="a network or an address") if is_address else field
        if not self._taken("("):
            if operator == "under" or is_address:
                return (self._value(field),)
            raise self._error("( and values")
        values = [self._value(field)]
        while self._taken(","):
            values.append(self._value(field))
        self._close(", or )")
        return tuple(values)

    def _value(self, field: Field, prepare: Callable[[str], str] = str) -> Any:
        token = self._token
        if token.kind in ("word", "text"):
            try:
                value = field.value(prepare(token.value))
            except (ValueError, KeyError):
                pass
            else:
                self._take()
                return value
        raise self._error(field.what)

    def _pattern(self) -> re.Pattern[str]:
        token = self._token
        if token.kind not in ("word", "text"):
            raise self._error("a regular expression")
        self._take()
        try:
            return re.compile(token.value)
        except (re.error, OverflowError, RecursionError) as error:
            reason = str(error) or "too long"
            raise self._error(f"a regular expression ({reason})", token) from None


def _no_network(word: str) -> str:
    if "/" in word:
        raise ValueError(word)
    return word
