"""Cases for readers, 101 to 199: payloads that do not decode, and what protobuf allows but no server sends today."""

from __future__ import annotations

from dnstap.conformance.wire import FIRST, LAST, around, blob, dnstap, fixed32, message, number, query, tag, taken
from framestream.conformance.cases import Case, Level, Taken
from framestream.conformance.steps import payload, stream

__all__ = ["CASES"]

GOOD = dnstap()

GARBAGE = b"\xff" * 20
NO_MESSAGE = number(15, 1)
CUT = GOOD[:30]
CUT_INSIDE = dnstap(outer={14: blob(14, message()[:-9])})
EMPTY_MESSAGE = dnstap(outer={14: blob(14, b"")})
ZERO = b"\0"
NO_TYPE = dnstap(outer={15: b""})
OTHER_TYPE = dnstap(outer={15: number(15, 2)}), number(15, 2)
NO_MESSAGE_TYPE = dnstap({1: b""})
OTHER_MESSAGE_TYPES = dnstap({1: number(1, 0)}), dnstap({1: number(1, 99)})
NEGATIVE_TYPE = dnstap({1: number(1, -1)})
MANY = tuple([b"\xff" * size for size in range(1, 101)])

_UNKNOWN = {4: number(4, 7), 16: blob(16, b"new"), 17: fixed32(17, 1), 536_870_911: blob(536_870_911, b"last")}
UNKNOWN = dnstap(outer=_UNKNOWN)
UNKNOWN_INSIDE = dnstap({17: number(17, 7), 18: blob(18, message()), 5000: blob(5000, b"far")})
UNKNOWN_IN_POLICY = dnstap({15: blob(15, blob(1, b"RPZ") + number(3, 1) + blob(9, b"new"))})
OTHER_WIRE_TYPES = (
    dnstap({4: number(4, 7), 6: blob(6, b"53"), 10: fixed32(10, 1)}),
    dnstap(outer={1: number(1, 7)}),
)

# The last value counts, and it is found in text by its name.
REPEATED = blob(1, b"odd") + dnstap(
    {6: number(6, 1) + number(6, 2), 10: blob(10, query()) + blob(10, query(b"\7frame-3\0"))}
)
MERGED = blob(14, message({10: b""})) + blob(14, blob(10, query(b"\7frame-3\0"))) + number(15, 1)
UNKNOWN_NUMBERS = (
    dnstap({2: number(2, 99)}),
    dnstap({3: number(3, 99)}),
    dnstap({16: number(16, 99)}),
    dnstap({2: number(2, 0), 3: number(3, 0)}),
)
POLICY_NUMBERS = dnstap({15: blob(15, number(3, 99) + number(4, 0))})
REVERSED = (
    number(15, 1)
    + blob(
        14,
        blob(10, query(b"\7frame-3\0")) + blob(4, bytes([192, 0, 2, 1])) + number(3, 1) + number(2, 1) + number(1, 5),
    )
    + blob(1, b"odd")
)
PADDED = (
    b"\x8a\x80\x80\x80\0"
    b"\x83\x80\0odd"
    + blob(14, number(1, 5, padding=9) + number(2, 1, padding=4) + blob(10, query(b"\7frame-3\0")))
    + number(15, 1, padding=9)
)
ENDLESS_VARINT = dnstap({6: number(6, 1, padding=10)})
GROUP = dnstap({20: tag(20, 3) + number(1, 1) + tag(20, 4)})
OPEN_GROUP = dnstap({20: tag(20, 3) + number(1, 1)}), dnstap({20: tag(20, 4)})
RESERVED_WIRE_TYPES = dnstap({20: tag(20, 6) + b"\0"}), dnstap({20: tag(20, 7) + b"\0"})
WIDE = dnstap({6: number(6, (1 << 32) + 53), 7: number(7, (1 << 64) - 1)})
DEEP = dnstap({20: tag(20, 3) * 20_000 + tag(20, 4) * 20_000})
LONG_LENGTHS = tuple(
    [
        dnstap(outer={14: blob(14, message(), length=length)})
        for length in (1 << 31, (1 << 32) - 1, 1 << 63, (1 << 64) - 1)
    ]
)


