"""Queues of outputs, without sockets and files: what waits, what is dropped, who waits for room."""

from __future__ import annotations

import asyncio
import errno
import tracemalloc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from dnstap.pipeline.queues import OutputQueue, QueueingDispatcher, memory
from dnstap.pipeline.tasks import Tasks
from framestream import EncodedFrames
from framestream.sockets import PeerAddress
from tests.dnstap.pipeline.kept import (
    FILE,
    SOCKET,
    Full,
    FullLater,
    Kept,
    KeptBlocking,
    KeptBlockingWithPeers,
    KeptEncoded,
    KeptLater,
    KeptWithPeers,
)
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from dnstap.pipeline.outputs.base import Output


@asynccontextmanager
async def queueing(*outputs: Output, **options: Any) -> AsyncIterator[tuple[QueueingDispatcher, Tasks]]:
    """Give a dispatcher to these outputs, and its tasks, all of which must end."""
    tasks = Tasks()
    dispatcher = QueueingDispatcher(outputs, (), tasks.start, **options)
    try:
        yield dispatcher, tasks
        await tasks.finish(DEADLINE_S)
        assert not tasks.running
    finally:
        dispatcher.close()


def payloads(number: int, size: int = 1) -> list[bytes]:
    """Return different payloads."""
    return [b"%0*d" % (size, position) for position in range(number)]


def test_outputs_of_every_kind_at_once() -> None:
    later, blocking, plain = KeptLater(), KeptBlocking(), Kept()

    async def run() -> None:
        async with queueing(later, blocking, plain) as (dispatcher, _):
            dispatcher.write([b"1", b"2"], SOCKET)
            dispatcher.write([b"3"], SOCKET)
            assert plain.payloads == [b"1", b"2", b"3"]
            assert later.payloads == blocking.payloads == []
            assert later.counts.left == blocking.counts.left == 3
            later.allowed.set()
            blocking.allowed.set()

    asyncio.run(run())
    assert later.payloads == blocking.payloads == plain.payloads
    assert later.counts.left == 0
    assert not blocking.stuck


def test_what_waits_is_written_together() -> None:
    """In batches of a limited size; those that other outputs have are not changed."""
    later, plain = KeptLater(), Kept()
    batches = [payloads(10, 1000) for _ in range(100)]

    async def run() -> None:
        async with queueing(later, plain) as (dispatcher, _):
            for batch in batches:
                dispatcher.write(batch, SOCKET)
            later.allowed.set()

    asyncio.run(run())
    assert later.payloads == plain.payloads
    assert 4 < later.batches < 10
    assert batches == [payloads(10, 1000)] * 100


def test_an_output_that_takes_batches_later_at_first() -> None:
    class Sometimes(KeptLater):
        def write_many(self, payloads: list[bytes], /) -> Any:
            if self.allowed.is_set():
                return Kept.write_many(self, payloads)
            return super().write_many(payloads)

    output = Sometimes()

    async def run() -> None:
        async with queueing(output) as (dispatcher, tasks):
            dispatcher.write([b"1"], SOCKET)
            dispatcher.write([b"2"], SOCKET)
            output.allowed.set()
            await tasks.finish(DEADLINE_S)
            dispatcher.write([b"3"], SOCKET)
            assert not tasks.running

    asyncio.run(run())
    assert output.payloads == [b"1", b"2", b"3"]


def test_encoded_frames_need_no_queue() -> None:
    output = KeptEncoded()

    async def run() -> None:
        async with queueing(output) as (dispatcher, tasks):
            dispatcher.write(EncodedFrames.of([b"1"]), SOCKET)
            assert not tasks.running

    asyncio.run(run())
    assert output.payloads == [b"1"]


