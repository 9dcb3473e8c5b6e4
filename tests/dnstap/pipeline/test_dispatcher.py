"""The dispatcher: stages, outputs of every kind, and the queue in front of them; without sockets, files and threads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from dnstap import DecodeError
from dnstap.pipeline.dispatcher import Dispatcher
from dnstap.pipeline.outputs.base import Output
from dnstap.pipeline.stages import Head, Sample
from dnstap.problems import Problems
from framestream import EncodedFrames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Kept(Output):
    """An output that keeps what it is given."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.problems = Problems("left out")

    def write_many(self, payloads: list[bytes], /) -> None:
        self.payloads += payloads

    def new_reports(self) -> Iterable[str]:
        return self.problems.new_reports(len(self.payloads))


class KeptEncoded(Kept):
    takes_encoded = True


class KeptBlocking(KeptEncoded):
    @property
    def blocking(self) -> bool:
        return True


class KeptLater(Kept):
    """An output that takes a batch only when it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = asyncio.Event()

    async def write_many(self, payloads: list[bytes], /) -> None:  # type: ignore[override]
        await self.allowed.wait()
        self.payloads += payloads


async def run_here(write: Callable[[Any], object], batch: Any) -> None:
    """Call the write of a blocking output without a thread."""
    write(batch)


def fail(write: Callable[[Any], object], batch: Any) -> Any:
    raise AssertionError("no output is blocking")


def test_stages_and_then_every_output() -> None:
    outputs = [Kept(), Kept()]
    dispatcher = Dispatcher(outputs, [Sample(2), lambda payloads: payloads[:2]])
    dispatcher.write([b"%d" % number for number in range(10)])
    assert [output.payloads for output in outputs] == [[b"0", b"2"]] * 2


def test_outputs_of_every_kind_at_once() -> None:
    class Seen(list[bytes]):
        def write_many(self, payloads: list[bytes]) -> int:
            self.extend(payloads)
            return len(self)

    later, blocking, plain, seen = KeptLater(), KeptBlocking(), Kept(), Seen()
    later.allowed.set()
    through_thread: list[object] = []

    async def run_in_thread(write: Callable[[Any], object], batch: Any) -> None:
        through_thread.append(batch)
        write(batch)

    dispatcher = Dispatcher([later, blocking, plain, seen])
    assert not dispatcher.encoded
    asyncio.run(dispatcher.write_async([b"1", b"2"], run_in_thread))
    assert later.payloads == blocking.payloads == plain.payloads == seen == [b"1", b"2"]
    assert through_thread == [[b"1", b"2"]]


def test_nothing_is_written_if_the_stages_keep_nothing() -> None:
    blocking = KeptBlocking()
    asyncio.run(Dispatcher([blocking], [lambda _: []]).write_async([b"1"], fail))
    assert blocking.payloads == []


@pytest.mark.parametrize(
    ("outputs", "stages", "encoded"),
    [
        ([], [], False),
        ([KeptEncoded()], [], True),
        ([KeptEncoded(), KeptEncoded()], [], True),
        ([KeptEncoded(), Kept()], [], False),
        ([KeptEncoded()], [Head(1, print)], False),
        ([KeptBlocking()], [], False),
    ],
)
def test_frames_stay_encoded_if_nothing_looks_into_them(
    outputs: list[Output], stages: list[Any], encoded: bool
) -> None:
    assert Dispatcher(outputs, stages).encoded is encoded


def test_encoded_frames() -> None:
    """They reach an output that inherits write_encoded as payloads."""
    output = KeptEncoded()
    dispatcher = Dispatcher([output])
    dispatcher.write(EncodedFrames.of([b"1", b"22"]))
    asyncio.run(dispatcher.write_async(EncodedFrames.of([b"3"]), fail))
    assert output.payloads == [b"1", b"22", b"3"]


def test_what_the_queue_cannot_hold_is_dropped() -> None:
    async def run() -> None:
        later = KeptLater()
        dispatcher = Dispatcher([later], queue_bytes=10)
        assert dispatcher.enqueue([b"x" * 100])  # One batch always fits.
        writing = asyncio.create_task(dispatcher.write_queued(fail))
        assert not dispatcher.enqueue([b"a" * 10, b"b"])
        assert dispatcher.dropped == 2
        later.allowed.set()
        await writing
        assert later.payloads == [b"x" * 100]
        assert dispatcher.enqueue([b"1" * 5])
        assert not dispatcher.enqueue([b"2" * 5])
        assert not dispatcher.enqueue([b"3"])
        await dispatcher.write_queued(fail)
        assert later.payloads[1:] == [b"1" * 5, b"2" * 5]
        assert dispatcher.dropped == 3
        assert list(dispatcher.new_reports()) == ["3 frames dropped, because the outputs were behind; 3 in all"]
        assert list(dispatcher.new_reports()) == []

    asyncio.run(run())


def test_what_is_left_in_the_queue_at_the_end_is_dropped() -> None:
    dispatcher = Dispatcher([Kept()])
    for number in range(3):
        dispatcher.enqueue([b"%d" % number] * 2)
    dispatcher.drop_queued()
    assert dispatcher.dropped == 4  # The first batch is with the outputs, which count it.


def test_reports_of_all_parts() -> None:
    output = Kept()
    dispatcher = Dispatcher([output])
    output.write_many([b"1"])
    output.problems.add(1, DecodeError("cut off", 0, "Dnstap"))
    assert list(dispatcher.new_reports()) == [
        "1 of 1 payloads left out; the first was payload 1: Dnstap: cut off, at byte 0"
    ]


def test_an_error_of_an_output_passes() -> None:
    class Full(Kept):
        def write_many(self, payloads: list[bytes], /) -> None:
            raise OSError("disk full")

    for output in Full(), Full():
        with pytest.raises(OSError, match="disk full"):
            Dispatcher([output]).write([b"1"])
        with pytest.raises(OSError, match="disk full"):
            asyncio.run(Dispatcher([output]).write_async([b"1"], fail))
