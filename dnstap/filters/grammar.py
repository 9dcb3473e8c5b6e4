"""The parser of filter expressions, from text to a tree of tests. docs/filters.md has the grammar.

It is a recursive descent parser with one method for each rule of the grammar, and one token of look-ahead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from dnstap.errors import FilterError
from dnstap.fields.catalogue import FIELDS as CATALOGUE
from dnstap.fields.catalogue import check_installed
from dnstap.fields.kinds import NAME
from dnstap.filters.fields import ADDRESS_KINDS, EITHER_FIELD, FIELDS, FLAG, NETWORK_KINDS, OPERATORS, Field
from dnstap.filters.globs import glob_pattern, name_glob_pattern
from dnstap.filters.lists import MAX_WRONG, WrongLine, list_values
from dnstap.filters.patterns import Pattern
from dnstap.filters.values import unquoted
from dnstap.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MAX_DEPTH", "AllOf", "AnyOf", "Node", "Not", "Test", "fields_of", "parse_expression"]

MAX_DEPTH = 64
"""Nested parentheses and `not`s. The generated source nests as deeply, and Python's tokenizer allows 200 levels."""

_token_at = re.compile(
    r'(?P<list>@(?:"(?:[^"\\]|\\.)*"|[^\s()"=<>!~,]*))'
    # A date and a time with a blank between them are one word, as lines and documents print them.
    r'|(?P<word>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}[^\s()"=<>!~,]*(?: [+-][0-9]{2}:[0-9]{2})?'
    r'|[^\s()"=<>!~,]+)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>==|[!<>]=|[=<>~(),])|(?P<end>\Z)',
    re.DOTALL,
).match
# As in a shell, a comment begins where a word could: `a#b` is a word.
_blank_at = re.compile(r"\s+|#[^\n]*").match

_EXPECTED_FIELD = f"a field: one of {', '.join([*CATALOGUE, *EITHER_FIELD])}"
_EXPECTED_TEST = f"a test: (, not, has, flag, or {_EXPECTED_FIELD}"


class Test(NamedTuple):
    """One test of a field: an operator, "has" or "flag", and the values that it compares with.

    Attributes:
        values: a set for =, !=, in, not in and under (of the type Field.collect); otherwise a tuple of one or none.
    """

    field: Field
    operator: str
    values: Any = ()


class Not(NamedTuple):
    """True if its part is false."""

    part: Node


class AllOf(NamedTuple):
    """True if all parts are."""

    parts: tuple[Node, ...]


class AnyOf(NamedTuple):
    """True if one of the parts is."""

    parts: tuple[Node, ...]


Node = Test | Not | AllOf | AnyOf


class _Token(NamedTuple):
    """A word, a text, @ and a file, a mark such as `<=`, or the end.

    Attributes:
        kind: "word", "text", "list", "mark" or "end", the names of groups in _token_at.
        value: its characters; those of a text or file without the quotes and escapes.
        position: offset in the expression.
        shown: form for error messages.
    """

    kind: str
    value: str
    position: int
    shown: str


def parse_expression(text: str, *, files: bool = True) -> Node:
    """Parse an expression into a tree, and read the files that it names.

    Args: files: whether it may name files.
    Raises: FilterError; OSError: a file cannot be read.
    """
    return _Parser(text, files=files).parse()


def fields_of(node: Node) -> set[str]:
    """Return the names of the fields that a tree tests."""
    if isinstance(node, Test):
        return {node.field.name}
    parts = (node.part,) if isinstance(node, Not) else node.parts
    return set().union(*map(fields_of, parts))


