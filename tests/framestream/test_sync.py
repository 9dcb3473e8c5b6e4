"""framestream.sync: what asyncio has no counterpart of. The rest is in test_fronts.py, with framestream.aio."""

import os

from framestream.sync import read_file
from tests.framestream.test_fronts import replaced
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
