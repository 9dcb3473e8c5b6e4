"""framestream: properties of any stream, in chunks of any size, and of any bytes at all."""

import struct
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from framestream.control import MAX_CONTROL_BYTES, MAX_SENT_CONTROL_BYTES, ControlFrame, ControlType, decode_control
from framestream.control import encode_control as encode
from framestream.conversations import wire_of
from framestream.errors import (
    ContentTypeError,
    ControlFrameError,
    FrameTooLargeError,
    LocalProtocolError,
    RemoteProtocolError,
    TruncatedStreamError,
    UnexpectedFrameError,
)
from framestream.frames import EncodedFrames, FrameDecoder, encode_control_frame, encode_data_frames
from framestream.protocol import DATA, TRANSITIONS, ReaderProtocol, Role, State, Transport, WriterProtocol
from framestream.strategies import (
    Stream,
    chunkings,
    control_frames,
    hostile,
    mutations,
    payload_lists,
    payloads,
    streams,
)

LIMIT = 20
"""Longest payload in these streams: short, so that lengths around it are common."""

MEMORY_LIMIT = 1 << 16
"""Longest payload for measuring memory: long, so that the memory of Python itself is small beside it."""

DOCUMENTED = {ContentTypeError, ControlFrameError, FrameTooLargeError, TruncatedStreamError, UnexpectedFrameError}

UNKNOWN = "unknown"
"""A control frame of unknown type, in lists of kinds of frame."""


def walked(wire: bytes) -> tuple[list[bytes], int]:
    """Return the payloads of whole data frames, and the number of bytes after the last of them."""
    found = []
    offset = 0
    while offset + 4 <= len(wire):
        (size,) = struct.unpack_from(">I", wire, offset)
        start = offset + 4
        if control := size == 0:
            if start + 4 > len(wire):
                break
            (size,) = struct.unpack_from(">I", wire, start)
            start += 4
        if start + size > len(wire):
            break
        offset = start + size
        if not control:
            found.append(wire[start:offset])
    return found, len(wire) - offset


def taken(reader: ReaderProtocol) -> Iterator[bytes]:
    while run := reader.payloads():
        yield from run


def decoded(decoder: FrameDecoder) -> Iterator[bytes | ControlFrame]:
    while (frames := decoder.next_payloads()) is not None:
        if isinstance(frames, list):
            yield from frames
        else:
            yield frames


@given(frame=control_frames())
def test_control_frames_survive_a_round_trip(frame: ControlFrame) -> None:
    payload = encode(frame)
    assert decode_control(payload) == frame
    assert wire_of(frame) == encode_control_frame(frame)
    assert len(payload) <= MAX_SENT_CONTROL_BYTES


@given(
    frame=st.builds(
        ControlFrame,
        st.sampled_from(ControlType) | st.integers(-1, 1 << 33),
        st.lists(st.binary(max_size=300), max_size=4).map(tuple),
    )
)
def test_what_is_encoded_is_decoded_and_the_rest_is_refused(frame: ControlFrame) -> None:
    try:
        payload = encode(frame)
    except LocalProtocolError:
        return
    again = decode_control(payload)
    assert again.type == frame.type
    assert again.content_types == (frame.content_types if isinstance(again.type, ControlType) else ())


@given(payload=hostile(LIMIT))
def test_any_bytes_are_a_control_frame_or_an_error(payload: bytes) -> None:
    """The decoded frame is encoded to the same bytes, so the decoder has passed nothing over."""
    try:
        frame = decode_control(payload)
    except ControlFrameError:
        return
    if isinstance(frame.type, ControlType):
        assert wire_of(frame)[8:] == payload


@given(sent=st.lists(st.binary(min_size=1, max_size=300), max_size=8))
def test_data_frames_survive_a_round_trip(sent: list[bytes]) -> None:
    decoder = FrameDecoder()
    decoder.receive_data(encode_data_frames(sent))
    assert list(decoded(decoder)) == sent


@given(frames=st.lists(payloads(LIMIT) | control_frames(), max_size=12), data=st.data())
def test_any_chunking_gives_the_same_frames(frames: list[bytes | ControlFrame], data: st.DataObject) -> None:
    wire = b"".join(map(wire_of, frames))
    decoder = FrameDecoder(max_data_bytes=LIMIT)
    got: list[bytes | ControlFrame] = []
    for chunk in data.draw(chunkings(wire)):
        decoder.receive_data(chunk)
        # Some chunks wait for the next before they are asked for.
        if data.draw(st.booleans()):
            got += decoded(decoder)
    got += decoded(decoder)
    assert got == frames
    assert (decoder.offset, decoder.unread, decoder.missing()) == (len(wire), 0, None)


