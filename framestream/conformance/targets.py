"""Programs under test: started fresh for each case or kept, or already running; their connections, end and output."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from framestream.conformance.cases import PeerRole
from framestream.conformance.inputs import triggering, write_inputs
from framestream.conformance.listening import ListeningSocket, free_port
from framestream.conformance.player import PATIENCE, Deviation, OutputDifference
from framestream.conformance.steps import TYPE
from framestream.conformance.texts import is_in_text
from framestream.control import ControlFrame
from framestream.endpoints import FileEndpoint, TcpEndpoint, TlsEndpoint, UnixEndpoint
from framestream.errors import RemoteProtocolError
from framestream.frames import FrameDecoder
from framestream.peers import RETRY_S, Command, connect_unix, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from framestream.endpoints import Endpoint

__all__ = ["Session", "Settings", "Target", "TargetError", "ending", "payloads_of"]


TRACES = (b"Traceback (most recent call last)", b"goroutine 1 [")
"""Text that Python and Go print when a program crashes; they end it with a small exit status."""

PANIC = b"panic: "
"""Text that a Go program prints first when it crashes; its other threads go on until all of the trace is printed."""

PANIC_S = 2.0
"""Time limit for the end after that; a program may also recover."""


class TargetError(Exception):
    """The program under test cannot be run or reached at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Description of the program under test: its address, or its command.

    Attributes:
        role: its role.
        at: where it listens, or where we listen for it; None for a unix socket of our own.
        command: words of a command, with placeholders; () if it runs already.
        listens: whether it listens, rather than connects.
        keep: whether one run of the command serves all cases.
        output_file: Frame Streams file that a reader writes; None if it is {output}.
        output_text: whether a reader writes text instead; without a file, what it prints.
        reopen: signal that makes a reader close its output file and open it anew, which it does before the end of each
            case; for readers that lose what they keep in memory when they are ended. None if it needs none.
        standard_output: whether a program that reads files writes its output there.
        stop: signals that end the command, as it documents.
        any_payloads: whether a writer has payloads of its own, and does not end by itself.
        trigger: words of a command that is repeated, and makes a writer send; () for none.
        content_type: content type that it is configured for.
        timeout_s: time limit for each step, in seconds.
        start_s: time limit for its first connection; interpreters are slow to start on a busy machine.
    """

    role: PeerRole = PeerRole.READER
    at: Endpoint | None = None
    command: tuple[str, ...] = ()
    listens: bool = True
    keep: bool = False
    output_file: str | None = None
    output_text: bool = False
    reopen: signal.Signals | None = None
    standard_output: bool = False
    stop: tuple[signal.Signals, ...] = (signal.SIGTERM,)
    any_payloads: bool = False
    trigger: tuple[str, ...] = ()
    content_type: bytes = TYPE
    timeout_s: float = 5.0
    start_s: float = 30.0

    @property
    def fresh(self) -> bool:
        """True if each case has a run of the command of its own."""
        return bool(self.command) and not self.keep

    @property
    def lacking(self) -> dict[str, str]:
        """The capabilities that the run does not have, with reasons."""
        lacking = {} if self.fresh else {"stop": "no command that is started for each case"}
        if self.role is PeerRole.WRITER:
            given = any("{input}" in word or "{hex}" in word for word in self.command)
            if not self.fresh or self.any_payloads or not given:
                lacking["known payloads"] = "it sends payloads of its own"
            if not any("{hex}" in word for word in self.command):
                lacking["empty payloads"] = "a Frame Streams file has none, and COMMAND has no {hex}"
            lacking["connecting" if self.listens else "listening"] = f"it {'listens' if self.listens else 'connects'}"
        return lacking

    @property
    def shows_output(self) -> bool:
        """True if the output of a reader can be seen."""
        return self.writes_file or (self.output_text and bool(self.command))

    @property
    def writes_file(self) -> bool:
        """True if a reader writes a file that is known."""
        return self.output_file is not None or any("{output}" in word for word in self.command)


class Target:
    """The program under test. Close it at the end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._kept: Session | None = None
        self._proven = False
        self._stack = ExitStack()
        self._lock = threading.Lock()

    @contextmanager
    def session(self, sends: Sequence[bytes] = (), *, absent: bool = False) -> Iterator[Session]:
        """Return a context manager for the session of one case.

        Args:
            sends: payloads for a writer.
            absent: whether nothing listens for it yet.
        Raises: TargetError: the command cannot be started.
        """
        if self.settings.fresh:
            with _session(self.settings, sends, absent=absent) as session:
                # A writer may end before it connects, because of what it was given.
                session.proven = self._proven or absent
                yield session
            self._proven |= session.reached
            return
        with self._lock:
            if self._kept is None or self._kept.death():
                self._stack.close()
                self._kept = self._stack.enter_context(_session(self.settings, sends))
            self._kept.begin()
        yield self._kept

    def close(self) -> None:
        """End a command that was kept."""
        if self._kept:
            self._kept.stop()
        self._stack.close()


