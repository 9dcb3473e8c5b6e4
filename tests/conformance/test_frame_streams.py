"""Frame Streams, rule by rule: the numbers are those of docs/frame-streams.md, the bytes those of the wire.

Nothing here is made by the encoders under test, nor by helpers: each vector is all there, and says what each byte is.
The rules that are about waiting hold for both front ends, which tests/framestream/fronts.py brings together.
"""

import re
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from framestream.control import ControlFrame, ControlType, decode_control, encode_control
from framestream.errors import (
    ContentTypeError,
    ControlFrameError,
    FrameTooLargeError,
    LocalProtocolError,
    RemoteProtocolError,
    TruncatedStreamError,
    UnexpectedFrameError,
)
from framestream.frames import FrameDecoder, encode_control_frame, encode_data_frames
from framestream.protocol import ReaderProtocol, State, Transport, WriterProtocol
from framestream.streams import Batching, Deadlines
from tests.framestream.fronts import FRONTS, listen_reader, open_writer, read_file, using, write_file
from tests.framestream.wire import decode, read, singly, write
from tests.threads import Threads
from tests.wait import DEADLINE_S, wait_for

DNSTAP = b"protobuf:dnstap.Dnstap"

# What every server sends: named, Unbound, NSD, Knot DNS, Knot Resolver, dnsdist, PowerDNS Recursor, CoreDNS.
READY = (
    b"\x00\x00\x00\x00"  # escape sequence
    b"\x00\x00\x00\x22"  # control frame length: 34
    b"\x00\x00\x00\x04"  # type: READY
    b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
    b"\x00\x00\x00\x16"  # field length: 22
    b"protobuf:dnstap.Dnstap"
)
ACCEPT = (
    b"\x00\x00\x00\x00"  # escape sequence
    b"\x00\x00\x00\x22"  # control frame length: 34
    b"\x00\x00\x00\x01"  # type: ACCEPT
    b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
    b"\x00\x00\x00\x16"  # field length: 22
    b"protobuf:dnstap.Dnstap"
)
START = (
    b"\x00\x00\x00\x00"  # escape sequence
    b"\x00\x00\x00\x22"  # control frame length: 34
    b"\x00\x00\x00\x02"  # type: START
    b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
    b"\x00\x00\x00\x16"  # field length: 22
    b"protobuf:dnstap.Dnstap"
)
STOP = (
    b"\x00\x00\x00\x00"  # escape sequence
    b"\x00\x00\x00\x04"  # control frame length: 4
    b"\x00\x00\x00\x03"  # type: STOP
)
FINISH = (
    b"\x00\x00\x00\x00"  # escape sequence
    b"\x00\x00\x00\x04"  # control frame length: 4
    b"\x00\x00\x00\x05"  # type: FINISH
)

# Without content types.
READY_ANY = (
    b"\x00\x00\x00\x00"  # escape sequence
    b"\x00\x00\x00\x04"  # control frame length: 4
    b"\x00\x00\x00\x04"  # type: READY
)
ACCEPT_ANY = (
    b"\x00\x00\x00\x00"  # escape sequence
    b"\x00\x00\x00\x04"  # control frame length: 4
    b"\x00\x00\x00\x01"  # type: ACCEPT
)
START_UNNAMED = (
    b"\x00\x00\x00\x00"  # escape sequence
    b"\x00\x00\x00\x04"  # control frame length: 4
    b"\x00\x00\x00\x02"  # type: START
)

# With the content types A and B, or one of them.
READY_A_B = (
    b"\x00\x00\x00\x00"  # escape sequence
    b"\x00\x00\x00\x16"  # control frame length: 22
    b"\x00\x00\x00\x04"  # type: READY
    b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
    b"\x00\x00\x00\x01"  # field length: 1
    b"A"
    b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
    b"\x00\x00\x00\x01"  # field length: 1
    b"B"
)
ACCEPT_B_A = (
    b"\x00\x00\x00\x00"  # escape sequence
    b"\x00\x00\x00\x16"  # control frame length: 22
    b"\x00\x00\x00\x01"  # type: ACCEPT
    b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
    b"\x00\x00\x00\x01"  # field length: 1
    b"B"
    b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
    b"\x00\x00\x00\x01"  # field length: 1
    b"A"
)
ACCEPT_B = (
    b"\x00\x00\x00\x00"  # escape sequence
    b"\x00\x00\x00\x0d"  # control frame length: 13
    b"\x00\x00\x00\x01"  # type: ACCEPT
    b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
    b"\x00\x00\x00\x01"  # field length: 1
    b"B"
)
START_A = (
    b"\x00\x00\x00\x00"  # escape sequence
    b"\x00\x00\x00\x0d"  # control frame length: 13
    b"\x00\x00\x00\x02"  # type: START
    b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
    b"\x00\x00\x00\x01"  # field length: 1
    b"A"
)
START_B = (
    b"\x00\x00\x00\x00"  # escape sequence
    b"\x00\x00\x00\x0d"  # control frame length: 13
    b"\x00\x00\x00\x02"  # type: START
    b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
    b"\x00\x00\x00\x01"  # field length: 1
    b"B"
)

