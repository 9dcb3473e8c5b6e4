"""Lines of chosen fields, and their colours.

Every field is one word: what is absent is `-`, and a blank in a text of the sender's is escaped, so that a line can be
taken apart at its blanks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dnstap.dns.addresses import address_text
from dnstap.dns.escapes import printable, raw_text
from dnstap.dns.message import unpack, unpack_question
from dnstap.dns.names import unpack_name
from dnstap.dns.registry import class_text, type_text
from dnstap.dns.text import FLAGS, OPCODES, extended_rcode, last_opt, rcode_text
from dnstap.errors import DnsMessageError
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

__all__ = ["FIELDS", "paint", "renderer"]

ABSENT = "-"

BAD = "X"
"""Of a field that lies in a part of the DNS message which does not parse."""

_COLOURS = {"dim": "2", "bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def paint(text: str, colour: str) -> str:
    """The text in a colour, for a terminal."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


class _Line:
    """What the fields of one line are taken from. The DNS message is unpacked when a field asks for it."""

    __slots__ = ("_message", "_question", "clock", "dnstap", "escape", "is_query", "m", "wire")

    def __init__(self, dnstap: Dnstap, message: Message, clock: Callable[[int], str], style: Style) -> None:
        self.dnstap = dnstap
        self.m = message
        self.clock = clock
        self.escape = style.escape
        self.is_query = is_query(message.type)
        self.wire = own_wire(message)
        self._message: DnsMessage | None = None
        self._question: Question | None = None

    @property
    def message(self) -> DnsMessage:
        if self._message is None:
            self._message = unpack(self.wire or b"")
        return self._message

    def question(self) -> Question:
        if self._question is None:
            self._question = unpack_question(self.wire or b"")
            if self._question is None:
                raise DnsMessageError("no question")
        return self._question

    def time(self, seconds: int | None, nanoseconds: int | None) -> str:
        if seconds is None:
            return ABSENT
        return f"{self.clock(seconds)}.{(nanoseconds or 0) // 1000:06d}".replace(" ", "T")

    def own_time(self) -> str:
        return self.time(*own_time(self.m))

    def latency(self) -> str:
        """From query to response."""
        before, after = self.m.query_time_ns, self.m.response_time_ns
        return ABSENT if before is None or after is None else f"{(after - before) / 1e6:.3f}ms"

    def rcode(self) -> str:
        if self.is_query:
            return ABSENT
        rcode = extended_rcode(self.message.flags, last_opt(self.message))
        # The other formats have the name that 16 has in TSIG.
        return "BADVERS" if rcode == 16 else rcode_text(rcode) or f"RCODE{rcode}"

    def flags(self) -> str:
        return ",".join([name for bit, name in FLAGS if self.message.flags & bit]) or ABSENT

    def opcode(self) -> str:
        opcode = self.message.flags >> 11 & 15
        return OPCODES.get(opcode) or f"OPCODE{opcode}"

    def zone(self) -> str:
        octets = self.m.query_zone
        return ABSENT if octets is None else unpack_name(octets, 0, len(octets))[0]

    def text(self, octets: bytes | None) -> str:
        """A text of the sender's."""
        if not octets:
            return ABSENT
        text = raw_text(octets)
        return printable(text).replace(" ", "\\032") if self.escape else text


def _enum(member: OpenEnum | None) -> str:
    return ABSENT if member is None else member.name or f"{member:d}"


def _address(octets: bytes | None) -> str:
    return ABSENT if octets is None else address_text(octets)


def _number(number: int | None) -> str:
    return ABSENT if number is None else f"{number:d}"


class Column(NamedTuple):
    """One field.

    Attributes:
        reads: the fields of Message that it is made of, separated by blanks.
        text: from a line to the text of the field.
    """

    reads: str
    text: Callable[[_Line], str]


