"""Cases for readers, 201 to 299: lengths of data frames, what is in them, and how they are cut on their way."""

from __future__ import annotations

from framestream.conformance.cases import Case, Level, Taken
from framestream.conformance.steps import (
    FINISH,
    STOP,
    TYPE,
    Batch,
    Expect,
    ExpectRefusal,
    Part,
    Silence,
    Step,
    control,
    data,
    expect,
    handshake,
    payload,
    send,
    start,
    stream,
    word,
)
from framestream.conversations import wire_of

__all__ = ["CASES"]

ONE, TWO, THREE = payload(1), payload(2), payload(3)

ONE_BYTE = b"\0"

SHORTEST = b"\x72\x02\x08\x05\x78\x01"
"""The shortest dnstap message."""

STOP_INSIDE = payload(1, content=wire_of(STOP))

ZEROS = payload(1, content=bytes(400))

GROWING = tuple(payload(number, 85 + 11 * number) for number in range(1, 300))
"""Payloads of many lengths, so that they begin at any place of a buffer; each is long enough for a question."""

CUT_S = 0.05
"""Seconds between two pieces, so that they are two segments."""

FINISH_OR_END = Expect((FINISH,), closes=True, level=Level.SHOULD)
"""Step after what a reader may refuse. That it is silent is for other cases."""

WITHOUT_TWO = (Taken((ONE,)), Taken((THREE,), at_least=0))


def _sized(size: int) -> tuple[bytes, ...]:
    """Return a payload of a size, and a short one."""
    return (payload(1, size), TWO)


def _optional(size: int) -> tuple[Taken, ...]:
    """Return the output of `_sized` if the long payload should be taken, and the stream may end at it."""
    return (Taken(_sized(size), level=Level.SHOULD),)


def _cut(*pieces: Part) -> tuple[Step, ...]:
    """Return the steps of a stream whose parts after ACCEPT arrive in such pieces."""
    steps = [*handshake()]
    for piece in pieces:
        steps += [send(piece), Silence(CUT_S)]
    return (*steps, expect(FINISH))


def _length(length: int) -> tuple[Step, ...]:
    """Return the steps of a stream with a length word, and a frame of another length after it."""
    return (*handshake(), send(start(TYPE), data(ONE), word(length), data(TWO), STOP), ExpectRefusal())


