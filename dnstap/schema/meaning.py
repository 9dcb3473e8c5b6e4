"""The meaning of message types: direction, and which fields of a Message are its own.

A Message has room for a query and a response, with a time each. Which of them it is about follows from its type, here
and nowhere else. A type that the schema does not name (a newer sender) or that is absent does not say: then the DNS
message is the response if that is there, else the query, and the time likewise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.schema.enums import MessageType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnstap.schema.fields import MessageFields

__all__ = ["DIRECTIONS", "is_query", "own_time", "own_wire"]

# By name, not by parity: a later type need not follow the pattern that queries are odd.
DIRECTIONS: Mapping[int | None, bool] = {int(member): member.name.endswith("_QUERY") for member in MessageType}
"""Message type -> True for a query, False for a response; only types that the schema names."""


def is_query(message_type: int | None) -> bool | None:
    """Return True for a query, False for a response, None where the type does not say."""
    return DIRECTIONS.get(message_type)


def own_wire(message: MessageFields) -> bytes | None:
    """Return the DNS message that a Message is about, in wire format; None if it is absent."""
    direction = DIRECTIONS.get(message.type)
    if direction or (direction is None and message.response_message is None):
        return message.query_message
    return message.response_message


def own_time(message: MessageFields) -> tuple[int | None, int | None]:
    """Return seconds since 1970 UTC and nanoseconds of the DNS message that a Message is about; None where absent."""
    direction = DIRECTIONS.get(message.type)
    if direction or (direction is None and message.response_time_sec is None):
        return message.query_time_sec, message.query_time_nsec
    return message.response_time_sec, message.response_time_nsec
