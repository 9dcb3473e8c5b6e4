"""The command `framestream`."""

from __future__ import annotations

import runpy
import sys

import pytest

import framestream
from framestream.cli.main import run


@pytest.mark.parametrize(("arguments", "status"), [(["--version"], 0), ([], 2), (["nothing"], 2)])
def test_exit_status(arguments: list[str], status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["framestream", *arguments])
    with pytest.raises(SystemExit) as caught:
        run()
    assert caught.value.code == status


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("framestream.cli.main.main", interrupted)
    with pytest.raises(SystemExit) as caught:
        run()
    assert caught.value.code == 130


def test_module_is_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["framestream", "--version"])
    with pytest.raises(SystemExit):
        runpy.run_module("framestream", run_name="__main__")
    assert capsys.readouterr().out == f"framestream {framestream.__version__}\n"
