"""Cases for readers: our command and a good collector pass them all."""

from __future__ import annotations

import pytest

from tests.framestream.conformance.kit import OURS, judge, reader, verdicts


@pytest.mark.parametrize("command", [OURS, reader("none")], ids=["ours", "another"])
def test_good_readers_pass(command: tuple[str, ...]) -> None:
    assert verdicts(judge("FS-READER-2??", command=command, keep=True)) == {}
