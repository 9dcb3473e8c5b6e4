"""Examples of the README and of pages in docs/, run as they are."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from framestream import open_writer
from tests.wait import DEADLINE_S, wait_for

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCS = (
    "streams",
    "decoding",
    "messages",
    "formats",
    "collecting",
    "filters",
    "anonymizing",
    "tapping",
    "adapters",
    "testing",
)
PAGES = README + "".join((ROOT / "docs" / f"{name}.md").read_text() for name in DOCS)
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGES, re.MULTILINE | re.DOTALL)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Work in a folder where the README's relative paths exist."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "README.md").symlink_to(ROOT / "README.md")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "dnstap"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m dnstap "$@"\n')
    command.chmod(0o755)
    return tmp_path


def environment(clone: Path) -> dict[str, str]:
    """Return an environment in which `dnstap` is our command."""
    return {**os.environ, "PATH": f"{clone / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("block", [text for language, text in BLOCKS if language == "console"])
def test_console_examples_print_what_is_shown(clone: Path, block: str) -> None:
    command, _, expected = block.removeprefix("$ ").partition("\n")
    process = subprocess.run(
        ["sh", "-c", command],
        cwd=clone,
        env=environment(clone),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if expected.endswith("...\n"):
        assert process.stdout.startswith(expected.removesuffix("...\n"))
    else:
        assert process.stdout == expected


def python_blocks() -> list[tuple[str, str]]:
    """Yield each program of the README and its output: the block after it, or the comment on its print."""
    programs = []
    for number, (language, text) in enumerate(BLOCKS):
        if language == "python":
            following = BLOCKS[number + 1] if number + 1 < len(BLOCKS) else ("none", "")
            comments = "".join(f"{comment}\n" for comment in re.findall(r"print\(error\)  # (.*)", text))
            programs.append((text, following[1] if following[0] == "" else comments))
    return programs


@pytest.mark.parametrize(("program", "expected"), python_blocks())
def test_python_examples_print_what_is_shown(clone: Path, program: str, expected: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        cwd=clone,
        env=environment(clone),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        if "the first server that connects" in program:
            with wait_for(lambda: connected(clone / "dnstap.sock"), "the listener") as writer:
                writer.write_many([b"abc", b"abcde"])
            expected = "3\n5\n"
        # Some draw hundreds of examples, which takes seconds.
        assert process.communicate(timeout=5 * DEADLINE_S)[0] == expected
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


def connected(path: Path) -> Any:
    """Open a writer, once a reader listens."""
    with contextlib.suppress(OSError):
        return open_writer(path, [b"protobuf:dnstap.Dnstap"])
    return None


def test_the_sample_is_what_the_go_tool_prints(clone: Path) -> None:
    process = subprocess.run(
        ["dnstap", "-r", "examples/coredns.fstrm"],
        cwd=clone,
        env={**environment(clone), "TZ": "UTC"},
        capture_output=True,
        check=True,
    )
    assert process.stdout == (ROOT / "examples" / "coredns.q.txt").read_bytes()


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page}: {target}"


def test_commands_that_are_named_exist() -> None:
    for script in re.findall(r"`(\./[\w/]+)`", README):
        assert os.access(ROOT / script, os.X_OK), script
