"""Cases for readers, 301 to 399: what is around a stream, silence, ends without STOP, order, numbers and restarts."""

from __future__ import annotations

from framestream.conformance.cases import Case, Level, Taken
from framestream.conformance.steps import (
    FINISH,
    STOP,
    TYPE,
    Batch,
    Close,
    ExpectClose,
    ExpectRefusal,
    HalfClose,
    Part,
    Reset,
    Settle,
    Silence,
    Step,
    Stop,
    accept,
    control,
    data,
    expect,
    field,
    handshake,
    payload,
    ready,
    send,
    start,
    stream,
)

__all__ = ["CASES"]

ONE, TWO, THREE = payload(1), payload(2), payload(3)

BOTH = (Taken((ONE, TWO)),)

ONLY_ONE = (Taken((ONE,)),)

ANY = (Taken((ONE, TWO), at_least=0),)
"""Output where losses are for other cases, or may be, as after a reset."""

SILENCE_S = 0.5
"""Seconds of silence: longer than any pause of a network, shorter than any timeout that makes sense."""

FLOOD = Batch(1, 320, 65_000)
"""20 MB."""

MIXED = tuple(payload(number, 0 if number % 3 else 5000 + number) for number in range(1, 400))
"""Long and short payloads."""


def _open(*parts: Part) -> tuple[Step, ...]:
    """Return the steps of a stream with START and parts, and no end."""
    return (*handshake(), send(start(TYPE), *parts))


def _silent(before: bytes, after: bytes) -> tuple[Step, ...]:
    """Return the steps of a stream of two payloads with silence between two pieces."""
    return (*_open(before), Silence(SILENCE_S), send(after, STOP), expect(FINISH))


def _one_way(*parts: Part, chunk: int = 0) -> tuple[Step, ...]:
    """Return the steps of a unidirectional stream with parts after START."""
    return (send(start(TYPE), *parts, chunk=chunk), HalfClose(), ExpectClose())


