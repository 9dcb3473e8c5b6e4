"""Verdicts: wrong collectors are found by the case that is made for it, and good ones are not blamed."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from framestream.conformance.cases import Case, Level, Taken
from framestream.conformance.catalogue import cases
from framestream.conformance.runner import Verdict, run
from framestream.conformance.steps import (
    FINISH,
    STOP,
    TYPE,
    Connect,
    ExpectClose,
    ExpectNothing,
    ExpectRefusal,
    Silence,
    Step,
    accept,
    expect,
    handshake,
    payload,
    ready,
    send,
    start,
    stream,
)
from framestream.conformance.targets import Settings, Target, TargetError
from framestream.endpoints import UnixEndpoint
from tests.framestream.conformance.kit import judge, reader, verdicts

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

FAULTS = {
    "discards": "FS-READER-001",
    "duplicates": "FS-READER-001",
    "invents": "FS-READER-001",
    "broken output": "FS-READER-001",
    "no FINISH": "FS-READER-001",
    "garbage for FINISH": "FS-READER-001",
    "dies of STOP": "FS-READER-001",
    "accepts any type": "FS-READER-012",
    "stays open": "FS-READER-046",
    "refuses unknown control frames": "FS-READER-116",
    "dies of unknown control frames": "FS-READER-116",
    "exits at unknown control frames": "FS-READER-116",
    "needs 8 bytes": "FS-READER-202",
    "lengths of 16 bits": "FS-READER-204",
    "cuts at 64 KiB": "FS-READER-205",
    "stops reading": "FS-READER-212",
    "lengths with a sign": "FS-READER-214",
    "lengths that wrap": "FS-READER-215",
    "knows empty payloads": "FS-READER-217",
    "looks for frames in control frames": "FS-READER-218",
    "finds STOP in payloads": "FS-READER-219",
    "drops the rest of a segment": "FS-READER-221",
    "reads a length at once": "FS-READER-223",
    "reads a payload at once": "FS-READER-224",
    "reads a control frame at once": "FS-READER-225",
    "goes on after STOP": "FS-READER-303",
    "has no patience": "FS-READER-309",
    "always sends FINISH": "FS-READER-312",
    "takes cut payloads": "FS-READER-316",
    "needs STOP": "FS-READER-315",
    "dies of SIGPIPE": "FS-READER-317",
    "lets short payloads overtake": "FS-READER-328",
    "knows payloads again": "FS-READER-329",
    "counts to 1,000": "FS-READER-330",
    "drops when busy": "FS-READER-331",
    "reads READY alone": "FS-READER-333",
    "FINISH before all is written": "FS-READER-334",
    "one at a time": "FS-READER-401",
    "shares a buffer": "FS-READER-402",
    "sends FINISH to another": "FS-READER-403",
    "ten connections": "FS-READER-404",
    "remembers refusals": "FS-READER-406",
    "dies of the 20th broken stream": "FS-READER-408",
    "ends all at an error": "FS-READER-415",
    "keeps cut payloads": "FS-READER-418",
    "waits for open streams": "FS-READER-422",
}


@pytest.mark.parametrize(("fault", "id"), FAULTS.items(), ids=FAULTS)
def test_wrong_readers_are_found(fault: str, id: str) -> None:
    (result,) = judge(id, command=reader(fault), timeout_s=1.0)
    assert result.fault
    assert result.verdict is (Verdict.FAIL if result.case.level is Level.MUST else Verdict.NON_STRICT)


@pytest.mark.parametrize(
    ("fault", "got"),
    [
        ("dies of unknown control frames", "ended by SIGABRT by itself"),
        ("exits at unknown control frames", "ended with status 3 by itself"),
    ],
)
@pytest.mark.parametrize("keep", [False, True])
def test_deaths_are_told(fault: str, got: str, keep: bool) -> None:
    (result,) = judge("FS-READER-116", command=reader(fault), keep=keep)
    assert result.fault
    assert result.fault.got == got


def test_a_program_that_is_crashing_is_waited_for() -> None:
    """It takes a good stream in another thread while it prints a trace."""
    (result,) = judge("FS-READER-013", command=reader("panics"))
    assert result.fault
    assert result.fault.got == "ended with status 2 by itself; it printed b'panic: it goes on for a moment\\n'"


@pytest.mark.parametrize("keep", [False, True])
def test_a_command_that_never_listens(keep: bool) -> None:
    """No case is at fault, and none is run."""
    got = r"expected a listener at unix:\S+, got ended with status 4 by itself; it printed b'no permission\\n'"
    with pytest.raises(TargetError, match=got):
        judge("FS-READER-*", command=reader("never listens"), keep=keep)


def test_a_crash_by_our_signal_is_not_one_of_the_case() -> None:
    (result,) = judge("FS-READER-001", command=reader("aborts at the end"))
    assert result.verdict is Verdict.PASS
    assert result.notes == ("ended by SIGABRT after our SIGTERM",)


def test_a_command_that_does_not_end_is_noted() -> None:
    (result,) = judge("FS-READER-001", command=reader("goes on after TERM"), timeout_s=1.0)
    assert result.notes == ("no end within 1 s of the signal",)


def test_what_is_tolerated_is_not_strict() -> None:
    (result,) = judge("FS-READER-001", command=reader("empty ACCEPT"))
    assert result.verdict is Verdict.NON_STRICT
    assert result.fault
    assert result.fault.got == "ACCEPT [00000000 00000004 00000001]"


def test_capabilities_that_a_peer_lacks() -> None:
    """The case that shows it is run even if it was not chosen."""
    (result,) = judge("FS-READER-038", command=reader("no unidirectional"))
    assert result.verdict is Verdict.UNIMPLEMENTED
    assert result.notes[0].startswith("FS-READER-002 shows that it has no unidirectional")


@pytest.mark.parametrize("keep", [False, True])
def test_output_that_is_never_written_is_blamed_once(keep: bool) -> None:
    results = judge("FS-READER-00[13]", command=reader("discards"), keep=keep, timeout_s=1.0)
    assert list(verdicts(results)) == ["FS-READER-001"]
    assert results[1].notes[0].startswith("output not checked: FS-READER-001 shows that it has no output")


@pytest.mark.parametrize("keep", [False, True])
def test_text(keep: bool) -> None:
    settings: dict[str, Any] = {"keep": keep, "output_text": True}
    (result,) = judge("FS-READER-001", command=reader("text"), **settings)
    assert (result.verdict, result.notes) == (Verdict.PASS, ())
    (result,) = judge("FS-READER-001", command=reader("text without the third"), **settings, timeout_s=1.0)
    assert result.verdict is Verdict.PASS
    # Only what the reader prints at its end is found there.
    (result,) = judge("FS-READER-001", command=reader("text at the end"), **settings, timeout_s=1.0)
    assert result.verdict is (Verdict.FAIL if keep else Verdict.PASS)


def test_text_that_lacks_a_payload() -> None:
    case = Case(
        id="X-READER-1",
        level=Level.MUST,
        rule="",
        source="",
        failure="",
        steps=stream(payload(1), payload(3)),
        output=(Taken((payload(1), payload(3))),),
    )
    (result,) = judge([case], command=reader("text without the third"), output_text=True)
    assert result.verdict is Verdict.FAIL
    assert result.fault
    assert result.fault.expected == "frame-3 in the text"
    (result,) = judge(
        [replace(case, output=(Taken(case.output[0].payloads, optional=(payload(3),)),))],
        command=reader("text without the third"),
        output_text=True,
    )
    assert result.verdict is Verdict.PASS


def test_text_that_is_printed() -> None:
    """Standard output is looked at if there is no file."""
    words = tuple("/dev/stdout" if word == "{output}" else word for word in reader("text"))
    (result,) = judge("FS-READER-001", command=words, output_text=True)
    assert (result.verdict, result.notes) == (Verdict.PASS, ())


def test_a_program_that_runs_already_shows_no_text(tmp_path: Path) -> None:
    settings = Settings(at=UnixEndpoint(str(tmp_path / "socket")), output_text=True)
    assert not settings.shows_output


def test_payloads_that_may_be_left_out() -> None:
    steps = stream(payload(1), payload(3))
    case = Case(id="X-READER-1", level=Level.MUST, rule="", source="", failure="", steps=steps)
    both = payload(1), payload(2), payload(3)
    (result,) = judge([replace(case, output=(Taken(both, optional=(payload(2),)),))], command=reader("none"))
    assert result.verdict is Verdict.PASS
    (result,) = judge([replace(case, output=(Taken(both, optional=(payload(1),)),))], command=reader("none"))
    assert result.verdict is Verdict.FAIL


def test_losses_at_the_end_are_found() -> None:
    (result,) = judge("FS-READER-131", command=reader("aborts at the end"))
    assert result.fault
    assert result.fault.got == "ended by SIGABRT after our SIGTERM"


def test_cases_that_the_run_cannot_have() -> None:
    """A program that is kept is not ended for a case, and the output of one without {output} is not seen."""
    words = [word.replace("{output}", os.devnull) for word in reader("none")]
    (result,) = judge("FS-READER-131", command=tuple(words), keep=True)
    assert result.verdict is Verdict.UNIMPLEMENTED
    assert result.notes == ("no command that is started for each case", "no output file is named")
    (result,) = judge("FS-READER-001", command=tuple(words))
    assert result.verdict is Verdict.PASS
    assert result.notes == ("output not checked: no output file is named",)


def test_deviations_of_other_steps() -> None:
    """Steps that the cases of today pass, or do not have."""
    steps: list[Step] = [ExpectNothing(), ExpectClose(), ExpectRefusal()]
    for number, step in enumerate(steps):
        case = Case(
            id=f"X-READER-{number}", level=Level.MAY, rule="", source="", failure="", steps=(send(ready(TYPE)), step)
        )
        (result,) = judge([case], command=reader("none"), timeout_s=2.0)
        assert result.verdict is Verdict.NON_STRICT
        assert result.fault
        assert result.fault.got.startswith("ACCEPT")
    case = Case(
        id="X-READER-9",
        level=Level.MUST,
        rule="",
        source="",
        failure="",
        steps=(Connect((0,)), Silence(0.01), ExpectRefusal()),
    )
    silent = judge([case], command=reader("none"), timeout_s=1.0)
    assert [result.verdict for result in silent] == [Verdict.NON_STRICT]


def test_differences_of_long_outputs_are_shown_from_their_place() -> None:
    (result,) = judge("FS-READER-330", command=reader("counts to 1,000"), timeout_s=5.0)
    assert result.fault
    assert result.fault.expected.startswith("100000 payloads in the output, from the 1001. on: [0a0a6672 ")
    assert result.fault.expected.endswith("] ... (99000 payloads)")
    assert result.fault.got == "none"


@pytest.mark.parametrize(("level", "verdict"), [(Level.MUST, Verdict.FAIL), (Level.SHOULD, Verdict.NON_STRICT)])
def test_losses_have_the_level_of_the_output(level: Level, verdict: Verdict) -> None:
    long, short = payload(1, 2000), payload(2)
    case = Case(
        id="X-READER-1",
        level=Level.SHOULD,
        rule="",
        source="",
        failure="",
        steps=stream(short, long),
        output=(Taken((short, long), level=level),),
    )
    alone = replace(case, steps=stream(short))
    assert [result.verdict for result in judge([alone], command=reader("none"))] == [verdict]
    # In another order is more than a loss.
    other = replace(case, steps=stream(long, short))
    assert [result.verdict for result in judge([other], command=reader("none"))] == [Verdict.FAIL]


def test_what_may_end_in_two_ways() -> None:
    """FINISH or the end of the connection."""
    for last in (STOP, start(TYPE)):
        case = Case(
            id="X-READER-1",
            level=Level.MUST,
            rule="",
            source="",
            failure="",
            steps=(*handshake(), send(start(TYPE), last), expect(FINISH, closes=True)),
        )
        assert verdicts(judge([case], command=reader("none"))) == {}
        (result,) = judge(
            [replace(case, steps=(*case.steps[:-1], expect(accept(), closes=True)))], command=reader("none")
        )
        assert (result.fault is None) == (last != STOP)
        assert result.fault is None or result.fault.expected.endswith(" or the connection closed")


def test_results_are_reported_in_order_with_what_is_known() -> None:
    chosen = cases("FS-READER-00[1-4]")
    target = Target(Settings(command=reader("none")))
    reported: list[str] = []
    results = run(chosen, target, known={"FS-READER-003": "reason"}, report=lambda one: reported.append(one.case.id))
    target.close()
    assert reported == [case.id for case in chosen]
    assert [result.known for result in results] == ["", "", "reason", ""]
    assert all(result.seconds > 0 and result.transcript for result in results)
