"""The catalogue of fields: one row a field, which lines of chosen fields and filters read.

Names are those of the field: `qname`, `rcode`, `ancount`, `edns_do` as ENTRADA and Zeek have them, and otherwise those
of dnstap.proto. Short names are aliases. A row of the schema that no field here reads has a field by its own name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dnstap.fields import kinds, suffixes
from dnstap.fields.kinds import Kind, enum_kind
from dnstap.schema.enums import (
    DnstapType,
    HttpProtocol,
    MessageType,
    PolicyAction,
    PolicyMatch,
    SocketFamily,
    SocketProtocol,
)
from dnstap.schema.fields import MessageFields, rows
from dnstap.suggestions import did_you_mean
from framestream.errors import MissingLibraryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnstap.schema.fields import Row

__all__ = ["ALL", "FIELDS", "NAMES", "Field", "check_installed", "chosen", "columns", "reads", "schema_field"]

ALL = "all"
"""The name that stands for all fields in a choice of them."""


class Field(NamedTuple):
    """One field.

    Attributes:
        name: its name.
        kind: the kind of its values.
        meaning: its description, for documentation.
        source: the expression that gives its value, None where it is absent or bad. generated.py has its variables. In
            parentheses unless it is a name or an attribute.
        reads: attributes of Dnstap and Message that must be decoded for it, beside their types, separated by blanks.
        cost: its time in units of about 30 ns; filters make cheap tests first.
        bad: an expression that is true if the field is there but does not parse; asked only where the value is None.
        shown: the expression of the value for output, where filters compare another; None where that is None.
        aliases: other names.
        extra: the extra of this distribution that it needs, "" for none.
    """

    name: str
    kind: Kind
    meaning: str
    source: str
    reads: str
    cost: int
    bad: str = ""
    shown: str = ""
    aliases: tuple[str, ...] = ()
    extra: str = ""


# Attributes are decoded in these groups, not one by one: the decoder keeps a class for each set of them.
_ENUMS = "socket_family socket_protocol http_protocol"
_ADDRESSES = "query_address response_address"
_PORTS = "query_port response_port"
_TIMES = "query_time_sec query_time_nsec response_time_sec response_time_nsec"
_WIRES = "query_message response_message"
_TEXTS = "identity version extra"


def _enum(name: str, enum: type, meaning: str, alias: str = "") -> Field:
    aliases = (alias,) if alias else ()
    return Field(name, enum_kind(enum), meaning, f"message.{name}", _ENUMS if alias else "", 1, aliases=aliases)


def _address(name: str, meaning: str, alias: str) -> Field:
    """Return the field of an IPv4 or IPv6 address; bytes of another length are no address."""
    source = f"(address if (address := message.{name}) is not None and len(address) in (4, 16) else None)"
    bad = f"message.{name} is not None"
    return Field(name, kinds.ADDRESS, meaning, source, _ADDRESSES, 3, bad, aliases=(alias,))


def _port(name: str, meaning: str, alias: str) -> Field:
    return Field(name, kinds.PORT, meaning, f"message.{name}", _PORTS, 1, aliases=(alias,))


def _nanoseconds(side: str) -> str:
    """Return the source for nanoseconds since 1970; without the field of nanoseconds, they are 0."""
    seconds, nanoseconds = f"message.{side}_time_sec", f"message.{side}_time_nsec"
    return f"(None if (seconds := {seconds}) is None else seconds * 1000000000 + ({nanoseconds} or 0))"


def _header(name: str, kind: Kind, meaning: str, value: str, *aliases: str) -> Field:
    """Return the field of a value in the header, which is whole if there are 12 bytes."""
    source = f"({value} if wire and len(wire) > 11 else None)"
    return Field(name, kind, meaning, source, _WIRES, 4, "wire is not None", aliases=aliases)


def _question(name: str, kind: Kind, meaning: str, index: int, shown: int | None = None) -> Field:
    question = "(question or (question := read_question(wire)))"
    shown_source = "" if shown is None else f"{question}[{shown}]"
    return Field(name, kind, meaning, f"{question}[{index}]", _WIRES, 10, "wire is not None", shown_source)


def _suffix(name: str, meaning: str, index: int) -> Field:
    qname = "(question or (question := read_question(wire)))[0]"
    bad = "wire is not None and question[0] is None"
    return Field(name, kinds.NAME, meaning, f"read_suffix({qname})[{index}]", _WIRES, 20, bad, extra="psl")


def _flag(name: str, meaning: str, octet: int, bit: int) -> Field:
    return _header(name, kinds.BOOLEAN, meaning, f"wire[{octet}] & {bit} != 0")


def _edns(name: str, kind: Kind, meaning: str, attribute: str, *aliases: str) -> Field:
    source = f"(edns or (edns := read_edns(wire, {_OUTCOME}))).{attribute}"
    return Field(name, kind, meaning, source, _WIRES, 70, _DAMAGED, aliases=aliases)


def _section(field: str, kind: Kind, meaning: str, section: str) -> Field:
    """Return the field of the questions, or of the records of a section, that the reader of the kind's name reads.

    A message that has none by its header is not parsed.
    """
    place, none = _SECTIONS[section]
    there = f"wire and wire[{place}:{place + 2}] {none}"
    found = f"(sections or (sections := read_sections(wire, {_OUTCOME}))).{section}"
    reader = f"read_{field.partition('_')[2]}"
    # Only texts can be too long.
    source = f"({reader}({found}{', wire' if kind is kinds.TEXTS else ''}) if {there} else None)"
    bad = f"wire is not None and ({_OUTCOME}[0] is None or ({there} and {found} != ()))"
    return Field(field, kind, meaning, source, _WIRES, 500, bad if kind is kinds.TEXTS else _DAMAGED)


def _records(name: str, section: str, of: str) -> tuple[Field, ...]:
    """Return the fields of the records of a section."""
    return (
        _section(f"{name}_names", kinds.TEXTS, f"names of the {of}", section),
        _section(f"{name}_types", kinds.TYPES, f"types of the {of}", section),
        _section(f"{name}_classes", kinds.CLASSES, f"classes of the {of}", section),
        _section(f"{name}_ttls", kinds.NUMBERS, f"TTLs of the {of}", section),
        _section(f"{name}_data", kinds.TEXTS, f"rdata of the {of}", section),
    )


def _policy(name: str, kind: Kind, meaning: str, value: str = "", *aliases: str) -> Field:
    value = value or f"message.policy.{name}"
    source = f"(None if message.policy is None else {value})"
    return Field(f"policy_{name}", kind, meaning, source, "policy", 1, aliases=aliases)


def _size(name: str, meaning: str, wire: str) -> Field:
    return Field(name, kinds.SIZE, meaning, f"(None if {wire} is None else len({wire}))", _WIRES, 2)


def _wire(name: str, meaning: str) -> Field:
    return Field(name, kinds.OCTETS, meaning, f"(message.{name} or None)", _WIRES, 2)


def _text(name: str, meaning: str) -> Field:
    """Return the field of a text of the sender, of which an empty one counts as absent."""
    return Field(name, kinds.BYTES, meaning, f"(dnstap.{name} or None)", _TEXTS, 2)


_QUERY_TIME = _nanoseconds("query")
_RESPONSE_TIME = _nanoseconds("response")
# As dnstap.schema.meaning.own_time.
_IS_QUERY_TIME = "is_query or (is_query is None and message.response_time_sec is None)"
_OWN_TIME = f"({_QUERY_TIME} if {_IS_QUERY_TIME} else {_RESPONSE_TIME})"
_LATENCY = f"(None if (asked := {_QUERY_TIME}) is None or (answered := {_RESPONSE_TIME}) is None else answered - asked)"
_OUTCOME = "(outcome or (outcome := read_outcome(wire)))"
_DAMAGED = f"wire is not None and {_OUTCOME}[0] is None"
_RCODE = f"(None if is_query else {_OUTCOME}[0])"
_NO_RCODE = f"not is_query and {_DAMAGED}"
# Where the header has the number of each section, and how it differs from that of none: the first question and the OPT
# record have fields of their own.
_SECTIONS = {
    "questions": (4, r'not in (b"\0\0", b"\0\1")'),
    "answers": (6, r'!= b"\0\0"'),
    "authorities": (8, r'!= b"\0\0"'),
    "additionals": (10, rf'!= (b"\0\0" if {_OUTCOME}[1] is None else b"\0\1")'),
}
_HAS_EDNS = f"(None if {_OUTCOME}[0] is None else outcome[1] is not None)"
_ERROR = f"(None if wire is None or {_OUTCOME}[0] is not None else read_error(wire))"
_FLAGS = "((wire[2] << 8 | wire[3]) & 0x87f0 or None)"
_ZONE = "read_zone(message.query_zone)"
_POLICY_TYPE = 'message.policy.type.encode("utf-8", "surrogateescape") if message.policy.type else None'

_ALL = [
    # Times, in nanoseconds.
    Field("time", kinds.TIME, "time of the query or the response that the message is about", _OWN_TIME, _TIMES, 4),
    Field("query_time", kinds.TIME, "time of the query", _QUERY_TIME, _TIMES, 4),
    Field("response_time", kinds.TIME, "time of the response", _RESPONSE_TIME, _TIMES, 4),
    Field("latency", kinds.DURATION, "time from query to response, of a message with both times", _LATENCY, _TIMES, 8),
    Field(
        "answered",
        kinds.BOOLEAN,
        "whether the response to a query was seen, which only `--pair` finds out",
        "dnstap.answered",
        "answered",
        1,
    ),
    # Enums, as numbers.
    Field("qr", kinds.DIRECTION, "query or response, by the type of the message", "is_query", "", 1),
    _enum("type", MessageType, "type of the message: CLIENT_QUERY and so on"),
    _enum("socket_family", SocketFamily, "INET or INET6", "family"),
    _enum("socket_protocol", SocketProtocol, "transport of the DNS message: UDP, TCP, DOT, DOH, DOQ", "protocol"),
    _enum("http_protocol", HttpProtocol, "version of HTTP, of DNS over HTTPS", "http"),
    # The two ends.
    _address("query_address", "address that sent the query", "client"),
    _port("query_port", "port that sent the query", "client_port"),
    _address("response_address", "address that sent the response", "server"),
    _port("response_port", "port that sent the response", "server_port"),
    # The DNS message: its size, its header, its first question, and what takes all of it to parse.
    _size("size", "size of the DNS message", "wire"),
    _size("query_size", "size of the query, also in a response that has it", "message.query_message"),
    _size("response_size", "size of the response", "message.response_message"),
    _wire("query_message", "the query, as it was sent"),
    _wire("response_message", "the response, as it was sent"),
    _header("id", kinds.COUNT, "identifier in the header", "wire[0] << 8 | wire[1]"),
    _header("opcode", kinds.OPCODE, "opcode in the header", "wire[2] >> 3 & 15"),
    Field(
        "rcode",
        kinds.RCODE,
        "rcode of a response, with the upper bits of EDNS",
        _RCODE,
        _WIRES,
        60,
        _NO_RCODE,
    ),
    _header("flags", kinds.FLAGS, "flags in the header that are set, with commas between them", _FLAGS)._replace(
        bad="wire is not None and len(wire) < 12"
    ),
    _flag("aa", "flag: authoritative answer", 2, 4),
    _flag("tc", "flag: truncated", 2, 2),
    _flag("rd", "flag: recursion desired", 2, 1),
    _flag("ra", "flag: recursion available", 3, 128),
    _flag("z", "flag: reserved", 3, 64),
    _flag("ad", "flag: authentic data", 3, 32),
    _flag("cd", "flag: checking disabled", 3, 16),
    _question("qname", kinds.NAME, "name of the first question", 0, 3),
    _question("qtype", kinds.TYPE, "type of the first question", 1),
    _question("qclass", kinds.CLASS, "class of the first question", 2),
    _suffix("tld", "public suffix of qname, such as `co.uk.`, in lower case", 0),
    _suffix("registered_domain", "domain of qname that was registered below it: `example.co.uk.`, in lower case", 1),
    _header("qdcount", kinds.COUNT, "number of questions, by the header", "wire[4] << 8 | wire[5]"),
    _header("ancount", kinds.COUNT, "number of answers, by the header", "wire[6] << 8 | wire[7]", "answers"),
    _header("nscount", kinds.COUNT, "number of authority records, by the header", "wire[8] << 8 | wire[9]"),
    _header("arcount", kinds.COUNT, "number of additional records, by the header", "wire[10] << 8 | wire[11]"),
    _section("further_questions", kinds.TEXTS, "questions after the first: `example.org. IN A`", "questions"),
    *_records("answer", "answers", "answers"),
    *_records("authority", "authorities", "authority records"),
    *_records("additional", "additionals", "additional records, without the OPT record"),
    Field("error", kinds.BYTES, "why the DNS message does not parse", _ERROR, _WIRES, 70),
    # EDNS.
    Field("edns", kinds.BOOLEAN, "whether there is an OPT record", _HAS_EDNS, _WIRES, 60, _DAMAGED),
    _edns("edns_version", kinds.NUMBER, "version of EDNS", "version"),
    _edns("edns_do", kinds.BOOLEAN, "flag of EDNS: DNSSEC OK", "do", "do"),
    _edns(
        "edns_udp_size",
        kinds.COUNT,
        "size of UDP payloads that the sender of the DNS message takes",
        "udp_size",
        "edns_udp",
    ),
    _edns("edns_options", kinds.NUMBERS, "codes of the options", "options"),
    _edns("edns_cookie", kinds.BOOLEAN, "whether there is a DNS cookie", "cookie", "cookie"),
    _edns("edns_client_cookie", kinds.OCTETS, "part of the client in the DNS cookie", "client_cookie"),
    _edns("edns_server_cookie", kinds.OCTETS, "part of the server in the DNS cookie", "server_cookie"),
    _edns("edns_keepalive", kinds.DURATION, "time that a TCP connection may be idle; 0 in a query", "keepalive"),
    _edns("edns_padding", kinds.SIZE, "size of the padding", "padding"),
    _edns("ecs", kinds.SUBNET, "client subnet: `192.0.2.0/24`", "subnet", "edns_client_subnet"),
    _edns("ecs_scope", kinds.NUMBER, "length of the prefix that an answer to the client subnet is for", "scope"),
    _edns("ede", kinds.NUMBERS, "codes of extended DNS errors", "errors"),
    _edns("ede_text", kinds.TEXTS, "texts of extended DNS errors", "error_texts"),
    _edns("nsid", kinds.BYTES, "identifier of the name server", "nsid", "edns_nsid"),
    Field(
        "query_zone",
        kinds.NAME,
        "zone that the server asked in (bailiwick)",
        f"{_ZONE}[0]",
        "query_zone",
        8,
        "message.query_zone is not None",
        f"{_ZONE}[1]",
        ("zone",),
    ),
    _policy("type", kinds.BYTES, "type of a policy, such as RPZ", _POLICY_TYPE),
    _policy("rule", kinds.BYTES, "rule of a policy", "message.policy.rule or None"),
    _policy("action", enum_kind(PolicyAction), "action of a policy", "", "policy"),
    _policy("match", enum_kind(PolicyMatch), "part of the message that a policy matched"),
    _policy("value", kinds.BYTES, "value that a policy matched", "message.policy.value or None"),
    Field("dnstap_type", enum_kind(DnstapType), "type of what is in the frame: MESSAGE", "dnstap.type", "", 1),
    _text("identity", "identity of the sender"),
    _text("version", "version of the sender"),
    _text("extra", "further data of the sender"),
    Field(
        "peer",
        kinds.PEER,
        "where the frame came from: `192.0.2.1:4711`, or `/run/dnstap.sock[123]` with the process; absent for files."
        " Filters compare the address, which only TCP has",
        "sender.address",
        "",
        1,
        shown="sender.text",
    ),
]


def schema_field(row: Row) -> Field:
    """Return the field of a row of the schema, under the name of the row."""
    source = f"message.{row.name}"
    if row.proto_type == "enum":
        return Field(row.name, enum_kind(row.python_type), "", source, row.name, 1)
    if row.python_type is int:
        return Field(row.name, kinds.NUMBER, "", source, row.name, 1)
    return Field(row.name, kinds.BYTES, "", f"({source} or None)", row.name, 1)


_READ = {"type", *[name for field in _ALL for name in field.reads.split()]}
_ALL += [schema_field(row) for row in rows(MessageFields) if row.name not in _READ]

FIELDS = {field.name: field for field in _ALL}
"""The fields by name, in the order of `--fields all`."""

NAMES = {name: field for field in _ALL for name in (field.name, *field.aliases)}
"""The fields by name and alias."""


def check_installed(field: Field) -> None:
    """Check that the library is there that a field needs.

    Raises: MissingLibraryError.
    """
    if field.extra and not suffixes.is_installed():
        raise MissingLibraryError(f"field {field.name!r}", field.extra)


def chosen(names: Iterable[str]) -> list[tuple[str, Field]]:
    """Return the fields of names and aliases, each with the name by which it was chosen.

    "all" stands for every field except those that need a library which is not installed.

    Raises: ValueError: unknown name; MissingLibraryError: a field that is named needs such a library.
    """
    found: list[tuple[str, Field]] = []
    for name in names:
        if name == ALL:
            found += [(name, field) for name, field in FIELDS.items() if not field.extra or suffixes.is_installed()]
        elif name in NAMES:
            check_installed(NAMES[name])
            found.append((name, NAMES[name]))
        else:
            hint = did_you_mean(name, NAMES)
            expected = ", ".join([ALL, *FIELDS])
            raise ValueError(f"unknown field {name!r}{f' ({hint})' if hint else ''}: expected one of {expected}")
    return found


def columns(names: Iterable[str]) -> list[tuple[str, Field]]:
    """Return the fields of names and aliases, as `chosen`, of which each name is that of one column.

    Raises: ValueError: unknown name; a name comes twice, or there is none; MissingLibraryError: as `chosen`.
    """
    found = chosen(names)
    if not found:
        raise ValueError("expected the name of a field, got none")
    seen: set[str] = set()
    for name, _ in found:
        if name in seen:
            raise ValueError(f"field {name!r} is given more than once")
        seen.add(name)
    return found


def reads(names: Iterable[str]) -> frozenset[str]:
    """Return the attributes of Dnstap and Message that fields read, beside their types.

    Raises: ValueError: unknown name; MissingLibraryError: as `chosen`.
    """
    return frozenset([name for _, field in chosen(names) for name in field.reads.split()])
