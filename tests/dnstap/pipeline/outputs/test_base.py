"""Outputs that write a file: they reopen it, and are blocking unless it is a regular file."""

from __future__ import annotations

import os
import re
from functools import partial
from typing import TYPE_CHECKING

import pytest

from dnstap import CONTENT_TYPE, Dnstap, DnstapType
from dnstap.pipeline.outputs.recording import Recording
from dnstap.pipeline.outputs.text import TextOutput
from framestream import EncodedFrames, encode_data_frames, read_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dnstap.pipeline.outputs.base import FileOutput


def payload(octets: bytes) -> bytes:
    """Return a payload with this identity."""
    return bytes(Dnstap(identity=octets, type=DnstapType.MESSAGE))


def contents(path: Path) -> list[bytes]:
    """Return the identities in a file."""
    if path.read_bytes().startswith(b"type"):
        return re.findall(rb'identity: "(.*)"', path.read_bytes())
    with read_file(path, [CONTENT_TYPE]) as reader:
        return [Dnstap.parse(octets).identity or b"" for octets in reader]


@pytest.mark.parametrize("kind", [partial(TextOutput, format_name="yaml"), Recording], ids=["text", "recording"])
def test_reopened(tmp_path: Path, kind: Callable[[str], FileOutput]) -> None:
    """A file that was renamed is completed and another begun; one that was not is continued."""
    path, old = tmp_path / "out", tmp_path / "old"
    output = kind(str(path))
    assert not output.blocking
    output.write_many([payload(b"1")])
    output.reopen_soon()
    output.write_many([payload(b"2")])
    path.rename(old)
    output.write_many([payload(b"3")])
    output.reopen_soon()
    output.write_many([payload(b"4")])
    assert contents(old) == [b"1", b"2", b"3"]
    path.unlink()
    output.reopen_soon()
    output.tick()
    output.tick()
    output.write_many([payload(b"5")])
    path.rename(tmp_path / "third")
    (tmp_path / "out").write_bytes(b"of somebody else")
    output.reopen_soon()
    if isinstance(output, Recording):
        output.write_encoded(EncodedFrames(encode_data_frames([payload(b"6")]), 1))
    else:
        output.write_many([payload(b"6")])
    output.close()
    assert contents(tmp_path / "third") == [b"5"]
    assert contents(path) == [b"6"]
    assert output.frames == 6


def test_a_pipe_is_blocking(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    output = TextOutput(f"/dev/fd/{writing}", "yaml")
    assert output.blocking
    output.close()
    os.close(reading)
    os.close(writing)
