"""Functions that read the fields of the catalogue from the typed classes, each made on first use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["of_thread"]

MAX_READERS = 64
"""Number of functions that are kept; when it is reached, all are forgotten. The accessors of Message are a dozen."""


class _Readers(dict["str | tuple[str, ...]", "Callable[[Any], Any]"]):
    """Functions by what they read, which share their caches.

    A name gives the function from a Message to the value of that field, names that from a Dnstap to a dict.
    The catalogue and what parses DNS messages are imported only here: many programs need none of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._space: dict[str, Any] = {}

    def __missing__(self, key: str | tuple[str, ...]) -> Callable[[Any], Any]:
        from dnstap.fields.generated import namespace
        from dnstap.fields.values import dict_reader, message_reader

        if not self._space:
            self._space = namespace(None)
        reader = message_reader(key, self._space) if isinstance(key, str) else dict_reader(key, self._space)
        if len(self) >= MAX_READERS:
            self.clear()
        self[key] = reader
        return reader


class _OfThread(threading.local):
    """The functions of each thread: their caches are not for several threads at once.

    Attributes:
        read: the functions.
    """

    def __init__(self) -> None:
        self.read = _Readers()


of_thread = _OfThread()
"""The functions of the thread that asks."""
