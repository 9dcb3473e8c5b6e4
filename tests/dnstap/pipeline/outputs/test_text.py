"""Text: bad payloads cost only themselves."""

from __future__ import annotations

import errno
import gzip
import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from dnstap import Dnstap, DnstapType, Style
from dnstap.pairing import Pairs
from dnstap.pipeline.outputs.text import TextOutput
from dnstap.pipeline.rotation import FileLimits, Rotation
from dnstap.pipeline.sources import Source
from framestream import LocalProtocolError
from framestream.sockets import PeerAddress
from tests.dnstap.pairing.messages import query, response

if TYPE_CHECKING:
    from pathlib import Path


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


IDENTITIES = Style(fields=("identity", "version"))
HEADER = b"identity,version\n"


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_table_has_one_header(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "out"
    for append in False, False, True, True:
        output = TextOutput(str(path), "csv", IDENTITIES, append=append, compression=compression)
        output.write_many([payload(b"1")])
        output.close()
    contents = path.read_bytes()
    assert (gzip.decompress(contents) if compression else contents) == HEADER + b"1,\n" * 3


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_table_with_other_columns_is_not_appended_to(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "out"
    contents = b"identity,versions\n1,2\n"
    path.write_bytes(gzip.compress(contents) if compression else contents)
    before = path.read_bytes()
    said = r"^expected the header 'identity,version' in the file, got 'identity,versions'$"
    for _ in range(2):  # It is not locked after the first attempt.
        with pytest.raises(LocalProtocolError, match=said):
            TextOutput(str(path), "csv", IDENTITIES, append=True, compression=compression)
    assert path.read_bytes() == before


def test_part_of_a_record_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(HEADER + b"1")
    output = TextOutput(str(path), "csv", IDENTITIES, append=True)
    output.write_many([payload(b"2")])
    output.close()
    assert path.read_bytes() == HEADER + b"1\n2,\n"


def test_each_file_of_a_rotation_has_the_header(tmp_path: Path) -> None:
    path = tmp_path / "out"
    output = TextOutput(str(path), "csv", IDENTITIES, rotation=Rotation(FileLimits(frames=2), print))
    output.write_many([payload(b"%d" % number) for number in range(5)])
    output.close()
    files = sorted(tmp_path.iterdir(), key=lambda file: (file == path, file.name))
    assert [file.read_bytes() for file in files] == [HEADER + rows for rows in (b"0,\n1,\n", b"2,\n3,\n", b"4,\n")]


def test_a_table_that_is_cut_gets_the_header_again(tmp_path: Path) -> None:
    path = tmp_path / "out"
    output = TextOutput(str(path), "csv", IDENTITIES)
    output.write_many([payload(b"1")])
    os.truncate(path, 0)
    output.write_many([payload(b"2")])
    output.close()
    assert path.read_bytes() == HEADER + b"2,\n"


def test_a_table_on_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    output = TextOutput("-", "tsv", IDENTITIES)
    output.write_many([payload(b"1")])
    output.close()
    assert capfd.readouterr().out == "identity\tversion\n1\t\n"


def test_a_header_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out"

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("framestream.files.os.write", full)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            TextOutput(str(path), "csv", IDENTITIES)
    # It is not locked any more.
    TextOutput(str(path), "csv", IDENTITIES).close()
    assert path.read_bytes() == HEADER


def test_the_sender_in_a_table(tmp_path: Path) -> None:
    path = tmp_path / "out"
    output = TextOutput(str(path), "csv", Style(fields=("peer", "identity")))
    assert output.uses_source
    output.set_source(Source("a socket", file=False, peer=PeerAddress("192.0.2.1", 4711)))
    output.write_many([payload(b"1")])
    output.close()
    assert path.read_bytes() == b"peer,identity\n192.0.2.1:4711,1\n"


def test_what_pairing_found(tmp_path: Path) -> None:
    for field, uses in ("answered", True), ("latency", False):
        with closing(TextOutput(str(tmp_path / "text"), "quiet", Style(fields=(field,)))) as output:
            assert output.uses_answered is uses
            output.expect_paired()
            output.write_many(Pairs(hold_queries=True)([query(0), response(1)]))
        assert (tmp_path / "text").read_text() == ("true\n-\n" if uses else "-\n1000.000ms\n")
