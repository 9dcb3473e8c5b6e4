"""Receiving 200-byte frames from fstrm_replay over a unix socket: ours beside fstrm_capture and the Go tool.

    python benchmarks/receiving.py [--json] [--rounds N] [--frames N]

Each contestant is a process that listens, receives one stream and ends. fstrm_capture and the Go tool write what they
receive, here to /dev/null. Measures the processor time of the whole process, user and system, its start included, and
the wall-clock time of fstrm_replay, which ends when it has received FINISH. The Go tool uses more than one processor.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.wait import listens

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT_TYPE = b"protobuf:dnstap.Dnstap"


def receive_blocking(endpoint: str) -> int:
    """Receive a stream by our blocking reader; return the number of frames."""
    from framestream.sync import listen_reader

    with listen_reader(endpoint, [CONTENT_TYPE]) as listener, listener.accept() as reader:
        for _ in reader.batches():
            pass
        return reader.frames


def receive_each(endpoint: str) -> int:
    """Receive a stream by our blocking reader, payload by payload; return the number of frames."""
    from framestream.sync import listen_reader

    with listen_reader(endpoint, [CONTENT_TYPE]) as listener, listener.accept() as reader:
        return sum(1 for _ in reader)


def receive_asyncio(endpoint: str) -> int:
    """Receive a stream by our asyncio reader; return the number of frames."""
    from framestream.aio import listen_reader

    async def run() -> int:
        async with listen_reader(endpoint, [CONTENT_TYPE]) as listener, await listener.accept() as reader:
            async for _ in reader.batches():
                pass
            return reader.frames

    return asyncio.run(run())


def receive_each_asyncio(endpoint: str) -> int:
    """Receive a stream by our asyncio reader, payload by payload; return the number of frames."""
    from framestream.aio import listen_reader

    async def run() -> int:
        async with listen_reader(endpoint, [CONTENT_TYPE]) as listener, await listener.accept() as reader:
            return len([0 async for _ in reader])

    return asyncio.run(run())


OURS: dict[str, Callable[[str], int]] = {
    "framestream blocking, batches": receive_blocking,
    "framestream asyncio, batches": receive_asyncio,
    "framestream blocking, each": receive_each,
    "framestream asyncio, each": receive_each_asyncio,
}


def command(contestant: str, tap: str, frames: int) -> list[str]:
    """Return the command line of a contestant."""
    content_type = CONTENT_TYPE.decode()
    if contestant == "fstrm_capture":
        return ["/usr/bin/fstrm_capture", "-t", content_type, "-u", tap, "-w", "/dev/null"]
    if contestant == "Go dnstap":
        return ["/usr/bin/dnstap", "-u", tap, "-w", "/dev/null"]
    return [sys.executable, __file__, "--receive", contestant, tap, str(frames)]


def measure(contestant: str, workdir: Path, recording: Path, frames: int) -> tuple[float, float]:
    """Return the processor seconds and the wall-clock seconds of one run."""
    tap = str(workdir / "tap")
    receiver = subprocess.Popen(
        command(contestant, tap, frames), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
    )
    while not listens(tap):
        if receiver.poll() is not None:
            raise SystemExit(f"{contestant} does not listen")
        time.sleep(0.01)
    began = time.perf_counter()
    replay = ["/usr/bin/fstrm_replay", "-t", CONTENT_TYPE.decode(), "-r", str(recording), "-u", tap]
    subprocess.run(replay, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    if contestant not in OURS:
        receiver.send_signal(signal.SIGINT)
    _, status, usage = os.wait4(receiver.pid, 0)
    receiver.returncode = os.waitstatus_to_exitcode(status)
    if contestant in OURS and receiver.returncode:
        raise SystemExit(f"{contestant} lost frames")
    Path(tap).unlink(missing_ok=True)
    return usage.ru_utime + usage.ru_stime, seconds


def main() -> None:
    """Run all contestants in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contestant (default %(default)s)")
    parser.add_argument("--frames", type=int, default=1_000_000, help="number of frames to send (default %(default)s)")
    options = parser.parse_args()
    contestants = ["fstrm_capture", "Go dnstap", *OURS]
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    with tempfile.TemporaryDirectory() as folder:
        from framestream import write_file

        recording = Path(folder) / "recording"
        with write_file(recording, [CONTENT_TYPE]) as writer:
            for start in range(0, options.frames, 1000):
                writer.write_many([b"x" * 200] * min(1000, options.frames - start))
        for _ in range(options.rounds):
            for name in contestants:
                results[name].append(measure(name, Path(folder), recording, options.frames))
    theirs = results["fstrm_capture"]
    rows = [
        {
            "contestant": name,
            "processor_us_per_frame": statistics.median(cpu for cpu, _ in times) / options.frames * 1e6,
            "seconds": statistics.median(seconds for _, seconds in times),
            "processor_times_fstrm_capture": statistics.median(
                cpu / reference for (cpu, _), (reference, _) in zip(times, theirs, strict=True)
            ),
        }
        for name, times in results.items()
    ]
    if options.json:
        print(json.dumps({"frames": options.frames, "rounds": options.rounds, "results": rows}))
        return
    print(f"receive {options.frames} frames of 200 bytes from fstrm_replay over a unix socket")
    for row in rows:
        print(
            f"  {row['contestant']:32} {row['processor_us_per_frame']:7.3f} us of processor per frame"
            f"  {row['processor_times_fstrm_capture']:6.2f} x fstrm_capture  {row['seconds']:6.2f} s"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--receive"]:
        _, _, contestant, tap, expected = sys.argv
        sys.exit(OURS[contestant](tap) != int(expected))
    main()