CASES = (
    Case(
        id="FS-READER-301",
        level=Level.MUST,
        rule="A byte too many before READY is refused.",
        source="rule 8",
        failure="The reader looks for a stream in anything, or waits for ever.",
        steps=(send(b"\n", ready(TYPE)), ExpectRefusal()),
    ),
    Case(
        id="FS-READER-302",
        level=Level.MUST,
        rule="Text between ACCEPT and START is refused, and what follows is not taken.",
        source="rule 8",
        failure="The reader looks for a stream in anything, or waits for ever.",
        steps=(*handshake(), send(b"hello, world\r\n", start(TYPE), data(ONE), STOP), ExpectRefusal()),
    ),
    Case(
        id="FS-READER-303",
        level=Level.MUST,
        rule="Data frames after STOP are not taken.",
        source="rule 7",
        failure="Payloads are recorded that no good sender sends; or those of another stream.",
        steps=(*_open(data(ONE), STOP, data(TWO)), expect(FINISH, closes=True)),
        output=ONLY_ONE,
    ),
    Case(
        id="FS-READER-304",
        level=Level.MUST,
        rule="Bytes after STOP that are no frames do not undo the stream.",
        source="rule 7",
        failure="A stream that was complete is lost.",
        steps=(*_open(data(ONE, TWO), STOP, b"no more frames"), expect(FINISH, closes=True)),
        output=BOTH,
    ),
    Case(
        id="FS-READER-305",
        level=Level.SHOULD,
        rule="A second START after STOP and FINISH begins no stream.",
        source="rule 7: STOP only last",
        failure="A stream is taken on a connection without a handshake.",
        steps=(*stream(ONE), send(start(TYPE), data(TWO), STOP), HalfClose(), ExpectClose()),
        output=(Taken((ONE, TWO), at_least=1),),
    ),
    Case(
        id="FS-READER-306",
        level=Level.SHOULD,
        rule="A second STOP is not answered by a second FINISH.",
        source="rules 7 and 8",
        failure="The sender takes it for the answer to its next stream.",
        steps=(*stream(ONE, TWO), send(STOP), HalfClose(), ExpectClose()),
        output=BOTH,
    ),
    Case(
        id="FS-READER-307",
        level=Level.MUST,
        rule="A sender may be silent in the middle of a payload.",
        source="rules 13 and 15",
        failure="A slow network ends the stream, or the payload is cut.",
        steps=_silent(data(ONE)[:10], data(ONE)[10:] + data(TWO)),
        output=BOTH,
    ),
    Case(
        id="FS-READER-308",
        level=Level.MUST,
        rule="A sender may be silent in the middle of a length word.",
        source="rules 13 and 15",
        failure="A slow network ends the stream, or the length is misread.",
        steps=_silent(data(ONE) + data(TWO)[:2], data(TWO)[2:]),
        output=BOTH,
    ),
    Case(
        id="FS-READER-309",
        level=Level.MUST,
        rule="A sender may be silent between two data frames.",
        source="rule 13: data may be idle for ever",
        failure="A server without queries loses its collector.",
        steps=_silent(data(ONE), data(TWO)),
        output=BOTH,
    ),
    Case(
        id="FS-READER-310",
        level=Level.MUST,
        rule="A sender may be silent before STOP.",
        source="rule 13: data may be idle for ever",
        failure="A server without queries loses its collector, and its stream has no good end.",
        steps=_silent(data(ONE, TWO), b""),
        output=BOTH,
    ),
    Case(
        id="FS-READER-311",
        level=Level.MUST,
        rule="A sender may be silent between ACCEPT and START.",
        source="rule 13",
        failure="A sender that waits for its first message before START is turned away.",
        steps=(*handshake(), Silence(SILENCE_S), send(start(TYPE), data(ONE, TWO), STOP), expect(FINISH)),
        output=BOTH,
    ),
    Case(
        id="FS-READER-312",
        level=Level.MUST,
        rule="The end of the connection in a payload is no STOP, and the cut payload is not taken.",
        source="rules 1 and 7",
        failure="A damaged payload is recorded, or a stream that was cut off passes for a complete one.",
        steps=(*_open(data(ONE), data(TWO)[:-1]), HalfClose(), ExpectRefusal()),
        output=ONLY_ONE,
    ),
    Case(
        id="FS-READER-313",
        level=Level.MUST,
        rule="The end of the connection in a length word is no STOP.",
        source="rules 1 and 7",
        failure="Bytes that are no payload are recorded, or a stream that was cut off passes for a complete one.",
        steps=(*_open(data(ONE), data(TWO)[:3]), HalfClose(), ExpectRefusal()),
        output=ONLY_ONE,
    ),
    Case(
        id="FS-READER-314",
        level=Level.MUST,
        rule="A sender may close its side right after STOP, and still gets FINISH.",
        source="rule 8",
        failure="The sender takes a complete stream for a lost one, and sends it again.",
        steps=(*_open(data(ONE, TWO), STOP), HalfClose(), expect(FINISH)),
        output=BOTH,
    ),
    Case(
        id="FS-READER-315",
        level=Level.MUST,
        rule="A sender that closes without STOP loses nothing that it has sent.",
        source="rule 7",
        failure="The last payloads before a crash, which matter most, are lost.",
        steps=(*_open(data(ONE, TWO)), Close(), Settle(TWO)),
        output=BOTH,
    ),
    Case(
        id="FS-READER-316",
        level=Level.MUST,
        rule="A sender that closes in a payload loses none before, and the cut payload is not taken.",
        source="rules 1 and 7",
        failure="A damaged payload is recorded, or good ones are lost with it.",
        steps=(*_open(data(ONE), data(TWO)[:-1]), Close(), Settle(ONE)),
        output=ONLY_ONE,
    ),
    Case(
        id="FS-READER-317",
        level=Level.MUST,
        rule="A sender that closes after STOP, without waiting for FINISH, loses nothing.",
        source="rule 13; observed: dnstap senders in servers do not wait",
        failure="Payloads are lost, or the collector ends by SIGPIPE.",
        steps=(*_open(data(ONE, TWO), STOP), Close(), Settle(TWO)),
        output=BOTH,
    ),
    Case(
        id="FS-READER-318",
        level=Level.MUST,
        rule="A sender that closes right after START harms no other.",
        source="rule 7",
        failure="A sender that is restarted early ends the recording of all.",
        steps=(*_open(), Close()),
    ),
    Case(
        id="FS-READER-319",
        level=Level.MUST,
        rule="A reset after START harms no other.",
        source="rule 7",
        failure="One sender that is killed ends the recording of all.",
        steps=(*_open(), Reset()),
    ),
    Case(
        id="FS-READER-320",
        level=Level.MUST,
        rule="A reset in a payload harms no other, and the cut payload is not taken.",
        source="rules 1 and 7",
        failure="One sender that is killed ends the recording of all, or a damaged payload is recorded.",
        steps=(*_open(data(ONE), data(TWO)[:-1]), Reset()),
        output=(Taken((ONE,), at_least=0),),
    ),
    Case(
        id="FS-READER-321",
        level=Level.MUST,
        rule="A reset between data frames harms no other.",
        source="rule 7",
        failure="One sender that is killed ends the recording of all.",
        steps=(*_open(data(ONE, TWO)), Reset()),
        output=ANY,
    ),
    Case(
        id="FS-READER-322",
        level=Level.MUST,
        rule="A reset after STOP, with FINISH on its way, harms no other.",
        source="rule 8",
        failure="The collector ends by SIGPIPE or an error of its own when it sends FINISH.",
        steps=(*_open(data(ONE, TWO), STOP), Reset()),
        output=ANY,
    ),
    Case(
        id="FS-READER-323",
        level=Level.MUST,
        rule="A unidirectional stream without STOP is taken up to its end.",
        source="rule 7: legal for a live stream",
        failure="The last payloads of a sender that was killed are lost.",
        steps=_one_way(data(ONE, TWO)),
        output=BOTH,
        needs=("unidirectional",),
    ),
    Case(
        id="FS-READER-324",
        level=Level.MUST,
        rule="A unidirectional stream that ends in a payload is taken up to that, without the cut payload.",
        source="rules 1 and 7",
        failure="A damaged payload is recorded, or good ones are lost with it.",
        steps=_one_way(data(ONE), data(TWO)[:-1]),
        output=ONLY_ONE,
        needs=("unidirectional",),
    ),
    Case(
        id="FS-READER-325",
        level=Level.MUST,
        rule="A unidirectional stream may arrive byte by byte.",
        source="rule 15",
        failure="The kind of the stream is guessed from the first segment.",
        steps=_one_way(data(ONE, TWO), STOP, chunk=1),
        output=BOTH,
        needs=("unidirectional",),
    ),
    Case(
        id="FS-READER-326",
        level=Level.MUST,
        rule="START of a unidirectional stream need not name a content type.",
        source="rules 5 and 11",
        failure="Senders that name no content type are turned away.",
        steps=(send(start(), data(ONE, TWO), STOP), HalfClose(), ExpectClose()),
        output=BOTH,
        needs=("unidirectional",),
    ),
    Case(
        id="FS-READER-327",
        level=Level.MUST,
        rule="READY in a unidirectional stream is not answered.",
        source="rules 8 and 10",
        failure="Streams that were mixed up pass for good ones.",
        steps=(send(start(TYPE), data(ONE), control(4, field(TYPE))), ExpectRefusal()),
        output=(Taken((ONE,), at_least=0),),
        needs=("unidirectional",),
    ),
    Case(
        id="FS-READER-328",
        level=Level.MUST,
        rule="Long and short payloads keep their order.",
        source="rule 1",
        failure="Short payloads overtake long ones: times and pairs of query and response are wrong.",
        steps=stream(*MIXED),
        output=(Taken(MIXED),),
    ),
    Case(
        id="FS-READER-329",
        level=Level.MUST,
        rule="Payloads that are the same are all taken.",
        source="rule 1",
        failure="Repeated messages, as in an attack, are not seen.",
        steps=stream(ONE, ONE, ONE, TWO, ONE),
        output=(Taken((ONE, ONE, ONE, TWO, ONE)),),
    ),
    Case(
        id="FS-READER-330",
        level=Level.MUST,
        rule="A stream may have a hundred thousand data frames.",
        source="rule 1",
        failure="Payloads are lost at the rates of a busy server, or time grows with the number.",
        steps=stream(Batch(1, 100_000)),
        output=(Taken(Batch(1, 100_000)),),
    ),
    Case(
        id="FS-READER-331",
        level=Level.MUST,
        rule="A sender may send 20 MB as fast as it can; the reader takes them all, or makes it wait.",
        source="rule 16",
        failure="What does not fit into a queue is lost, though the sender could have waited.",
        steps=(*handshake(), send(start(TYPE), FLOOD, STOP, chunk=1 << 20), expect(FINISH)),
        output=(Taken(FLOOD),),
    ),
    Case(
        id="FS-READER-332",
        level=Level.MUST,
        rule="A sender may send its data frames one at a time.",
        source="rules 13 and 15",
        failure="Payloads wait for others, and are lost if none follows.",
        steps=(
            *_open(),
            *(send(data(payload(number)), pause_s=0.03) for number in range(1, 13)),
            send(STOP),
            expect(FINISH),
        ),
        output=(Taken(Batch(1, 12)),),
    ),
    Case(
        id="FS-READER-333",
        level=Level.MAY,
        rule="A whole stream may arrive before the sender has read ACCEPT.",
        source="rule 15",
        failure="Senders that do not wait for ACCEPT, such as recorded ones, are turned away.",
        steps=(send(ready(TYPE), start(TYPE), data(ONE, TWO), STOP), expect(accept(TYPE), accept()), expect(FINISH)),
        output=(Taken((ONE, TWO), level=Level.MAY),),
    ),
    Case(
        id="FS-READER-334",
        level=Level.MUST,
        rule="FINISH is sent only when all payloads are safe: an end right after it loses none.",
        source="rule 8; observed: the Go tool loses what is in its buffer",
        failure="A sender that was told that all is well has lost payloads.",
        steps=(*stream(Batch(1, 1000)), Stop()),
        output=(Taken(Batch(1, 1000)),),
        needs=("stop", "output"),
        alive=False,
    ),
    Case(
        id="FS-READER-335",
        level=Level.MUST,
        rule="A reader that is ended in the middle of a payload writes all before, and nothing of it.",
        source="rule 1",
        failure="Each restart of the collector damages the output file.",
        steps=(*stream(ONE, on=1), *_open(data(TWO), data(THREE)[:-1]), Settle(TWO), Stop()),
        output=(*ONLY_ONE, Taken((TWO,), at_least=0)),
        needs=("stop", "output"),
        alive=False,
    ),
    Case(
        id="FS-READER-336",
        level=Level.MUST,
        rule="A reader that is ended in the middle of a handshake ends in time.",
        source="rule 13",
        failure="A sender that is stuck keeps the collector from being restarted.",
        steps=(
            *stream(ONE, TWO, on=2),
            *handshake(on=1),
            send(control(4, field(TYPE))[:20]),
            Settle(TWO),
            Stop(),
        ),
        output=ANY,
        needs=("stop",),
        alive=False,
    ),
    Case(
        id="FS-READER-337",
        level=Level.MUST,
        rule="A reader that is ended after a flood has written all that it answered with FINISH.",
        source="rule 8",
        failure="What is queued is lost at each restart of a busy collector.",
        steps=(*handshake(), send(start(TYPE), FLOOD, STOP, chunk=1 << 20), expect(FINISH), Stop()),
        output=(Taken(FLOOD),),
        needs=("stop", "output"),
        alive=False,
    ),
)
