"""Player of the steps of a case: the connections to the peer, and a transcript of what both ends sent."""

from __future__ import annotations

import socket
import struct
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from framestream.conformance.steps import TYPE, Batch, End, data
from framestream.control import ControlFrame
from framestream.conversations import wire_of
from framestream.errors import RemoteProtocolError
from framestream.frames import FrameDecoder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from framestream.conformance.cases import Level
    from framestream.conformance.steps import Part
    from framestream.conformance.targets import Session

__all__ = ["PATIENCE", "Death", "Deviation", "Got", "Line", "OutputDifference", "Player", "hex_of", "words"]

_TRANSCRIPT_LINES = 500
"""Lines of a transcript, of streams that are long."""

PATIENCE = 3
"""Time limit for what takes longer than an answer, in time limits of a step: with the usual ones, 15 seconds.

Servers flush after a second, and connect again after 5 (libfstrm) or 10 (CoreDNS, the Go tool).
"""

_SHOWN_BYTES = 96
"""Bytes that are shown of a frame or of what was sent."""


Got = ControlFrame | bytes | End | None
"""A control frame, a payload, the end of the connection, or None: nothing in time."""


class Deviation(Exception):  # noqa: N818 (not an error of the kit)
    """The peer did something else than the case allows.

    Attributes:
        expected, got: descriptions, with bytes in hex.
        level: weight of the step; None for that of the case.
        harmless: whether it is tolerated.
    """

    def __init__(self, expected: str, got: str, level: Level | None = None, *, harmless: bool = False) -> None:
        super().__init__(expected, got)
        self.expected = expected
        self.got = got
        self.level = level
        self.harmless = harmless


def hex_of(wire: bytes) -> str:
    """Return bytes in hex, in words of four bytes, shortened."""
    shown = wire[:_SHOWN_BYTES].hex(" ", -4)
    return f"{shown} ... ({len(wire)} bytes)" if len(wire) > _SHOWN_BYTES else shown


def words(got: Got) -> str:
    """Describe what a peer sent, and its bytes."""
    if got is None:
        return "nothing in time"
    if isinstance(got, End):
        return got.value
    if isinstance(got, bytes):
        return f"a data frame of {len(got)} bytes [{hex_of(wire_of(got))}]"
    names = " ".join([got.name, *(repr(name)[1:] for name in got.content_types)])
    return f"{names} [{hex_of(wire_of(got))}]"


class Death(Deviation):
    """The peer ended by itself, or does not go on."""


class OutputDifference(Deviation):
    """Something else came out of a reader than was sent to it."""


