"""fstrm's tools and the Go tool, as writers into our readers and as readers of our writers."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from framestream import FrameStreamError, Listener, Writer, connect, read_file, write_file
from tests.interop.command import listening
from tests.interop.peers import require
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parents[1] / "data"
SAMPLE = DATA / "nsd-auth.fstrm"
DNSTAP = b"protobuf:dnstap.Dnstap"
UTC = {**os.environ, "TZ": "UTC"}


def payloads(path: Path) -> list[bytes]:
    """The payloads of a whole file."""
    with read_file(path) as reader:
        return list(reader)


@contextmanager
def peer(*command: str | Path, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that listens, until the body ends it."""
    with out.open("wb") as file:
        process = subprocess.Popen([*map(str, command)], stdout=file, stderr=subprocess.DEVNULL, env=UTC)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def connected(path: Path) -> Writer:
    """Our writer, once somebody listens."""

    def attempt() -> Writer | None:
        with suppress(OSError):
            return connect(path, [DNSTAP])
        return None

    writer = wait_for(attempt, "the listener")
    assert writer is not None
    return writer


def test_fstrm_replay_into_our_command(tmp_path: Path) -> None:
    tap, recording = tmp_path / "s", tmp_path / "recording"
    with listening(tap, tmp_path, "-w", recording) as command:
        # It asks for FINISH, which says that all its frames are in the recording.
        replay = [require("fstrm_replay"), "-t", DNSTAP.decode(), "-r", str(SAMPLE), "-u", str(tap)]
        for _ in range(3):
            subprocess.run(replay, check=True, timeout=DEADLINE_S)
        assert command.stop() == 0
    assert payloads(recording) == payloads(SAMPLE) * 3


def test_fstrm_replay_into_our_listener(tmp_path: Path) -> None:
    with Listener(tmp_path / "s", [b"protobuf:other", DNSTAP]) as listener:
        command = [require("fstrm_replay"), "-t", DNSTAP.decode(), "-r", str(SAMPLE), "-u", str(tmp_path / "s")]
        with subprocess.Popen(command) as process, listener.accept(DEADLINE_S) as reader:
            assert list(reader) == payloads(SAMPLE)
            assert (reader.content_type, reader.ended) == (DNSTAP, True)
        assert process.returncode == 0


def test_another_content_type_is_refused(tmp_path: Path) -> None:
    with Listener(tmp_path / "s", [b"protobuf:other"]) as listener:
        command = [require("fstrm_replay"), "-t", DNSTAP.decode(), "-r", str(SAMPLE), "-u", str(tmp_path / "s")]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            with listener.accept(DEADLINE_S) as reader, pytest.raises(FrameStreamError, match="expected content type"):
                list(reader)
            process.communicate(timeout=DEADLINE_S)
        assert process.returncode != 0


def test_our_writer_into_fstrm_capture(tmp_path: Path) -> None:
    tap, capture = tmp_path / "s", tmp_path / "capture"
    command = (require("fstrm_capture"), "-t", DNSTAP.decode(), "-u", tap, "-w", capture)
    with peer(*command, out=tmp_path / "out") as process:
        with connected(tap) as writer:
            assert writer.content_type == DNSTAP
            for payload in payloads(SAMPLE):
                writer.write(payload)
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0
    assert capture.read_bytes() == SAMPLE.read_bytes()


def test_fstrm_dump_reads_our_file(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with write_file(copy, [DNSTAP]) as writer:
        writer.write_many(payloads(SAMPLE))
    dump = subprocess.run([require("fstrm_dump"), copy], capture_output=True, check=True)
    original = subprocess.run([require("fstrm_dump"), SAMPLE], capture_output=True, check=True)
    assert (dump.stdout, dump.stderr) == (original.stdout, original.stderr)
    assert dump.stderr.count(b"Data frame (") == len(payloads(SAMPLE))


def test_go_tool_into_our_command(tmp_path: Path) -> None:
    tap = tmp_path / "s"
    with listening(tap, tmp_path) as command:
        subprocess.run(
            [require("dnstap"), "-r", SAMPLE, "-U", tap], check=True, timeout=DEADLINE_S, env=UTC, capture_output=True
        )
        expected = SAMPLE.with_suffix(".q.txt").read_bytes()
        wait_for(lambda: len(command.stdout.read_bytes()) >= len(expected), "all lines")
        assert command.stop(signal.SIGTERM) == 0
    assert command.stdout.read_bytes() == expected


def test_our_writer_into_the_go_tool(tmp_path: Path) -> None:
    tap, out = tmp_path / "s", tmp_path / "out"
    with peer(require("dnstap"), "-u", tap, "-q", out=out):
        with connected(tap) as writer:
            writer.write_many(payloads(SAMPLE))
        expected = SAMPLE.with_suffix(".q.txt").read_bytes()
        wait_for(lambda: len(out.read_bytes()) >= len(expected), "all lines")
    assert out.read_bytes() == expected
