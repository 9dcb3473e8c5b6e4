"""Receivers for taps, each in a thread of the test, and limits for taps that must not take seconds."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from dnstap.tap.limits import TapLimits
from dnstap.tap.sink_queues import SinkQueues
from framestream import Backoff, FrameStreamError, listen_reader, open_reader
from tests.threads import start
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from dnstap.tap.base import BaseTap
    from framestream import Reader
    from framestream.sync.listener import Listener

__all__ = ["QUICK", "Receiver", "adds_up", "receiving", "sink", "sinks", "stuck_sink"]

QUICK = TapLimits(gather_s=0.01, backoff=Backoff(first_s=0.01, most_s=0.02), tick_s=0.05)
"""Limits for tests in which a tap connects several times."""


class Receiver:
    """Record of what a receiver got.

    Attributes:
        endpoint: the endpoint it listens on.
        payloads: of all connections.
        connections: number of connections.
        finished: number of streams that ended with STOP.
        breaks: set to a number of payloads after which it breaks the connection, once.
    """

    def __init__(self) -> None:
        self.endpoint: Any = None
        self.payloads: list[bytes] = []
        self.connections = 0
        self.finished = 0
        self.breaks: int | None = None

    def take(self, reader: Reader) -> None:
        with reader, contextlib.suppress(FrameStreamError, OSError):
            for payload in reader:
                self.payloads.append(payload)
                if self.breaks is not None and len(self.payloads) >= self.breaks:
                    self.breaks = None
                    return
            self.finished += 1

    def serve(self, listener: Listener[Reader]) -> None:
        with contextlib.suppress(OSError):
            while True:
                reader = listener.accept()
                self.connections += 1
                self.take(reader)


@contextlib.contextmanager
def receiving(where: Any, **options: Any) -> Iterator[Receiver]:
    """Listen, and receive from one tap after the other."""
    receiver = Receiver()
    listener = listen_reader(where, [CONTENT_TYPE], **options)
    receiver.endpoint = listener.endpoint
    serving = start(receiver.serve, listener)
    try:
        yield receiver
    finally:
        listener.close()
        serving.result(DEADLINE_S)


@contextlib.contextmanager
def sink(where: Any, **options: Any) -> Iterator[Receiver]:
    """Connect to a tap that listens, and receive from it once the stream has begun."""
    receiver = Receiver()
    reader = open_reader(where, [CONTENT_TYPE], **options)
    try:
        reader.handshake()
    except BaseException:
        reader.close()
        raise
    receiver.connections = 1
    taking = start(receiver.take, reader)
    try:
        yield receiver
    finally:
        taking.result(DEADLINE_S)


def stuck_sink(path: Path) -> socket.socket:
    """Connect to a tap that listens, begin the stream, and read nothing more."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path))
    ready = sock.recv(1000)
    # ACCEPT with the content types of READY: only the type of the control frame differs.
    sock.sendall(ready[:8] + b"\0\0\0\1" + ready[12:])
    return sock


def adds_up(tap: BaseTap) -> bool:
    """Return whether each frame is accounted for once."""
    counts = tap.counts
    return counts.submitted + counts.copies == counts.sent + counts.waiting + counts.dropped


def sinks(tap: BaseTap) -> int:
    """Return the number of sinks of a tap that listens whose stream has begun.

    A sink has received START a moment before the tap counts it.
    """
    queues = tap._queue
    assert isinstance(queues, SinkQueues)
    return queues.connections
