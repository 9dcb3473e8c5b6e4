"""Memory of a receiving process with 1 to 1,000 connections that have sent frames and stay open.

    python benchmarks/connections.py [--json]

Compares our asyncio server, our server with a thread per connection, and the command with fstrm_capture. Each
connection sends 2,000 frames of 200 bytes. Printed are the resident memory of the process, and the memory that each
connection after the first has added.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from framestream import Reader, Transport, Writer, aio, open_writer, sync
from framestream.streams import Batching
from tests.wait import listens

CONTENT_TYPE = b"protobuf:dnstap.Dnstap"
FRAMES = 2000
CONTESTANTS = ("framestream asyncio", "framestream threads", "dnstap -u -w", "fstrm_capture")
COUNTS = (1, 10, 100, 1000)


def receive(contestant: str, tap: str) -> None:
    """Serve as one of our contestants, until killed."""
    if contestant == "framestream threads":

        def take(reader: Reader) -> None:
            for payloads in reader.batches():
                del payloads

        sync.serve(tap, take, [CONTENT_TYPE])

    async def take_async(reader: aio.Reader) -> None:
        async for payloads in reader.batches():
            del payloads

    asyncio.run(aio.serve(tap, take_async, [CONTENT_TYPE]))


def resident(pid: int) -> int:
    """Return the resident memory of a process in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def measure(contestant: str) -> dict[int, int]:
    """Return the resident KiB for each number of connections."""
    resident_kib = {}
    with tempfile.TemporaryDirectory() as folder:
        tap = f"{folder}/tap"
        if contestant == "fstrm_capture":
            command = ["/usr/bin/fstrm_capture", "-t", CONTENT_TYPE.decode(), "-u", tap, "-w", "/dev/null"]
        elif contestant == "dnstap -u -w":
            command = [sys.executable, "-m", "dnstap", "-u", tap, "-w", f"{folder}/out"]
        else:
            command = [sys.executable, __file__, "--receive", contestant, tap]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        writers: list[Writer] = []
        try:
            while not listens(tap):
                time.sleep(0.01)
            for count in COUNTS:
                while len(writers) < count:
                    writer = open_writer(
                        tap, [CONTENT_TYPE], transport=Transport.BIDIRECTIONAL, batching=Batching(max_bytes=1 << 16)
                    )
                    writers.append(writer)
                    for _ in range(FRAMES):
                        writer.write(b"x" * 200)
                    writer.flush()
                time.sleep(0.5)
                resident_kib[count] = resident(process.pid)
        finally:
            process.kill()
            process.wait()
            for writer in writers:
                writer.abort()
    return resident_kib


def main() -> None:
    """Measure all contestants, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    _, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, maximum), maximum))
    results = {contestant: measure(contestant) for contestant in CONTESTANTS}
    if options.json:
        print(json.dumps({"frames": FRAMES, "resident_kib": results}))
        return
    print(f"resident memory in MiB by number of connections, each of which has sent {FRAMES} frames")
    print(" " * 24 + "".join(f"{count:>9,}" for count in COUNTS) + "   KiB per connection")
    for contestant, kib in results.items():
        each = (kib[COUNTS[-1]] - kib[COUNTS[0]]) / (COUNTS[-1] - COUNTS[0])
        print(f"  {contestant:22}" + "".join(f"{kib[count] / 1024:9.1f}" for count in COUNTS) + f"{each:19.1f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--receive"]:
        receive(*sys.argv[2:])
    else:
        main()
