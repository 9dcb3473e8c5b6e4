"""Cases for programs that write files: good programs pass them all, and wrong ones do not."""

from __future__ import annotations

import pytest

from framestream.conformance.cases import PeerRole
from tests.framestream.conformance.kit import OUR_FILES, converter, found_by, judge, verdicts

FAULTS = {
    "drops the second": "001",
    "no START": "002",
    "START without a type": "002",
    "no STOP": "003",
    "writes READY": "004",
    "takes no file without payloads": "005",
    "drops the thousandth": "006",
    "stray bytes": "006",
    "64 KiB": "007",
    "scans for STOP": "008",
    "dies of unknown control frames": "009",
    "part of the last frame": "011",
    "no STOP of the broken": "012",
    "appends": "014",
    "overwrites": "015",
    "silent": "016",
    "ignores a full disk": "018",
}


@pytest.mark.parametrize("command", [OUR_FILES, converter("none")], ids=["ours", "another"])
def test_good_programs_pass(command: tuple[str, ...]) -> None:
    assert verdicts(judge("FS-FILE-WRITER-0??", role=PeerRole.FILE_WRITER, command=command)) == {}


@pytest.mark.parametrize(("fault", "number"), FAULTS.items(), ids=FAULTS)
def test_wrong_programs_are_found(fault: str, number: str) -> None:
    assert found_by(f"FS-FILE-WRITER-{number}", converter(fault))
