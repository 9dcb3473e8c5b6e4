"""framestream.strategies: what each claims of what it gives."""

from __future__ import annotations

import runpy
import struct
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from framestream import strategies
from framestream.control import ControlFrame, ControlType, decode_control, encode_control
from framestream.conversations import Judge
from framestream.errors import ControlFrameError, FrameStreamError, RemoteProtocolError
from framestream.frames import FrameDecoder
from framestream.protocol import ReaderProtocol, Role, State, Transport, WriterProtocol
from framestream.strategies import (
    BrokenControlFrame,
    Stream,
    broken_control_frames,
    chunkings,
    content_types,
    control_frames,
    conversations,
    hostile,
    mutations,
    payload_lists,
    payloads,
    refused_conversations,
    streams,
    unknown_control_frames,
)
from tests.drawing import draw_until_seen

if TYPE_CHECKING:
    from framestream.conversations import Conversation

until_found = settings(max_examples=50_000, phases=[Phase.generate])


@given(name=content_types(), payload=payloads(7), several=payload_lists(7, max_size=3))
def test_lengths(name: bytes, payload: bytes, several: list[bytes]) -> None:
    assert len(name) <= 256
    assert 1 <= len(payload) <= 7
    assert len(several) <= 3
    assert all(1 <= len(payload) <= 7 for payload in several)


@given(frame=control_frames())
def test_control_frames_are_good(frame: ControlFrame) -> None:
    assert decode_control(encode_control(frame)) == frame


@given(frame=unknown_control_frames())
def test_unknown_control_frames_are_unknown(frame: ControlFrame) -> None:
    assert not isinstance(decode_control(encode_control(frame)).type, ControlType)


def test_control_frames_are_of_every_type() -> None:
    draw_until_seen(
        control_frames(),
        [*ControlType, None],
        lambda frame, _: [frame.type if isinstance(frame.type, ControlType) else None],
    )


@given(broken=broken_control_frames())
def test_broken_control_frames_are_refused(broken: BrokenControlFrame) -> None:
    """By the control frame decoder, and on the wire; and not for their length, which is another matter."""
    with pytest.raises(ControlFrameError):
        decode_control(broken.payload)
    decoder = FrameDecoder()
    decoder.receive_data(broken.wire)
    with pytest.raises(ControlFrameError):
        decoder.next_payloads()
    assert len(broken.payload) <= 503


def test_broken_control_frames_are_broken_in_each_way() -> None:
    draw_until_seen(
        broken_control_frames(),
        ["needs 4 bytes", "cut short", "left over", "not a field type", "over the limit", "has at most"],
        lambda broken, missing: [why for why in missing if why in broken.why],
    )


@given(stream=streams(9))
def test_streams_hold_what_they_say(stream: Stream) -> None:
    reader = ReaderProtocol(require_stop=True, max_data_bytes=9)
    reader.receive_data(stream.wire)
    reader.receive_eof()
    got = []
    while run := reader.payloads():
        got += run
    assert (tuple(got), reader.state, reader.unread) == (stream.payloads, State.FINISHED, 0)
    assert (reader.transport, reader.content_type) == (stream.transport, stream.content_type)
    assert reader.unknown_control_frames == stream.unknown_control_frames


@given(data=st.binary(max_size=40), draw=st.data())
def test_chunkings_leave_the_bytes_as_they_are(data: bytes, draw: st.DataObject) -> None:
    assert b"".join(draw.draw(chunkings(data))) == data


@pytest.mark.parametrize("lengths", [[4], [1, 1, 1, 1], [2, 2], [3, 1], [1, 3], [2, 0, 2]])
def test_chunkings_are_of_each_kind(lengths: list[int]) -> None:
    find(chunkings(b"abcd"), lambda chunks: list(map(len, chunks)) == lengths, settings=until_found)


@pytest.mark.parametrize("mutated", [b"", b"abab", b"ab", b"b", b"a"])
def test_mutations_are_of_each_kind(mutated: bytes) -> None:
    find(mutations(b"ab"), lambda found: found == mutated, settings=until_found)