@pytest.mark.parametrize("drops", [True, False])
def test_inputs_wait_for_outputs_that_do_not_drop(drops: bool) -> None:
    """Files wait for all: they lose nothing by it."""
    output = KeptLater()
    order: list[str] = []

    async def wait(dispatcher: QueueingDispatcher, name: str) -> None:
        await dispatcher.room(FILE)
        order.append(name)

    async def run() -> None:
        async with queueing(output, queue_bytes=5000, overload="drop" if drops else "wait") as (dispatcher, _):
            dispatcher.write(payloads(20), SOCKET)
            assert not dispatcher.full(SOCKET)
            while not dispatcher.full(FILE):
                dispatcher.write(payloads(20), FILE)
            assert dispatcher.full(SOCKET) is not drops
            waiting = [asyncio.create_task(wait(dispatcher, f"{number}")) for number in range(3)]
            cancelled = asyncio.create_task(wait(dispatcher, "cancelled"))
            await asyncio.sleep(0)
            cancelled.cancel()
            output.allowed.set()
            await asyncio.gather(*waiting)
            assert list(dispatcher.new_reports()) == ["KeptLater: the inputs waited, because it was behind"]
            assert list(dispatcher.new_reports()) == []

    asyncio.run(run())
    assert order == ["0", "1", "2"]
    assert (output.dropped, output.counts.left) == (0, 0)


def test_inputs_read_on_one_by_one() -> None:
    """As batches are written: if all went on at once, each would add a batch to a full queue."""

    class Stepwise(KeptLater):
        async def write_many(self, payloads: list[bytes], /) -> None:  # type: ignore[override]
            await super().write_many(payloads)
            self.allowed.clear()

    output = Stepwise()
    size = memory(payloads(1, 300_000))

    async def run() -> None:
        async with queueing(output, queue_bytes=2 * size, overload="wait") as (dispatcher, tasks):
            for _ in range(4):
                dispatcher.write(payloads(1, 300_000), SOCKET)
            waiting = [asyncio.create_task(dispatcher.room(SOCKET)) for _ in range(5)]
            done: list[int] = []
            while tasks.running:
                output.allowed.set()
                for _ in range(5):
                    await asyncio.sleep(0)
                done.append(sum(task.done() for task in waiting))
            assert done == [0, 1, 2, 5]

    asyncio.run(run())


def test_sockets_do_not_wait_at_the_end() -> None:
    output = KeptLater()

    async def run() -> None:
        async with queueing(output, queue_bytes=1, overload="wait") as (dispatcher, _):
            dispatcher.write([b"1"], SOCKET)
            dispatcher.write([b"2"], SOCKET)
            waiting = asyncio.create_task(dispatcher.room(SOCKET))
            await asyncio.sleep(0)
            dispatcher.end()
            await waiting
            assert dispatcher.full(FILE)
            assert not dispatcher.full(SOCKET)
            output.allowed.set()

    asyncio.run(run())
    assert output.payloads == [b"1", b"2"]


def test_the_oldest_frames_of_sockets_are_dropped() -> None:
    """Those of files are not, nor is the newest batch, whatever its size, nor what is being written."""
    output = KeptLater()
    size = memory(payloads(2))

    async def run() -> None:
        async with queueing(output, queue_bytes=4 * size, overload="drop") as (dispatcher, _):
            for number in range(3):
                dispatcher.write([b"%d" % number] * 2, SOCKET)
            dispatcher.write([b"f"] * 2, FILE)
            assert dispatcher.dropped == 0
            dispatcher.write([b"4"] * 2, SOCKET)
            assert dispatcher.dropped == output.dropped == 2
            dispatcher.write([b"x" * 5000], SOCKET)
            assert dispatcher.dropped == 6
            assert list(dispatcher.new_reports()) == [
                "KeptLater: 6 frames dropped, because it was behind; 6 in all",
            ]
            assert list(dispatcher.new_reports()) == []
            assert output.counts.left == 5
            output.allowed.set()

    asyncio.run(run())
    assert output.payloads == [b"0", b"0", b"f", b"f", b"x" * 5000]
    assert output.counts.left == 0


@pytest.mark.parametrize("overload", ["wait", "drop", None])
def test_each_output_has_its_own_default(overload: Any) -> None:
    class Dropping(KeptLater):
        drops = True

    waiting, dropping = KeptLater(), Dropping()

    async def run() -> None:
        async with queueing(waiting, dropping, queue_bytes=1, overload=overload) as (dispatcher, _):
            for number in range(3):
                dispatcher.write([b"%d" % number], SOCKET)
            assert dispatcher.full(SOCKET) is (overload != "drop")
            waiting.allowed.set()
            dropping.allowed.set()

    asyncio.run(run())
    assert (waiting.dropped > 0) is (overload == "drop")
    assert (dropping.dropped > 0) is (overload != "wait")


