"""A tree of tests to one function.

Its source is generated: of the tests it has what fields.py says, and names of constants. Values, which come from the
expression, are those constants, and never source. A test raises nothing and changes nothing, so the order in which
tests are made does not matter, and those that are cheap come first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dnstap.dns.escapes import raw_text
from dnstap.dns.memo import Memo
from dnstap.filters.fields import FIELDS, NAME
from dnstap.filters.grammar import All, Either, Node, Not, Test
from dnstap.filters.values import in_networks
from dnstap.filters.wires import name_text, questions, under, wholes, zones
from dnstap.schema.fields import MessageFields, rows
from dnstap.schema.meaning import DIRECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["compiled"]

_RCODE, _ADDRESSES = FIELDS["rcode"], (FIELDS["client"], FIELDS["server"])

_PROLOGUE = """\
def matches(d):
    m = d.message
    if m is None: m = nothing
    k = direction(m.type)
"""
# As dnstap.schema.meaning.own_wire; k is None for a type that does not say which DNS message is its own.
_WIRE = """\
    w = m.query_message if k or (k is None and m.response_message is None) else m.response_message
    q = r = None
"""

_Nothing = type("_Nothing", (), dict.fromkeys([row.name for row in rows(MessageFields)]))


def compiled(tree: Node) -> tuple[Callable[[Any], bool], frozenset[str]]:
    """The function from a Dnstap to whether it matches; and the attributes that it reads, the types not counted."""
    code = _Code()
    _, source = code.source(tree)
    body = _WIRE if "query_message" in code.kept else ""
    exec(f"{_PROLOGUE}{body}    return True if {source} else False", code.space)  # noqa: S102 (see above)
    matches: Callable[[Any], bool] = code.space["matches"]
    return matches, frozenset(code.kept)


class _Code:
    """The source of a tree, what is constant in it, and what it reads."""

    def __init__(self) -> None:
        self.kept: set[str] = set()
        self.space: dict[str, Any] = {
            "nothing": _Nothing(),
            "direction": DIRECTIONS.get,
            "ask": questions(),
            "whole": wholes(),
            "zone": zones(),
        }
        self._constants = 0

    def source(self, node: Node) -> tuple[int, str]:
        """The cost of a node, and its source in parentheses."""
        if isinstance(node, Test):
            self.kept.update(node.field.kept.split())
            dearer = 3 if node.operator in ("~", "under") else 0
            return node.field.cost + dearer, f"({self._test(node)})"
        if isinstance(node, Not):
            cost, source = self.source(node.part)
            return cost, f"(not {source})"
        parts = sorted([self.source(part) for part in _flat(node)], key=lambda part: part[0])
        word = " and " if isinstance(node, All) else " or "
        return sum(cost for cost, _ in parts), f"({word.join([source for _, source in parts])})"

    def _constant(self, value: Any) -> str:
        name = f"k{self._constants}"
        self._constants += 1
        self.space[name] = value
        return name

    def _test(self, test: Test) -> str:
        field, operator, values = test
        source = field.source
        there = f"(v := {source}) is not None and "
        if operator == "has":
            return f"{source} is not None"
        if operator == "flag":
            return f"{there}v & {self._constant(values[0])}"
        if operator == "~":
            search = self._name_search(values[0]) if field.operators is NAME else _text_search(values[0])
            return f"{there}{self._constant(search)}(v)"
        if operator == "under":
            # Where one is asked for, most names do not even end so.
            ends = f"v.endswith({self._constant(values[0])}) and " if len(values) == 1 else ""
            return f"{there}{ends}{self._constant(under(frozenset(values)))}(v)"
        if operator not in ("=", "!=", "in", "not in"):
            return f"{there}v {operator} {self._constant(values[0])}"
        negated = operator in ("!=", "not in")
        if field in _ADDRESSES:
            if any(network.shift for network in values):
                return f"{there}{'not ' if negated else ''}{self._constant(in_networks(values))}(v)"
            values = tuple([octets for network in values for octets in network.addresses()])
        if negated:
            return f"{source} not in {self._constant(frozenset((None, *values)))}"
        before = ""
        if field is _RCODE:
            # The lower bits are in the header, and of most messages they are others.
            before = f"w and len(w) > 11 and w[3] & 15 in {self._constant(frozenset([v & 15 for v in values]))} and "
        if len(values) == 1:
            return f"{before}{source} == {self._constant(values[0])}"
        return f"{before}{source} in {self._constant(frozenset(values))}"

    def _name_search(self, pattern: re.Pattern[str]) -> Callable[[bytes], bool]:
        search = re.compile(pattern.pattern, pattern.flags | re.IGNORECASE).search
        known: Memo[bool] = Memo(16384)

        def found(name: bytes) -> bool:
            answer = known.get(name)
            return known.keep(name, search(name_text(name)) is not None) if answer is None else answer

        return found


def _flat(node: All | Either) -> list[Node]:
    """The parts of a node, and those of parts of its kind."""
    parts: list[Node] = []
    for part in node.parts:
        parts += _flat(part) if isinstance(part, All | Either) and type(part) is type(node) else [part]
    return parts


def _text_search(pattern: re.Pattern[str]) -> Callable[[bytes], bool]:
    search = pattern.search
    return lambda octets: search(raw_text(octets)) is not None