UNKNOWN = (
    b"\x00\x00\x00\x00"  # escape sequence
    b"\x00\x00\x00\x07"  # control frame length: 7
    b"\x00\x00\x00\x06"  # type: 6, which is undefined
    b"xyz"  # what it means by this is its own affair
)

DATA_ONE = (
    b"\x00\x00\x00\x01"  # length: 1
    b"1"
)
DATA_TWO = (
    b"\x00\x00\x00\x02"  # length: 2
    b"22"
)

file_reader = partial(ReaderProtocol, transport=Transport.UNIDIRECTIONAL, require_stop=True)


def ready_of(size: int) -> bytes:
    """A READY of which the payload is that many bytes, 276 to 532, in two content types."""
    rest = size - 276
    return (
        b"\x00\x00\x00\x00"  # escape sequence
        + size.to_bytes(4, "big")  # control frame length
        + b"\x00\x00\x00\x04"  # type: READY
        + b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
        + b"\x00\x00\x01\x00"  # field length: 256
        + bytes(256)
        + b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
        + rest.to_bytes(4, "big")  # field length
        + bytes(rest)
    )


def test_rule_01_a_stream_is_a_sequence_of_frames() -> None:
    """A length word tells how many bytes of payload follow; none tells that a control frame follows."""
    outcome = decode(START + DATA_ONE + DATA_TWO + STOP)
    assert outcome.frames == [
        ControlFrame(ControlType.START, (DNSTAP,)),
        b"1",
        b"22",
        ControlFrame(ControlType.STOP),
    ]
    assert encode_data_frames([b"1", b"22"]) == DATA_ONE + DATA_TWO


def test_rule_01_an_empty_data_frame_is_refused() -> None:
    """Its length word would be the escape sequence, and the next data frame be taken for a control frame."""
    with pytest.raises(LocalProtocolError):
        encode_data_frames([b""])
    writer = WriterProtocol(transport=Transport.UNIDIRECTIONAL)
    writer.start()
    with pytest.raises(LocalProtocolError):
        writer.send([b"1", b""])
    assert writer.data_to_send() == START_UNNAMED


def test_rule_02_a_control_frame_has_a_length_of_its_own() -> None:
    """The length counts neither itself nor the escape sequence: the next frame begins right after it."""
    outcome = decode(STOP + DATA_ONE)
    assert outcome.frames == [ControlFrame(ControlType.STOP), b"1"]
    assert encode_control_frame(ControlFrame(ControlType.STOP)) == STOP


@pytest.mark.parametrize(
    ("wire", "good"),
    [
        pytest.param(
            b"\x00\x00\x00\x00"  # escape sequence
            b"\x00\x00\x00\x00",  # control frame length: 0
            False,
            id="0",
        ),
        pytest.param(
            b"\x00\x00\x00\x00"  # escape sequence
            b"\x00\x00\x00\x03"  # control frame length: 3
            b"\x00\x00\x00",  # three quarters of a type
            False,
            id="3",
        ),
        pytest.param(STOP, True, id="4"),
        pytest.param(ready_of(512), True, id="512"),
        pytest.param(
            b"\x00\x00\x00\x00"  # escape sequence
            b"\x00\x00\x02\x01",  # control frame length: 513
            False,
            id="513",
        ),
        pytest.param(
            b"\x00\x00\x00\x00"  # escape sequence
            b"\xff\xff\xff\xff",  # control frame length: 4,294,967,295
            False,
            id="ffffffff",
        ),
    ],
)
def test_rule_02_control_frame_lengths(wire: bytes, good: bool) -> None:
    """From 4 to 512; longer ones are refused without the bytes that they announce."""
    outcome = decode(wire)
    if good:
        assert len(outcome.frames) == 1
    else:
        assert isinstance(outcome.error, ControlFrameError)


