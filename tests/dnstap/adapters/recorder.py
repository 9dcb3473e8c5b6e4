"""Tap that keeps what it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from dnstap import Message
from tests.wait import wait_for

if TYPE_CHECKING:
    from dnstap.tap.base import BaseTap

__all__ = ["Recorder"]


class Recorder:
    """Stand-in for a tap, which keeps the messages that a tap would send.

    Attributes:
        tap: the recorder, to be given to an adapter.
        messages: messages so far.
    """

    def __init__(self) -> None:
        self.tap = cast("BaseTap", self)
        self.messages: list[Message] = []

    def __getattr__(self, name: str) -> Any:
        make = getattr(Message, name)
        return lambda *args, **kwargs: self.messages.append(make(*args, **kwargs))

    @property
    def log(self) -> list[tuple[str, bytes | None]]:
        """Types and bytes of the messages."""
        return [(message.type.name or "", message.wire) for message in self.messages if message.type is not None]

    def wait(self, count: int) -> list[Message]:
        """Wait for this number of messages, and return them."""
        wait_for(lambda: len(self.messages) >= count, f"message {count}")
        assert len(self.messages) == count
        return self.messages
