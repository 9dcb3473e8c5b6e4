"""Contestants that do the same job, timed in turn in one run.

Each round runs every contestant once, so that a machine whose speed drifts is unfair to nobody; printed are the least
time of all rounds, and the median over the rounds of each contestant's time over ours.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["arguments", "contest", "own", "processor"]


def arguments(description: str, rounds: int = 25) -> argparse.Namespace:
    """The command line that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=rounds, help="how often each contestant runs (%(default)s)")
    return parser.parse_args()


def elapsed(run: Callable[[], object]) -> float:
    """Seconds on the clock."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def processor(run: Callable[[], object]) -> float:
    """Seconds of the processor, user and system, that the processes take which it runs to their end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def contest(
    job: str,
    count: int,
    contestants: Mapping[str, Callable[[], object]],
    options: argparse.Namespace,
    distributions: Sequence[str],
    measure: Callable[[Callable[[], object]], float] = elapsed,
) -> None:
    """Time the contestants, the first of which is ours, and print the result.

    Args:
        count: how many times one call of a contestant does the job.
        distributions: whose versions are worth knowing.
        measure: the seconds that a contestant takes.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, run in contestants.items():
            seconds[name].append(measure(run) / count)
    ours = seconds[next(iter(contestants))]
    rows: list[dict[str, Any]] = [
        {
            "contestant": name,
            "microseconds": min(times) * 1e6,
            "millions_per_second": 1e-6 / min(times),
            "times_ours": statistics.median(theirs / mine for theirs, mine in zip(times, ours, strict=True)),
        }
        for name, times in seconds.items()
    ]
    versions = {name: metadata.version(name) for name in distributions}
    versions["python"] = platform.python_version()
    if options.json:
        print(json.dumps({"job": job, "rounds": options.rounds, "versions": versions, "results": rows}))
        return
    print(f"{job} ({', '.join(f'{name} {version}' for name, version in versions.items())})")
    for row in rows:
        print(_line(**row))


def _line(contestant: str, microseconds: float, millions_per_second: float, times_ours: float) -> str:
    return f"  {contestant:32} {microseconds:9.3f} us  {millions_per_second:7.3f} M/s  {times_ours:8.2f} x ours"


def own(function: Any) -> Any:
    """A copy with a code object of its own: the interpreter's caches are kept for each code object."""
    copy = type(function)(function.__code__.replace(), function.__globals__, function.__name__)
    copy.__defaults__ = function.__defaults__
    return copy