@pytest.mark.parametrize(
    ("number", "control_type"),
    [
        (1, ControlType.ACCEPT),
        (2, ControlType.START),
        (3, ControlType.STOP),
        (4, ControlType.READY),
        (5, ControlType.FINISH),
    ],
)
def test_rule_03_types(number: int, control_type: ControlType) -> None:
    """Five of them."""
    assert encode_control(ControlFrame(control_type)) == bytes([0, 0, 0, number])
    assert decode_control(bytes([0, 0, 0, number])) == ControlFrame(control_type)
    assert len(ControlType) == 5


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(
            b"\x00\x00\x00\x04"  # type: READY
            b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
            b"\x00\x00\x00\x02"  # field length: 2
            b"A",  # of which there is 1
            id="short",
        ),
        pytest.param(
            b"\x00\x00\x00\x04"  # type: READY
            b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
            b"\x00\x00\x00\x01"  # field length: 1
            b"A"
            b"B",  # which belongs to nothing
            id="trailing byte",
        ),
        pytest.param(
            b"\x00\x00\x00\x04"  # type: READY
            b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
            b"\x00\x00\x00",  # three quarters of a field length
            id="short length",
        ),
        pytest.param(
            b"\x00\x00\x00\x04"  # type: READY
            b"\x00\x00\x00\x02"  # field type: 2, which is undefined
            b"\x00\x00\x00\x01"  # field length: 1
            b"A",
            id="unknown field",
        ),
        pytest.param(
            b"\x00\x00\x00\x03"  # type: STOP
            b"\x00",  # which belongs to nothing
            id="trailing byte after a type without fields",
        ),
    ],
)
def test_rule_03_lengths_add_up(payload: bytes) -> None:
    """To a byte; and there is one field type."""
    with pytest.raises(ControlFrameError):
        decode_control(payload)


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"A\0B", id="NUL"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(bytes(256), id="256 bytes"),
    ],
)
def test_rule_04_content_types_are_opaque(content_type: bytes) -> None:
    """Any bytes, up to 256, none being as good as any."""
    payload = (
        b"\x00\x00\x00\x02"  # type: START
        b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
        + len(content_type).to_bytes(4, "big")  # field length
        + content_type
    )
    frame = ControlFrame(ControlType.START, (content_type,))
    assert decode_control(payload) == frame
    assert encode_control(frame) == payload


def test_rule_04_content_types_end_at_256_bytes() -> None:
    """One more is refused, in both directions."""
    payload = (
        b"\x00\x00\x00\x02"  # type: START
        b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
        b"\x00\x00\x01\x01"  # field length: 257
    ) + bytes(257)
    with pytest.raises(ControlFrameError):
        decode_control(payload)
    with pytest.raises(LocalProtocolError):
        encode_control(ControlFrame(ControlType.START, (bytes(257),)))


@pytest.mark.parametrize(
    ("control_type", "most"),
    [
        (ControlType.READY, None),
        (ControlType.ACCEPT, None),
        (ControlType.START, 1),
        (ControlType.STOP, 0),
        (ControlType.FINISH, 0),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_rule_05_how_many_content_types(control_type: ControlType, most: int | None) -> None:
    """Any number, one, or none, by the type of the frame; in both directions."""
    field = (
        b"\x00\x00\x00\x01"  # field type: CONTENT_TYPE
        b"\x00\x00\x00\x01"  # field length: 1
        b"A"
    )
    for count in range(4):
        payload = bytes([0, 0, 0, control_type]) + count * field
        frame = ControlFrame(control_type, count * (b"A",))
        if most is None or count <= most:
            assert decode_control(payload) == frame
            assert encode_control(frame) == payload
        else:
            with pytest.raises(ControlFrameError):
                decode_control(payload)
            with pytest.raises(LocalProtocolError):
                encode_control(frame)


@pytest.mark.parametrize("size", [503, 504, 505, 512, 513, 532])
def test_rule_06_long_control_frames(size: int) -> None:
    """At most 503 bytes are sent; 512 are accepted, and more if configured."""
    wire = ready_of(size)
    outcome = decode(wire)
    if size <= 512:
        (frame,) = outcome.frames
    else:
        assert isinstance(outcome.error, ControlFrameError)
        (frame,) = decode(wire, partial(FrameDecoder, max_control_bytes=size)).frames
    assert isinstance(frame, ControlFrame)
    if size <= 503:
        assert encode_control_frame(frame) == wire
    else:
        with pytest.raises(LocalProtocolError):
            encode_control_frame(frame)


@pytest.mark.parametrize("size", range(503, 513))
def test_rule_06_a_long_ready_gets_a_short_accept(size: int) -> None:
    """A reader that takes any type must not answer with a frame that is too long to be sent."""
    outcome = read(ready_of(size))
    (answer,) = decode(outcome.sent).frames
    assert isinstance(answer, ControlFrame)
    assert answer.type is ControlType.ACCEPT
    assert len(answer.content_types) == 1
    assert len(outcome.sent) <= 8 + 503


def test_rule_07_unidirectional_streams() -> None:
    """START, data, STOP; nothing is answered."""
    outcome = read(START + DATA_ONE + DATA_TWO + STOP, file_reader, eof=True)
    assert (outcome.payloads, outcome.sent, outcome.error) == ([b"1", b"22"], b"", None)
    writer = WriterProtocol([DNSTAP], transport=Transport.UNIDIRECTIONAL)
    writer.start()
    writer.send([b"1", b"22"])
    writer.stop()
    assert writer.data_to_send() == START + DATA_ONE + DATA_TWO + STOP
    assert writer.state is State.FINISHED


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(DATA_ONE + START, id="data before START"),
        pytest.param(STOP, id="STOP without START"),
        pytest.param(START + DATA_ONE + START, id="START twice"),
    ],
)
def test_rule_07_start_only_first(wire: bytes) -> None:
    """And nothing before it."""
    assert isinstance(read(wire).error, UnexpectedFrameError)


