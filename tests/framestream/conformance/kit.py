"""The kit, run against the collector of reader.py and against our command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from framestream.conformance.catalogue import cases
from framestream.conformance.runner import run
from framestream.conformance.targets import Settings, Target
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from framestream.conformance.cases import Case
    from framestream.conformance.runner import Result

__all__ = ["OURS", "judge", "reader", "verdicts"]

OURS = (sys.executable, "-m", "dnstap", "-u", "{socket}", "-w", "{output}")


def reader(fault: str) -> tuple[str, ...]:
    """Return the command of a collector with a fault, or "none"."""
    return (sys.executable, "-E", "-S", str(Path(__file__).with_name("reader.py")), fault, "{socket}", "{output}")


def judge(chosen: str | Sequence[Case], **settings: Any) -> list[Result]:
    """Run cases, given by a pattern of ids or themselves, and return their results."""
    options = {"timeout_s": DEADLINE_S, **settings}
    target = Target(Settings(**options))
    try:
        return run(cases(chosen) if isinstance(chosen, str) else chosen, target)
    finally:
        target.close()


def verdicts(results: list[Result]) -> dict[str, str]:
    """Return ids and verdicts of the cases that do not pass, with what came."""
    return {
        result.case.id: f"{result.verdict.value}: {result.fault.got if result.fault else result.notes}"
        for result in results
        if result.verdict.value != "pass"
    }
