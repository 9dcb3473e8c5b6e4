"""A dict of bounded size, for values that are made from bytes and can be made again."""

from typing import TypeVar

__all__ = ["BoundedCache"]

V = TypeVar("V")


class BoundedCache(dict[bytes, V]):
    """A dict that is cleared when it is full, and takes no long keys.

    A look-up is an ordinary `get`. To evict the least recently used entry instead would cost time in each look-up that
    succeeds, and most do (docs/performance.md); after a clear, the entries in use are soon back.

    Args:
        max_entries: entries before it is cleared.
        max_key_bytes: a value with a longer key is not stored.
    """

    __slots__ = ("max_entries", "max_key_bytes")

    def __init__(self, max_entries: int, max_key_bytes: int = 128) -> None:
        super().__init__()
        self.max_entries = max_entries
        self.max_key_bytes = max_key_bytes

    def store(self, key: bytes, value: V) -> V:
        """Store a value unless its key is too long, and return it."""
        if len(key) <= self.max_key_bytes:
            if len(self) >= self.max_entries:
                self.clear()
            self[key] = value
        return value