def test_rule_07_stop_only_last() -> None:
    """Bytes after STOP, of any kind, are not part of the stream, and are left unread."""
    for rest in (DATA_ONE, STOP, START, b"\xff"):
        outcome = read(START + DATA_ONE + STOP + rest)
        assert outcome.payloads == [b"1"]
        assert outcome.state is State.FINISHED
        assert outcome.unread == len(rest)


@pytest.mark.parametrize("wire", [START, START + DATA_ONE], ids=["no data", "data"])
def test_rule_07_the_end_of_input_without_stop(wire: bytes, tmp_path: Path) -> None:
    """A live stream may end so, a file may not; and neither inside a frame."""
    assert read(wire, eof=True).error is None
    assert isinstance(read(wire, file_reader, eof=True).error, TruncatedStreamError)
    assert isinstance(read(wire + DATA_TWO[:-1], eof=True).error, TruncatedStreamError)
    path = tmp_path / "file"
    path.write_bytes(wire)
    with read_file(path) as reader, pytest.raises(TruncatedStreamError):
        list(reader)


def test_rule_08_bidirectional_streams() -> None:
    """READY, ACCEPT, START, data, STOP, FINISH, by turns."""
    outcome = read(READY + START + DATA_ONE + DATA_TWO + STOP)
    assert (outcome.payloads, outcome.sent, outcome.state) == ([b"1", b"22"], ACCEPT + FINISH, State.FINISHED)
    written = write(ACCEPT, FINISH, partial(WriterProtocol, [DNSTAP]), payloads=[b"1", b"22"])
    assert written.sent == [READY, START, DATA_ONE + DATA_TWO + STOP]
    assert written.state is State.FINISHED


def test_rule_08_the_writer_waits_for_accept() -> None:
    """START comes only after it, and data after START."""
    writer = WriterProtocol([DNSTAP])
    writer.start()
    assert writer.data_to_send() == READY
    for byte in singly(ACCEPT):
        assert writer.data_to_send() == b""
        with pytest.raises(LocalProtocolError):
            writer.send([b"1"])
        writer.receive_data(byte)
    assert writer.data_to_send() == START


@pytest.mark.parametrize(
    ("first", "transport"),
    [(READY, Transport.BIDIRECTIONAL), (START, Transport.UNIDIRECTIONAL)],
    ids=["READY", "START"],
)
def test_rule_08_the_first_frame_tells_the_kind_of_stream(first: bytes, transport: Transport) -> None:
    """A reader needs no setting for it."""
    reader = ReaderProtocol([DNSTAP])
    reader.receive_data(first)
    assert reader.payloads() == []
    assert reader.transport is transport


def _write_to(sock: socket.socket, received: list[bytes]) -> None:
    """The part of a writer in a bidirectional stream: none of our own code."""
    sock.sendall(READY)
    received.append(sock.recv(42, socket.MSG_WAITALL))
    sock.sendall(START + DATA_ONE + STOP)
    received.append(sock.recv(12, socket.MSG_WAITALL))


