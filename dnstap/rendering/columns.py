"""Lines of chosen fields, and their colours.

Every field is one word: what is absent is `-`, and a blank in a text of the sender's is escaped, so that a line can be
taken apart at its blanks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.dns.addresses import address_text
from dnstap.dns.escapes import printable, raw_text
from dnstap.dns.message import unpack, unpack_question
from dnstap.dns.names import unpack_name
from dnstap.dns.registry import class_text, type_text
from dnstap.dns.text import FLAGS, OPCODES, extended_rcode, last_opt, rcode_text
from dnstap.errors import DnsMessageError
from dnstap.rendering.times import clock_formatter

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import IntEnum

    from dnstap.dns.message import DnsMessage, Question
    from dnstap.messages import Dnstap, Message
    from dnstap.rendering.style import Style

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
        # Odd numbers are queries.
        self.is_query = None if message.type is None else message.type % 2 == 1
        self.wire = message.query_message if self.is_query else message.response_message
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
        m = self.m
        if self.is_query:
            return self.time(m.query_time_sec, m.query_time_nsec)
        return self.time(m.response_time_sec, m.response_time_nsec)

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


def _enum(member: IntEnum | None) -> str:
    if member is None:
        return ABSENT
    return member.name if type(member).__members__.get(member.name) is member else f"{member:d}"


def _address(octets: bytes | None) -> str:
    return ABSENT if octets is None else address_text(octets)


def _number(number: int | None) -> str:
    return ABSENT if number is None else f"{number:d}"


FIELDS: dict[str, Callable[[_Line], str]] = {
    "time": _Line.own_time,
    "query_time": lambda line: line.time(line.m.query_time_sec, line.m.query_time_nsec),
    "response_time": lambda line: line.time(line.m.response_time_sec, line.m.response_time_nsec),
    "latency": _Line.latency,
    "qr": lambda line: ABSENT if line.is_query is None else "Q" if line.is_query else "R",
    "type": lambda line: _enum(line.m.type),
    "family": lambda line: _enum(line.m.socket_family),
    "protocol": lambda line: _enum(line.m.socket_protocol),
    "http": lambda line: _enum(line.m.http_protocol),
    "client": lambda line: _address(line.m.query_address),
    "client_port": lambda line: _number(line.m.query_port),
    "server": lambda line: _address(line.m.response_address),
    "server_port": lambda line: _number(line.m.response_port),
    "size": lambda line: ABSENT if line.wire is None else f"{len(line.wire)}b",
    "id": lambda line: f"{line.message.id}",
    "opcode": _Line.opcode,
    "rcode": _Line.rcode,
    "flags": _Line.flags,
    "qname": lambda line: line.question().name,
    "qtype": lambda line: type_text(line.question().rrtype),
    "qclass": lambda line: class_text(line.question().rrclass),
    "answers": lambda line: f"{len(line.message.answers)}",
    "zone": _Line.zone,
    "policy": lambda line: ABSENT if line.m.policy is None else _enum(line.m.policy.action),
    "identity": lambda line: line.text(line.dnstap.identity),
    "version": lambda line: line.text(line.dnstap.version),
    "extra": lambda line: line.text(line.dnstap.extra),
}
"""Name -> the text of the field."""


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
    fields = [(name, FIELDS[name]) for name in style.fields]
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
