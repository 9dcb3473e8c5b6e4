"""Tap for asyncio servers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from dnstap.tap.base import CLOSE_S, BaseTap

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["AsyncTap"]


class AsyncTap(BaseTap):
    """Tap whose `close` is a coroutine.

    Frames are sent by a thread here too: a loop that is busy answering does not delay them, and sending them does not
    delay its answers.
    """

    async def close(self, timeout_s: float = CLOSE_S) -> int:
        """Send the waiting frames, then STOP, and wait for FINISH; a cancelled call goes on in the background.

        Args: timeout_s: longest time for all of it.
        Returns: the number of frames that were left, which are dropped.
        """
        # In another thread, because it joins the one that sends. Shielded, because that thread cannot be cancelled.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, self._close, timeout_s))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
