"""Rules about the Message in a payload; frame_rules.py says how they are called, and of which readers they speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.linting.frame_rules import LOST, unknown_number
from dnstap.linting.rules import Rule
from dnstap.linting.shapes import MAX_PORT
from dnstap.schema.enums import MessageType, SocketFamily, SocketProtocol
from dnstap.schema.meaning import is_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.linting.shapes import Shape, Wire

    Check = Callable[[Shape], str | None]

__all__ = ["MESSAGE_RULES"]

_OLD_PROTOCOLS = (None, SocketProtocol.UDP, SocketProtocol.TCP)

_SHOWN = "the lines of the Go tool, dnstap-read and dnstap-ldns show no question"


def _address_lengths(shape: Shape) -> str | None:
    return _of_both(shape.query_address, shape.response_address, "address", lambda size: size not in (0, 4, 16))


def _empty_addresses(shape: Shape) -> str | None:
    return _of_both(shape.query_address, shape.response_address, "address", lambda size: not size)


def _of_both(query: int | None, response: int | None, name: str, is_wrong: Callable[[int], bool]) -> str | None:
    found = [
        f"{side}_{name} of {size} bytes"
        for side, size in (("query", query), ("response", response))
        if size is not None and is_wrong(size)
    ]
    return " and ".join(found) or None


def _address_family(shape: Shape) -> str | None:
    if shape.family not in (SocketFamily.INET, SocketFamily.INET6):
        return None
    expected = 4 if shape.family == SocketFamily.INET else 16
    # Other lengths than those of the two families are left to address-length.
    found = _of_both(
        shape.query_address, shape.response_address, "address", lambda size: size in (4, 16) and size != expected
    )
    return found and f"{shape.family} with {found}"


def _absent(attribute: str, name: str = "") -> Check:
    def check(shape: Shape) -> str | None:
        return f"{shape.message_type} without {name or attribute}" if getattr(shape, attribute) is None else None

    return check


def _ports_over(shape: Shape) -> str | None:
    return _ports(shape, lambda port: port > MAX_PORT)


def _ports_zero(shape: Shape) -> str | None:
    return _ports(shape, lambda port: not port)


def _ports(shape: Shape, is_wrong: Callable[[int], bool]) -> str | None:
    ports = (("query_port", shape.query_port), ("response_port", shape.response_port))
    return " and ".join([f"{name} {port}" for name, port in ports if port is not None and is_wrong(port)]) or None


def _own_time(shape: Shape) -> str | None:
    query = is_query(shape.message_type)
    there = shape.query_sec or shape.query_nsec is not None, shape.response_sec or shape.response_nsec is not None
    # A type that the schema does not name may have either.
    if any(there) if query is None else there[not query]:
        return None
    return f"{shape.message_type} without {'any' if query is None else 'query' if query else 'response'} time"


def _no_query_time(shape: Shape) -> str | None:
    if is_query(shape.message_type) is not False or shape.query_sec or shape.query_nsec is not None:
        return None
    return f"{shape.message_type} without query time"


def _half_times(shape: Shape) -> str | None:
    halves = []
    for side, sec, nsec in (
        ("query", shape.query_sec, shape.query_nsec),
        ("response", shape.response_sec, shape.response_nsec),
    ):
        if sec != (nsec is not None):
            halves.append(f"{side}_time_{'sec' if sec else 'nsec'} without {side}_time_{'nsec' if sec else 'sec'}")
    return " and ".join(halves) or None


def _nanoseconds(shape: Shape) -> str | None:
    values = (("query_time_nsec", shape.query_nsec), ("response_time_nsec", shape.response_nsec))
    return " and ".join([f"{name} {nsec}" for name, nsec in values if nsec]) or None


def _wires(shape: Shape) -> tuple[tuple[str, Wire], ...]:
    both = (("query_message", shape.query), ("response_message", shape.response))
    return tuple([(name, wire) for name, wire in both if wire is not None])


def _no_dns_message(shape: Shape) -> str | None:
    query = is_query(shape.message_type)
    if query is None:
        return None if _wires(shape) else f"{shape.message_type} without any DNS message"
    if (shape.query if query else shape.response) is not None:
        return None
    return f"{shape.message_type} without {'query' if query else 'response'}_message"


def _empty_dns_message(shape: Shape) -> str | None:
    return next((f"empty {name}" for name, wire in _wires(shape) if wire.empty), None)


def _query_with_response(shape: Shape) -> str | None:
    found = is_query(shape.message_type) and shape.response is not None
    return f"{shape.message_type} with response_message" if found else None


def _qr_bit(shape: Shape) -> str | None:
    for name, wire in _wires(shape):
        if wire.response is not None and wire.response != (name == "response_message"):
            return f"{name} with QR {wire.response:d}"
    return None


def _pair(what: str) -> Check:
    return lambda shape: f"query_message and response_message with another {what}" if shape.pair == what else None


def _malformed(shape: Shape) -> str | None:
    return next((f"{name}: {wire.error}" for name, wire in _wires(shape) if wire.error), None)


def _too_long(shape: Shape) -> str | None:
    return next((f"{name} of {wire.excess} bytes" for name, wire in _wires(shape) if wire.excess), None)


def _no_question(shape: Shape) -> str | None:
    return next(
        (f"{name} without a question" for name, wire in _wires(shape) if not (wire.question or wire.empty)), None
    )


def _no_zone(shape: Shape) -> str | None:
    resolver = shape.message_type in (MessageType.RESOLVER_QUERY, MessageType.RESOLVER_RESPONSE)
    return f"{shape.message_type} without query_zone" if resolver and shape.zone is None else None


def _http_without_doh(shape: Shape) -> str | None:
    if shape.http_protocol is None or shape.protocol == SocketProtocol.DOH:
        return None
    return f"http_protocol with {'no protocol' if shape.protocol is None else shape.protocol}"


def _policy_numbers(shape: Shape) -> str | None:
    found = (unknown_number("action", shape.policy_action), unknown_number("match", shape.policy_match))
    return " and ".join(filter(None, found)) or None


def _stub_or_update(shape: Shape) -> str | None:
    name = "" if shape.message_type is None else shape.message_type.name
    return name if name.startswith(("STUB_", "UPDATE_")) else None


MESSAGE_RULES: tuple[Rule[Check], ...] = (
    Rule(
        "no-message-type",
        "error",
        "no type of the Message, which is required",
        LOST,
        lambda shape: "Message without type" if shape.message_type is None else None,
    ),
    Rule(
        "unknown-message-type",
        "error",
        "type of the Message that the schema does not name",
        "the Go tool prints [unhandled Message.Type], dnstap-read leaves the message out, dnstap-ldns -y ends with an"
        " error",
        lambda shape: unknown_number("type", shape.message_type),
    ),
    Rule(
        "stub-or-update-type",
        "note",
        "type that not every reader knows, STUB_* or UPDATE_*",
        "of STUB_* the Go tool prints [unhandled Message.Type]; at UPDATE_* dnstap-ldns -y ends with an error",
        _stub_or_update,
    ),
    Rule(
        "no-family",
        "warning",
        "no socket_family, which is recommended for all types",
        "readers must tell the family from the length of the addresses",
        _absent("family", "socket_family"),
    ),
    Rule(
        "unknown-family",
        "error",
        "socket_family that the schema does not name",
        "dnstap-ldns -y ends with an error",
        lambda shape: unknown_number("socket_family", shape.family),
    ),
    Rule(
        "no-protocol",
        "warning",
        "no socket_protocol, which is recommended for all types",
        "dnstap-read shows UDP, the Go tool leaves a column of its lines empty",
        _absent("protocol", "socket_protocol"),
    ),
    Rule(
        "unknown-protocol",
        "error",
        "socket_protocol that the schema does not name",
        "dnstap-read shows UDP, dnstap-ldns -y ends with an error",
        lambda shape: unknown_number("socket_protocol", shape.protocol),
    ),
    Rule(
        "newer-protocol",
        "note",
        "socket_protocol that not every reader knows: DOT, DOH, DOQ or DNSCrypt",
        "dnstap-read shows UDP, dnstap-ldns -y ends with an error",
        lambda shape: shape.protocol.name or None if shape.protocol not in _OLD_PROTOCOLS else None,
    ),
    Rule(
        "unknown-http-protocol",
        "warning",
        "http_protocol that the schema does not name",
        "for readers made with Google's protobuf it is an unknown field",
        lambda shape: unknown_number("http_protocol", shape.http_protocol),
    ),
    Rule(
        "http-without-doh",
        "warning",
        "http_protocol without DNS over HTTPS",
        "the schema allows it with socket_protocol DOH alone: readers may show either",
        _http_without_doh,
    ),
    Rule(
        "unknown-policy-number",
        "warning",
        "action or match of a policy that the schema does not name",
        "for readers made with Google's protobuf it is an unknown field",
        _policy_numbers,
    ),
    Rule(
        "address-length",
        "error",
        "address that is neither of 4 nor of 16 bytes",
        "the Go tool prints nothing more of the stream with -j, dnstap-read leaves the message out of its lines",
        _address_lengths,
    ),
    Rule("empty-address", "error", "address of 0 bytes", "dnstap-read -y crashes", _empty_addresses),
    Rule(
        "address-family",
        "warning",
        "address whose length is not that of socket_family",
        "the Go tool, dnstap-read and dnstap-ldns go by the length, readers that go by the family show something else",
        _address_family,
    ),
    Rule(
        "no-query-address",
        "note",
        "no query_address",
        "for messages from clients the Go tool and dnstap-ldns show MISSING_ADDRESS; dnstap-read shows ? for all",
        _absent("query_address"),
    ),
    Rule(
        "no-response-address",
        "note",
        "no response_address",
        "for messages to other servers the Go tool and dnstap-ldns show MISSING_ADDRESS; dnstap-read shows ? for all",
        _absent("response_address"),
    ),
    Rule("no-query-port", "note", "no query_port", "dnstap-read shows port 0", _absent("query_port")),
    Rule("no-response-port", "note", "no response_port", "dnstap-read shows port 0", _absent("response_port")),
    Rule(
        "port-zero",
        "note",
        "port 0",
        "the query and the response of an exchange cannot be matched by their ports",
        _ports_zero,
    ),
    Rule(
        "port-range",
        "error",
        "port over 65,535",
        "the Go tool, dnstap-read and dnstap-ldns print it; it does not fit where a port has 16 bits",
        _ports_over,
    ),
    Rule(
        "no-time",
        "warning",
        "query without query time, or response without response time",
        "the Go tool, dnstap-read and dnstap-ldns show ??:??:??",
        _own_time,
    ),
    Rule(
        "no-query-time",
        "note",
        "response without query time",
        "its latency is known only to readers that have matched it with its query",
        _no_query_time,
    ),
    Rule(
        "half-time",
        "warning",
        "seconds without nanoseconds, or nanoseconds without seconds",
        "dnstap-read and dnstap-ldns show no time of such a message, the Go tool a part of it",
        _half_times,
    ),
    Rule(
        "nanoseconds-range",
        "error",
        "nanoseconds that make a second or more",
        "dnstap-read aborts if it is the time that it shows; the Go tool and dnstap-ldns print fractions of seven"
        " digits or more",
        _nanoseconds,
    ),
    Rule(
        "response-before-query",
        "warning",
        "response time before query time",
        "the latency is negative",
        lambda shape: "response time before query time" if shape.backwards else None,
    ),
    Rule("no-dns-message", "note", "no DNS message of its own", _SHOWN, _no_dns_message),
    Rule("empty-dns-message", "warning", "DNS message of 0 bytes", _SHOWN, _empty_dns_message),
    Rule(
        "query-with-response",
        "warning",
        "query with response_message",
        "the lines of the Go tool, dnstap-read and dnstap-ldns show the query alone, as does dnstap-read -y",
        _query_with_response,
    ),
    Rule(
        "qr-bit",
        "warning",
        "query_message with the QR bit, or response_message without it",
        "the Go tool, dnstap-read and dnstap-ldns go by the type, readers that go by the header show the opposite",
        _qr_bit,
    ),
    Rule(
        "id-mismatch",
        "warning",
        "query_message and response_message with different message identifiers",
        "readers show two messages that do not belong together",
        _pair("id"),
    ),
    Rule(
        "question-mismatch",
        "warning",
        "query_message and response_message with different questions",
        "readers show the question of either, by the type of the message",
        _pair("question"),
    ),
    Rule("malformed-dns", "warning", "DNS message that does not parse", _SHOWN, _malformed),
    Rule(
        "dns-over-64k",
        "warning",
        "DNS message over 65,535 bytes",
        "no transport of DNS has carried it; the Go tool, dnstap-read and dnstap-ldns show its question, this command"
        " does not parse it",
        _too_long,
    ),
    Rule(
        "no-question",
        "note",
        "DNS message without a question",
        "dnstap-read leaves the message out, or shows ?/?/? as it does for a header alone that counts a question",
        _no_question,
    ),
    Rule(
        "no-query-zone",
        "note",
        "no query_zone, which is recommended for RESOLVER_QUERY and RESOLVER_RESPONSE",
        "readers cannot tell which zone's servers were asked",
        _no_zone,
    ),
    Rule(
        "malformed-zone",
        "warning",
        "query_zone that is not a name in wire format",
        "the Go tool shows an error in place of it, dnstap-ldns -y shows another name",
        lambda shape: "query_zone is not a name" if shape.zone is False else None,
    ),
)
"""They are not asked of a Dnstap without a Message."""
