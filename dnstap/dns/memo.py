"""A memo of bounded size, by octets."""

from typing import TypeVar

__all__ = ["Memo"]

V = TypeVar("V")


class Memo(dict[bytes, V]):
    """A dict that forgets everything when it is full: a miss then costs no more than it did without a memo.

    Args:
        room: the most entries.
        longest: the most octets of a key; what has a longer one is not kept.
    """

    __slots__ = ("longest", "room")

    def __init__(self, room: int, longest: int = 128) -> None:
        super().__init__()
        self.room = room
        self.longest = longest

    def keep(self, key: bytes, value: V) -> V:
        """Store a value, unless its key is too long, and return it."""
        if len(key) <= self.longest:
            if len(self) >= self.room:
                self.clear()
            self[key] = value
        return value
