"""The shapes of payloads: everything that rules look at, without the values that differ from payload to payload.

A sender's payloads have few shapes, so the rules are asked once for each shape, and a payload costs its decoding, the
check of its DNS message, and one look-up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dnstap.codec.learned import Decoder
from dnstap.codec.strict import tags
from dnstap.dns.cached_questions import CachedQuestions
from dnstap.dns.limits import MAX_MESSAGE
from dnstap.dns.message import unpack
from dnstap.errors import DecodeError, DnsMessageError, MissingFieldError
from dnstap.fields.wires import question_reader, zone_reader
from dnstap.messages import Dnstap
from dnstap.schema.enums import DnstapType, MessageType, SocketFamily, SocketProtocol
from dnstap.schema.fields import rows

if TYPE_CHECKING:
    from dnstap.schema.enums import HttpProtocol, PolicyAction, PolicyMatch

__all__ = ["GOOD", "MAX_PORT", "NANOSECONDS", "SHOWN_BYTES", "Shape", "ShapeReader", "Wire"]

MAX_PORT = 65_535

NANOSECONDS = 1_000_000_000
"""Nanoseconds of a second."""

SHOWN_BYTES = 98_304
"""Sizes up to this one are 0 in a shape. It is the least of the limits that readers have for a frame."""


class Wire(NamedTuple):
    """A DNS message in wire format.

    Attributes:
        response: the QR bit of its header; None if it has no header.
        question: whether it has a question. True if it does not parse.
        error: the reason why it does not parse; "" if it does, and if it is empty or too long to be parsed.
        empty: whether it has no bytes.
        excess: its length if that is over 65,535 bytes, otherwise 0.
    """

    response: bool | None
    question: bool = True
    error: str = ""
    empty: bool = False
    excess: int = 0


_QUERY, _RESPONSE = Wire(False), Wire(True)


class Shape(NamedTuple):
    """The properties of a payload that rules look at.

    Attributes:
        size: length of the payload if that is over SHOWN_BYTES, otherwise 0.
        error: the reason why it does not decode, "" if it does. All else is as in GOOD then.
        type: of the Dnstap.
        identity, version: whether they have any bytes.
        unknown: the first field that the schema does not have; "" for none.
        misplaced: the first field that has the number of another type; "" for none.
        message: whether there is a Message. All below is None or "" if there is not.
        message_type, family, protocol, http_protocol: None where absent.
        query_address, response_address: length in bytes, None where absent.
        query_port, response_port: None where absent, 0, the port if it is over 65,535, and otherwise 1.
        query_sec, response_sec: whether there are seconds.
        query_nsec, response_nsec: None where absent; the nanoseconds if they make a second or more, otherwise 0.
        backwards: whether the response is earlier than the query.
        query, response: the DNS messages, None where absent.
        pair: "id" or "question" if the two DNS messages differ in it, otherwise "".
        zone: whether query_zone is a name; None if it is absent.
        policy_action, policy_match: None where absent.
    """

    size: int
    error: str
    type: DnstapType | None
    identity: bool
    version: bool
    unknown: str
    misplaced: str
    message: bool
    message_type: MessageType | None = None
    family: SocketFamily | None = None
    protocol: SocketProtocol | None = None
    http_protocol: HttpProtocol | None = None
    query_address: int | None = None
    response_address: int | None = None
    query_port: int | None = None
    response_port: int | None = None
    query_sec: bool = False
    query_nsec: int | None = None
    response_sec: bool = False
    response_nsec: int | None = None
    backwards: bool = False
    query: Wire | None = None
    response: Wire | None = None
    pair: str = ""
    zone: bool | None = None
    policy_action: PolicyAction | None = None
    policy_match: PolicyMatch | None = None


GOOD = Shape(
    0, "", DnstapType.MESSAGE, True, True, "", "", True,
    MessageType.AUTH_RESPONSE, SocketFamily.INET, SocketProtocol.UDP, None, 4, 4, 1, 1,
    True, 0, True, 0, False, None, _RESPONSE,
)  # fmt: skip
"""The shape of a payload that breaks no rule."""

_Key = tuple[Any, ...]


class ShapeReader:
    """Reads the shapes of the payloads of one input."""

    def __init__(self) -> None:
        self._decode = Decoder(Dnstap).decode
        self._question_text = CachedQuestions().read
        self._question = question_reader()
        self._zone = zone_reader()

    def read(self, payload: bytes) -> tuple[_Key, Dnstap | None]:
        """Return the attributes of a payload's Shape in their order, and the message in it; None if it is no message.

        A plain tuple, because it is looked up for each payload, and making a Shape takes three times as long.
        """
        try:
            dnstap = self._decode(payload)
        except MissingFieldError:
            dnstap = Dnstap.parse(payload, lenient=True)
        except DecodeError as error:
            size = len(payload) if len(payload) > SHOWN_BYTES else 0
            return GOOD._replace(size=size, error=str(error)), None
        message = dnstap.message
        size = len(payload) if len(payload) > SHOWN_BYTES else 0
        unknown = misplaced = ""
        if dnstap._unknown_fields:
            unknown, misplaced = _unknown_fields(dnstap)
        if message is None:
            head = size, "", dnstap.type, bool(dnstap.identity), bool(dnstap.version), unknown, misplaced
            return (*head, False), dnstap
        policy = message.policy
        if message._unknown_fields or (policy is not None and policy._unknown_fields):
            unknown, misplaced = _unknown_fields(dnstap)
        query_address, response_address = message.query_address, message.response_address
        query_port, response_port = message.query_port, message.response_port
        query_sec, query_nsec = message.query_time_sec, message.query_time_nsec
        response_sec, response_nsec = message.response_time_sec, message.response_time_nsec
        query, response, zone = message.query_message, message.response_message, message.query_zone
        # One expression: with the parts in functions and tuples of their own, it takes a third longer.
        return (
            size,
            "",
            dnstap.type,
            bool(dnstap.identity),
            bool(dnstap.version),
            unknown,
            misplaced,
            True,
            message.type,
            message.socket_family,
            message.socket_protocol,
            message.http_protocol,
            None if query_address is None else len(query_address),
            None if response_address is None else len(response_address),
            query_port if not query_port or query_port > MAX_PORT else 1,
            response_port if not response_port or response_port > MAX_PORT else 1,
            query_sec is not None,
            0 if query_nsec and query_nsec < NANOSECONDS else query_nsec,
            response_sec is not None,
            0 if response_nsec and response_nsec < NANOSECONDS else response_nsec,
            query_sec is not None
            and response_sec is not None
            and (response_sec, response_nsec or 0) < (query_sec, query_nsec or 0),
            None if query is None else self._wire(query),
            None if response is None else self._wire(response),
            self._difference(query, response) if query and response else "",
            None if zone is None else self._zone(zone)[0] is not None,
            None if policy is None else policy.action,
            None if policy is None else policy.match,
        ), dnstap

    def _wire(self, wire: bytes) -> Wire:
        if self._question_text(wire) is not None:
            # The whole message parses, and has a question.
            return _RESPONSE if wire[2] & 0x80 else _QUERY
        response = bool(wire[2] & 0x80) if len(wire) > 2 else None
        if not wire:
            return Wire(response, empty=True)
        if len(wire) > MAX_MESSAGE:
            return Wire(response, excess=len(wire))
        try:
            unpack(wire)
        except DnsMessageError as error:
            return Wire(response, error=str(error))
        return Wire(response, question=False)

    def _difference(self, query: bytes, response: bytes) -> str:
        """Return "id" or "question" if a query and a response are not of one exchange, otherwise ""."""
        asked, answered = self._question(query)[:3], self._question(response)[:3]
        # A response may have no question, as FORMERR has none.
        if None not in (asked[0], answered[0]) and asked != answered:
            return "question"
        return "id" if query[:2] != response[:2] else ""


def _unknown_fields(dnstap: Dnstap) -> tuple[str, str]:
    """Return the first field that the schema does not have, and the first that has another type; "" for none."""
    unknown = misplaced = ""
    message = dnstap.message
    # A part without values is false.
    for part in (dnstap, message, None if message is None else message.policy):
        if part is None:
            continue
        names = {row.number: row.name for row in rows(type(part))}
        for tag in tags(type(part), part._unknown_fields):
            name = names.get(tag >> 3)
            if name is None:
                unknown = unknown or f"field {tag >> 3} of {type(part).__name__}"
            else:
                misplaced = misplaced or f"{name} of {type(part).__name__} with wire type {tag & 7}"
    return unknown, misplaced
