"""Cases for programs that record connections: good programs pass them all, and wrong ones do not."""

from __future__ import annotations

import pytest

from framestream.conformance.cases import PeerRole
from tests.framestream.conformance.kit import OURS, found_by, judge, recorder, verdicts

FAULTS = {
    "no START": "002",
    "writes the oversized": "010",
    "parts of frames": "011",
    "silent": "017",
    "loses its buffer": "101",
    "no STOP by TERM": "102",
    "loses its buffer by INT": "103",
    "no STOP": "104",
    "goes on after TERM": "105",
    "status 3": "105",
    "buffers": "106",
    "writes START in halves": "107",
    "a stream for each sender": "109",
    "mixes senders": "110",
    "takes any stream": "112",
}


@pytest.mark.parametrize("command", [OURS, recorder("none")], ids=["ours", "another"])
def test_good_recorders_pass(command: tuple[str, ...]) -> None:
    assert verdicts(judge("FS-FILE-WRITER-*", role=PeerRole.FILE_WRITER, command=command)) == {}


@pytest.mark.parametrize(("fault", "number"), FAULTS.items(), ids=FAULTS)
def test_wrong_recorders_are_found(fault: str, number: str) -> None:
    assert found_by(f"FS-FILE-WRITER-{number}", recorder(fault))
