"""Taps with a receiver that starts, stops, reads slowly or not at all: the counts always add up.

The receiver is the test itself. It breaks a connection in a way that tells it which frames the kernel had taken for it:
it refuses more, reads what is there, and closes.
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from dnstap import Dnstap, Tap
from dnstap.content_type import CONTENT_TYPE
from dnstap.tap.limits import TapLimits
from framestream import ControlFrame, ControlType, FrameDecoder, encode_control_frame
from framestream.streams import Backoff, Deadlines
from tests.wait import DEADLINE_S, wait_for

ACCEPT = encode_control_frame(ControlFrame(ControlType.ACCEPT, (CONTENT_TYPE,)))
FINISH = encode_control_frame(ControlFrame(ControlType.FINISH))

QUICK = TapLimits(
    gather_s=0.001,
    batch_frames=20,
    tick_s=0.01,
    deadlines=Deadlines(write_s=DEADLINE_S, handshake_s=DEADLINE_S),
    backoff=Backoff(first_s=0.001, most_s=0.002),
)


class Connection:
    """Connection of the tap, with the frames received on it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.frames: list[int] = []
        self.controls: list[object] = []
        self._decoder = FrameDecoder()

    def receive(self, size: int) -> bool:
        """Receive bytes; return whether there were any, or more may come."""
        self.sock.setblocking(False)
        try:
            data = self.sock.recv(size)
        except BlockingIOError:
            return False
        self._decoder.receive_data(data)
        while (frames := self._decoder.next_payloads()) is not None:
            if isinstance(frames, ControlFrame):
                self.controls.append(frames.type)
            else:
                self.frames += [Dnstap.parse(payload).message.query_port for payload in frames]  # type: ignore[misc, union-attr]
        return bool(data)

    def end(self) -> None:
        """Refuse more bytes, receive those that the kernel has taken, and close."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RD)
        while self.receive(1 << 20):
            pass
        self.sock.close()


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = str(Path(self.folder.name) / "s")
        self.listening: socket.socket | None = None
        self.live: Connection | None = None
        self.past: list[Connection] = []
        self.submitted = 0
        self.tap = Tap(self.path, queue=50, limits=QUICK)

    @rule(count=st.integers(1, 60), size=st.sampled_from([0, 100, 60_000]))
    def submit(self, count: int, size: int) -> None:
        for _ in range(count):
            self.tap.client_query(bytes(size), query_port=self.submitted)
            self.submitted += 1

    @rule()
    def submit_a_bad_message(self) -> None:
        self.tap.client_query(b"", query_address="nowhere")
        self.submitted += 1

    @precondition(lambda self: not self.listening)
    @rule()
    def starts(self) -> None:
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.settimeout(DEADLINE_S)
        with contextlib.suppress(FileNotFoundError):
            Path(self.path).unlink()
        self.listening.bind(self.path)
        self.listening.listen()

    @precondition(lambda self: self.listening and not self.live)
    @rule(answer=st.sampled_from([ACCEPT, ACCEPT, ACCEPT, FINISH, b"\xff" * 8, b""]))
    def accepts(self, answer: bytes) -> None:
        """Accept a connection, and answer READY correctly, wrongly or not at all."""
        assert self.listening
        sock, _ = self.listening.accept()
        sock.settimeout(DEADLINE_S)
        sock.recv(42)
        if answer:
            sock.sendall(answer)
        if answer == ACCEPT:
            self.live = Connection(sock)
            wait_for(lambda: self.tap.connected, "the connection")
        else:
            sock.close()

    @precondition(lambda self: self.live)
    @rule(size=st.sampled_from([1, 1000, 1 << 20]))
    def reads(self, size: int) -> None:
        assert self.live
        self.live.receive(size)

    @precondition(lambda self: self.live)
    @rule()
    def breaks(self) -> None:
        assert self.live
        self.live.end()
        self.past.append(self.live)
        self.live = None
        wait_for(lambda: not self.tap.connected, "the end")

    @precondition(lambda self: self.listening and not self.live)
    @rule()
    def goes(self) -> None:
        assert self.listening
        self.listening.close()
        self.listening = None

    @invariant()
    def adds_up(self) -> None:
        counts = self.tap.counts
        assert counts.submitted == self.submitted
        assert counts.submitted == counts.sent + counts.waiting + counts.dropped
        assert counts.waiting <= 50 + 20
        frames = [
            frame for connection in [*self.past, *([self.live] if self.live else [])] for frame in connection.frames
        ]
        assert frames == sorted(set(frames))
        assert len(frames) <= self.tap.counts.sent + (20 if self.live else 0)  # on its way

    def teardown(self) -> None:
        if self.live:
            # It reads no more.
            left = self.tap.close(0.05)
            assert left <= self.tap.counts.closed
            self.live.end()
            self.past.append(self.live)
        else:
            self.tap.close(0)
        if self.listening:
            self.listening.close()
        wait_for(lambda: not self.tap.counts.waiting, "the end of its thread")
        self.live = None
        self.adds_up()
        assert sum(len(connection.frames) for connection in self.past) == self.tap.counts.sent
        self.folder.cleanup()


def test_counts_always_add_up() -> None:
    run_state_machine_as_test(Machine, settings=settings(stateful_step_count=25))
