"""Counts of inputs, of one stream and of all."""

from __future__ import annotations

from dnstap.pipeline.counters import Counter, Counts, InputCounters, OutputCounts
from framestream.streams import BaseReader, Limits, reader_protocol
from tests.framestream.wire import START, STOP, control, data


def test_of_a_reader() -> None:
    reader = BaseReader(reader_protocol((), Limits(4, oversize="skip")), file=False)
    reader._feed(START + control(99) + data(b"ab", b"abcde", b"c"))
    while reader._next():
        pass
    counts = Counts(frames=10).plus(reader)
    assert counts == Counts(frames=12, bytes=3, left_out=1, ignored_control_frames=1)
    assert Counts().plus(reader).plus(reader).frames == 4
    reader._feed(STOP + b"behind")
    while reader._next():
        pass
    assert Counts().plus(reader).ignored_bytes == 6


def test_streams_without_stop() -> None:
    reader = BaseReader(reader_protocol((), Limits(), joined=True), file=True)
    reader._feed(START + data(b"ab") + START + data(b"c") + START)
    while reader._next():
        pass
    assert Counts(unfinished=1).plus(reader) == Counts(frames=2, bytes=3, unfinished=3)


def test_as_one_line() -> None:
    counts = Counts(
        connections=1,
        files=2,
        broken=3,
        frames=4,
        bytes=5,
        left_out=6,
        dropped=7,
        ignored_control_frames=8,
        ignored_bytes=9,
        unfinished=10,
        ended=11,
        without_stop=12,
    )
    assert str(counts) == (
        "4 frames of 5 bytes from 2 files and 1 connections; 3 streams were broken, 12 ended without STOP,"
        " 11 connections ended by limits, 6 frames over the limit left out;"
        " 8 control frames of unknown type and 9 bytes behind STOP ignored;"
        " 10 streams without STOP before another"
    )


def test_of_an_output() -> None:
    counts = OutputCounts("x", 10, 4, 1, 2, 3)
    assert str(counts) == "x: 10 frames: 4 written, 1 rejected, 2 dropped, 3 left"


def test_counters_for_metrics() -> None:
    counters = Counts(connections=1, left_out=6, open=10).counters()
    assert Counter("connections", "Connections accepted or made.", 1) in counters
    assert Counter("oversize_frames", "Data frames over the limit, left out.", 6) in counters
    assert sum(counter.value for counter in counters) == 7  # What is open may fall.


def test_streams_that_are_open_and_that_have_ended() -> None:
    readers = [BaseReader(reader_protocol((), Limits()), file=False) for _ in range(2)]
    counters: InputCounters[BaseReader] = InputCounters()
    for number, reader in enumerate(readers):
        counters.begin(f"{number}", reader, file=number == 1)
        reader._feed(START + data(b"ab"))
        while reader._next():
            pass
    assert counters.total() == Counts(connections=1, files=1, frames=2, bytes=4, open=2)
    counters.end(readers[0])
    counters.count_broken()
    assert list(counters.open.values()) == ["1"]
    assert counters.total() == Counts(connections=1, files=1, frames=2, bytes=4, broken=1, open=1)
