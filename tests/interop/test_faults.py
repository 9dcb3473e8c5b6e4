"""Faults around a collector that runs as a process: they cost no other connection anything."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from dnstap.content_type import CONTENT_TYPE
from framestream import (
    ControlFrame,
    ControlType,
    FrameStreamError,
    encode_control_frame,
    encode_data_frames,
    listen_reader,
    open_writer,
    parse_endpoint,
    read_file,
)
from tests.framestream.nets import MUTUAL, dial, pem
from tests.interop.command import listening
from tests.interop.servers import free_port
from tests.threads import start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.interop.command import Command

START = encode_control_frame(ControlFrame(ControlType.START, (CONTENT_TYPE,)))
STOP = encode_control_frame(ControlFrame(ControlType.STOP))


def recorded(path: Path) -> list[bytes]:
    """Return the payloads of a finished recording."""
    with read_file(path, [CONTENT_TYPE]) as reader:
        return list(reader)


def descriptors(command: Command) -> int:
    """Return the number of files that a process has open."""
    return len(os.listdir(f"/proc/{command.process.pid}/fd"))


@contextlib.contextmanager
def connection(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))  # without a timeout, it waits for room in the queue
        sock.settimeout(DEADLINE_S)
        yield sock


def test_faulty_connections_among_two_hundred_cost_the_others_nothing(tmp_path: Path) -> None:
    """Some are silent, some slow, and some send garbage: every frame of the others arrives."""
    tap, out = tmp_path / "s", tmp_path / "out"
    chance = random.Random(8)
    expected: list[bytes] = []
    with listening(tap, tmp_path, "-w", out, "--stats") as command, contextlib.ExitStack() as stack:
        wait_for(out.exists, "the recording")  # which is opened after the sockets
        before = descriptors(command)
        senders = []
        for number in range(200):
            sock = stack.enter_context(connection(tap))
            payloads = [b"%d:%d" % (number, index) for index in range(50)]
            wire = START + encode_data_frames(payloads)
            kind = number % 5
            if kind == 0:
                senders.append((sock, b""))
            elif kind == 1:
                good = payloads[: chance.randrange(50)]
                senders.append((sock, START + encode_data_frames(good) + b"\xff" * 8))
                expected += good
            elif kind == 2:
                senders.append((sock, chance.randbytes(200)))
            else:
                senders.append((sock, wire + STOP))
                expected += payloads
        # A little of each at a time, so that frames are cut anywhere.
        while any(rest for _, rest in senders):
            for index, (sock, rest) in enumerate(senders):
                size = chance.randrange(1, 200)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    sock.sendall(rest[:size])
                senders[index] = (sock, rest[size:])
        wait_for(lambda: out.read_bytes().count(b":") >= len(expected), "the frames")
        stack.close()
        wait_for(lambda: descriptors(command) == before, "the end of all connections")
        assert command.stop(signal.SIGTERM) == 0
    assert sorted(recorded(out)) == sorted(expected)
    lines = command.stderr.read_text().splitlines()
    # Of each kind of fault a few, and then their number.
    assert len(lines) < 40
    assert re.search(r": \d+ more such lines", "\n".join(lines))
    assert f"{len(expected)} frames of " in lines[-2]


def test_a_receiver_that_is_killed_and_comes_back(tmp_path: Path) -> None:
    """Repeatedly, in the middle of a stream: no frame is lost, no descriptor leaked.

    It has always read everything that was sent when it is killed: frames that the kernel holds could not be counted.
    """
    tap, there = tmp_path / "s", tmp_path / "r"
    received: list[bytes] = []
    gone: list[int] = []
    sent = 0
    rounds = int(os.environ.get("DNSTAP_KILLS", "5"))

    def receive() -> None:
        for number in range(rounds + 1):
            with listen_reader(there, [CONTENT_TYPE]) as listener, listener.accept() as reader:
                for payload in reader:
                    received.append(payload)
                    if number < rounds and len(received) == 10 * (number + 1):
                        break
            gone.append(number)

    def arrived() -> bool:
        return len(received) == sent and len(gone) == min(sent // 10, rounds)

    with listening(tap, tmp_path, "-U", there, "--stats") as command:
        before = descriptors(command)
        receiving = start(receive)
        with open_writer(tap, [CONTENT_TYPE]) as writer:
            for number in range(10 * rounds + 5):
                writer.write(b"%d" % number)
                sent += 1
                wait_for(arrived, "the frame")
            assert descriptors(command) <= before + 3
        assert command.stop(signal.SIGTERM) == 0
        receiving.result(DEADLINE_S)
    assert received == [b"%d" % number for number in range(sent)]
    said = f"{sent} frames: {sent} written, 0 rejected, 0 dropped, 0 left; connected again {rounds} times"
    assert command.stderr.read_text().splitlines()[-1] == f"dnstap: unix:{there}: {said}"


def test_a_stopped_receiver_loses_no_frame(tmp_path: Path) -> None:
    """SIGSTOP holds up the inputs until SIGCONT: back-pressure, without loss."""
    tap, there, out = tmp_path / "s", tmp_path / "r", tmp_path / "out"
    inner = tmp_path / "inner"
    inner.mkdir()
    payloads = [b"%d" % number * 2000 for number in range(1000)]
    with (
        listening(there, inner, "-w", out) as receiver,
        listening(tap, tmp_path, "-U", there, "--overload", "wait", "--queue", "1M", "--stats") as command,
        open_writer(tap, [CONTENT_TYPE]) as writer,
    ):
        writer.write(payloads[0])
        wait_for(lambda: out.exists() and payloads[0] in out.read_bytes(), "the first")
        receiver.process.send_signal(signal.SIGSTOP)
        writing = start(writer.write_many, payloads[1:])
        with pytest.raises(TimeoutError):
            writing.result(1)
        receiver.process.send_signal(signal.SIGCONT)
        writing.result(DEADLINE_S)
        writer.close()
        assert command.stop(signal.SIGTERM) == 0
        assert receiver.stop(signal.SIGTERM) == 0
    assert recorded(out) == payloads


def test_a_full_disk_leaves_a_readable_recording(tmp_path: Path) -> None:
    """The recording stays readable, and the command ends with an error."""
    tap, out = tmp_path / "s", tmp_path / "out"
    limit = "from resource import setrlimit, RLIMIT_FSIZE as SIZE; setrlimit(SIZE, (1_000_000, 1_000_000))"
    code = f"{limit}; from dnstap.cli.main import run; run()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "-u", str(tap), "-w", str(out)], stderr=subprocess.PIPE, text=True
    )
    wait_for(tap.exists, "the socket")
    with contextlib.suppress(OSError, FrameStreamError), open_writer(tap, [CONTENT_TYPE]) as writer:
        for number in range(1000):
            writer.write(b"%d" % (number % 10) * 2000)
            if process.poll() is not None:
                break
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert err.splitlines()[-1] == f"dnstap: {out}: cannot write: File too large"
    with read_file(out) as reader:
        payloads: list[bytes] = []
        with contextlib.suppress(FrameStreamError):  # there is no STOP
            payloads += reader
    assert payloads == [b"%d" % (number % 10) * 2000 for number in range(len(payloads))]
    assert len(payloads) > 300  # All but those of the last read, 256 KiB at most.


def test_a_killed_command_leaves_a_readable_recording(tmp_path: Path) -> None:
    """The recording has every frame received a second before, and lacks only STOP."""
    tap, out = tmp_path / "s", tmp_path / "out"
    with listening(tap, tmp_path, "-w", out) as command, open_writer(tap, [CONTENT_TYPE]) as writer:
        sent: list[tuple[float, bytes]] = []
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            sent.append((time.monotonic(), b"%d" % len(sent) * 100))
            writer.write(sent[-1][1])
        killed = time.monotonic()
        command.process.kill()
        command.process.wait()
        writer.abort()
    with read_file(out) as reader:
        payloads: list[bytes] = []
        with pytest.raises(FrameStreamError, match="STOP"):
            payloads += reader
    assert payloads == [payload for _, payload in sent[: len(payloads)]]
    old = [payload for when, payload in sent if when < killed - 1]
    assert len(old) > 10
    assert len(payloads) >= len(old)


def test_the_command_ends_when_nobody_reads_its_output(tmp_path: Path) -> None:
    """The command ends as other programs in a pipe do, and removes its socket."""
    tap = tmp_path / "s"
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "dnstap", "-u", str(tap), "-j"], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    wait_for(tap.exists, "the socket")
    with open_writer(tap, [CONTENT_TYPE]) as writer:
        writer.write(b"x\1")
        assert os.read(reading, 10)
        os.close(reading)
        with contextlib.suppress(OSError):
            while process.poll() is None:
                writer.write(b"x\1")
        _, err = process.communicate(timeout=DEADLINE_S)
        writer.abort()
    assert (process.returncode, err) == (128 + signal.SIGPIPE, f"dnstap: opened input socket {tap}\n".encode())
    assert not tap.exists()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_signals_at_random_points_lose_no_frame(tmp_path: Path, ending: int) -> None:
    """Repeatedly, after SIGHUP: no received frame is lost, and each file ends with STOP."""
    chance = random.Random(ending)
    tap, out = tmp_path / "s", tmp_path / "out"
    with listening(tap, tmp_path, "-w", out) as command:
        pass
    for number in range(int(os.environ.get("DNSTAP_SIGNALS", "15"))):
        out.unlink(missing_ok=True)
        with listening(tap, tmp_path, "-w", out) as command:
            sent: list[bytes] = []
            writers = [open_writer(tap, [CONTENT_TYPE]) for _ in range(3)]
            for index in range(chance.randrange(1, 30)):
                payload = b"%d-%d" % (number, index) * chance.randrange(1, 500)
                chance.choice(writers).write(payload)
                sent.append(payload)
                if chance.random() < 0.1:
                    with contextlib.suppress(FileNotFoundError):
                        out.rename(tmp_path / f"old-{number}-{index}")
                    command.process.send_signal(signal.SIGHUP)
            assert command.stop(ending) == 0
            for writer in writers:
                with contextlib.suppress(OSError, FrameStreamError):  # nobody answers any more
                    writer.close()
        files = [*tmp_path.glob(f"old-{number}-*"), *([out] if out.exists() else [])]
        assert sorted(payload for path in files for payload in recorded(path)) == sorted(sent)
        for path in files:
            assert path.read_bytes().endswith(STOP)
            path.unlink()
    assert command.stderr.read_text() == f"dnstap: opened input socket {tap}\n"


@pytest.mark.parametrize("transport", ["unix", "mutual TLS"])
def test_silent_peers_leave_descriptors_to_outputs(tmp_path: Path, transport: str) -> None:
    """Peers that only connect, without any certificate, keep no file from being rotated, compressed or reopened."""
    limit = "from resource import setrlimit, RLIMIT_NOFILE as FILES; setrlimit(FILES, (80, 80))"
    code = f"{limit}; from dnstap.cli.main import run; run()"
    words = ["-u", str(tmp_path / "s")]
    if transport != "unix":
        words = ["--listen", f"tls:127.0.0.1:{free_port()}", "--tls-ca", str(pem("good-ca"))]
        words += ["--tls-cert", str(pem("good-here-certificate")), "--tls-key", str(pem("good-here-key"))]
    rotation = ["--rotate", "count=100", "--compress", "gzip"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words, "-w", str(tmp_path / "out.fstrm"), *rotation],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    assert process.stderr.readline().startswith("dnstap: opened input socket")
    endpoint = parse_endpoint(words[1], None if transport == "unix" else MUTUAL)
    with contextlib.ExitStack() as stack, open_writer(endpoint, [CONTENT_TYPE]) as writer:
        writer.write(b"first")
        for _ in range(100):
            stack.enter_context(dial(endpoint))
        for number in range(500):
            if number % 150 == 0:
                process.send_signal(signal.SIGHUP)
            writer.write(b"%d" % number)
        for _ in range(100):
            stack.enter_context(dial(endpoint))
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, err
    found = [payload for path in sorted(tmp_path.glob("out*")) for payload in recorded(path)]
    assert sorted(found) == sorted([b"first", *[b"%d" % number for number in range(500)]])
    assert len(list(tmp_path.glob("out*.gz"))) >= 5
    assert "the oldest silent one makes room" in err
