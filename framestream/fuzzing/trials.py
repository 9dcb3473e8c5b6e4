"""Trials: one stream given to a program under test, as a file or over a connection, and its outcome."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from framestream.conformance.player import Deviation, Player
from framestream.conformance.runner import ENDING_S
from framestream.conformance.steps import FINISH, STOP, TYPE, End, data, expect, handshake, send, start, stream
from framestream.conformance.targets import Target, TargetError, ending
from framestream.fuzzing.faults import Fault, Kind
from framestream.fuzzing.samples import AFTERWARDS, FIRST, LAST, NEIGHBOURS, head_of, text_of, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from framestream.conformance.steps import Step
    from framestream.conformance.targets import Session, Settings
    from framestream.fuzzing.faults import Signs

__all__ = ["FileTrial", "SocketTrial", "Trial"]

_POLL_S = 0.01
"""Seconds between two looks at the memory of a program."""

_KEPT_STREAMS = 200
"""Streams after which a program that is kept is started anew, so that it and its output stay small."""

_READ_BYTES = 1 << 24
"""Most bytes that are read of a program's output: that of one stream is far smaller."""

_CLOSING_S = 0.5
"""Seconds that a reader has to close the hostile connection. That it does not is no fault here."""

_SHOWN_BYTES = 4000

_PLACES = {
    FIRST: "before the hostile part",
    LAST: "after the hostile part",
    NEIGHBOURS[0]: "of another connection",
    NEIGHBOURS[1]: "of another connection",
    AFTERWARDS: "of the next connection",
}


class Trial(Protocol):
    """A way to give a stream to a program.

    Attributes:
        head: beginning of a good stream.
        jobs: number of trials that may run at the same time; 0 for any.
        checks_output: whether payloads are looked for in the output.
    """

    head: bytes
    jobs: int
    checks_output: bool

    def run(self, wire: bytes, *, patience: float = 1.0) -> Fault | None:
        """Give the program a stream and return its fault, if any.

        Args: patience: factor for time limits.
        Raises: TargetError: the program cannot be run or reached.
        """
        ...

    def close(self) -> None:
        """End the program."""
        ...


class FileTrial:
    """Trials of a command that reads a file, {input}, or standard input, and ends by itself."""

    def __init__(self, settings: Settings, signs: Signs) -> None:
        self.head = head_of(settings.content_type, bidirectional=False)
        self.jobs = 0
        self.checks_output = True
        self._settings = settings
        self._signs = signs

    def run(self, wire: bytes, *, patience: float = 1.0) -> Fault | None:
        """Run the command with the stream as its input.

        Raises: TargetError: it cannot be run.
        """
        with tempfile.TemporaryDirectory(prefix="framestream-") as folder:
            place = {name: os.path.join(folder, name) for name in ("input", "output", "printed", "messages")}
            with open(place["input"], "wb") as file:
                file.write(wire)
            command = self._settings.command
            for name in ("input", "output"):
                command = tuple(word.replace(f"{{{name}}}", place[name]) for word in command)
            status, fault = self._process(command, place, self._settings.timeout_s * patience)
            messages = _read(place["messages"])
            if fault := fault or self._signs.crash(status, messages):
                return fault
            lost = wanted(wire, self.head) if self.checks_output else []
            return _lost(lost, _read(place["printed"]) + _read(place["output"]), messages)

    def _process(
        self, command: Sequence[str], place: dict[str, str], timeout_s: float
    ) -> tuple[int | None, Fault | None]:
        with open(place["input"], "rb") as given, open(place["printed"], "wb") as printed:
            with open(place["messages"], "wb") as messages:
                try:
                    # The caller's own command, in a group of its own, so that Ctrl-C does not end it too.
                    process = subprocess.Popen(command, stdin=given, stdout=printed, stderr=messages, process_group=0)  # noqa: S603
                except OSError as error:
                    raise TargetError(f"cannot run {command[0]!r}: {error.strerror or error}") from None
            with process:
                try:
                    return self._watch(process, timeout_s)
                finally:
                    process.kill()

    def _watch(self, process: subprocess.Popen[bytes], timeout_s: float) -> tuple[int | None, Fault | None]:
        deadline = time.monotonic() + timeout_s
        step = _POLL_S if self._signs.max_memory_bytes else timeout_s
        while time.monotonic() < deadline:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(step), None
            if fault := self._signs.memory(process.pid):
                return None, fault
        return None, Fault(kind=Kind.HANG, what="no end of the program in time")

    def close(self) -> None:
        """Do nothing: each command has ended."""