@contextmanager
def _session(settings: Settings, sends: Sequence[bytes], *, absent: bool = False) -> Iterator[Session]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="framestream-"))
        output = settings.output_file or os.path.join(folder, "output")
        where = settings.at or UnixEndpoint(os.path.join(folder, "socket"))
        if settings.at is None and any("{port}" in word for word in settings.command):
            where = TcpEndpoint("127.0.0.1", free_port() if settings.listens else 0)
        listening = None
        if not settings.listens:
            try:
                listening = ListeningSocket(where)
            except (OSError, ValueError) as error:
                raise TargetError(f"cannot listen at {where}: {error}") from None
            stack.callback(listening.close)
            where = listening.where
            if not absent:
                listening.listen()
        values = {"{output}": output, "{free_port}": str(free_port())}
        values["{socket}"] = where.path if isinstance(where, UnixEndpoint) else ""
        values["{port}"] = str(where.port) if isinstance(where, TcpEndpoint | TlsEndpoint) else ""
        if settings.role is PeerRole.WRITER:
            values |= write_inputs(folder, settings.content_type, sends)
        command = None
        if settings.command:
            try:
                command = stack.enter_context(running([_filled(word, values) for word in settings.command]))
            except OSError as error:
                raise TargetError(f"cannot run {settings.command[0]!r}: {error.strerror or error}") from None
        if settings.trigger:
            try:
                stack.enter_context(triggering([_filled(word, values) for word in settings.trigger]))
            except OSError as error:
                raise TargetError(f"cannot run the trigger: {error}") from None
        yield Session(settings, where, listening, command, output if settings.writes_file else None)


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


