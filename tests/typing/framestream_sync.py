"""framestream.sync, whose names framestream has too."""

from pathlib import Path
from typing import BinaryIO, assert_type

import framestream
from framestream import Batching, EncodedFrames, Listener, Reader, ReconnectingWriter, Transport, Writer, sync


def same_classes(reader: Reader) -> None:
    assert_type(reader, sync.Reader)


def read(path: Path, file: BinaryIO) -> None:
    reader = framestream.open_reader("tcp:localhost:8053", [b"type"])
    assert_type(reader, Reader)
    assert_type(list(reader), list[bytes])
    assert_type(list(reader.batches()), list[list[bytes]])
    assert_type(list(reader.encoded()), list[EncodedFrames])
    assert_type(reader.content_type, bytes | None)
    with framestream.read_file(path) as from_path, framestream.read_file(file, follow=True) as from_object:
        assert_type((from_path, from_object), tuple[Reader, Reader])
    framestream.read_file(3)  # type: ignore[arg-type]
    framestream.open_reader("-", "type")  # type: ignore[arg-type]


def write(path: Path, frames: EncodedFrames) -> None:
    writer = framestream.open_writer(
        path, [b"type"], transport=Transport.UNIDIRECTIONAL, batching=Batching(max_bytes=8192)
    )
    assert_type(writer, Writer)
    writer.write("text")  # type: ignore[arg-type]
    writer.write_many([b"payload"])
    writer.write_encoded(frames)
    writer.write_encoded(b"frames")  # type: ignore[arg-type]
    assert_type(framestream.write_file(path, mode="atomic"), Writer)
    framestream.write_file(path, mode="w")  # type: ignore[arg-type]
    assert_type(ReconnectingWriter(lambda: framestream.open_writer(path)).reconnects, int)
    ReconnectingWriter(lambda: framestream.open_writer(path), report=print, drop=True)
    ReconnectingWriter(lambda: path)  # type: ignore[arg-type, return-value]
    ReconnectingWriter(lambda: framestream.open_writer(path), report=path)  # type: ignore[arg-type]


def listen(path: Path) -> None:
    with framestream.listen_reader(path) as listener:
        assert_type(listener, Listener[Reader])
        assert_type(listener.accept(0.5), Reader)
        assert_type(list(listener), list[Reader])
    writers = framestream.listen_writer(path)
    assert_type(writers, Listener[Writer])
    ReconnectingWriter(writers.accept)
    framestream.serve(
        path, lambda reader: assert_type(reader, Reader), started=lambda one: assert_type(one.stop(), None)
    )
