"""framestream.frames: length words and the escape sequence."""

import time
import tracemalloc
from functools import partial
from typing import Any

import pytest

from framestream.control import MAX_CONTROL_BYTES, ControlFrame, ControlType
from framestream.errors import ControlFrameError, FrameTooLargeError, LocalProtocolError
from framestream.frames import MAX_DATA_BYTES, EncodedFrames, FrameDecoder, encode_control_frame, encode_data_frames
from tests.framestream.wire import DNSTAP, START, STOP, control, data, decode, singly, word
from tests.wait import DEADLINE_S

STARTED = ControlFrame(ControlType.START, (DNSTAP,))
STOPPED = ControlFrame(ControlType.STOP)

small = partial(FrameDecoder, max_data_bytes=4)
skipping = partial(FrameDecoder, max_data_bytes=4, oversize="skip")


@pytest.mark.parametrize(
    ("wire", "frames"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(data(b"a"), [b"a"], id="the smallest data frame"),
        pytest.param(data(b"a", b"bc", b"def"), [b"a", b"bc", b"def"], id="a run of data frames"),
        pytest.param(data(b"\0\0\0\0"), [b"\0\0\0\0"], id="a payload like the escape sequence"),
        pytest.param(data(bytes(300)), [bytes(300)], id="a length of two bytes"),
        pytest.param(START, [STARTED], id="a control frame"),
        pytest.param(START + STOP, [STARTED, STOPPED], id="control frames in a row"),
        pytest.param(
            START + data(b"a", b"b") + STOP + data(b"c"), [STARTED, b"a", b"b", STOPPED, b"c"], id="both by turns"
        ),
        pytest.param(control(77), [ControlFrame(77)], id="a control frame of unknown type"),
    ],
)
def test_whole_frames(wire: bytes, frames: list[bytes | ControlFrame]) -> None:
    outcome = decode(wire)
    assert outcome.frames == frames
    assert outcome.error is None
    assert (outcome.offset, outcome.unread, outcome.missing) == (len(wire), 0, None)


@pytest.mark.parametrize(
    ("wire", "came", "needed"),
    [
        pytest.param(b"\0", 1, 4, id="a byte of the length word"),
        pytest.param(b"\0\0\0", 3, 4, id="three bytes of the length word"),
        pytest.param(word(5), 4, 9, id="the length word alone"),
        pytest.param(word(5) + b"abcd", 8, 9, id="all but one byte of a payload"),
        pytest.param(word(0), 4, 8, id="the escape sequence alone"),
        pytest.param(word(0) + b"\0\0\0", 7, 8, id="three bytes of the control frame length"),
        pytest.param(word(0) + word(4), 8, 12, id="a control frame without payload"),
        pytest.param(STOP[:-1], 11, 12, id="all but one byte of STOP"),
    ],
)
def test_partial_frames(wire: bytes, came: int, needed: int) -> None:
    for before, frames in ((b"", []), (data(b"a"), [b"a"]), (STOP, [STOPPED])):
        outcome = decode(before + wire)
        assert outcome.frames == frames
        assert (outcome.offset, outcome.unread, outcome.missing) == (len(before), len(wire), (came, needed))


def test_nothing_is_missing_before_the_frames_have_been_asked_for() -> None:
    decoder = FrameDecoder()
    decoder.receive_data(word(5))
    assert decoder.missing() is None
    assert decoder.next_payloads() is None
    assert decoder.missing() == (4, 9)


def test_a_run_ends_at_a_control_frame() -> None:
    """Payloads are returned before the control frame after them is decoded, even if that is malformed."""
    decoder = FrameDecoder()
    decoder.receive_data(data(b"a", b"b") + word(0) + word(0))
    assert decoder.next_payloads() == [b"a", b"b"]
    with pytest.raises(ControlFrameError):
        decoder.next_payloads()


