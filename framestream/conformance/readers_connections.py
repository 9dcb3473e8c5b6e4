"""Cases for readers, 401 to 499: several connections, at the same time and one after the other."""

from __future__ import annotations

from framestream.conformance.cases import Case, Level, Taken
from framestream.conformance.steps import (
    FINISH,
    STOP,
    TYPE,
    Batch,
    Close,
    Connect,
    ExpectClose,
    ExpectRefusal,
    HalfClose,
    Reset,
    Settle,
    Silence,
    Step,
    Stop,
    control,
    data,
    expect,
    handshake,
    payload,
    ready,
    send,
    start,
    stream,
    word,
)

__all__ = ["CASES"]

ONE, TWO, THREE, FOUR = (payload(number) for number in range(1, 5))

BOTH = (Taken((ONE, TWO)),)

ANY = (Taken((ONE,), at_least=0), Taken((TWO,), at_least=0))
"""Output where losses are for other cases."""

LONG, OTHER = payload(5, 60_000), payload(6, 60_000)

CUT_S = 0.05
"""Seconds between two pieces, so that they are two segments."""


def _begun(on: int, *payloads: bytes) -> tuple[Step, ...]:
    """Return the steps of a stream with payloads and no end."""
    return (*handshake(on=on), send(start(TYPE), data(*payloads), on=on))


def _ended(on: int, *payloads: bytes) -> tuple[Step, ...]:
    """Return the steps of the rest of a stream."""
    return (send(data(*payloads), STOP, on=on), expect(FINISH, on=on))


def _beside(*broken: Step) -> tuple[Step, ...]:
    """Return the steps of a stream that is open while another, on connection 0, breaks."""
    return (*_begun(1, ONE), *broken, *_ended(1, TWO))


