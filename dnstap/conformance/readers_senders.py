"""Cases for readers, 001 to 099: payloads of the servers in the field, as those send them."""

from __future__ import annotations

from dnstap.conformance.wire import around, blob, dnstap, fixed32, number, query, taken
from framestream.conformance.cases import Case, Level

__all__ = ["CASES"]

BIND = (
    bytes.fromhex(
        "0a136e616d65642d7265637572736f722e70656572121d42494e4420392e31382e34392d317e646562313275332d44656269616e724408"
        "051001180122047f0000012a047f00000130cc920238e6294081ea8fd8064d914bfd25521e8dd101200001000000000000076578616d70"
        "6c65047465737400000100017801"
    ),
    bytes.fromhex(
        "0a136e616d65642d7265637572736f722e70656572121d42494e4420392e31382e34392d317e646562313275332d44656269616e726f08"
        "04100118012204000000002a047f00000130d4c50338b5294081ea8fd8064d9d2d8a395a0e076578616d706c650474657374006081ea8f"
        "d8066d9d2d8a39722e57c4860000010000000000010468756765076578616d706c650474657374000010000100002904d0000080000000"
        "7801"
    ),
    bytes.fromhex(
        "0a0f6e616d65642d617574682e70656572121d42494e4420392e31382e34392d317e646562313275332d44656269616e7257080d100118"
        "0122047f0000012a047f00000130c0b20338dc2940ede98fd8064da289cd05523158b028000001000000010000066e6f73756368047465"
        "73740000060001036e6577c00c000100010000003c0004c00002097801"
    ),
)
"""Payloads of named 9.18.49: CLIENT_QUERY, RESOLVER_RESPONSE with a zone and no query address, UPDATE_QUERY."""

UNBOUND = (
    bytes.fromhex(
        "0a0c756e626f756e642e70656572120e756e626f756e6420312e31372e31722708051001180122047f0000012a047f00000130d6b80238"
        "d229409fea8fd8064da8c33c165201127801"
    ),
    bytes.fromhex(
        "0a0c756e626f756e642e70656572120e756e626f756e6420312e31372e31726f08041001180122047f0000012a047f00000130ed9d0138"
        "b5294099ea8fd8064d58eef5365a0e076578616d706c650474657374006099ea8fd8066d688cf736722ebe368600000100000000000104"
        "68756765076578616d706c650474657374000010000100002904d00000800000007801"
    ),
)
"""Payloads of unbound 1.17.1: CLIENT_QUERY whose DNS message is one byte, as the client sent it; RESOLVER_RESPONSE."""

KNOT = (
    bytes.fromhex(
        "0a0a6b6e6f74642e70656572120e4b6e6f7420444e5320332e322e36724408011001180122047f0000012a047f0000013080f90238c829"
        "40d7e98fd8064deaa23e01521e26f001200001000000000000076578616d706c65047465737400000100017801"
    ),
    bytes.fromhex(
        "0a0a6b6e6f74642e70656572120e4b6e6f7420444e5320332e322e36724008021001180122047f0000012a047f00000130fc8c0338c829"
        "520c00010100000000000000000060e0e98fd8066dc2f04e1c720c0001810100000000000000007801"
    ),
)
"""Payloads of knotd 3.2.6: AUTH_QUERY; AUTH_RESPONSE with both DNS messages and only the time of the response."""

NSD = (
    bytes.fromhex(
        "0a086e73642e7065657212094e534420342e362e31722708011001180122047f0000012a047f000001309bfc0238be2940cee98fd8064d"
        "80d1a3005201127801"
    ),
    bytes.fromhex(
        "0a086e73642e7065657212094e534420342e362e31723208021001180122047f0000012a047f00000130a2d80238be2960cde98fd8066d"
        "f81e7d2a720cb40a910400000000000000007801"
    ),
)
"""Payloads of nsd 4.6.1: AUTH_QUERY whose DNS message is one byte; AUTH_RESPONSE without a question."""

DNSDIST = (
    bytes.fromhex(
        "0a0c646e73646973742e70656572120d646e736469737420312e372e337801724e08051801100122047f00000130e8d5022a047f000001"
        "38842a40ebea8fd8064da7b695195228d99101200001000000000001000002000100002904d000000000000c000a0008d27818ac4857db"
        "651a03713a2e"
    ),
    bytes.fromhex(
        "0a0c646e73646973742e70656572120d646e736469737420312e372e337801723d08061801100122047f00000130f281022a047f000001"
        "38842a40ecea8fd8064d56eaaf3960ecea8fd8066d3ecdb139720c985b910400000000000000001a0f723a6578616d706c652e74657374"
        "2e"
    ),
)
"""Payloads of dnsdist 1.7.3: CLIENT_QUERY and CLIENT_RESPONSE, with `extra` from a Lua function."""

_TIMES = number(8, 1_700_000_000) + fixed32(9, 5), number(12, 1_700_000_000) + fixed32(13, 9)
_ADDRESSES = blob(4, bytes([127, 0, 0, 1])), blob(5, bytes([127, 0, 0, 2]))

