"""Lines of chosen fields, and the colours of lines.

Every field is one word, so that a line can be split at its spaces: an absent field is `-`, and white space in names and
in texts of the sender is escaped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from dnstap.dns.addresses import address_text
from dnstap.dns.escapes import printable, raw_text
from dnstap.dns.message import unpack, unpack_question
from dnstap.dns.names import unpack_name, without_blanks
from dnstap.dns.registry import class_text, type_text
from dnstap.dns.text import FLAGS, OPCODES, extended_rcode, last_opt, rcode_text
from dnstap.errors import DnsMessageError
from dnstap.peer import CurrentPeer
from dnstap.rendering.times import clock_formatter
from dnstap.schema.fields import MessageFields, rows
from dnstap.schema.meaning import is_query, own_time, own_wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.dns.message import DnsMessage, Question
    from dnstap.messages import Dnstap, Message
    from dnstap.rendering.style import Style
    from dnstap.schema.enums import OpenEnum
    from dnstap.schema.fields import Row

__all__ = ["FIELDS", "paint", "renderer", "schema_column"]

ABSENT = "-"

BAD = "X"
"""Text of a field in a part of the DNS message that does not parse."""

_COLOURS = {"dim": "2", "bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def paint(text: str, colour: str) -> str:
    """Return the text in a colour, for a terminal."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


_white_space = re.compile(r"\s")


class _Line:
    """The source of one line's fields. The DNS message is unpacked when the first field asks for it."""

    __slots__ = ("_dns_message", "_question", "clock", "dnstap", "escape", "is_query", "message", "peer", "wire")

    def __init__(
        self, dnstap: Dnstap, message: Message, clock: Callable[[int], str], style: Style, peer: CurrentPeer
    ) -> None:
        self.dnstap = dnstap
        self.peer = peer
        self.message = message
        self.clock = clock
        self.escape = style.escape
        self.is_query = is_query(message.type)
        self.wire = own_wire(message)
        self._dns_message: DnsMessage | None = None
        self._question: Question | None = None

    @property
    def dns_message(self) -> DnsMessage:
        if self._dns_message is None:
            # An absent message is unpacked as an empty one, which raises; the renderer then writes `-` and not `X`.
            self._dns_message = unpack(self.wire or b"")
        return self._dns_message

    def question(self) -> Question:
        if self._question is None:
            self._question = unpack_question(self.wire or b"")
            if self._question is None:
                raise DnsMessageError("no question")
        return self._question

    def time(self, seconds: int | None, nanoseconds: int | None) -> str:
        if seconds is None:
            return ABSENT
        # With a date the text has a space, but a field is one word.
        return f"{self.clock(seconds)}.{(nanoseconds or 0) // 1000:06d}".replace(" ", "T")

    def query_time(self) -> str:
        return self.time(self.message.query_time_sec, self.message.query_time_nsec)

    def response_time(self) -> str:
        return self.time(self.message.response_time_sec, self.message.response_time_nsec)

    def own_time(self) -> str:
        return self.time(*own_time(self.message))

    def latency(self) -> str:
        asked, answered = self.message.query_time_ns, self.message.response_time_ns
        return ABSENT if asked is None or answered is None else f"{(answered - asked) / 1e6:.3f}ms"

    def rcode(self) -> str:
        if self.is_query:
            return ABSENT
        rcode = extended_rcode(self.dns_message.flags, last_opt(self.dns_message))
        # In a response, 16 is BADVERS (RFC 6891). The formats of the Go tool show its name in TSIG, BADSIG.
        return "BADVERS" if rcode == 16 else rcode_text(rcode) or f"RCODE{rcode}"

    def flags(self) -> str:
        return ",".join([name for bit, name in FLAGS if self.dns_message.flags & bit]) or ABSENT

    def opcode(self) -> str:
        opcode = self.dns_message.flags >> 11 & 15
        return OPCODES.get(opcode) or f"OPCODE{opcode}"

    def zone(self) -> str:
        zone = self.message.query_zone
        return ABSENT if zone is None else without_blanks(unpack_name(zone, 0, len(zone))[0])

    def policy(self) -> str:
        policy = self.message.policy
        return ABSENT if policy is None else _enum(policy.action)

    def peer_text(self) -> str:
        text = self.peer.text
        return ABSENT if text is None else self.sender_text(text.encode("utf-8", "surrogateescape"))

    def sender_text(self, value: bytes | None) -> str:
        """Return the text of identity, version or extra."""
        if not value:
            return ABSENT
        text = raw_text(value)
        if self.escape:
            text = printable(text)
        return _white_space.sub(lambda found: "".join([f"\\{byte:03d}" for byte in found[0].encode()]), text)


def _enum(member: OpenEnum | None) -> str:
    return ABSENT if member is None else member.name or f"{member:d}"


def _address(address: bytes | None) -> str:
    return ABSENT if address is None else address_text(address)


def _number(number: int | None) -> str:
    return ABSENT if number is None else f"{number:d}"


