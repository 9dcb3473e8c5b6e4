"""The content of a Dnstap as dicts, lists, strings and numbers, which json-full and yaml-full write.

docs/formats.md lists the keys in their order, and json-full.schema.json beside this file their types: each key has one
type, whatever the message, so that lines fit into a table. Bytes are strings with escapes that can be reversed. A DNS
message is there twice, parsed and as hexadecimal digits, because its parts do not show how names are compressed, and
leave out the bytes after the last record.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from dnstap.dns.addresses import V4_MAPPED, address_text
from dnstap.dns.escapes import escaped_text, printable
from dnstap.dns.limits import TextBudget
from dnstap.dns.message import DnsMessage, Question, Record, unpack, unpack_question
from dnstap.dns.names import labels_text
from dnstap.dns.option_text import EXTENDED_ERRORS, param_text
from dnstap.dns.registry import TYPE_NUMBERS, class_text, type_text
from dnstap.dns.text import FLAGS, OPCODES, data_text, extended_rcode, last_opt, rcode_text
from dnstap.dns.walker import HEADER_SIZE, WalkError
from dnstap.errors import DnsMessageError
from dnstap.peer import CurrentPeer
from dnstap.rendering.times import local_time_formatter
from dnstap.schema.enums import OpenEnum
from dnstap.schema.fields import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnstap.dns.edns import ClientSubnet, ExtendedError
    from dnstap.messages import Dnstap, Message, Policy
    from dnstap.rendering.style import Style
    from dnstap.schema.fields import Fields

__all__ = [
    "OPTION_NAMES",
    "RDATA_FIELDS",
    "Structure",
    "address_text_of",
    "dns_structure",
    "edns_structure",
    "enum_text",
    "header_structure",
    "peer_text",
    "question_structure",
    "rdata_structure",
    "structure_builder",
    "time_formatter",
    "zone_text",
]

_LAST_SECOND = 253_402_300_799
"""Last second of the year 9999 in UTC, with which RFC 3339 ends."""

Structure = dict[str, Any]


def structure_builder(style: Style, peer: CurrentPeer | None = None) -> Callable[[Dnstap], Structure]:
    """Return the function that builds the structure of a message, without what is absent.

    Args: peer: the sender of each message that it is called with.
    Raises: ValueError: unknown time zone.
    """
    sender = peer or CurrentPeer()
    time = time_formatter(style)

    def build(dnstap: Dnstap) -> Structure:
        return _present(
            dnstap,
            type=_enum(dnstap.type),
            identity=_text(dnstap.identity),
            version=_text(dnstap.version),
            extra=_text(dnstap.extra),
            peer=None if sender.text is None else peer_text(sender.text),
            message=None if dnstap.message is None else _message(dnstap.message, time),
            unknown_fields=_unknown(dnstap),
        )

    return build


def time_formatter(style: Style) -> Callable[[int | None, int | None], str | None]:
    """Return the function from seconds since 1970 and nanoseconds to RFC 3339 text with nine digits of a fraction.

    It returns None for a time that cannot be expressed so.

    Raises: ValueError: unknown time zone.
    """
    local_time = local_time_formatter("%04d-%02d-%02dT%02d:%02d:%02d", style.time_zone, "Z", "")

    def time(seconds: int | None, nanoseconds: int | None) -> str | None:
        if seconds is None or seconds > _LAST_SECOND or (nanoseconds or 0) > 999_999_999:
            return None
        text, zone = local_time(seconds)
        return f"{text}.{nanoseconds or 0:09d}{zone}"

    return time


def _message(message: Message, time: Callable[[int | None, int | None], str | None]) -> Structure:
    return _present(
        message,
        type=_enum(message.type),
        socket_family=_enum(message.socket_family),
        socket_protocol=_enum(message.socket_protocol),
        http_protocol=_enum(message.http_protocol),
        query_address=address_text_of(message.query_address),
        query_port=message.query_port,
        response_address=address_text_of(message.response_address),
        response_port=message.response_port,
        query_time=time(message.query_time_sec, message.query_time_nsec),
        query_time_sec=message.query_time_sec,
        query_time_nsec=message.query_time_nsec,
        response_time=time(message.response_time_sec, message.response_time_nsec),
        response_time_sec=message.response_time_sec,
        response_time_nsec=message.response_time_nsec,
        query_zone=zone_text(message.query_zone),
        policy=None if message.policy is None else _policy(message.policy),
        query_message=None if message.query_message is None else dns_structure(message.query_message),
        response_message=None if message.response_message is None else dns_structure(message.response_message),
        unknown_fields=_unknown(message),
    )


def _policy(policy: Policy) -> Structure:
    return _present(
        policy,
        # Text of the schema may hold bytes that are not UTF-8 as surrogates. As bytes again, they are shown like those
        # of other fields.
        type=None if policy.type is None else escaped_text(policy.type.encode("utf-8", "surrogateescape")),
        rule=_text(policy.rule),
        action=_enum(policy.action),
        match=_enum(policy.match),
        value=_text(policy.value),
        unknown_fields=_unknown(policy),
    )


def _present(part: Fields, /, **values: Any) -> Structure:
    """Return the values that are there, and after them those of fields of the schema that are not among the names."""
    for row in rows(type(part)):
        if row.name not in values:
            values[row.name] = _value(getattr(part, row.name))
    return _without_absent(**values)


def _value(value: Any) -> Any:
    """Return a value of the schema as JSON has it: an enum by name, bytes as text."""
    if isinstance(value, OpenEnum):
        return _enum(value)
    return _text(value) if isinstance(value, bytes) else value


def _without_absent(**values: Any) -> Structure:
    return {name: value for name, value in values.items() if value is not None}


def peer_text(text: str) -> str:
    """Return the text of the sender's address."""
    return escaped_text(text.encode("utf-8", "surrogateescape"))


