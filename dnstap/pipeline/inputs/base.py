"""Base class of the inputs of a Collector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from framestream.aio import Reader

__all__ = ["Input"]


class Input(ABC):
    """A source of streams.

    Attributes:
        file: whether its streams are counted as files. Files can wait, so none of their frames is dropped.
        regular: whether it is a regular file, which is read when those added before it have been read.
        followed: whether its files may grow, be cut and be replaced.
        interruptible: whether reading stops at once when the run is stopped, instead of at the end of what has been
            received.
        descriptors: most descriptors that it has open, beside connections to our sockets.
        concurrent: whether its streams are read all at the same time, instead of each after the one before.
    """

    file: bool = False
    regular: bool = False
    followed: bool = False
    interruptible: bool = False
    concurrent: bool = False
    descriptors: int = 1

    @abstractmethod
    def streams(self) -> AsyncGenerator[tuple[str, Reader], None]:
        """Yield each stream with its name. It may be cancelled wherever it waits, and no stream is lost."""

    async def take_waiting(self, begin: Callable[[str, Reader], object]) -> None:  # noqa: B027 (optional)
        """Begin each stream that has arrived and was not given yet, and take no more. Called at the end of a run."""

    async def close(self) -> None:  # noqa: B027 (optional)
        """Close what is open."""
