"""Table of the fields that each DNS server logs, in the order in which it writes them.

Source: the captures of tests/data and examples (BIND 9.18, Unbound 1.17, Knot 3.2, NSD 4.6, dnsdist 1.7, CoreDNS 1.15),
which the tests compare with this table. For PowerDNS Recursor, Knot Resolver, `http_protocol` and the protocols that
those versions do not support: the servers' source code.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from dnstap import MessageType, SocketProtocol

__all__ = ["SENDERS", "Order", "Sender"]

Order = tuple[str, ...]
"""Names of the fields of one message, in order."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Fields that one server logs.

    Attributes:
        version: the server's `version` field.
        protocols: DNS transports that it logs.
        dnstap: order of the fields of a Dnstap, one for each set of fields that occurs.
        messages: the same for a Message, by its type.
    """

    version: bytes
    protocols: tuple[SocketProtocol, ...]
    dnstap: tuple[Order, ...]
    messages: dict[MessageType, tuple[Order, ...]]


def _orders(fields: str) -> tuple[Order, ...]:
    """Return each order that a line of the table stands for; a field with a "?" may be absent."""
    choices = [((), (name[:-1],)) if name.endswith("?") else ((name,),) for name in fields.split()]
    return tuple(sum(chosen, ()) for chosen in product(*choices))


def _sender(version: str, protocols: str, dnstap: str, messages: dict[str, str]) -> Sender:
    return Sender(
        version.encode(),
        tuple(SocketProtocol[name] for name in protocols.split()),
        _orders(dnstap),
        {MessageType[name]: _orders(fields) for names, fields in messages.items() for name in names.split()},
    )


# Most servers write fields by ascending number, as their protobuf libraries do.
_OUTER = "identity? version? message type"
_ENDS = "query_address response_address query_port response_port"
_HEAD = f"type socket_family socket_protocol {_ENDS}"
_QUERY_TIME = "query_time_sec query_time_nsec"
_REPLY_TIME = "response_time_sec response_time_nsec"

# The PowerDNS products share code that writes each field as soon as its value is known.
_PDNS_OUTER = "identity version type message extra?"
_PDNS_HEAD = "type socket_protocol socket_family query_address query_port response_address response_port"

SENDERS = {
    "BIND": _sender(
        "BIND 9.18.49-1~deb12u3-Debian",
        "UDP TCP DOT DOH",
        _OUTER,
        {
            "AUTH_QUERY CLIENT_QUERY UPDATE_QUERY": f"{_HEAD} {_QUERY_TIME} query_message",
            "AUTH_RESPONSE CLIENT_RESPONSE UPDATE_RESPONSE": f"{_HEAD} query_zone? {_REPLY_TIME} response_message",
            "RESOLVER_QUERY FORWARDER_QUERY": f"{_HEAD} {_QUERY_TIME} query_message query_zone",
            "RESOLVER_RESPONSE FORWARDER_RESPONSE": f"{_HEAD} {_QUERY_TIME} query_zone {_REPLY_TIME} response_message",
        },
    ),
    "Unbound": _sender(
        "unbound 1.17.1",
        "UDP TCP DOT DOH",
        _OUTER,
        {
            # This version omits the protocol if it is neither UDP nor TCP; later versions have it.
            "CLIENT_QUERY": f"type socket_family socket_protocol? {_ENDS} {_QUERY_TIME} query_message",
            "CLIENT_RESPONSE": f"type socket_family socket_protocol? {_ENDS} {_REPLY_TIME} response_message",
            "RESOLVER_QUERY FORWARDER_QUERY": f"{_HEAD} {_QUERY_TIME} query_message query_zone",
            "RESOLVER_RESPONSE FORWARDER_RESPONSE": f"{_HEAD} {_QUERY_TIME} query_zone {_REPLY_TIME} response_message",
        },
    ),
    "Knot DNS": _sender(
        "Knot DNS 3.2.6",
        "UDP TCP",
        _OUTER,
        {
            "AUTH_QUERY": f"{_HEAD} {_QUERY_TIME} query_message",
            "AUTH_RESPONSE": f"{_HEAD} query_message? {_REPLY_TIME} response_message",
        },
    ),
    "NSD": _sender(
        "NSD 4.6.1",
        "UDP TCP",
        _OUTER,
        {
            "AUTH_QUERY": f"{_HEAD} {_QUERY_TIME} query_message",
            "AUTH_RESPONSE": f"{_HEAD} query_zone? {_REPLY_TIME} response_message",
        },
    ),
    "dnsdist": _sender(
        "dnsdist 1.7.3",
        "UDP TCP DOT DOH DNSCryptUDP DNSCryptTCP DOQ",
        _PDNS_OUTER,
        {
            "CLIENT_QUERY": f"{_PDNS_HEAD} {_QUERY_TIME} query_message http_protocol?",
            "CLIENT_RESPONSE": f"{_PDNS_HEAD} {_QUERY_TIME} {_REPLY_TIME} response_message http_protocol?",
        },
    ),
    "PowerDNS Recursor": _sender(
        "pdns-recursor 5.1.3",
        "UDP TCP DOT",
        "identity version type message",
        {
            "RESOLVER_QUERY": f"{_PDNS_HEAD} {_QUERY_TIME} query_message query_zone?",
            "RESOLVER_RESPONSE": f"{_PDNS_HEAD} {_QUERY_TIME} {_REPLY_TIME} response_message query_zone?",
        },
    ),
    "CoreDNS": _sender(
        "CoreDNS-1.15.0",
        "UDP TCP",
        "identity? version? extra? message type",
        {
            "CLIENT_QUERY": f"type socket_family socket_protocol query_address query_port {_QUERY_TIME} query_message?",
            "CLIENT_RESPONSE": f"type socket_family socket_protocol query_address query_port {_QUERY_TIME}"
            f" {_REPLY_TIME} response_message?",
            "FORWARDER_QUERY": f"{_HEAD} {_QUERY_TIME} query_message?",
            "FORWARDER_RESPONSE": f"{_HEAD} {_QUERY_TIME} {_REPLY_TIME} response_message?",
        },
    ),
    "Knot Resolver": _sender(
        "Knot Resolver 5.7.4",
        "UDP TCP DOT DOH",
        "identity? version extra? message type",
        {
            "CLIENT_QUERY": f"{_HEAD} {_QUERY_TIME} query_message?",
            "CLIENT_RESPONSE": f"{_HEAD} {_REPLY_TIME} response_message?",
        },
    ),
}
"""Senders by the name of the server."""
