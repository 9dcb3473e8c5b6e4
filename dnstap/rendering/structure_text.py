"""The structure of messages as text, put together from pieces that are remembered, for json-full and yaml-full.

A format gives a Notation, which can write any structure. What is written by it is remembered: of the message, the text
of each value; of the DNS messages inside, what CachedParts remembers. The text around what changes from message to
message, such as identifiers, is cut out of structures that have a hole there, so that no format is described twice.

This is the fast way to the text of `structure_builder(style)(dnstap)`. Messages that are not usual take that way
itself, and tests compare the two.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from dnstap.dns.addresses import V4_MAPPED, address_text
from dnstap.dns.cached_parts import FIRST_NAME, CachedParts
from dnstap.dns.edns import Option
from dnstap.dns.escapes import escaped_text
from dnstap.dns.message import Question, Record
from dnstap.dns.registry import TYPE_NUMBERS
from dnstap.dns.text import OPT
from dnstap.dns.walker import WalkError
from dnstap.errors import DnsMessageError
from dnstap.fields.kinds import Remembered
from dnstap.peer import CurrentPeer
from dnstap.rendering.structure import (
    address_text_of,
    dns_structure,
    edns_structure,
    enum_text,
    header_structure,
    peer_text,
    question_structure,
    rdata_structure,
    structure_builder,
    time_formatter,
    zone_text,
)
from dnstap.schema.fields import DnstapFields, MessageFields, rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages import Dnstap
    from dnstap.rendering.structure import Structure
    from dnstap.rendering.style import Style
    from dnstap.schema.fields import Fields

__all__ = ["Notation", "structure_renderer"]

_HOLE, _NUMBER = "<>", "<#>"
"""Stand for a text and for a number in a structure."""

A, AAAA = TYPE_NUMBERS["A"], TYPE_NUMBERS["AAAA"]
_COOKIE = 10
_EXAMPLES = {A: b"\xc0\0\2\1", AAAA: b"\x20\1\x0d\xb8" + bytes(11) + b"\1"}


_SIDES = ("query", "response")
_WRITTEN = frozenset(
    [
        *("type", "identity", "version", "extra", "message", "query_zone", "policy"),
        *("socket_family", "socket_protocol", "http_protocol"),
        *[f"{side}_{part}" for side in _SIDES for part in ("address", "port", "time_sec", "time_nsec", "message")],
    ]
)
"""Rows of the schema, of Dnstap and Message, that `structure_renderer` knows."""


class Notation(NamedTuple):
    """A format of structures, in which a text is written in double quotes.

    Attributes:
        document: returns the text of a whole structure.
        members: returns the text of some members of a mapping, after others, as many levels deep in the document.
        escape: returns text as it stands in the quotes.
    """

    document: Callable[[Structure], str]
    members: Callable[[Structure, int], str]
    escape: Callable[[str], str]


def _pieces(text: str) -> list[str]:
    """Return the text between the holes."""
    return text.replace(f'"{_NUMBER}"', _HOLE).split(_HOLE)


class _DnsTexts(CachedParts):
    """The members of DNS messages in a notation, from the value of `id` to what is before `wire`."""

    def __init__(self, notation: Notation) -> None:
        self._notation = notation
        record = {"name": _HOLE, "ttl": _NUMBER}
        sections = []
        for name in "answer", "authority", "additional":
            opening, _, separator, _, closing = _pieces(self._members({name: [record, record]}))
            sections.append((opening, closing, self._members({name: []})))
        super().__init__(notation.escape, tuple(sections), separator)
        self._end_of_section = closing
        self._address_forms = {
            rrtype: self.rdata(rrtype, (example,)).replace(address_text(example), FIRST_NAME)
            for rrtype, example in _EXAMPLES.items()
        }
        _, self._after_client, self._after_server = self._around_cookie(0, 0)

    def _members(self, structure: Structure) -> str:
        """Return the text of members of a DNS message."""
        return self._notation.members(structure, 2)

    def exact(self, wire: bytes) -> str:  # noqa: ARG002 (the callers write its structure)
        raise WalkError("a message that is not usual")

    def header(self, flags: int, counts: tuple[int, ...]) -> tuple[str, str]:
        header = header_structure(struct.pack(">6H", 0, flags, *counts))
        return "", _pieces(self._members({**header, "id": _NUMBER}))[1]

    def question(self, rrtype: int, rrclass: int) -> tuple[str, str]:
        before, after = _pieces(self._members({"question": [question_structure(Question(_HOLE, rrtype, rrclass))]}))
        return before, after

    def opt(self, rrclass: int, ttl: int, options: tuple[Option, ...]) -> tuple[str, str]:
        return "", self._members({"edns": edns_structure(Record("", OPT, rrclass, ttl, (options,)))})

    def _around_cookie(self, rrclass: int, ttl: int) -> list[str]:
        """Return the text before, between and after the two parts of a cookie."""
        _, text = self.opt(rrclass, ttl, (Option(_COOKIE, b"\xaa" * 8 + b"\xbb" * 8),))
        return text.replace("b" * 16, "a" * 16).split("a" * 16)

    def cookie_heading(self, rrclass: int, ttl: int) -> str:
        return self._around_cookie(rrclass, ttl)[0]

    def cookie(self, heading: str, cookie: bytes) -> tuple[str, str]:
        digits = cookie.hex()
        return "", f"{heading}{digits[:16]}{self._after_client}{digits[16:]}{self._after_server}"

    def record(self, rrtype: int, rrclass: int) -> tuple[str, str]:
        record = {**question_structure(Question(_HOLE, rrtype, rrclass)), "ttl": _NUMBER}
        return _pieces(self._members({"answer": [record]}))[1], ""

    def rdata(self, rrtype: int, values: tuple[Any, ...]) -> str:
        record = {"ttl": _NUMBER, **rdata_structure(Record("", rrtype, 1, 0, values))}
        # The first hole: the texts may have the same characters in them.
        return self._members({"answer": [record]}).partition(f'"{_NUMBER}"')[2].removesuffix(self._end_of_section)

    def address(self, rrtype: int, address: bytes) -> str:
        if address.startswith(V4_MAPPED):
            return self.rdata(rrtype, (address,))
        return self._address_forms[rrtype].replace(FIRST_NAME, address_text(address))


def structure_renderer(
    notation: Notation,
    style: Style,
    peer: CurrentPeer | None,
    schema: tuple[type[Fields], ...] = (DnstapFields, MessageFields),
) -> Callable[[Dnstap], str]:
    """Return the function that renders the structure of a message. It remembers parts of what it has rendered.

    Args:
        peer: the sender of each message that it is called with.
        schema: classes with the rows of Dnstap and Message; with a row that is not known here, none takes the fast way.
    Raises: ValueError: unknown time zone.
    """
    build = structure_builder(style, peer)
    if not _WRITTEN.issuperset([row.name for fields in schema for row in rows(fields)]):
        return lambda dnstap: notation.document(build(dnstap))
    sender = peer or CurrentPeer()
    document, members, escape = notation
    start, between, end = document({"type": _HOLE, "message": {"type": _HOLE}}).split(_HOLE)
    types = Remembered(lambda value: f'{start}{escape(enum_text(value))}"')
    message_types = Remembered(lambda value: f'{between[1:]}{escape(enum_text(value))}"')
    end = end[1:]

    def texts(name: str, text: Callable[[Any], Any], depth: int = 1) -> Remembered:
        return Remembered(lambda value: members({name: text(value)}, depth), "")

    identities, versions, extras = (texts(name, escaped_text, 0) for name in ("identity", "version", "extra"))
    peers = texts("peer", peer_text, 0)
    families, protocols, http_protocols = (
        texts(name, enum_text) for name in ("socket_family", "socket_protocol", "http_protocol")
    )
    query_addresses, response_addresses = (texts(f"{side}_address", address_text_of) for side in _SIDES)
    query_ports, response_ports = (texts(f"{side}_port", int) for side in _SIDES)
    query_time, response_time = (_time_writer(side, notation, style) for side in _SIDES)
    zones = texts("query_zone", zone_text)
    dns_texts = _DnsTexts(notation).text
    query_message, response_message = (_dns_writer(side, notation, dns_texts) for side in _SIDES)

    def render(dnstap: Dnstap) -> str:
        message = dnstap.message
        if (
            message is None
            or message.type is None
            or dnstap.type is None
            or message.policy is not None
            or dnstap._unknown_fields
            or message._unknown_fields
        ):
            return document(build(dnstap))
        return (
            f"{types[dnstap.type]}{identities[dnstap.identity]}{versions[dnstap.version]}{extras[dnstap.extra]}"
            f"{peers[sender.text]}{message_types[message.type]}{families[message.socket_family]}"
            f"{protocols[message.socket_protocol]}{http_protocols[message.http_protocol]}"
            f"{query_addresses[message.query_address]}{query_ports[message.query_port]}"
            f"{response_addresses[message.response_address]}{response_ports[message.response_port]}"
            f"{query_time(message.query_time_sec, message.query_time_nsec)}"
            f"{response_time(message.response_time_sec, message.response_time_nsec)}{zones[message.query_zone]}"
            f"{query_message(message.query_message)}{response_message(message.response_message)}{end}"
        )

    return render


def _time_writer(side: str, notation: Notation, style: Style) -> Callable[[int | None, int | None], str]:
    """Return the function from seconds and nanoseconds to the members of a time."""
    time = time_formatter(style)

    def written(seconds: int | None, nanoseconds: int | str | None, text: str | None) -> str:
        values = {f"{side}_time": text, f"{side}_time_sec": seconds, f"{side}_time_nsec": nanoseconds}
        return notation.members({name: value for name, value in values.items() if value is not None}, 1)

    def parts(seconds: int) -> tuple[str, str] | None:
        text = time(seconds, 0)
        if text is None:
            return None
        before, after, _ = _pieces(written(seconds, _NUMBER, text.replace(".000000000", f".{_HOLE}")))
        return before, after

    known = Remembered(parts)

    def write(seconds: int | None, nanoseconds: int | None) -> str:
        found = known[seconds]
        if found is None or nanoseconds is None or nanoseconds > 999_999_999:
            return written(seconds, nanoseconds, time(seconds, nanoseconds))
        before, after = found
        return f"{before}{nanoseconds:09d}{after}{nanoseconds}"

    return write


def _dns_writer(side: str, notation: Notation, text: Callable[[bytes], str]) -> Callable[[bytes | None], str]:
    """Return the function from a DNS message to the member that it is."""
    name = f"{side}_message"
    opening, before_wire, end = _pieces(notation.members({name: {"id": _NUMBER, "wire": _HOLE}}, 1))

    def write(wire: bytes | None) -> str:
        if wire is None:
            return ""
        try:
            return f"{opening}{text(wire)}{before_wire}{wire.hex()}{end}"
        except (WalkError, DnsMessageError):
            return notation.members({name: dns_structure(wire)}, 1)

    return write
