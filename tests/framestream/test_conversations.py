"""framestream.conversations: what is made by hand, and what the judge takes and what it objects to.

tests/framestream/test_strategies.py has it for conversations of any kind.
"""

from __future__ import annotations

import re

import pytest

from framestream.control import ControlFrame, ControlType
from framestream.conversations import Conversation, Judge, Turn, wire_of
from framestream.errors import LocalProtocolError
from framestream.protocol import Role, Transport
from tests.framestream.wire import ACCEPT, DNSTAP, FINISH, READY, START, STOP, control, data, singly

GOOD = Conversation.of([b"1", b"22"], offered=[DNSTAP], accepted=[DNSTAP])
A_B = Conversation.of([b"1"], offered=[b"A", b"B"], accepted=[b"C", b"B", b"A"])


def judged(wire: bytes, role: Role, conversation: Conversation = GOOD) -> str:
    """The objection to what an end sends, whole and byte by byte."""
    whole = Judge(conversation, role)
    whole.receive_data(wire)
    whole.receive_eof()
    single = Judge(conversation, role)
    for byte in singly(wire):
        single.receive_data(byte)
    single.receive_eof()
    assert single.objection == whole.objection
    return whole.objection


def test_wire_of() -> None:
    assert wire_of(b"22") == data(b"22")
    assert wire_of(ControlFrame(ControlType.READY, (DNSTAP,))) == READY


def test_a_bidirectional_conversation() -> None:
    assert [(turn.sender, turn.chunks) for turn in GOOD.turns] == [
        (Role.WRITER, (READY,)),
        (Role.READER, (ACCEPT,)),
        (Role.WRITER, (START + data(b"1", b"22") + STOP,)),
        (Role.READER, (FINISH,)),
    ]
    assert (GOOD.content_type, GOOD.payloads, GOOD.hangs_up) == (DNSTAP, (b"1", b"22"), True)
    assert (GOOD.closes(Role.READER), GOOD.closes(Role.WRITER)) == (False, True)


def test_a_unidirectional_conversation() -> None:
    conversation = Conversation.of([b"1"], offered=[DNSTAP], transport=Transport.UNIDIRECTIONAL)
    assert [(turn.sender, turn.chunks) for turn in conversation.turns] == [
        (Role.WRITER, (START + data(b"1") + STOP,)),
    ]
    assert conversation.closes(Role.READER)
    assert conversation.part(Role.READER) == []


@pytest.mark.parametrize(
    ("offered", "accepted", "accept", "start"),
    [
        ([], [], control(1), control(2)),
        ([b"A", b"B"], [], control(1, b"A"), control(2, b"A")),
        ([], [b"A", b"B"], control(1, b"A"), control(2)),
        ([b"A", b"B"], [b"C", b"B", b"A"], control(1, b"B"), control(2, b"B")),
        ([b"A", b"B"], [b"B"], control(1, b"B"), control(2, b"B")),
    ],
)
def test_content_types(offered: list[bytes], accepted: list[bytes], accept: bytes, start: bytes) -> None:
    turns = Conversation.of(offered=offered, accepted=accepted).turns
    assert [turn.chunks[0] for turn in turns] == [control(4, *offered), accept, start + STOP, FINISH]


def test_content_types_without_answers() -> None:
    """The order of the writer decides, which does not know that of the reader."""
    conversation = Conversation.of(
        offered=[b"A", b"B", b"C"], accepted=[b"C", b"B"], transport=Transport.UNIDIRECTIONAL
    )
    assert conversation.content_type == b"B"


def test_nothing_in_common() -> None:
    with pytest.raises(LocalProtocolError, match="is among"):
        Conversation.of(offered=[b"A"], accepted=[b"B"])


@pytest.mark.parametrize("sender", Role)
def test_who_refuses(sender: Role) -> None:
    assert GOOD.refused_by is None
    faulty = Conversation(turns=(Turn.of(sender),), fault="silence")
    assert faulty.refused_by is not sender
    assert faulty.closes(Role.READER)


@pytest.mark.parametrize(
    ("wire", "role", "conversation"),
    [
        pytest.param(ACCEPT + FINISH, Role.READER, GOOD, id="reader"),
        pytest.param(control(1) + FINISH, Role.READER, GOOD, id="ACCEPT of any"),
        pytest.param(control(1, b"B") + FINISH, Role.READER, A_B, id="ACCEPT of one"),
        pytest.param(control(1, b"A", b"B") + FINISH, Role.READER, A_B, id="ACCEPT in another order"),
        pytest.param(ACCEPT + FINISH, Role.READER, Conversation.of(), id="ACCEPT of what it likes"),
        pytest.param(READY + START + data(b"1", b"22") + STOP, Role.WRITER, GOOD, id="writer"),
        pytest.param(READY + control(2) + data(b"1", b"22") + STOP, Role.WRITER, GOOD, id="unnamed"),
        pytest.param(
            READY + START + control(9) + data(b"1") + control(9) + data(b"22") + control(9) + STOP,
            Role.WRITER,
            GOOD,
            id="unknown control frames",
        ),
        pytest.param(
            control(4, b"A", b"B") + control(2, b"B") + data(b"1") + STOP, Role.WRITER, A_B, id="START of its choice"
        ),
    ],
)
def test_no_objection(wire: bytes, role: Role, conversation: Conversation) -> None:
    assert judged(wire, role, conversation) == ""


@pytest.mark.parametrize(
    ("wire", "role", "objection"),
    [
        (b"", Role.READER, "expected ACCEPT b'protobuf:dnstap.Dnstap' as frame 1 of the reader, got the end"),
        (ACCEPT, Role.READER, "expected FINISH as frame 2 of the reader, got the end"),
        (
            ACCEPT + FINISH[:5],
            Role.READER,
            "expected FINISH as frame 2 of the reader, got the end, 5 bytes into a frame",
        ),
        (ACCEPT + FINISH + b"\0", Role.READER, "expected nothing as frame 3 of the reader, got the end, 1 bytes"),
        (ACCEPT + FINISH + FINISH, Role.READER, "expected nothing as frame 3 of the reader, got FINISH"),
        (ACCEPT + STOP + FINISH, Role.READER, "expected FINISH as frame 2 of the reader, got STOP"),
        (ACCEPT + control(9) + FINISH, Role.READER, "got control frame 9"),
        (control(1, b"A") + FINISH, Role.READER, "got ACCEPT b'A'"),
        (control(1, DNSTAP, b"A") + FINISH, Role.READER, "got ACCEPT b'protobuf:dnstap.Dnstap' b'A'"),
        (data(b"1"), Role.READER, "expected ACCEPT .*, got a data frame of 1 bytes, b'1'"),
        (
            b"\0\0\0\0\0\0\0\0",
            Role.READER,
            "got bytes that are not a frame: expected a control frame of at least 4 bytes",
        ),
        (control(4), Role.WRITER, "expected READY b'protobuf:dnstap.Dnstap' as frame 1 of the writer, got READY"),
        (READY + control(9) + START, Role.WRITER, "expected START .* as frame 2 of the writer, got control frame 9"),
        (READY + control(2, b"A"), Role.WRITER, "got START b'A'"),
        (READY + START + data(b"1", b"x" * 17, b"22"), Role.WRITER, "got a data frame of 17 bytes, b'x{16}'\\.\\.\\."),
        (READY + START + data(b"1") + STOP, Role.WRITER, "expected a data frame of 2 bytes, b'22' as frame 4 .*STOP"),
    ],
)
def test_objections(wire: bytes, role: Role, objection: str) -> None:
    assert re.search(objection, judged(wire, role))
