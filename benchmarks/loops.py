"""dnstap.read beside the loop over read_file and Decoder that it replaces.

    python benchmarks/loops.py [--json] [--rounds N]

Measures the processor time of a message of a file of 100,000, like those of a busy Unbound (benchmarks/traffic.py).
Both skip payloads that do not decode.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

import dnstap
from benchmarks.contest import arguments, contest
from benchmarks.traffic import busy
from dnstap import CONTENT_TYPE, DecodeError, Decoder, Dnstap, compile_filter
from framestream import aio, read_file

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 100_000
FILTER = "type = CQ and qname under org"


def own_processor(run: Callable[[], object]) -> float:
    """Return the processor seconds that a call takes in this process."""
    began = time.process_time()
    run()
    return time.process_time() - began


def by_read(path: Path) -> int:
    """Return the number of messages with a type, read by dnstap.read."""
    number = 0
    for message in dnstap.read(path):
        number += message.message.type is not None
    return number


def by_decoder(path: Path) -> int:
    """Return the same, with a loop over payloads."""
    number = 0
    decode = Decoder(Dnstap).decode
    with read_file(path, [CONTENT_TYPE]) as reader:
        for payload in reader:
            try:
                message = decode(payload)
            except DecodeError:
                continue
            if message.message is not None:
                number += message.message.type is not None
    return number


async def by_async_read(path: Path) -> int:
    """Return the number of messages with a type, read by dnstap.aio.read."""
    number = 0
    async for message in dnstap.aio.read(path):
        number += message.message.type is not None
    return number


async def by_async_decoder(path: Path) -> int:
    """Return the same, with a loop over payloads."""
    number = 0
    decode = Decoder(Dnstap).decode
    async with aio.read_file(path, [CONTENT_TYPE]) as reader:
        async for payload in reader:
            try:
                message = decode(payload)
            except DecodeError:
                continue
            if message.message is not None:
                number += message.message.type is not None
    return number


def filtered_by_read(path: Path) -> int:
    """Return the number of messages that match."""
    return sum(1 for _ in dnstap.read(path, filter=FILTER))


def filtered_by_decoder(path: Path) -> int:
    """Return the same, with a loop over payloads."""
    number = 0
    decode, matches = Decoder(Dnstap).decode, compile_filter(FILTER).matches
    with read_file(path, [CONTENT_TYPE]) as reader:
        for payload in reader:
            try:
                number += matches(decode(payload))
            except DecodeError:
                continue
    return number


if __name__ == "__main__":
    options = arguments(__doc__.splitlines()[0], rounds=15)
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "recording"
        with dnstap.write(recording) as writer:
            writer.write_many(busy("unbound-unix", COUNT))
        for job, ours, other in (
            ("a loop over messages", by_read, by_decoder),
            (
                "a loop over messages with asyncio",
                lambda path: asyncio.run(by_async_read(path)),
                lambda path: asyncio.run(by_async_decoder(path)),
            ),
            (f"a loop over messages with the filter {FILTER}", filtered_by_read, filtered_by_decoder),
        ):
            assert ours(recording) == other(recording) > 0
            contestants = {"dnstap.read": partial(ours, recording), "read_file and Decoder": partial(other, recording)}
            contest(job, COUNT, contestants, options, [], own_processor)
