"""`framestream seeds`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from framestream.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path


def test_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few, many = tmp_path / "few", tmp_path / "many"
    assert main(["seeds", str(few)]) == 0
    count = sum(path.is_file() for path in few.rglob("*")) - 2
    assert capsys.readouterr().out == f"{count} seeds written to {few}\n"
    assert main(["seeds", str(many), "--payloads", "dnstap.strategies:server_payloads"]) == 0
    assert len([*(many / "payloads").iterdir()]) > len([*(few / "payloads").iterdir()]) + 50


def test_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["seeds", str(tmp_path / "file")]) == 2
    assert "framestream: " in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["seeds", str(tmp_path), "--payloads", "nobody"])
    assert "expected MODULE:FUNCTION" in capsys.readouterr().err
