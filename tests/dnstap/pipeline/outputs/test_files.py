"""Recordings and text: bad payloads cost only themselves; files are appended to, and opened again."""

from __future__ import annotations

import os
import re
from functools import partial
from typing import TYPE_CHECKING

import pytest

from dnstap import CONTENT_TYPE, Dnstap, DnstapType
from dnstap.pipeline.outputs.files import FileOutput, Recording, TextOutput
from framestream import EncodedFrames, TruncatedStreamError, encode_data_frames, read_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def payload(octets: bytes) -> bytes:
    """A payload with this identity."""
    return bytes(Dnstap(identity=octets, type=DnstapType.MESSAGE))


def document(octets: bytes) -> bytes:
    """What is written of a payload with this identity."""
    return b'type: MESSAGE\nidentity: "%b"\n---\n' % octets


def test_bad_payloads_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "out"
    output = TextOutput(str(path), "yaml")
    output.write_many([payload(b"1"), b"\x0a\x05", payload(b"2")])
    said = "1 of 3 payloads left out; the first was payload 2: Dnstap: identity has length 5, but 0 octets are left, at"
    assert list(output.news()) == [f"{said} byte 2"]
    assert list(output.news()) == []
    output.write_many([b"", payload(b"\xff")])
    output.close()
    assert path.read_bytes() == b"".join(document(octets) for octets in (b"1", b"2", b"\\xff"))
    assert output.first_bad is not None
    assert (output.frames, output.bad, output.first_bad[0]) == (5, 2, 2)
    assert list(output.news()) == [f"{said} byte 2".replace("1 of 3", "2 of 5")]


def test_a_file_that_takes_little_at_a_time(tmp_path: Path) -> None:
    class Slow:
        written = b""

        def write(self, data: memoryview) -> int:
            self.written += bytes(data[:3])
            return min(len(data), 3)

    slow = Slow()
    output = TextOutput(str(tmp_path / "out"), "yaml")
    output.close()
    output._file = slow  # type: ignore[assignment]
    output.write_many([payload(b"12345678")])
    assert slow.written == document(b"12345678")


def test_text_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "out"
    for append in False, False, True:
        output = TextOutput(str(path), "yaml", append=append)
        output.write_many([payload(b"1")])
        output.close()
    assert path.read_bytes() == document(b"1") * 2


def test_a_stream_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "out"
    for append in False, True:
        output = Recording(str(path), append=append)
        output.write_many([payload(b"1"), payload(b"2")])
        output.close()
    with read_file(path) as reader:
        assert list(reader) == [payload(b"1"), payload(b"2")] * 2
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TruncatedStreamError):
        Recording(str(path), append=True)


def contents(path: Path) -> list[bytes]:
    """The identities of what was written."""
    if path.read_bytes().startswith(b"type"):
        return re.findall(rb'identity: "(.*)"', path.read_bytes())
    with read_file(path, [CONTENT_TYPE]) as reader:
        return [Dnstap.parse(octets).identity or b"" for octets in reader]


@pytest.mark.parametrize("kind", [partial(TextOutput, format_name="yaml"), Recording], ids=["text", "recording"])
def test_reopened(tmp_path: Path, kind: Callable[[str], FileOutput]) -> None:
    """A file that has been given another name is ended; one that has its name still is gone on with."""
    path, old = tmp_path / "out", tmp_path / "old"
    output = kind(str(path))
    assert not output.waits
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
    output.tend()
    output.tend()
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


def test_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    output = TextOutput("-", "yaml")
    assert output.name == "standard output"
    output.reopen_soon()
    output.write_many([payload(b"1")])
    output.close()
    assert os.write(1, b"more") == 4
    assert capfd.readouterr().out.encode() == document(b"1") + b"more"


def test_who_waits(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    output = TextOutput(f"/dev/fd/{writing}", "yaml")
    assert output.waits
    output.close()
    os.close(reading)
    os.close(writing)
