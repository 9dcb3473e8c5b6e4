"""Filters without generated code: fields read by ordinary functions, and trees evaluated test by test.

The fields are read from the typed classes and by the exact DNS decoder, and nothing is remembered between messages.
Compiled filters must give the same answers (tests/property/test_filters.py).
"""

from __future__ import annotations

import operator
import random
import re
import struct
from functools import cache, partial
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import TYPE_CHECKING, Any, Literal

from dnstap import DnsMessageError, Dnstap, Message, MessageType, Policy, SocketFamily, SocketProtocol
from dnstap.dns import class_text, type_text, unpack, unpack_name, unpack_question
from dnstap.dns.escapes import raw_text
from dnstap.dns.limits import max_text
from dnstap.dns.text import FLAGS, data_text, extended_rcode, last_opt
from dnstap.fields import kinds
from dnstap.fields.catalogue import NAMES as FIELDS
from dnstap.filters.grammar import AllOf, AnyOf, Node, Not, Test
from dnstap.schema.meaning import is_query, own_time
from tests.made_messages import DATA, Generator, read_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.dns import Question, Record
    from dnstap.dns.edns import ClientSubnet
    from dnstap.fields.kinds import Kind
    from dnstap.filters.values import Time

__all__ = [
    "ADDRESSES",
    "NAMES",
    "PORTS",
    "TEXTS",
    "TIMES",
    "captured",
    "evaluate",
    "labels",
    "made",
    "name_of",
    "value",
]

TEXTS = ["identity", "version", "extra"]
NAMES = ["qname", "zone"]
ADDRESSES = ["client", "server"]
PORTS = ["client_port", "server_port"]
TIMES = ["time", "query_time", "response_time"]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def labels(text: str) -> tuple[str, ...]:
    """Return the labels of a name as it is shown, in lower case."""
    return tuple(re.findall(r"(?:\\.|[^.\\])+", text.lower()))


def name_of(shown: tuple[str, ...]) -> str:
    return (".".join(shown) + ".").replace("\\ ", "\\032")


def evaluate(node: Node, dnstap: Dnstap, now_ns: int = 0) -> bool:
    """Return whether a message matches a tree; relative times count from `now_ns`."""
    if isinstance(node, Not):
        return not evaluate(node.part, dnstap, now_ns)
    if isinstance(node, AllOf):
        return all(evaluate(part, dnstap, now_ns) for part in node.parts)
    if isinstance(node, AnyOf):
        return any(evaluate(part, dnstap, now_ns) for part in node.parts)
    return _passes(node, value(node.field.name, dnstap), now_ns)


def _passes(test: Test, found: Any, now_ns: int) -> bool:
    """Return whether a field that has this value passes a test; an absent one never does."""
    field, word, wanted = test
    if found is None:
        return False
    if word == "has":
        return True
    if word == "flag":
        return bool(found & wanted[0])
    if word == "like" and field.kind is kinds.NAME:
        return re.search(wanted[0].pattern, name_of(found)[:-1] or ".", re.IGNORECASE) is not None
    if word == "~" and field.kind is kinds.NAME:
        return re.search(wanted[0].pattern, name_of(found), re.IGNORECASE) is not None
    if field.kind in LISTS:
        return _passes_list(word, wanted, found)
    if word in ("~", "like"):
        return re.search(wanted[0].pattern, raw_text(found)) is not None
    if field.kind is kinds.SUBNET and word.endswith("in"):
        return any(_is_in(found, network) for network in wanted) is (word == "in")
    if field.kind is kinds.TIME:
        return _passes_time(word, wanted, found, now_ns)
    if word in COMPARISONS:
        return COMPARISONS[word](found, wanted[0])
    if word == "under":
        zones = [labels(_shown(name)) for name in wanted]
        return any(found[len(found) - len(zone) :] == zone for zone in zones if len(zone) <= len(found))
    return any(_equals(field.kind, found, one) for one in wanted) is (word in ("=", "in"))


LISTS = (kinds.NUMBERS, kinds.TEXTS, kinds.TYPES, kinds.CLASSES)


def _passes_list(word: str, wanted: tuple[Any, ...], found: tuple[Any, ...]) -> bool:
    """Return whether one of several values passes a test."""
    if word in ("~", "like"):
        return any(re.search(wanted[0].pattern, one) for one in found)
    if word in COMPARISONS:
        return any(COMPARISONS[word](one, wanted[0]) for one in found)
    return any(one in wanted for one in found) is (word in ("=", "in"))


def _is_in(subnet: tuple[int, int, int], network: Any) -> bool:
    """Return whether all of one network is in another."""
    size, shift, prefix = subnet
    if size != network.size or shift > network.shift:
        return False
    return bool((prefix << shift) >> network.shift == network.prefix)


def _passes_time(word: str, wanted: tuple[Time, ...], found: int, now_ns: int) -> bool:
    """Return whether nanoseconds since 1970 pass a test, with times in UTC."""
    scales = {"clock": found % (86_400 * 10**9), "now": found - now_ns}
    spans = [(time, scales.get(time.scale, found)) for time in wanted]
    if word in COMPARISONS:
        time, at = spans[0]
        return COMPARISONS[word](at, time.first if word in ("<", ">=") else time.last)
    return any(time.first <= at <= time.last for time, at in spans) is (word in ("=", "in"))


