"""Text: bad payloads cost only themselves."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

from dnstap import Dnstap, DnstapType
from dnstap.pipeline.outputs.text import TextOutput

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def payload(octets: bytes) -> bytes:
    """Return a payload with this identity."""
    return bytes(Dnstap(identity=octets, type=DnstapType.MESSAGE))


def document(octets: bytes) -> bytes:
    """Return the text of a payload with this identity."""
    return b'type: MESSAGE\nidentity: "%b"\n---\n' % octets


def test_bad_payloads_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "out"
    output = TextOutput(str(path), "yaml")
    output.write_many([payload(b"1"), b"\x0a\x05", payload(b"2")])
    said = "1 of 3 payloads left out; the first was payload 2: Dnstap: identity has length 5, but 0 bytes are left, at"
    assert list(output.new_reports()) == [f"{said} byte 2"]
    assert list(output.new_reports()) == []
    output.write_many([b"", payload(b"\xff")])
    output.close()
    assert path.read_bytes() == b"".join(document(octets) for octets in (b"1", b"2", b"\\xff"))
    assert output.problems.first is not None
    assert (output.frames, output.problems.count, output.problems.first[0]) == (5, 2, 2)
    assert list(output.new_reports()) == [f"{said} byte 2".replace("1 of 3", "2 of 5")]


def test_a_file_that_takes_little_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, write = tmp_path / "out", os.write
    output = TextOutput(str(path), "yaml")
    with monkeypatch.context() as patch:
        patch.setattr("framestream.files.os.write", lambda fd, data: write(fd, data[:3]))
        output.write_many([payload(b"12345678")])
    output.close()
    assert path.read_bytes() == document(b"12345678")


def test_text_of_a_file_that_is_cut(tmp_path: Path) -> None:
    """As by logrotate's copytruncate."""
    path = tmp_path / "out"
    output = TextOutput(str(path), "yaml")
    output.write_many([payload(b"1"), payload(b"2")])
    os.truncate(path, 0)
    output.write_many([payload(b"3")])
    output.close()
    assert path.read_bytes() == document(b"3")


def test_text_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "out"
    for append in False, False, True:
        output = TextOutput(str(path), "yaml", append=append)
        output.write_many([payload(b"1")])
        output.close()
    assert path.read_bytes() == document(b"1") * 2


def test_text_is_appended_on_a_line_of_its_own(tmp_path: Path) -> None:
    """A killed process, or a machine that failed, may have left part of a line."""
    path = tmp_path / "out"
    for there in (b"", b"line\n", b"part of a line"):
        path.write_bytes(there)
        output = TextOutput(str(path), "quiet", append=True)
        output.write_many([payload(b"1")])
        output.close()
        *before, line = path.read_bytes().splitlines(keepends=True)
        assert b"".join(before) == (there and there.removesuffix(b"\n") + b"\n")
        assert line.endswith(b"\n")


def test_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    output = TextOutput("-", "yaml")
    assert output.name == "standard output"
    output.reopen_soon()
    output.write_many([payload(b"1")])
    output.close()
    assert os.write(1, b"more") == 4
    assert capfd.readouterr().out.encode() == document(b"1") + b"more"


def test_compressed(tmp_path: Path) -> None:
    path = tmp_path / "out"
    for number in b"1", b"2":
        output = TextOutput(str(path), "yaml", append=True, compression="gzip")
        output.write_many([payload(number)])
        output.close()
    assert gzip.decompress(path.read_bytes()) == document(b"1") + document(b"2")
