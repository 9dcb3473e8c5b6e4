"""The fields that a filter knows: how each is read, what it is compared with, and how dear that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dnstap.dns.registry import CLASSES, TYPE_NUMBERS
from dnstap.dns.text import FLAGS, OPCODES, rcode_text
from dnstap.filters.values import choice, duration, moment, name_octets, network, number, text_octets
from dnstap.schema.enums import HttpProtocol, MessageType, PolicyAction, SocketFamily, SocketProtocol
from dnstap.schema.fields import MessageFields, rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.schema.enums import OpenEnum
    from dnstap.schema.fields import Row

__all__ = [
    "BOTH",
    "FIELDS",
    "FLAG",
    "FLAG_BITS",
    "MESSAGE_TYPES",
    "OPERATORS",
    "Field",
]


def _listed(enum: type[OpenEnum]) -> str:
    return ", ".join(_names(enum))


def _names(enum: type[OpenEnum]) -> dict[str, int]:
    return {member.name: int(member) for member in enum}


MESSAGE_TYPES = {
    name: int(member)
    for member in MessageType
    for name in (member.name, "".join([word[0] for word in member.name.split("_")]))
}
"""With the letters of `dnstap -q`, e.g. CQ for CLIENT_QUERY."""

_RCODES = {rcode_text(rcode): rcode for rcode in range(1 << 12) if rcode_text(rcode)} | {"BADVERS": 16}

FLAG_BITS = {name: bit for bit, name in FLAGS}

EQUAL = ("=", "!=", "in")
ORDER = (*EQUAL, "<", "<=", ">", ">=")
TEXT = (*EQUAL, "~")
NAME = (*TEXT, "under")
OPERATORS = {*ORDER, *NAME}

# What is kept of a payload together, so that there are few classes (dnstap.codec.projections).
_ENUMS = "socket_family socket_protocol http_protocol"
_ADDRESSES = "query_address response_address"
_PORTS = "query_port response_port"
_TIMES = "query_time_sec query_time_nsec response_time_sec response_time_nsec"
_WIRES = "query_message response_message"
_TEXTS = "identity version extra"

_QUERY_TIME = "(None if (s := m.query_time_sec) is None else s * 1000000000 + (m.query_time_nsec or 0))"
_RESPONSE_TIME = "(None if (s := m.response_time_sec) is None else s * 1000000000 + (m.response_time_nsec or 0))"
# As dnstap.schema.meaning.own_time; k is None for a type that does not say which time is its own.
_OWN_TIME = f"({_QUERY_TIME} if k or (k is None and m.response_time_sec is None) else {_RESPONSE_TIME})"
_QUESTION = "(q or (q := ask(w)))"
_WHOLE = "(r or (r := whole(w)))"


class Field(NamedTuple):
    """One field.

    Attributes:
        source: what gives its value, None where it is absent or does not parse. There are d, the Dnstap, m, its
            Message, k, whether that is a query, and w, its DNS message.
        kept: the attributes of d and m that it is read from.
        cost: of reading it, in about 30 ns.
        operators: those that it has.
        value: from the text of what it is compared with.
        what: what that text should be.
    """

    source: str
    kept: str
    cost: int
    operators: tuple[str, ...]
    value: Callable[[str], Any]
    what: str


def _enum(source: str, kept: str, names: dict[str, int], what: str) -> Field:
    return Field(source, kept, 1, EQUAL, choice(names), f"{what} or a number")


def _header(octets: str) -> str:
    return f"({octets} if w and len(w) > 11 else None)"


def _address(name: str) -> Field:
    source = f"(a if (a := m.{name}) is not None and len(a) in (4, 16) else None)"
    return Field(source, _ADDRESSES, 3, EQUAL, network, "an address")


def _port(name: str) -> Field:
    return Field(f"m.{name}", _PORTS, 1, ORDER, number(65535), "a port, 0 to 65535")


def _time(source: str) -> Field:
    return Field(source, _TIMES, 4, ORDER, moment, "a time such as 2026-11-23T21:45:12.973Z")


def _text(name: str) -> Field:
    return Field(f"(d.{name} or None)", _TEXTS, 2, TEXT, text_octets, "a text that is not empty")


def _name(source: str, kept: str, cost: int) -> Field:
    return Field(source, kept, cost, NAME, name_octets, "a domain name")


_QTYPE = number(65535, TYPE_NUMBERS, "TYPE")
_QCLASS = number(65535, {name: rrclass for rrclass, name in CLASSES.items()} | {"ANY": 255}, "CLASS")
_OPCODE = number(15, {name: opcode for opcode, name in OPCODES.items()}, "OPCODE")

FIELDS = {
    "type": _enum("m.type", "", MESSAGE_TYPES, "a message type such as CLIENT_QUERY or CQ"),
    "qr": Field("k", "", 1, EQUAL, {"q": True, "Q": True, "r": False, "R": False}.__getitem__, "Q or R"),
    "family": _enum("m.socket_family", _ENUMS, _names(SocketFamily), "INET, INET6"),
    "protocol": _enum("m.socket_protocol", _ENUMS, _names(SocketProtocol), _listed(SocketProtocol)),
    "http": _enum("m.http_protocol", _ENUMS, _names(HttpProtocol), _listed(HttpProtocol)),
    "policy": _enum(
        "(None if m.policy is None else m.policy.action)", "policy", _names(PolicyAction), _listed(PolicyAction)
    ),
    "client": _address("query_address"),
    "server": _address("response_address"),
    "client_port": _port("query_port"),
    "server_port": _port("response_port"),
    "time": _time(_OWN_TIME),
    "query_time": _time(_QUERY_TIME),
    "response_time": _time(_RESPONSE_TIME),
    "latency": Field(
        f"(None if (b := {_QUERY_TIME}) is None or (c := {_RESPONSE_TIME}) is None else c - b)",
        _TIMES,
        8,
        ORDER,
        duration,
        "a duration such as 20ms, 1.5s or 300us",
    ),
    "size": Field("(None if w is None else len(w))", _WIRES, 2, ORDER, number((1 << 32) - 1), "a number of octets"),
    "id": Field(_header("w[0] << 8 | w[1]"), _WIRES, 4, ORDER, number(65535), "a number, 0 to 65535"),
    "opcode": Field(
        _header("w[2] >> 3 & 15"), _WIRES, 4, ORDER, _OPCODE, f"{', '.join(OPCODES.values())} or a number, 0 to 15"
    ),
    "qname": _name(f"{_QUESTION}[0]", _WIRES, 10),
    "qtype": Field(f"{_QUESTION}[1]", _WIRES, 10, ORDER, _QTYPE, "a record type such as AAAA, TYPE65 or 65"),
    "qclass": Field(f"{_QUESTION}[2]", _WIRES, 10, ORDER, _QCLASS, "a class such as IN, CLASS3 or 3"),
    "zone": _name("zone(m.query_zone)", "query_zone", 8),
    "rcode": Field(
        f"(None if k else {_WHOLE}[0])",
        _WIRES,
        60,
        ORDER,
        number(4095, _RCODES, "RCODE"),
        "an rcode such as NXDOMAIN, RCODE3 or 3",
    ),
    "answers": Field(f"{_WHOLE}[1]", _WIRES, 60, ORDER, number(65535), "a number, 0 to 65535"),
    "identity": _text("identity"),
    "version": _text("version"),
    "extra": _text("extra"),
}
"""By the names that `--fields` has for them."""


def _plain(row: Row) -> Field:
    """Return the field of a row of the schema that no field above reads, under the name of the row."""
    source = f"m.{row.name}"
    if row.proto_type == "enum":
        return _enum(source, row.name, _names(row.python_type), _listed(row.python_type))
    if row.python_type is int:
        return Field(source, row.name, 1, ORDER, number((1 << 64) - 1), "a number")
    return Field(source, row.name, 1, EQUAL, text_octets, "a text")


_READ = {"type", *[name for field in FIELDS.values() for name in field.kept.split()]}
FIELDS |= {row.name: _plain(row) for row in rows(MessageFields) if row.name not in _READ}

BOTH = {"address": ("client", "server"), "port": ("client_port", "server_port")}
"""Names for either of two fields."""

FLAG = Field(_header("w[2] << 8 | w[3]"), _WIRES, 4, (), FLAG_BITS.__getitem__, f"one of {', '.join(FLAG_BITS)}")
"""The flags of the header, which have a test of their own."""