def _undecodable(
    id: int, rule: str, failure: str, *payloads: bytes, source: str = "rule 1: payloads are opaque"
) -> Case:
    """Return a case of payloads that a reader may leave out, if it takes those after them."""
    return Case(
        id=f"DNSTAP-READER-{id}",
        level=Level.MUST,
        rule=rule,
        source=source,
        failure=failure,
        steps=around(*payloads),
        output=taken(*payloads, optional=True),
    )


def _valid(id: int, rule: str, failure: str, *payloads: bytes, source: str = "protobuf encoding") -> Case:
    """Return a case of payloads that a reader of any kind must take."""
    return Case(
        id=f"DNSTAP-READER-{id}",
        level=Level.MUST,
        rule=rule,
        source=source,
        failure=failure,
        steps=around(*payloads),
        output=taken(*payloads),
    )


CASES = (
    _undecodable(
        101,
        "A payload that does not decode costs no other.",
        "One bad message from one server ends what is recorded of all, until the reader is restarted.",
        GARBAGE,
        source="observed: the Go tool prints nothing more",
    ),
    _undecodable(
        102,
        "A payload of two bytes, the type MESSAGE without a message, costs no other.",
        "Two bytes from any sender end the collector.",
        NO_MESSAGE,
        source="observed: the Go tool crashes",
    ),
    _undecodable(
        103,
        "A payload that ends inside its message costs no other.",
        "A sender with a buffer that is too short takes the collector with it.",
        CUT,
    ),
    _undecodable(
        104,
        "A message that ends inside one of its fields costs no other.",
        "Lengths are only checked at the outside, and the field is read beyond its end.",
        CUT_INSIDE,
    ),
    _undecodable(
        105,
        "A message of no bytes, without the type that is required, costs no other.",
        "The first look at the type of the message ends the collector.",
        EMPTY_MESSAGE,
        source="dnstap.proto: Message.type is required",
    ),
    _undecodable(
        106,
        "A payload of one zero byte costs no other.",
        "A sender that pads its frames ends the collector.",
        ZERO,
        source="protobuf encoding: field number 0 is not allowed",
    ),
    _undecodable(
        107,
        "A Dnstap without the type that is required costs no other.",
        "The first look at the type ends the collector.",
        NO_TYPE,
        source="dnstap.proto: Dnstap.type is required",
    ),
    _undecodable(
        108,
        "A type of Dnstap that the reader does not know costs no other message.",
        "The first server with a new kind of payload ends the collector.",
        *OTHER_TYPE,
        source="dnstap.proto: Dnstap.Type can get new values",
    ),
    _undecodable(
        109,
        "A Message without the type that is required costs no other.",
        "The first look at the type of the message ends the collector.",
        NO_MESSAGE_TYPE,
        source="dnstap.proto: Message.type is required",
    ),
    _undecodable(
        110,
        "A type of Message that the reader does not know costs no other message.",
        "The first server with a new kind of message ends the collector, as UPDATE_QUERY did.",
        *OTHER_MESSAGE_TYPES,
        source="dnstap.proto: Message.Type has got new values",
    ),
    _undecodable(
        111,
        "A negative number of an enum, of ten bytes, costs no other message.",
        "A number that does not fit 32 bits is an index into a table.",
        NEGATIVE_TYPE,
        source="protobuf encoding: enums are signed",
    ),
    _undecodable(
        112,
        "A hundred payloads that do not decode, one after the other, cost no other.",
        "A queue is full of them, the reader does not read on, and the server's own queue fills up.",
        *MANY,
        source="observed: the Go tool stops reading after 64",
    ),
    _valid(
        113,
        "Fields of the Dnstap that the reader does not know are taken.",
        "A field that a newer server sends makes the collector lose all that it sends.",
        UNKNOWN,
    ),
    _valid(
        114,
        "Fields of the Message that the reader does not know are taken.",
        "As http_protocol was added, so will others: a newer server's messages are lost.",
        UNKNOWN_INSIDE,
    ),
    _valid(
        115,
        "Fields of a Policy that the reader does not know are taken.",
        "Messages with a policy of a newer server are lost.",
        UNKNOWN_IN_POLICY,
    ),
    _undecodable(
        116,
        "A field of another wire type than the schema's costs no other message.",
        "A number is read where bytes are, and the rest of the stream is lost.",
        *OTHER_WIRE_TYPES,
        source="protobuf encoding: it is an unknown field",
    ),
    _valid(
        117,
        "Of a field that is repeated, the last value counts.",
        "Another value is shown than other readers show.",
        REPEATED,
    ),
    _valid(
        118,
        "Messages that are repeated are merged.",
        "Fields of a message that was sent in two parts are lost.",
        MERGED,
    ),
    _valid(
        119,
        "Numbers of socket_family, socket_protocol and http_protocol that the reader does not know are taken.",
        "The first server with a new transport, as DoQ was, loses its messages or ends the collector.",
        *UNKNOWN_NUMBERS,
        source="dnstap.proto: SocketProtocol has got new values",
    ),
    _valid(
        120,
        "Numbers of a policy's action and match that the reader does not know are taken.",
        "Messages with a new kind of policy are lost.",
        POLICY_NUMBERS,
        source="dnstap.proto: enums can get new values",
    ),
    _valid(
        121,
        "Fields may come in any order, also the reverse.",
        "Senders that write fields as they know them are not understood.",
        REVERSED,
    ),
    _valid(
        122,
        "Varints may be longer than necessary, up to ten bytes, and tags up to five.",
        "Senders that leave room for a length and fill it in later are not understood.",
        PADDED,
    ),
    _undecodable(
        123,
        "A varint of eleven bytes costs no other message.",
        "It is read on and on, beyond the end of the payload.",
        ENDLESS_VARINT,
        source="protobuf encoding: at most ten bytes",
    ),
    _undecodable(
        124,
        "A group in an unknown field costs no other message.",
        "An old feature of protobuf, that nothing of dnstap has, ends the collector.",
        GROUP,
        source="protobuf encoding: groups are skipped",
    ),
    _undecodable(
        125,
        "Groups without their end, or their beginning, cost no other message.",
        "The end is looked for in the next payload, or in memory.",
        *OPEN_GROUP,
        source="protobuf encoding: groups end",
    ),
    _undecodable(
        126,
        "The wire types 6 and 7, which do not exist, cost no other message.",
        "A table of wire types is read beyond its end.",
        *RESERVED_WIRE_TYPES,
        source="protobuf encoding: wire types 0 to 5",
    ),
    _valid(
        127,
        "A varint of more than 32 bits is taken for a port: only its lower 32 bits count.",
        "Ports of senders with signed numbers lose their message.",
        WIDE,
        source="protobuf encoding: a uint32 is cut to 32 bits",
    ),
    _undecodable(
        128,
        "Twenty thousand groups, one inside the other, cost no other message.",
        "A decoder that calls itself for each runs out of its stack, and the collector ends.",
        DEEP,
        source="protobuf encoding: a limit of 100 is usual",
    ),
    _undecodable(
        129,
        "Lengths of 2 GiB and more, up to 64 bits, cost no other message.",
        "An addition overflows and memory is read beyond the payload, or as much is reserved.",
        *LONG_LENGTHS,
        source="protobuf encoding: lengths are within the payload",
    ),
    Case(
        id="DNSTAP-READER-130",
        level=Level.MUST,
        rule="A bad payload at the beginning or end of a stream costs no other, nor one alone in its stream.",
        source="rule 1: payloads are opaque",
        failure="A reader that looks at the first payload to learn of the sender loses the stream.",
        steps=(
            *stream(GARBAGE, FIRST, LAST, on=0),
            *stream(payload(3), CUT, on=1),
            *stream(NO_TYPE, on=2),
        ),
        output=(
            Taken((GARBAGE, FIRST, LAST), optional=(GARBAGE,)),
            Taken((payload(3), CUT), optional=(CUT,)),
            Taken((NO_TYPE,), optional=(NO_TYPE,)),
        ),
    ),
)
