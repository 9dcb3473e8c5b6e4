"""Tap for servers with threads, and for any other that does not use asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from dnstap.tap.base import CLOSE_S, BaseTap

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Tap"]


class Tap(BaseTap):
    __doc__ = BaseTap.__doc__

    def close(self, timeout_s: float = CLOSE_S) -> int:
        """Send the waiting frames, then STOP, and wait for FINISH. At the end of the program, open taps are closed.

        Args: timeout_s: longest time for all of it.
        Returns: the number of frames that were left, which are dropped.
        """
        return self._close(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
