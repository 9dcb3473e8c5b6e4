"""Our relay into the receivers of others: everything read arrives, and both ends finish the stream."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from framestream import read_file
from tests.interop.command import listening
from tests.interop.command import run as run_ours
from tests.interop.go_recording import recorded_by_go
from tests.interop.peers import require
from tests.interop.servers import free_port
from tests.interop.test_fstrm import DATA, DNSTAP, payloads, peer
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from pathlib import Path

CAPTURES = sorted(DATA.glob("*-a*.fstrm"))


def received(path: Path) -> list[bytes]:
    """Return the payloads that a receiver has written by now."""
    with read_file(path) as reader:
        return list(reader)


@pytest.mark.parametrize("receiver", ["fstrm_capture", "Go"])
@pytest.mark.parametrize("transport", ["unix", "tcp"])
def test_a_relay_sends_the_frames_of_files(tmp_path: Path, receiver: str, transport: str) -> None:
    out = tmp_path / "received"
    port = free_port()
    place = [str(tmp_path / "sock")] if transport == "unix" else []
    command: list[str | Path]
    if receiver == "fstrm_capture":
        place = ["-u", *place] if place else ["-a", "127.0.0.1", "-p", str(port)]
        command = [require("fstrm_capture"), "-t", DNSTAP.decode(), *place, "-w", out]
    else:
        program = require("dnstap")
        command = [program, *(["-u", *place] if place else ["-l", f"127.0.0.1:{port}"]), "-w", out]
    with peer(*command, out=tmp_path / "log") as process:
        target = ["-U", str(tmp_path / "sock")] if transport == "unix" else ["-T", f"127.0.0.1:{port}"]
        files = [argument for path in CAPTURES for argument in ("-r", str(path))]
        done = run_ours(*files, *target, "--stats")
        assert done.returncode == 0, done.stderr
        expected = [payload for path in CAPTURES for payload in payloads(path)]
        assert len(expected) > 1000
        if receiver == "Go":
            assert recorded_by_go(process, out, len(expected)) == expected
        else:
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE_S)
            assert received(out) == expected
    lines = done.stderr.decode().splitlines()
    all_of_them = f" {len(expected)} frames: {len(expected)} written, 0 rejected, 0 dropped, 0 left; connected again "
    assert all_of_them in lines[-1]


def test_a_relay_passes_a_live_stream_on(tmp_path: Path) -> None:
    """Live from fstrm_replay through a relay into fstrm_capture and a file."""
    out, copy = tmp_path / "received", tmp_path / "copy"
    command: list[str | Path] = [require("fstrm_capture"), "-t", DNSTAP.decode(), "-u", tmp_path / "there", "-w", out]
    with (
        peer(*command, out=tmp_path / "log") as process,
        listening(tmp_path / "here", tmp_path, "-U", tmp_path / "there", "-w", copy, "--stats") as ours,
    ):
        replay: list[str | Path] = [require("fstrm_replay"), "-t", DNSTAP.decode(), "-u", tmp_path / "here"]
        for path in CAPTURES:
            subprocess.run([*replay, "-r", path], check=True, capture_output=True)
        assert ours.stop(signal.SIGTERM) == 0
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE_S)
    expected = [payload for path in CAPTURES for payload in payloads(path)]
    assert received(out) == received(copy) == expected