CASES = (
    Case(
        id="FS-READER-401",
        level=Level.MUST,
        rule="Two streams may take turns, frame by frame.",
        source="rule 15",
        failure="Payloads of one sender are lost while another sends.",
        steps=(
            *_begun(1, ONE),
            *_begun(2, THREE),
            send(data(TWO), on=1),
            *_ended(2, FOUR),
            *_ended(1),
        ),
        output=(Taken((ONE, TWO)), Taken((THREE, FOUR))),
    ),
    Case(
        id="FS-READER-402",
        level=Level.MUST,
        rule="Long payloads of two connections may arrive in turns, piece by piece.",
        source="rule 15",
        failure="Bytes of two senders are mixed in one buffer.",
        steps=(
            *_begun(1),
            *_begun(2),
            *(
                step
                for offset in range(0, 60_004, 20_000)
                for step in (
                    send(data(LONG)[offset : offset + 20_000], on=1),
                    send(data(OTHER)[offset : offset + 20_000], on=2),
                    Silence(0.02),
                )
            ),
            *_ended(1),
            *_ended(2),
        ),
        output=(Taken((LONG,)), Taken((OTHER,))),
    ),
    Case(
        id="FS-READER-403",
        level=Level.MUST,
        rule="Streams may end in another order than they began.",
        source="rule 8",
        failure="FINISH goes to another sender, or waits for the end of older streams.",
        steps=(*_begun(1, ONE), *_begun(2, TWO), *_begun(3, THREE), *_ended(3), *_ended(1), *_ended(2)),
        output=(Taken((ONE,)), Taken((TWO,)), Taken((THREE,))),
    ),
    Case(
        id="FS-READER-404",
        level=Level.MUST,
        rule="A hundred senders may be connected at the same time.",
        source="rule 9",
        failure="A collector of many servers loses some of them.",
        steps=(
            Connect(tuple(range(100))),
            *(step for on in range(100) for step in _begun(on, payload(on))),
            *(step for on in range(100) for step in _ended(on)),
        ),
        output=tuple(Taken((payload(on),)) for on in range(100)),
    ),
    Case(
        id="FS-READER-405",
        level=Level.MUST,
        rule="A hundred short streams may follow each other, each on a connection of its own.",
        source="rule 8",
        failure="Each connection leaves something open, until there is no more.",
        steps=tuple(
            step
            for on in range(100)
            for step in (*handshake(on=on), send(start(TYPE), on=on), *_ended(on, payload(on)), Close(on))
        ),
        output=(Taken(Batch(0, 99)),),
    ),
    Case(
        id="FS-READER-406",
        level=Level.MUST,
        rule="Fifty refused connections in a row do no harm.",
        source="rule 11",
        failure="Each refusal leaves something open: a sender with a wrong setting brings the collector down.",
        steps=tuple(step for on in range(50) for step in (send(ready(b"other"), on=on), Close(on))),
    ),
    Case(
        id="FS-READER-407",
        level=Level.MUST,
        rule="A hundred connections that end before their first byte do no harm.",
        source="rule 8; observed: health checks and port scans",
        failure="A health check brings the collector down, or an error of accept ends its loop.",
        steps=tuple(step for on in range(100) for step in (Connect((on,)), Close(on))),
    ),
    Case(
        id="FS-READER-408",
        level=Level.MUST,
        rule="A hundred senders that vanish in a payload do no harm.",
        source="rule 7",
        failure="Streams that were cut off pile up, until there is no more memory or descriptor.",
        steps=tuple(
            step
            for on in range(100)
            for step in (*handshake(on=on), send(start(TYPE), data(payload(on))[:-1], on=on), Reset(on))
        ),
    ),
    Case(
        id="FS-READER-409",
        level=Level.MUST,
        rule="A sender that stops in a payload delays no other.",
        source="observed: readers that serve one sender at a time",
        failure="One sender that is stuck stops the recording of all.",
        steps=(*_begun(1), send(data(ONE)[:-1], on=1), *stream(TWO, THREE), Close(1)),
        output=(Taken((TWO, THREE)),),
    ),
    Case(
        id="FS-READER-410",
        level=Level.MUST,
        rule="A sender that stops in STOP delays no other.",
        source="observed: readers that serve one sender at a time",
        failure="One sender that is stuck stops the recording of all.",
        steps=(*_begun(1, ONE), send(control(3)[:6], on=1), *stream(TWO, THREE), Close(1), Settle(ONE)),
        output=(Taken((ONE,)), Taken((TWO, THREE))),
    ),
    Case(
        id="FS-READER-411",
        level=Level.MUST,
        rule="A sender that does not close after FINISH delays no other.",
        source="observed: readers that serve one sender at a time",
        failure="One sender that is slow to close stops the recording of all.",
        steps=(*stream(ONE, on=1), *stream(TWO, THREE, on=2)),
        output=(Taken((ONE,)), Taken((TWO, THREE))),
    ),
    Case(
        id="FS-READER-412",
        level=Level.MUST,
        rule="Ten connections that say nothing delay no other.",
        source="observed: readers that serve one sender at a time",
        failure="A few idle connections take all workers of the collector.",
        steps=(Connect(tuple(range(1, 11))), *stream(ONE, TWO)),
        output=BOTH,
    ),
    Case(
        id="FS-READER-413",
        level=Level.MUST,
        rule="A sender that floods does not starve another.",
        source="rule 15",
        failure="The busiest server is recorded, and others time out.",
        steps=(
            *handshake(on=1),
            send(start(TYPE), Batch(10, 49, 65_000), on=1),
            *stream(ONE, TWO),
            *_ended(1),
        ),
        output=(*BOTH, Taken(Batch(10, 49, 65_000))),
    ),
    Case(
        id="FS-READER-414",
        level=Level.MUST,
        rule="A connection that is refused costs no other stream.",
        source="rule 11",
        failure="A sender with a wrong setting ends the streams of all.",
        steps=_beside(send(ready(b"other")), Close()),
        output=BOTH,
    ),
    Case(
        id="FS-READER-415",
        level=Level.MUST,
        rule="A control frame that is broken costs no other stream.",
        source="rule 3",
        failure="One broken sender ends the streams of all.",
        steps=_beside(*handshake(), send(start(TYPE), word(0), word(3), bytes(3)), ExpectRefusal()),
        output=BOTH,
    ),
    Case(
        id="FS-READER-416",
        level=Level.MUST,
        rule="A data frame length of 7fffffff costs no other stream.",
        source="rule 14",
        failure="One broken sender ends the streams of all.",
        steps=_beside(*handshake(), send(start(TYPE), word(0x7FFFFFFF)), ExpectRefusal()),
        output=BOTH,
    ),
    Case(
        id="FS-READER-417",
        level=Level.MUST,
        rule="A connection that is reset costs no other stream.",
        source="rule 7",
        failure="One sender that is killed ends the streams of all.",
        steps=_beside(*handshake(), send(start(TYPE), data(THREE)[:-1]), Reset()),
        output=BOTH,
    ),
    Case(
        id="FS-READER-418",
        level=Level.MUST,
        rule="A sender that was cut off in a payload may connect again at once, and begins anew.",
        source="rule 7",
        failure="The half payload is put before the first bytes of the new stream.",
        steps=(*_begun(1, ONE), send(data(THREE)[:-1], on=1), Close(1), *stream(TWO, on=2), Settle(ONE)),
        output=(Taken((ONE,)), Taken((TWO,))),
    ),
    Case(
        id="FS-READER-419",
        level=Level.MUST,
        rule="A sender may connect again before its old connection has ended.",
        source="rule 13; observed: senders that give up waiting for FINISH",
        failure="A sender that was restarted is locked out by what is left of it.",
        steps=(*_begun(1, ONE), *stream(TWO, on=2), *_ended(1, THREE)),
        output=(Taken((ONE, THREE)), Taken((TWO,))),
    ),
    Case(
        id="FS-READER-420",
        level=Level.MUST,
        rule="Payloads of two senders that are the same are both taken.",
        source="rule 1",
        failure="What two servers of one name have seen is counted once.",
        steps=(*stream(ONE, TWO, on=1), *stream(ONE, on=2)),
        output=(Taken((ONE, ONE)), Taken((TWO,))),
    ),
    Case(
        id="FS-READER-421",
        level=Level.MUST,
        rule="Streams of both kinds may be open at the same time.",
        source="rules 7 and 8",
        failure="The first sender decides the kind for all.",
        steps=(
            *_begun(1, ONE),
            send(start(TYPE), data(THREE), on=2),
            Silence(CUT_S),
            send(data(FOUR), STOP, on=2),
            HalfClose(2),
            ExpectClose(on=2),
            *_ended(1, TWO),
        ),
        output=(*BOTH, Taken((THREE, FOUR))),
        needs=("unidirectional",),
    ),
    Case(
        id="FS-READER-422",
        level=Level.MUST,
        rule="A reader that is ended while twenty streams are open ends in time.",
        source="rule 13",
        failure="The collector cannot be restarted while servers are connected.",
        steps=(
            *(step for on in range(20) for step in _begun(on, payload(on))),
            Stop(),
        ),
        output=tuple(Taken((payload(on),), at_least=0) for on in range(20)),
        needs=("stop",),
        alive=False,
    ),
    Case(
        id="FS-READER-423",
        level=Level.MUST,
        rule="A reader that is ended while a sender floods ends in time, and damages no payload.",
        source="rule 13",
        failure="A busy collector cannot be restarted, or leaves a damaged file.",
        steps=(
            *stream(ONE, TWO, on=1),
            *handshake(),
            send(start(TYPE), Batch(10, 25, 10_000)),
            Stop(),
        ),
        output=(*ANY, Taken(Batch(10, 25, 10_000), at_least=0)),
        needs=("stop",),
        alive=False,
    ),
    Case(
        id="FS-READER-424",
        level=Level.MUST,
        rule="A sender that stays connected after FINISH does not keep a reader from ending.",
        source="rule 13",
        failure="The collector cannot be restarted while an old connection is open.",
        steps=(*stream(ONE, TWO), Connect((1,)), Settle(TWO), Stop()),
        output=ANY,
        needs=("stop",),
        alive=False,
    ),
    Case(
        id="FS-READER-425",
        level=Level.SHOULD,
        rule="A reader that ends closes its connections, so that senders notice.",
        source="rule 13",
        failure="Senders go on into a connection that nobody reads, and what they send is lost.",
        steps=(*_begun(1, ONE), *stream(TWO), Settle(TWO), Stop(), ExpectClose(on=1)),
        output=ANY,
        needs=("stop",),
        alive=False,
    ),
)
