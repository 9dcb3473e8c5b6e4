"""Pairing without keys, clocks and payloads: each message is compared with all that wait before it.

Questions are read by dnspython. Nothing expires, so it is the measure only where nothing is older than the timeout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dns.exception
import dns.message

from dnstap.schema.meaning import own_time, own_wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnstap import Dnstap, Message

__all__ = ["plain_pairs", "times_fit"]


def question(message: Message) -> tuple[Any, ...] | None:
    """Return name, type and class of the first question; None without one."""
    try:
        found = dns.message.from_wire(own_wire(message) or b"", question_only=True).question
    except dns.exception.DNSException:
        return None
    return (found[0].name, found[0].rdtype, found[0].rdclass) if found else None


def traffic(message: Message) -> tuple[str, bool]:
    """Return the first word of the type, and whether it is a query."""
    assert message.type is not None
    kind, _, side = message.type.name.partition("_")
    return kind, side == "QUERY"


def own_port(kind: str) -> bool:
    """Return whether the server itself is the client, whose port Unbound gets wrong."""
    return kind in ("RESOLVER", "FORWARDER", "STUB")


def nanoseconds(message: Message) -> int | None:
    """Return the own time of a message."""
    seconds, fraction = own_time(message)
    return None if seconds is None else seconds * 10**9 + (fraction or 0)


def times_fit(query: Message, response: Message, timeout: int) -> bool:
    """Return whether a response is not before its query, nor later than the timeout, as far as that is known."""
    asked, answered = nanoseconds(query), nanoseconds(response)
    return asked is None or answered is None or asked <= answered <= asked + timeout


def belong(query: Message, response: Message, timeout: int) -> bool:
    """Return whether a response may be that of a query."""
    first, second = traffic(query)[0], traffic(response)[0]
    if first != second and {first, second} != {"AUTH", "CLIENT"}:
        return False
    if query.query_port != response.query_port and not own_port(first):
        return False
    for name in ("query_address", "response_address", "response_port", "socket_protocol"):
        if getattr(query, name) != getattr(response, name):
            return False
    if (own_wire(query) or b"")[:2] != (own_wire(response) or b"")[:2]:
        return False
    asked, answered = question(query), question(response)
    return (asked is None or answered is None or asked == answered) and times_fit(query, response, timeout)


def alike(query: Message, response: Message) -> bool:
    """Return whether that agrees which may differ."""
    return traffic(query)[0] == traffic(response)[0] and query.query_port == response.query_port


def plain_pairs(messages: Sequence[Dnstap], timeout: int) -> list[tuple[int, int]]:
    """Return the positions of each query and its response.

    Args: timeout: nanoseconds.
    """
    waiting: list[int] = []
    pairs = []
    for number, dnstap in enumerate(messages):
        assert dnstap.message is not None
        found = []
        for other in waiting:
            earlier = messages[other].message
            assert earlier is not None
            is_query = traffic(dnstap.message)[1]
            if is_query is traffic(earlier)[1]:
                continue
            query, response = (dnstap.message, earlier) if is_query else (earlier, dnstap.message)
            # Without times there is no telling that a response before its query does not answer an earlier one.
            if is_query and None in (nanoseconds(query), nanoseconds(response)):
                continue
            if belong(query, response, timeout):
                found.append((not alike(query, response), other))
        if found:
            _, other = min(found)
            waiting.remove(other)
            pairs.append((number, other) if traffic(dnstap.message)[1] else (other, number))
        else:
            waiting.append(number)
    return pairs