def _read_from(sock: socket.socket, received: list[bytes]) -> None:
    """The part of a reader."""
    received.append(sock.recv(42, socket.MSG_WAITALL))
    sock.sendall(ACCEPT)
    received.append(sock.recv(42 + 5 + 12, socket.MSG_WAITALL))
    sock.sendall(FINISH)


def _our_reader(sock: socket.socket) -> None:
    reader = ReaderProtocol([DNSTAP])
    got: list[bytes] = []
    while reader.state is not State.FINISHED:
        reader.receive_data(sock.recv(1 << 16))
        while payloads := reader.payloads():
            got += payloads
        sock.sendall(reader.data_to_send())
    assert got == [b"1"]


def _our_writer(sock: socket.socket) -> None:
    writer = WriterProtocol([DNSTAP])
    writer.start()
    sock.sendall(writer.data_to_send())
    while (state := writer.state) is not State.STREAMING:
        assert state is State.OFFERED
        writer.receive_data(sock.recv(1 << 16))
    writer.send([b"1"])
    writer.stop()
    sock.sendall(writer.data_to_send())
    while writer.state is not State.FINISHED:
        writer.receive_data(sock.recv(1 << 16))


@pytest.mark.parametrize("we_listen", [True, False], ids=["we listen", "we connect"])
@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        pytest.param(_our_reader, _write_to, [ACCEPT, FINISH], id="as a reader"),
        pytest.param(_our_writer, _read_from, [READY, START + DATA_ONE + STOP], id="as a writer"),
    ],
)
def test_rule_09_roles_are_not_who_listens(
    ours: Callable[[socket.socket], None],
    theirs: Callable[[socket.socket, list[bytes]], None],
    expected: list[bytes],
    we_listen: bool,
    tmp_path: Path,
) -> None:
    """All four combinations work: the protocol does not know which end connected."""
    path = str(tmp_path / "socket")
    received: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as connected:
        listening.bind(path)
        listening.listen()
        connected.connect(path)
        accepted, _ = listening.accept()
        with accepted, Threads() as pool:
            here, there = (accepted, connected) if we_listen else (connected, accepted)
            here.settimeout(DEADLINE_S)
            there.settimeout(DEADLINE_S)
            running = pool.submit(theirs, there, received)
            ours(here)
            running.result(DEADLINE_S)
    assert received == expected


def test_rule_10_unknown_control_frames_among_data_are_ignored() -> None:
    """And counted, and change nothing else."""
    for before in (START, READY + START):
        outcome = read(before + UNKNOWN + DATA_ONE + UNKNOWN + DATA_TWO + UNKNOWN + STOP)
        assert outcome.payloads == [b"1", b"22"]
        assert outcome.unknown_control_frames == 3
        assert outcome.state is State.FINISHED


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(UNKNOWN, id="instead of START"),
        pytest.param(READY + UNKNOWN, id="between READY and START"),
    ],
)
def test_rule_10_unknown_control_frames_elsewhere_are_not(wire: bytes) -> None:
    """There is nothing but the handshake then."""
    assert isinstance(read(wire).error, UnexpectedFrameError)


@pytest.mark.parametrize("frame", [READY, ACCEPT, START, FINISH], ids=["READY", "ACCEPT", "START", "FINISH"])
def test_rule_10_known_control_frames_among_data_are_errors(frame: bytes) -> None:
    """All but STOP, in either kind of stream; the data before them is given."""
    for before in (START, READY + START):
        outcome = read(before + DATA_ONE + frame + DATA_TWO)
        assert outcome.payloads == [b"1"]
        assert isinstance(outcome.error, UnexpectedFrameError)
        assert outcome.error.offset == len(before) + 5


def test_rule_11_no_content_types_match_anything() -> None:
    """On either side, of either end."""
    assert read(READY_ANY, partial(ReaderProtocol, [DNSTAP])).sent == ACCEPT
    assert read(READY).sent == ACCEPT
    assert read(READY_ANY).sent == ACCEPT_ANY
    assert read(START_UNNAMED, partial(ReaderProtocol, [DNSTAP])).error is None
    assert write(ACCEPT).sent == [READY_ANY, START_UNNAMED]


def test_rule_11_comparison_is_exact() -> None:
    """Neither a prefix nor another case is the same."""
    for other in (b"a", b"", b"AB", b"A\0"):
        assert isinstance(read(READY_A_B, partial(ReaderProtocol, [other])).error, ContentTypeError)