@pytest.mark.parametrize("size", [2, 7, 100, 600])
def test_memory_is_not_more_than_the_limit(size: int) -> None:
    """However small the frames are: 16 MiB of payloads of 2 bytes took 470 MiB."""
    output = KeptLater()
    limit = 1 << 21

    async def run() -> int:
        async with queueing(output, queue_bytes=limit, overload="drop") as (dispatcher, _):
            tracemalloc.start()
            try:
                while not output.dropped:
                    # A few hundred at a time, as they are received.
                    dispatcher.write([bytes(size) for _ in range(400)], SOCKET)
                return tracemalloc.get_traced_memory()[0]
            finally:
                tracemalloc.stop()
                output.allowed.set()

    taken = asyncio.run(run())
    assert limit / 2 < taken < limit * 1.2


@pytest.mark.parametrize("kind", [Full, FullLater])
def test_an_output_that_fails_ends_its_task(kind: type[Kept]) -> None:
    """Nothing waits for it any more, and it is given nothing more."""
    failing, other = kind(), KeptLater()

    async def run() -> None:
        tasks = Tasks()
        dispatcher = QueueingDispatcher([failing, other], (), tasks.start, queue_bytes=1, overload="wait")
        if kind is Full:
            with pytest.raises(OSError, match="disk full"):
                dispatcher.write([b"1"], SOCKET)
        else:
            dispatcher.write([b"1"], SOCKET)
            dispatcher.write([b"2"], SOCKET)
            waiting = asyncio.create_task(dispatcher.room(SOCKET))
            await asyncio.sleep(0)
            other.allowed.set()
            await waiting
            assert str(tasks.failure) == "disk full"
        assert failing.failed
        other.allowed.set()
        dispatcher.write([b"3"], SOCKET)
        dispatcher.tick()
        await tasks.finish(DEADLINE_S)
        dispatcher.close()

    asyncio.run(run())
    assert failing.ticks == 0
    assert failing.counts.left == failing.reached > 0
    assert other.counts.left == 0


def test_a_failure_wakes_inputs() -> None:
    """They would wait for ever for room in its queue."""
    failing = FullLater()

    async def run() -> None:
        tasks = Tasks()
        queue = OutputQueue(failing, tasks.start, limit_bytes=1)
        queue.put([b"1"], 1, SOCKET)
        queue.put([b"2"], 1, SOCKET)
        await asyncio.wait_for(queue.room(SOCKET), DEADLINE_S)
        assert not queue.full(SOCKET)

    asyncio.run(run())


def test_ticks_come_between_writes() -> None:
    later, blocking, plain = KeptLater(), KeptBlocking(), Kept()

    async def run() -> None:
        async with queueing(later, blocking, plain) as (dispatcher, tasks):
            dispatcher.write([b"1"], SOCKET)
            dispatcher.tick()
            assert [output.ticks for output in (later, blocking, plain)] == [0, 0, 1]
            later.allowed.set()
            blocking.allowed.set()
            await tasks.finish(DEADLINE_S)
            dispatcher.tick()
            await tasks.finish(DEADLINE_S)
            assert [output.ticks for output in (later, blocking, plain)] == [1, 1, 2]

    asyncio.run(run())


def test_a_write_that_does_not_return_is_left_alone() -> None:
    """A thread cannot be cancelled; what it was given is left."""
    blocking, later = KeptBlocking(), KeptLater()

    async def run() -> None:
        tasks = Tasks()
        dispatcher = QueueingDispatcher([blocking, later], (), tasks.start)
        dispatcher.write([b"1"], SOCKET)
        dispatcher.write([b"2"], SOCKET)
        assert blocking.began.wait(DEADLINE_S)
        await asyncio.sleep(0)
        await tasks.cancel()
        dispatcher.close()

    asyncio.run(run())
    assert blocking.stuck
    assert not later.stuck
    assert blocking.counts.left == later.counts.left == 2
    blocking.allowed.set()