def enum_text(member: OpenEnum) -> str:
    """Return the name of a member, or the digits of its number if it has none."""
    return member.name or f"{member:d}"


def _enum(member: OpenEnum | None) -> str | None:
    return None if member is None else enum_text(member)


def _text(data: bytes | None) -> str | None:
    return None if data is None else escaped_text(data)


def _octets(data: bytes) -> str:
    r"""Return bytes that are not what they should be as `\# 2 abcd`, as RFC 3597, 5, writes unknown rdata.

    No name and no address has such a text.
    """
    return f"\\# {len(data)} {data.hex()}" if data else "\\# 0"


def _unknown(message: Any) -> str | None:
    data: bytes = message._unknown_fields
    return data.hex() if data else None


def address_text_of(address: bytes | None) -> str | None:
    """Return the text of an address, of which the bytes can be told from the text."""
    if address is None:
        return None
    return _ip(address) if len(address) in (4, 16) else _octets(address)


def _ip(address: bytes) -> str:
    """Return the text of an address of 4 or 16 bytes, of which the length can be told from the text."""
    text = address_text(address)
    return f"::ffff:{text}" if len(address) == 16 and address.startswith(V4_MAPPED) else text


def zone_text(zone: bytes | None) -> str | None:
    """Return the text of a zone's name, of which the bytes can be told from the text."""
    if zone is None:
        return None
    try:
        # A pointer would be lost in the text of the name, and bytes after it as well.
        return labels_text(zone)
    except WalkError:
        return _octets(zone)


def dns_structure(wire: bytes) -> Structure:
    """Return the structure of any bytes of a DNS message."""
    try:
        return _good_dns(unpack(wire), wire)
    except DnsMessageError as error:
        return {**header_structure(wire), **_first_question(wire), "error": str(error), "wire": wire.hex()}


def _good_dns(message: DnsMessage, wire: bytes) -> Structure:
    edns = last_opt(message)
    take = TextBudget(len(wire)).take
    structure = header_structure(wire, edns)
    structure["question"] = [question_structure(question, take) for question in message.questions]
    structure["answer"] = _records(message.answers, None, take)
    structure["authority"] = _records(message.authorities, None, take)
    structure["additional"] = _records(message.additionals, edns, take)
    if edns:
        structure["edns"] = edns_structure(edns)
    structure["wire"] = wire.hex()
    return structure


_header_words = struct.Struct(">6H").unpack_from


def header_structure(wire: bytes, edns: Record | None = None) -> Structure:
    """Return the header of a message, its counts as they are written there; nothing if it is cut off."""
    if len(wire) < HEADER_SIZE:
        return {}
    message_id, flags, questions, answers, authorities, additionals = _header_words(wire)
    opcode, rcode = flags >> 11 & 15, extended_rcode(flags, edns)
    return {
        "id": message_id,
        "opcode": OPCODES.get(opcode) or f"{opcode}",
        # In a response, 16 is BADVERS (RFC 6891). The formats of the Go tool show its name in TSIG, BADSIG.
        "rcode": "BADVERS" if rcode == 16 else rcode_text(rcode) or f"{rcode}",
        "flags": [name for bit, name in FLAGS if flags & bit],
        "qdcount": questions,
        "ancount": answers,
        "nscount": authorities,
        "arcount": additionals,
    }


def _first_question(wire: bytes) -> Structure:
    """Return the first question of a message whose rest does not parse; nothing if it does not parse either."""
    try:
        question = unpack_question(wire)
    except DnsMessageError:
        return {}
    return {"question": [question_structure(question)]} if question else {}


def question_structure(question: Question, take: Callable[[str], str] = str) -> Structure:
    """Return the structure of a question, with which that of a record begins.

    Args: take: counts a part of the text, see TextBudget.
    """
    return {
        "name": take(question.name),
        "type": type_text(question.rrtype),
        "class": class_text(question.rrclass),
    }


def _records(records: Sequence[Record], edns: Record | None, take: Callable[[str], str]) -> list[Structure]:
    # By identity: only the OPT record that `edns` describes is left out. Further ones, which RFC 6891 forbids, stay.
    return [_record(record, take) for record in records if record is not edns]


