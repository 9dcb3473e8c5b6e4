"""The cases about dnstap, run against the collector of reader.py and against our command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dnstap.conformance.catalogue import CASES
from tests.framestream.conformance.kit import OURS, judge, verdicts

if TYPE_CHECKING:
    from framestream.conformance.runner import Result

__all__ = ["OURS_IN_TEXT", "faults_of_ours", "reader", "result_of"]

OURS_IN_TEXT = (*OURS[:-2], "-q", "-w", "{output}")


def reader(form: str, effect: str = "none", what: str = "nothing") -> tuple[str, ...]:
    """Return the command of the collector of reader.py, without a fault unless it is named."""
    script = str(Path(__file__).with_name("reader.py"))
    return (sys.executable, script, form, effect, what, "{socket}", "{output}")


def result_of(id: int, form: str, effect: str, what: str) -> Result:
    """Return the result of one case with the collector that has a fault."""
    chosen = [case for case in CASES if case.id == f"DNSTAP-READER-{id:03}"]
    # A good one takes milliseconds; only for some faults, the time is waited for.
    limit = {} if effect == "none" else {"timeout_s": 2.0}
    (result,) = judge(chosen, command=reader(form, effect, what), output_text=form != "frames", **limit)
    return result


def faults_of_ours(first: int, last: int, *, text: bool = False) -> dict[str, str]:
    """Return the cases of a range that our command does not pass, with what came."""
    chosen = [case for case in CASES if first <= int(case.id.rpartition("-")[2]) <= last and "READER" in case.id]
    assert chosen
    return verdicts(judge(chosen, command=OURS_IN_TEXT if text else OURS, keep=True, output_text=text))