class Column(NamedTuple):
    """One field of a line.

    Attributes:
        reads: the fields of Message that it shows, separated by blanks.
        text: function that returns its text.
    """

    reads: str
    text: Callable[[_Line], str]


_QUERY_TIME = "query_time_sec query_time_nsec"
_RESPONSE_TIME = "response_time_sec response_time_nsec"
_TIMES = f"type {_QUERY_TIME} {_RESPONSE_TIME}"
_WIRES = "type query_message response_message"

FIELDS: dict[str, Column] = {
    "time": Column(_TIMES, _Line.own_time),
    "query_time": Column(_QUERY_TIME, _Line.query_time),
    "response_time": Column(_RESPONSE_TIME, _Line.response_time),
    "latency": Column(_TIMES, _Line.latency),
    "qr": Column("type", lambda line: ABSENT if line.is_query is None else "Q" if line.is_query else "R"),
    "type": Column("type", lambda line: _enum(line.message.type)),
    "family": Column("socket_family", lambda line: _enum(line.message.socket_family)),
    "protocol": Column("socket_protocol", lambda line: _enum(line.message.socket_protocol)),
    "http": Column("http_protocol", lambda line: _enum(line.message.http_protocol)),
    "client": Column("query_address", lambda line: _address(line.message.query_address)),
    "client_port": Column("query_port", lambda line: _number(line.message.query_port)),
    "server": Column("response_address", lambda line: _address(line.message.response_address)),
    "server_port": Column("response_port", lambda line: _number(line.message.response_port)),
    "size": Column(_WIRES, lambda line: ABSENT if line.wire is None else f"{len(line.wire)}b"),
    "id": Column(_WIRES, lambda line: f"{line.dns_message.id}"),
    "opcode": Column(_WIRES, _Line.opcode),
    "rcode": Column(_WIRES, _Line.rcode),
    "flags": Column(_WIRES, _Line.flags),
    "qname": Column(_WIRES, lambda line: without_blanks(line.question().name)),
    "qtype": Column(_WIRES, lambda line: type_text(line.question().rrtype)),
    "qclass": Column(_WIRES, lambda line: class_text(line.question().rrclass)),
    "answers": Column(_WIRES, lambda line: f"{len(line.dns_message.answers)}"),
    "zone": Column("query_zone", _Line.zone),
    "policy": Column("policy", _Line.policy),
    "identity": Column("", lambda line: line.sender_text(line.dnstap.identity)),
    "version": Column("", lambda line: line.sender_text(line.dnstap.version)),
    "extra": Column("", lambda line: line.sender_text(line.dnstap.extra)),
    "peer": Column("", _Line.peer_text),
}
"""The columns by the name of their field."""


def schema_column(row: Row) -> Column:
    """Return the column for a row of the schema that no column above reads."""

    def text(line: _Line) -> str:
        value: Any = getattr(line.message, row.name)
        if row.proto_type == "enum":
            return _enum(value)
        return _number(value) if row.python_type is int else line.sender_text(value)

    return Column(row.name, text)


_READ = {name for column in FIELDS.values() for name in column.reads.split()}
# A row that is added to the schema gets a column by its own name, without a change here (docs/design.md).
FIELDS |= {row.name: schema_column(row) for row in rows(MessageFields) if row.name not in _READ}


def _colour(name: str, text: str) -> str | None:
    if text == BAD:
        return "red"
    if name.endswith("time"):
        return "dim"
    if name == "qname":
        return "bold"
    if name in ("qr", "type"):
        return "cyan" if text.endswith(("Q", "QUERY")) else "green"
    if name == "rcode":
        return {"NOERROR": "green", "NXDOMAIN": "yellow", ABSENT: None}.get(text, "red")
    return None


def renderer(style: Style, peer: CurrentPeer | None = None) -> Callable[[Dnstap], str]:
    """Return the function that renders a message as one line with its line feed.

    Args: peer: the sender of each message that it is called with.
    Raises: ValueError: unknown field or time zone.
    """
    for name in style.fields:
        if name not in FIELDS:
            from dnstap.suggestions import did_you_mean

            hint = did_you_mean(name, FIELDS)
            raise ValueError(
                f"unknown field {name!r}{f' ({hint})' if hint else ''}: expected one of {', '.join(FIELDS)}"
            )
    from dnstap.messages.classes import Message

    no_message = Message()
    sender = peer or CurrentPeer()
    fields = [(name, FIELDS[name].text) for name in style.fields]
    clock = clock_formatter("local" if style.time_zone is None else style.time_zone, date=style.date)

    def render(dnstap: Dnstap) -> str:
        line = _Line(dnstap, no_message if dnstap.message is None else dnstap.message, clock, style, sender)
        texts = []
        for name, text_of in fields:
            try:
                text = text_of(line)
            except DnsMessageError:
                # The same error has two causes: there is no DNS message, or it does not parse.
                text = ABSENT if line.wire is None else BAD
            if style.colour and (colour := _colour(name, text)):
                text = paint(text, colour)
            texts.append(text)
        return " ".join(texts) + "\n"

    return render
