"""Inputs of writers: files of payloads, and commands that make a server send."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from framestream.control import ControlFrame, ControlType
from framestream.conversations import wire_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["triggering", "write_inputs"]

PAUSE_S = 0.2
"""Seconds between two runs of a trigger: a server has something to send soon, and is not kept busy."""

POLL_S = 0.02
"""Seconds between two checks whether a trigger has ended, or is to be."""


def write_inputs(folder: str, content_type: bytes, payloads: Sequence[bytes]) -> dict[str, str]:
    """Write the files that a writer is given, in both forms; return the placeholders and the paths.

    Raises: OSError.
    """
    paths = {"{input}": os.path.join(folder, "input"), "{hex}": os.path.join(folder, "hex")}
    with open(paths["{input}"], "wb") as file:
        file.write(wire_of(ControlFrame(ControlType.START, (content_type,))))
        # An empty payload has no frame.
        file.writelines(wire_of(payload) for payload in payloads if payload)
        file.write(wire_of(ControlFrame(ControlType.STOP)))
    with open(paths["{hex}"], "w", encoding="ascii") as lines:
        lines.writelines(f"{payload.hex()}\n" for payload in payloads)
    return paths


@contextmanager
def triggering(words: Sequence[str]) -> Iterator[None]:
    """Run a command again and again during the body, in the background, whatever becomes of it.

    Raises: OSError: there is no such program.
    """
    if shutil.which(words[0]) is None:
        raise FileNotFoundError(f"there is no program {words[0]!r}")
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(PAUSE_S):
            with subprocess.Popen(  # noqa: S603 (the caller's own command)
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as process:
                while process.poll() is None:
                    if over.wait(POLL_S):
                        process.kill()

    thread = threading.Thread(target=repeat, name="framestream trigger", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
