"""Cases for programs that read whole and truncated files: good programs pass them all, and wrong ones do not."""

from __future__ import annotations

import pytest

from framestream.conformance.cases import PeerRole
from tests.framestream.conformance.kit import OUR_FILES, converter, found_by, judge, verdicts

FAULTS = {
    "status 1": "001",
    "duplicates": "001",
    "drops the second": "001",
    "takes no file without payloads": "002",
    "drops the thousandth": "003",
    "needs STOP": "004",
    "takes a file without STOP": "005",
    "silent": "007",
    "status 0": "008",
    "takes an empty file": "014",
    "short reads": "026",
}


@pytest.mark.parametrize("command", [OUR_FILES, converter("none")], ids=["ours", "another"])
def test_good_programs_pass(command: tuple[str, ...]) -> None:
    assert verdicts(judge("FS-FILE-READER-0??", role=PeerRole.FILE_READER, command=command)) == {}


@pytest.mark.parametrize(("fault", "number"), FAULTS.items(), ids=FAULTS)
def test_wrong_programs_are_found(fault: str, number: str) -> None:
    assert found_by(f"FS-FILE-READER-{number}", converter(fault))
