"""dnstap.write: files for messages and payloads."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

import dnstap
from dnstap import CONTENT_TYPE, Dnstap, DnstapType, EncodeError, Message, MessageType, MissingFieldError
from framestream import Batching, read_file

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = Dnstap(identity=b"a", type=DnstapType.MESSAGE, message=Message(type=MessageType.CLIENT_QUERY))
PAYLOAD = MESSAGE.encode()


def payloads_in(path: Path) -> list[bytes]:
    with read_file(path, [CONTENT_TYPE]) as reader:
        return list(reader)


def test_messages_and_payloads(tmp_path: Path) -> None:
    with dnstap.write(tmp_path / "1") as writer:
        writer.write(MESSAGE)
        writer.write(PAYLOAD)
        writer.write_many([MESSAGE, b"\xff"])
        assert writer.frames == 4
    assert payloads_in(tmp_path / "1") == [PAYLOAD] * 3 + [b"\xff"]


def test_what_was_read_is_written(tmp_path: Path) -> None:
    with dnstap.write(tmp_path / "1", mode="new") as writer:
        writer.write_many(dnstap.read("examples/coredns.fstrm", filter="qtype = A"))
    assert list(dnstap.read(tmp_path / "1")) == list(dnstap.read("examples/coredns.fstrm", filter="qtype = A"))
    with pytest.raises(FileExistsError):
        dnstap.write(tmp_path / "1", mode="new")


def test_what_cannot_be_encoded_leaves_nothing(tmp_path: Path) -> None:
    wrong = Dnstap(type=DnstapType.MESSAGE, message=Message(type=MessageType.AUTH_QUERY, query_port=1 << 40))
    with dnstap.write(tmp_path / "1") as writer:
        with pytest.raises(EncodeError):
            writer.write(wrong)
        with pytest.raises(EncodeError):
            writer.write_many([MESSAGE, wrong])
        for other in (Message(), "text", None):
            with pytest.raises(TypeError, match="message: expected a Dnstap, or the bytes of one, got"):
                writer.write(other)  # type: ignore[arg-type]
        writer.write(MESSAGE)
    assert payloads_in(tmp_path / "1") == [PAYLOAD]


def test_lenient(tmp_path: Path) -> None:
    without_type = Dnstap(identity=b"a")
    with dnstap.write(tmp_path / "1") as writer, pytest.raises(EncodeError):
        writer.write(without_type)
    with dnstap.write(tmp_path / "1", lenient=True) as writer:
        writer.write(without_type)
    (payload,) = payloads_in(tmp_path / "1")
    with pytest.raises(MissingFieldError):
        Dnstap.parse(payload)
    assert list(dnstap.read(tmp_path / "1", lenient=True)) == [without_type]


def test_batches(tmp_path: Path) -> None:
    writer = dnstap.write(tmp_path / "1", batching=Batching(max_bytes=1000))
    before = (tmp_path / "1").stat().st_size
    writer.write(MESSAGE)
    assert (writer.frames, (tmp_path / "1").stat().st_size) == (0, before)
    writer.flush()
    assert writer.frames == 1
    writer.write(MESSAGE)
    writer.close()
    writer.close()
    assert payloads_in(tmp_path / "1") == [PAYLOAD] * 2


def test_file_objects_and_modes(tmp_path: Path) -> None:
    file = io.BytesIO()
    with dnstap.write(file) as writer:
        writer.write(MESSAGE)
    assert not file.closed
    file.seek(0)
    assert list(dnstap.read(file)) == [MESSAGE]
    for _ in range(2):
        with dnstap.write(tmp_path / "1", mode="append") as writer:
            writer.write(MESSAGE)
    with pytest.raises(ZeroDivisionError), dnstap.write(tmp_path / "1", mode="atomic"):
        raise ZeroDivisionError
    assert payloads_in(tmp_path / "1") == [PAYLOAD] * 2
    with dnstap.write(tmp_path / "1", lock=True), pytest.raises(BlockingIOError):
        dnstap.write(tmp_path / "1", lock=True)


@pytest.mark.parametrize(
    ("suffix", "first"), [("gz", b"\x1f\x8b"), ("bz2", b"BZh"), ("xz", b"\xfd7z"), ("zst", b"\x28\xb5")]
)
def test_compression(tmp_path: Path, suffix: str, first: bytes) -> None:
    path = tmp_path / f"log.fstrm.{suffix}"
    for mode in ("new", "append", "append"):
        with dnstap.write(path, mode=mode) as writer:
            writer.write(MESSAGE)
    assert path.read_bytes().startswith(first)
    assert list(dnstap.read(path)) == [MESSAGE] * 3
    with dnstap.write(str(path), lock=True) as writer:
        writer.write(MESSAGE)
        with pytest.raises(BlockingIOError):
            dnstap.write(path, lock=True)
        writer.close()
    assert list(dnstap.read(path)) == [MESSAGE]


def test_compressed_files_are_cut_by_other_programs(tmp_path: Path) -> None:
    path = tmp_path / "log.gz"
    with dnstap.write(path) as writer:
        writer.write(MESSAGE)
        path.write_bytes(b"")
        writer.write(MESSAGE)
    assert list(dnstap.read(path))[-1] == MESSAGE


def test_modes_of_compressed_files(tmp_path: Path) -> None:
    path: Any = tmp_path / "log.gz"
    for mode in ("atomic", "w"):
        with pytest.raises(ValueError, match="mode: expected 'replace', 'append' or 'new' for a compressed file, got"):
            dnstap.write(path, mode=mode)  # type: ignore[arg-type]
    assert not path.exists()
    with pytest.raises(TypeError, match="batching"):
        dnstap.write(path, batching=3)  # type: ignore[arg-type]
    with dnstap.write(path, lock=True):  # The file of the failed call is closed.
        pass
