"""dnstap.Collector and BlockingCollector: inputs, handlers, and what they take as outputs and stages."""

from collections.abc import Iterable
from pathlib import Path
from typing import assert_type

from dnstap import (
    Anonymizer,
    BlockingCollector,
    Collector,
    Dnstap,
    DnstapMessage,
    Filter,
    Message,
    Pairs,
    Source,
    truncate,
)
from framestream import Endpoint, PeerAddress


class Function:
    def write_many(self, payloads: list[bytes]) -> int:
        return len(payloads)


class CoroutineFunction:
    async def write_many(self, payloads: list[bytes]) -> None: ...


class Wrong:
    def write_many(self, payloads: list[str]) -> None: ...


def on_messages(messages: list[DnstapMessage], source: Source) -> None:
    assert_type(messages[0].message, Message)  # Not None.
    assert_type(source.name, str)
    assert_type(source.peer, PeerAddress | None)
    assert_type(source.identity, bytes | None)


def on_any_messages(messages: Iterable[Dnstap], source: Source) -> int:
    return len([message.message for message in messages if message.message])


async def on_messages_later(messages: list[DnstapMessage], source: Source) -> None: ...


def on_payloads(payloads: list[bytes], source: Source) -> None: ...


async def inputs(collector: Collector) -> None:
    await collector.read("file", follow=True)
    await collector.read(Path("file"))
    assert_type(await collector.listen("tcp:localhost:0"), Endpoint)
    collector.connect("unix:/run/server.sock")
    await collector.read(b"file")  # type: ignore[arg-type]
    collector.listen(6000)  # type: ignore[arg-type,unused-coroutine]


async def outputs(collector: Collector) -> None:
    await collector.run(Function(), CoroutineFunction())
    await collector.run(Wrong())  # type: ignore[arg-type]


async def handlers(condition: Filter) -> None:
    async with Collector() as collector:
        assert_type(collector, Collector)
        await collector.run(on_messages, filter="type = CQ")
        await collector.run(on_messages_later, on_any_messages, Function(), filter=condition)
        await collector.run(lambda messages, source: assert_type(messages[0].message, Message))
        await collector.run(payloads=lambda payloads, source: assert_type(payloads, list[bytes]))
        await collector.run(payloads=on_payloads)
        await collector.run(payloads=on_messages)  # type: ignore[arg-type]
        await collector.run(on_payloads)  # type: ignore[arg-type]
        await collector.run(len)  # type: ignore[arg-type]
        await collector.run(on_messages, pairs=Pairs(5, hold_queries=True))
        await collector.run(on_messages, pairs=5)  # type: ignore[arg-type]
        await collector.run(on_messages, filter=on_messages)  # type: ignore[arg-type]


async def stages(collector: Collector) -> None:
    await collector.run(Function(), stages=[lambda payloads: payloads[:1], Anonymizer(truncate())])
    await collector.run(Function(), stages=[len])  # type: ignore[list-item]


def results(collector: Collector) -> None:
    assert_type(collector.counts.frames, int)
    assert_type(str(collector.counts), str)
    assert_type([collector.failed_files, collector.skipped, collector.unmatched], list[int])
    assert_type(collector.output_counts[0].left, int)
    Collector(print, overload="forget")  # type: ignore[arg-type]
    Collector(5)  # type: ignore[arg-type]


def blocking() -> None:
    with BlockingCollector(print, overload="drop") as collector:
        assert_type(collector, BlockingCollector)
        collector.read("file", follow=True)
        collector.read(Path("file"))
        assert_type(collector.listen("tcp:localhost:0"), Endpoint)
        collector.connect("unix:/run/server.sock")
        collector.run(
            on_messages,
            Function(),
            payloads=on_payloads,
            filter="type = CQ",
            stages=[Anonymizer(truncate())],
        )
        collector.run(on_messages, filter="answered = no", pairs=Pairs())
        collector.run(payloads=on_messages)  # type: ignore[arg-type]
        collector.run(on_payloads)  # type: ignore[arg-type]
        collector.stop()
        assert_type(collector.counts.frames, int)
        assert_type(collector.output_counts[0].left, int)
        assert_type([collector.failed_files, collector.skipped, collector.unmatched], list[int])
        assert_type(collector.interrupted, bool)
    BlockingCollector(overload="forget")  # type: ignore[arg-type]