def test_bytes_come_before_the_last_have_been_asked_for() -> None:
    decoder = FrameDecoder()
    for byte in singly(data(b"a", b"bc") + STOP):
        decoder.receive_data(byte)
    assert decoder.unread == 23
    assert decoder.next_payloads() == [b"a", b"bc"]
    assert (decoder.offset, decoder.unread) == (11, 12)
    decoder.receive_data(data(b"d"))
    assert decoder.next_payloads() == STOPPED
    assert decoder.next_payloads() == [b"d"]
    assert decoder.offset == 28


def test_next_word_is_known_by_its_four_bytes() -> None:
    """Before they have been asked for as a frame, too."""
    decoder = FrameDecoder()
    decoder.receive_data(b"\0\0\0")
    assert decoder.next_word() is None
    decoder.receive_data(b"\5")
    assert decoder.next_word() == 5


def test_next_word_and_peek() -> None:
    decoder = FrameDecoder()
    wire = data(b"abcdef") + STOP
    for count, byte in enumerate(singly(wire[:9])):
        assert decoder.next_word() == (None if count < 4 else 6)
        assert decoder.peek(16) == wire[:count]
        decoder.receive_data(byte)
        assert decoder.next_payloads() is None
    assert decoder.peek(5) == wire[:5]
    decoder.receive_data(wire[9:] + b"\0")
    assert decoder.next_word() == 6
    assert decoder.peek(16) == wire[:16]
    assert decoder.next_payloads() == [b"abcdef"]
    assert decoder.next_word() == 0
    assert decoder.peek(5) == STOP[:5]
    assert decoder.next_payloads() == STOPPED
    assert decoder.next_word() is None
    assert decoder.peek(16) == b"\0"


@pytest.mark.parametrize(
    "before", [b"", data(b"good"), START, data(b"a") + STOP], ids=["first", "data", "control", "both"]
)
@pytest.mark.parametrize(
    ("bad", "error"),
    [
        pytest.param(word(5), FrameTooLargeError(5, 4, 0), id="a data frame that is one too long"),
        pytest.param(word(0xFFFFFFFF), FrameTooLargeError(0xFFFFFFFF, 4, 0), id="a data frame of 4 GiB"),
        *(
            pytest.param(
                word(0) + word(size) + bytes(size),
                ControlFrameError("a control frame of at least 4 bytes", f"one of {size}", 0),
                id=f"a control frame of {size}",
            )
            for size in range(4)
        ),
        pytest.param(
            word(0) + word(513),
            ControlFrameError("a control frame of at most 512 bytes", "one of 513", 0),
            id="a control frame that is one too long",
        ),
        pytest.param(
            word(0) + word(0xFFFFFFFF),
            ControlFrameError("a control frame of at most 512 bytes", "one of 4294967295", 0),
            id="a control frame of 4 GiB",
        ),
    ],
)
def test_faults(before: bytes, bad: bytes, error: FrameTooLargeError | ControlFrameError) -> None:
    """Raised as soon as the length is known, after all good frames, and with the frame's own offset."""
    good = decode(before, small)
    outcome = decode(before + bad, small)
    assert outcome.frames == good.frames
    assert type(outcome.error) is type(error)
    assert outcome.error is not None
    assert (outcome.error.expected, outcome.error.got) == (error.expected, error.got)
    assert outcome.error.offset == outcome.offset == len(before)
    assert decode(before + bad, partial(FrameDecoder, max_data_bytes=4, offset=1000)).offset == 1000 + len(before)


def test_the_fault_stays_when_more_bytes_come() -> None:
    decoder = small()
    for chunk in (word(5), b"abcde", data(b"a")):
        decoder.receive_data(chunk)
        with pytest.raises(FrameTooLargeError) as caught:
            decoder.next_payloads()
        assert (caught.value.size, caught.value.limit, caught.value.offset) == (5, 4, 0)


