"""The Python expressions by which a compiled filter reads the fields of a message.

They are source and not functions because a call for each field would take longer than most tests do. compiling.py puts
them into a function with these variables:

    dnstap      the Dnstap
    message     its Message; without one, an object whose fields are all None
    is_query    True for a query, False for a response, None where the type does not say (dnstap.schema.meaning)
    wire        the DNS message that the Message is about, or None
    question    name, type and class of the first question; None until an expression has asked for it
    sender      the CurrentPeer, which is no part of the Dnstap
    outcome     rcode and number of answers, if all of the DNS message parses; None until an expression has asked for it

and with the functions read_question(wire), read_outcome(wire) and read_zone(query_zone) of wires.py.

An expression gives None where the field is absent or does not parse. It never raises, and it changes nothing but
`question`, `outcome` and helper variables that it sets before it reads them, so expressions work in any order. The
tests compare all of them with ordinary functions (tests/plain_filters.py).
"""

from __future__ import annotations

from typing import NamedTuple

from dnstap.schema.fields import MessageFields, rows

__all__ = ["EXPRESSIONS", "Expression"]


class Expression(NamedTuple):
    """The source that reads one field.

    Attributes:
        source: the expression, in parentheses unless it is a name or an attribute.
        reads: attributes of Dnstap and Message that must be decoded for it, beside their types, separated by blanks.
        cost: its time in units of about 30 ns; cheap tests are made first.
    """

    source: str
    reads: str
    cost: int


# Attributes are decoded in these groups, not one by one: the decoder keeps a class for each set of them.
_ENUMS = "socket_family socket_protocol http_protocol"
_ADDRESSES = "query_address response_address"
_PORTS = "query_port response_port"
_TIMES = "query_time_sec query_time_nsec response_time_sec response_time_nsec"
_WIRES = "query_message response_message"
_TEXTS = "identity version extra"


def _address(name: str) -> str:
    """Return the source for the bytes of an IPv4 or IPv6 address; another length is no address."""
    return f"(address if (address := message.{name}) is not None and len(address) in (4, 16) else None)"


def _nanoseconds(side: str) -> str:
    """Return the source for nanoseconds since 1970; without the field of nanoseconds, they are 0."""
    seconds, nanoseconds = f"message.{side}_time_sec", f"message.{side}_time_nsec"
    return f"(None if (seconds := {seconds}) is None else seconds * 1000000000 + ({nanoseconds} or 0))"


def _header(number: str) -> str:
    """Return the source for a number in the header, which is whole if there are 12 bytes."""
    return f"({number} if wire and len(wire) > 11 else None)"


_QUERY_TIME = _nanoseconds("query")
_RESPONSE_TIME = _nanoseconds("response")
# As dnstap.schema.meaning.own_time.
_IS_QUERY_TIME = "is_query or (is_query is None and message.response_time_sec is None)"
_LATENCY = f"(None if (asked := {_QUERY_TIME}) is None or (answered := {_RESPONSE_TIME}) is None else answered - asked)"
_QUESTION = "(question or (question := read_question(wire)))"
_OUTCOME = "(outcome or (outcome := read_outcome(wire)))"

EXPRESSIONS = {
    # Enums, as numbers.
    "type": Expression("message.type", "", 1),
    "qr": Expression("is_query", "", 1),
    "family": Expression("message.socket_family", _ENUMS, 1),
    "protocol": Expression("message.socket_protocol", _ENUMS, 1),
    "http": Expression("message.http_protocol", _ENUMS, 1),
    "policy": Expression("(None if message.policy is None else message.policy.action)", "policy", 1),
    # The two ends.
    "client": Expression(_address("query_address"), _ADDRESSES, 3),
    "server": Expression(_address("response_address"), _ADDRESSES, 3),
    "peer": Expression("sender.address", "", 1),
    "client_port": Expression("message.query_port", _PORTS, 1),
    "server_port": Expression("message.response_port", _PORTS, 1),
    # Times, in nanoseconds.
    "time": Expression(f"({_QUERY_TIME} if {_IS_QUERY_TIME} else {_RESPONSE_TIME})", _TIMES, 4),
    "query_time": Expression(_QUERY_TIME, _TIMES, 4),
    "response_time": Expression(_RESPONSE_TIME, _TIMES, 4),
    "latency": Expression(_LATENCY, _TIMES, 8),
    # The DNS message: its size, its header, its first question, and what takes all of it to parse.
    "size": Expression("(None if wire is None else len(wire))", _WIRES, 2),
    "id": Expression(_header("wire[0] << 8 | wire[1]"), _WIRES, 4),
    "opcode": Expression(_header("wire[2] >> 3 & 15"), _WIRES, 4),
    "flags": Expression(_header("wire[2] << 8 | wire[3]"), _WIRES, 4),
    "qname": Expression(f"{_QUESTION}[0]", _WIRES, 10),
    "qtype": Expression(f"{_QUESTION}[1]", _WIRES, 10),
    "qclass": Expression(f"{_QUESTION}[2]", _WIRES, 10),
    "rcode": Expression(f"(None if is_query else {_OUTCOME}[0])", _WIRES, 60),
    "answers": Expression(f"{_OUTCOME}[1]", _WIRES, 60),
    # The name of the zone, and texts of the sender, of which an empty one counts as absent.
    "zone": Expression("read_zone(message.query_zone)", "query_zone", 8),
    "identity": Expression("(dnstap.identity or None)", _TEXTS, 2),
    "version": Expression("(dnstap.version or None)", _TEXTS, 2),
    "extra": Expression("(dnstap.extra or None)", _TEXTS, 2),
}
"""The expressions by the name of the field."""

_READ = {"type", *[name for expression in EXPRESSIONS.values() for name in expression.reads.split()]}
EXPRESSIONS |= {
    row.name: Expression(f"message.{row.name}", row.name, 1) for row in rows(MessageFields) if row.name not in _READ
}
