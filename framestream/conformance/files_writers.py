"""Cases for programs that write files, from files or connections, 001 to 099: frames, the end, and the place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from framestream.conformance.cases import Case, Level, Taken
from framestream.conformance.files_descriptions import Exit, Place, Recording, Writing
from framestream.conformance.steps import (
    STOP,
    TYPE,
    HalfClose,
    Step,
    control,
    data,
    handshake,
    payload,
    send,
    start,
    stream,
    word,
)
from framestream.control import ControlFrame, ControlType

if TYPE_CHECKING:
    from framestream.conformance.player import Player

__all__ = [
    "ALL",
    "CASES",
    "MANY",
    "OLD",
    "ONE",
    "SENT",
    "SOME",
    "START",
    "THREE",
    "TWO",
    "Await",
    "plain",
    "sound",
    "started",
    "stops",
    "whole",
]

START = start(TYPE)
ONE, TWO, THREE = (payload(number) for number in (1, 2, 3))
SENT = (ONE, TWO, THREE)
OLD = payload(99)
MANY = tuple(payload(number) for number in range(1, 2001))
INSIDE = payload(1) + control(3) + control(2)

ALL = (Taken(SENT),)
SOME = (Taken(SENT, at_least=0),)


def begins(recording: Recording, content_type: bytes) -> bool:
    """Check for START with the content type first."""
    return recording.frames[:1] == (ControlFrame(ControlType.START, (content_type,)),)


def stops(recording: Recording, _: bytes) -> bool:
    """Check for STOP last."""
    return recording.frames[-1:] == (STOP,) and not recording.rest and not recording.fault


def plain(recording: Recording, _: bytes) -> bool:
    """Check for no other control frames than one START and one STOP."""
    controls = [frame.type for frame in recording.frames if isinstance(frame, ControlFrame)]
    return controls in ([], [ControlType.START], [ControlType.START, ControlType.STOP])


def sound(recording: Recording, _: bytes) -> bool:
    """Check for frames, of which only the last may be incomplete."""
    return not recording.fault


def whole(recording: Recording, _: bytes) -> bool:
    """Check for frames, all of them complete."""
    return not recording.fault and not recording.rest


def old_first(recording: Recording, _: bytes) -> bool:
    """Check for no old payloads after new ones."""
    old = [one == OLD for one in recording.payloads]
    return old == sorted(old, reverse=True)


@dataclass(frozen=True, slots=True)
class Await:
    """Wait until the peer answers or closes, so that it has read everything. Any answer will do, and none too."""

    def play(self, player: Player) -> None:
        """Wait."""
        player.line(0).receive()


def started(*parts: bytes) -> tuple[Step, ...]:
    """Return the steps of a stream that goes on, and so of a connection that is open at the end."""
    return (*handshake(), send(START, *parts))


CASES = (
    Case(
        id="FS-FILE-WRITER-001",
        level=Level.MUST,
        rule="All payloads are in the file, once and in order.",
        source="rule 7",
        failure="Nothing works: what is to be kept is lost.",
        file=Writing(),
        output=ALL,
    ),
    Case(
        id="FS-FILE-WRITER-002",
        level=Level.MUST,
        rule="The file begins with START, which names the content type.",
        source="rule 7; rule 5",
        failure="No reader takes the file.",
        file=Writing(checks=(begins,)),
        output=SOME,
    ),
    Case(
        id="FS-FILE-WRITER-003",
        level=Level.MUST,
        rule="The file ends with STOP.",
        source="rule 7: STOP only last",
        failure="Readers report every file as truncated, and cannot tell those that are.",
        file=Writing(checks=(stops,)),
        output=SOME,
    ),
    Case(
        id="FS-FILE-WRITER-004",
        level=Level.MUST,
        rule="The file has no other control frames than START and STOP: no READY, ACCEPT or FINISH.",
        source="rule 7",
        failure="Readers refuse the file, or wait for answers to READY.",
        file=Writing(checks=(plain,)),
        output=SOME,
    ),
    Case(
        id="FS-FILE-WRITER-005",
        level=Level.MUST,
        rule="A stream without payloads makes a file of frames, whether START and STOP or empty.",
        source="rule 7",
        failure="The file of an hour without queries is broken.",
        steps=(*started(), send(STOP), Await()),
        file=Writing(parts=(START, STOP), exit=Exit.SUCCESS, checks=(whole, plain)),
    ),
    Case(
        id="FS-FILE-WRITER-006",
        level=Level.MUST,
        rule="Many payloads are all in the file, in order.",
        source="rule 15",
        failure="What does not fit into one buffer is lost or broken.",
        file=Writing(sends=MANY, checks=(sound,)),
        output=(Taken(MANY),),
    ),
    Case(
        id="FS-FILE-WRITER-007",
        level=Level.MUST,
        rule="A payload of 65,536 bytes is written as it came.",
        source="rule 14; observed: DNS messages of 65,535 bytes, and 16-bit lengths",
        failure="The longest DNS messages are lost, or the file is broken from there on.",
        file=Writing(sends=(payload(1, 65536), TWO), checks=(sound,)),
        output=(Taken((payload(1, 65536), TWO)),),
    ),
    Case(
        id="FS-FILE-WRITER-008",
        level=Level.MUST,
        rule="A payload that looks like STOP and START is written as it came.",
        source="rule 1",
        failure="Payloads that hold a recorded stream break the file.",
        steps=stream(INSIDE, TWO),
        file=Writing(sends=(INSIDE, TWO), checks=(sound,)),
        output=(Taken((INSIDE, TWO)),),
    ),
    Case(
        id="FS-FILE-WRITER-009",
        level=Level.MUST,
        rule="A control frame of unknown type in the input does not break the file.",
        source="rule 10",
        failure="An extension of the protocol makes files unreadable.",
        steps=(*started(data(ONE), control(6, b"extension"), data(TWO)), send(STOP), Await()),
        file=Writing(parts=(START, data(ONE), control(6, b"extension"), data(TWO), STOP), checks=(sound, begins)),
        output=(Taken((ONE, TWO), at_least=1),),
    ),
    Case(
        id="FS-FILE-WRITER-010",
        level=Level.MUST,
        rule="A length of ffffffff in the input puts no stray bytes or payloads into the file.",
        source="rule 14; observed: fstrm_capture writes what follows into its file",
        failure="One broken sender breaks the recording of all others, or payloads that nobody sent are in it.",
        steps=(*started(data(ONE), word(0xFFFFFFFF), bytes(range(1, 101)) * 20), HalfClose(), Await()),
        file=Writing(parts=(START, data(ONE), word(0xFFFFFFFF), bytes(range(1, 101)) * 20), checks=(sound,)),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-FILE-WRITER-011",
        level=Level.MUST,
        rule="An input that ends within a frame leaves no part of that frame in the file.",
        source="rule 7",
        failure="One sender that breaks off breaks the recording of all others.",
        steps=(*started(data(ONE), data(TWO)[:-4]), HalfClose(), Await()),
        file=Writing(parts=(START, data(ONE), data(TWO)[:-4]), checks=(whole,)),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-FILE-WRITER-012",
        level=Level.SHOULD,
        rule="The file ends with STOP even if the input does not.",
        source="rule 7: STOP only last",
        failure="Readers report a file as truncated that has everything.",
        steps=(*started(data(ONE)), HalfClose(), Await()),
        file=Writing(parts=(START, data(ONE)), checks=(stops,)),
        output=(Taken((ONE,)),),
    ),
    Case(
        id="FS-FILE-WRITER-013",
        level=Level.MUST,
        rule="A file that is there already is replaced, or the new payloads are readable in it.",
        source="rule 7",
        failure="After a restart, everything that is recorded is lost.",
        file=Writing(before=(START, data(OLD), STOP), checks=(sound, begins)),
        output=(*ALL, Taken((OLD,), at_least=0)),
    ),
    Case(
        id="FS-FILE-WRITER-014",
        level=Level.MUST,
        rule="A file that is there already and ends within a frame is replaced, mended or refused.",
        source="rule 7",
        failure="The new payloads are taken for the rest of the old frame, and all are lost.",
        file=Writing(before=(START, data(OLD), data(payload(98))[:-6]), checks=(sound, begins)),
        output=(*ALL, Taken((OLD,), at_least=0)),
    ),
    Case(
        id="FS-FILE-WRITER-015",
        level=Level.MUST,
        rule="A longer file that is there already leaves nothing after the new STOP.",
        source="rule 7: STOP only last",
        failure="Payloads of another day are read with those of today, or the file ends in garbage.",
        file=Writing(before=(START, data(*[OLD] * 500), STOP), checks=(whole, old_first)),
        output=(*ALL, Taken((OLD,) * 500, at_least=0)),
    ),
    Case(
        id="FS-FILE-WRITER-016",
        level=Level.MUST,
        rule="An output in a folder that is not there is an exit status other than 0, or a message.",
        source="observed: every writer does so",
        failure="Nothing is recorded, and nobody notices.",
        file=Writing(place=Place.MISSING_FOLDER, exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-WRITER-017",
        level=Level.MUST,
        rule="An output that is a folder is an exit status other than 0, or a message.",
        source="observed: every writer does so",
        failure="Nothing is recorded, and nobody notices.",
        file=Writing(place=Place.FOLDER, exit=Exit.REPORTED),
    ),
    Case(
        id="FS-FILE-WRITER-018",
        level=Level.MUST,
        rule="A full disk is an exit status other than 0, or a message.",
        source="observed: recordings of busy servers",
        failure="Nothing is recorded, and nobody notices.",
        file=Writing(place=Place.FULL, exit=Exit.REPORTED),
        needs=("full disk",),
    ),
)