def test_hostile_bytes_are_near_the_limits() -> None:
    draw_until_seen(
        hostile(17), [struct.pack(">I", length) for length in (0, 4, 0xFFFFFFFF, 18)], lambda wire, _: [wire[:4]]
    )


def test_hostile_bytes_may_be_good_or_bad() -> None:
    def outcome(wire: bytes) -> State | type[RemoteProtocolError]:
        reader = ReaderProtocol()
        reader.receive_data(wire)
        try:
            reader.payloads()
        except RemoteProtocolError as error:
            return type(error)
        return reader.state

    assert find(hostile(), lambda wire: outcome(wire) is State.STREAMING, settings=until_found)
    assert find(hostile(), lambda wire: outcome(wire) is ControlFrameError, settings=until_found)


def played(conversation: Conversation, role: Role) -> tuple[bytes, list[bytes], FrameStreamError | None]:
    """Return the bytes that an end sends in a conversation, the payloads it receives, and the error it raises."""
    reader = ReaderProtocol(conversation.accepted)
    writer = WriterProtocol(conversation.offered, transport=conversation.transport)
    sent = b""
    got: list[bytes] = []
    try:
        if role is Role.WRITER:
            writer.start()
        for turn in conversation.turns:
            if turn.sender is role is Role.WRITER and writer.state is State.STREAMING:
                writer.send(conversation.payloads)
                writer.stop()
            for chunk in () if turn.sender is role else turn.chunks:
                if role is Role.WRITER:
                    writer.receive_data(chunk)
                    continue
                reader.receive_data(chunk)
                while run := reader.payloads():
                    got += run
            sent += writer.data_to_send() + reader.data_to_send()
        if role is Role.WRITER and conversation.hangs_up:
            writer.receive_eof()
        elif conversation.hangs_up:
            reader.receive_eof()
            got += reader.payloads()
    except FrameStreamError as error:
        return sent, got, error
    assert State.FINISHED in (reader.state, writer.state)
    return sent, got, None


def judged(conversation: Conversation, role: Role, sent: bytes) -> str:
    judge = Judge(conversation, role)
    judge.receive_data(sent)
    judge.receive_eof()
    return judge.objection


@given(conversation=conversations())
def test_conversations_go_well(conversation: Conversation) -> None:
    """Our ends say just what is in them; and each is what its parts say."""
    assert (conversation.fault, conversation.refused_by, conversation.hangs_up) == ("", None, True)
    roles = [Role.WRITER, Role.READER] if conversation.transport is Transport.BIDIRECTIONAL else [Role.READER]
    for role in roles:
        sent, got, error = played(conversation, role)
        assert error is None
        assert sent == b"".join(b"".join(turn.chunks) for turn in conversation.turns if turn.sender is role)
        assert tuple(got) == (conversation.payloads if role is Role.READER else ())
        assert judged(conversation, role, sent) == ""


@given(conversation=st.sampled_from(Role).flatmap(refused_conversations))
def test_refused_conversations_are_refused(conversation: Conversation) -> None:
    """After the good part, of which nothing is lost, and with nothing more said."""
    role = conversation.refused_by
    assert role is not None
    assert conversation.turns[-1].sender is not role
    sent, got, error = played(conversation, role)
    assert isinstance(error, RemoteProtocolError), conversation.fault
    assert judged(conversation, role, sent) == ""
    assert tuple(got) == (conversation.payloads if role is Role.READER else ())


@pytest.mark.parametrize(
    ("refused_by", "faults"),
    [
        (
            Role.READER,
            {
                *(f"{kind.name} in state STREAMING" for kind in ControlType if kind is not ControlType.STOP),
                "STOP in state ACCEPTED",
                "ACCEPT in state IDLE",
                "a frame cut short in state STREAMING",
                "READY of another content type in state IDLE",
                "START of another content type in state ACCEPTED",
                "HTTP in state IDLE",
                "a data frame of 4 GiB in state STREAMING",
                "a control frame of unknown type in state ACCEPTED",
            },
        ),
        (
            Role.WRITER,
            {
                "ACCEPT of another content type in state OFFERED",
                "FINISH in state OFFERED",
                "a data frame in state STOPPED",
                "a frame cut short in state STOPPED",
                "a control frame of 4 GiB in state OFFERED",
            },
        ),
    ],
)
def test_faults_are_of_each_kind(refused_by: Role, faults: set[str]) -> None:
    refused = refused_conversations(refused_by, names=st.sampled_from([b"a", b"b"]))
    draw_until_seen(refused, faults, lambda conversation, _: [conversation.fault])


