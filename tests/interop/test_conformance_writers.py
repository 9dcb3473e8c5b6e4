"""Verdicts of the kit about writers of others: each that is not a pass is a fault that is known from their source."""

from __future__ import annotations

from framestream.conformance.steps import TYPE
from tests.framestream.conformance.kit import judge_writer
from tests.interop.go_build import built
from tests.interop.peers import require

CASES = ("FS-WRITER-0[0-4]?", "FS-WRITER-1[0-3]?", "FS-WRITER-20[7-9]")


def verdicts(*command: str, cases: tuple[str, ...] = CASES) -> dict[str, str]:
    """Return the verdicts that are neither pass nor unimplemented."""
    results = [result for pattern in cases for result in judge_writer(pattern, command, timeout_s=5.0)]
    assert results
    return {
        result.case.id: result.verdict.value
        for result in results
        if result.verdict.value not in ("pass", "unimplemented")
    }


def test_fstrm_replay() -> None:
    """It waits for FINISH for ever."""
    command = (require("fstrm_replay"), "-t", TYPE.decode(), "-r", "{input}")
    assert verdicts(*command, "-u", "{socket}") == {"FS-WRITER-108": "non-strict"}
    assert verdicts(*command, "-a", "127.0.0.1", "-p", "{port}", cases=("FS-WRITER-10[1-6]",)) == {}


def test_the_go_tool() -> None:
    """It takes content types over the limit, and does not read files with payloads over 96 KiB."""
    found = verdicts(require("dnstap"), "-r", "{input}", "-U", "{socket}")
    assert found == {"FS-WRITER-039": "non-strict", "FS-WRITER-123": "non-strict"}


def test_the_go_library() -> None:
    """It writes an empty payload, which breaks the stream."""
    options = f"-role writer -timeout 3s -content-type {TYPE.decode()} -connect unix:{{socket}}"
    found = verdicts("sh", "-c", f"exec {built('go')} {options} < {{hex}}")
    assert found == {"FS-WRITER-039": "non-strict", "FS-WRITER-121": "fail"}
