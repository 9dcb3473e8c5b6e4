"""A dict of bounded size, for values that are made from bytes and can be made again."""

from typing import TypeVar

__all__ = ["Memo"]

V = TypeVar("V")


class Memo(dict[bytes, V]):
    """A dict that is cleared when it is full, and takes no long keys.

    To look a key up is an ordinary `get`. Evicting the least recently used entry instead would cost each look-up that
    succeeds, and nearly all do; after a clear, the entries in use are soon back.

    Args:
        max_entries: entries before it is cleared.
        max_key_bytes: a value with a longer key is not stored.
    """

    __slots__ = ("max_entries", "max_key_bytes")

    def __init__(self, max_entries: int, max_key_bytes: int = 128) -> None:
        super().__init__()
        self.max_entries = max_entries
        self.max_key_bytes = max_key_bytes

    def keep(self, key: bytes, value: V) -> V:
        """Store a value unless its key is too long, and return it."""
        if len(key) <= self.max_key_bytes:
            if len(self) >= self.max_entries:
                self.clear()
            self[key] = value
        return value