class Line:
    """One connection to the peer.

    Attributes:
        answered: whether the peer is a writer that sent READY, and waits for answers.
    """

    def __init__(self, sock: socket.socket, timeout_s: float, transcript: list[str], name: str) -> None:
        self.answered = False
        self._sock = sock
        self._timeout_s = timeout_s
        self._transcript = transcript
        self._name = name
        self._decoder = FrameDecoder(max_data_bytes=1 << 30)
        self._frames: deque[ControlFrame | bytes] = deque()
        self._end: End | None = None

    def send(self, wire: bytes) -> None:
        """Send bytes; do nothing if the peer has closed.

        Raises: Deviation: it does not read them in time.
        """
        self._note(f"sent {hex_of(wire)}")
        self._sock.settimeout(self._timeout_s)
        left = memoryview(wire)
        try:
            # Not sendall: its time limit is for all of it, and a slow peer that reads on is no fault.
            while left:
                left = left[self._sock.send(left) :]
        except TimeoutError:
            raise Deviation(f"{len(wire)} bytes read by the peer", "a peer that does not read on") from None
        except OSError as error:
            self._note(f"sending failed: {error.strerror or error}")

    def receive(self, timeout_s: float | None = None, piece: int = 1 << 16, pause_s: float = 0.0) -> Got:
        """Wait for the next frame or the end.

        Args:
            piece: number of bytes to read at most at a time.
            pause_s: seconds to wait before each reading.
        Raises: Deviation: the peer sends bytes that are not a frame.
        """
        deadline = time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)
        while not self._frames and self._end is None and (left := deadline - time.monotonic()) > 0:
            time.sleep(pause_s)
            self._sock.settimeout(left)
            try:
                self._take(self._sock.recv(piece))
            except TimeoutError:
                break
            except OSError:
                self._ended(End.RESET)
        return self._frames.popleft() if self._frames else self._end

    def _take(self, wire: bytes) -> None:
        if not wire:
            self._ended(End.CLOSED)
            return
        self._note(f"got {hex_of(wire)}")
        self._decoder.receive_data(wire)
        try:
            while (frames := self._decoder.next_payloads()) is not None:
                self._frames.extend(frames if isinstance(frames, list) else [frames])
        except RemoteProtocolError as error:
            raise Deviation("frames", f"bytes that are not a frame: {error} [{hex_of(wire)}]") from None

    def _ended(self, end: End) -> None:
        self._end = end
        self._note(f"got {end.value}")

    def half_close(self) -> None:
        """Send the end of our side."""
        self._note("closed for sending")
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the connection; this may be repeated."""
        self._sock.close()

    def reset(self) -> None:
        """Close the connection with a reset, where the system can: over TCP."""
        self._note("reset")
        if self._sock.family != getattr(socket, "AF_UNIX", None):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def _note(self, text: str) -> None:
        if len(self._transcript) < _TRANSCRIPT_LINES:
            self._transcript.append(f"{self._name}: {text}")
        elif len(self._transcript) == _TRANSCRIPT_LINES:
            self._transcript.append("...")


class Player:
    """Connections of a case and what happens on them; the steps call its methods.

    Attributes:
        transcript: what both ends did, one line each.
        deviations: harmless deviations.
        session: the run of the program.
        sends: the payloads that a writer has to send; None if they are its own.
    """

    def __init__(
        self, session: Session, content_type: bytes, timeout_s: float, sends: Sequence[bytes] | None = None
    ) -> None:
        self.transcript: list[str] = []
        self.deviations: list[Deviation] = []
        self.session = session
        self.sends = sends
        self._content_type = content_type
        self._timeout_s = timeout_s
        self._lines: dict[int | str, Line] = {}

    @property
    def patience_s(self) -> float:
        """Time limit for what takes longer than an answer, in seconds."""
        return PATIENCE * self._timeout_s

    def line(self, on: int | str) -> Line:
        """Return the connection of a number or name, opened on first use.

        Raises: Deviation: the peer takes none.
        """
        if on not in self._lines:
            self.take(on, self.session.connection())
        return self._lines[on]

    def take(self, on: int | str, sock: socket.socket) -> Line:
        """Make a connection the one of a number or name."""
        self._lines[on] = Line(sock, self._timeout_s, self.transcript, f"connection {on}")
        return self._lines[on]

    def wait(self, seconds: float) -> None:
        """Do nothing for some time."""
        time.sleep(seconds)

    def settle(self, payload: bytes, for_s: float) -> None:
        """Wait until a payload is in the output, or for some time."""
        self.session.settle(payload, for_s)

    def close(self) -> None:
        """Close all connections."""
        for line in self._lines.values():
            line.close()

    def stop(self) -> None:
        """End the command as it documents.

        Raises: Deviation: it ends in another way, or not in time.
        """
        if fault := self.session.stop():
            raise Deviation("an end with status 0, or by the signal", fault)

    def named(self, frame: ControlFrame) -> ControlFrame:
        """Return a frame with the content type of the peer in place of TYPE."""
        return frame._replace(
            content_types=tuple(self._content_type if name == TYPE else name for name in frame.content_types)
        )

    def wire(self, parts: Iterable[Part]) -> bytes:
        """Return what is sent for parts."""
        return b"".join(map(self._wire, parts))

    def _wire(self, part: Part) -> bytes:
        if isinstance(part, Batch):
            return data(*part)
        return part if isinstance(part, bytes) else wire_of(self.named(part))

    def words(self, frame: ControlFrame) -> str:
        """Describe an expected frame."""
        return words(self.named(frame))

    def deviate(self, expected: str, got: Got, level: Level | None = None, *, harmless: bool = False) -> None:
        """Raise the Deviation of a step, or keep it and go on if it is harmless."""
        deviation = Deviation(expected, words(got), level, harmless=harmless)
        if not harmless:
            raise deviation
        self.deviations.append(deviation)
