"""Trials without a program, for the tests of runs."""

from __future__ import annotations

from framestream.conformance.targets import TargetError
from framestream.fuzzing.faults import Fault, Kind

__all__ = ["MadeTrial"]


class MadeTrial:
    """Trials whose faults come from bytes in the stream: hang if it is called so, and crash otherwise."""

    def __init__(self, faults: dict[bytes, str], *, times: int = 1 << 30, dies: bool = False) -> None:
        """Make trials.

        Args:
            faults: what happens, by the bytes that lead to it.
            times: how often it does.
            dies: whether the program cannot be reached after the first fault.
        """
        self.head = b""
        self.jobs = 1
        self.checks_output = True
        self._faults = faults
        self._times = times
        self._dies = dies
        self._dead = False

    def run(self, wire: bytes, *, patience: float = 1.0) -> Fault | None:
        """Return the fault of a stream."""
        if self._dead:
            raise TargetError("it is dead")
        for reason, what in self._faults.items():
            if reason in wire and self._times:
                self._times -= 1
                self._dead = self._dies
                return Fault(kind=Kind.HANG if what == "hang" else Kind.CRASH, what=what)
        return None

    def close(self) -> None:
        """Do nothing."""
