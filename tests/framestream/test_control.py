"""framestream.control: one control frame payload."""

import pytest

from framestream.control import (
    MAX_CONTENT_TYPE_BYTES,
    MAX_CONTROL_BYTES,
    MAX_SENT_CONTROL_BYTES,
    ControlFrame,
    ControlType,
    decode_control,
    encode_control,
)
from framestream.errors import ControlFrameError, LocalProtocolError
from tests.framestream.wire import DNSTAP, content_type, control, decode, word

GOOD = [
    pytest.param(word(3), ControlFrame(ControlType.STOP), id="STOP"),
    pytest.param(word(5), ControlFrame(ControlType.FINISH), id="FINISH"),
    pytest.param(word(4), ControlFrame(ControlType.READY), id="READY of anything"),
    pytest.param(word(1), ControlFrame(ControlType.ACCEPT), id="ACCEPT of anything"),
    pytest.param(word(2), ControlFrame(ControlType.START), id="START of an unnamed type"),
    pytest.param(word(2) + content_type(DNSTAP), ControlFrame(ControlType.START, (DNSTAP,)), id="START"),
    pytest.param(
        word(4) + content_type(b"a") + content_type(DNSTAP),
        ControlFrame(ControlType.READY, (b"a", DNSTAP)),
        id="READY of two",
    ),
    pytest.param(
        word(1) + content_type(b"a") + content_type(b"a"),
        ControlFrame(ControlType.ACCEPT, (b"a", b"a")),
        id="ACCEPT of the same twice",
    ),
    pytest.param(word(2) + content_type(b""), ControlFrame(ControlType.START, (b"",)), id="an empty content type"),
    pytest.param(word(2) + content_type(b"a\0b"), ControlFrame(ControlType.START, (b"a\0b",)), id="NUL"),
    pytest.param(
        word(2) + content_type(bytes(256)),
        ControlFrame(ControlType.START, (bytes(256),)),
        id="the longest content type",
    ),
    pytest.param(
        word(4) + 62 * content_type(b""), ControlFrame(ControlType.READY, 62 * (b"",)), id="the most content types sent"
    ),
]

RECEIVED_ONLY = [
    pytest.param(
        word(4) + 63 * content_type(b""), ControlFrame(ControlType.READY, 63 * (b"",)), id="more than is wise to send"
    ),
    pytest.param(word(0), ControlFrame(0), id="type 0"),
    pytest.param(word(6), ControlFrame(6), id="type 6"),
    pytest.param(word(0xFFFFFFFF) + b"anything", ControlFrame(0xFFFFFFFF), id="an unknown type with bytes of its own"),
    pytest.param(word(9) + content_type(b"a"), ControlFrame(9), id="an unknown type with a content type"),
]

BAD = [
    pytest.param(b"", id="no type"),
    pytest.param(bytes(3), id="three bytes of type"),
    pytest.param(word(3) + b"\0", id="STOP and a byte"),
    pytest.param(word(3) + word(1) + b"\0\0\0", id="STOP and seven bytes"),
    pytest.param(word(3) + content_type(b"a"), id="STOP of a content type"),
    pytest.param(word(5) + content_type(b""), id="FINISH of an empty content type"),
    pytest.param(word(2) + content_type(b"a") + content_type(b"b"), id="START of two"),
    pytest.param(word(4) + word(1), id="a field without length"),
    pytest.param(word(4) + word(1) + word(2) + b"a", id="a content type cut short"),
    pytest.param(word(4) + word(1) + word(1), id="a content type that is not there"),
    pytest.param(word(4) + word(1) + word(0) + b"a", id="a byte after an empty content type"),
    pytest.param(word(4) + word(0) + word(0), id="field type 0"),
    pytest.param(word(4) + word(2) + word(1) + b"a", id="field type 2"),
    pytest.param(word(4) + content_type(DNSTAP) + word(2) + word(0), id="field type 2 after a good one"),
    pytest.param(word(4) + content_type(bytes(257)), id="a content type of 257 bytes"),
    pytest.param(word(4) + word(1) + word(0xFFFFFFFF), id="a content type of 4 GiB"),
]


