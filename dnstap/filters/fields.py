"""The fields as a filter knows them: their operators, and the values that they are compared with.

The catalogue (dnstap/fields/) has the fields, and the expressions that read them; what can be asked of one follows from
the kind of its values.
"""

from __future__ import annotations

import re
from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from dnstap.dns.names import name_octets
from dnstap.dns.registry import CLASSES, TYPE_NUMBERS
from dnstap.dns.text import FLAGS, OPCODES, rcode_text
from dnstap.fields import catalogue, kinds
from dnstap.filters.networks import Networks, parse_network
from dnstap.filters.values import (
    enum_parser,
    number_parser,
    parse_any_text,
    parse_duration,
    parse_hex,
    parse_size,
    parse_text,
    parse_time,
)
from dnstap.schema.enums import MessageType
from dnstap.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dnstap.fields.kinds import Kind

__all__ = [
    "ADDRESS_KINDS",
    "EITHER_FIELD",
    "FIELDS",
    "FLAG",
    "LIST_KINDS",
    "MESSAGE_TYPES",
    "NETWORK_KINDS",
    "OPERATORS",
    "Field",
    "filter_field",
]

_LENGTHS = [bytes((length,)) for length in range(64)]
_is_host_name = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*").fullmatch
_without_escapes = re.compile(r"\\.", re.DOTALL).sub
# A blank is more likely the end of a name, such as in a file with columns; no name has one without a backslash.
_not_in_names = re.compile(r"[*\x00-\x20\x7f]").search

EQUALITY_OPERATORS = ("=", "!=", "in")
ORDER_OPERATORS = (*EQUALITY_OPERATORS, "<", "<=", ">", ">=")
TEXT_OPERATORS = (*EQUALITY_OPERATORS, "~", "like")
NAME_OPERATORS = (*TEXT_OPERATORS, "under")
OPERATORS = {*ORDER_OPERATORS, *NAME_OPERATORS}


def _no_hint(_word: str) -> str:
    return ""


class _Values(NamedTuple):
    """The tests of a kind of values; see Field."""

    operators: tuple[str, ...]
    parse_value: Callable[[str], Any]
    expected: str
    hint: Callable[[str], str] = _no_hint
    collect: Callable[[Iterable[Any]], Any] = frozenset


class Field(NamedTuple):
    """One field.

    Attributes:
        name: its name or an alias, as it stands in the expression.
        field: its row of the catalogue.
        operators: those that it has, beside "has" and "not in".
        parse_value: function from the text of a value; raises ValueError or KeyError.
        expected: the values in words, for error messages.
        hint: function that returns how a wrong value could be written, "" if that is not known.
        collect: the type of the sets of values that the field is compared with.
    """

    name: str
    field: catalogue.Field
    operators: tuple[str, ...]
    parse_value: Callable[[str], Any]
    expected: str
    hint: Callable[[str], str] = _no_hint
    collect: Callable[[Iterable[Any]], Any] = frozenset

    @property
    def kind(self) -> Kind:
        """The kind of its values."""
        return self.field.kind


def _like(names: Iterable[str]) -> Callable[[str], str]:
    return partial(did_you_mean, names=names)


def _enum_values(numbers: dict[str, int], expected: str = "") -> _Values:
    text = f"{expected or ', '.join(numbers)} or a number"
    return _Values(EQUALITY_OPERATORS, enum_parser(numbers), text, _like(numbers))


def _network_hint(name: str, word: str) -> str:
    try:
        # Also with bits after the prefix, which a network must not have.
        network = ip_network(word, strict=False)
    except ValueError:
        return ""
    return f"for a network: {name} in {network}"


def _time_hint(word: str) -> str:
    if word.isdecimal():
        return "seconds since 1970 have 9 to 11 digits; of a year, the first day is meant by 2026-01-01"
    try:
        parse_duration(word)
    except ValueError:
        return ""
    return f"for a time before now: -{word}"


def _parse_name(word: str) -> bytes:
    """Return a name in wire format and in lower case."""
    if _is_host_name(word) and len(word) <= 253:
        # A list has a million of them, and each takes a third of the time here.
        return b"".join([_LENGTHS[len(label)] + label for label in word.lower().encode().split(b".")]) + b"\0"
    if _not_in_names(_without_escapes("", word)):
        raise ValueError(word)
    return name_octets(word).lower()


def _name_hint(name: str, word: str) -> str:
    if not _has_star(word):
        return ""
    if word.startswith("*."):
        return f"for all names below a name: {name} under {word[2:]}; for the name with a star: \\{word}"
    return f"for a pattern: {name} like {word}; for the name with a star: \\*"


def _has_star(word: str) -> bool:
    """Return whether a name has a star without a backslash, which other programs take for any name."""
    return "*" in _without_escapes("", word)


MESSAGE_TYPES = {
    name: int(member)
    for member in MessageType
    for name in (member.name, "".join([word[0] for word in member.name.split("_")]))
}
"""With the letters of `dnstap -q`, e.g. CQ for CLIENT_QUERY."""