class _Parser:
    """The parser of one expression; `_token` is the next token."""

    def __init__(self, text: str, *, files: bool) -> None:
        self._text = text
        self._files = files
        self._end = 0
        self._token = self._next_token()

    def parse(self) -> Node:
        node = self._any_of(0)
        if self._token.kind != "end":
            raise self._error("and, or, or the end")
        return node

    def _error(self, expected: str, token: _Token | None = None, hint: str = "") -> FilterError:
        token = token or self._token
        if token.kind == "list":
            hint = hint or "@ and a file are for in, not in and under; a text that begins with @ is written in quotes"
        return FilterError(self._text, token.position, expected, token.shown, hint)

    def _next_token(self) -> _Token:
        while blank := _blank_at(self._text, self._end):
            self._end = blank.end()
        position = self._end
        found = _token_at(self._text, position)
        if found is None:
            # Only two characters begin no token: a quote that is never closed, and a `!` without `=`.
            if self._text[position] == '"':
                raise FilterError(self._text, position, 'a text with a " at its end', "the end")
            raise FilterError(self._text, position, "!=", "'!'")
        self._end = found.end()
        kind = str(found.lastgroup)
        value = found[kind]
        shown = "the end" if kind == "end" else _shown(value)
        if kind == "text":
            value = unquoted(value)
        elif value.startswith('@"'):
            value = f"@{unquoted(value[1:])}"
        return _Token(kind, value, position, shown)

    def _take(self) -> _Token:
        token = self._token
        self._token = self._next_token()
        return token

    def _is(self, *values: str) -> bool:
        """Return whether the next token is one of these keywords or marks."""
        # A keyword in quotes is a value.
        return self._token.kind != "text" and self._token.value.lower() in values

    def _take_if(self, value: str) -> bool:
        """Take the next token if it is this keyword or mark, and return whether it was."""
        found = self._is(value)
        if found:
            self._take()
        return found

    def _any_of(self, depth: int) -> Node:
        parts = [self._all_of(depth)]
        while self._take_if("or"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all_of(self, depth: int) -> Node:
        parts = [self._negation(depth)]
        while self._take_if("and"):
            parts.append(self._negation(depth))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _negation(self, depth: int) -> Node:
        if self._is("not", "("):
            if depth == MAX_DEPTH:
                raise self._error(f"no more than {MAX_DEPTH} parentheses and nots within each other")
            if self._take().value != "(":
                return Not(self._negation(depth + 1))
            node = self._any_of(depth + 1)
            self._take_closing("and, or, or )")
            return node
        return self._test()

    def _take_closing(self, expected: str) -> None:
        if not self._take_if(")"):
            raise self._error(expected)

    def _test(self) -> Node:
        if self._take_if("has"):
            return self._test_each(self._fields(_EXPECTED_FIELD), "has", ())
        if self._take_if("flag"):
            return Test(FLAG, "flag", (self._value(FLAG, str.lower),))
        # `flags = AA` would be taken for `flag AA`, so each flag is tested by its name.
        if self._is(FLAG.name):
            raise self._error(f"flag and {FLAG.expected}")
        fields = self._fields(_EXPECTED_TEST)
        field = fields[0]
        operator = self._operator(field)
        if operator in ("~", "like"):
            return self._test_each(fields, operator, (self._pattern(operator, is_name=field.kind is NAME),))
        if operator == "under" or operator.endswith("in"):
            return self._test_each(fields, operator, field.collect(self._values(field, operator)))
        is_address = field.kind in ADDRESS_KINDS
        value = self._value(field, _without_prefix if is_address else str)
        values = field.collect((value,)) if operator in ("=", "!=") else (value,)
        return self._test_each(fields, operator, values)

    @staticmethod
    def _test_each(fields: list[Field], operator: str, values: Any) -> Node:
        """Return the test of one field, or of either of two."""
        tests = tuple([Test(field, operator, values) for field in fields])
        return tests[0] if len(tests) == 1 else AnyOf(tests)

    def _fields(self, expected: str) -> list[Field]:
        name = self._token.value.lower()
        names = EITHER_FIELD.get(name, (name,))
        if self._token.kind != "word" or names[0] not in FIELDS:
            raise self._error(expected, hint=did_you_mean(name, [*FIELDS, *EITHER_FIELD]))
        self._take()
        check_installed(FIELDS[names[0]].field)
        return [FIELDS[name] for name in names]

    def _operator(self, field: Field) -> str:
        if self._take_if("not"):
            if not self._take_if("in"):
                raise self._error("in")
            return "not in"
        operator = "=" if self._is("==") else self._token.value.lower()
        if not self._is(*field.operators, "=="):
            what = "an operator of this field" if self._is(*OPERATORS) else "an operator"
            hint = did_you_mean(self._token.value, field.operators)
            raise self._error(f"{what}: {', '.join(field.operators)} or not in", hint=hint)
        self._take()
        return operator

    def _values(self, field: Field, operator: str) -> Iterator[Any]:
        """Parse and yield one or more values in parentheses, which a single name or network does not need."""
        in_network = field.kind in NETWORK_KINDS
        field = field._replace(expected="a network or an address") if in_network else field
        if not self._take_if("("):
            # `in` without parentheses is allowed only where one value can hold many: a network, the names below a
            # name, or a file.
            if operator == "under" or in_network or self._token.kind == "list":
                yield from self._value_or_list(field)
                return
            raise self._error("( and values, or @ and a file")
        yield from self._value_or_list(field)
        while self._take_if(","):
            yield from self._value_or_list(field)
        self._take_closing(", or )")

    def _value_or_list(self, field: Field) -> Iterator[Any]:
        """Parse a value and yield it, or yield the values of a file."""
        token = self._token
        if token.kind != "list":
            yield self._value(field)
            return
        path = token.value[1:]
        if not self._files:
            raise self._error("a value: this expression must not name files")
        if not path or "\0" in path:
            raise self._error("@ and the name of a file")
        wrong: list[WrongLine] = []
        yield from list_values(path, field.parse_value, wrong)
        if wrong:
            raise self._wrong_lines(field, path, wrong)
        self._take()

    def _wrong_lines(self, field: Field, path: str, wrong: list[WrongLine]) -> FilterError:
        """Return the error of a file that has wrong lines."""
        first, *others = wrong
        hints = [] if first.expected else [field.hint(first.text)]
        if others:
            more = ", and the rest was not read" if len(wrong) == MAX_WRONG else ""
            hints.append(f"also wrong: line {', '.join([str(line.number) for line in others])}{more}")
        got = f"{_shown(first.text)} in line {first.number} of {path!r}"
        hint = "; ".join(filter(None, hints))
        return FilterError(self._text, self._token.position, first.expected or field.expected, got, hint)

    def _value(self, field: Field, prepare: Callable[[str], str] = str) -> Any:
        token = self._token
        if token.kind in ("word", "text"):
            try:
                value = field.parse_value(prepare(token.value))
            except (ValueError, KeyError):
                pass
            else:
                self._take()
                return value
            raise self._error(field.expected, hint=field.hint(token.value))
        raise self._error(field.expected)

    def _pattern(self, operator: str, *, is_name: bool) -> Pattern:
        expected = "a regular expression" if operator == "~" else "a glob such as ad?.*"
        token = self._token
        if token.kind not in ("word", "text"):
            raise self._error(expected)
        self._take()
        try:
            if operator == "like":
                return name_glob_pattern(token.value) if is_name else glob_pattern(token.value)
            # Names are in lower case, and the pattern may be in any.
            return Pattern(token.value, any_case=is_name)
        except ValueError as error:
            raise self._error(f"{expected} ({error})", token) from None


def _shown(text: str) -> str:
    """Return a text, or the beginning of a long one, for error messages."""
    return repr(text if len(text) <= 40 else text[:40] + "...")


def _without_prefix(word: str) -> str:
    # `=` compares with one address. A network needs `in`.
    if "/" in word:
        raise ValueError(word)
    return word
