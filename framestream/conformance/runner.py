"""Runs of cases against a program, in parallel, and their verdicts."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from itertools import takewhile
from operator import eq
from typing import TYPE_CHECKING

from framestream.conformance.cases import Level, PeerRole, Taken
from framestream.conformance.catalogue import PROBES, cases
from framestream.conformance.files_targets import FileTarget
from framestream.conformance.player import Death, Deviation, OutputDifference, Player, hex_of
from framestream.conformance.steps import payload, stream
from framestream.conformance.texts import text_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from framestream.conformance.cases import Case
    from framestream.conformance.targets import Session, Target

__all__ = ["Result", "Verdict", "run"]


SENT = (payload(1), payload(2), payload(3))
"""Payloads that a writer is given to send, if a case has none of its own."""

ENDING_S = 1.0
"""Time in which a program that has closed its connections ends, if it does: it may be writing a core dump."""

SETTLING_S = 0.02
"""Time in which a program that goes on may still end: another thread of it may be crashing."""


_SHOWN = 4
"""Payloads that are shown of a list."""


class Verdict(Enum):
    """Judgement of one case."""

    PASS = "pass"  # noqa: S105 (not a password)
    NON_STRICT = "non-strict"
    FAIL = "fail"
    UNIMPLEMENTED = "unimplemented"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Result of one case.

    Attributes:
        case: the case.
        verdict: the judgement.
        fault: the worst deviation, and the first of these; None for a pass.
        notes: other observations.
        transcript: what both ends sent and did, one line each.
        seconds: duration.
        known: reason why it is known not to pass; "" if it is not.
    """

    case: Case
    verdict: Verdict
    fault: Deviation | None = None
    notes: tuple[str, ...] = ()
    transcript: tuple[str, ...] = ()
    seconds: float = 0.0
    known: str = ""


def run(
    chosen: Sequence[Case],
    target: Target,
    *,
    jobs: int = 4,
    known: dict[str, str] | None = None,
    report: Callable[[Result], object] | None = None,
) -> list[Result]:
    """Run cases and return their results in the order of the cases.

    The cases that show whether the peer has a capability are run first; without it, those that need it are not run.

    Args:
        jobs: number of cases that run at the same time; only one if all have the same run of the program.
        known: ids of cases that are known not to pass, with reasons.
        report: function that is called with each result, in order.
    Raises: TargetError: the program cannot be run.
    """
    lacking = _lacking(chosen, target)
    with ThreadPoolExecutor(jobs if target.settings.fresh else 1) as pool:
        running = [pool.submit(_result, case, target, lacking) for case in chosen]
        results = []
        try:
            for future in running:
                result = future.result()
                results.append(replace(result, known=(known or {}).get(result.case.id, "")))
                if report:
                    report(results[-1])
        finally:
            pool.shutdown(cancel_futures=True)
    return results


def _lacking(chosen: Iterable[Case], target: Target) -> dict[str, str]:
    """Return the capabilities that the peer shows not to have, with reasons."""
    lacking = target.settings.lacking
    if isinstance(target, FileTarget):
        lacking = target.lacking
    needed = {capability for case in chosen for capability in case.needs}
    if target.settings.role is PeerRole.READER:
        if target.settings.shows_output:
            needed.add("output")
        else:
            needed.discard("output")
            lacking["output"] = "no output file is named"
    for capability in sorted(needed & set(PROBES)):
        (probe,) = cases(PROBES[capability])
        fault = _result(replace(probe, needs=()), target, {}).fault
        # A peer that dies of something is not one that does without it.
        lacks = isinstance(fault, OutputDifference) if capability == "output" else not isinstance(fault, Death)
        if fault and lacks:
            lacking[capability] = (
                f"{probe.id} shows that it has no {capability}: expected {fault.expected}, got {fault.got}"
            )
    return lacking


