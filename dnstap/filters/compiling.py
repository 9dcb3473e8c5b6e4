"""The compiler of filters, from a tree of tests to one Python function.

The function is generated: composed of ordinary functions, one for each field and test, the filter below takes 1.2 times
as long, and one of five cheap tests 2.5 times (CPython 3.11, on the messages of the captures in tests/data).

For `type = CQ and qname under example.org` it is

    def matches(dnstap):
        message = dnstap.message
        if message is None:
            message = no_message
        is_query = direction(message.type)
        if is_query or (is_query is None and message.response_message is None):
            wire = message.query_message
        else:
            wire = message.response_message
        question = outcome = edns = sections = None
        return True if (
            (message.type == constant_0)
            and ((value := (question or (question := read_question(wire)))[0]) is not None
                and value.endswith(constant_1)
                and constant_2(value))
        ) else False

Its source consists of the expressions of the catalogue (dnstap/fields/) and of names. Values come from the user's
expression: they are constants in the namespace of the function, and never source.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dnstap._generated import compile_function
from dnstap.dns.bounded_cache import BoundedCache
from dnstap.dns.escapes import raw_text
from dnstap.fields import kinds
from dnstap.fields.generated import beginning, namespace
from dnstap.filters.fields import ADDRESS_KINDS, LIST_KINDS
from dnstap.filters.globs import name_glob_text
from dnstap.filters.grammar import AllOf, AnyOf, Node, Not, Test
from dnstap.filters.values import Time, subdomain_matcher, times_matcher

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from dnstap.peer import CurrentPeer

__all__ = ["compile_tree"]

MAX_TEXTS = 16384
"""Names or texts for which the answer of `~`, `like` or `under` is remembered: as many as in the other caches."""

MAX_LENGTH = 256
"""Length in bytes from which on they are not remembered; no name is longer."""

DAY_NS = 86_400_000_000_000
"""Nanoseconds of a day."""

SEARCH_COST = 3
"""Cost of `~`, `like` and `under` beside that of reading the field, in the unit of Field.cost."""


def compile_tree(
    tree: Node, time_zone: str = "utc", peer: CurrentPeer | None = None, now_ns: int = 0
) -> tuple[Callable[[Any], bool], frozenset[str]]:
    """Compile a tree.

    Args:
        time_zone: of times that are written without a zone, see dnstap.rendering.times.utc_offsets.
        peer: the sender of each message that the function is called with.
        now_ns: the time, in nanoseconds since 1970, that relative times count from.
    Raises: ValueError: unknown time zone.
    Returns: the function that returns whether a Dnstap matches, and the attributes that it reads, beside both types.
    """
    generator = _Generator(_local_time(time_zone), peer, now_ns)
    _, condition = generator.condition(tree)
    # A condition may give any object, such as the bits of a flag; callers get True or False.
    body = f"    return True if {condition} else False\n"
    source = beginning("matches", body, generator.reads) + body
    return compile_function("Filter.matches", source, generator.namespace), frozenset(generator.reads)


class _Generator:
    """The generator of one function's source.

    Attributes:
        reads: attributes of the Dnstap and its Message that the source needs.
        namespace: globals of the function, the constants among them.
    """

    def __init__(self, local_time: Callable[[int], int] | None, peer: CurrentPeer | None, now_ns: int) -> None:
        self.reads: set[str] = set()
        self._now_ns = now_ns
        self._has_zone = local_time is not None
        self.namespace = {**namespace(peer), "local_time": local_time}
        self._constants = 0

    def condition(self, node: Node, indent: str = "    ") -> tuple[int, str]:
        """Return the cost and the source of a node, in parentheses; `indent` is that of the line where it begins."""
        deeper = indent + "    "
        if isinstance(node, Test):
            field = node.field.field
            self.reads.update(field.reads.split())
            cost = field.cost + (SEARCH_COST if node.operator in ("~", "like", "under") else 0)
            lines = f"\n{deeper}and ".join(self._test(node, field.source))
            return cost, f"({lines})"
        if isinstance(node, Not):
            cost, source = self.condition(node.part, indent)
            return cost, f"(not {source})"
        # The order makes no difference to the answer, since expressions neither raise nor depend on each other.
        parts = sorted([self.condition(part, deeper) for part in _flattened(node)], key=lambda part: part[0])
        operator = "and" if isinstance(node, AllOf) else "or"
        lines = f"\n{deeper}{operator} ".join([source for _, source in parts])
        return sum([cost for cost, _ in parts]), f"(\n{deeper}{lines}\n{indent})"

    def _constant(self, value: Any) -> str:
        """Return the name of a new constant."""
        name = f"constant_{self._constants}"
        self._constants += 1
        self.namespace[name] = value
        return name

    def _test(self, test: Test, source: str) -> list[str]:
        """Return the conditions that must all be true. An absent field, None, matches nothing, not even `!=`."""
        field, operator, values = test
        present = f"(value := {source}) is not None"
        if operator == "has":
            return [f"{source} is not None"]
        if operator == "flag":
            return [present, f"value & {self._constant(values[0])}"]
        if field.kind in LIST_KINDS:
            return [present, self._list_test(operator, values)]
        if operator in ("~", "like"):
            of_name = kinds.name_text if operator == "~" else name_glob_text
            text_of = of_name if field.kind is kinds.NAME else raw_text
            search = values[0].search
            found = _remembered(lambda value: search(text_of(value)))
            return [present, f"{self._constant(found)}(value)"]
        if operator == "under":
            # Most names do not even end with the bytes of a single name, which is quicker to see.
            ending = [f"value.endswith({self._constant(next(iter(values)))})"] if len(values) == 1 else []
            below = subdomain_matcher(values)
            return [present, *ending, f"{self._constant(below if ending else _remembered(below))}(value)"]
        if field.kind is kinds.TIME:
            return [present, self._time_test(operator, values)]
        if operator not in ("=", "!=", "in", "not in"):
            return [present, f"value {operator} {self._constant(values[0])}"]
        negated = "not " if operator in ("!=", "not in") else ""
        if field.kind in ADDRESS_KINDS:
            # A few single addresses are compared as bytes by one look-up. Networks need numbers.
            addresses = values.addresses()
            if addresses is None:
                return [present, f"{negated}{self._constant(values.contains)}(value)"]
            values = addresses
        if field.kind is kinds.SUBNET:
            if operator.endswith("in"):
                return [present, f"{negated}{self._constant(values.contains_network)}(value)"]
            values = frozenset(values)
        if negated:
            return [present, f"value not in {self._constant(values)}"]
        conditions = []
        if field.kind is kinds.RCODE:
            # Most messages have another rcode in the header already, so the rest need not be parsed.
            lower_bits = self._constant(frozenset([value & 15 for value in values]))
            conditions = ["wire", "len(wire) > 11", f"wire[3] & 15 in {lower_bits}"]
        if len(values) == 1:
            return [*conditions, f"{source} == {self._constant(next(iter(values)))}"]
        return [*conditions, f"{source} in {self._constant(values)}"]

    def _list_test(self, operator: str, values: Any) -> str:
        """Return the condition that one of several values in `value` passes a test; of `!=`, that none is equal."""
        if operator in ("~", "like"):
            return f"any(map({self._constant(values[0].search)}, value))"
        if operator in ("<", "<=", ">", ">="):
            return f"any([one {operator} {self._constant(values[0])} for one in value])"
        # An absent field passes no test, and there is no value where there are none.
        negated = operator in ("!=", "not in")
        return f"{'' if negated else 'not '}{self._constant(values)}.isdisjoint(value)"

    def _time_test(self, operator: str, times: Collection[Time]) -> str:
        """Return the condition on `value`, in nanoseconds since 1970."""
        by_scale: dict[str, list[Time]] = {}
        for time in times:
            by_scale.setdefault(time.scale, []).append(time)
        conditions = []
        for scale, some in by_scale.items():
            found = "local_time(value)" if scale in ("local", "clock") and self._has_zone else "value"
            found = f"{found} % {DAY_NS}" if scale == "clock" else found
            since = self._now_ns if scale == "now" else 0
            if operator in ("<", ">="):
                return f"{found} {operator} {self._constant(some[0].first + since)}"
            if operator in ("<=", ">"):
                return f"{found} {operator} {self._constant(some[0].last + since)}"
            spans = [time._replace(first=time.first + since, last=time.last + since) for time in some]
            conditions.append(f"{self._constant(times_matcher(spans))}({found})")
        return f"{'not ' if operator in ('!=', 'not in') else ''}({' or '.join(conditions)})"


def _local_time(time_zone: str) -> Callable[[int], int] | None:
    """Return the function from nanoseconds since 1970 to those that a clock of a zone shows; None for UTC.

    Raises: ValueError: unknown time zone.
    """
    if time_zone == "utc":
        return None
    from dnstap.rendering.times import utc_offsets

    # Messages of one second come together.
    offset = lru_cache(maxsize=4096)(utc_offsets(time_zone))
    return lambda nanoseconds: nanoseconds + offset(nanoseconds // 1_000_000_000) * 1_000_000_000


def _flattened(node: AllOf | AnyOf) -> list[Node]:
    """Return the parts of a node, with those of parts of its own kind in their place."""
    parts: list[Node] = []
    for part in node.parts:
        # Parts of `a and (b and c)` are sorted by their cost together.
        parts += _flattened(part) if isinstance(part, AllOf | AnyOf) and type(part) is type(node) else [part]
    return parts


def _remembered(test: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    """Return a function that remembers the answers of a test, but not those for long texts."""
    known: BoundedCache[bool] = BoundedCache(MAX_TEXTS)

    def found(value: bytes) -> bool:
        answer = known.get(value)
        if answer is None:
            answer = test(value)
            if len(value) < MAX_LENGTH:
                known.store(value, answer)
        return answer

    return found