def test_rule_11_each_side_has_its_own_order() -> None:
    """A reader accepts the first of its list alone; a writer starts by the first of its own that was accepted."""
    assert read(READY_A_B, partial(ReaderProtocol, [b"B", b"C", b"A"])).sent == ACCEPT_B
    assert write(ACCEPT_B_A, make=partial(WriterProtocol, [b"A", b"B"])).sent == [READY_A_B, START_A]
    assert write(ACCEPT_B, make=partial(WriterProtocol, [b"A", b"B"])).sent == [READY_A_B, START_B]


def test_rule_11_nothing_in_common_is_not_answered() -> None:
    """An ACCEPT without content types would be taken for a yes."""
    outcome = read(READY_A_B, partial(ReaderProtocol, [DNSTAP]))
    assert isinstance(outcome.error, ContentTypeError)
    assert outcome.sent == b""


def test_rule_11_an_accept_without_content_types_is_a_yes() -> None:
    """To the first of those that were offered."""
    assert write(ACCEPT_ANY, make=partial(WriterProtocol, [b"A", b"B"])).sent == [READY_A_B, START_A]


def test_rule_11_an_accept_of_something_else_is_an_error() -> None:
    """The reader has not understood."""
    outcome = write(ACCEPT, make=partial(WriterProtocol, [b"A", b"B"]))
    assert isinstance(outcome.error, ContentTypeError)
    assert outcome.sent == [READY_A_B]


def test_rule_12_start_must_name_what_was_accepted() -> None:
    """B was offered, and is not what A is, which alone was accepted."""
    a_reader = partial(ReaderProtocol, [b"A"])
    assert read(READY_A_B + START_A + DATA_ONE, a_reader).payloads == [b"1"]
    outcome = read(READY_A_B + START_B + DATA_ONE, a_reader)
    assert isinstance(outcome.error, ContentTypeError)
    assert outcome.payloads == []
    assert isinstance(read(READY + START_A).error, ContentTypeError)


def test_rule_12_the_content_type_is_that_of_start() -> None:
    """Not one of READY."""
    outcome = read(READY_A_B)
    assert outcome.content_type is None
    outcome = read(READY_A_B + START_B, partial(ReaderProtocol, [b"B", b"A"]))
    assert outcome.content_type == b"B"
    outcome = read(READY_A_B + START_UNNAMED)
    assert outcome.content_type is None


@pytest.fixture(params=FRONTS)
def _front(request: pytest.FixtureRequest) -> Iterator[None]:
    with using(request.param):
        yield


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Path]:
    """A listener that sends nothing, and reads nothing that the system has taken."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        yield path


@pytest.mark.usefixtures("_front")
def test_rule_13_a_writer_does_not_wait_for_ever_for_accept(silent: Path) -> None:
    with pytest.raises(TimeoutError, match=r"no ACCEPT within 0\.05 s"):
        open_writer(silent, [DNSTAP], deadlines=Deadlines(handshake_s=0.05))


@pytest.mark.usefixtures("_front")
@pytest.mark.parametrize("said", [b"", READY, READY[:9]], ids=["nothing", "READY", "half of READY"])
def test_rule_13_a_reader_does_not_wait_for_ever_for_start(tmp_path: Path, said: bytes) -> None:
    short = Deadlines(handshake_s=0.05)
    with (
        listen_reader(tmp_path / "socket", [DNSTAP], deadlines=short) as listener,
        socket.socket(socket.AF_UNIX) as writer,
    ):
        writer.connect(str(tmp_path / "socket"))
        writer.sendall(said)
        with listener.accept() as reader, pytest.raises(TimeoutError, match=r"no START within 0\.05 s"):
            list(reader)


@pytest.mark.usefixtures("_front")
def test_rule_13_a_writer_does_not_wait_for_ever_for_finish(tmp_path: Path) -> None:
    """fstrm#69: a collector that is stuck keeps named from shutting down."""
    with socket.socket(socket.AF_UNIX) as listening, Threads() as pool:
        listening.bind(str(tmp_path / "socket"))
        listening.listen()
        opening = pool.submit(open_writer, tmp_path / "socket", [DNSTAP], deadlines=Deadlines(finish_s=0.05))
        sock, _ = listening.accept()
        with sock:
            sock.sendall(ACCEPT)
            writer = opening.result(DEADLINE_S)
            with pytest.raises(TimeoutError, match=r"no FINISH within 0\.05 s"):
                writer.close()


