"""Fuzzing of a program: trials of many streams; findings, shrunk and saved; replays."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from framestream.conformance.player import hex_of
from framestream.conformance.steps import STOP, data
from framestream.conformance.targets import TargetError
from framestream.conversations import wire_of
from framestream.fuzzing.faults import Kind
from framestream.fuzzing.samples import FIRST, LAST, MARKERS, wanted
from framestream.fuzzing.shrinking import shrink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from framestream.fuzzing.faults import Fault
    from framestream.fuzzing.trials import Trial

__all__ = ["SUFFIX", "Finding", "Fuzzer", "replay", "saved_streams"]

SUFFIX = ".fstrm"
"""End of the names of saved streams."""

_BATCH = 200
"""Streams that are drawn at a time. Hypothesis begins each time with short ones."""

_PATIENCE = 2.0
"""Factor for the time limits when a fault is confirmed."""


@dataclass(slots=True, kw_only=True)
class Finding:
    """A fault, and the shortest stream that leads to it.

    Attributes:
        fault: the fault.
        wire: the stream.
        count: number of streams that led to it.
        confirmed: whether the stream alone leads to it again.
    """

    fault: Fault
    wire: bytes
    count: int = 1
    confirmed: bool = False

    def __str__(self) -> str:
        alone = "" if self.confirmed else ", not again with this stream alone"
        return f"{self.fault.name} {self.fault} ({len(self.wire)} bytes{alone})"


class Fuzzer:
    """A run of trials.

    Attributes:
        findings: what was found, by the name of the fault.
        streams: number of streams that were tried.
        passing: number of faults that did not come again with twice the time: of a slow machine.
    """

    def __init__(
        self,
        trial: Trial,
        folder: str,
        *,
        jobs: int = 1,
        shrinking_s: float = 60.0,
        report: Callable[[str], object] = print,
    ) -> None:
        """Make a run.

        Args:
            folder: where findings are saved; it is made for the first.
            jobs: number of trials that run at the same time.
            shrinking_s: time limit for making one stream shorter, in seconds.
            report: function that is called with a line for each finding.
        """
        self.findings: dict[str, Finding] = {}
        self.streams = 0
        self.passing = 0
        self._trial = trial
        self._folder = folder
        self._jobs = trial.jobs or jobs
        self._shrinking_s = shrinking_s
        self._report = report

    def check_good(self) -> None:
        """Try a good stream, and find out if payloads can be seen in the output.

        Raises: TargetError: the program does not take it.
        """
        wire = self._trial.head + data(FIRST, LAST) + wire_of(STOP)
        fault = self._trial.run(wire, patience=_PATIENCE)
        if fault and fault.kind is Kind.LOST:
            self._trial.checks_output = False
            self._report(f"the output is not looked at: {fault.what} with a good stream")
        elif fault:
            raise TargetError(f"the program does not take a good stream: {fault}")

    def run(self, draw: Callable[[int, int], list[bytes]], *, most: int | None, deadline: float) -> None:
        """Try streams until there have been enough or the time is up.

        Args:
            draw: function from the number of a batch and a size to streams.
            most: number of streams; None for any.
            deadline: time.monotonic() at which no other stream is tried.
        Raises: TargetError: the program cannot be run or reached.
        """
        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                number = 0
                while True:
                    left = _BATCH if most is None else min(_BATCH, most - self.streams)
                    if left <= 0 or time.monotonic() >= deadline:
                        return
                    wires = draw(number, left)
                    number += 1
                    # One after the other, if they have the program in common: shrinking needs it too.
                    each = map if self._jobs == 1 else pool.map
                    for wire, (tried, fault) in zip(wires, each(partial(self._tried, deadline), wires), strict=True):
                        self.streams += tried
                        if fault:
                            self._take(wire, fault)
            finally:
                pool.shutdown(cancel_futures=True)

    def _tried(self, deadline: float, wire: bytes) -> tuple[bool, Fault | None]:
        if time.monotonic() >= deadline:
            return False, None
        return True, self._trial.run(wire)

    def _take(self, wire: bytes, fault: Fault) -> None:
        """Save a stream if its fault is new, then make it shorter."""
        if fault.name in self.findings:
            self.findings[fault.name].count += 1
            return
        finding = self.findings[fault.name] = Finding(fault=fault, wire=wire)
        # Saved before anything else is done: the user may not wait for it.
        self._save(finding)
        finding.confirmed = self._same(wire, fault, _PATIENCE)
        if not finding.confirmed and fault.kind is not Kind.CRASH:
            self.passing += 1
            del self.findings[fault.name]
            self._remove(fault.name)
            return
        if finding.confirmed:
            shorter = shrink(wire, lambda one: self._same(one, fault), timeout_s=self._shrinking_s, atoms=MARKERS)
            if self._same(shorter, fault, _PATIENCE):
                finding.wire = shorter
        self._save(finding)
        self._report(str(finding))

    def _same(self, wire: bytes, fault: Fault, patience: float = 1.0) -> bool:
        """Return whether a stream leads to a fault again."""
        if fault.lost in (FIRST, LAST) and fault.lost not in wanted(wire, self._trial.head):
            return False
        try:
            again = self._trial.run(wire, patience=patience)
        except TargetError:
            # It ran already, and is dead now.
            return False
        return again is not None and again.name == fault.name

    def _save(self, finding: Finding) -> None:
        os.makedirs(self._folder, exist_ok=True)
        path = os.path.join(self._folder, finding.fault.name)
        with open(path + SUFFIX, "wb") as file:
            file.write(finding.wire)
        with open(path + ".txt", "w", encoding="utf-8", errors="backslashreplace") as text:
            text.write(
                f"{finding}\n\n{hex_of(finding.wire)}\n\n{finding.fault.printed.decode('utf-8', 'backslashreplace')}\n"
            )

    def _remove(self, name: str) -> None:
        for suffix in (SUFFIX, ".txt"):
            os.remove(os.path.join(self._folder, name + suffix))


def saved_streams(path: str) -> list[str]:
    """Return the files of streams at a path: itself, or those in a folder.

    Raises: ValueError: there is none; OSError.
    """
    if not os.path.isdir(path):
        os.stat(path)
        return [path]
    found = sorted(entry.path for entry in os.scandir(path) if entry.name.endswith(SUFFIX))
    if not found:
        raise ValueError(f"expected files *{SUFFIX} in {path}, found none")
    return found


def replay(trial: Trial, paths: Iterable[str], report: Callable[[str], object]) -> int:
    """Try saved streams, report each, and return the number of those that lead to a fault.

    Raises: TargetError: the program cannot be run or reached; OSError.
    """
    faults = 0
    for path in paths:
        with open(path, "rb") as file:
            fault = trial.run(file.read(), patience=_PATIENCE)
        faults += fault is not None
        report(f"{path}: {fault or 'no fault'}")
    return faults
