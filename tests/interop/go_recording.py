"""Recordings of the Go tool, which flushes them only on SIGHUP, when it opens its file again."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.interop.accounting import payloads
from tests.wait import wait_for

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

__all__ = ["STOP", "recorded_by_go"]

STOP = bytes.fromhex("00000000 00000004 00000003")


def recorded_by_go(process: subprocess.Popen[bytes], out: Path, number: int) -> list[bytes]:
    """Return the payloads that it has written, at least `count`.

    It sends FINISH while it still holds frames, which only a further SIGHUP flushes.
    """
    found: list[bytes] = []

    def all_of_them() -> bool:
        wait_for(out.exists, "the file")
        part = out.rename(out.with_name("part"))
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: part.read_bytes().endswith(STOP), "STOP")
        found.extend(payloads(part))
        return len(found) >= number

    wait_for(all_of_them, f"{number} frames")
    return found
