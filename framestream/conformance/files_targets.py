"""Programs under test that read or write files: started for each case, waited for or ended, and judged."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING

from framestream.conformance.cases import Level, PeerRole
from framestream.conformance.files_descriptions import Exit, Given, Place, Reading, Recording, Writing, expected_by
from framestream.conformance.files_inputs import collecting, given_as
from framestream.conformance.player import Death, Deviation, OutputDifference, Player, hex_of
from framestream.conformance.steps import STOP, TYPE, data, payload, start, stream
from framestream.conformance.targets import Session, Settings, Target, TargetError, ending
from framestream.conformance.texts import is_in_text
from framestream.endpoints import TcpEndpoint, UnixEndpoint
from framestream.peers import RETRY_S, running

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from framestream.conformance.cases import Case
    from framestream.conformance.steps import Part
    from framestream.endpoints import Endpoint

__all__ = ["FILE_ROLES", "FileTarget", "Played", "target_of"]

SENT = (payload(1), payload(2), payload(3))
"""Payloads of a case that does not say which."""

FILE_ROLES = (PeerRole.FILE_READER, PeerRole.FILE_WRITER)

FULL_DISK = "/dev/full"

PANIC = b"goroutine 1 ["
"""Text that Go prints when a program crashes; it ends it with a small exit status."""

FIRST = "-001"
"""End of the id of the case that shows whether all payloads come out. Others are not blamed for it."""

OPEN_TIMES = 2
"""Time limit for payloads to be seen in a file that is still open, in time limits of a step."""


@dataclass(slots=True, kw_only=True)
class Played:
    """Outcome of one case.

    Attributes:
        faults: deviations.
        notes: other observations.
        transcript: input and output, one line each.
        written: payloads that came out; None if they are not seen.
        text: text that came out, instead of payloads; None if there is none.
        complete: whether all must be in the output.
    """

    faults: list[Deviation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    transcript: list[str] = field(default_factory=list)
    written: list[bytes] | None = None
    text: bytes | None = None
    complete: bool = True

    def shows(self, payloads: Iterable[bytes]) -> bool:
        """Return whether all of some payloads are seen to come out, or no output is seen."""
        if self.text is not None:
            return all(is_in_text(one, self.text) for one in payloads)
        return self.written is None or {*payloads} <= {*self.written}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """End of one run: exit status, None if it was killed for time; what it printed; its output; what it sent to us."""

    status: int | None
    printed: bytes
    messages: bytes
    output: bytes
    received: tuple[bytes, ...] = ()

    @property
    def ending(self) -> str:
        """Description of the end, and of what was printed."""
        end = "no end in time" if self.status is None else ending(self.status)
        return f"{end}; it printed {self.messages[-500:]!r}" if self.messages else end


@dataclass(frozen=True, slots=True)
class _Usual:
    """Behaviour with a good file: the lines that are printed, which report nothing, and whether all comes out."""

    lines: frozenset[str]
    shows_all: bool


class FileTarget(Target):
    """A program that reads or writes files."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._known: _Usual | None = None

    def play(self, case: Case) -> Played:
        """Run the program for a case.

        Raises: TargetError: it cannot be run, or ends with no case.
        """
        if isinstance(case.file, Reading):
            return self._read(case, case.file)
        if isinstance(case.file, Writing):
            return self._write(case, case.file)
        raise TypeError(f"expected a case of files, got {case.id}")

    @property
    def lacking(self) -> dict[str, str]:
        """The capabilities that the run does not have, with reasons."""
        if self.settings.role is PeerRole.FILE_READER:
            return {"any payload": "its output is text"} if self.settings.output_text else {}
        lacking = {} if os.path.exists(FULL_DISK) else {"full disk": f"this system has no {FULL_DISK}"}
        return lacking if self.takes_connections else lacking | {"connections": "it takes {input}, and no connections"}

    @property
    def takes_connections(self) -> bool:
        """True if a program that writes a file takes its input from connections."""
        return self._has("{socket}") or self._has("{port}")

    @property
    def _prints(self) -> bool:
        """True if standard output has the output of a program, and no messages."""
        return self.settings.standard_output or (self.settings.output_text and not self._has("{output}"))

    def _has(self, placeholder: str) -> bool:
        return any(placeholder in word for word in self.settings.command)

    def _wire(self, parts: Sequence[Part]) -> bytes:
        nowhere = Session(self.settings, UnixEndpoint(""), None, None, None)
        return Player(nowhere, self.settings.content_type, 0.0).wire(parts)

    def _usual(self) -> _Usual:
        with self._lock:
            if self._known is None:
                self._known = self._measured()
            return self._known

    def _measured(self) -> _Usual:
        played = Played()
        with _folder() as folder:
            if self.settings.role is PeerRole.FILE_WRITER and self.takes_connections:
                run = self._recorded(folder, os.path.join(folder, "output"), Writing(), played)
                played.written = Recording.of(run.output).payloads
            else:
                run = self._run_reader(folder, Reading(parts=(start(TYPE), data(*SENT), STOP)))
                self._judge_output(played, run)
        if run.status is None:
            raise TargetError(f"expected {self.settings.command[0]!r} to end, got {run.ending}")
        return _Usual(frozenset(_lines(run.messages)), played.shows(SENT))

    def _read(self, case: Case, reading: Reading) -> Played:
        usual = self._usual()
        with _folder() as folder:
            run = self._run_reader(folder, reading)
        played = Played(transcript=[f"{reading.given.value}: {hex_of(reading.pack(self._wire(reading.parts)))}"])
        played.transcript += [f"printed: {run.messages[-2000:]!r}", run.ending]
        self._judge_output(played, run)
        if death := _death(run):
            played.faults.insert(0, death)
            played.complete = False
        elif not reading.unless or not played.shows(reading.unless):
            played.faults += _exit_faults(reading.exit, run, usual.lines)
        return self._blamed_once(case, played, usual)

    def _blamed_once(self, case: Case, played: Played, usual: _Usual) -> Played:
        if not usual.shows_all and not case.id.endswith(FIRST):
            played.written = played.text = None
            played.notes.append(f"output not checked: the case that ends with {FIRST} shows that not all comes out")
        return played

    def _judge_output(self, played: Played, run: Run) -> None:
        if self._has("{socket}") or self._has("{port}"):
            played.written = [*run.received]
        elif self.settings.output_text:
            played.text = run.output if self._has("{output}") else run.printed
        elif self.settings.standard_output or self._has("{output}"):
            recording = Recording.of(run.printed if self.settings.standard_output else run.output)
            played.written = recording.payloads
            if recording.fault:
                difference = OutputDifference("an output of frames", recording.outline, Level.MUST)
                played.faults.append(difference)
        else:
            played.notes.append("output not checked: no {output} is named")

    def _run_reader(self, folder: str, reading: Reading, place: str = "") -> Run:
        """Run a program that ends with its input."""
        wire = reading.pack(self._wire(reading.parts))
        path, output = os.path.join(folder, "input"), place or os.path.join(folder, "output")
        where: Endpoint = UnixEndpoint(os.path.join(folder, "socket"))
        if self._has("{port}"):
            where = TcpEndpoint("127.0.0.1", 0)
        with collecting(where) as (where, received), given_as(path, wire, reading.given) as stdin:
            name = "/dev/stdin" if reading.given is Given.STANDARD_INPUT else path
            words = self._words({"{input}": name, "{output}": output}, where)
            status, printed, messages = self._process(words, stdin)
        if not self._prints:
            messages = printed + messages
        return Run(
            status=status,
            printed=printed,
            messages=messages.replace(folder.encode(), b""),
            output=_content(output),
            received=tuple(received),
        )

    def _words(self, values: dict[str, str], where: Endpoint) -> list[str]:
        values |= {"{socket}": where.path if isinstance(where, UnixEndpoint) else ""}
        values |= {"{port}": str(where.port) if isinstance(where, TcpEndpoint) else ""}
        return [
            re.sub(r"\{\w+\}", lambda found: values.get(found[0], found[0]), word) for word in self.settings.command
        ]

    def _process(self, words: list[str], stdin: IO[bytes] | int) -> tuple[int | None, bytes, bytes]:
        with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as messages:
            try:
                # The caller's own command.
                process = subprocess.Popen(words, stdin=stdin, stdout=printed, stderr=messages)  # noqa: S603
            except OSError as error:
                raise TargetError(f"cannot run {words[0]!r}: {error.strerror or error}") from None
            with process:
                status: int | None = None
                try:
                    status = process.wait(self.settings.start_s)
                except subprocess.TimeoutExpired:
                    process.kill()
            return status, _all(printed), _all(messages)

    def _write(self, case: Case, writing: Writing) -> Played:
        usual = self._usual()
        played = Played()
        with _folder() as folder:
            output = _place(folder, writing.place)
            if writing.before is not None:
                with open(output, "wb") as file:
                    file.write(self._wire(writing.before))
            if self.takes_connections:
                run = self._recorded(folder, output, writing, played, case)
            else:
                parts = writing.parts or (start(TYPE), data(*(writing.sends or SENT)), STOP)
                played.transcript.append(f"input: {hex_of(self._wire(parts))}")
                run = self._run_reader(folder, Reading(parts=parts), output)
        played.transcript += [f"output: {hex_of(run.output)}", f"printed: {run.messages[-2000:]!r}", run.ending]
        if death := _death(run):
            played.faults.insert(0, death)
            played.complete = False
        else:
            played.faults += _exit_faults(writing.exit, run, usual.lines)
        if writing.place is Place.FREE:
            recording = Recording.of(run.output)
            played.written = recording.payloads
            for check in writing.checks:
                if not check(recording, self.settings.content_type):
                    played.faults.append(OutputDifference(expected_by(check), recording.outline))
        # What a signal does is the subject of the case.
        return played if writing.signals else self._blamed_once(case, played, usual)

    def _recorded(self, folder: str, output: str, writing: Writing, played: Played, case: Case | None = None) -> Run:
        """Run a program that takes connections until it is ended."""
        sends = writing.sends or SENT
        where: Endpoint = UnixEndpoint(os.path.join(folder, "socket"))
        if self._has("{port}"):
            with socket.create_server(("127.0.0.1", 0)) as free:
                where = TcpEndpoint("127.0.0.1", free.getsockname()[1])
        settings = replace(self.settings, role=PeerRole.READER, stop=writing.signals or self.settings.stop)
        words = self._words({"{output}": output}, where)
        try:
            with running(words) as command:
                session = Session(settings, where, None, command, None)
                player = Player(session, settings.content_type, settings.timeout_s)
                seen = None
                try:
                    for step in (case.steps if case else ()) or stream(*sends):
                        step.play(player)
                    if writing.while_open:
                        seen = _seen(output, sends, OPEN_TIMES * settings.timeout_s)
                except Deviation as deviation:
                    if writing.place is Place.FREE:
                        played.faults.append(deviation)
                        played.complete = False
                except TargetError:
                    # One that cannot write need not listen.
                    if writing.place is Place.FREE:
                        raise
                status = command.status
                if status is None:
                    # The connections are still open: a program must end all the same.
                    fault = session.stop()
                    status = 0
                    if fault and writing.exit is Exit.SUCCESS:
                        played.faults.append(Deviation("an end with status 0, or by the signal", fault))
                    elif fault:
                        played.notes.append(fault)
                played.transcript += player.transcript
                player.close()
                messages = command.printed
        except OSError as error:
            raise TargetError(f"cannot run {words[0]!r}: {error.strerror or error}") from None
        return Run(
            status=status,
            printed=b"",
            messages=messages.replace(folder.encode(), b""),
            output=_content(output) if seen is None else seen,
        )


