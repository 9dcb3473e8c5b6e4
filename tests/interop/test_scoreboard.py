"""The scoreboard: its page is made of its data, and its script counts what the kit finds in real peers."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from framestream.conformance.catalogue import cases
from tests.framestream.conformance.kit import reader
from tests.interop.scoreboard import measured
from tests.interop.scoreboard_page import CHANCE, DATA, KNOWN, PAGE, faulty, page
from tests.interop.scoreboard_peers import PEERS, Peer

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES = json.loads(DATA.read_text())
FSTRM_CAPTURE = next(peer for peer in PEERS if (peer.name, peer.role) == ("fstrm_capture", "reader"))


def test_page_is_made_of_the_data() -> None:
    assert PAGE.read_text() == page(ENTRIES)


@pytest.mark.parametrize(("what", "peer", "role", "ids"), KNOWN)
def test_what_was_known_is_found_by_the_kit_alone(what: str, peer: str, role: str, ids: tuple[str, ...]) -> None:
    assert {*ids} <= faulty(ENTRIES, peer, role), what


def test_entries_are_of_peers_and_of_cases_that_exist() -> None:
    assert [(entry["peer"], entry["role"]) for entry in ENTRIES] == [
        (peer.name, peer.role)
        for peer in PEERS
        if any((peer.name, peer.role) == (entry["peer"], entry["role"]) for entry in ENTRIES)
    ]
    known = {case.id: case.role.value for case in cases()}
    for entry in ENTRIES:
        assert all(known[fault["id"]] == entry["role"] for fault in entry["faults"])


def test_ours_passes_everything_each_time() -> None:
    ours = [entry for entry in ENTRIES if entry["peer"].startswith("dnstap (ours)")]
    assert [(entry["peer"], entry["role"], entry["faults"], entry["changing"]) for entry in ours] == [
        (entry["peer"], entry["role"], [], {}) for entry in ours
    ]


def test_verdicts_change_only_where_programs_do() -> None:
    changing = {(entry["peer"], case) for entry in ENTRIES for case in entry["changing"]}
    assert changing <= {*CHANCE}


def test_script_counts_what_a_real_peer_does() -> None:
    entry = measured(FSTRM_CAPTURE, 2, "--cases", "FS-READER-11[67]", "--cases", "FS-READER-001")
    assert entry["counts"] == {"pass": 1, "non-strict": 0, "fail": 2, "unimplemented": 0}
    assert (entry["times"], entry["changing"]) == (2, {})
    assert [(fault["id"], fault["verdict"]) for fault in entry["faults"]] == [
        ("FS-READER-116", "fail"),
        ("FS-READER-117", "fail"),
    ]
    (stored,) = (one for one in ENTRIES if (one["peer"], one["role"]) == ("fstrm_capture", "reader"))
    assert all(fault in stored["faults"] for fault in entry["faults"])


def test_script_finds_verdicts_that_change(tmp_path: Path) -> None:
    """This one is wrong the first time only; before, the case that shows the output is run."""
    good, wrong = (shlex.join(reader(fault)) for fault in ("none", "no FINISH"))
    script = f"if mkdir {tmp_path / 'probed'} || mkdir {tmp_path / 'ran'}; then exec {wrong}; else exec {good}; fi"
    peer = Peer("changing", lambda: "1", "reader", f"sh -c {shlex.quote(script)}", ("--timeout", "3"))
    entry = measured(peer, 3, "--cases", "FS-READER-024")
    assert entry["changing"] == {"FS-READER-024": {"fail": 1, "pass": 2}}


def test_programs_that_cannot_be_run_are_told() -> None:
    gone = replace(FSTRM_CAPTURE, name="gone", words="sh -c 'exit 3' {socket}")
    with pytest.raises(RuntimeError, match=r"gone as reader cannot be run: .* got ended with status 3"):
        measured(gone, 1, "--cases", "FS-READER-001")


def test_texts_are_shown_as_they_are() -> None:
    fault = {"id": "FS-READER-001", "verdict": "fail", "rule": "A rule.", "expected": "a|b", "got": "'*' [00]\n"}
    same = [{**fault, "verdict": "non-strict", "id": f"FS-READER-00{number}"} for number in (2, 3)]
    counts = {"pass": 1, "non-strict": 2, "fail": 1, "unimplemented": 0}
    entry = {"peer": "p", "version": "1", "role": "reader", "command": "p {socket}", "times": 5, "counts": counts}
    text = page([{**entry, "faults": [fault, *same], "changing": {"FS-READER-001": {"fail": 1, "pass": 4}}}])
    assert "| p | 1 | reader | 1 | 2 | 1 | 0 | 5 |\n" in text
    assert "Verdicts that changed from run to run: p as reader: `FS-READER-001` (not explained).\n" in text
    assert "\n- `FS-READER-001` fail: A rule. Expected a\\|b; got '\\*' \\[00\\] .\n" in text
    assert "\n- `FS-READER-002`, `FS-READER-003` non-strict: expected a\\|b; got" in text
