"""Outputs for the tests of dispatchers and queues, which keep what they are given."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from dnstap.pipeline.outputs.base import Output
from dnstap.pipeline.sources import Source
from dnstap.problems import Problems
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from framestream.sockets import PeerAddress

SOCKET = Source("a socket", file=False)
FILE = Source("a file", file=True)


class Kept(Output):
    """An output that keeps what it is given."""

    def __init__(self) -> None:
        self.name = type(self).__name__
        self.payloads: list[bytes] = []
        self.batches = 0
        self.ticks = 0
        self.problems = Problems("left out")

    @property
    def written(self) -> int:
        return len(self.payloads)

    def write_many(self, payloads: list[bytes], /) -> None:
        self.payloads += payloads
        self.batches += 1

    def tick(self) -> None:
        self.ticks += 1

    def new_reports(self) -> Iterable[str]:
        return self.problems.new_reports(len(self.payloads))


class KeptWithPeers(Kept):
    """An output that asks for the sender of payloads."""

    uses_source = True

    def __init__(self) -> None:
        super().__init__()
        self.peers: list[PeerAddress | None] = []
        self._peer: PeerAddress | None = None

    def set_source(self, source: Source) -> None:
        self._peer = source.peer

    def write_many(self, payloads: list[bytes], /) -> None:
        super().write_many(payloads)
        self.peers += [self._peer] * len(payloads)


class KeptBlockingWithPeers(KeptWithPeers):
    """A blocking one, which takes nothing until it is allowed to."""

    blocking = True

    def __init__(self) -> None:
        super().__init__()
        self.allowed = threading.Event()

    def write_many(self, payloads: list[bytes], /) -> None:
        assert self.allowed.wait(DEADLINE_S)
        super().write_many(payloads)


class KeptEncoded(Kept):
    takes_encoded = True


class KeptBlocking(KeptEncoded):
    """A blocking output that takes nothing until it is allowed to."""

    blocking = True

    def __init__(self) -> None:
        super().__init__()
        self.allowed = threading.Event()
        self.began = threading.Event()

    def write_many(self, payloads: list[bytes], /) -> None:
        self.began.set()
        assert self.allowed.wait(DEADLINE_S)
        super().write_many(payloads)


class KeptLater(Kept):
    """An output that takes a batch only when it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = asyncio.Event()

    async def write_many(self, payloads: list[bytes], /) -> None:  # type: ignore[override]
        await self.allowed.wait()
        super().write_many(payloads)


class Full(Kept):
    """An output that fails."""

    def write_many(self, payloads: list[bytes], /) -> None:
        raise OSError("disk full")


class FullLater(Kept):
    """An output that fails later."""

    async def write_many(self, payloads: list[bytes], /) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        raise OSError("disk full")
