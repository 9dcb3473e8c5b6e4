"""Files and pipes that programs read, and the reader for what they send."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from framestream import open_writer, read_file
from framestream.conformance.cases import PeerRole
from framestream.conformance.files_descriptions import Given
from framestream.conformance.files_inputs import collecting, given_as
from framestream.conformance.runner import Verdict
from framestream.conformance.steps import STOP, data, payload, start
from framestream.conversations import wire_of
from framestream.endpoints import UnixEndpoint
from tests.framestream.conformance.kit import judge

if TYPE_CHECKING:
    from pathlib import Path

WIRE = wire_of(start(b"type")) + data(payload(1), payload(2)) + wire_of(STOP)


@pytest.mark.parametrize("given", [Given.FILE, Given.PIPE, Given.SLOW_PIPE])
def test_files_and_pipes(given: Given, tmp_path: Path) -> None:
    path = tmp_path / "input"
    with given_as(str(path), WIRE, given), read_file(path) as reader:
        assert [*reader] == [payload(1), payload(2)]


def test_standard_input(tmp_path: Path) -> None:
    with given_as(str(tmp_path / "input"), WIRE, Given.STANDARD_INPUT) as stdin:
        assert not isinstance(stdin, int)
        assert stdin.read() == WIRE


def test_places_without_a_file(tmp_path: Path) -> None:
    with given_as(str(tmp_path / "folder"), WIRE, Given.FOLDER), given_as(str(tmp_path / "none"), WIRE, Given.MISSING):
        assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["folder"]


def test_what_is_sent_is_collected(tmp_path: Path) -> None:
    with collecting(UnixEndpoint(str(tmp_path / "socket"))) as (where, received):
        for number in (1, 2):
            with open_writer(where, [b"type"]) as writer:
                writer.write(payload(number))
    assert received == [payload(1), payload(2)]


def test_programs_that_do_not_read_their_input() -> None:
    """Neither a pipe that nobody opens, nor one that is left, holds up the run."""
    script = "import os, sys; sys.argv[1] == '/dev/stdin' and sys.exit(3)"
    command = (sys.executable, "-E", "-S", "-c", script, "{input}")
    results = judge("FS-FILE-READER-025", role=PeerRole.FILE_READER, command=command)
    assert [result.verdict for result in results] == [Verdict.PASS]
    (result,) = judge("FS-FILE-READER-204", role=PeerRole.FILE_READER, command=command)
    assert result.verdict is Verdict.UNIMPLEMENTED
