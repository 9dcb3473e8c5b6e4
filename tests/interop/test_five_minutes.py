"""Collectors of docs/conformance.md in Go and in C, built as they are, and put to the kit as the page says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.interop.go_build import built
from tests.interop.peers import missing, require
from tests.wait import DEADLINE_S

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "conformance.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SHOWN = [text for language, text in BLOCKS if language == "text"]


def check(words: str, folder: Path, cases: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command line of the page, if need be only for some cases."""
    command = [sys.executable, "-m", *shlex.split(words)] + (["--cases", cases] if cases else [])
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=5 * DEADLINE_S, check=False)


def spawned(words: str) -> str:
    """Return the command line of the page that contains some words."""
    (found,) = re.findall(rf"^    (framestream check reader --spawn '{re.escape(words)})$", PAGE, re.MULTILINE)
    return str(found)


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """Return a folder with the collector in Go, whose source is that of the page."""
    (source,) = (text for language, text in BLOCKS if language == "go")
    assert source == (HERE / "go_collector" / "main.go").read_text()
    (tmp_path / "collector").symlink_to(built("go_collector"))
    return tmp_path


@pytest.fixture
def c(tmp_path: Path) -> Path:
    """Return a folder with the collector in C, built from the page."""
    require("cc")
    if not Path("/usr/include/fstrm.h").exists():
        missing("libfstrm-dev is not installed")
    (source,) = (text for language, text in BLOCKS if language == "c")
    assert source == (HERE / "c" / "collector.c").read_text()
    (tmp_path / "collector.c").write_text(source)
    (command,) = re.findall(r"^    (cc collector.*)$", PAGE, re.MULTILINE)
    subprocess.run([*shlex.split(command), "-Wall", "-Wextra", "-Werror"], cwd=tmp_path, check=True)
    return tmp_path


def test_go_prints_what_is_shown(go: Path) -> None:
    command, _, expected = SHOWN[0].removeprefix("$ ").partition("\n")
    process = check(command, go)
    assert (process.stdout, process.returncode) == (expected, 1)


def test_go_is_good_in_ci_with_its_known_faults(go: Path) -> None:
    _, known, command = SHOWN[1].rstrip("\n").split("\n")
    (go / "known.txt").write_text(known + "\n")
    process = check(command.removeprefix("$ "), go, "FS-READER-04[35]")
    assert process.returncode == 0, process.stdout + process.stderr
    report = ET.parse(go / "report.xml").getroot()
    assert (report.get("tests"), report.get("failures"), report.get("skipped")) == ("2", "0", "1")


def test_go_can_be_tested_as_shown(go: Path) -> None:
    process = check(spawned("./collector {socket}' --output-text"), go, "FS-READER-00*")
    assert process.returncode == 0, process.stdout + process.stderr
    assert "FS-READER-001" not in process.stdout


def test_c_can_be_tested_as_shown(c: Path) -> None:
    """It takes good streams, and has the faults of libfstrm."""
    process = check(spawned("./collector {socket} {output}'"), c, "FS-READER-0[0-2]*")
    assert process.returncode == 1, process.stdout + process.stderr
    failing = re.findall(r"^(\S+) fail ", process.stdout, re.MULTILINE)
    assert failing == [f"FS-READER-{number:03}" for number in range(12, 18)]