def _equals(kind: Kind, found: Any, wanted: Any) -> bool:
    if kind is kinds.NAME:
        return bool(found == labels(_shown(wanted)))
    if kind is kinds.ADDRESS:
        return (len(found.packed), int(found) >> wanted.shift) == (wanted.size, wanted.prefix)
    return bool(found == wanted)


def _shown(name: bytes) -> str:
    return unpack_name(name, 0, len(name))[0]


def value(name: str, dnstap: Dnstap) -> Any:
    """Return the value of a field; None where it is absent or does not parse.

    Addresses are those of ipaddress, names are tuples of labels, texts are bytes, and everything else is a number.
    """
    try:
        if name in TEXTS:
            return getattr(dnstap, name) or None
        if name == "dnstap_type":
            return dnstap.type
        return READERS[FIELDS[name].name](dnstap.message or Message())
    except (DnsMessageError, ValueError, struct.error):
        return None


def _own_time(message: Message) -> int | None:
    seconds, nanoseconds = own_time(message)
    return None if seconds is None else seconds * 10**9 + (nanoseconds or 0)


def _latency(message: Message) -> int | None:
    asked, answered = message.query_time_ns, message.response_time_ns
    return None if asked is None or answered is None else answered - asked


def _address(address: IPv4Address | IPv6Address | None) -> IPv4Address | IPv6Address | None:
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _zone(message: Message) -> tuple[str, ...] | None:
    zone = message.query_zone
    return None if zone is None else labels(_shown(zone))


def _header(message: Message) -> tuple[int, ...]:
    return struct.unpack_from(">6H", message.wire or b"")


def _question(message: Message) -> Question | None:
    return None if message.wire is None else unpack_question(message.wire)


def _rcode(message: Message) -> int | None:
    if message.is_query or message.wire is None:
        return None
    parsed = unpack(message.wire)
    return extended_rcode(parsed.flags, last_opt(parsed))


def _opt(message: Message) -> Record | None:
    return None if message.wire is None else last_opt(unpack(message.wire))


def _options(message: Message, code: int) -> list[Any]:
    """Return the values of the options of a code."""
    opt = _opt(message)
    return [option.value for option in opt.rdata[0] if option.code == code] if opt else []


def _network(subnet: ClientSubnet | None) -> tuple[int, int, int] | None:
    if subnet is None:
        return None
    network = ip_network((subnet.address, subnet.source_prefix), strict=False)
    address: IPv4Address | IPv6Address = network.network_address
    shift = network.max_prefixlen - network.prefixlen
    if isinstance(address, IPv6Address) and shift <= 32:
        address = address.ipv4_mapped or address
    return len(address.packed), shift, int(address) >> shift


Section = Literal["answers", "authorities", "additionals"]


def _records(message: Message, section: Section) -> tuple[Record, ...]:
    if message.wire is None:
        return ()
    parsed = unpack(message.wire)
    return tuple([record for record in getattr(parsed, section) if record is not last_opt(parsed)])


def _texts(message: Message, texts: list[str]) -> tuple[str, ...] | None:
    too_long = sum(map(len, texts)) > max_text(len(message.wire or b""))
    return None if too_long else tuple(texts) or None


def _names(message: Message, section: Section) -> tuple[str, ...] | None:
    return _texts(message, [record.owner.replace("\\ ", "\\032") for record in _records(message, section)])


def _data(message: Message, section: Section) -> tuple[str, ...] | None:
    return _texts(message, [data_text(record) or "\\# 0" for record in _records(message, section)])


def _questions(message: Message) -> tuple[str, ...] | None:
    if message.wire is None:
        return None
    questions = unpack(message.wire).questions[1:]
    texts = [f"{name} {class_text(rrclass)} {type_text(rrtype)}" for name, rrtype, rrclass in questions]
    return _texts(message, [text.replace("\\ ", "\\032") for text in texts])


def _error(message: Message) -> bytes | None:
    if message.wire is not None:
        try:
            unpack(message.wire)
        except DnsMessageError as error:
            return str(error).encode()
    return None


SECTIONS: list[tuple[str, Section]] = [
    ("answer", "answers"),
    ("authority", "authorities"),
    ("additional", "additionals"),
]


SUFFIXES = {("in-addr", "arpa"), ("ip6", "arpa")}
"""The public suffixes of two labels in the names that tests have; all others have one."""


def _suffix(message: Message, labels_more: int) -> tuple[str, ...] | None:
    """Return the public suffix of the question's name, with a number of labels before it."""
    if message.wire is None or not (question := unpack_question(message.wire)):
        return None
    found = labels(question.name)
    size = 2 if found[-2:] in SUFFIXES else 1
    return found[-size - labels_more :] if found and len(found) >= size + labels_more else None


