"""Loop of a sending thread: frames of a queue, encoded and written to a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from framestream.errors import FrameStreamError
from framestream.frames import MAX_DATA_BYTES

if TYPE_CHECKING:
    from dnstap.tap.drop_log import DropLog
    from dnstap.tap.frame_queue import FrameQueue
    from dnstap.tap.payloads import Payloads
    from framestream.sync import Writer

__all__ = ["CONNECTION_ERRORS", "send_frames"]

CONNECTION_ERRORS = (FrameStreamError, OSError)


def send_frames(queue: FrameQueue, writer: Writer, payloads: Payloads, drops: DropLog, tick_s: float) -> None:
    """Send frames until the queue is shut down and empty.

    Args:
        payloads: encodes the frames.
        drops: told of each frame that cannot be encoded, and asked to report what was dropped.
        tick_s: interval at which an idle connection is checked.
    Raises: FrameStreamError, OSError: the connection broke. Frames not completely written wait in the queue again.
    """
    while True:
        frames = queue.take(tick_s)
        if not frames and queue.is_shutdown:
            return
        # Before a write, which would succeed: the kernel takes bytes for a receiver that has closed, and they are lost.
        if writer.gone():
            queue.finish_batch(frames)
            raise ConnectionResetError("the receiver has closed")
        encoded, dropped = _encode(frames, payloads, drops)
        before = writer.frames
        try:
            writer.write_many(encoded)
        finally:
            # Also if the write fails: the writer knows which frames the kernel has taken whole. Only the others wait
            # again, so no frame arrives twice.
            sent = writer.frames - before
            queue.finish_batch(encoded[sent:], sent=sent, **dropped)
        drops.report_if_due()


def _encode(frames: list[Any], payloads: Payloads, drops: DropLog) -> tuple[list[bytes], dict[str, int]]:
    """Return the payloads of frames, and how many frames were dropped for each cause."""
    encoded = []
    encode = payloads.encode
    too_large = not_encodable = 0
    for frame in frames:
        try:
            # A frame that waits again after a broken connection is a payload already.
            payload = frame if type(frame) is bytes else encode(frame)
        except Exception as error:  # noqa: BLE001 (an error of any kind costs only its own frame)
            drops.note(error)
            not_encodable += 1
            continue
        if len(payload) <= MAX_DATA_BYTES:
            encoded.append(payload)
        else:
            too_large += 1
    return encoded, {"too_large": too_large, "not_encodable": not_encodable}
