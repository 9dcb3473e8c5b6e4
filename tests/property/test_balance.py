"""The balance of counts: whatever outputs do, and however a run ends, each frame is in exactly one count."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from dnstap.content_type import CONTENT_TYPE
from dnstap.pairing import Pairs
from dnstap.pipeline.closing import close_outputs
from dnstap.pipeline.dispatcher import Dispatcher
from dnstap.pipeline.outputs.relay import Relay
from dnstap.pipeline.outputs.text import TextOutput
from dnstap.pipeline.queues import QueueingDispatcher
from dnstap.pipeline.stages import Sample
from dnstap.pipeline.tasks import Tasks
from framestream import Backoff, UnixEndpoint
from framestream.aio import listen_reader
from tests.dnstap.pairing.messages import query, response
from tests.dnstap.pipeline.kept import FILE, SOCKET, Kept
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnstap.pipeline.outputs.base import Output
    from dnstap.pipeline.queues import Overload

GOOD = bytes.fromhex("7801")


class Behaviour(NamedTuple):
    """The behaviour of an output.

    Attributes:
        kind: "plain" takes a batch at once, "later" after some turns of the loop, "thread" in a thread.
        turns: number of these turns.
        stops_after: number of batches after which it stands still; None for never.
        fails_after: number of batches after which it fails; None for never.
    """

    kind: str
    turns: int
    stops_after: int | None
    fails_after: int | None


class Plain(Kept):
    """An output that takes a batch at once, and may fail."""

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__()
        self.behaviour = behaviour

    @property
    def stands_still(self) -> bool:
        """Return whether it has reached the batch at which it stands still."""
        return False

    def write_many(self, payloads: list[bytes], /) -> None:
        if self.batches == self.behaviour.fails_after:
            raise OSError("failed")
        super().write_many(payloads)


class Later(Plain):
    """An output that takes a batch later, and may stand still."""

    @property
    def stands_still(self) -> bool:
        return self.batches == self.behaviour.stops_after

    async def write_many(self, payloads: list[bytes], /) -> None:  # type: ignore[override]
        if self.batches == self.behaviour.stops_after:
            await asyncio.Event().wait()
        for _ in range(self.behaviour.turns):
            await asyncio.sleep(0)
        super().write_many(payloads)


class InThread(Plain):
    """An output that takes a batch in a thread, and may stand still until the end of the test."""

    blocking = True

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(behaviour)
        self.standing = threading.Event()
        self.released = threading.Event()

    @property
    def stands_still(self) -> bool:
        return self.standing.is_set()

    def write_many(self, payloads: list[bytes], /) -> None:
        if self.batches == self.behaviour.stops_after:
            self.standing.set()
            assert self.released.wait(DEADLINE_S)
        super().write_many(payloads)


KINDS = {"plain": Plain, "later": Later, "thread": InThread}

few = st.one_of(st.none(), st.integers(0, 5))
behaviours = st.builds(
    Behaviour, kind=st.sampled_from([*KINDS]), turns=st.integers(0, 5), stops_after=few, fails_after=few
)
batches = st.lists(
    st.tuples(st.sampled_from([FILE, SOCKET]), st.integers(1, 5), st.integers(1, 40), st.integers(0, 3)), max_size=30
)


def subsequence(some: list[bytes], of: list[bytes]) -> bool:
    """Return whether payloads are among others in the same order, none of them twice."""
    rest = iter(of)
    return all(payload in rest for payload in some)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(behaviours, min_size=1, max_size=4),
    batches,
    st.integers(1, 3),
    st.sampled_from([None, "wait", "drop"]),
    st.integers(1, 3000),
    st.booleans(),
)
def test_each_frame_is_in_one_count(
    behaviours: list[Behaviour],
    batches: list[tuple[object, int, int, int]],
    every: int,
    overload: Overload | None,
    queue_bytes: int,
    whole: bool,
) -> None:
    """In a run of outputs that are slow, stand still or fail, stopped at any point.

    Args: whole: whether outputs have time for what waits, unless they stand still.
    """
    outputs = [KINDS[behaviour.kind](behaviour) for behaviour in behaviours]
    received: list[bytes] = []
    reached: list[bytes] = []
    of_files: set[bytes] = set()

    def note(payloads: list[bytes]) -> list[bytes]:
        reached.extend(payloads)
        return payloads

    async def run() -> QueueingDispatcher:
        tasks = Tasks()
        dispatcher = QueueingDispatcher(
            outputs, [Sample(every), note], tasks.start, overload=overload, queue_bytes=queue_bytes
        )
        for source, number, size, turns in batches:
            payloads = [b"%0*d" % (size, len(received) + position) for position in range(number)]
            received.extend(payloads)
            if source is FILE:
                of_files.update(payloads)
            with contextlib.suppress(OSError):
                dispatcher.write(payloads, source)  # type: ignore[arg-type]
            check_balance(outputs)
            for _ in range(turns):
                await asyncio.sleep(0)
                check_balance(outputs)
        dispatcher.end()
        if whole:
            # Until all have ended that can.
            while tasks.running and not still(outputs):
                await tasks.finish(0.001)
        await tasks.cancel()
        dispatcher.close()
        return dispatcher

    dispatcher = asyncio.run(run())
    check_balance(outputs)
    for output in outputs:
        if isinstance(output, InThread):
            output.released.set()
    wait_for(no_thread, "the end of their threads")
    assert len(received) == sum(stage.removed for stage in dispatcher.stages) + len(reached)
    assert reached == received[::every]
    for output in outputs:
        counts = output.counts
        assert counts.reached == len(reached)
        assert counts.written == len(output.payloads)
        assert subsequence(output.payloads, reached)
        # What is missing before the last that was written was dropped, as it was from sockets: nothing overtakes.
        last = reached.index(output.payloads[-1]) + 1 if output.payloads else 0
        missing = [payload for payload in reached[:last] if payload not in output.payloads]
        assert len(missing) <= counts.dropped
        assert not of_files.intersection(missing)
        if overload == "wait" or output.behaviour.kind == "plain":
            assert counts.dropped == 0
        if whole and not output.failed and not output.stands_still:
            assert counts.left == 0


def check_balance(outputs: Sequence[Output]) -> None:
    """Check that the counts of outputs add up. Those of an output in a thread may change meanwhile."""
    for output in outputs:
        _, reached, written, rejected, dropped, left = output.counts
        assert left >= 0
        assert reached == written + rejected + dropped + left


def still(outputs: Sequence[Plain]) -> bool:
    """Return whether no output goes on: each has everything, has failed, or stands still."""
    return all(output.failed or output.stands_still or not output.counts.left for output in outputs)


def no_thread() -> bool:
    """Return whether the threads of all outputs have ended."""
    return not any(thread.name.startswith("dnstap-output") for thread in threading.enumerate())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from([GOOD, b"junk"]), min_size=1, max_size=20), max_size=10), st.booleans())
def test_text_and_relays(batches: list[list[bytes]], listens: bool) -> None:
    """Frames that do not decode are rejected by text and sent by relays, if there is a receiver."""
    payloads = [payload for batch in batches for payload in batch]
    got: list[bytes] = []

    async def run(folder: Path) -> list[Output]:
        there, text = folder / "there", TextOutput(str(folder / "text"), "quiet")
        relay = Relay(UnixEndpoint(str(there)), said.append, backoff=Backoff(0.001, most_s=0.001))
        tasks = Tasks()
        dispatcher = QueueingDispatcher([text, relay], [], tasks.start)
        async with contextlib.AsyncExitStack() as stack:
            if listens:
                listener = await stack.enter_async_context(listen_reader(there, [CONTENT_TYPE]))

                async def receive() -> None:
                    async with await listener.accept() as reader:
                        got.extend([payload async for payload in reader])

                receiving = asyncio.create_task(receive())
            for batch in batches:
                dispatcher.write(batch, SOCKET)
            await tasks.finish(DEADLINE_S if listens else 0.002)
            await tasks.cancel()
            dispatcher.close()
            await close_outputs([text, relay], DEADLINE_S)
            if listens and payloads:
                await receiving
            elif listens:
                receiving.cancel()
        return [text, relay]

    said: list[str] = []
    with TemporaryDirectory() as name:
        text, relay = asyncio.run(run(Path(name)))
        lines = (Path(name) / "text").read_text().splitlines()
    good = payloads.count(GOOD)
    assert text.counts[1:] == (len(payloads), good, len(payloads) - good, 0, 0)
    assert len(lines) == good
    sent = payloads if listens else []
    assert got == sent
    assert relay.counts[1:] == (len(payloads), len(sent), 0, 0, len(payloads) - len(sent))


exchanges = st.lists(
    st.tuples(
        st.sampled_from([query, response]), st.integers(0, 30), st.integers(1, 3), st.sampled_from([FILE, SOCKET])
    ),
    max_size=40,
)


@given(st.lists(behaviours, min_size=1, max_size=3), exchanges, st.integers(1, 3), st.integers(1, 5), st.booleans())
def test_held_queries(
    behaviours: list[Behaviour],
    exchanges: list[tuple[Callable[..., bytes], int, int, object]],
    every: int,
    most: int,
    hold: bool,
) -> None:
    """At every moment a frame is held, removed or has reached the outputs; at the end none is held."""
    outputs = [KINDS["plain"](behaviour) for behaviour in behaviours]
    dispatcher = Dispatcher(outputs, [Pairs(5, max_queries=most, hold_queries=hold), Sample(every)])
    received: list[bytes] = []

    def check() -> None:
        assert len(received) == sum(stage.removed for stage in dispatcher.stages) + outputs[0].reached
        assert {output.reached for output in outputs} == {outputs[0].reached}
        check_balance(outputs)

    for kind, second, port, source in exchanges:
        batch = [kind(second, query_port=port)]
        received += batch
        with contextlib.suppress(OSError):
            dispatcher.write(batch, source)  # type: ignore[arg-type]
        check()
    with contextlib.suppress(OSError):
        dispatcher.finish()
    check()
    assert dispatcher.stages[0].removed == 0
    for output in outputs:
        if not output.failed and every == 1:
            assert sorted(output.payloads) == sorted(received)
