"""Readers that block: a selector of the caller's own."""

from __future__ import annotations

import os

from framestream.sync import read_file
from tests.framestream.both.ends import replaced
from tests.framestream.wire import START, control, data


def test_receive_reads_once() -> None:
    """With `fileno()` in a selector of the user's, nothing waits."""
    reading, writing = os.pipe()
    with replaced(0, reading), read_file("-") as reader:
        os.close(reading)
        os.write(writing, START[:20])
        assert list(reader.receive()) == []
        os.write(writing, START[20:] + data(b"a", b"b") + control(9) + data(b"c"))
        assert list(reader.receive()) == [[b"a", b"b"], [b"c"]]
        assert reader.frames == 3
        os.close(writing)
        assert list(reader.receive()) == []
        assert reader.ended
