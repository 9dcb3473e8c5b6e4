"""Cases for writers: our command passes them all, and wrong writers do not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from framestream import write_file
from framestream.conformance.cases import PeerRole
from framestream.conformance.steps import TYPE, payload
from tests.framestream.conformance.kit import judge, verdicts

if TYPE_CHECKING:
    from pathlib import Path

WRONG = r"""
import os, socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[2])
sock.sendall(bytes.fromhex("00000000 00000022 00000004 00000001 00000016") + b"protobuf:dnstap.Dnstap")
sock.recv(42)
if sys.argv[1] == "dies":
    os.abort()
sock.sendall(bytes.fromhex("00000000 00000022 00000002 00000001 00000016") + b"protobuf:dnstap.Dnstap")
sock.sendall(bytes.fromhex("00000000 00000004 00000003"))
sock.recv(12)
sys.exit(7)
"""


def test_ours_passes(tmp_path: Path) -> None:
    with write_file(tmp_path / "capture", [TYPE]) as writer:
        writer.write_many([payload(1), payload(2)])
    command = (sys.executable, "-m", "dnstap", "-r", str(tmp_path / "capture"), "-U", "{socket}")
    assert verdicts(judge("FS-WRITER-0??", command=command, role=PeerRole.WRITER, listens=False)) == {}


@pytest.mark.parametrize(
    ("fault", "got"),
    [("dies", "ended by SIGABRT by itself"), ("no data", "STOP [00000000 00000004 00000003]")],
)
def test_wrong_writers_are_found(fault: str, got: str) -> None:
    command = (sys.executable, "-c", WRONG, fault, "{socket}")
    (result,) = judge("FS-WRITER-001", command=command, role=PeerRole.WRITER, listens=False)
    assert result.fault
    assert result.fault.got == got
    assert result.notes == (() if fault == "dies" else ("ended with status 7 by itself",))
