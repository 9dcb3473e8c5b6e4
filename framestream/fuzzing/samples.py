"""Payloads that are sent among hostile bytes, and those of a stream that every reader must take."""

from __future__ import annotations

from contextlib import suppress

from framestream.conformance.steps import payload, ready, start
from framestream.control import ControlFrame, ControlType
from framestream.conversations import wire_of
from framestream.errors import RemoteProtocolError
from framestream.frames import FrameDecoder

__all__ = ["AFTERWARDS", "FIRST", "LAST", "MARKERS", "NEIGHBOURS", "head_of", "text_of", "wanted"]

FIRST, LAST = payload(700001), payload(700002)
"""Payloads before and after the hostile ones of a stream."""

NEIGHBOURS = payload(700003), payload(700004)
"""Payloads of another connection, before and after the hostile stream."""

AFTERWARDS = payload(700005)
"""Payload of a connection after both."""

MARKERS = {one: b"frame-%d" % number for number, one in enumerate([FIRST, LAST, *NEIGHBOURS, AFTERWARDS], 700001)}
"""All of these, with the text that is found in whatever a reader makes of each."""

_MAX_DATA_BYTES = 98_304
"""Frames up to this length are taken by all known readers."""


def head_of(content_type: bytes, *, bidirectional: bool) -> bytes:
    """Return READY, if it is bidirectional, and START."""
    frames = [ready(content_type)] if bidirectional else []
    return b"".join(map(wire_of, [*frames, start(content_type)]))


def text_of(marker: bytes) -> str:
    """Return the text that a marker is found by."""
    return MARKERS[marker].decode()


def wanted(wire: bytes, head: bytes) -> list[bytes]:
    """Return the markers that every reader must take of a stream: those in data frames before the first fault.

    Args: head: beginning of a good stream. Without it, a reader may refuse everything.
    """
    if not wire.startswith(head):
        return []
    decoder = FrameDecoder(max_data_bytes=_MAX_DATA_BYTES)
    decoder.receive_data(wire[len(head) :])
    taken: list[bytes] = []
    with suppress(RemoteProtocolError):
        while (frames := decoder.next_payloads()) is not None:
            if not isinstance(frames, ControlFrame):
                taken += frames
            elif isinstance(frames.type, ControlType):
                break
    return [one for one in taken if one in MARKERS]
