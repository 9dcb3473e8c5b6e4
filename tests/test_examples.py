"""Programs of examples/ that need no server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dnstap import CONTENT_TYPE, Dnstap, DnstapType, Message
from framestream import write_file

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_top_names(tmp_path: Path) -> None:
    """Over several files, with payloads and DNS messages that do not parse."""
    with write_file(tmp_path / "odd.fstrm", [CONTENT_TYPE]) as writer:
        writer.write(b"\xff")
        for wire in (b"", b"\0", bytes(12), bytes(5) + b"\1" + bytes(6)):
            writer.write(Dnstap(type=DnstapType.MESSAGE, message=Message.client_query(wire)).encode())
    process = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / "top_names.py", EXAMPLES / "coredns.fstrm", tmp_path / "odd.fstrm"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = process.stdout.splitlines()
    assert lines[0] == "       5 example.org."
    assert sum(int(line.split()[0]) for line in lines) == 9
    assert process.stderr.endswith("41 payloads, 1 of them bad\n")