class SocketTrial:
    """Trials of a reader that takes connections, started for each stream, kept, or running already.

    While the stream is sent, another connection is open, and its payloads must come out too. Afterwards, a good stream
    must be taken.
    """

    def __init__(self, settings: Settings, signs: Signs) -> None:
        self.head = head_of(settings.content_type, bidirectional=True)
        self.jobs = 0 if settings.fresh else 1
        # A program that is kept writes its output when it likes to.
        self.checks_output = settings.fresh
        self._stack = ExitStack()
        if settings.keep:
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="framestream-"))
            kept = os.path.join(folder, "output")
            command = tuple(word.replace("{output}", kept) for word in settings.command)
            settings = replace(settings, command=command, output_file=None)
        self._settings = settings
        self._signs = signs
        self._target = Target(settings)
        self._left = _KEPT_STREAMS

    def run(self, wire: bytes, *, patience: float = 1.0) -> Fault | None:
        """Send the stream, among good ones.

        Raises: TargetError: the program cannot be run or reached.
        """
        with self._target.session() as session:
            player = Player(session, self._settings.content_type, self._settings.timeout_s * patience)
            try:
                fault = _played(player, wire)
            finally:
                player.close()
            fault = self._judged(session, wire, fault)
        if not self._settings.fresh:
            self._left -= 1
            if fault or not self._left:
                self._target.close()
                self._target, self._left = Target(self._settings), _KEPT_STREAMS
        return fault

    def _judged(self, session: Session, wire: bytes, fault: Fault | None) -> Fault | None:
        """Return the fault that explains all others."""
        command = session.command
        if command is None:
            return fault
        died = session.death(ENDING_S if fault else 0.0)
        if died and command.status is not None:
            crash = self._signs.crash(command.status, command.printed)
            return crash or Fault(kind=Kind.CRASH, what=f"{ending(command.status)} by itself", printed=command.printed)
        fault = self._signs.memory(command.process) or fault
        if fault or not self._settings.fresh:
            return fault
        session.stop()
        status, printed = command.status, command.printed
        if status == -signal.SIGKILL:
            return Fault(kind=Kind.HANG, what="no end after the signal", printed=printed)
        lost = [*NEIGHBOURS, *wanted(wire, self.head), AFTERWARDS] if self.checks_output else []
        crash = self._signs.crash(status, printed, signalled=True)
        return crash or _lost(lost, printed + _read(session.output_path), printed)

    def close(self) -> None:
        """End a command that is kept."""
        self._target.close()
        self._stack.close()


def _played(player: Player, wire: bytes) -> Fault | None:
    """Send a stream during a good one and before another, and return the fault if these are not taken."""
    try:
        _play(player, (*handshake(on="neighbour"), send(start(TYPE), data(NEIGHBOURS[0]), on="neighbour")))
        hostile = player.line("hostile")
        # It may close at once, read no more, or send anything.
        with suppress(Deviation):
            hostile.send(wire)
            hostile.half_close()
        _play(player, (send(data(NEIGHBOURS[1]), STOP, on="neighbour"), expect(FINISH, on="neighbour")))
        deadline = time.monotonic() + _CLOSING_S
        with suppress(Deviation):
            while not isinstance(hostile.receive(max(0.0, deadline - time.monotonic())), End | None):
                pass
        hostile.close()
        _play(player, stream(AFTERWARDS, on="afterwards"))
    except Deviation as deviation:
        return Fault(kind=Kind.HANG, what=f"expected {deviation.expected} of a good stream, got {deviation.got}")
    return None


def _play(player: Player, steps: Iterable[Step]) -> None:
    for step in steps:
        step.play(player)


def _lost(markers: Iterable[bytes], output: bytes, printed: bytes) -> Fault | None:
    """Return the fault if markers are missing in the output."""
    for marker in markers:
        if text_of(marker).encode() not in output:
            what = f"the payload {text_of(marker)} ({_PLACES[marker]}) missing in the output"
            return Fault(kind=Kind.LOST, what=what, printed=printed[-_SHOWN_BYTES:], lost=marker)
    return None


def _read(path: str | None) -> bytes:
    try:
        with open(str(path), "rb") as file:
            return file.read(_READ_BYTES)
    except FileNotFoundError:
        return b""