_QUERY_TIME = "query_time_sec query_time_nsec"
_RESPONSE_TIME = "response_time_sec response_time_nsec"
_TIMES = f"type {_QUERY_TIME} {_RESPONSE_TIME}"
_WIRES = "type query_message response_message"

FIELDS: dict[str, Column] = {
    "time": Column(_TIMES, _Line.own_time),
    "query_time": Column(_QUERY_TIME, lambda line: line.time(line.m.query_time_sec, line.m.query_time_nsec)),
    "response_time": Column(
        _RESPONSE_TIME, lambda line: line.time(line.m.response_time_sec, line.m.response_time_nsec)
    ),
    "latency": Column(_TIMES, _Line.latency),
    "qr": Column("type", lambda line: ABSENT if line.is_query is None else "Q" if line.is_query else "R"),
    "type": Column("type", lambda line: _enum(line.m.type)),
    "family": Column("socket_family", lambda line: _enum(line.m.socket_family)),
    "protocol": Column("socket_protocol", lambda line: _enum(line.m.socket_protocol)),
    "http": Column("http_protocol", lambda line: _enum(line.m.http_protocol)),
    "client": Column("query_address", lambda line: _address(line.m.query_address)),
    "client_port": Column("query_port", lambda line: _number(line.m.query_port)),
    "server": Column("response_address", lambda line: _address(line.m.response_address)),
    "server_port": Column("response_port", lambda line: _number(line.m.response_port)),
    "size": Column(_WIRES, lambda line: ABSENT if line.wire is None else f"{len(line.wire)}b"),
    "id": Column(_WIRES, lambda line: f"{line.message.id}"),
    "opcode": Column(_WIRES, _Line.opcode),
    "rcode": Column(_WIRES, _Line.rcode),
    "flags": Column(_WIRES, _Line.flags),
    "qname": Column(_WIRES, lambda line: line.question().name),
    "qtype": Column(_WIRES, lambda line: type_text(line.question().rrtype)),
    "qclass": Column(_WIRES, lambda line: class_text(line.question().rrclass)),
    "answers": Column(_WIRES, lambda line: f"{len(line.message.answers)}"),
    "zone": Column("query_zone", _Line.zone),
    "policy": Column("policy", lambda line: ABSENT if line.m.policy is None else _enum(line.m.policy.action)),
    "identity": Column("", lambda line: line.text(line.dnstap.identity)),
    "version": Column("", lambda line: line.text(line.dnstap.version)),
    "extra": Column("", lambda line: line.text(line.dnstap.extra)),
}
"""The fields by name."""


def _plain(row: Row) -> Column:
    """Return the field of a row of the schema that no field above reads."""

    def text(line: _Line) -> str:
        value: Any = getattr(line.m, row.name)
        if row.proto_type == "enum":
            return _enum(value)
        return _number(value) if row.python_type is int else line.text(value)

    return Column(row.name, text)


_READ = {name for column in FIELDS.values() for name in column.reads.split()}
FIELDS |= {row.name: _plain(row) for row in rows(MessageFields) if row.name not in _READ}


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


def renderer(style: Style) -> Callable[[Dnstap], str]:
    """The function to the line of a message, with its line feed.

    Raises: ValueError: there is no such field or time zone.
    """
    for name in style.fields:
        if name not in FIELDS:
            raise ValueError(f"field {name!r}: one of {', '.join(FIELDS)} expected")
    fields = [(name, FIELDS[name].text) for name in style.fields]
    clock = clock_formatter(style.time_zone or "local", date=style.date)

    def render(dnstap: Dnstap) -> str:
        if dnstap.message is None:
            return "[no Message]\n"
        line = _Line(dnstap, dnstap.message, clock, style)
        texts = []
        for name, text_of in fields:
            try:
                text = text_of(line)
            except DnsMessageError:
                text = ABSENT if line.wire is None else BAD
            if style.colour and (colour := _colour(name, text)):
                text = paint(text, colour)
            texts.append(text)
        return " ".join(texts) + "\n"

    return render
