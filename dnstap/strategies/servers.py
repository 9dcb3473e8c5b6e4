"""Strategies for payloads of real servers, by the table of dnstap.strategies.senders."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from dnstap import Dnstap, DnstapType, HttpProtocol, Message, MessageType, SocketFamily, SocketProtocol
from dnstap.codec.tables import table_of
from dnstap.strategies.senders import SENDERS
from dnstap.strategies.wire_fields import WireField, fields_of, written
from dnstap.suggestions import did_you_mean
from framestream.arguments import check_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

    from dnstap.codec.tables import Table

__all__ = ["Logged", "logged", "server_payloads"]


@dataclass(frozen=True, slots=True)
class Logged:
    """Payload of a server.

    Attributes:
        server: the server's name in dnstap.strategies.SENDERS.
        payload: the bytes, with fields in the server's order.
        dnstap: the values in it.
    """

    server: str
    payload: bytes
    dnstap: Dnstap


def server_payloads(servers: Sequence[str] = tuple(SENDERS)) -> SearchStrategy[bytes]:
    """Return payloads like those of real servers: with their fields in their order, DNS messages, addresses and times.

    Args: servers: names in dnstap.strategies.SENDERS; all by default.
    Raises: TypeError, ValueError: as logged.
    """
    return logged(servers).map(lambda log: log.payload)


_IDENTITIES = st.sampled_from([b"ns1.example.org", b"resolver", b""]) | st.binary(max_size=20)
_EXTRAS = st.sampled_from([b"q:www.example.org.", b"rtt=312\n", b""]) | st.binary(max_size=20)


def logged(servers: Sequence[str] = tuple(SENDERS)) -> SearchStrategy[Logged]:
    """Return payloads as `server_payloads` does, with the server's name and the values.

    Args: servers: names in dnstap.strategies.SENDERS; all by default.
    Raises: TypeError: not a list of names; ValueError: none, or one of no server.
    """
    check_type("servers", servers, (tuple, list), "a list of names")
    if not servers:
        raise ValueError("servers: expected at least one")
    for server in servers:
        check_type("servers", server, str, "a list of names")
        if server not in SENDERS:
            hint = did_you_mean(server, SENDERS) or f"expected one of {', '.join(SENDERS)}"
            raise ValueError(f"servers: {server!r} is not in SENDERS; {hint}")
    return _logged(servers)


@st.composite
def _logged(draw: DrawFn, servers: Sequence[str]) -> Logged:
    server = draw(st.sampled_from(servers))
    sender = SENDERS[server]
    kind = draw(st.sampled_from(list(sender.messages)))
    order = draw(st.sampled_from(sender.messages[kind]))
    protocols = [SocketProtocol.DOH] if "http_protocol" in order else sender.protocols
    values = draw(_message_values(kind, draw(st.sampled_from(protocols))))
    message = Message(**{name: values[name] for name in order})
    outer = draw(st.sampled_from(sender.dnstap))
    own: dict[str, Any] = {
        "identity": draw(_IDENTITIES),
        "version": sender.version,
        "extra": draw(_EXTRAS),
        "message": message,
        "type": DnstapType.MESSAGE,
    }
    dnstap = Dnstap(**{name: own[name] for name in outer})
    fields = []
    for field in _in_order(fields_of(bytes(dnstap)), outer, table_of(Dnstap)):
        inner = field.value
        value = _in_order(inner, order, table_of(Message)) if isinstance(inner, tuple) else inner
        fields.append(replace(field, value=value))
    return Logged(server, written(fields), dnstap)


def _in_order(fields: Iterable[WireField], names: Sequence[str], table: Table) -> tuple[WireField, ...]:
    """Sort fields of a message by the order of their names."""
    places = {field.number: names.index(field.name) for field in table.fields if field.name in names}
    return tuple(sorted(fields, key=lambda field: places[field.number]))


_ADDRESSES = {
    SocketFamily.INET: st.ip_addresses(v=4).map(lambda address: address.packed),
    SocketFamily.INET6: st.ip_addresses(v=6).map(lambda address: address.packed),
}
_LOOPBACK = {SocketFamily.INET: bytes([127, 0, 0, 1]), SocketFamily.INET6: bytes(15) + b"\1"}
_PORTS = {SocketProtocol.DOT: [853], SocketProtocol.DOQ: [853], SocketProtocol.DOH: [443]}
_NANOSECONDS = st.integers(0, 999_999_999) | st.integers(0, 999_999).map(lambda microsecond: microsecond * 1000)


@st.composite
def _message_values(draw: DrawFn, kind: MessageType, protocol: SocketProtocol) -> dict[str, Any]:
    """Return a value for each field that a server may set in a Message."""
    family = draw(st.sampled_from(SocketFamily))
    loopback, own_port = _LOOPBACK[family], 1024
    own = loopback
    if "RESOLVER" in kind.name or "FORWARDER" in kind.name:
        # A server that sends a query may log the address and port that its socket is bound to: any address, port 0.
        own, own_port = bytes(len(loopback)), 0
    second = draw(st.integers(1_400_000_000, 2_200_000_000))
    nanosecond = draw(_NANOSECONDS)
    took_s, answered = divmod(nanosecond + draw(st.integers(0, 5_000_000_000)), 1_000_000_000)
    query, response, zone = draw(_exchanges(opcode=5 if "UPDATE" in kind.name else 0))
    return {
        "type": kind,
        "socket_family": family,
        "socket_protocol": protocol,
        "query_address": draw(_ADDRESSES[family] | st.just(own)),
        "query_port": draw(st.integers(1024, 65535) | st.just(own_port)),
        "response_address": draw(_ADDRESSES[family] | st.just(loopback)),
        "response_port": draw(st.sampled_from(_PORTS.get(protocol, [53, 5353]))),
        "query_time_sec": second,
        "query_time_nsec": nanosecond,
        "query_message": query,
        "query_zone": zone,
        "response_time_sec": second + took_s,
        "response_time_nsec": answered,
        "response_message": response,
        "http_protocol": draw(st.sampled_from(HttpProtocol)),
    }


_LABEL = st.sampled_from([b"www", b"_443", b"example", b"org"]) | st.binary(min_size=1, max_size=20)
_LABELS = st.lists(_LABEL.map(lambda label: bytes([len(label)]) + label), max_size=5)

# Contents of records by type: A, AAAA, CNAME, MX, TXT, and an unknown one.
_RDATA: dict[int, SearchStrategy[bytes]] = {
    1: st.binary(min_size=4, max_size=4),
    28: st.binary(min_size=16, max_size=16),
    5: st.just(b"\5alias\xc0\x0c"),
    15: st.integers(0, 65535).map(lambda preference: struct.pack(">H", preference) + b"\2mx\xc0\x0c"),
    16: st.binary(max_size=80).map(lambda text: bytes([len(text)]) + text),
    65280: st.binary(max_size=20),
}
_OPT = b"\0" + struct.pack(">HHIH", 41, 1232, 0x8000, 0)


@st.composite
def _exchanges(draw: DrawFn, opcode: int) -> tuple[bytes, bytes, bytes]:
    """Return a DNS query, its response, and the zone of the name, in wire format."""
    labels = draw(_LABELS)
    zone = b"".join([*labels[draw(st.integers(0, len(labels))) :], b"\0"])
    asked = draw(st.sampled_from(list(_RDATA)))
    question = b"".join([*labels, b"\0", struct.pack(">HH", asked, 1)])
    opt = draw(st.sampled_from([b"", _OPT]))
    number = draw(st.integers(0, 65535))
    flags = opcode << 11 | draw(st.sampled_from([0, 0x0100, 0x0120, 0x0110]))  # RD, AD, CD
    more = 0x8000 | draw(st.sampled_from([0, 0x0400, 0x0200, 0x0080]))  # QR, AA, TC, RA
    rcode = draw(st.sampled_from([0, 0, 0, 2, 3, 5]))
    ttl = draw(st.sampled_from([0, 300, 2**31 - 1]))
    # Twenty times the same records make a large response now and then.
    found = draw(st.lists(_RDATA[asked], max_size=4)) * draw(st.sampled_from([1, 1, 1, 20])) if rcode == 0 else []
    answers = [b"\xc0\x0c" + struct.pack(">HHIH", asked, 1, ttl, len(rdata)) + rdata for rdata in found]
    query = struct.pack(">6H", number, flags, 1, 0, 0, bool(opt))
    response = struct.pack(">6H", number, flags | more | rcode, 1, len(answers), 0, bool(opt))
    return query + question + opt, b"".join([response, question, *answers, opt]), zone
