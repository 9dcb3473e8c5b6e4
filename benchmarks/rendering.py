"""The command beside the Go tool: `-q`, `-y` and `-j` of a file into a file, and the start-up time of a small file.

    python benchmarks/rendering.py [--json] [--rounds N] [--formats q,y,j] [--jobs N] [--hits] [FILE...]

Measures the processor time of the whole process, user and system, its start included, after comparing what both write.
With --jobs N it measures wall-clock time instead: of the Go tool, of one process of ours, and of ours with N workers.
With --hits it counts for how many messages a cached part served.

Without files it makes 100,000 payloads like those of a busy Unbound and as many like those of a busy named, and then
the same "cold", with no repeated contents (benchmarks/traffic.py). Given files are rendered as they are and then cold.
docs/performance.md says how to record large files.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing import Process
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.traffic import busy, captures, cold
from dnstap import CONTENT_TYPE, DnsMessageError, Dnstap, Message
from dnstap.dns.cached_questions import CachedQuestions
from dnstap.dns.cached_texts import CachedTexts
from framestream import read_file, write_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GO = "/usr/bin/dnstap"
OURS = str(Path(sys.executable).with_name("dnstap"))
SAMPLE = Path(__file__).parents[1] / "examples" / "coredns.fstrm"
COUNT = 100_000

# Python must find compiled modules, as it does where the package is installed.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {"TZ": "UTC"}


def run(*command: str, output: Path) -> tuple[float, float, float]:
    """Run a command with its output in a file.

    Returns: its processor seconds, those of its child processes included; its peak memory in MiB; wall-clock seconds.
    """
    began = time.perf_counter()
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, seconds


def compare(name: str, path: Path, flags: Iterable[str], rounds: int) -> Iterator[dict[str, Any]]:
    """Time both commands; yield one row for each flag."""
    folder = path.parent
    with read_file(path) as reader:
        frames = sum(map(len, reader.batches()))
    for flag in flags:
        ours, theirs = folder / "ours", folder / "theirs"
        our_command, go_command = [OURS, "-r", str(path), f"-{flag}"], [GO, "-r", str(path), f"-{flag}"]
        run(*our_command, output=ours)
        run(*go_command, output=theirs)
        same = filecmp.cmp(ours, theirs, shallow=False)
        pairs = [(run(*our_command, output=ours), run(*go_command, output=theirs)) for _ in range(rounds)]
        yield {
            "job": f"{name} -{flag}",
            "frames": frames,
            "same_output": same,
            "microseconds": min(our_run[0] for our_run, _ in pairs) / frames * 1e6,
            "go_microseconds": min(go_run[0] for _, go_run in pairs) / frames * 1e6,
            "times_go": statistics.median(our_run[0] / go_run[0] for our_run, go_run in pairs),
            "mebibytes": max(our_run[1] for our_run, _ in pairs),
        }


def compare_workers(name: str, path: Path, flags: Iterable[str], rounds: int, jobs: int) -> Iterator[dict[str, Any]]:
    """Time the command with several workers; yield one row for each flag."""
    for flag in flags:
        commands = {
            "jobs": [OURS, "-r", str(path), f"-{flag}", "--jobs", str(jobs)],
            "one": [OURS, "-r", str(path), f"-{flag}"],
            "Go": [GO, "-r", str(path), f"-{flag}"],
        }
        outputs = {key: path.parent / key for key in commands}
        times: list[dict[str, tuple[float, float, float]]] = [
            {key: run(*command, output=outputs[key]) for key, command in commands.items()} for _ in range(rounds)
        ]

        def ratio(value: int, other: str, times: list[dict[str, tuple[float, float, float]]] = times) -> float:
            return statistics.median(row["jobs"][value] / row[other][value] for row in times)

        yield {
            "job": f"{name} -{flag} --jobs {jobs}",
            "same_output": all(filecmp.cmp(outputs["jobs"], outputs[key], shallow=False) for key in ("one", "Go")),
            "seconds": {key: min(row[key][2] for row in times) for key in commands},
            "times_one": ratio(2, "one"),
            "times_go": ratio(2, "Go"),
            "processor_times_one": ratio(0, "one"),
        }


def start_up(folder: Path, path: str, flag: str, rounds: int) -> dict[str, Any]:
    """Time a small file, beside a Python that does nothing and the Go tool."""
    with read_file(path) as reader:
        frames = sum(map(len, reader.batches()))
    commands = {
        "ours": [OURS, f"-{flag}", "-r", path],
        "python -c pass": [sys.executable, "-c", "pass"],
        "Go dnstap": [GO, f"-{flag}", "-r", path],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(4 * rounds):
        for name, command in commands.items():
            seconds[name].append(run(*command, output=folder / "small")[0])
    return {
        "job": f"{frames} frames -{flag}",
        "milliseconds": {name: min(times) * 1e3 for name, times in seconds.items()},
        "times_python": statistics.median(map(float.__truediv__, seconds["ours"], seconds["python -c pass"])),
    }


def hits(name: str, path: Path) -> dict[str, Any]:
    """Count how often a part of the text came from the caches: shares of the messages, and of those with records."""
    with read_file(path) as reader:
        messages = [Dnstap.parse(payload).message or Message() for payload in reader]
    wires = [wire for message in messages for wire in (message.query_message, message.response_message) if wire]
    row: dict[str, Any] = {"job": f"{name}, served by caches", "messages": len(wires)}
    caches: list[tuple[str, Any]] = [("-q", CachedQuestions()), ("-y", CachedTexts(str))]
    for flag, cache in caches:
        # These methods do what no cache served; they exist under these names for this count.
        methods = ("make", "_check") if flag == "-q" else ("_question", "_records")
        misses = [Counted(cache, method) for method in methods]
        for wire in wires:
            with contextlib.suppress(DnsMessageError):
                (cache.read if flag == "-q" else cache.text)(wire)
        with_records = sum(any(wire[6:12]) and wire[6:12] != b"\0\0\0\0\0\1" for wire in wires)
        question, records = (counted.calls for counted in misses)
        row[flag] = {"questions": 1 - question / len(wires), "records": 1 - records / with_records}
    return row


class Counted:
    """Stand-in for a method of an object that counts its calls."""

    def __init__(self, owner: object, name: str) -> None:
        self.calls = 0
        self._method = getattr(owner, name)
        setattr(owner, name, self)

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        return self._method(*arguments)


def main() -> None:
    """Run the benchmark and print one line per job."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="*", metavar="FILE", help="recordings to render (default: synthetic ones)")
    parser.add_argument("--json", action="store_true", help="print one JSON object per job")
    parser.add_argument("--rounds", type=int, default=7, help="runs of each command (default %(default)s)")
    parser.add_argument("--formats", default="q,y,j", help="output formats to time (default %(default)s)")
    parser.add_argument("--jobs", type=int, metavar="N", help="measure wall-clock time with N workers instead")
    parser.add_argument("--hits", action="store_true", help="count hits of the caches instead of timing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture"
        if not (options.hits or options.jobs):
            # The first is nearly all start-up; the other has unknown payloads and DNS messages as well.
            for small in (SAMPLE, captures()["named-file"]):
                for flag in options.formats.split(","):
                    show(start_up(Path(folder), str(small), flag, options.rounds), options)
        for source in options.files or ["unbound-unix", "named-recursor"]:
            for is_cold in False, True:
                # In a process of its own: a command begins as a copy of this process, and its peak counts that memory.
                writer = Process(target=write, args=(source, path, is_cold))
                writer.start()
                writer.join()
                name = f"{Path(source).stem}{', cold' if is_cold else ''}"
                if options.hits:
                    show(hits(name, path), options)
                    continue
                formats = options.formats.split(",")
                if options.jobs:
                    rows = compare_workers(name, path, formats, options.rounds, options.jobs)
                else:
                    rows = compare(name, path, formats, options.rounds)
                for row in rows:
                    show(row, options)


def write(source: str, path: Path, is_cold: bool) -> None:
    """Write a recording: the payloads of a file, or synthetic ones like those of a capture."""
    if source in captures():
        payloads = busy(source, COUNT)
    else:
        with read_file(source) as reader:
            payloads = list(reader)
    with write_file(path, [CONTENT_TYPE]) as writer:
        writer.write_many(cold(payloads) if is_cold else payloads)


def show(row: dict[str, Any], options: argparse.Namespace) -> None:
    """Print one row."""
    if options.json or "messages" in row:
        print(json.dumps(row), flush=True)
    elif "milliseconds" in row:
        times = ", ".join(f"{name} {milliseconds:.0f} ms" for name, milliseconds in row["milliseconds"].items())
        print(f"{row['job']}: {times}; {row['times_python']:.1f} x python -c pass", flush=True)
    elif "times_one" in row:
        times = ", ".join(f"{key} {seconds:.2f} s" for key, seconds in row["seconds"].items())
        ratios = f"{row['times_one']:.2f} x one process, {row['times_go']:.2f} x Go"
        verdict = "" if row["same_output"] else "OUTPUT DIFFERS"
        processor = f"processor {row['processor_times_one']:.2f} x one process"
        print(f"{row['job']:32} {times}: {ratios}; {processor}  {verdict}", flush=True)
    else:
        times = f"{row['microseconds']:6.2f} us  Go {row['go_microseconds']:5.2f} us  {row['times_go']:5.2f} x Go"
        verdict = "" if row["same_output"] else "OUTPUT DIFFERS"
        print(f"{row['job']:32} {row['frames']:7} frames  {times}  {row['mebibytes']:3.0f} MiB  {verdict}", flush=True)


if __name__ == "__main__":
    main()