@pytest.mark.usefixtures("_front")
def test_rule_13_a_writer_does_not_wait_for_ever_to_be_read(silent: Path) -> None:
    writer = open_writer(silent, transport=Transport.UNIDIRECTIONAL, deadlines=Deadlines(write_s=0.05))
    with pytest.raises(TimeoutError):
        writer.write_many([bytes(1 << 20)] * 8)
    writer.close()


@pytest.mark.usefixtures("_front")
def test_rule_13_data_may_be_idle(tmp_path: Path) -> None:
    """Longer than any of the time limits."""
    short = Deadlines(connect_s=0.5, handshake_s=0.5, write_s=0.5, finish_s=0.5)
    path = tmp_path / "socket"
    with (
        listen_reader(path, deadlines=short) as listener,
        open_writer(path, transport=Transport.UNIDIRECTIONAL, deadlines=short) as writer,
        listener.accept() as reader,
        Threads() as pool,
    ):
        reader.handshake()
        reading = pool.submit(list, reader)
        with pytest.raises(TimeoutError):
            reading.result(0.7)
        writer.write(b"1")
        writer.close()
        assert reading.result(DEADLINE_S) == [b"1"]


@pytest.mark.parametrize(
    ("length", "good"),
    [
        pytest.param(b"\x00\x10\x00\x00", True, id="1,048,576"),
        pytest.param(b"\x00\x10\x00\x01", False, id="1,048,577"),
        pytest.param(b"\xff\xff\xff\xff", False, id="ffffffff"),
    ],
)
def test_rule_14_data_frames_are_limited_to_1_mib(length: bytes, good: bool) -> None:
    """The length alone is enough to refuse more; a writer does not send more."""
    outcome = read(START + DATA_ONE + length)
    assert outcome.payloads == [b"1"]
    assert (outcome.error is None) is good
    if not good:
        assert isinstance(outcome.error, FrameTooLargeError)
        with pytest.raises(LocalProtocolError):
            encode_data_frames([bytes(1_048_577)])
    else:
        assert encode_data_frames([bytes(1_048_576)])[:4] == length


@pytest.mark.parametrize("limit", [1, 98_304, 262_144, 4_194_304])
def test_rule_14_the_limit_can_be_set(limit: int) -> None:
    """To those of other implementations, and any other."""
    fits = limit.to_bytes(4, "big")  # length
    reader = ReaderProtocol(max_data_bytes=limit)
    reader.receive_data(START + fits + bytes(limit))
    assert list(map(len, reader.payloads())) == [limit]
    reader.receive_data((limit + 1).to_bytes(4, "big"))  # length
    with pytest.raises(FrameTooLargeError):
        reader.payloads()


def test_rule_14_oversize_frames_can_be_skipped() -> None:
    """They are counted and the stream stays in sync, for any contents."""
    large = (
        b"\x00\x00\x00\x0c"  # length: 12
        b"\x00\x00\x00\x00"  # payload that looks like the escape sequence,
        b"\x00\x00\x00\x04"  # a control frame length
        b"\x00\x00\x00\x03"  # and STOP
    )
    wire = START + DATA_ONE + large + DATA_TWO + STOP
    outcome = read(wire, partial(ReaderProtocol, max_data_bytes=2, oversize="skip"))
    assert (outcome.payloads, outcome.state) == ([b"1", b"22"], State.FINISHED)
    assert decode(wire, partial(FrameDecoder, max_data_bytes=2, oversize="skip")).skipped == (1, 12)
    outcome = read(wire, partial(ReaderProtocol, max_data_bytes=2))
    assert outcome.payloads == [b"1"]
    assert isinstance(outcome.error, FrameTooLargeError)


def test_rule_15_all_at_once() -> None:
    """READY, START, a hundred data frames and STOP in one read."""
    outcome = read(READY + START + 100 * DATA_TWO + STOP)
    assert outcome.payloads == 100 * [b"22"]
    assert outcome.sent == ACCEPT + FINISH


def test_rule_15_split_anywhere() -> None:
    """In two at each of its bytes; `read` itself has it in single bytes too."""
    wire = READY + START + DATA_ONE + UNKNOWN + DATA_TWO + STOP
    whole = read(wire)
    for position in range(len(wire)):
        reader = ReaderProtocol()
        got: list[bytes] = []
        sent = b""
        for part in (wire[:position], wire[position:]):
            reader.receive_data(part)
            while payloads := reader.payloads():
                got += payloads
            sent += reader.data_to_send()
        assert (got, sent, reader.state) == (whole.payloads, whole.sent, whole.state)


