"""The command `framestream`."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import framestream
from framestream.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("arguments", "status"), [(["--version"], 0), ([], 2), (["nothing"], 2)])
def test_exit_status(arguments: list[str], status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["framestream", *arguments])
    with pytest.raises(SystemExit) as caught:
        run()
    assert caught.value.code == status


@pytest.mark.parametrize(("error", "status"), [(None, 1), (KeyboardInterrupt, 130), (BrokenPipeError, 141)])
def test_ends(error: type[BaseException] | None, status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def main() -> int:
        if error:
            raise error
        return 1

    monkeypatch.setattr("framestream.cli.main.main", main)
    with (tmp_path / "output").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        with pytest.raises(SystemExit) as caught:
            run()
    assert caught.value.code == status


def test_reader_of_the_output_that_leaves() -> None:
    """As `framestream check reader --list | head` does: no traceback, and the status of SIGPIPE."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-m", "framestream", "check", "reader", "--list"]
        process = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert (process.returncode, process.stderr) == (141, b"")


def test_module_is_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["framestream", "--version"])
    with pytest.raises(SystemExit):
        runpy.run_module("framestream", run_name="__main__")
    assert capsys.readouterr().out == f"framestream {framestream.__version__}\n"