def test_limits_are_inclusive() -> None:
    assert MAX_DATA_BYTES == 1_048_576
    assert decode(data(b"abcd"), small).frames == [b"abcd"]
    longest = FrameDecoder()
    longest.receive_data(data(bytes(MAX_DATA_BYTES)))
    assert longest.next_payloads() == [bytes(MAX_DATA_BYTES)]
    wire = control(77, fields=bytes(MAX_CONTROL_BYTES - 4))
    assert decode(wire).frames == [ControlFrame(77)]
    wire = control(77, fields=bytes(MAX_CONTROL_BYTES - 3))
    assert isinstance(decode(wire).error, ControlFrameError)
    assert decode(wire, partial(FrameDecoder, max_control_bytes=513)).frames == [ControlFrame(77)]


@pytest.mark.parametrize(
    ("wire", "frames", "skipped"),
    [
        pytest.param(data(b"abcde"), [], (1, 5), id="alone"),
        pytest.param(data(b"a", b"bcdef", b"g"), [b"a", b"g"], (1, 5), id="between"),
        pytest.param(data(b"abcde", bytes(9), b"z"), [b"z"], (2, 14), id="two in a row"),
        pytest.param(data(STOP) + STOP, [STOPPED], (1, 12), id="with a control frame for payload"),
    ],
)
def test_skip(wire: bytes, frames: list[bytes | ControlFrame], skipped: tuple[int, int]) -> None:
    outcome = decode(wire, skipping)
    assert outcome.frames == frames
    assert outcome.skipped == skipped
    assert (outcome.offset, outcome.unread, outcome.missing) == (len(wire), 0, None)


def test_skip_counts_what_is_still_to_come() -> None:
    outcome = decode(data(b"a") + word(10) + b"abc", skipping)
    assert outcome.frames == [b"a"]
    assert (outcome.skipped, outcome.unread, outcome.missing) == ((1, 10), 0, (0, 7))
    # The offset is that of the end of what came, where an input that ends here is cut.
    assert outcome.offset == 12


def test_skip_between_encoded_frames() -> None:
    decoder = skipping()
    decoder.receive_data(data(b"abcde", b"a", bytes(9), bytes(5), b"z") + STOP)
    runs = [decoder.next_encoded() for _ in range(4)]
    assert runs == [EncodedFrames(data(b"a"), 1), EncodedFrames(data(b"z"), 1), STOPPED, None]
    assert (decoder.skipped_frames, decoder.skipped_bytes) == (3, 19)


def test_skip_is_of_data_frames_only() -> None:
    assert isinstance(decode(word(0) + word(513), skipping).error, ControlFrameError)


def test_skipped_frames_are_never_buffered() -> None:
    """4 GiB are announced and 64 MiB come: nothing of it stays."""
    decoder = skipping()
    chunk = bytes(1 << 20)
    decoder.receive_data(word(0xFFFFFFFF))
    tracemalloc.start()
    try:
        for _ in range(64):
            decoder.receive_data(chunk)
            assert decoder.next_payloads() is None
            assert decoder.unread == 0
        assert tracemalloc.get_traced_memory()[1] < 2 * len(chunk)
    finally:
        tracemalloc.stop()
    assert decoder.missing() == (0, 0xFFFFFFFF - 64 * len(chunk))


def test_a_large_frame_in_small_pieces_takes_linear_time() -> None:
    """If the partial frame were copied for each byte, that would be 640 GB."""
    size = 64 << 20
    wire = data(bytes(size), b"next")
    few = len(wire) - 10_000
    decoder = FrameDecoder(max_data_bytes=size)
    decoder.receive_data(wire[:few])
    got: list[bytes] = []
    end = time.monotonic() + DEADLINE_S
    for byte in singly(wire[few:]):
        if payloads := decoder.next_payloads():
            assert isinstance(payloads, list)
            got += payloads
        decoder.receive_data(byte)
        assert time.monotonic() < end
    assert decoder.next_payloads() == [b"next"]
    assert list(map(len, got)) == [size]


