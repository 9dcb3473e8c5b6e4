"""Short programs of examples/: their length, and those that need no server; tests/interop has the others."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from fcntl import ioctl
from pathlib import Path
from termios import FIONREAD
from typing import TYPE_CHECKING

import pytest

from dnstap import CONTENT_TYPE
from framestream import write_file
from tests.interop.peers import require
from tests.test_readme import hostile_payloads
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SAMPLE = EXAMPLES / "coredns.fstrm"

SERVERS = {"authoritative_dnslib", "forwarder_asyncio"}
"""Programs that may be longer."""

MAX_LINES = 25
"""Most lines of a short program, without its docstring and empty lines."""


def programs() -> list[str]:
    return sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", sorted({*programs()} - SERVERS))
def test_short_programs_are_short(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text()
    docstring = ast.parse(text).body[0]
    assert isinstance(docstring, ast.Expr)
    lines = [line for line in text.splitlines()[docstring.end_lineno :] if line.strip()]
    assert len(lines) <= MAX_LINES
    assert f"python {name}.py" in text or f"pytest {name}.py" in text or f"python -i {name}.py" in text


def test_the_table_has_each_program() -> None:
    rows = re.findall(r"^\| `(\w+)\.py` \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(rows) == programs()


def run(name: str, *arguments: str | Path, program: Sequence[str | Path] = (), **variables: str) -> tuple[str, str]:
    """Run a program of examples/ to its end; return its output, and what it wrote to standard error."""
    process = subprocess.run(
        [sys.executable, "-W", "error", *(program or [EXAMPLES / f"{name}.py"]), *arguments],
        capture_output=True,
        text=True,
        timeout=5 * DEADLINE_S,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout, process.stderr


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Return a recording of payloads without a message, without a question, and of no dnstap, cut inside a frame."""
    path = tmp_path / "hostile.fstrm"
    with write_file(path, [CONTENT_TYPE]) as writer:
        writer.write_many([b"\x78\1", *hostile_payloads()])
    path.write_bytes(path.read_bytes()[:-20])
    return path


def test_top_names(hostile: Path) -> None:
    """Over several files, a broken one among them."""
    printed, counts = run("top_names", hostile, SAMPLE)
    assert printed.startswith("       5 example.org.\n")
    assert re.search(r"^       1 www\.example\.org\.$", printed, re.MULTILINE)
    assert re.search(r"\n\d\d payloads, \d of them bad, 1 broken files\n$", counts)


def test_top_names_can_be_interrupted(tmp_path: Path) -> None:
    """Once it has read a part of its input, which goes on."""
    with (tmp_path / "names").open("wb") as names, (tmp_path / "counts").open("wb") as counts:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", EXAMPLES / "top_names.py", "-"],
            stdin=subprocess.PIPE,
            stdout=names,
            stderr=counts,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    with process:
        assert process.stdin is not None
        pipe = process.stdin.fileno()
        os.write(pipe, SAMPLE.read_bytes()[:3000])
        wait_for(lambda: not any(ioctl(pipe, FIONREAD, bytes(4))), "the program to read")
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0, (tmp_path / "counts").read_text()
    assert re.fullmatch(r"\d+ payloads, 0 of them bad, 0 broken files\n", (tmp_path / "counts").read_text())


def test_data_frame(hostile: Path) -> None:
    """Of messages whose times and addresses cannot be, too."""
    printed, counts = run("data_frame", hostile, SAMPLE)
    rows = [line.split() for line in printed.splitlines()]
    assert ["A", "6", "0", "days", "00:00:00.000561915", "0", "days", "00:00:00.000972509"] in rows
    assert re.search(r"^\d+ messages, \d+ bad payloads, 1 broken files$", counts, re.MULTILINE)


def test_of_a_parser(tmp_path: Path) -> None:
    """Of our parser and a collector written in C, which pass, and of a parser that fails."""
    source = (EXAMPLES / "test_my_parser.py").read_text()
    path = tmp_path / "test_my_parser.py"
    pytest_of: list[str | Path] = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, path]
    collector = f"{require('fstrm_capture')} -t {CONTENT_TYPE.decode()} -u {{socket}} -w /dev/null"
    # With CI, Hypothesis draws the same in each run, and sets no deadlines.
    variables = {"COLLECTOR": collector, "CI": "true"}
    path.write_text(source)
    assert "3 passed" in run("", program=pytest_of, **variables)[0]

    assert "parse = Dnstap.parse\n" in source
    path.write_text(source.replace("parse = Dnstap.parse\n", "parse = lambda payload: Dnstap.parse(payload[::-1])\n"))
    with pytest.raises(AssertionError, match="1 failed, 2 passed"):
        run("", program=pytest_of, **variables)
