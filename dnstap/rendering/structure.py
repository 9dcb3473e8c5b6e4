"""Everything that is in a Dnstap, as dicts, lists, texts and numbers: what json-full and yaml-full write.

The keys and their order are those of docs/formats.md. Octets that are no text are {"hex": "..."}; texts have no lone
surrogates. A DNS message is given twice, apart and as its octets, since compression and what is behind its last record
do not show in its parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnstap.dns.addresses import address_text
from dnstap.dns.escapes import printable
from dnstap.dns.message import DnsMessage, Question, Record, unpack, unpack_question
from dnstap.dns.names import unpack_name
from dnstap.dns.option_text import EXTENDED_ERRORS, option_text, param_text
from dnstap.dns.record_text import rdata_text
from dnstap.dns.registry import TYPE_NUMBERS, class_text, type_text
from dnstap.dns.text import FLAGS, OPCODES, OPT, extended_rcode, last_opt, rcode_text
from dnstap.errors import DnsMessageError
from dnstap.rendering.times import local_time_formatter
from dnstap.schema.enums import OpenEnum
from dnstap.schema.fields import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnstap.dns.edns import ClientSubnet, ExtendedError
    from dnstap.messages import Dnstap, Message, Policy
    from dnstap.rendering.style import Style
    from dnstap.schema.fields import Fields

__all__ = ["structures"]

_LAST_SECOND = 253_402_300_799
"""Of the year 9999 in UTC, where RFC 3339 ends."""

Structure = dict[str, Any]


def structures(style: Style) -> Callable[[Dnstap], Structure]:
    """The function to all that is in a message; what is absent is left out.

    Raises: ValueError: there is no such time zone.
    """
    local = local_time_formatter("%04d-%02d-%02dT%02d:%02d:%02d", style.time_zone, "Z", "")

    def time(seconds: int | None, nanoseconds: int | None) -> str | None:
        """RFC 3339 with all nine digits; None where it has no time for that."""
        if seconds is None or seconds > _LAST_SECOND or (nanoseconds or 0) > 999_999_999:
            return None
        text, zone = local(seconds)
        return f"{text}.{nanoseconds or 0:09d}{zone}"

    def structure(dnstap: Dnstap) -> Structure:
        return _present(
            dnstap,
            type=_enum(dnstap.type),
            identity=_text(dnstap.identity),
            version=_text(dnstap.version),
            extra=_text(dnstap.extra),
            message=None if dnstap.message is None else _message(dnstap.message, time),
            unknown_fields=_unknown(dnstap),
        )

    return structure


def _message(m: Message, time: Callable[[int | None, int | None], str | None]) -> Structure:
    return _present(
        m,
        type=_enum(m.type),
        socket_family=_enum(m.socket_family),
        socket_protocol=_enum(m.socket_protocol),
        http_protocol=_enum(m.http_protocol),
        query_address=_address(m.query_address),
        query_port=m.query_port,
        response_address=_address(m.response_address),
        response_port=m.response_port,
        query_time=time(m.query_time_sec, m.query_time_nsec),
        query_time_sec=m.query_time_sec,
        query_time_nsec=m.query_time_nsec,
        response_time=time(m.response_time_sec, m.response_time_nsec),
        response_time_sec=m.response_time_sec,
        response_time_nsec=m.response_time_nsec,
        query_zone=_zone(m.query_zone),
        policy=None if m.policy is None else _policy(m.policy),
        query_message=None if m.query_message is None else _dns(m.query_message),
        response_message=None if m.response_message is None else _dns(m.response_message),
        unknown_fields=_unknown(m),
    )


def _policy(policy: Policy) -> Structure:
    return _present(
        policy,
        type=None if policy.type is None else _text(policy.type.encode("utf-8", "surrogateescape")),
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


def _enum(member: OpenEnum | None) -> str | int | None:
    """Return the name of a member, or its number if it has none."""
    return None if member is None else member.name or int(member)


def _hex(octets: bytes) -> Structure:
    return {"hex": octets.hex()}


def _text(octets: bytes | None) -> str | Structure | None:
    """Text, if the octets are UTF-8 without anything that cannot be seen."""
    if octets is None:
        return None
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return _hex(octets)
    return text if text.isprintable() else _hex(octets)


def _unknown(message: Any) -> Structure | None:
    octets: bytes = message._unknown_fields  # noqa: SLF001 (where betterproto2 keeps them)
    return _hex(octets) if octets else None


def _address(octets: bytes | None) -> str | Structure | None:
    if octets is None:
        return None
    return address_text(octets) if len(octets) in (4, 16) else _hex(octets)


def _zone(octets: bytes | None) -> str | Structure | None:
    if octets is None:
        return None
    try:
        name, end = unpack_name(octets, 0, len(octets))
    except DnsMessageError:
        return _hex(octets)
    return name if end == len(octets) else _hex(octets)


def _dns(wire: bytes) -> Structure:
    try:
        message = unpack(wire)
    except DnsMessageError as error:
        return {"error": str(error), **_first_question(wire), "wire": wire.hex()}
    edns = last_opt(message)
    return _without_absent(
        id=message.id,
        opcode=OPCODES.get(message.flags >> 11 & 15, message.flags >> 11 & 15),
        rcode=_rcode(message, edns),
        flags=[name for bit, name in FLAGS if message.flags & bit],
        question=[_question(question) for question in message.questions],
        answer=_records(message.answers, None),
        authority=_records(message.authorities, None),
        additional=_records(message.additionals, edns),
        edns=edns and _edns(edns),
        wire=wire.hex(),
    )


def _rcode(message: DnsMessage, edns: Record | None) -> str | int:
    rcode = extended_rcode(message.flags, edns)
    # The other formats have the name that 16 has in TSIG.
    return "BADVERS" if rcode == 16 else rcode_text(rcode) or rcode


def _first_question(wire: bytes) -> Structure:
    """Of a message that does not parse behind it."""
    try:
        question = unpack_question(wire)
    except DnsMessageError:
        return {}
    return {"question": [_question(question)]} if question else {}


def _question(question: Question) -> Structure:
    return {
        "name": question.name,
        "type": type_text(question.rrtype),
        "class": class_text(question.rrclass),
    }


def _records(records: Sequence[Record], edns: Record | None) -> list[Structure]:
    return [_record(record) for record in records if record is not edns]


def _record(record: Record) -> Structure:
    if record.rrtype == OPT:
        text = "; ".join([text for text in map(option_text, record.rdata[0]) if text is not None])
    else:
        text = rdata_text(record.rrtype, record.rdata)
    names = _FIELDS.get(record.rrtype)
    return _without_absent(
        name=record.owner,
        type=type_text(record.rrtype),
        **{"class": class_text(record.rrclass)},
        ttl=record.ttl,
        rdata=printable(text),
        fields=names and {name: _field(name, value) for name, value in zip(names, record.rdata, strict=True)},
    )


_BY_NAME = {
    **dict.fromkeys(("A", "AAAA"), "address"),
    **dict.fromkeys(("NS", "CNAME", "PTR", "DNAME"), "target"),
    **dict.fromkeys(("TXT", "SPF"), "strings"),
    **dict.fromkeys(("DS", "CDS"), "key_tag algorithm digest_type digest"),
    **dict.fromkeys(("DNSKEY", "CDNSKEY"), "flags protocol algorithm public_key"),
    **dict.fromkeys(("SVCB", "HTTPS"), "priority target params"),
    "CAA": "flags tag value",
    "HINFO": "cpu os",
    "MX": "preference exchange",
    "NAPTR": "order preference flags service regexp replacement",
    "NSEC": "next_name types",
    "NSEC3": "hash_algorithm flags iterations salt_length salt hash_length next_hash types",
    "RRSIG": "type_covered algorithm labels original_ttl expiration inception key_tag signer signature",
    "SOA": "mname rname serial refresh retry expire minimum",
    "SRV": "priority weight port target",
    "SSHFP": "algorithm fingerprint_type fingerprint",
    "TLSA": "usage selector matching_type data",
    "URI": "priority weight target",
}
"""The fields of the common types; their rdata has a value for each."""

_FIELDS = {TYPE_NUMBERS[rrtype]: names.split() for rrtype, names in _BY_NAME.items()}

_WRITERS: dict[str, Callable[[Any], Any]] = {
    "address": lambda octets: address_text(octets) if octets else "",
    "strings": lambda strings: [_text(octets) for octets in strings],
    "types": lambda numbers: [type_text(number) for number in numbers],
    "type_covered": type_text,
    "params": lambda params: [printable(param_text(param)) for param in params],
    **dict.fromkeys(("digest", "public_key", "salt", "next_hash", "signature", "fingerprint", "data"), _hex),
}


def _field(name: str, value: Any) -> Any:
    write = _WRITERS.get(name)
    if write:
        return write(value)
    return _text(value) if isinstance(value, bytes) else value


def _edns(opt: Record) -> Structure:
    return {
        "version": opt.ttl >> 16 & 255,
        "do": bool(opt.ttl & 0x8000),
        "udp_size": opt.rrclass,
        "options": [_option(option.code, option.value) for option in opt.rdata[0]],
    }


def _option(code: int, value: Any) -> Structure:
    name, write = _OPTIONS.get(code, (None, lambda octets: {"data": _hex(octets)}))
    return _without_absent(code=code, name=name, **write(value))


def _extended_error(error: ExtendedError) -> Structure:
    known = error.info_code < len(EXTENDED_ERRORS)
    purpose = EXTENDED_ERRORS[error.info_code] if known else None
    return _without_absent(info_code=error.info_code, purpose=purpose, text=_text(error.text))


def _client_subnet(subnet: ClientSubnet) -> Structure:
    return {**subnet._asdict(), "address": address_text(subnet.address)}


_OPTIONS: dict[int, tuple[str, Callable[[Any], Structure]]] = {
    1: ("LLQ", lambda llq: llq._asdict()),
    2: ("UL", lambda update: update._asdict()),
    3: ("NSID", lambda octets: {"nsid": _text(octets)}),
    8: ("SUBNET", _client_subnet),
    9: ("EXPIRE", lambda seconds: {"seconds": seconds}),
    10: ("COOKIE", lambda octets: {"client": octets[:8].hex(), "server": octets[8:].hex()}),
    11: ("KEEPALIVE", lambda units: {"timeout_ms": units * 100}),
    12: ("PADDING", lambda octets: {"octets": len(octets)} if not any(octets) else {"data": _hex(octets)}),
    15: ("EDE", _extended_error),
}
"""Code -> its name, and what is in it; other options are octets."""