class Session:
    """One run of the program under test, from its first connection to its end and its output.

    Attributes:
        reached: whether it connected or took a connection.
        proven: whether one that does not is at fault: another run of it did, or it need not.
    """

    def __init__(
        self,
        settings: Settings,
        where: Endpoint,
        listening: ListeningSocket | None,
        command: Command | None,
        output: str | None,
    ) -> None:
        self.settings = settings
        self._where = where
        self._listening = listening
        self._command = command
        self._output = output
        self._closed: list[str] = []
        self._clean = {0} | {status for number in settings.stop for status in (-number, 128 + number)}
        self._before = 0
        self.reached = False
        self.proven = False
        self._signalled = False
        self._stopped = False
        self.notes: list[str] = []

    @property
    def command(self) -> Command | None:
        """The command; None for a program that runs already."""
        return self._command

    @property
    def output_path(self) -> str | None:
        """The file that a reader writes; None if it is not known."""
        return self._output

    def begin(self) -> None:
        """Begin a case of a program that is kept: what is in its output now belongs to others."""
        if self.settings.output_text:
            self._before = len(self._text())
        else:
            self._before = len(self._written()) if self._output else 0

    def connection(self) -> socket.socket:
        """Connect to the program, or accept a connection from it; wait for its start the first time.

        Raises: Deviation: there is none; TargetError: nor was there one before.
        """
        limit = self.settings.timeout_s if self.reached else self.settings.start_s
        if self.settings.role is PeerRole.WRITER:
            # It may have to connect again.
            limit = max(limit, PATIENCE * self.settings.timeout_s)
        sock = self.attempt(limit)
        if sock is None:
            expected = "a listener" if self._listening is None else "a connection from the peer"
            status = self.status(0)
            got = self.death() or (f"none within {limit:g} s" if status is None else f"none, and {ending(status)}")
            if not self.reached and not self.proven:
                raise TargetError(f"expected {expected} at {self._where}, got {got}")
            raise Deviation(f"{expected} at {self._where}", got)
        return sock

    def attempt(self, limit_s: float) -> socket.socket | None:
        """Return a connection as `connection`, or None if there is none within the time or the command has ended."""
        deadline = time.monotonic() + limit_s
        connection = self._command.connection if self._command else _retried
        sock = connection(self._connect, deadline)
        self.reached |= sock is not None
        return sock

    @property
    def listening(self) -> ListeningSocket:
        """The socket that a writer connects to.

        Raises: ValueError: it listens itself.
        """
        if self._listening is None:
            raise ValueError("the writer listens itself")
        return self._listening

    def _connect(self) -> socket.socket:
        where = self._where
        if self._listening:
            return self._listening.accept()
        if isinstance(where, UnixEndpoint):
            return connect_unix(where.path)
        if isinstance(where, FileEndpoint):
            raise TargetError(f"expected unix:, tcp: or tls:, got {where}")
        sock = socket.create_connection((where.host, where.port), self.settings.timeout_s)
        if isinstance(where, TlsEndpoint):
            context = where.tls.context(listening=False)
            return context.wrap_socket(sock, server_hostname=where.tls.server_name or where.host)
        return sock

    def death(self, wait_s: float = 0.0) -> str:
        """Describe the end of the command, if it has ended without our signal; "" otherwise.

        A writer may end by itself, but not by a signal.

        Args: wait_s: time limit for an end: a program that crashes closes its connections first.
        """
        if self._command is None or self._stopped:
            return ""
        if PANIC in self._command.printed:
            wait_s = max(wait_s, PANIC_S)
        if (status := self.status(wait_s)) is None:
            return ""
        if self.settings.role is not PeerRole.READER and (self.reached or self.proven) and not self._crashed(status):
            return ""
        return f"{ending(status)} by itself{self._printed()}"

    def _crashed(self, status: int) -> bool:
        """Return whether an exit status is that of a crash, and not by our signal."""
        if self._signalled and status in self._clean:
            return False
        printed = self._command.printed if self._command else b""
        return not 0 <= status <= 128 or any(trace in printed for trace in TRACES)

    def status(self, wait_s: float) -> int | None:
        """Wait for the end of the command; return its exit status, or None if it goes on or runs elsewhere."""
        deadline = time.monotonic() + wait_s
        while self._command and self._command.status is None and time.monotonic() < deadline:
            time.sleep(RETRY_S)
        return self._command.status if self._command else None

    def signal(self) -> None:
        """Send the signals that end the command, and do not wait for it."""
        if self._command and not self._signalled:
            self._signalled = True
            for number in self.settings.stop:
                self._command.send(number)

    def reopen(self) -> None:
        """Have the command close its output file and open it anew, if there is a signal for that and it still runs."""
        if self.settings.reopen is None or self._command is None or self._output is None or self._stopped:
            return
        # A payload may be on its way to the file when the signal comes, and be in the new one.
        for number in range(2):
            renamed = f"{self._output}.{number}"
            with suppress(FileNotFoundError):
                os.replace(self._output, renamed)
                self._closed.append(renamed)
            self._command.send(self.settings.reopen)
            deadline = time.monotonic() + self.settings.timeout_s
            while not os.path.exists(self._output) and time.monotonic() < deadline and not self.death():
                time.sleep(RETRY_S)

    def stop(self) -> str:
        """End the command as it documents; return a description of its end if that is not clean, "" otherwise."""
        if self._command is None or self._stopped:
            return ""
        self._stopped = True
        running = self._command.status is None or self._signalled
        status = self._command.end(self.settings.timeout_s, () if self._signalled else self.settings.stop)
        if status in self._clean:
            return ""
        if status == -signal.SIGKILL:
            return f"no end within {self.settings.timeout_s:g} s of the signal{self._printed()}"
        names = ", ".join(number.name for number in self.settings.stop)
        cause = f"after our {names}" if running else "by itself"
        return f"{ending(status)} {cause}{self._printed()}"

    def end(self) -> str:
        """End a writer in any way, and describe its end if it ended by itself with another exit status than 0.

        How it ends is the subject of cases of its own, and it may have payloads that it waits to get rid of.
        """
        status = self.status(0)
        if status is None and self.settings.any_payloads:
            # A server may have started others, which it ends; it ends sooner if nothing takes its payloads.
            if self._listening:
                self._listening.leave()
            self.signal()
            self.status(self.settings.timeout_s)
        return f"{ending(status)} by itself{self._printed()}" if status and not self._signalled else ""

    def _printed(self) -> str:
        printed = self._command.printed if self._command else b""
        return f"; it printed {printed[-500:]!r}" if printed else ""

    def output(self, last: bytes | None) -> list[bytes]:
        """Return the payloads that came out since the beginning of the case, if that can be seen.

        Args: last: a payload to wait for, if the program goes on; None if there is none.
        Raises: OutputDifference: they are not in a Frame Streams file.
        """
        if last is not None and not self.settings.fresh:
            self.settle(last, self.settings.timeout_s)
        return self._written()[self._before :]

    def text(self, last: bytes | None) -> bytes:
        """Return the text that came out since the beginning of the case.

        Args: last: as in `output`.
        """
        if last is not None and not self.settings.fresh:
            self.settle(last, self.settings.timeout_s)
        return self._text()[self._before :]

    def settle(self, payload: bytes, for_s: float) -> None:
        """Wait until a payload is in the output, or nothing more comes. It may be missing, or still in a buffer.

        Args: for_s: time limit without more output, in seconds; that for all of it is six times as long.
        Raises: OutputDifference: as in `output`.
        """
        end = time.monotonic() + 6 * for_s
        size, deadline = -1, end
        while not self._shows(payload) and time.monotonic() < min(deadline, end) and not self.death():
            if size != (size := len(self._text())):
                deadline = time.monotonic() + for_s
            time.sleep(RETRY_S)

    def _shows(self, payload: bytes) -> bool:
        if self.settings.output_text:
            return is_in_text(payload, self._text()[self._before :])
        return self._output is None or payload in self._written()[self._before :]

    def _text(self) -> bytes:
        if self._output is None:
            return self._command.printed if self._command else b""
        return b"".join(map(_content, self._files))

    def _written(self) -> list[bytes]:
        return [payload for path in self._files for payload in payloads_of(_content(path))]

    @property
    def _files(self) -> list[str]:
        return [*self._closed, *([self._output] if self._output else [])]


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _retried(connect: Callable[[], socket.socket], deadline: float) -> socket.socket | None:
    while time.monotonic() < deadline:
        try:
            return connect()
        except OSError:
            time.sleep(RETRY_S)
    return None


def ending(status: int) -> str:
    """Describe an exit status."""
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def payloads_of(wire: bytes) -> list[bytes]:
    """Return the payloads of a Frame Streams file that may not be finished.

    Raises: OutputDifference: it is not one.
    """
    decoder = FrameDecoder(max_data_bytes=1 << 30)
    decoder.receive_data(wire)
    payloads: list[bytes] = []
    try:
        while (frames := decoder.next_payloads()) is not None:
            if not isinstance(frames, ControlFrame):
                payloads += frames
    except RemoteProtocolError as error:
        raise OutputDifference("an output file of frames", f"other bytes in it: {error}") from None
    return payloads