def test_cancelled_before_the_first_step() -> None:
    """The coroutine of the write is closed: it would warn that it was never awaited."""
    later = KeptLater()

    async def run() -> None:
        tasks = Tasks()
        dispatcher = QueueingDispatcher([later], (), tasks.start)
        dispatcher.write([b"1"], SOCKET)
        await tasks.cancel()
        dispatcher.close()

    asyncio.run(run())
    assert later.counts.left == 1


class SmallDisk(Kept):
    """An output on a disk that has space for some batches."""

    def __init__(self, space: int) -> None:
        super().__init__()
        self.space = space
        self.rest: list[bytes] = []
        self.error = OSError(errno.ENOSPC, "No space left on device")

    def goes_on_after(self, error: OSError) -> bool:
        return error.errno == errno.ENOSPC

    def write_many(self, payloads: list[bytes], /) -> None:
        self.rest = payloads
        self.write_rest()

    def write_rest(self) -> None:
        if not self.space:
            raise self.error
        self.space -= 1
        super().write_many(self.rest)


class SmallDiskEncoded(SmallDisk):
    takes_encoded = True


@pytest.mark.parametrize("kind", [SmallDisk, SmallDiskEncoded])
def test_a_full_disk_is_tried_again(kind: type[SmallDisk]) -> None:
    """Frames wait meanwhile, the inputs as well if there are too many; the other outputs go on."""
    full, other = kind(1), KeptEncoded()

    async def run() -> None:
        async with queueing(full, other, queue_bytes=1000, retry_s=0.001) as (dispatcher, tasks):
            assert dispatcher.encoded is (kind is SmallDiskEncoded)

            def write(*payloads: bytes) -> None:
                dispatcher.write(EncodedFrames.of(payloads) if dispatcher.encoded else [*payloads], SOCKET)

            write(b"1")
            assert not tasks.running
            write(b"2", b"3")
            while not dispatcher.full(SOCKET):
                write(b"4")
            dispatcher.tick()
            await asyncio.sleep(0.01)
            assert full.ticks == 0
            waiting = full.counts.left
            assert waiting == other.written - 1 > 2
            lines = [*dispatcher.new_reports()]
            assert lines == [
                f"{full.name}: cannot write, and tries again: No space left on device; {waiting} frames wait"
            ]
            full.space = 1
            await wait_until(lambda: full.written == 3)
            assert full.counts.left == waiting - 2
            full.space = 10
            await tasks.finish(DEADLINE_S)
            assert list(dispatcher.new_reports()) == []

    asyncio.run(run())
    assert full.payloads == other.payloads
    assert full.counts.left == 0


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition while the loop runs."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.001)


def test_another_error_after_a_full_disk() -> None:
    """It ends the run; so does the end, and what was not written is left."""
    failing, full = SmallDisk(0), SmallDisk(0)

    async def run() -> None:
        tasks = Tasks()
        dispatcher = QueueingDispatcher([failing, full], (), tasks.start, retry_s=0.001)
        dispatcher.write([b"1"], SOCKET)
        failing.error = OSError(errno.EIO, "Input/output error")
        await wait_until(lambda: tasks.failure is not None)
        assert failing.failed
        await tasks.cancel()
        dispatcher.close()

    asyncio.run(run())
    assert failing.counts.left == full.counts.left == 1
    assert not full.failed


def test_batches_of_several_senders_are_not_merged() -> None:
    """If the output asks for the sender; those of one sender are."""
    output, at_once = KeptBlockingWithPeers(), KeptWithPeers()
    peers = [PeerAddress("192.0.2.1", number) for number in (1, 1, 2, 2, 2, 1)]

    async def run() -> None:
        async with queueing(output, at_once) as (dispatcher, _):
            for number, peer in enumerate(peers):
                dispatcher.write([b"%d" % number], SOCKET._replace(peer=peer))
            output.allowed.set()

    asyncio.run(run())
    assert output.peers == at_once.peers == peers
    assert output.batches == 4  # The first was on its way when the second came.
