"""The fields that a filter knows: their operators, and the values that they are compared with.

expressions.py has the source that reads each of them.
"""

from __future__ import annotations

import re
from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from dnstap.dns.registry import CLASSES, TYPE_NUMBERS
from dnstap.dns.text import FLAGS, OPCODES, rcode_text
from dnstap.filters.expressions import EXPRESSIONS
from dnstap.filters.values import (
    enum_parser,
    number_parser,
    parse_duration,
    parse_name,
    parse_network,
    parse_text,
    parse_time,
)
from dnstap.schema.enums import HttpProtocol, MessageType, PolicyAction, SocketFamily, SocketProtocol
from dnstap.schema.fields import MessageFields, rows
from dnstap.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dnstap.schema.enums import OpenEnum
    from dnstap.schema.fields import Row

__all__ = [
    "ADDRESS_FIELDS",
    "EITHER_FIELD",
    "FIELDS",
    "FLAG",
    "MESSAGE_TYPES",
    "NAME_OPERATORS",
    "OPERATORS",
    "Field",
    "schema_field",
]

EQUALITY_OPERATORS = ("=", "!=", "in")
ORDER_OPERATORS = (*EQUALITY_OPERATORS, "<", "<=", ">", ">=")
TEXT_OPERATORS = (*EQUALITY_OPERATORS, "~")
NAME_OPERATORS = (*TEXT_OPERATORS, "under")
OPERATORS = {*ORDER_OPERATORS, *NAME_OPERATORS}


def _no_hint(_word: str) -> str:
    return ""


class Field(NamedTuple):
    """One field.

    Attributes:
        name: its name, which is that of a column of `--fields`; EXPRESSIONS has it too.
        operators: those that it has, beside "has" and "not in".
        parse_value: function from the text of a value; raises ValueError or KeyError.
        expected: the values in words, for error messages.
        hint: function that returns how a wrong value could be written, "" if that is not known.
    """

    name: str
    operators: tuple[str, ...]
    parse_value: Callable[[str], Any]
    expected: str
    hint: Callable[[str], str] = _no_hint


def _numbers_by_name(enum: type[OpenEnum]) -> dict[str, int]:
    return {member.name: int(member) for member in enum}


def _enum_field(name: str, numbers: dict[str, int], expected: str = "") -> Field:
    text = f"{expected or ', '.join(numbers)} or a number"
    return Field(name, EQUALITY_OPERATORS, enum_parser(numbers), text, _like(numbers))


def _like(names: Iterable[str]) -> Callable[[str], str]:
    return partial(did_you_mean, names=names)


def _address_field(name: str) -> Field:
    def hint(word: str) -> str:
        try:
            # Also with bits behind the prefix, which a network must not have.
            network = ip_network(word, strict=False)
        except ValueError:
            return ""
        return f"for a network: {name} in {network}"

    return Field(name, EQUALITY_OPERATORS, parse_network, "an address", hint)


def _port_field(name: str) -> Field:
    return Field(name, ORDER_OPERATORS, number_parser(65535), "a port (0 to 65535)")


def _time_field(name: str) -> Field:
    return Field(name, ORDER_OPERATORS, parse_time, "a time such as 2026-11-23T21:45:12.973Z or 21:45:12")


def _text_field(name: str) -> Field:
    return Field(name, TEXT_OPERATORS, parse_text, "a text that is not empty")


def _name_field(name: str) -> Field:
    def parse(word: str) -> bytes:
        if _has_star(word):
            raise ValueError(word)
        return parse_name(word)

    def hint(word: str) -> str:
        if not _has_star(word):
            return ""
        if word.startswith("*."):
            return f"for all names below a name: {name} under {word[2:]}; for the name with a star: \\{word}"
        return f"for a pattern: {name} ~; for the name with a star: \\*"

    return Field(name, NAME_OPERATORS, parse, "a domain name", hint)


def _has_star(word: str) -> bool:
    """Return whether a name has a star without a backslash, which other programs take for any name."""
    return "*" in re.sub(r"\\.", "", word, flags=re.DOTALL)


MESSAGE_TYPES = {
    name: int(member)
    for member in MessageType
    for name in (member.name, "".join([word[0] for word in member.name.split("_")]))
}
"""With the letters of `dnstap -q`, e.g. CQ for CLIENT_QUERY."""