def _record(record: Record, take: Callable[[str], str]) -> Structure:
    return {
        **question_structure(Question(*record[:3]), take),
        "ttl": record.ttl,
        **rdata_structure(record, take),
    }


def rdata_structure(record: Record, take: Callable[[str], str] = str) -> Structure:
    """Return the end of the structure of a record, after its TTL.

    Args: take: counts a part of the text, see TextBudget.
    """
    structure: Structure = {"rdata": printable(take(data_text(record)))}
    if names := RDATA_FIELDS.get(record.rrtype):
        structure["fields"] = {name: _field(name, value) for name, value in zip(names, record.rdata, strict=True)}
    return structure


_FIELDS_BY_TYPE = {
    **dict.fromkeys(("A", "AAAA"), "address"),
    **dict.fromkeys(("NS", "CNAME", "PTR", "DNAME"), "target"),
    **dict.fromkeys(("TXT", "SPF"), "strings"),
    **dict.fromkeys(("DS", "CDS"), "key_tag algorithm digest_type digest"),
    **dict.fromkeys(("DNSKEY", "CDNSKEY"), "flags protocol algorithm public_key"),
    **dict.fromkeys(("SVCB", "HTTPS"), "priority target params"),
    "CAA": "flags tag value",
    "HINFO": "cpu os",
    "MX": "preference exchange",
    # Flags of other types are numbers, and these are letters. A key has one type.
    "NAPTR": "order preference naptr_flags service regexp replacement",
    "NSEC": "next_name types",
    "NSEC3": "hash_algorithm flags iterations salt_length salt hash_length next_hash types",
    "RRSIG": "type_covered algorithm labels original_ttl expiration inception key_tag signer signature",
    "SOA": "mname rname serial refresh retry expire minimum",
    "SRV": "priority weight port target",
    "SSHFP": "algorithm fingerprint_type fingerprint",
    "TLSA": "usage selector matching_type data",
    # Not `target`, which is a name in all others.
    "URI": "priority weight uri",
}
"""Names for the values of rdata, of the common types. Other types have their text alone."""

RDATA_FIELDS = {TYPE_NUMBERS[rrtype]: names.split() for rrtype, names in _FIELDS_BY_TYPE.items()}

_VALUE_WRITERS: dict[str, Callable[[Any], Any]] = {
    "address": lambda address: _ip(address) if address else "",
    "strings": lambda strings: [escaped_text(string) for string in strings],
    "types": lambda numbers: [type_text(number) for number in numbers],
    "type_covered": type_text,
    "params": lambda params: [printable(param_text(param)) for param in params],
    **dict.fromkeys(("digest", "public_key", "salt", "next_hash", "signature", "fingerprint", "data"), bytes.hex),
}


def _field(name: str, value: Any) -> Any:
    write = _VALUE_WRITERS.get(name)
    if write:
        return write(value)
    return escaped_text(value) if isinstance(value, bytes) else value


def edns_structure(opt: Record) -> Structure:
    """Return the structure of the OPT record."""
    return {
        # An OPT record keeps the version and the flags in its TTL, and the UDP size in its class (RFC 6891, 6.1.2).
        "version": opt.ttl >> 16 & 255,
        "do": bool(opt.ttl & 0x8000),
        "udp_size": opt.rrclass,
        "options": [_option(option.code, option.value) for option in opt.rdata[0]],
    }


def _option(code: int, value: Any) -> Structure:
    name, write = _OPTIONS.get(code, (None, lambda data: {"data": data.hex()}))
    return _without_absent(code=code, name=name, **write(value))


def _extended_error(error: ExtendedError) -> Structure:
    known = error.info_code < len(EXTENDED_ERRORS)
    purpose = EXTENDED_ERRORS[error.info_code] if known else None
    return _without_absent(info_code=error.info_code, purpose=purpose, text=escaped_text(error.text))


def _client_subnet(subnet: ClientSubnet) -> Structure:
    return {**subnet._asdict(), "address": _ip(subnet.address)}


_OPTIONS: dict[int, tuple[str, Callable[[Any], Structure]]] = {
    1: ("LLQ", lambda llq: llq._asdict()),
    2: ("UL", lambda update: update._asdict()),
    3: ("NSID", lambda nsid: {"nsid": escaped_text(nsid)}),
    8: ("SUBNET", _client_subnet),
    9: ("EXPIRE", lambda seconds: {"seconds": seconds}),
    # The client's part always has 8 bytes (RFC 7873).
    10: ("COOKIE", lambda cookie: {"client": cookie[:8].hex(), "server": cookie[8:].hex()}),
    # In units of 100 ms (RFC 7828).
    11: ("KEEPALIVE", lambda units: {"timeout_ms": units * 100}),
    # Padding should be zeros (RFC 7830), of which only the number is of interest.
    12: ("PADDING", lambda padding: {"data": padding.hex()} if any(padding) else {"octets": len(padding)}),
    15: ("EDE", _extended_error),
}
"""Option code -> its name, and the function that returns the keys of its value. Other options have their data."""

OPTION_NAMES = {code: name for code, (name, _) in _OPTIONS.items()}