CASES = (
    Case(
        id="FS-READER-201",
        level=Level.MUST,
        rule="A data frame of one byte does no harm to those after it.",
        source="rule 1",
        failure="A short frame, which is as good as any, ends the stream or the reader.",
        steps=stream(ONE_BYTE, TWO),
        output=(Taken((ONE_BYTE,), at_least=0), Taken((TWO,))),
    ),
    Case(
        id="FS-READER-202",
        level=Level.MUST,
        rule="A data frame of six bytes, shorter than any control frame, is taken.",
        source="rule 1",
        failure="The reader waits for the 8 or 12 bytes that every control frame has.",
        steps=stream(SHORTEST, TWO),
        output=(Taken((SHORTEST, TWO)),),
    ),
    Case(
        id="FS-READER-203",
        level=Level.MUST,
        rule="A data frame of 65,535 bytes is taken, with all its bytes.",
        source="rules 1 and 14",
        failure="Large messages are cut or lost, as those of zone transfers.",
        steps=stream(*_sized(65535)),
        output=(Taken(_sized(65535)),),
    ),
    Case(
        id="FS-READER-204",
        level=Level.MUST,
        rule="A data frame of 65,536 bytes is taken; the lower half of its length word is zero.",
        source="rules 1 and 14",
        failure="The length is kept in 16 bits, and the frame is taken for a control frame.",
        steps=stream(*_sized(65536)),
        output=(Taken(_sized(65536)),),
    ),
    Case(
        id="FS-READER-205",
        level=Level.MUST,
        rule="A data frame of 65,700 bytes, for the largest DNS message, is taken.",
        source="rule 14; observed: dmachard/go-framestream ends the stream after 65,536 bytes",
        failure="Large messages over TCP are lost, or end the stream.",
        steps=stream(*_sized(65700)),
        output=(Taken(_sized(65700)),),
    ),
    Case(
        id="FS-READER-206",
        level=Level.MUST,
        rule="A data frame of 98,304 bytes, the lowest limit of the common readers, is taken.",
        source="rule 14; observed: limit of the Go tool",
        failure="Payloads that all common readers take are lost, or end the stream.",
        steps=stream(*_sized(98304)),
        output=(Taken(_sized(98304)),),
    ),
    Case(
        id="FS-READER-207",
        level=Level.SHOULD,
        rule="A data frame of 98,305 bytes is taken.",
        source="rule 14; observed: limit of the Go tool",
        failure="Payloads that other readers take are lost, or end the stream.",
        steps=stream(*_sized(98305)),
        output=_optional(98305),
    ),
    Case(
        id="FS-READER-208",
        level=Level.SHOULD,
        rule="A data frame of 131,300 bytes, for the largest query with the largest response, is taken.",
        source="rule 14",
        failure="The largest dnstap messages are lost, or end the stream.",
        steps=stream(*_sized(131300)),
        output=_optional(131300),
    ),
    Case(
        id="FS-READER-209",
        level=Level.SHOULD,
        rule="A data frame of 262,140 bytes, which is 256 KiB with its length word, is taken.",
        source="rule 14; observed: limit of fstrm_capture",
        failure="Payloads that other readers take are lost, or end the stream.",
        steps=stream(*_sized(262140)),
        output=_optional(262140),
    ),
    Case(
        id="FS-READER-210",
        level=Level.SHOULD,
        rule="A data frame of 262,145 bytes is taken.",
        source="rule 14; observed: limit of fstrm_capture",
        failure="Payloads that other readers take are lost, or end the stream.",
        steps=stream(*_sized(262145)),
        output=_optional(262145),
    ),
    Case(
        id="FS-READER-211",
        level=Level.SHOULD,
        rule="A data frame of 1 MiB, the default limit of the libraries, is taken.",
        source="rule 14; observed: limit of libfstrm and golang-framestream",
        failure="Payloads that other readers take are lost, or end the stream.",
        steps=stream(*_sized(1 << 20)),
        output=_optional(1 << 20),
    ),
    Case(
        id="FS-READER-212",
        level=Level.MUST,
        rule="A data frame over any limit is taken, skipped or refused; the sender is not left waiting.",
        source="rule 14; observed: the Go tool stops reading and leaves the connection open",
        failure="One long payload makes the sender stand still until it is restarted.",
        steps=(
            *handshake(),
            send(start(TYPE), data(ONE, payload(2, (1 << 20) + 1), THREE), STOP),
            expect(FINISH, closes=True),
        ),
        output=(Taken((ONE,)), Taken((payload(2, (1 << 20) + 1),), at_least=0), Taken((THREE,), at_least=0)),
    ),
    Case(
        id="FS-READER-213",
        level=Level.MUST,
        rule="A data frame length of 7fffffff is refused, and what follows is not taken.",
        source="rule 14",
        failure="Memory is reserved for 2 GiB, or what follows is taken for frames.",
        steps=_length(0x7FFFFFFF),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-READER-214",
        level=Level.MUST,
        rule="A data frame length of 80000000 is refused, and what follows is not taken.",
        source="rule 14",
        failure="The length is taken for a negative number, and what follows for frames.",
        steps=_length(0x80000000),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-READER-215",
        level=Level.MUST,
        rule="A data frame length of ffffffff is refused, and nothing of it is written.",
        source="rule 14; observed: fstrm_capture writes stray bytes",
        failure="The length wraps, stray bytes are written, and the rest of the output file cannot be read.",
        steps=_length(0xFFFFFFFF),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-READER-216",
        level=Level.MUST,
        rule="A data frame length of fffffffc, which is 0 with its length word, is refused.",
        source="rule 14",
        failure="The length wraps, and the reader takes the same frame again for ever, or ends.",
        steps=_length(0xFFFFFFFC),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-READER-217",
        level=Level.MUST,
        rule="A length word of zero is no empty payload: the frame after it is a control frame.",
        source="rule 1; observed: libfstrm and golang-framestream send one for an empty payload",
        failure="Bytes of a control frame are recorded as payload.",
        steps=(
            *handshake(),
            send(start(TYPE), data(ONE, b"", TWO, THREE), STOP),
            FINISH_OR_END,
        ),
        output=WITHOUT_TWO,
    ),
    Case(
        id="FS-READER-218",
        level=Level.MUST,
        rule="Data frames inside a control frame of unknown type are not taken.",
        source="rules 2 and 10",
        failure="Content of an extension is recorded as payload.",
        steps=(
            *handshake(),
            send(start(TYPE), data(ONE), control(6, data(TWO)), data(THREE), STOP),
            FINISH_OR_END,
        ),
        output=WITHOUT_TWO,
    ),
    Case(
        id="FS-READER-219",
        level=Level.MUST,
        rule="A payload with the bytes of STOP in it is a payload.",
        source="rule 1",
        failure="The stream ends at bytes that look like STOP, and the rest is lost.",
        steps=stream(STOP_INSIDE, TWO),
        output=(Taken((STOP_INSIDE, TWO)),),
    ),
    Case(
        id="FS-READER-220",
        level=Level.MUST,
        rule="Zeros at the beginning of a segment are no escape if they are in a payload.",
        source="rules 1 and 15",
        failure="Payloads that arrive in pieces end the stream, on busy days.",
        steps=(
            *handshake(),
            send(start(TYPE), data(ZEROS)[:100]),
            Silence(CUT_S),
            send(data(ZEROS)[100:200]),
            Silence(CUT_S),
            send(data(ZEROS)[200:], data(TWO), STOP),
            expect(FINISH),
        ),
        output=(Taken((ZEROS, TWO)),),
    ),
    Case(
        id="FS-READER-221",
        level=Level.MUST,
        rule="A thousand data frames may arrive in one segment, with START and STOP.",
        source="rule 15",
        failure="Only the first frames of a segment are taken, and the more is lost the busier the sender is.",
        steps=stream(Batch(1, 1000)),
        output=(Taken(Batch(1, 1000)),),
    ),
    Case(
        id="FS-READER-222",
        level=Level.MUST,
        rule="Each frame may arrive in a segment of its own.",
        source="rule 15",
        failure="The reader needs frames that follow each other without a gap.",
        steps=_cut(start(TYPE), data(ONE), data(TWO), data(THREE), STOP),
        output=(Taken((ONE, TWO, THREE)),),
    ),
    Case(
        id="FS-READER-223",
        level=Level.MUST,
        rule="The length word of a data frame may be cut, at each of its bytes.",
        source="rule 15",
        failure="A length that arrives in pieces is misread, and the stream is lost.",
        steps=_cut(
            start(TYPE),
            data(ONE)[:1],
            data(ONE)[1:] + data(TWO)[:2],
            data(TWO)[2:] + data(THREE)[:3],
            data(THREE)[3:] + wire_of(STOP),
        ),
        output=(Taken((ONE, TWO, THREE)),),
    ),
    Case(
        id="FS-READER-224",
        level=Level.MUST,
        rule="A length word may arrive alone, and the last byte of its payload, too.",
        source="rule 15",
        failure="A payload that arrives in pieces is cut, and the stream is lost.",
        steps=_cut(start(TYPE), data(ONE)[:4], data(ONE)[4:-1], data(ONE)[-1:], data(TWO) + wire_of(STOP)),
        output=(Taken((ONE, TWO)),),
    ),
    Case(
        id="FS-READER-225",
        level=Level.MUST,
        rule="STOP may be cut in its escape, its length and its type.",
        source="rule 15",
        failure="The end of the stream is missed, and the sender waits for FINISH for ever.",
        steps=_cut(
            start(TYPE),
            data(ONE, TWO) + wire_of(STOP)[:2],
            wire_of(STOP)[2:6],
            wire_of(STOP)[6:10],
            wire_of(STOP)[10:],
        ),
        output=(Taken((ONE, TWO)),),
    ),
    Case(
        id="FS-READER-226",
        level=Level.MUST,
        rule="START may be cut in its words and its content type, with pauses.",
        source="rule 15",
        failure="Streams begin only on idle days.",
        steps=(
            *handshake(),
            send(start(TYPE), chunk=5, pause_s=0.03),
            send(data(ONE, TWO), STOP),
            expect(FINISH),
        ),
        output=(Taken((ONE, TWO)),),
    ),
    Case(
        id="FS-READER-227",
        level=Level.MUST,
        rule="Frames may lie across pieces of 4,096 bytes, at any place.",
        source="rule 15",
        failure="Frames at the end of the reader's buffer are lost or damaged.",
        steps=stream(*GROWING, chunk=4096),
        output=(Taken(GROWING),),
    ),
    Case(
        id="FS-READER-228",
        level=Level.MUST,
        rule="Long payloads may follow each other in small pieces.",
        source="rules 14 and 15",
        failure="What is left of one long payload is taken for the beginning of the next.",
        steps=stream(Batch(1, 4, 60_000), chunk=1000),
        output=(Taken(Batch(1, 4, 60_000)),),
    ),
    Case(
        id="FS-READER-229",
        level=Level.MUST,
        rule="A short payload after a long one has nothing of it.",
        source="rule 1",
        failure="A buffer that is used again leaks one sender's payload into another's.",
        steps=stream(payload(1, 60_000), TWO, payload(3, 50_000), payload(4)),
        output=(Taken((payload(1, 60_000), TWO, payload(3, 50_000), payload(4))),),
    ),
)
