"""The command as a process, with outputs that stand still: it ends by TERM, and accounts for each frame."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from dnstap import Dnstap, DnstapType
from dnstap.content_type import CONTENT_TYPE
from framestream import FrameStreamError, listen_reader, open_writer, read_file, write_file
from tests.interop.command import listening
from tests.threads import start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.interop.command import Command

PAYLOAD = bytes(Dnstap(identity=b"a server", type=DnstapType.MESSAGE))

END_S = 31.0
"""Time within which the command ends, by its documentation."""


class Balance(NamedTuple):
    """One line of --stats about an output."""

    reached: int
    written: int
    rejected: int
    dropped: int
    left: int


def balances(said: str) -> dict[str, Balance]:
    """Return the lines of --stats about outputs, by their names, each of which must be balanced."""
    line = r"dnstap: (.*): (\d+) frames: (\d+) written, (\d+) rejected, (\d+) dropped, (\d+) left.*"
    found = {match[1]: Balance(*map(int, match.groups()[1:])) for match in re.finditer(line, said)}
    for balance in found.values():
        assert balance.reached == sum(balance[1:])
    return found


def ended(process: subprocess.Popen[bytes], said: Path) -> tuple[int, dict[str, Balance]]:
    """Send TERM, and return the exit status and the balances of the outputs."""
    began = time.monotonic()
    process.terminate()
    status = process.wait(END_S + DEADLINE_S)
    # Mostly five seconds; no more than this even on a machine that is slow.
    assert time.monotonic() - began < END_S + DEADLINE_S / 2
    return status, balances(said.read_text())


@contextlib.contextmanager
def unread_pipe() -> Iterator[int]:
    """Give a pipe that nobody reads."""
    reading, writing = os.pipe()
    try:
        yield writing
    finally:
        os.close(reading)
        os.close(writing)


@contextlib.contextmanager
def started(folder: Path, *arguments: object, stdout: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[bytes]]:
    """Start the command, and write what it says into a file of the folder."""
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "dnstap", *map(str, arguments), "--stats"],
            stdout=stdout,
            stderr=said,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def send_until_full(tap: Path) -> int:
    """Send frames until nobody reads them any more, and return how many were sent whole, at the least."""
    sent = 0
    with contextlib.suppress(OSError, FrameStreamError), open_writer(tap, [CONTENT_TYPE]) as writer:
        os.set_blocking(writer.fileno(), True)
        # The writer waits 30 s for a write; a test need not.
        with socket.socket(fileno=os.dup(writer.fileno())) as sock:
            sock.settimeout(1.0)
            frames = (len(PAYLOAD).to_bytes(4, "big") + PAYLOAD) * 1000
            with contextlib.suppress(TimeoutError):
                while True:
                    sock.sendall(frames)
                    sent += 1000
        writer.abort()
    return sent


@pytest.mark.parametrize("form", [["-j"], ["-q", "-w", "{}/copy"], ["--overload", "drop", "-y"]])
def test_standard_output_that_nobody_reads(tmp_path: Path, form: list[str]) -> None:
    """The file beside it has everything that was received, and TERM ends the command."""
    tap, copy = tmp_path / "s", tmp_path / "copy"
    arguments = [argument.format(tmp_path) for argument in form]
    if str(copy) in arguments:
        arguments += ["-w", "-"]
    with unread_pipe() as pipe, started(tmp_path, "-u", tap, "--queue", "300k", *arguments, stdout=pipe) as process:
        wait_for(tap.exists, "the socket")
        if "drop" in arguments:
            with open_writer(tap, [CONTENT_TYPE]) as writer:
                for _ in range(100):
                    writer.write_many([PAYLOAD] * 1000)
            sent = 100_000
        else:
            sent = send_until_full(tap)
        status, outputs = ended(process, tmp_path / "said")
        assert status == 1
        pipe_balance = outputs["standard output"]
        assert pipe_balance.reached >= sent > 1000
        assert pipe_balance.left > 0
        assert (pipe_balance.dropped > 0) is ("drop" in arguments)
        if str(copy) in arguments:
            assert outputs[str(copy)] == (pipe_balance.reached, pipe_balance.reached, 0, 0, 0)
            assert len(copy.read_text().splitlines()) == pipe_balance.reached


def test_text_of_files_that_nobody_reads(tmp_path: Path) -> None:
    """The blocking runner ends as well, also with workers."""
    capture = tmp_path / "capture"
    with write_file(capture, [CONTENT_TYPE]) as writer:
        for _ in range(100):
            writer.write_many([PAYLOAD] * 1000)
    for jobs in "1", "2":
        arguments = ["-r", capture, "-j", "--jobs", jobs]
        with unread_pipe() as pipe, started(tmp_path, *arguments, stdout=pipe) as process:
            wait_for(lambda pipe=pipe: full(pipe), "a full pipe")  # type: ignore[misc]
            status, outputs = ended(process, tmp_path / "said")
        assert status == 128 + signal.SIGTERM
        assert outputs["standard output"].left > 0
        said = (tmp_path / "said").read_text()
        assert "dnstap: standard output: cannot write: its reader did not take everything within 5 s\n" in said


def full(pipe: int) -> bool:
    """Return whether a write to a pipe would wait."""
    return not select.select([], [pipe], [], 0)[1]


def test_a_named_pipe_that_nobody_reads_on(tmp_path: Path) -> None:
    """Neither a recording into it nor its STOP keep the command alive."""
    tap, fifo, copy = tmp_path / "s", tmp_path / "fifo", tmp_path / "copy"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with started(tmp_path, "-u", tap, "-w", fifo, "-w", copy) as process:
            wait_for(tap.exists, "the socket")
            with open_writer(tap, [CONTENT_TYPE]) as writer:
                for _ in range(100):
                    writer.write_many([PAYLOAD] * 1000)
            status, outputs = ended(process, tmp_path / "said")
        assert status == 1
        assert outputs[str(copy)] == (100_000, 100_000, 0, 0, 0)
        assert outputs[str(fifo)].left > 0
        assert recorded(copy) == [PAYLOAD] * 100_000
    finally:
        os.close(reading)


def recorded(path: Path) -> list[bytes]:
    """Return the payloads of a finished recording."""
    with read_file(path, [CONTENT_TYPE]) as reader:
        return list(reader)


def dead_receiver(kind: str, path: Path, folder: Path, stack: contextlib.ExitStack) -> Command | None:
    """Begin a receiver that will not receive."""
    if kind == "stopped":
        folder.mkdir()
        return stack.enter_context(listening(path, folder, "-w", folder / "out"))
    if kind == "absent":
        return None
    server = stack.enter_context(socket.socket(socket.AF_UNIX))
    server.bind(str(path))
    server.listen(50)
    if kind == "closing":

        def close_all() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        closing = start(close_all)
        stack.callback(closing.result, DEADLINE_S)
        stack.callback(server.shutdown, socket.SHUT_RDWR)
    return None


@pytest.mark.parametrize("kind", ["absent", "stopped", "silent", "closing"])
def test_a_dead_receiver_costs_the_recording_nothing(tmp_path: Path, kind: str) -> None:
    """300,000 frames are recorded; the relay drops and keeps some of them."""
    tap, there, out = tmp_path / "s", tmp_path / "there", tmp_path / "out"
    number = 300_000
    with contextlib.ExitStack() as stack:
        receiver = dead_receiver(kind, there, tmp_path / "receiver", stack)
        process = stack.enter_context(started(tmp_path, "-u", tap, "-U", there, "-w", out, "--queue", "1M"))
        wait_for(tap.exists, "the socket")
        with open_writer(tap, [CONTENT_TYPE]) as writer:
            writer.write(PAYLOAD)
            if receiver:
                receiver.process.send_signal(signal.SIGSTOP)
            for _ in range(number // 1000):
                writer.write_many([PAYLOAD] * 1000)
        wait_for(lambda: out.stat().st_size > number * len(PAYLOAD), "the recording")
        status, outputs = ended(process, tmp_path / "said")
        if receiver:
            receiver.process.send_signal(signal.SIGCONT)
    assert status == 1
    assert outputs[str(out)] == (number + 1, number + 1, 0, 0, 0)
    relayed = outputs[f"unix:{there}"]
    assert relayed.reached == number + 1
    assert relayed.dropped > number / 2
    assert relayed.left > 0
    assert recorded(out) == [PAYLOAD] * (number + 1)
    # Lines are reported once in a period, not for each frame or attempt.
    assert len((tmp_path / "said").read_text().splitlines()) < 40


def test_a_receiver_that_does_not_answer_stop(tmp_path: Path) -> None:
    """All was sent, so nothing is left."""
    tap, there = tmp_path / "s", tmp_path / "there"
    with listen_reader(there, [CONTENT_TYPE]) as listener, started(tmp_path, "-u", tap, "-U", there) as process:
        wait_for(tap.exists, "the socket")
        with open_writer(tap, [CONTENT_TYPE]) as writer:
            writer.write(PAYLOAD)
            receiving = listener.accept(DEADLINE_S)
            assert next(iter(receiving)) == PAYLOAD
        status, outputs = ended(process, tmp_path / "said")
        receiving.close()
    assert (status, outputs[f"unix:{there}"]) == (0, (1, 1, 0, 0, 0))


def test_more_streams_than_a_backlog_wait_at_the_end(tmp_path: Path) -> None:
    """All whole streams that the system has taken are recorded."""
    tap, out = tmp_path / "s", tmp_path / "out"
    with listening(tap, tmp_path, "-w", out) as command:
        command.process.send_signal(signal.SIGSTOP)
        stream = tmp_path / "stream"
        taken = 0
        for number in range(150):
            with write_file(stream, [CONTENT_TYPE]) as writer:
                writer.write(b"%d" % number)
            sock = socket.socket(socket.AF_UNIX)
            sock.setblocking(False)
            try:
                sock.connect(str(tap))
            except BlockingIOError:  # The backlog is full.
                sock.close()
                break
            sock.sendall(stream.read_bytes())
            sock.close()
            taken += 1
        command.process.send_signal(signal.SIGTERM)
        command.process.send_signal(signal.SIGCONT)
        assert command.process.wait(DEADLINE_S) == 0
    assert taken > 128
    assert sorted(recorded(out)) == sorted(b"%d" % number for number in range(taken))


@pytest.mark.parametrize("more", [[], ["-u", "{}/s"]], ids=["alone", "beside a socket"])
def test_a_named_pipe_without_a_writer(tmp_path: Path, more: list[str]) -> None:
    """It is opened by a thread that never returns. The old recording is not touched."""
    fifo, out = tmp_path / "fifo", tmp_path / "out"
    os.mkfifo(fifo)
    out.write_bytes(b"an old recording")
    arguments = [argument.format(tmp_path) for argument in more]
    with started(tmp_path, "-r", fifo, *arguments, "-w", out) as process:
        wait_for(lambda: len(os.listdir(f"/proc/{process.pid}/task")) > 1, "the thread")
        process.terminate()
        assert process.wait(DEADLINE_S) == 128 + signal.SIGTERM
    assert (tmp_path / "said").read_text() == f"dnstap: {fifo}: nobody has opened it to write\n"
    assert out.read_bytes() == b"an old recording"


def test_a_name_server_that_does_not_answer(tmp_path: Path) -> None:
    """Neither the relay nor its thread keeps the command alive."""
    tap, asked = tmp_path / "s", tmp_path / "asked"
    code = f"""
import socket, sys, time
def getaddrinfo(*_arguments, **_options):
    open({str(asked)!r}, "w").close()
    time.sleep(1000)
socket.getaddrinfo = getaddrinfo
from dnstap.cli.main import run
run()
"""
    arguments = ["-u", str(tap), "-T", "receiver.example:6000", "--stats"]
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=said)
    try:
        wait_for(tap.exists, "the socket")
        with open_writer(tap, [CONTENT_TYPE]) as writer:
            writer.write(PAYLOAD)
            wait_for(asked.exists, "the question")
        status, outputs = ended(process, tmp_path / "said")
    finally:
        process.kill()
        process.wait()
    assert (status, outputs["tcp:receiver.example:6000"]) == (1, (1, 0, 0, 0, 1))