def test_rule_15_accept_byte_by_byte() -> None:
    """A writer answers once the last byte has been received."""
    writer = WriterProtocol([DNSTAP])
    writer.start()
    answers = [writer.data_to_send()]
    for byte in singly(ACCEPT):
        writer.receive_data(byte)
        answers.append(writer.data_to_send())
    assert answers == [READY, *41 * [b""], START]


def test_rule_16_each_call_is_on_its_way_when_it_returns(tmp_path: Path) -> None:
    """Nothing waits in a buffer of ours, neither control frames nor data."""
    path = tmp_path / "file"
    with write_file(path, [DNSTAP]) as writer:
        assert path.read_bytes() == START
        writer.write(b"1")
        assert path.read_bytes() == START + DATA_ONE
        writer.write_many([b"22", b"1"])
        assert path.read_bytes() == START + DATA_ONE + DATA_TWO + DATA_ONE
    assert path.read_bytes() == START + DATA_ONE + DATA_TWO + DATA_ONE + STOP


@pytest.mark.usefixtures("_front")
def test_rule_16_what_waits_for_a_batch_is_sent_all_the_same(tmp_path: Path) -> None:
    """Once a second by default."""
    assert Batching().max_s == 1.0
    path = tmp_path / "file"
    with write_file(path, [DNSTAP], batching=Batching(max_bytes=1 << 20, max_s=0.05)) as writer:
        writer.write(b"1")
        assert path.read_bytes() == START
        wait_for(lambda: path.read_bytes() == START + DATA_ONE, "the frame")


def test_rule_16_what_comes_is_given_at_once(tmp_path: Path) -> None:
    """A reader gives each data frame as it comes, however long the next one takes."""
    path = tmp_path / "socket"
    with listen_reader(path) as listener:
        writer = open_writer(path, transport=Transport.UNIDIRECTIONAL)
        with listener.accept() as reader:
            payloads = iter(reader)
            for payload in (b"1", b"22"):
                writer.write(payload)
                assert next(payloads) == payload
            writer.close()
            assert list(payloads) == []


def test_ready_of_every_server() -> None:
    """42 bytes, to which there is one answer."""
    assert READY.hex() == ("000000000000002200000004000000010000001670726f746f6275663a646e737461702e446e73746170")
    assert len(READY) == 42
    assert encode_control_frame(ControlFrame(ControlType.READY, (DNSTAP,))) == READY
    assert decode(READY).frames == [ControlFrame(ControlType.READY, (DNSTAP,))]
    outcome = read(READY, partial(ReaderProtocol, [DNSTAP]))
    assert outcome.sent == ACCEPT
    assert outcome.sent.hex() == (
        "000000000000002200000001000000010000001670726f746f6275663a646e737461702e446e73746170"
    )


def test_stop_and_finish_of_every_server() -> None:
    """12 bytes each."""
    assert STOP.hex() == "000000000000000400000003"
    assert FINISH.hex() == "000000000000000400000005"
    assert encode_control_frame(ControlFrame(ControlType.STOP)) == STOP
    assert encode_control_frame(ControlFrame(ControlType.FINISH)) == FINISH
    outcome = read(READY + START + STOP, partial(ReaderProtocol, [DNSTAP]))
    assert outcome.sent == ACCEPT + FINISH


@pytest.mark.parametrize(
    "capture", sorted((Path(__file__).parents[1] / "data").glob("*.fstrm")), ids=lambda path: path.stem
)
def test_captures_begin_and_end_as_all_do(capture: Path) -> None:
    """Captures of servers and tools: START, data, and STOP unless the file is cut."""
    wire = capture.read_bytes()
    assert wire[:42] == START
    reader = file_reader([DNSTAP])
    reader.receive_data(wire)
    reader.receive_eof()
    got: list[bytes] = []
    try:
        while payloads := reader.payloads():
            got += payloads
    except TruncatedStreamError:
        assert capture.stem.endswith("-cut")
    else:
        assert wire[-12:] == STOP
        assert not capture.stem.endswith("-cut")
    assert got
    assert wire.startswith(START + encode_data_frames(got))


def test_every_rule_has_a_test() -> None:
    tested = {int(match[1]) for name in globals() if (match := re.match(r"test_rule_(\d\d)_", name))}
    assert tested == {*range(1, 17)}


def test_every_error_is_a_remote_one() -> None:
    """The base class is enough to catch what a peer can do."""
    for kind in (ContentTypeError, ControlFrameError, FrameTooLargeError, TruncatedStreamError, UnexpectedFrameError):
        assert issubclass(kind, RemoteProtocolError)
