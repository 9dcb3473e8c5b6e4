"""The kit, run against the collector of reader.py, the writer of writer.py and our command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from framestream.conformance.cases import Level, PeerRole
from framestream.conformance.catalogue import cases
from framestream.conformance.files_targets import target_of
from framestream.conformance.runner import Verdict, run
from framestream.conformance.targets import Settings
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from framestream.conformance.cases import Case
    from framestream.conformance.runner import Result

__all__ = [
    "OURS",
    "OUR_FILES",
    "OUR_WRITER",
    "converter",
    "failing",
    "found_by",
    "judge",
    "judge_writer",
    "reader",
    "recorder",
    "verdicts",
    "writer",
]

OUR_FILES = (sys.executable, "-m", "dnstap", "-r", "{input}", "-w", "{output}")
OURS = (sys.executable, "-m", "dnstap", "-u", "{socket}", "-w", "{output}")

OUR_WRITER = (sys.executable, "-m", "dnstap", "-t", "4s", "-r", "{input}", "-U", "{socket}")


def reader(fault: str) -> tuple[str, ...]:
    """Return the command of a collector with a fault, or "none"."""
    return _program("reader.py", fault, "{socket}", "{output}")


def converter(fault: str, *words: str) -> tuple[str, ...]:
    """Return the command of a program that reads and writes files, with a fault, or "none"."""
    return _program("files.py", fault, *words or ("{input}", "{output}"))


def recorder(fault: str) -> tuple[str, ...]:
    """Return the command of a program that takes connections and writes a file, with a fault, or "none"."""
    return _program("recorder.py", fault, "{socket}", "{output}")


def _program(name: str, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-E", "-S", str(Path(__file__).with_name(name)), *words)


def writer(fault: str, how: str = "connect", payloads: str = "{hex}") -> tuple[str, ...]:
    """Return the command of a writer with a fault, or "none"."""
    return _program("writer.py", fault, how, "{socket}", payloads)


def judge_writer(chosen: str | Sequence[Case], command: tuple[str, ...], **settings: Any) -> list[Result]:
    """Run cases for writers that connect, unless other settings are given."""
    # They mostly wait.
    return judge(chosen, jobs=12, **{"role": PeerRole.WRITER, "listens": False, "command": command, **settings})


def judge(chosen: str | Sequence[Case], **settings: Any) -> list[Result]:
    """Run cases, given by a pattern of ids or themselves, `jobs` at a time, and return their results."""
    jobs = settings.pop("jobs", 4)
    options = {"timeout_s": DEADLINE_S, **settings}
    target = target_of(Settings(**options))
    try:
        return run(cases(chosen) if isinstance(chosen, str) else chosen, target, jobs=jobs)
    finally:
        target.close()


def found_by(id: str, command: tuple[str, ...]) -> bool:
    """Return whether a case finds the fault of a program that reads or writes files; one of a MUST fails."""
    (case,) = cases(id)
    (result,) = judge(id, command=command, role=case.role, timeout_s=1.0)
    return result.verdict is Verdict.FAIL or (result.verdict is Verdict.NON_STRICT and case.level is not Level.MUST)


def verdicts(results: list[Result]) -> dict[str, str]:
    """Return ids and verdicts of the cases that do not pass, with what came."""
    return {
        result.case.id: f"{result.verdict.value}: {result.fault.got if result.fault else result.notes}"
        for result in results
        if result.verdict.value != "pass"
    }


def failing(results: list[Result]) -> dict[str, str]:
    """Return the verdicts of those that are neither passed nor unimplemented."""
    return {id: verdict for id, verdict in verdicts(results).items() if not verdict.startswith("unimplemented")}
