"""Reading and copying a file of a million 200-byte frames: ours beside fstrm_dump and the Go tool, as processes.

    python benchmarks/reading.py [--json] [--rounds N]

Measures the processor time of the whole process, its start included. The other two cannot only read: fstrm_dump
prints the frames, the Go tool copies them to /dev/null.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.contest import arguments, contest, processor
from framestream import write_file

FRAMES = 1_000_000
CONTENT_TYPE = b"protobuf:dnstap.Dnstap"

READ = """
import sys
from framestream import read_file
with read_file(sys.argv[1]) as reader:
    for _ in reader.batches():
        pass
assert reader.frames == int(sys.argv[2])
"""

COPY = """
import sys
from framestream import read_file, write_file
with read_file(sys.argv[1]) as reader, write_file("/dev/null", [b"protobuf:dnstap.Dnstap"]) as writer:
    for payloads in reader.batches():
        writer.write_many(payloads)
assert writer.frames == int(sys.argv[2])
"""


def run(*command: str | Path) -> None:
    """Run a command to its end."""
    root = Path(__file__).parents[1]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=root)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording"
        with write_file(path, [CONTENT_TYPE]) as writer:
            for _ in range(FRAMES // 1000):
                writer.write_many([b"x" * 200] * 1000)
        contest(
            "read a file of 200-byte frames (processor time of the process)",
            FRAMES,
            {
                "framestream, read": partial(run, sys.executable, "-c", READ, path, str(FRAMES)),
                "framestream, copy": partial(run, sys.executable, "-c", COPY, path, str(FRAMES)),
                "fstrm_dump": partial(run, "/usr/bin/fstrm_dump", path),
                "Go dnstap -w": partial(run, "/usr/bin/dnstap", "-r", path, "-w", "/dev/null"),
            },
            arguments(__doc__.splitlines()[0], rounds=5),
            [],
            processor,
        )
