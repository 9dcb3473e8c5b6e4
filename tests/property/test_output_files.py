"""No frame is lost or written twice, whatever happens to the files that are written."""

from __future__ import annotations

import errno
import os
import re
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap import CONTENT_TYPE, Dnstap, DnstapType
from dnstap.pipeline.outputs.recording import Recording
from dnstap.pipeline.outputs.text import TextOutput
from dnstap.pipeline.rotation import FileLimits, Rotation
from framestream import read_file
from framestream.compression import Decompressor

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.pipeline.outputs.base import FileOutput

KINDS: dict[str, Callable[..., FileOutput]] = {
    "recording": Recording,
    "text": partial(TextOutput, format_name="yaml"),
}

move = os.rename  # Also while the output cannot.

ACTIONS = ("write", "write", "write", "move", "hang up", "rotate", "tick", "wait", "folder", "descriptors", "names")
"""The last three take something away, and give it back when they come again."""


def numbers(path: Path) -> list[int]:
    """Return the numbers of the frames in a file."""
    octets = b"".join(Decompressor().feed(path.read_bytes()))
    if octets[:4] in (b"type", b""):
        return [*map(int, re.findall(rb'identity: "(\d+)"', octets))]
    with read_file(path, [CONTENT_TYPE]) as reader:
        return [int(Dnstap.parse(payload).identity or b"") for payload in reader]


def refuse(*_arguments: object, **_options: object) -> int:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


class Run:
    """An output, and what happens to its file."""

    def __init__(self, folder: Path, output: Callable[..., FileOutput], compression: str | None, limit: int) -> None:
        self.home = folder / "logs"
        self.away = folder / "away"
        self.home.mkdir()
        self.path = self.home / "log.x"
        self.reports: list[str] = []
        rotation = Rotation(FileLimits(frames=limit), self.reports.append) if limit else None
        self.output = output(str(self.path), compression=compression, rotation=rotation)
        self.written = 0
        self.moved = 0
        self.missing: dict[str, ExitStack] = {}

    def do(self, action: str) -> None:
        if action == "write":
            count = 1 + self.written % 3
            self.output.write_many(
                [
                    bytes(Dnstap(identity=b"%d" % number, type=DnstapType.MESSAGE))
                    for number in range(self.written, self.written + count)
                ]
            )
            self.written += count
        elif action == "move":
            if self.path.exists():
                self.moved += 1
                move(self.path, self.home / f"moved-{self.moved}")
        elif action == "hang up":
            self.output.reopen_soon()
        elif action == "rotate":
            self.output.rotate_soon()
        elif action in self.missing:
            self.missing.pop(action).close()
        elif action == "folder":
            move(self.home, self.away)
            self.missing[action] = ExitStack()
            self.missing[action].callback(move, self.away, self.home)
        elif action in ("descriptors", "names"):
            self.missing[action] = ExitStack()
            for name in ("open",) if action == "descriptors" else ("link", "rename", "replace"):
                self.missing[action].enter_context(mock.patch(f"dnstap.pipeline.new_files.os.{name}", refuse))
        else:
            self.output.tick()

    def give_back(self) -> None:
        """Give back all that was taken away."""
        for taken in self.missing.values():
            taken.close()


@pytest.mark.parametrize("kind", KINDS)
@given(
    compression=st.sampled_from([None, "gzip", "bzip2"]),
    limit=st.sampled_from([0, 1, 4]),
    actions=st.lists(st.sampled_from(ACTIONS), max_size=40),
)
def test_no_frame_is_lost(kind: str, compression: str | None, limit: int, actions: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(time, "monotonic", return_value=100.0) as clock:
        run = Run(Path(folder), KINDS[kind], compression, limit)
        try:
            for action in actions:
                if action == "wait":
                    clock.return_value += 1
                run.do(action)
        finally:
            run.give_back()
        run.output.close()
        files = sorted(run.home.iterdir())
        assert not [path for path in files if path.name.startswith(".")]
        found = {path.name: numbers(path) for path in files}
        assert sorted(number for each in found.values() for number in each) == [*range(run.written)]
        assert all(each == sorted(each) for each in found.values())
        rotated = [number for name, each in found.items() if name.startswith("log-") for number in each]
        assert rotated == sorted(rotated)
