"""Any legal value of each class, by the codec's field table: a field that is added to the schema needs nothing here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import strategies as st

from dnstap import Dnstap, Message, Policy
from dnstap.codec.tables import BYTES, ENUM, MESSAGE, STRING, table_of

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from dnstap.codec.tables import Field

__all__ = ["BOUNDARIES", "dnstaps", "messages", "policies"]

M = TypeVar("M", Dnstap, Message, Policy)

MAX_BYTES = 300
"""Of an octets field, unless more are asked for. Hypothesis warns when it has to print more than 30,000 in all."""

# Where a varint becomes one octet longer, and where a number stops to fit into its type.
BOUNDARIES = [0, *((1 << bits) + step for bits in (7, 14, 16, 21, 28, 31, 32, 35, 63, 64) for step in (-1, 0))]


def dnstaps(*, nameless: bool = False, lenient: bool = False, max_bytes: int = MAX_BYTES) -> SearchStrategy[Dnstap]:
    """Any Dnstap: each field is there or not, whatever the others are; numbers on the boundaries are common.

    Args:
        nameless: also enum numbers that the schema does not name, as a newer schema may.
        lenient: also without the required `type`, here and in the Message.
        max_bytes: of the longest octets; 65536 has lengths of each size on the wire.
    """
    return _any(Dnstap, nameless, lenient, max_bytes)


def messages(*, nameless: bool = False, lenient: bool = False, max_bytes: int = MAX_BYTES) -> SearchStrategy[Message]:
    """Any Message; the arguments are as of `dnstaps`."""
    return _any(Message, nameless, lenient, max_bytes)


def policies(*, nameless: bool = False, max_bytes: int = MAX_BYTES) -> SearchStrategy[Policy]:
    """Any Policy; the arguments are as of `dnstaps`."""
    return _any(Policy, nameless, True, max_bytes)


def _any(cls: type[M], nameless: bool, lenient: bool, max_bytes: int) -> SearchStrategy[M]:
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
