"""Tools of fstrm and the Go tool, as writers to our readers and readers of our writers."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from framestream import FrameStreamError, TcpEndpoint, UnixEndpoint, Writer, read_file, write_file
from tests.framestream.fronts import FRONTS, listen_reader, open_writer, using
from tests.interop.command import listening
from tests.interop.peers import require
from tests.interop.servers import free_port
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parents[1] / "data"
SAMPLE = DATA / "nsd-auth.fstrm"
DNSTAP = b"protobuf:dnstap.Dnstap"
UTC = {**os.environ, "TZ": "UTC"}


def payloads(path: Path) -> list[bytes]:
    """Return the payloads of a complete file."""
    with read_file(path) as reader:
        return list(reader)


@contextmanager
def peer(*command: str | Path, out: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that listens; the body ends it."""
    with out.open("wb") as file:
        process = subprocess.Popen([*map(str, command)], stdout=file, stderr=subprocess.DEVNULL, env=UTC)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def connected(path: Path | str) -> Writer:
    """Return a writer of ours, once a program listens."""

    def attempt() -> Writer | None:
        with suppress(OSError):
            return open_writer(path, [DNSTAP])
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


def test_another_content_type_is_refused(tmp_path: Path) -> None:
    with listen_reader(tmp_path / "s", [b"protobuf:other"]) as listener:
        command = [require("fstrm_replay"), "-t", DNSTAP.decode(), "-r", str(SAMPLE), "-u", str(tmp_path / "s")]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            with listener.accept(DEADLINE_S) as reader, pytest.raises(FrameStreamError, match="expected content type"):
                list(reader)
            process.communicate(timeout=DEADLINE_S)
        assert process.returncode != 0


def test_fstrm_dump_reads_our_file(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with write_file(copy, [DNSTAP]) as writer:
        writer.write_many(payloads(SAMPLE))
    dump = subprocess.run([require("fstrm_dump"), copy], capture_output=True, check=True)
    original = subprocess.run([require("fstrm_dump"), SAMPLE], capture_output=True, check=True)
    assert (dump.stdout, dump.stderr) == (original.stdout, original.stderr)
    assert dump.stderr.count(b"Data frame (") == len(payloads(SAMPLE))


@pytest.fixture(params=FRONTS)
def _front(request: pytest.FixtureRequest) -> Iterator[None]:
    with using(request.param):
        yield


def sends(program: str, endpoint: UnixEndpoint | TcpEndpoint) -> list[str]:
    """Return the command by which a tool sends SAMPLE to an endpoint."""
    go, to = program == "dnstap", ["-r", str(SAMPLE)]
    match endpoint:
        case UnixEndpoint(path):
            to += ["-U" if go else "-u", path]
        case TcpEndpoint(host, port):
            to += ["-T", f"{host}:{port}"] if go else ["-a", host, "-p", str(port)]
    return [require(program), *([] if go else ["-t", DNSTAP.decode()]), *to]


@pytest.mark.usefixtures("_front")
@pytest.mark.parametrize("place", ["unix:{}/s", "tcp:127.0.0.1:0", "tcp:[::1]:0"])
@pytest.mark.parametrize("program", ["fstrm_replay", "dnstap"])
def test_tools_into_our_listener(tmp_path: Path, program: str, place: str) -> None:
    if program == "fstrm_replay" and "::1" in place:
        place = "tcp:127.0.0.1:0"  # It knows IPv4 only.
    with listen_reader(place.format(tmp_path), [b"protobuf:other", DNSTAP]) as listener:
        assert isinstance(listener.endpoint, UnixEndpoint | TcpEndpoint)
        endpoint = listener.endpoint
        if isinstance(endpoint, TcpEndpoint) and ":" in endpoint.host:
            endpoint = TcpEndpoint(f"[{endpoint.host}]", endpoint.port)
        with (
            subprocess.Popen(sends(program, endpoint), stderr=subprocess.PIPE) as process,
            listener.accept(DEADLINE_S) as reader,
        ):
            assert list(reader) == payloads(SAMPLE)
            assert (reader.content_type, reader.ended) == (DNSTAP, True)
            reader.close()
            process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0


@pytest.mark.usefixtures("_front")
@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_our_writer_into_listening_fstrm_capture(tmp_path: Path, kind: str) -> None:
    port, recording = free_port(), tmp_path / "recording"
    where = ["-u", f"{tmp_path}/s"] if kind == "unix" else ["-a", "127.0.0.1", "-p", str(port)]
    command = [require("fstrm_capture"), "-t", DNSTAP.decode(), *where, "-w", str(recording)]
    with peer(*command, out=tmp_path / "out") as process:
        with connected(f"unix:{tmp_path}/s" if kind == "unix" else f"tcp:127.0.0.1:{port}") as writer:
            assert writer.content_type == DNSTAP
            writer.write_many(payloads(SAMPLE))
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0
    assert recording.read_bytes() == SAMPLE.read_bytes()


@pytest.mark.usefixtures("_front")
@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_our_writer_into_the_listening_go_tool(tmp_path: Path, kind: str) -> None:
    port, out = free_port(), tmp_path / "out"
    where = ["-u", f"{tmp_path}/s"] if kind == "unix" else ["-l", f"127.0.0.1:{port}"]
    with peer(require("dnstap"), *where, "-q", out=out):
        with connected(f"unix:{tmp_path}/s" if kind == "unix" else f"tcp:127.0.0.1:{port}") as writer:
            assert writer.content_type == DNSTAP
            writer.write_many(payloads(SAMPLE))
        expected = SAMPLE.with_suffix(".q.txt").read_bytes()
        wait_for(lambda: len(out.read_bytes()) >= len(expected), "all lines")
    assert out.read_bytes() == expected


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