@pytest.mark.parametrize(("payload", "frame"), GOOD + RECEIVED_ONLY)
def test_decode(payload: bytes, frame: ControlFrame) -> None:
    assert decode_control(payload) == frame
    wire = word(0) + word(len(payload)) + payload
    assert decode(wire).frames == [frame]


@pytest.mark.parametrize(("payload", "frame"), GOOD)
def test_encode(payload: bytes, frame: ControlFrame) -> None:
    assert encode_control(frame) == payload


@pytest.mark.parametrize(("payload", "frame"), GOOD)
def test_lengths_add_up_exactly(payload: bytes, frame: ControlFrame) -> None:
    """A frame that ends anywhere but after a field is malformed, and so is one with more bytes."""
    whole = [
        payload[:4] + b"".join(map(content_type, frame.content_types[:n])) for n in range(len(frame.content_types))
    ]
    for end in range(len(payload)):
        if payload[:end] in whole:
            continue
        with pytest.raises(ControlFrameError):
            decode_control(payload[:end])
    for extra in range(1, 8):
        with pytest.raises(ControlFrameError):
            decode_control(payload + bytes(extra))


@pytest.mark.parametrize("payload", BAD)
def test_malformed(payload: bytes) -> None:
    with pytest.raises(ControlFrameError) as caught:
        decode_control(payload, offset=34)
    assert caught.value.offset == 34
    with pytest.raises(ControlFrameError) as caught:
        decode_control(payload)
    assert caught.value.offset == 0
    outcome = decode(word(0) + word(len(payload)) + payload)
    assert outcome.frames == []
    assert isinstance(outcome.error, ControlFrameError)
    assert outcome.error.offset == 0


def test_decoded_types_are_enum_members_and_unknown_ones_are_numbers() -> None:
    assert isinstance(decode_control(word(1)).type, ControlType)
    assert not isinstance(decode_control(word(6)).type, ControlType)


@pytest.mark.parametrize(
    ("frame", "name"),
    [(ControlFrame(ControlType.START), "START"), (ControlFrame(9), "control frame 9")],
)
def test_name(frame: ControlFrame, name: str) -> None:
    assert frame.name == name


def test_frames_are_values() -> None:
    frame = ControlFrame(ControlType.READY, (DNSTAP,))
    assert frame == ControlFrame(4, (DNSTAP,))
    assert len({frame, ControlFrame(4, (DNSTAP,))}) == 1
    assert not hasattr(frame, "__dict__")
    with pytest.raises(AttributeError):
        frame.type = 5  # type: ignore[misc]


def test_longest_frame_that_is_sent() -> None:
    """503 bytes go, 504 do not: fstrm_capture would drop the connection."""
    fits = ControlFrame(ControlType.READY, (bytes(256), bytes(227)))
    assert len(encode_control(fits)) == MAX_SENT_CONTROL_BYTES == 503
    with pytest.raises(LocalProtocolError):
        encode_control(ControlFrame(ControlType.READY, (bytes(256), bytes(228))))


def test_longest_frame_that_is_received() -> None:
    frame = ControlFrame(ControlType.READY, (bytes(256), bytes(236)))
    wire = control(4, *frame.content_types)
    assert len(wire) == 8 + MAX_CONTROL_BYTES
    assert decode(wire).frames == [frame]


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(ControlFrame(ControlType.START, (b"a", b"b")), id="START of two"),
        pytest.param(ControlFrame(ControlType.STOP, (b"",)), id="STOP of one"),
        pytest.param(ControlFrame(5, (b"",)), id="FINISH by number"),
        pytest.param(ControlFrame(ControlType.READY, (bytes(MAX_CONTENT_TYPE_BYTES + 1),)), id="257 bytes"),
        pytest.param(ControlFrame(ControlType.READY, 63 * (b"",)), id="508 bytes in all"),
        pytest.param(ControlFrame(-1), id="a negative type"),
        pytest.param(ControlFrame(1 << 32), id="a type of 33 bits"),
    ],
)
def test_encode_refuses_what_peers_would(frame: ControlFrame) -> None:
    with pytest.raises(LocalProtocolError):
        encode_control(frame)


@pytest.mark.parametrize("number", [0, 6, 0xFFFFFFFF])
def test_encode_unknown_type(number: int) -> None:
    assert encode_control(ControlFrame(number)) == word(number)