@given(stream=streams(LIMIT), data=st.data())
def test_any_chunking_gives_the_same_payloads(stream: Stream, data: st.DataObject) -> None:
    wire, sent = stream.wire, list(stream.payloads)
    whole = ReaderProtocol(max_data_bytes=LIMIT)
    whole.receive_data(wire)
    assert list(taken(whole)) == sent
    reader = ReaderProtocol(max_data_bytes=LIMIT)
    got: list[bytes] = []
    answers = b""
    for chunk in data.draw(chunkings(wire)):
        reader.receive_data(chunk)
        if data.draw(st.booleans()):
            got += taken(reader)
            answers += reader.data_to_send()
    got += taken(reader)
    answers += reader.data_to_send()
    assert got == sent
    assert answers == whole.data_to_send()
    assert (reader.state, reader.content_type, reader.offset, reader.unread) == (
        State.FINISHED,
        whole.content_type,
        len(wire),
        0,
    )
    assert reader.unknown_control_frames == whole.unknown_control_frames


@given(sent=st.lists(st.binary(min_size=1, max_size=2 * LIMIT), max_size=12), data=st.data())
def test_any_chunking_skips_the_same_frames(sent: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(map(wire_of, sent))
    decoder = FrameDecoder(max_data_bytes=LIMIT, oversize="skip")
    got: list[bytes | ControlFrame] = []
    for chunk in data.draw(chunkings(wire)):
        decoder.receive_data(chunk)
        got += decoded(decoder)
        assert decoder.unread < 4 + LIMIT
    large = [payload for payload in sent if len(payload) > LIMIT]
    assert got == [payload for payload in sent if len(payload) <= LIMIT]
    assert (decoder.skipped_frames, decoder.skipped_bytes) == (len(large), sum(map(len, large)))
    assert (decoder.offset, decoder.missing()) == (len(wire), None)


@given(
    wire=hostile(LIMIT) | streams(LIMIT).flatmap(lambda stream: mutations(stream.wire)),
    skip=st.booleans(),
    data=st.data(),
)
def test_encoded_frames_are_the_same_frames(wire: bytes, skip: bool, data: st.DataObject) -> None:
    """The same frames, skipped frames and faults; the two methods may be mixed at any time."""
    plain = FrameDecoder(max_data_bytes=LIMIT, oversize="skip" if skip else "error")
    other = FrameDecoder(max_data_bytes=LIMIT, oversize="skip" if skip else "error")
    expected: list[bytes | ControlFrame] = []
    got: list[bytes | ControlFrame] = []
    for chunk in data.draw(chunkings(wire)):
        next_frames = data.draw(st.sampled_from([other.next_payloads, other.next_encoded]))
        plain.receive_data(chunk)
        other.receive_data(chunk)
        faults = []
        try:
            expected += decoded(plain)
        except RemoteProtocolError as error:
            faults.append(str(error))
        try:
            while (frames := next_frames()) is not None:
                if isinstance(frames, EncodedFrames):
                    again = FrameDecoder(max_data_bytes=LIMIT)
                    again.receive_data(frames.data)
                    run = list(decoded(again))
                    assert (frames.number, again.unread) == (len(run), 0)
                    assert frames.payloads() == run
                    assert frames.payload_bytes == sum(map(len, frames.payloads()))
                    assert EncodedFrames.of(frames.payloads()) == frames
                    got += run
                else:
                    got += frames if isinstance(frames, list) else [frames]
        except RemoteProtocolError as error:
            faults.append(str(error))
        assert got == expected
        assert faults in ([], faults[:1] * 2)
        assert (other.offset, other.missing(), other.skipped_frames) == (
            plain.offset,
            plain.missing(),
            plain.skipped_frames,
        )
        if faults:
            break


@given(
    wire=hostile(LIMIT) | streams(LIMIT).flatmap(lambda stream: mutations(stream.wire)),
    skip=st.booleans(),
    data=st.data(),
)
def test_any_bytes_are_frames_or_an_error(wire: bytes, skip: bool, data: st.DataObject) -> None:
    """A documented error, the same at each further call, and with any chunks."""

    def run(chunks: list[bytes]) -> tuple[list[bytes | ControlFrame], tuple[type, str] | None]:
        decoder = FrameDecoder(max_data_bytes=LIMIT, oversize="skip" if skip else "error")
        got: list[bytes | ControlFrame] = []
        for chunk in chunks:
            decoder.receive_data(chunk)
            # Between a limit and a chunk there is the length of the frame, and no more.
            assert decoder.unread < 8 + MAX_CONTROL_BYTES + len(chunk)
            try:
                got.extend(decoded(decoder))
            except RemoteProtocolError as error:
                fault = type(error), str(error)
                for more in (b"", wire):
                    decoder.receive_data(more)
                    with pytest.raises(type(error)) as again:
                        decoder.next_payloads()
                    assert str(again.value) == fault[1]
                return got, fault
            assert decoder.unread < 8 + MAX_CONTROL_BYTES
        return got, None

    frames, fault = run([wire])
    assert fault is None or fault[0] in (ControlFrameError, FrameTooLargeError)
    assert run(data.draw(chunkings(wire))) == (frames, fault)


@given(
    wire=hostile(LIMIT) | streams(LIMIT).flatmap(lambda stream: mutations(stream.wire)),
    wanted=st.sampled_from([(), (b"a",), (b"b", b"a")]),
    transport=st.sampled_from([None, *Transport]),
    strict=st.booleans(),
    data=st.data(),
)
def test_any_bytes_are_a_stream_or_an_error(
    wire: bytes, wanted: tuple[bytes, ...], transport: Transport | None, strict: bool, data: st.DataObject
) -> None:
    """For a reader, which sends no more than the protocol allows."""

    def run(chunks: list[bytes]) -> tuple[list[bytes], bytes, State, tuple[type, int] | None]:
        reader = ReaderProtocol(wanted, transport=transport, require_stop=strict, max_data_bytes=LIMIT)
        got: list[bytes] = []
        answers = b""
        fault = None
        error: RemoteProtocolError | None = None
        try:
            for chunk in chunks:
                reader.receive_data(chunk)
                got.extend(taken(reader))
                answers += reader.data_to_send()
                assert reader.state is State.FINISHED or reader.unread < 8 + MAX_CONTROL_BYTES
            reader.receive_eof()
            got.extend(taken(reader))
        except RemoteProtocolError as caught:
            error = caught
        if error is not None:
            fault = type(error), error.offset
            assert error.offset <= len(wire)
            for more in (b"", wire):
                reader.receive_data(more)
                with pytest.raises(type(error)) as again:
                    reader.payloads()
                assert again.value is error
        answers += reader.data_to_send()
        return got, answers, reader.state, fault

    outcome = run([wire])
    _, answers, state, fault = outcome
    assert fault is None or fault[0] in DOCUMENTED
    assert state in {State.IDLE, State.ACCEPTED, State.STREAMING, State.FINISHED}
    decoder = FrameDecoder()
    decoder.receive_data(answers)
    assert [frame.type for frame in decoded(decoder) if isinstance(frame, ControlFrame)] in (
        [],
        [ControlType.ACCEPT],
        [ControlType.ACCEPT, ControlType.FINISH],
    )
    assert run(data.draw(chunkings(wire))) == outcome


@given(wire=hostile(LIMIT), offered=st.sampled_from([(), (b"a",), (b"b", b"a")]), data=st.data())
def test_any_bytes_are_an_answer_or_an_error(wire: bytes, offered: tuple[bytes, ...], data: st.DataObject) -> None:
    """For a writer, at the handshake and at the end."""

    def run(chunks: list[bytes], *, streaming: bool) -> tuple[bytes, State, tuple[type, int] | None]:
        writer = WriterProtocol(offered)
        writer.start()
        if streaming:
            writer.receive_data(wire_of(ControlFrame(ControlType.ACCEPT)))
            writer.stop()
        sent = writer.data_to_send()
        fault = None
        error: RemoteProtocolError | None = None
        try:
            for chunk in chunks:
                writer.receive_data(chunk)
                sent += writer.data_to_send()
                assert writer.state is State.FINISHED or writer.unread < 8 + MAX_CONTROL_BYTES
            writer.receive_eof()
        except RemoteProtocolError as caught:
            error = caught
        if error is not None:
            fault = type(error), error.offset
            with pytest.raises(type(error)) as again:
                writer.receive_data(wire)
            assert again.value is error
        return sent + writer.data_to_send(), writer.state, fault

    chunks = data.draw(chunkings(wire))
    for streaming in (False, True):
        outcome = run([wire], streaming=streaming)
        assert outcome[2] is None or outcome[2][0] in DOCUMENTED
        assert run(chunks, streaming=streaming) == outcome


@given(
    stream=streams(LIMIT),
    bad=st.sampled_from(
        [
            (struct.pack(">I", LIMIT + 1), FrameTooLargeError),
            (struct.pack(">I", 0xFFFFFFFF), FrameTooLargeError),
            *((struct.pack(">II", 0, size) + bytes(size), ControlFrameError) for size in range(4)),
            (struct.pack(">II", 0, 513), ControlFrameError),
            (struct.pack(">II", 0, 0xFFFFFFFF), ControlFrameError),
            (struct.pack(">IIII", 0, 8, 3, 1), ControlFrameError),
            (wire_of(ControlFrame(ControlType.READY)), UnexpectedFrameError),
            (wire_of(ControlFrame(ControlType.ACCEPT)), UnexpectedFrameError),
            (wire_of(ControlFrame(ControlType.START)), UnexpectedFrameError),
            (wire_of(ControlFrame(ControlType.FINISH)), UnexpectedFrameError),
        ]
    ),
    rest=hostile(LIMIT),
    data=st.data(),
)
def test_good_payloads_before_bad_bytes_are_delivered(
    stream: Stream,
    bad: tuple[bytes, type[RemoteProtocolError]],
    rest: bytes,
    data: st.DataObject,
) -> None:
    """All of them, before the error, which has the offset of the bad bytes."""
    wire = stream.wire[:-12]  # without STOP
    reader = ReaderProtocol(max_data_bytes=LIMIT)
    got: list[bytes] = []
    error = None
    for chunk in data.draw(chunkings(wire + bad[0] + rest)):
        reader.receive_data(chunk)
        try:
            got.extend(taken(reader))
        except RemoteProtocolError as caught:
            error = caught
            break
    assert tuple(got) == stream.payloads
    assert type(error) is bad[1]
    assert error.offset == len(wire)


@given(stream=streams(LIMIT), data=st.data())
def test_a_cut_stream_gives_what_came_before_the_cut(stream: Stream, data: st.DataObject) -> None:
    """Cut anywhere; the error tells whether that was inside a frame."""
    wire = stream.wire[: data.draw(st.integers(0, len(stream.wire) - 1))]
    whole, rest = walked(wire)
    reader = ReaderProtocol(max_data_bytes=LIMIT, require_stop=True)
    got: list[bytes] = []
    for chunk in data.draw(chunkings(wire)):
        reader.receive_data(chunk)
        got.extend(taken(reader))
    reader.receive_eof()
    with pytest.raises(TruncatedStreamError) as caught:
        reader.payloads()
    assert got == whole
    assert caught.value.inside_frame is (rest > 0)
    assert caught.value.offset == len(wire)


@given(
    claim=st.sampled_from([1, MEMORY_LIMIT // 2, MEMORY_LIMIT, MEMORY_LIMIT + 1, 4 * MEMORY_LIMIT, 0xFFFFFFFF]),
    stream=streams(),
    step=st.integers(300, 3000),
    skip=st.booleans(),
)
def test_no_stream_costs_more_memory_than_the_limit(claim: int, stream: Stream, step: int, skip: bool) -> None:
    """For frames of any announced length, received in chunks of any size."""
    head, zeros = stream.wire[:-12] + struct.pack(">I", claim), bytes(step)
    reader = ReaderProtocol(max_data_bytes=MEMORY_LIMIT, oversize="skip" if skip else "error")
    fault: RemoteProtocolError | None = None
    tracemalloc.start()
    try:
        chunks = chain([head], repeat(zeros, min(claim, 8 * MEMORY_LIMIT) // step))
        before = tracemalloc.get_traced_memory()[0]
        for chunk in chunks:
            reader.receive_data(chunk)
            try:
                while reader.payloads():
                    pass
            except FrameTooLargeError as error:
                fault = error
                break
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert (fault is not None) is (claim > MEMORY_LIMIT and not skip)
    # What waits, the same joined with the last chunk, and the payload that is cut from that.
    assert peak < 3 * (MEMORY_LIMIT + step) + 20_000


# The table.

FRAMES: dict[ControlType | str, bytes] = {
    DATA: wire_of(b"x"),
    UNKNOWN: wire_of(ControlFrame(9)),
    **{kind: wire_of(ControlFrame(kind)) for kind in ControlType},
}

ANSWERS = {
    Role.READER: {State.OFFERED: ControlType.ACCEPT, State.STOPPED: ControlType.FINISH},
    Role.WRITER: {State.ACCEPTED: ControlType.START},
}
"""Control frames that an end sends by itself as soon as it enters a state."""


def settled(transport: Transport, state: State, role: Role) -> State:
    """Return the state in which an end waits, after the frame that it sends by itself."""
    answer = ANSWERS[role].get(state)
    return TRANSITIONS[transport, state, role, answer] if answer else state


@pytest.mark.parametrize("frame", FRAMES, ids=str)
@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
@pytest.mark.parametrize("transport", Transport, ids=lambda transport: transport.value)
@pytest.mark.parametrize("role", Role, ids=lambda role: role.value)
def test_received_frames_follow_the_table(
    role: Role, transport: Transport, state: State, frame: ControlType | str
) -> None:
    """Frames that the table has for the other end are accepted, and no others."""
    protocol: ReaderProtocol | WriterProtocol
    if role is Role.READER:
        protocol = ReaderProtocol(transport=transport)
        sender = Role.WRITER
    else:
        protocol = WriterProtocol(transport=transport)
        sender = Role.READER
    protocol._enter(state)

    def receive() -> list[bytes]:
        protocol.receive_data(FRAMES[frame])
        return list(taken(protocol)) if isinstance(protocol, ReaderProtocol) else []

    after = TRANSITIONS.get((transport, state, sender, frame))
    if frame is UNKNOWN and (transport, state, sender, DATA) in TRANSITIONS:
        # Ignored where data frames may come.
        after = state
    if state is State.FINISHED:
        # No part of the stream any more, and not looked at.
        assert receive() == []
        assert (protocol.state, protocol.unread) == (State.FINISHED, len(FRAMES[frame]))
    elif after is None:
        with pytest.raises(UnexpectedFrameError) as caught:
            receive()
        assert (protocol.state, caught.value.state) == (state, state.name)
        assert protocol.data_to_send() == b""
    else:
        assert receive() == ([b"x"] if frame is DATA else [])
        assert protocol.state is settled(transport, after, role)
        answer = ANSWERS[role].get(after)
        assert protocol.data_to_send() == (FRAMES[answer] if answer and after is not state else b"")


@pytest.mark.parametrize("frame", [DATA, *ControlType], ids=str)
@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
@pytest.mark.parametrize("transport", Transport, ids=lambda transport: transport.value)
@pytest.mark.parametrize("role", Role, ids=lambda role: role.value)
def test_sent_frames_follow_the_table(role: Role, transport: Transport, state: State, frame: ControlType | str) -> None:
    """Frames that the table has for this end are sent, and no others; a reader has no method to send data."""
    protocol: ReaderProtocol | WriterProtocol
    if role is Role.READER:
        protocol = ReaderProtocol(transport=transport)
    else:
        protocol = WriterProtocol(transport=transport)
    protocol._enter(state)

    def send() -> None:
        if isinstance(frame, ControlType):
            protocol._send(frame)
        elif isinstance(protocol, WriterProtocol):
            protocol.send([b"x"])
        else:
            raise LocalProtocolError("there is no such method")

    after = TRANSITIONS.get((transport, state, role, frame))
    if after is None:
        with pytest.raises(LocalProtocolError):
            send()
        assert (protocol.state, protocol.data_to_send()) == (state, b"")
    else:
        send()
        assert (protocol.state, protocol.data_to_send()) == (after, FRAMES[frame])


@pytest.mark.parametrize("transport", Transport, ids=lambda transport: transport.value)
@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_calls_of_a_writer_follow_the_table(transport: Transport, state: State) -> None:
    """The methods of a writer follow the table too."""
    first = ControlType.READY if transport is Transport.BIDIRECTIONAL else ControlType.START
    for frame in (first, DATA, ControlType.STOP):
        writer = WriterProtocol(transport=transport)
        writer._enter(state)
        calls: dict[ControlType | str, Callable[[], None]] = {
            first: writer.start,
            DATA: partial(writer.send, [b"x"]),
            ControlType.STOP: writer.stop,
        }
        after = TRANSITIONS.get((transport, state, Role.WRITER, frame))
        if after is None:
            with pytest.raises(LocalProtocolError):
                calls[frame]()
            assert (writer.state, writer.data_to_send()) == (state, b"")
        else:
            calls[frame]()
            assert (writer.state, writer.data_to_send()) == (after, FRAMES[frame])


@given(
    frames=st.lists(st.sampled_from(list(FRAMES)), max_size=8),
    opening=st.sampled_from([[], [ControlType.START], [ControlType.READY, ControlType.START]]),
    data=st.data(),
)
def test_any_order_of_frames_follows_the_table(
    frames: list[ControlType | str], opening: list[ControlType], data: st.DataObject
) -> None:
    """A reader gets as far as a walk over the table does, and its error names the frames that the table has there."""
    frames = [*opening, *frames]
    # With no frame or another one, it makes no difference.
    transport = Transport.BIDIRECTIONAL if frames[:1] == [ControlType.READY] else Transport.UNIDIRECTIONAL
    state = State.IDLE
    good = 0
    fault = False
    for frame in frames:
        if state is State.FINISHED:
            break
        after = TRANSITIONS.get((transport, state, Role.WRITER, frame))
        if frame is UNKNOWN and state is State.STREAMING:
            after = state
        if after is None:
            fault = True
            break
        state = settled(transport, after, Role.READER)
        good += 1
    reader = ReaderProtocol()
    got: list[bytes] = []
    error = None
    for chunk in data.draw(chunkings(b"".join(FRAMES[frame] for frame in frames))):
        reader.receive_data(chunk)
        try:
            got.extend(taken(reader))
        except RemoteProtocolError as caught:
            error = caught
            break
    assert reader.state is state
    assert got == [b"x" for frame in frames[:good] if frame is DATA]
    if fault:
        assert type(error) is UnexpectedFrameError
        assert error.offset == sum(len(FRAMES[frame]) for frame in frames[:good])
        assert error.state == state.name
    else:
        assert error is None


# A reader beside a writer.

READER_STATES = {
    Transport.BIDIRECTIONAL: {
        State.IDLE: {State.IDLE},
        State.OFFERED: {State.IDLE, State.ACCEPTED},
        State.STREAMING: {State.ACCEPTED, State.STREAMING},
        State.STOPPED: {State.ACCEPTED, State.STREAMING, State.FINISHED},
        State.FINISHED: {State.FINISHED},
    },
    Transport.UNIDIRECTIONAL: {
        State.IDLE: {State.IDLE},
        State.STREAMING: {State.IDLE, State.STREAMING},
        State.FINISHED: {State.IDLE, State.STREAMING, State.FINISHED},
    },
}
"""Possible states of a reader, by the state of its writer."""


class ReaderBesideWriter(RuleBasedStateMachine):
    """Two ends, connected by two pipes that deliver any number of bytes at a time."""

    @initialize(transport=st.sampled_from(Transport), offered=st.permutations([b"a", b"b", b"c"]), data=st.data())
    def connect(self, transport: Transport, offered: list[bytes], data: st.DataObject) -> None:
        offered = offered[: data.draw(st.integers(0, 3))]
        # The reader wants the first of them and others, or takes any; nothing in common is for other tests.
        wanted = [*offered[:1], *data.draw(st.permutations([b"c", b"d"]))] if data.draw(st.booleans()) else []
        self.writer = WriterProtocol(offered, transport=transport, max_data_bytes=LIMIT)
        self.reader = ReaderProtocol(wanted, max_data_bytes=LIMIT)
        self.offered = offered
        self.transport = transport
        self.to_reader = bytearray()
        self.written = 0
        self.to_writer = bytearray()
        self.sent: list[bytes] = []
        self.got: list[bytes] = []

    def _write(self) -> None:
        written = self.writer.data_to_send()
        self.to_reader += written
        self.written += len(written)

    @rule()
    @precondition(lambda self: self.writer.state is State.IDLE)
    def start(self) -> None:
        self.writer.start()
        self._write()

    @rule(batch=payload_lists(LIMIT, max_size=4))
    @precondition(lambda self: self.writer.state is State.STREAMING)
    def send(self, batch: list[bytes]) -> None:
        self.writer.send(batch)
        self.sent += batch
        self._write()

    @rule(batch=st.lists(payloads(LIMIT), min_size=1, max_size=2), bad=st.sampled_from([b"", bytes(LIMIT + 1)]))
    @precondition(lambda self: self.writer.state is State.STREAMING)
    def send_what_no_frame_holds(self, batch: list[bytes], bad: bytes) -> None:
        with pytest.raises(LocalProtocolError):
            self.writer.send([*batch, bad])
        assert self.writer.data_to_send() == b""

    @rule()
    @precondition(lambda self: self.writer.state is State.STREAMING and len(self.sent) > 3)
    def stop(self) -> None:
        self.writer.stop()
        self._write()

    @rule()
    @precondition(lambda self: self.writer.state is not State.STREAMING)
    def call_out_of_order(self) -> None:
        with pytest.raises(LocalProtocolError):
            self.writer.send([b"x"])
        with pytest.raises(LocalProtocolError):
            self.writer.stop()
        assert self.writer.data_to_send() == b""

    @rule(count=st.integers(1, 60) | st.just(1 << 20))
    @precondition(lambda self: self.to_reader)
    def move_to_reader(self, count: int) -> None:
        self.reader.receive_data(bytes(self.to_reader[:count]))
        del self.to_reader[:count]

    @rule()
    def take_one_run(self) -> None:
        self.got += self.reader.payloads()
        self.to_writer += self.reader.data_to_send()

    @rule()
    def take_all(self) -> None:
        self.got += taken(self.reader)
        self.to_writer += self.reader.data_to_send()

    @rule(count=st.integers(1, 60) | st.just(1 << 20))
    @precondition(lambda self: self.to_writer)
    def move_to_writer(self, count: int) -> None:
        self.writer.receive_data(bytes(self.to_writer[:count]))
        del self.to_writer[:count]
        self._write()

    @invariant()
    def payloads_come_in_order(self) -> None:
        assert self.got == self.sent[: len(self.got)]

    @invariant()
    def states_fit(self) -> None:
        assert self.reader.state in READER_STATES[self.transport][self.writer.state]

    @invariant()
    def counts_add_up(self) -> None:
        assert self.reader.offset + self.reader.unread + len(self.to_reader) == self.written

    def teardown(self) -> None:
        """Deliver the rest; then all payloads have been received."""
        if not hasattr(self, "writer"):
            return
        if self.writer.state is State.IDLE:
            self.start()
        self._flush()
        assert self.writer.content_type == (self.offered[0] if self.offered else None)
        if self.writer.state is State.STREAMING:
            assert self.reader.state is State.STREAMING
            self.writer.stop()
            self._write()
            self._flush()
        assert (self.writer.state, self.reader.state) == (State.FINISHED, State.FINISHED)
        assert self.got == self.sent
        assert self.reader.content_type == self.writer.content_type
        assert (self.reader.unread, self.writer.unread) == (0, 0)

    def _flush(self) -> None:
        # ACCEPT and START are one round, FINISH is one; what takes more has stuck.
        for _ in range(3):
            self.move_to_reader(1 << 20)
            self.take_all()
            self.move_to_writer(1 << 20)
        assert not self.to_reader
        assert not self.to_writer


TestReaderBesideWriter = ReaderBesideWriter.TestCase
TestReaderBesideWriter.settings = settings(stateful_step_count=40)


class LossyReaderBesideWriter(RuleBasedStateMachine):
    """Two ends, connected by two pipes that lose some of the bytes.

    An end does not notice a loss, so a reader may return anything after one: payloads within the limit, or a documented
    error. Payloads before it are as they were sent.
    """

    @initialize(transport=st.sampled_from(Transport), streaming=st.sampled_from([True, True, True, False]))
    def connect(self, transport: Transport, streaming: bool) -> None:
        self.writer = WriterProtocol([b"a"], transport=transport, max_data_bytes=LIMIT)
        self.reader = ReaderProtocol([b"a"], max_data_bytes=LIMIT)
        self.written = bytearray()
        self.to_reader = bytearray()
        self.to_writer = bytearray()
        # Of the bytes that were put into the pipe: how far they have come out, up to the first that was not put in.
        self.passed = 0
        self.first_lost: int | None = None
        self.out_of_step = False
        self.sent: list[bytes] = []
        self.got: list[bytes] = []
        self.faults: dict[Role, RemoteProtocolError] = {}
        self.writer.start()
        self._write()
        # Mostly the handshake is done: it can be lost in many ways, and little else would be tried.
        if streaming:
            self._move_all()

    def _move_all(self) -> None:
        for _ in range(3):
            self.move_to_reader(1 << 20)
            self.take()
            self.move_to_writer(1 << 20)

    def _write(self) -> None:
        data = self.writer.data_to_send()
        self.written += data
        self.to_reader += data

    def _pass(self, count: int) -> bytes:
        data = bytes(self.to_reader[:count])
        del self.to_reader[:count]
        self.passed += len(data)
        return data

    def _lost(self, offset: int) -> None:
        self.first_lost = offset if self.first_lost is None else min(offset, self.first_lost)

    def _caught(self, role: Role, error: RemoteProtocolError) -> None:
        assert type(error) in DOCUMENTED
        assert self.faults.setdefault(role, error) is error

    @rule(batch=st.lists(payloads(LIMIT), min_size=1, max_size=6))
    @precondition(lambda self: self.writer.state is State.STREAMING)
    def send(self, batch: list[bytes]) -> None:
        self.writer.send(batch)
        self.sent += batch
        self._write()

    @rule(batch=payload_lists(LIMIT, max_size=2))
    @precondition(lambda self: self.writer.state is State.STREAMING and len(self.sent) > 3)
    def send_into_the_void(self, batch: list[bytes]) -> None:
        """Lose whole frames, which no end can notice."""
        self._lost(len(self.written))
        self.writer.send(batch)
        self.sent += batch
        self.written += self.writer.data_to_send()

    @rule()
    @precondition(lambda self: self.writer.state is State.STREAMING and len(self.sent) > 3)
    def stop(self) -> None:
        self.writer.stop()
        self._write()

    @rule(count=st.integers(1, 60) | st.just(1 << 20))
    @precondition(lambda self: self.to_reader)
    def move_to_reader(self, count: int) -> None:
        self.reader.receive_data(self._pass(count))

    @rule(count=st.integers(1, 60))
    @precondition(lambda self: self.to_reader and (len(self.sent) > 3 or self.writer.state is not State.STREAMING))
    def lose_to_reader(self, count: int) -> None:
        self._lost(self.passed)
        self.out_of_step = True
        self._pass(count)

    @rule()
    def take(self) -> None:
        try:
            self.got += taken(self.reader)
        except RemoteProtocolError as error:
            self._caught(Role.READER, error)
        self.to_writer += self.reader.data_to_send()

    @rule(count=st.integers(1, 60) | st.just(1 << 20))
    @precondition(lambda self: self.to_writer)
    def move_to_writer(self, count: int) -> None:
        try:
            self.writer.receive_data(bytes(self.to_writer[:count]))
        except RemoteProtocolError as error:
            self._caught(Role.WRITER, error)
        del self.to_writer[:count]
        self._write()

    @rule(count=st.integers(1, 60))
    @precondition(lambda self: self.to_writer)
    def lose_to_writer(self, count: int) -> None:
        self.out_of_step = True
        del self.to_writer[:count]

    @invariant()
    def what_came_before_the_loss_is_as_it_was_sent(self) -> None:
        before = self._before_the_loss()
        assert self.got[: len(before)] == before[: len(self.got)]
        assert all(0 < len(payload) <= LIMIT for payload in self.got)

    @invariant()
    def whole_frames_cost_only_themselves(self) -> None:
        if not self.out_of_step:
            assert not self.faults
            left = iter(self.sent)
            assert all(payload in left for payload in self.got)

    def _before_the_loss(self) -> list[bytes]:
        return walked(bytes(self.written[: self.first_lost]))[0]

    def teardown(self) -> None:
        """Deliver the rest; then all payloads before the loss are there, followed by an end or a documented error."""
        if not hasattr(self, "writer"):
            return
        self._move_all()
        assert self.got[: len(self._before_the_loss())] == self._before_the_loss()
        self.whole_frames_cost_only_themselves()
        self.reader.receive_eof()
        self.take()
        try:
            self.writer.receive_eof()
        except RemoteProtocolError as error:
            self._caught(Role.WRITER, error)


TestLossyReaderBesideWriter = LossyReaderBesideWriter.TestCase
TestLossyReaderBesideWriter.settings = settings(stateful_step_count=40)