def test_the_largest_frame_in_small_pieces() -> None:
    wire = data(bytes(MAX_DATA_BYTES), b"next")
    decoder = FrameDecoder()
    got: list[bytes] = []
    for start in range(0, len(wire), 64):
        decoder.receive_data(wire[start : start + 64])
        while payloads := decoder.next_payloads():
            assert isinstance(payloads, list)
            got += payloads
    assert got == [bytes(MAX_DATA_BYTES), b"next"]


@pytest.mark.parametrize(
    ("make", "wire"),
    [
        pytest.param(FrameDecoder, START + data(b"a") + STOP, id="tiny streams"),
        pytest.param(FrameDecoder, control(77), id="unknown control frames"),
        pytest.param(skipping, data(b"abcde") + STOP, id="tiny skipped frames"),
    ],
)
def test_many_frames_in_one_chunk_take_linear_time(make: "partial[FrameDecoder]", wire: bytes) -> None:
    """Were the rest of the chunk copied for each frame, it would be 320 GB and more."""
    count = 5_000 * len(decode(wire, make).frames)
    decoder = make()
    decoder.receive_data(5_000 * wire + bytes(64 << 20))
    end = time.monotonic() + DEADLINE_S
    for _ in range(count):
        assert decoder.next_payloads() is not None
        assert time.monotonic() < end
    assert decoder.offset == 5_000 * len(wire)


def test_encode_data_frames() -> None:
    assert encode_data_frames([]) == b""
    assert encode_data_frames([b"a", bytes(300)]) == b"\0\0\0\1a\0\0\1\x2c" + bytes(300)
    assert encode_data_frames(iter([b"abcd"]), 4) == data(b"abcd")


@pytest.mark.parametrize("payload", [b"", b"abcde"], ids=["empty", "too long"])
def test_encode_data_frames_refuses(payload: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        encode_data_frames([b"good", payload], 4)


def test_encode_control_frame() -> None:
    assert encode_control_frame(STARTED) == START
    assert encode_control_frame(STOPPED) == STOP
    with pytest.raises(LocalProtocolError):
        encode_control_frame(ControlFrame(ControlType.STOP, (DNSTAP,)))


class TestEncodedFrames:
    def test_runs_as_received(self) -> None:
        """Control frames and partial frames are those of `next_payloads`."""
        decoder = FrameDecoder()
        wire = data(b"a", b"bc")
        decoder.receive_data(wire + STOP + data(b"d")[:-1])
        frames = decoder.next_encoded()
        assert frames == EncodedFrames(wire, 2)
        assert isinstance(frames, EncodedFrames)
        assert (frames.payloads(), frames.payload_bytes) == ([b"a", b"bc"], 3)
        assert decoder.next_encoded() == STOPPED
        assert decoder.next_encoded() is None
        decoder.receive_data(data(b"d")[-1:])
        assert decoder.next_payloads() == [b"d"]

    def test_of_payloads(self) -> None:
        longest = bytes(MAX_DATA_BYTES + 1)
        assert EncodedFrames.of([b"a", longest]) == (data(b"a", longest), 2)
        assert EncodedFrames.of([b"a", longest]).payloads() == [b"a", longest]
        assert EncodedFrames.of([]) == (b"", 0)
        with pytest.raises(LocalProtocolError, match="not 0"):
            EncodedFrames.of([b""])


def test_payloads_that_are_not_bytes() -> None:
    """Only these are blamed for a TypeError."""
    for payloads in (["text"], [5], [b"a", None]):
        with pytest.raises(TypeError, match=f"^payload: expected bytes, got {payloads[-1]!r} of type "):
            encode_data_frames(payloads)  # type: ignore[arg-type]
    views: list[Any] = [bytearray(b"a"), memoryview(b"bc")]
    assert encode_data_frames(views) == data(b"a", b"bc")
    with pytest.raises(TypeError, match="not supported between"):
        encode_data_frames([b"a"], "5")  # type: ignore[arg-type]


def test_oversize() -> None:
    with pytest.raises(ValueError, match=r"^oversize: expected 'error' or 'skip', got 'drop'$"):
        FrameDecoder(oversize="drop")  # type: ignore[arg-type]
