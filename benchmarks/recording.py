"""The command as receiver of real frames over a unix socket: ours beside fstrm_capture and the Go tool.

    python benchmarks/recording.py [--json] [--rounds N] [--frames N] [--capture FILE]

There are two jobs: recording into a file (`-u SOCKET -w FILE`), and lines of text (`-u SOCKET -q`), which
fstrm_capture cannot write. Measures the processor time of the whole process, its start included, and the wall-clock
time of fstrm_replay, which ends when it has received FINISH. The benchmark fails if a recording differs in size from
what was sent, except for the Go tool, which never writes its last 4096 bytes.

fstrm_replay sends the frames of a capture, repeated, up to a million per stream. With --frames 10000000, the memory
shows whether it grows. Install the package normally for this: an editable one starts more slowly.
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
"""Bytes of START and STOP with their escapes and lengths."""

OURS = [sys.executable, "-m", "dnstap"]
GO = ["/usr/bin/dnstap"]
FSTRM = ["/usr/bin/fstrm_capture", "-t", CONTENT_TYPE.decode()]
JOBS = {"record": {"fstrm_capture": FSTRM, "Go dnstap": GO, "ours": OURS}, "lines": {"Go dnstap": GO, "ours": OURS}}


def measure(job: str, name: str, folder: Path, recording: Path, streams: int) -> tuple[float, float, int]:
    """Return the processor seconds, the wall-clock seconds and the peak memory in KiB of one run."""
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
    # Not ru_maxrss at the end: it includes the memory of this process, of which the receiver began as a copy.
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
    """Run all contestants in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contestant (default %(default)s)")
    parser.add_argument("--frames", type=int, default=1_000_000, help="number of frames to send (default %(default)s)")
    parser.add_argument("--capture", type=Path, default=CAPTURE, help="file whose frames to send (default %(default)s)")
    options = parser.parse_args()
    results: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
    frames_per_stream = min(options.frames, STREAM_FRAMES)
    streams = -(-options.frames // frames_per_stream)
    frames = streams * frames_per_stream
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "recording"
        with read_file(options.capture) as reader:
            payloads = list(reader)
        with write_file(recording, [CONTENT_TYPE]) as writer:
            for start in range(0, frames_per_stream, len(payloads)):
                writer.write_many(payloads[: frames_per_stream - start])
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
            f"  {row['job']:7} {row['contestant']:14} {row['processor_us_per_frame']:7.3f} us of processor per frame"
            f"  ours / theirs {row['processor_ours_over_theirs']:5.2f}  {row['seconds']:6.2f} s"
            f"  {row['mebibytes']:5.1f} MiB"
        )


if __name__ == "__main__":
    main()
