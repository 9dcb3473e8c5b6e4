"""send_frames: frames of a queue on a connection, until it breaks or the queue is shut down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dnstap import Dnstap, Message, MessageType
from dnstap.content_type import CONTENT_TYPE
from dnstap.tap.counts import TapCounts
from dnstap.tap.drop_log import DropLog
from dnstap.tap.frame_queue import FrameQueue
from dnstap.tap.payloads import Payloads, field_values
from dnstap.tap.sending import send_frames
from framestream import UnixEndpoint, open_writer
from framestream.frames import MAX_DATA_BYTES
from tests.dnstap.tap.receivers import receiving
from tests.wait import wait_for

if TYPE_CHECKING:
    from pathlib import Path

PAYLOADS = Payloads("ns1", None, None, full=True)


def values(wire: Any) -> tuple[Any, ...]:
    return field_values(Message(type=MessageType.CLIENT_QUERY, query_message=wire))


def send(path: Path, *frames: Any) -> tuple[FrameQueue, DropLog]:
    """Send the frames to a receiver, and shut the queue down."""
    queue = FrameQueue(10)
    drops = DropLog(UnixEndpoint(str(path)), queue.counts, 0.0, expects_receiver=True)
    queue.connected = True
    for frame in frames:
        queue.put(frame)
    queue.shutdown()
    with open_writer(path, [CONTENT_TYPE]) as writer:
        send_frames(queue, writer, PAYLOADS, drops, 0.05)
    return queue, drops


def test_frames_are_encoded_and_sent_until_the_queue_is_empty(tmp_path: Path) -> None:
    with receiving(tmp_path / "s") as receiver:
        queue, _ = send(tmp_path / "s", values(b"1"), values(b"2"), b"a payload")
        wait_for(lambda: receiver.finished, "STOP")
    assert queue.counts() == TapCounts(submitted=3, sent=3)
    first, second, third = receiver.payloads
    assert Dnstap.parse(first).identity == b"ns1"
    assert Dnstap.parse(second).message == Message(type=MessageType.CLIENT_QUERY, query_message=b"2")
    assert third == b"a payload"


def test_a_frame_that_cannot_be_sent_is_dropped_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with receiving(tmp_path / "s") as receiver:
        queue, _ = send(tmp_path / "s", values("text"), values(bytes(MAX_DATA_BYTES)), values(b"good"))
        wait_for(lambda: receiver.finished, "STOP")
    assert len(receiver.payloads) == 1
    assert queue.counts() == TapCounts(submitted=3, sent=1, too_large=1, not_encodable=1)
    assert (
        "2 frames dropped: 1 too large, 1 not encodable; the last error was EncodeError: query_message" in caplog.text
    )


def test_frames_wait_again_if_the_receiver_has_gone(tmp_path: Path) -> None:
    queue = FrameQueue(10)
    drops = DropLog(UnixEndpoint("s"), queue.counts, 0.0, expects_receiver=True)
    with receiving(tmp_path / "s") as receiver:
        receiver.breaks = 1
        writer = open_writer(tmp_path / "s", [CONTENT_TYPE])
        writer.write(b"first")
        writer.flush()
        wait_for(writer.gone, "the end of the connection")
        queue.put(values(b"1"))
        with pytest.raises(ConnectionResetError, match="the receiver has closed"):
            send_frames(queue, writer, PAYLOADS, drops, 0.05)
        writer.abort()
    assert queue.counts() == TapCounts(submitted=1, waiting=1)


def test_what_was_written_before_a_connection_breaks_is_not_sent_again(tmp_path: Path) -> None:
    class Breaking:
        """Writer whose connection breaks after one frame."""

        frames = 0

        def gone(self) -> bool:
            return False

        def write_many(self, payloads: list[bytes]) -> None:
            self.frames += 1
            raise BrokenPipeError(f"with {len(payloads) - 1} left")

    queue = FrameQueue(10)
    drops = DropLog(UnixEndpoint("s"), queue.counts, 0.0, expects_receiver=True)
    for wire in (b"1", b"2", b"3"):
        queue.put(values(wire))
    writer: Any = Breaking()
    with pytest.raises(BrokenPipeError, match="with 2 left"):
        send_frames(queue, writer, PAYLOADS, drops, 0.05)
    assert queue.counts() == TapCounts(submitted=3, sent=1, waiting=2)
    assert queue.take(0) == [PAYLOADS.encode(values(b"2")), PAYLOADS.encode(values(b"3"))]
