"""dnstap.Collector: its inputs, and what it takes as outputs and stages."""

from typing import assert_type

from dnstap import Anonymizer, Collector, truncate
from framestream import Endpoint


class Function:
    def write_many(self, payloads: list[bytes]) -> int:
        return len(payloads)


class CoroutineFunction:
    async def write_many(self, payloads: list[bytes]) -> None: ...


class Wrong:
    def write_many(self, payloads: list[str]) -> None: ...


async def inputs(collector: Collector) -> None:
    await collector.read("file", follow=True)
    assert_type(await collector.listen("tcp:localhost:0"), Endpoint)
    collector.connect("unix:/run/server.sock")
    await collector.read(b"file")  # type: ignore[arg-type]
    collector.listen(6000)  # type: ignore[arg-type,unused-coroutine]


async def outputs(collector: Collector) -> None:
    await collector.run(Function(), CoroutineFunction())
    await collector.run(Wrong())  # type: ignore[arg-type]
    await collector.run(print)  # type: ignore[arg-type]


async def stages(collector: Collector) -> None:
    await collector.run(Function(), stages=[lambda payloads: payloads[:1], Anonymizer(truncate())])
    await collector.run(Function(), stages=[len])  # type: ignore[list-item]


def results(collector: Collector) -> None:
    assert_type(collector.counts.frames, int)
    assert_type(str(collector.counts), str)
    assert_type(collector.failed_files, int)
    assert_type(collector.output_counts[0].left, int)
    Collector(print, overload="forget")  # type: ignore[arg-type]
    Collector()  # type: ignore[call-arg]