_FLAG_BITS = {name: bit for bit, name in FLAGS}
_BOOLEANS = {
    word: value
    for words, value in (("true True TRUE yes 1", True), ("false False FALSE no 0", False))
    for word in words.split()
}
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

_ADDRESSES = _Values(EQUALITY_OPERATORS, parse_network, "an address", collect=Networks)
_COUNTS = _Values(ORDER_OPERATORS, number_parser(65535), "a number, 0 to 65535")

_TYPES = _Values(ORDER_OPERATORS, _parse_type, "a record type such as AAAA, TYPE65 or 65", _like(TYPE_NUMBERS))
_CLASS_VALUES = _Values(ORDER_OPERATORS, _parse_class, "a class such as IN, CLASS3 or 3", _like(_CLASSES))

_BY_KIND: dict[Kind, _Values] = {
    kinds.DIRECTION: _Values(EQUALITY_OPERATORS, _DIRECTIONS.__getitem__, "Q or R"),
    kinds.ADDRESS: _ADDRESSES,
    kinds.PEER: _ADDRESSES,
    kinds.PORT: _Values(ORDER_OPERATORS, number_parser(65535), "a port (0 to 65535)"),
    kinds.TIME: _Values(
        ORDER_OPERATORS,
        parse_time,
        "a time such as 2026-11-23T21:45:12.973Z, 21:45:12, 1795470312.973 or -1h",
        _time_hint,
    ),
    kinds.DURATION: _Values(ORDER_OPERATORS, parse_duration, "a duration such as 20ms, 1.5s or 300us"),
    kinds.SIZE: _Values(ORDER_OPERATORS, parse_size, "a number of bytes such as 512, 4k or 1MiB"),
    kinds.COUNT: _COUNTS,
    kinds.NUMBER: _Values(ORDER_OPERATORS, number_parser((1 << 64) - 1), "a number"),
    kinds.OPCODE: _Values(
        ORDER_OPERATORS, _parse_opcode, f"{', '.join(_OPCODES)} or a number, 0 to 15", _like(_OPCODES)
    ),
    kinds.NAME: _Values(NAME_OPERATORS, _parse_name, "a domain name"),
    kinds.TYPE: _TYPES,
    kinds.CLASS: _CLASS_VALUES,
    kinds.RCODE: _Values(ORDER_OPERATORS, _parse_rcode, "an rcode such as NXDOMAIN, RCODE3 or 3", _like(_RCODES)),
    kinds.BYTES: _Values(TEXT_OPERATORS, parse_text, "a text that is not empty"),
    kinds.BOOLEAN: _Values(EQUALITY_OPERATORS, _BOOLEANS.__getitem__, "true or false"),
    kinds.NUMBERS: _Values(ORDER_OPERATORS, number_parser((1 << 32) - 1), "a number"),
    kinds.TYPES: _TYPES._replace(operators=EQUALITY_OPERATORS),
    kinds.CLASSES: _CLASS_VALUES._replace(operators=EQUALITY_OPERATORS),
    kinds.OCTETS: _Values(EQUALITY_OPERATORS, parse_hex, "hexadecimal digits"),
    kinds.TEXTS: _Values(TEXT_OPERATORS, parse_any_text, "a text that is not empty"),
    kinds.SUBNET: _Values(EQUALITY_OPERATORS, parse_network, "a network or an address", collect=Networks),
    # Beside "has", flags have the test "flag".
    kinds.FLAGS: _Values((), _FLAG_BITS.__getitem__, f"one of {', '.join(_FLAG_BITS)}", _like(_FLAG_BITS)),
}
"""The tests of each kind but enums."""


def filter_field(name: str, field: catalogue.Field) -> Field:
    """Return a row of the catalogue as a filter knows it, by its name or an alias."""
    enum = field.kind.enum
    if enum is MessageType:
        values = _enum_values(MESSAGE_TYPES, "a message type such as CLIENT_QUERY or CQ")
    elif enum:
        values = _enum_values({member.name: int(member) for member in enum})
    else:
        values = _BY_KIND[field.kind]
    if field.kind in ADDRESS_KINDS:
        values = values._replace(hint=partial(_network_hint, name))
    if field.kind is kinds.NAME:
        values = values._replace(hint=partial(_name_hint, name))
    return Field(name, field, *values)


ADDRESS_KINDS = (kinds.ADDRESS, kinds.PEER)
"""Kinds that are compared with addresses and networks."""

NETWORK_KINDS = (*ADDRESS_KINDS, kinds.SUBNET)
"""Kinds that are in networks."""

LIST_KINDS = (kinds.NUMBERS, kinds.TEXTS, kinds.TYPES, kinds.CLASSES)
"""Kinds with several values, of which a test asks for one that passes it."""

FIELDS = {name: filter_field(name, field) for name, field in catalogue.NAMES.items()}
"""The fields by name and alias."""

EITHER_FIELD = {"address": ("client", "server"), "port": ("client_port", "server_port")}
"""Names that stand for either of two fields."""

FLAG = FIELDS["flags"]
"""The flags of the header, which have the test "flag"."""