READERS: dict[str, Callable[[Message], Any]] = {
    "type": lambda message: message.type,
    "qr": lambda message: is_query(message.type),
    "socket_family": lambda message: message.socket_family,
    "socket_protocol": lambda message: message.socket_protocol,
    "http_protocol": lambda message: message.http_protocol,
    "policy_action": lambda message: (message.policy or Policy()).action,
    "query_address": lambda message: _address(message.query_ip),
    "response_address": lambda message: _address(message.response_ip),
    "query_port": lambda message: message.query_port,
    "response_port": lambda message: message.response_port,
    "time": _own_time,
    "query_time": lambda message: message.query_time_ns,
    "response_time": lambda message: message.response_time_ns,
    "latency": _latency,
    "size": lambda message: None if message.wire is None else len(message.wire),
    "id": lambda message: _header(message)[0],
    "opcode": lambda message: _header(message)[1] >> 11 & 15,
    "flags": lambda message: _header(message)[1] & 0x87F0 or None,
    "qname": lambda message: (question := _question(message)) and labels(question.name),
    "qtype": lambda message: (question := _question(message)) and question.rrtype,
    "qclass": lambda message: (question := _question(message)) and question.rrclass,
    "query_size": lambda message: None if message.query_message is None else len(message.query_message),
    "response_size": lambda message: None if message.response_message is None else len(message.response_message),
    **{
        name: lambda message, bit=bit: bool(_header(message)[1] & bit)  # type: ignore[misc]
        for bit, name in FLAGS
        if name != "qr"
    },
    "tld": lambda message: _suffix(message, 0),
    "registered_domain": lambda message: _suffix(message, 1),
    "qdcount": lambda message: _header(message)[2],
    "nscount": lambda message: _header(message)[4],
    "arcount": lambda message: _header(message)[5],
    "edns": lambda message: None if message.wire is None else _opt(message) is not None,
    "edns_version": lambda message: (opt := _opt(message)) and opt.ttl >> 16 & 255,
    "edns_do": lambda message: (opt := _opt(message)) and opt.ttl & 0x8000 > 0,
    "edns_udp_size": lambda message: (opt := _opt(message)) and opt.rrclass,
    "edns_cookie": lambda message: _opt(message) and bool(_options(message, 10)),
    "ecs": lambda message: _network(next(iter(_options(message, 8)), None)),
    "ede": lambda message: tuple([error.info_code for error in _options(message, 15)]) or None,
    "ede_text": lambda message: tuple([raw_text(error.text) for error in _options(message, 15) if error.text]) or None,
    "nsid": lambda message: next(iter(_options(message, 3)), None) or None,
    "edns_options": lambda message: ((opt := _opt(message)) and tuple([code for code, _ in opt.rdata[0]])) or None,
    "edns_client_cookie": lambda message: next(iter(_options(message, 10)), b"")[:8] or None,
    "edns_server_cookie": lambda message: next(iter(_options(message, 10)), b"")[8:] or None,
    "edns_keepalive": lambda message: next((units * 10**8 for units in _options(message, 11)), None),
    "edns_padding": lambda message: next(map(len, _options(message, 12)), None),
    "ecs_scope": lambda message: next((subnet.scope_prefix for subnet in _options(message, 8)), None),
    "query_message": lambda message: message.query_message or None,
    "response_message": lambda message: message.response_message or None,
    "further_questions": _questions,
    "error": _error,
    **{f"{name}_names": partial(_names, section=section) for name, section in SECTIONS},
    **{f"{name}_data": partial(_data, section=section) for name, section in SECTIONS},
    **{
        f"{name}_{plural}": lambda message, section=section, index=index: (  # type: ignore[misc]
            tuple([record[index] for record in _records(message, section)]) or None
        )
        for name, section in SECTIONS
        for plural, index in (("types", 1), ("classes", 2), ("ttls", 3))
    },
    "policy_type": lambda message: ((message.policy or Policy()).type or "").encode("utf-8", "surrogateescape") or None,
    "policy_rule": lambda message: (message.policy or Policy()).rule or None,
    "policy_match": lambda message: (message.policy or Policy()).match,
    "policy_value": lambda message: (message.policy or Policy()).value or None,
    "query_zone": _zone,
    "rcode": _rcode,
    "ancount": lambda message: _header(message)[3],
}
"""Values of each field except texts, by its name in the catalogue."""


@cache
def captured() -> list[bytes]:
    """Return 400 payloads of the captures."""
    frames = [frame for path in sorted(DATA.glob("*.fstrm")) for frame in read_frames(path)]
    return random.Random(1).sample(frames, 400)


@cache
def made() -> list[Dnstap]:
    """Return 400 generated messages, many of them damaged."""
    generator = Generator(1)
    dnstaps = []
    for _ in range(400):
        fields = generator.more_fields()
        fields["type"] = MessageType(fields["type"])
        for name, cls in (("socket_family", SocketFamily), ("socket_protocol", SocketProtocol)):
            fields |= {name: cls(fields[name])} if name in fields else {}
        sender: dict[str, Any] = {**generator.sender()}
        dnstaps.append(Dnstap(message=Message(**fields), **sender))
    return dnstaps
