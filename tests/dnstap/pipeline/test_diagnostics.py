"""Lines about a stream that has ended."""

from __future__ import annotations

from dnstap.pipeline.diagnostics import stream_reports
from framestream.errors import TruncatedStreamError
from framestream.protocol import ReaderProtocol
from framestream.streams import BaseReader


class Reader(BaseReader):
    """Reader that is given its input."""

    def read(self, data: bytes) -> int:
        """Return the number of payloads of a whole input."""
        self._feed(data)
        while self._next():
            pass
        return self.frames


START = bytes.fromhex("00000000 00000004 00000002")
UNKNOWN = bytes.fromhex("00000000 00000004 00000063")
STOP = bytes.fromhex("00000000 00000004 00000003")


def test_nothing_about_a_stream_without_faults() -> None:
    reader = Reader(ReaderProtocol(), file=False)
    assert reader.read(START + b"\0\0\0\1a" + STOP) == 1
    assert not list(stream_reports("x", reader, None))


def test_streams_without_stop() -> None:
    reader = Reader(ReaderProtocol(joined=True), file=True)
    assert reader.read(2 * (START + b"\0\0\0\1a") + STOP) == 2
    assert list(stream_reports("x", reader, None)) == ["x: 1 streams without STOP, each followed by another"]


def test_what_was_left_out_and_the_error() -> None:
    reader = Reader(ReaderProtocol(max_data_bytes=2, oversize="skip"), file=False)
    assert reader.read(START + UNKNOWN + b"\0\0\0\3abc" + b"\0\0\0\1a" + STOP + b"more") == 1
    error = TruncatedStreamError("more", "the end of input", 9, "STREAMING")
    assert list(stream_reports("x", reader, error)) == [
        "x: 1 control frames of unknown type ignored",
        "x: 1 frames over 2 bytes left out",
        "x: 4 bytes behind STOP ignored",
        "x: expected more, got the end of input in state STREAMING, at byte 9",
    ]
