"""Streams for the tests of inputs and runners: files, raw connections, a server that listens, an output."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from dnstap.content_type import CONTENT_TYPE
from framestream import (
    ControlFrame,
    ControlType,
    FrameStreamError,
    Writer,
    encode_control_frame,
    listen_writer,
    write_file,
)
from tests.threads import start
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START = encode_control_frame(ControlFrame(ControlType.START, (CONTENT_TYPE,)))
STOP = encode_control_frame(ControlFrame(ControlType.STOP))


class Payloads(list[bytes]):
    """An output that keeps all payloads."""

    def write_many(self, payloads: list[bytes]) -> None:
        self.extend(payloads)


def file_of(path: Path, *payloads: bytes) -> str:
    """Write a file with these payloads, and return its path."""
    with write_file(path, [CONTENT_TYPE]) as writer:
        writer.write_many(payloads)
    return str(path)


def raw_connection(path: Path) -> socket.socket:
    """Connect to a unix socket, to send any bytes."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(DEADLINE_S)
    sock.connect(str(path))
    return sock


class Server:
    """A server that listens in a thread, and lets a function write each stream."""

    def __init__(self, path: Path, serve: Callable[[Writer, int], object]) -> None:
        self.connections = 0
        self.listener = listen_writer(path, [CONTENT_TYPE])
        self._serve = serve
        self._running = start(self._run)

    def _run(self) -> None:
        for writer in self.listener:
            self.connections += 1
            with contextlib.suppress(OSError, FrameStreamError):
                self._serve(writer, self.connections)
            writer.abort()

    def close(self) -> None:
        self.listener.close()
        self._running.result(DEADLINE_S)
