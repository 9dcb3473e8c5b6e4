"""Files of payloads, and triggers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from framestream.conformance.inputs import triggering, write_inputs
from tests.wait import wait_for

if TYPE_CHECKING:
    from pathlib import Path


def test_files_of_payloads(tmp_path: Path) -> None:
    paths = write_inputs(str(tmp_path), b"type", [b"one", b"", b"\0\n"])
    assert {name: path.removeprefix(str(tmp_path)) for name, path in paths.items()} == {
        "{input}": "/input",
        "{hex}": "/hex",
    }
    assert (tmp_path / "hex").read_text() == "6f6e65\n\n000a\n"
    wire = (tmp_path / "input").read_bytes()
    assert wire.hex(" ", -4) == (
        "00000000 00000010 00000002 00000001 00000004 74797065 00000003 6f6e6500 00000200 0a000000 00000000 04000000 03"
    )


def test_triggers_are_repeated_and_ended(tmp_path: Path) -> None:
    """One that does not end does not hold anything up, and one that fails is repeated."""
    marks = tmp_path / "marks"
    program = f"import sys, time; open({str(marks)!r}, 'a').write('x'); time.sleep(1000 * (sys.argv[1] == 'hangs'))"
    with triggering([sys.executable, "-E", "-S", "-c", program + "; sys.exit(1)", "ends"]):
        wait_for(lambda: marks.exists() and len(marks.read_text()) >= 2, "two runs")
    marks.unlink()
    with triggering([sys.executable, "-E", "-S", "-c", program, "hangs"]):
        wait_for(lambda: marks.exists(), "a run")
    assert marks.read_text() == "x"


def test_triggers_that_do_not_exist() -> None:
    with pytest.raises(FileNotFoundError, match="there is no program '/missing'"), triggering(["/missing"]):
        pass
