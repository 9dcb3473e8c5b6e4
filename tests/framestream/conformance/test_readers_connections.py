"""Cases for readers: our command and a good collector pass them all."""

from __future__ import annotations

import pytest

from framestream.conformance.catalogue import cases
from tests.framestream.conformance.kit import OURS, judge, reader, verdicts

CASES = cases("FS-READER-4??")


@pytest.mark.parametrize("command", [OURS, reader("none")], ids=["ours", "another"])
def test_good_readers_pass(command: tuple[str, ...]) -> None:
    assert verdicts(judge([case for case in CASES if "stop" not in case.needs], command=command, keep=True)) == {}
    assert verdicts(judge([case for case in CASES if "stop" in case.needs], command=command)) == {}
