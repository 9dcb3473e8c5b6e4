"""Strategies for any legal values of each class, made from the codec's field tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

from dnstap import Dnstap, Message, Policy
from dnstap.codec.tables import BYTES, ENUM, MESSAGE, STRING, table_of
from framestream.arguments import check_number

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from dnstap.codec.tables import Field

__all__ = ["BOUNDARIES", "dnstaps", "messages", "policies"]

M = TypeVar("M", Dnstap, Message, Policy)

MAX_BYTES = 300
"""Default for the longest bytes field. Hypothesis warns if it has to print more than 30,000 bytes of an example."""

# Numbers at which a varint becomes one byte longer, and at which they no longer fit into 31, 32, 63 or 64 bits.
BOUNDARIES = [0, *((1 << bits) + step for bits in (7, 14, 16, 21, 28, 31, 32, 35, 63, 64) for step in (-1, 0))]


def dnstaps(*, nameless: bool = False, lenient: bool = False, max_bytes: int = MAX_BYTES) -> SearchStrategy[Dnstap]:
    """Return Dnstaps with any legal values: each field is present or not, and numbers on boundaries are common.

    Args:
        nameless: include enum numbers without a name in the schema, such as a newer schema may have.
        lenient: include messages without the required `type`.
        max_bytes: length of the longest bytes field. 65536 makes lengths of one, two and three bytes on the wire.
    Raises: TypeError, ValueError: `max_bytes` is not a whole number of at least 0.
    """
    return _any(Dnstap, nameless, lenient, max_bytes)


def messages(*, nameless: bool = False, lenient: bool = False, max_bytes: int = MAX_BYTES) -> SearchStrategy[Message]:
    """Return Messages with any legal values; the arguments are those of `dnstaps`."""
    return _any(Message, nameless, lenient, max_bytes)


def policies(*, nameless: bool = False, max_bytes: int = MAX_BYTES) -> SearchStrategy[Policy]:
    """Return Policies with any legal values; the arguments are those of `dnstaps`."""
    return _any(Policy, nameless, True, max_bytes)


def _any(cls: type[M], nameless: bool, lenient: bool, max_bytes: int) -> SearchStrategy[M]:
    check_number("max_bytes", max_bytes, 0)
    table = table_of(cls)
    values = {}
    for field in table.fields:
        value = _values(field, nameless, lenient, max_bytes)
        values[field.name] = value if field.index == table.required and not lenient else st.none() | value
    return st.builds(cls, **values)


def _values(field: Field, nameless: bool, lenient: bool, max_bytes: int) -> SearchStrategy[Any]:
    if field.kind == MESSAGE:
        return _any(field.python_type, nameless, lenient, max_bytes)
    if field.kind == ENUM:
        members: SearchStrategy[Any] = st.sampled_from(list(field.python_type))
        numbers = st.sampled_from([-(2**31), -1, 0, 127, 128, 2**31 - 1]) | st.integers(-(2**31), 2**31 - 1)
        return members | numbers.map(field.python_type) if nameless else members
    if field.kind == BYTES:
        lengths = [length for length in (*BOUNDARIES[:6], max_bytes) if length <= max_bytes]
        return st.binary(max_size=min(max_bytes, 100)) | st.sampled_from(lengths).map(lambda length: b"x" * length)
    if field.kind == STRING:
        return st.text(max_size=20)
    boundaries = st.sampled_from([number for number in BOUNDARIES if number <= field.greatest])
    return boundaries | st.integers(0, field.greatest)
