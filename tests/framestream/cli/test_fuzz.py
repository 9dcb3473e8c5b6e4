"""`framestream fuzz`, with the faulty reader of the tests of fuzzing."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from framestream.cli.main import main
from framestream.conformance.steps import data
from tests.framestream.fuzzing.kit import faulty
from tests.wait import DEADLINE_S, wait_for

ABORTS, GOOD, EXITS = (shlex.join(faulty(fault)) for fault in ("aborts", "none", "exits"))
COLLECTOR = shlex.join(faulty("aborts", "socket", "{socket}"))


def test_find_shrink_and_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["fuzz", "--spawn", ABORTS, "--findings", str(tmp_path / "found"), "--timeout", str(DEADLINE_S)]
    assert main([*arguments, "--count", "40", "--seed", "1", "--jobs", "2"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"crash-[0-9a-f]{8} crash: ended by SIGABRT \(5 bytes\)", lines[0])
    assert lines[1] == "40 streams, seed 1: 1 faults"
    assert re.fullmatch(r" +\d+ \S+/found/crash-[0-9a-f]{8}\.fstrm crash: ended by SIGABRT", lines[2])
    (stream,) = (tmp_path / "found").glob("*.fstrm")
    assert len(stream.read_bytes()) == len(data(b"\x80"))
    assert main([*arguments, "--replay", str(tmp_path / "found")]) == 1
    assert capsys.readouterr().out == f"{stream}: crash: ended by SIGABRT\n"
    assert main(["fuzz", "--spawn", GOOD, "--replay", str(stream)]) == 0
    assert capsys.readouterr().out == f"{stream}: no fault\n"


def test_a_good_reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "fuzz",
        "--spawn",
        GOOD,
        "--findings",
        str(tmp_path / "found"),
        "--payloads",
        "dnstap.strategies:hostile_payloads",
    ]
    assert main([*arguments, "--minutes", "0.01", "--count", "1000000"]) == 0
    assert re.fullmatch(r"\d+ streams, seed \d+: 0 faults\n", capsys.readouterr().out)
    assert main([*arguments, "--minutes", "0.01"]) == 0
    assert not (tmp_path / "found").exists()


def test_a_collector(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["fuzz", "--spawn", COLLECTOR, "--findings", str(tmp_path), "--count", "20", "--seed", "1"]
    assert main([*arguments, "--keep", "--stop", "TERM", "--content-type", "protobuf:dnstap.Dnstap"]) == 1
    assert "crash: ended by SIGABRT (5 bytes)" in capsys.readouterr().out


def test_signs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["fuzz", "--findings", str(tmp_path), "--count", "20", "--seed", "1"]
    assert main([*arguments, "--spawn", EXITS, "--crash-status", "99", "--max-memory", "1000"]) == 1
    assert "crash: ended with status 99" in capsys.readouterr().out
    command = ["sh", "-c", "grep -q frame-700001 && echo no oops here >&2"]
    assert main([*arguments, "--spawn", shlex.join(command), "--crash-text", "no (oops|way)"]) == 2
    assert capsys.readouterr().err.endswith("good stream: crash: ended with status 0: no oops here\n")


def test_faults_of_a_slow_machine_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command hangs once, for the second stream that it gets."""
    hang = f"echo x >> {tmp_path}/runs; [ $(wc -l < {tmp_path}/runs) != 2 ] || sleep 100"
    arguments = ["fuzz", "--spawn", shlex.join(["sh", "-c", hang]), "--timeout", "1", "--count", "3", "--jobs", "1"]
    assert main([*arguments, "--findings", str(tmp_path / "found")]) == 0
    assert "1 faults did not come again with twice the time, and are not counted" in capsys.readouterr().out


def test_interrupted(tmp_path: Path) -> None:
    """Findings until then are saved and told."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "framestream",
            "fuzz",
            "--spawn",
            ABORTS,
            "--findings",
            str(tmp_path / "found"),
            "--minutes",
            "100",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    with process:
        assert process.stdout is not None
        assert "crash: ended by SIGABRT" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(DEADLINE_S) == 130
    assert re.match(r"\d+ streams, seed \d+: 1 faults\n +\d+ \S+\.fstrm crash: ended by SIGABRT\n$", rest), rest
    wait_for(lambda: [*(tmp_path / "found").glob("crash-*.fstrm")], "the stream")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "--at ENDPOINT, --spawn COMMAND or both are needed"),
        (["--spawn", "cat", "--keep"], "--keep needs {socket} or {port} in COMMAND, or --at ENDPOINT"),
        (["--at", "nowhere"], "an endpoint is unix:PATH"),
        (["--spawn", "cat", "--stop", "NOW"], "expected names of signals"),
        (["--spawn", "cat", "--replay", "/missing"], "No such file"),
        (["--spawn", "cat", "--payloads", "nobody"], "expected MODULE:FUNCTION or the name of installed payloads"),
        (["--spawn", "cat", "--crash-text", "("], "'(' is no regular expression"),
        (["--spawn", "cat", "--minutes", "0"], "--minutes: invalid"),
        (["--spawn", "cat", "--count", "0"], "--count: invalid"),
        (["--spawn", "cat", "--max-memory", "x"], "--max-memory: invalid"),
    ],
)
def test_invalid_command_lines(arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fuzz", *arguments])
    assert caught.value.code == 2
    assert error in capsys.readouterr().err


def test_programs_that_cannot_be_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "--spawn", "/missing", "--findings", str(tmp_path)]) == 2
    assert "framestream: cannot run '/missing': No such file or directory\n" in capsys.readouterr().err
