"""Cases about dnstap, with the Go tool and fstrm_capture: their verdicts are true.

What is expected of the Go tool is in its source: TextOutput.go returns from its loop at the first payload that does not
decode or that a format refuses, and the formats look at the message without a look whether it is there.
"""

from __future__ import annotations

from signal import SIGINT

import pytest

from dnstap.conformance.catalogue import CASES
from framestream.conformance.cases import PeerRole
from framestream.conformance.runner import Verdict
from tests.framestream.conformance.kit import judge, verdicts
from tests.interop.peers import require

SILENT, CRASH, FULL = "DNSTAP-READER-101", "DNSTAP-READER-102", "DNSTAP-READER-112"
OTHER_TYPE, ADDRESSES, ESCAPES = "DNSTAP-READER-108", "DNSTAP-READER-205", "DNSTAP-READER-217"

CHOSEN = {SILENT, CRASH, FULL, OTHER_TYPE, ADDRESSES, ESCAPES}

READERS = [case for case in CASES if case.role is PeerRole.READER]


@pytest.mark.parametrize(
    ("form", "fails"),
    [
        ("-q", {SILENT, CRASH, FULL, OTHER_TYPE}),
        ("-y", {SILENT, CRASH, FULL}),
        ("-j", {SILENT, CRASH, FULL, OTHER_TYPE, ADDRESSES}),
    ],
)
def test_the_go_tool(form: str, fails: set[str]) -> None:
    command = (require("dnstap"), "-u", "{socket}", form, "-w", "{output}")
    chosen = [case for case in READERS if case.id in CHOSEN or case.id < "DNSTAP-READER-099"]
    results = judge(chosen, command=command, output_text=True, stop=(SIGINT,), timeout_s=5.0)
    assert {result.case.id for result in results if result.verdict is Verdict.FAIL} == fails
    # Of control characters, -j leaves U+009B alone, which JSON allows.
    others = {result.case.id for result in results if result.verdict not in (Verdict.FAIL, Verdict.PASS)}
    assert others == ({ESCAPES} if form == "-j" else set())
    got = {result.case.id: result.fault.expected + ": " + result.fault.got for result in results if result.fault}
    assert got[SILENT].startswith("frame-2 in the text: text that ends b'")
    assert got[CRASH].startswith("a peer that goes on: ended with status 2 by itself; it printed b'")
    assert got[FULL].startswith("FINISH")


def test_fstrm_capture() -> None:
    """It takes payloads as they are, all of them."""
    command = (require("fstrm_capture"), "-t", "protobuf:dnstap.Dnstap", "-u", "{socket}", "-w", "{output}")
    assert verdicts(judge(READERS, command=command)) == {}
