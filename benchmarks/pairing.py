"""Pairing queries with responses, beside decoding the same payloads.

    python benchmarks/pairing.py [--json] [--rounds N]

Measures the processor time of a frame, decoding included, over 40,000 like those of a busy server: 10,000 queries a
second of 20,000 names, each answered 1 to 20 ms later, one in 100 never. And the memory of 100,000 queries that wait.
"""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.contest import arguments, contest
from benchmarks.traffic import payloads_of
from dnstap import Decoder, Dnstap, Message, MessageType
from dnstap.pairing import Pairs

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 40_000
OUTSTANDING = 100_000
BATCH = 500


def spent(run: Callable[[], object]) -> float:
    """Return the processor seconds of a call."""
    began = time.process_time()
    run()
    return time.process_time() - began


def traffic(queries: int, *, answered: bool = True) -> list[bytes]:
    """Return the payloads of queries and their responses, in the order of time, made after those of Unbound."""
    randomness = random.Random(1)
    patterns: dict[MessageType | None, tuple[Dnstap, Message, bytes]] = {}
    for payload in payloads_of("unbound-unix"):
        pattern = Dnstap.parse(payload)
        if pattern.message is not None and pattern.message.wire:
            patterns.setdefault(pattern.message.type, (pattern, pattern.message, pattern.message.wire))
    made: list[tuple[int, bytes]] = []
    for number in range(queries):
        asked = 1_795_000_000_000_000_000 + number * 100_000
        label = b"%05d" % randomness.randrange(20_000)
        start = randomness.randbytes(2)
        address, port = b"\x0a\0" + randomness.randbytes(2), randomness.randrange(1024, 65536)
        lost = not answered or randomness.randrange(100) == 0
        for kind, when in (
            (MessageType.CLIENT_QUERY, asked),
            (MessageType.CLIENT_RESPONSE, asked + randomness.randrange(1_000_000, 20_000_000)),
        )[: 1 if lost else 2]:
            pattern, message, wire = patterns[kind]
            message = replace(message, query_address=address, query_port=port)
            side = "query" if kind is MessageType.CLIENT_QUERY else "response"
            end = wire.find(b"\0", 12)
            setattr(message, f"{side}_message", start + wire[2:12] + b"\5" + label + b"\3com" + wire[end:])
            setattr(message, f"{side}_time_sec", when // 1_000_000_000)
            setattr(message, f"{side}_time_nsec", when % 1_000_000_000)
            made.append((when, replace(pattern, message=message).encode()))
    return [payload for _, payload in sorted(made)]


def decode(payloads: list[bytes]) -> int:
    """Decode all payloads, and return their number."""
    decode = Decoder(Dnstap).decode
    return len([decode(payload) for payload in payloads])


def pair(payloads: list[bytes], *, hold_queries: bool) -> int:
    """Pair all payloads, in batches, and return the number of pairs."""
    pairs = Pairs(hold_queries=hold_queries)
    for start in range(0, len(payloads), BATCH):
        pairs(payloads[start : start + BATCH])
    return pairs.counts.paired


def memory(*, hold_queries: bool) -> float:
    """Return the MiB of 100,000 queries that wait, with their payloads if they are held."""
    payloads = traffic(OUTSTANDING, answered=False)
    tracemalloc.start()
    pairs = Pairs(hold_queries=hold_queries)
    for start in range(0, len(payloads), BATCH):
        # A copy of each, as an input makes it.
        pairs([bytes(bytearray(payload)) for payload in payloads[start : start + BATCH]])
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pairs.counts.outstanding == OUTSTANDING
    return used / (1 << 20)


def main() -> None:
    """Run the benchmark and print one table, and the memory."""
    options = arguments((__doc__ or "").splitlines()[0], rounds=5)
    payloads = traffic(COUNT // 2)
    contestants = {
        "Decoder": partial(decode, payloads),
        "pairing": partial(pair, payloads, hold_queries=False),
        "pairing, queries held": partial(pair, payloads, hold_queries=True),
    }
    contest("pairing", len(payloads), contestants, options, [], spent)
    for name, hold in (("queries", False), ("queries held, with their payloads", True)):
        print(f"memory of {OUTSTANDING} {name}: {memory(hold_queries=hold):.0f} MiB", file=sys.stderr)


if __name__ == "__main__":
    main()
