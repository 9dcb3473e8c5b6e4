"""Cases for programs that read odd and wrong files: good programs pass them all, and wrong ones do not."""

from __future__ import annotations

import pytest

from framestream.conformance.cases import PeerRole
from tests.framestream.conformance.kit import OUR_FILES, converter, found_by, judge, verdicts

FAULTS = {
    "refuses unknown control frames": "101",
    "dies of unknown control frames": "101",
    "panics at unknown control frames": "101",
    "first stream only": "103",
    "takes any start": "108",
    "takes any type": "113",
    "needs a type": "114",
    "no check of control frames": "118",
    "scans for STOP": "121",
    "drops short frames": "122",
    "64 KiB": "123",
    "98,304": "124",
    "262,144": "125",
    "1 MiB": "126",
    "makes payloads of the oversized": "128",
    "status 0": "208",
    "silent": "210",
}


@pytest.mark.parametrize("command", [OUR_FILES, converter("none")], ids=["ours", "another"])
def test_good_programs_pass(command: tuple[str, ...]) -> None:
    results = judge("FS-FILE-READER-[12]??", role=PeerRole.FILE_READER, command=command)
    lacking = [] if command == OUR_FILES else ["gzip", "xz", "zstd"]
    assert verdicts([result for result in results if not {*result.case.needs} & {*lacking}]) == {}


@pytest.mark.parametrize(("fault", "number"), FAULTS.items(), ids=FAULTS)
def test_wrong_programs_are_found(fault: str, number: str) -> None:
    assert found_by(f"FS-FILE-READER-{number}", converter(fault))


def test_forms_that_are_not_read_are_not_implemented() -> None:
    results = judge("FS-FILE-READER-20[135]", role=PeerRole.FILE_READER, command=converter("none"))
    assert [result.verdict.value for result in results] == ["unimplemented"] * 3
