"""The fields that a filter knows: how each is read, what it is compared with, and how dear that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dnstap.dns.registry import CLASSES, TYPE_NUMBERS
from dnstap.dns.text import FLAGS, OPCODES, rcode_text
from dnstap.filters.values import choice, duration, moment, name_octets, network, number, text_octets

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ACTIONS",
    "BOTH",
    "FAMILIES",
    "FIELDS",
    "FLAG",
    "FLAG_BITS",
    "HTTP",
    "MESSAGE_TYPES",
    "OPERATORS",
    "PROTOCOLS",
    "Field",
]

# The enums of the schema are here once more because dnstap.schema.enums loads betterproto2, which takes longer than to
# filter a hundred thousand messages.
_SIDES = {"AUTH": "A", "RESOLVER": "R", "CLIENT": "C", "FORWARDER": "F", "STUB": "S", "TOOL": "T", "UPDATE": "U"}
MESSAGE_TYPES = {
    name: 2 * index + way
    for index, (side, letter) in enumerate(_SIDES.items())
    for way, direction in ((1, "QUERY"), (2, "RESPONSE"))
    for name in (f"{side}_{direction}", letter + direction[0])
}
"""With the letters of `dnstap -q`."""
FAMILIES = {"INET": 1, "INET6": 2}
PROTOCOLS = {"UDP": 1, "TCP": 2, "DOT": 3, "DOH": 4, "DNSCryptUDP": 5, "DNSCryptTCP": 6, "DOQ": 7}
HTTP = {"HTTP1": 1, "HTTP2": 2, "HTTP3": 3}
ACTIONS = {"NXDOMAIN": 1, "NODATA": 2, "PASS": 3, "DROP": 4, "TRUNCATE": 5, "LOCAL_DATA": 6}

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
    "family": _enum("m.socket_family", _ENUMS, FAMILIES, "INET, INET6"),
    "protocol": _enum("m.socket_protocol", _ENUMS, PROTOCOLS, ", ".join(PROTOCOLS)),
    "http": _enum("m.http_protocol", _ENUMS, HTTP, ", ".join(HTTP)),
    "policy": _enum("(None if m.policy is None else m.policy.action)", "policy", ACTIONS, ", ".join(ACTIONS)),
    "client": _address("query_address"),
    "server": _address("response_address"),
    "client_port": _port("query_port"),
    "server_port": _port("response_port"),
    "time": _time(f"({_QUERY_TIME} if k else {_RESPONSE_TIME})"),
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

BOTH = {"address": ("client", "server"), "port": ("client_port", "server_port")}
"""Names for either of two fields."""

FLAG = Field(_header("w[2] << 8 | w[3]"), _WIRES, 4, (), FLAG_BITS.__getitem__, f"one of {', '.join(FLAG_BITS)}")
"""The flags of the header, which have a test of their own."""
