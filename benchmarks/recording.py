"""The command receiving real frames from fstrm_replay over a unix socket: ours beside fstrm_capture and the Go tool.

    python benchmarks/recording.py [--json] [--rounds N] [--frames N] [--capture FILE]

Two jobs: recording into a file (`-u SOCKET -w FILE`), and lines of text (`-u SOCKET -q`), which fstrm_capture cannot.
Measured is the processor time of the whole process, its start included, and the time from fstrm_replay's start to its
end, which is when FINISH has come. A recording that is not as large as what was sent ends the benchmark, but for the
Go tool's, which keeps its last 4096 octets to itself.

Sent are the frames of a capture, over and over, a million in a stream. With --frames 10000000 the memory tells whether
it grows. Use an installed package, not an editable one, which starts slower.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.receiving import CONTENT_TYPE
from framestream import read_file, write_file
from tests.wait import listens

CAPTURE = Path(__file__).parents[1] / "tests" / "data" / "unbound-unix.fstrm"

STREAM_FRAMES = 1_000_000
CONTROL_BYTES = 42 + 12
"""START and STOP."""

OURS = [sys.executable, "-m", "dnstap"]
GO = ["/usr/bin/dnstap"]
FSTRM = ["/usr/bin/fstrm_capture", "-t", CONTENT_TYPE.decode()]
JOBS = {"record": {"fstrm_capture": FSTRM, "Go dnstap": GO, "ours": OURS}, "lines": {"Go dnstap": GO, "ours": OURS}}


def measure(job: str, name: str, folder: Path, recording: Path, streams: int) -> tuple[float, float, int]:
    """Seconds of the processor, seconds on the clock, and the most memory that it had, in KiB."""
    tap, out = folder / "tap", folder / "out"
    tap.unlink(missing_ok=True)
    command = [*JOBS[job][name], "-u", str(tap), *(["-q"] if job == "lines" else []), "-w", str(out)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    receiver = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=folder
    )
    while not listens(tap):
        if receiver.poll() is not None:
            raise SystemExit(f"{name} does not listen")
        time.sleep(0.01)
    began = time.perf_counter()
    replay = ["/usr/bin/fstrm_replay", "-t", CONTENT_TYPE.decode(), "-r", str(recording), "-u", str(tap)]
    for _ in range(streams):
        subprocess.run(replay, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    # What the system says at the end begins with the memory of this process.
    status = Path(f"/proc/{receiver.pid}/status").read_text()
    memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    receiver.send_signal(signal.SIGINT)
    _, ended, usage = os.wait4(receiver.pid, 0)
    receiver.returncode = os.waitstatus_to_exitcode(ended)
    size = streams * (recording.stat().st_size - CONTROL_BYTES) + CONTROL_BYTES
    if job == "record" and name != "Go dnstap" and out.stat().st_size != size:
        raise SystemExit(f"{name} lost frames")
    return usage.ru_utime + usage.ru_stime, seconds, memory


def main() -> None:
    """Run all contestants in turn, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=5, help="how often each contestant runs (%(default)s)")
    parser.add_argument("--frames", type=int, default=1_000_000, help="how many frames are sent (%(default)s)")
    parser.add_argument("--capture", type=Path, default=CAPTURE, help="whose frames (%(default)s)")
    options = parser.parse_args()
    results: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
    in_a_stream = min(options.frames, STREAM_FRAMES)
    streams = -(-options.frames // in_a_stream)
    frames = streams * in_a_stream
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "recording"
        with read_file(options.capture) as reader:
            payloads = list(reader)
        with write_file(recording, [CONTENT_TYPE]) as writer:
            for start in range(0, in_a_stream, len(payloads)):
                writer.write_many(payloads[: in_a_stream - start])
        for _ in range(options.rounds):
            for job, contestants in JOBS.items():
                for name in contestants:
                    results.setdefault((job, name), []).append(measure(job, name, Path(folder), recording, streams))
    rows = [
        {
            "job": job,
            "contestant": name,
            "processor_us_per_frame": statistics.median(cpu for cpu, _, _ in times) / frames * 1e6,
            "seconds": statistics.median(seconds for _, seconds, _ in times),
            "mebibytes": max(memory for _, _, memory in times) / 1024,
            "processor_ours_over_theirs": statistics.median(
                mine / theirs for (theirs, _, _), (mine, _, _) in zip(times, results[job, "ours"], strict=True)
            ),
        }
        for (job, name), times in results.items()
    ]
    if options.json:
        print(json.dumps({"frames": frames, "rounds": options.rounds, "results": rows}))
        return
    print(f"receive {frames} frames of {options.capture.name} from fstrm_replay over a unix socket")
    for row in rows:
        print(
            f"  {row['job']:7} {row['contestant']:14} {row['processor_us_per_frame']:7.3f} us of processor a frame"
            f"  ours / theirs {row['processor_ours_over_theirs']:5.2f}  {row['seconds']:6.2f} s"
            f"  {row['mebibytes']:5.1f} MiB"
        )


if __name__ == "__main__":
    main()