def target_of(settings: Settings) -> Target:
    """Return the target for a role."""
    return FileTarget(settings) if settings.role in FILE_ROLES else Target(settings)


def _exit_faults(expected: Exit, run: Run, usual: frozenset[str]) -> list[Deviation]:
    kept = {
        Exit.SUCCESS: run.status == 0,
        Exit.FAILURE: run.status != 0,
        Exit.REPORTED: run.status != 0 or not _lines(run.messages) <= usual,
        Exit.ANY: True,
    }
    return [] if kept[expected] else [Deviation(expected.value, run.ending)]


def _death(run: Run) -> Death | None:
    if run.status is not None and 0 <= run.status <= 128 and PANIC not in run.messages:
        return None
    return Death("an end by itself, without a crash", run.ending, Level.MUST)


def _lines(messages: bytes) -> set[str]:
    """Return lines with all numbers alike."""
    return {re.sub(r"\d+", "0", line) for line in messages.decode("utf-8", "replace").splitlines()}


def _content(path: str) -> bytes:
    if not os.path.isfile(path):
        return b""
    with open(path, "rb") as file:
        return file.read()


def _seen(path: str, payloads: Sequence[bytes], limit_s: float) -> bytes:
    """Return the content of a file that is being written once payloads are in it, or when the time is up."""
    deadline = time.monotonic() + limit_s
    while True:
        late = time.monotonic() > deadline
        content = _content(path)
        if late or {*payloads} <= {*Recording.of(content).payloads}:
            return content
        time.sleep(RETRY_S)


def _all(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


@contextmanager
def _folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="framestream-") as folder:
        yield folder


def _place(folder: str, place: Place) -> str:
    if place is Place.MISSING_FOLDER:
        return os.path.join(folder, "missing", "output")
    if place is Place.FOLDER:
        return folder
    # A link, so that a program which removes its output file does not remove the device.
    output = os.path.join(folder, "output")
    if place is Place.FULL:
        os.symlink(FULL_DISK, output)
    return output