_FLAG_BITS = {name: bit for bit, name in FLAGS}
_DIRECTIONS = {"q": True, "Q": True, "r": False, "R": False}
_OPCODES = {name: opcode for opcode, name in OPCODES.items()}
# CLASSES has no name for 255, which the formats show as CLASS255; filters take ANY for it too.
_CLASSES = {name: rrclass for rrclass, name in CLASSES.items()} | {"ANY": 255}
# The name that 16 has in rcode_text is that of TSIG, BADSIG.
_RCODES = {rcode_text(rcode): rcode for rcode in range(1 << 12) if rcode_text(rcode)} | {"BADVERS": 16}

_parse_type = number_parser(65535, TYPE_NUMBERS, "TYPE")
_parse_class = number_parser(65535, _CLASSES, "CLASS")
_parse_opcode = number_parser(15, _OPCODES, "OPCODE")
_parse_rcode = number_parser(4095, _RCODES, "RCODE")

_ALL = [
    _enum_field("type", MESSAGE_TYPES, "a message type such as CLIENT_QUERY or CQ"),
    Field("qr", EQUALITY_OPERATORS, _DIRECTIONS.__getitem__, "Q or R"),
    _enum_field("family", _numbers_by_name(SocketFamily)),
    _enum_field("protocol", _numbers_by_name(SocketProtocol)),
    _enum_field("http", _numbers_by_name(HttpProtocol)),
    _enum_field("policy", _numbers_by_name(PolicyAction)),
    _address_field("client"),
    _address_field("server"),
    _port_field("client_port"),
    _port_field("server_port"),
    _time_field("time"),
    _time_field("query_time"),
    _time_field("response_time"),
    Field("latency", ORDER_OPERATORS, parse_duration, "a duration such as 20ms, 1.5s or 300us"),
    Field("size", ORDER_OPERATORS, number_parser((1 << 32) - 1), "a number of bytes"),
    Field("id", ORDER_OPERATORS, number_parser(65535), "a number, 0 to 65535"),
    Field("opcode", ORDER_OPERATORS, _parse_opcode, f"{', '.join(_OPCODES)} or a number, 0 to 15", _like(_OPCODES)),
    _name_field("qname"),
    Field("qtype", ORDER_OPERATORS, _parse_type, "a record type such as AAAA, TYPE65 or 65", _like(TYPE_NUMBERS)),
    Field("qclass", ORDER_OPERATORS, _parse_class, "a class such as IN, CLASS3 or 3", _like(_CLASSES)),
    _name_field("zone"),
    Field("rcode", ORDER_OPERATORS, _parse_rcode, "an rcode such as NXDOMAIN, RCODE3 or 3", _like(_RCODES)),
    Field("answers", ORDER_OPERATORS, number_parser(65535), "a number, 0 to 65535"),
    _text_field("identity"),
    _text_field("version"),
    _text_field("extra"),
    _address_field("peer"),
]

FIELDS = {field.name: field for field in _ALL}
"""The fields by name."""


def schema_field(row: Row) -> Field:
    """Return the field of a row of the schema, under the name of the row."""
    if row.proto_type == "enum":
        return _enum_field(row.name, _numbers_by_name(row.python_type))
    if row.python_type is int:
        return Field(row.name, ORDER_OPERATORS, number_parser((1 << 64) - 1), "a number")
    return Field(row.name, EQUALITY_OPERATORS, parse_text, "a text")


# A row of the schema that no field above reads has an expression by its own name.
FIELDS |= {
    row.name: schema_field(row) for row in rows(MessageFields) if row.name in EXPRESSIONS and row.name not in FIELDS
}

ADDRESS_FIELDS = ("client", "server", "peer")
"""Fields that are compared with addresses and networks."""

EITHER_FIELD = {"address": ("client", "server"), "port": ("client_port", "server_port")}
"""Names that stand for either of two fields."""

FLAG = Field("flags", (), _FLAG_BITS.__getitem__, f"one of {', '.join(_FLAG_BITS)}", _like(_FLAG_BITS))
"""The flags of the header, which have only the test "flag"."""
