"""The part that is the same in every function that is generated to read fields of a Dnstap: its beginning, its globals.

The expressions of the catalogue are source and not functions because a call for each field would take longer than most
tests of filters do. They have these variables:

    dnstap      the Dnstap
    message     its Message; without one, an object whose fields are all None
    is_query    True for a query, False for a response, None where the type does not say (dnstap.schema.meaning)
    wire        the DNS message that the Message is about, or None
    sender      the CurrentPeer, which is no part of the Dnstap
    question    values of the first question; None until an expression has asked for it
    outcome     rcode and OPT record, if all of the DNS message parses; None until an expression has asked for it
    edns        values of the OPT record; None until an expression has asked for them
    sections    the DnsMessage without that record; None until an expression has asked for it

and the readers of wires.py: read_question(wire), read_outcome(wire), read_edns(wire, outcome), read_error(wire) and
read_zone(query_zone); those of sections.py: read_sections(wire, outcome) and what takes its records; and that of
suffixes.py: read_suffix(name).

An expression gives None where the field is absent or does not parse. It never raises, and it changes nothing but
`question`, `outcome`, `edns`, `sections` and helper variables that it sets before it reads them, so expressions work in
any order.
The tests compare all of them with ordinary functions (tests/plain_filters.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from dnstap.fields import sections
from dnstap.fields.suffixes import suffix_reader
from dnstap.fields.wires import Questions, edns_reader, outcome_reader, question_reader, read_error, zone_reader
from dnstap.peer import CurrentPeer
from dnstap.schema.fields import MessageFields, rows
from dnstap.schema.meaning import DIRECTIONS

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["beginning", "namespace"]

Argument = Literal["dnstap", "message", "payload"]
"""The argument of a function that reads fields."""

_MESSAGE = """\
    message = dnstap.message
    if message is None:
        message = no_message
"""
_STARTS = {
    "dnstap": f"def {{name}}(dnstap):\n{_MESSAGE}",
    "message": "def {name}(message):\n",
    "payload": f"def {{name}}(payload):\n    dnstap = decode(payload)\n{_MESSAGE}",
}
_DIRECTION = """\
    is_query = direction(message.type)
"""
# dnstap.schema.meaning.own_wire, without the call.
_WIRE = """\
    if is_query or (is_query is None and message.response_message is None):
        wire = message.query_message
    else:
        wire = message.response_message
    question = outcome = edns = sections = None
"""

_NoMessage = type("_NoMessage", (), dict.fromkeys([row.name for row in rows(MessageFields)]))


def beginning(name: str, body: str, reads: Collection[str], *, of: Argument = "dnstap") -> str:
    """Return the source before the body of a function that reads fields.

    Args:
        reads: attributes of the Dnstap and its Message that the body needs.
        of: the argument of the function. With "payload", its globals need a function `decode`, which makes a Dnstap of
            it; with "message", its body must read nothing else of the Dnstap.
    """
    wire = _WIRE if "query_message" in reads else ""
    direction = _DIRECTION if wire or "is_query" in body else ""
    return f"{_STARTS[of].format(name=name)}{direction}{wire}"


def namespace(peer: CurrentPeer | None) -> dict[str, Any]:
    """Return the globals of one function, with caches of its own.

    Args: peer: the sender of each message that the function is called with.
    """
    questions = Questions()
    return {
        "no_message": _NoMessage(),
        "sender": peer or CurrentPeer(),
        "direction": DIRECTIONS.get,
        "read_question": question_reader(questions),
        "read_outcome": outcome_reader(questions),
        "read_edns": edns_reader(),
        "read_error": read_error,
        "read_zone": zone_reader(),
        "read_suffix": suffix_reader(),
        **{name: getattr(sections, name) for name in sections.__all__},
    }
