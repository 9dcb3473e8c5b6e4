"""Receivers for taps, each in a thread of the test."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from framestream import FrameStreamError, listen_reader, open_reader
from tests.threads import start
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from framestream import Reader
    from framestream.sync.listener import Listener

__all__ = ["Receiver", "receiving", "sink"]


class Receiver:
    """What has come, of all connections, and how many connections there were.

    Attributes:
        endpoint: where it listens.
        finished: streams that ended by STOP.
        breaks: set it to a number of payloads after which it breaks the connection, once.
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
    """Listens for one tap after the other."""
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
    """Connects to a tap that listens; once it has, its stream has begun."""
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