@given(
    conversation=st.one_of(
        conversations(names=st.just(b"a"), transports=[Transport.UNIDIRECTIONAL], max_bytes=3),
        refused_conversations(Role.READER, names=st.just(b"a"), transports=[Transport.UNIDIRECTIONAL], max_bytes=3),
    )
)
def test_conversations_can_be_restricted(conversation: Conversation) -> None:
    assert {*conversation.offered, *conversation.accepted} <= {b"a"}
    assert conversation.transport is Transport.UNIDIRECTIONAL
    assert all(len(payload) <= 3 for payload in conversation.payloads)


OWN = st.sampled_from([b"", b"one", b"three"])
"""Payloads of a user's strategy; a data frame cannot be empty."""

MADE_OF_OWN = {
    "conversations": conversations(content_type=b"type", payloads=OWN, max_bytes=1),
    "refused by the reader": refused_conversations(Role.READER, content_type=b"type", payloads=OWN),
    "refused by the writer": refused_conversations(Role.WRITER, content_type=b"type", payloads=OWN),
}


@pytest.mark.parametrize("kind", MADE_OF_OWN)
@given(data=st.data())
def test_conversations_have_given_payloads_and_content_type(kind: str, data: st.DataObject) -> None:
    conversation = data.draw(MADE_OF_OWN[kind])
    assert conversation.offered == conversation.accepted == (b"type",)
    assert conversation.content_type == b"type"
    assert set(conversation.payloads) <= {b"one", b"three"}
    sent = [frame for frame in conversation.part(Role.WRITER) if isinstance(frame, bytes)]
    assert tuple(sent) == conversation.payloads


def test_each_given_payload_is_drawn() -> None:
    for strategy in MADE_OF_OWN.values():
        draw_until_seen(strategy, [b"one", b"three"], lambda conversation, _: conversation.payloads)
    draw_until_seen(streams(payloads=OWN), [b"one", b"three"], lambda stream, _: stream.payloads)


@given(stream=streams(1, content_type=b"type", payloads=OWN), several=payload_lists(1, payloads=OWN, max_size=2))
def test_streams_and_lists_have_given_payloads(stream: Stream, several: list[bytes]) -> None:
    assert stream.content_type == b"type"
    assert {*stream.payloads, *several} <= {b"one", b"three"}
    assert len(several) <= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"payloads": [b"payload"]}, "payloads: expected a strategy, got"),
        ({"names": b"type"}, "names: expected a strategy, got"),
        ({"content_type": "type"}, "content_type: expected bytes, got"),
        ({"content_type": b"type", "names": st.just(b"type")}, "names: expected none beside content_type"),
        ({"transports": Transport.BIDIRECTIONAL}, "transports: expected a list of Transports, got"),
        ({"transports": ["unix"]}, "transports: expected a list of Transports, got 'unix'"),
        ({"transports": []}, "transports: expected at least one"),
    ],
)
def test_wrong_arguments_are_refused_by_the_call(arguments: dict[str, Any], message: str) -> None:
    for make in (conversations, partial(refused_conversations, Role.READER)):
        with pytest.raises((TypeError, ValueError), match=message):
            make(**arguments)


def test_other_wrong_arguments_are_refused_by_the_call() -> None:
    with pytest.raises(TypeError, match="refused_by: expected a Role, got 'reader'"):
        refused_conversations("reader")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="content_type: expected bytes, got"):
        streams(content_type="type")  # type: ignore[arg-type]
    for make in (streams, payload_lists):
        with pytest.raises(TypeError, match="payloads: expected a strategy, got"):
            make(payloads=b"payload")  # type: ignore[arg-type]


def test_without_hypothesis_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ImportError, match="pip install hypothesis"):
        runpy.run_path(strategies.__file__)