# Both products have the code that writes fields in the order in which their values are known.
_RECURSOR = number(3, 1), number(2, 1), _ADDRESSES[0], number(6, 4711), _ADDRESSES[1], number(7, 53)

RECURSOR = (
    blob(1, b"recursor.example")
    + blob(2, b"pdns-recursor 5.1.3")
    + number(15, 1)
    + blob(14, b"".join([number(1, 3), *_RECURSOR, _TIMES[0], blob(10, query()), blob(11, b"\7example\0")])),
    blob(1, b"recursor.example")
    + blob(2, b"pdns-recursor 5.1.3")
    + number(15, 1)
    + blob(14, b"".join([number(1, 4), *_RECURSOR, *_TIMES, blob(14, query(header="0001 8180 0001" + " 0000" * 3))])),
)
"""Payloads as PowerDNS Recursor 5.1.3 makes them, by its source: RESOLVER_QUERY with a zone, RESOLVER_RESPONSE."""

COREDNS = (
    bytes.fromhex(
        "0a0f6e73312e6578616d706c652e6f7267120e436f7265444e532d312e31352e30725108051001180122047f00000130b0c90340e8e792"
        "d8064d945b063a5234d41201200001000000000001076578616d706c65036f7267000001000100002904d000000000000c000a0008740b"
        "338a83818b6a7801"
    ),
    bytes.fromhex(
        "0a0f6e73312e6578616d706c652e6f7267120e436f7265444e532d312e31352e30726508081001180122047f0000012a047f0000013087"
        "ab0238b52940e9e792d8064d5965602460e9e792d8066d640163247234c25e81050001000000000001023334013201300331393207696e"
        "2d61646472046172706100000c000100002904d00000000000007801"
    ),
)
"""Payloads of CoreDNS 1.15.0: CLIENT_QUERY without the server's address; FORWARDER_RESPONSE."""

_KRESD = (
    number(2, 2),
    number(3, 3),
    blob(4, bytes(15) + b"\1"),
    blob(5, bytes(15) + b"\1"),
    number(6, 4711),
    number(7, 853),
)

KRESD = (
    blob(2, b"Knot Resolver 5.7.4") + blob(14, b"".join([number(1, 5), *_KRESD, _TIMES[0]])) + number(15, 1),
    blob(2, b"Knot Resolver 5.7.4") + blob(14, b"".join([number(1, 6), *_KRESD, _TIMES[1]])) + number(15, 1),
)
"""Payloads as Knot Resolver 5.7.4 makes them, by its source: over TLS and IPv6, without identity and DNS messages."""

ALL_TYPES = tuple([dnstap({1: number(1, kind)}) for kind in range(1, 15)])


def _sender(number: int, name: str, what: str, payloads: tuple[bytes, ...]) -> Case:
    return Case(
        id=f"DNSTAP-READER-{number:03}",
        level=Level.MUST,
        rule=f"Payloads of {name} are taken: {what}.",
        source=f"observed: {name}",
        failure=f"The logs of {name} are lost, or those of other servers beside it.",
        steps=around(*payloads),
        output=taken(*payloads),
    )


CASES = (
    _sender(1, "BIND", "a response without an address of the client, dynamic updates, zones", BIND),
    _sender(2, "Unbound", "a query whose DNS message is one byte, as it came from the client", UNBOUND),
    _sender(3, "Knot DNS", "a response with the query in it, and without the time of the query", KNOT),
    _sender(4, "NSD", "a response whose DNS message is only a header", NSD),
    _sender(5, "dnsdist", "the type before the message, the protocol before the family, extra at the end", DNSDIST),
    _sender(6, "PowerDNS Recursor", "ports between the addresses, the zone at the end", RECURSOR),
    _sender(7, "CoreDNS", "a query without the address of the server", COREDNS),
    _sender(8, "Knot Resolver", "no identity and no DNS message, over TLS and IPv6", KRESD),
    Case(
        id="DNSTAP-READER-009",
        level=Level.MUST,
        rule="Payloads of several servers may follow each other in one stream.",
        source="observed: relays send what several servers have sent",
        failure="What was learned from one server is applied to another's payloads, at a relay.",
        steps=around(*BIND, *DNSDIST, *UNBOUND, *COREDNS, *RECURSOR, *NSD, *KRESD, *KNOT),
        output=taken(*BIND, *DNSDIST, *UNBOUND, *COREDNS, *RECURSOR, *NSD, *KRESD, *KNOT),
    ),
    Case(
        id="DNSTAP-READER-010",
        level=Level.MUST,
        rule="A reader takes all 14 types of messages, from AUTH_QUERY to UPDATE_RESPONSE.",
        source="dnstap.proto: Message.Type",
        failure="Types that one's own server does not send are lost, or end the stream.",
        steps=around(*ALL_TYPES),
        output=taken(*ALL_TYPES),
    ),
)
