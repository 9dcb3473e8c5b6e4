"""Timing of contestants that do the same job, in turn, in one run.

Each round runs every contestant once, so that a machine whose speed drifts treats all alike. Printed are the least time
of all rounds and their median, and each contestant's time divided by ours in the same round: the median, and from the
least to the greatest.
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


def arguments(description: str, rounds: int = 25, *, files: bool = False) -> argparse.Namespace:
    """Parse the command line that most benchmarks have. Args: files: whether it takes recordings."""
    parser = argparse.ArgumentParser(description=description)
    if files:
        parser.add_argument("files", nargs="*", metavar="FILE", help="recordings to read (default: synthetic ones)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=rounds, help="runs of each contestant (default %(default)s)")
    return parser.parse_args()


def elapsed(run: Callable[[], object]) -> float:
    """Return the wall-clock seconds of a call."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def processor(run: Callable[[], object]) -> float:
    """Return the processor seconds, user and system, of the processes that a call runs to their end."""
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
    of: str = "ours",
) -> None:
    """Time the contestants, the first of which is ours, and print the result.

    Args:
        count: number of times that one call of a contestant does the job.
        distributions: installed packages whose versions are printed.
        measure: returns the seconds that a call of a contestant takes.
        of: name of the first contestant, which the others are compared with.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, run in contestants.items():
            seconds[name].append(measure(run) / count)
    ours = seconds[next(iter(contestants))]
    ratios = {
        name: [theirs / mine for theirs, mine in zip(times, ours, strict=True)] for name, times in seconds.items()
    }
    rows: list[dict[str, Any]] = [
        {
            "contestant": name,
            "microseconds": min(times) * 1e6,
            "median_microseconds": statistics.median(times) * 1e6,
            "millions_per_second": 1e-6 / min(times),
            "times_ours": statistics.median(ratios[name]),
            "times_ours_range": (min(ratios[name]), max(ratios[name])),
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
        print(_line(**row, of=of))


def _line(
    contestant: str,
    microseconds: float,
    median_microseconds: float,
    millions_per_second: float,
    times_ours: float,
    times_ours_range: tuple[float, float],
    of: str,
) -> str:
    times = f"{microseconds:9.3f} us, median {median_microseconds:9.3f}  {millions_per_second:7.3f} M/s"
    return f"  {contestant:32} {times}  {times_ours:8.2f} x {of}, {'{:.2f} to {:.2f}'.format(*times_ours_range)}"


def own(function: Any) -> Any:
    """Copy a function with its code object, so that two contestants do not share the interpreter's inline caches."""
    copy = type(function)(function.__code__.replace(), function.__globals__, function.__name__)
    copy.__defaults__ = function.__defaults__
    return copy