def _result(case: Case, target: Target, lacking: dict[str, str]) -> Result:
    if missing := [lacking[capability] for capability in case.needs if capability in lacking]:
        return Result(case=case, verdict=Verdict.UNIMPLEMENTED, notes=tuple(missing))
    if isinstance(target, FileTarget):
        return _file_result(case, target)
    began = time.monotonic()
    settings = target.settings
    notes = []
    last = payload(secrets.randbits(60))
    sends = case.sends or SENT
    with target.session(sends, absent=case.absent) as session:
        # Empty payloads cannot be sent.
        known = None if "known payloads" in settings.lacking else [one for one in sends if one]
        player = Player(session, settings.content_type, settings.timeout_s, known)
        try:
            faults = _played(case, player, last)
        finally:
            player.close()
        if settings.fresh and settings.output_text and case.alive and not faults and "output" not in lacking:
            session.settle(last, settings.timeout_s)
        if death := session.death(ENDING_S if faults or case.role is not PeerRole.READER else SETTLING_S):
            # This explains everything else.
            faults = [Death("a peer that goes on", death, Level.MUST)]
        elif settings.fresh:
            session.reopen()
            if end := session.end() if case.role is PeerRole.WRITER else session.stop():
                notes.append(end)
        if case.role is PeerRole.READER:
            if "output" not in lacking or (settings.shows_output and case.id == PROBES["output"]):
                faults += _output_faults(case, session, last, complete=all(fault.harmless for fault in faults))
            else:
                notes.append(f"output not checked: {lacking['output']}")
    fault = max(faults, key=partial(_weight, case), default=None)
    return Result(
        case=case,
        verdict=_verdict(case, fault),
        fault=fault,
        notes=tuple(notes),
        transcript=tuple(player.transcript),
        seconds=time.monotonic() - began,
    )


def _file_result(case: Case, target: FileTarget) -> Result:
    began = time.monotonic()
    played = target.play(case)
    if played.text is not None:
        played.faults += text_faults(played.text, case.output, complete=played.complete)
    elif played.written is not None:
        played.faults += _differences(case.output, played.written, complete=played.complete)
    fault = max(played.faults, key=partial(_weight, case), default=None)
    return Result(
        case=case,
        verdict=_verdict(case, fault),
        fault=fault,
        notes=tuple(played.notes),
        transcript=tuple(played.transcript),
        seconds=time.monotonic() - began,
    )


def _played(case: Case, player: Player, last: bytes) -> list[Deviation]:
    """Play the steps, then a good stream if the peer must be alive; return the deviations."""
    faults = []
    try:
        for step in case.steps:
            step.play(player)
    except Deviation as deviation:
        faults.append(deviation)
    player.close()
    faults += player.deviations
    if case.alive and case.role is PeerRole.READER:
        try:
            for step in stream(last, on="afterwards"):
                step.play(player)
        except Deviation as deviation:
            faults.append(Death(f"a good stream taken afterwards: {deviation.expected}", deviation.got, Level.MUST))
    return faults


def _verdict(case: Case, fault: Deviation | None) -> Verdict:
    if fault is None:
        return Verdict.PASS
    return Verdict.FAIL if _weight(case, fault) else Verdict.NON_STRICT


def _weight(case: Case, fault: Deviation) -> bool:
    """Return whether a deviation makes the case fail."""
    return not fault.harmless and (fault.level or case.level) is Level.MUST


def _output_faults(case: Case, session: Session, last: bytes, *, complete: bool) -> list[Deviation]:
    """Compare the output with what it must be; look only for invented payloads if a step deviated."""
    expected = [*case.output, *([Taken((last,))] if case.alive else [])]
    awaited = last if complete and case.alive else None
    if session.settings.output_text:
        return text_faults(session.text(awaited), expected, complete=complete)
    try:
        written = session.output(awaited)
    except OutputDifference as difference:
        return [difference]
    return _differences(expected, written, complete=complete)


def _differences(expected: Sequence[Taken], written: Sequence[bytes], *, complete: bool) -> list[Deviation]:
    """Compare payloads that came out with those that must."""
    known: set[bytes] = set()
    for taken in expected:
        known |= {*taken.payloads}
        payloads = [one for one in taken.payloads if one not in taken.optional or one in written]
        mine = set(payloads)
        got = [found for found in written if found in mine]
        at_least = len(payloads) if taken.at_least is None else taken.at_least
        if got != payloads[: len(got)] or (complete and len(got) < at_least):
            number = f"{at_least} to {len(payloads)}" if at_least < len(payloads) else str(at_least)
            same = sum(1 for _ in takewhile(bool, map(eq, got, payloads)))
            place = f", from the {same + 1}. on" if same else ""
            rest = iter(payloads)
            level = taken.level if all(one in rest for one in got) else Level.MUST  # A loss, and nothing worse.
            return [
                OutputDifference(
                    f"{number} payloads in the output{place}: {_list(payloads[same:])}", _list(got[same:]), level
                )
            ]
    if invented := [found for found in written if found not in known]:
        return [OutputDifference("no other payloads in the output", _list(invented), Level.MUST)]
    return []


def _list(payloads: Sequence[bytes]) -> str:
    shown = ", ".join(f"[{hex_of(one)}]" for one in payloads[:_SHOWN]) or "none"
    return f"{shown} ... ({len(payloads)} payloads)" if len(payloads) > _SHOWN else shown
