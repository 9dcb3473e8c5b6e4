"""Blocking readers and writers, for files, pipes, unix sockets, TCP and TLS.

| | the other side listens | we listen |
|---|---|---|
| we read | `open_reader` | `listen_reader`, `serve` |
| we write | `open_writer`, `ReconnectingWriter` | `listen_writer` |

Each takes an endpoint, as text or as an object (framestream.endpoints). `read_file` and `write_file` have what only
files need. framestream.aio has the same names for asyncio.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framestream.sync.listener import Listener
    from framestream.sync.opening import listen_reader, listen_writer, open_reader, open_writer, serve
    from framestream.sync.reader import Reader
    from framestream.sync.reconnecting import ReconnectingWriter
    from framestream.sync.recordings import read_file, write_file
    from framestream.sync.writer import Writer

__all__ = [
    "Listener",
    "Reader",
    "ReconnectingWriter",
    "Writer",
    "listen_reader",
    "listen_writer",
    "open_reader",
    "open_writer",
    "read_file",
    "serve",
    "write_file",
]

_HOMES = {
    "recordings": "read_file write_file",
    "listener": "Listener",
    "reader": "Reader",
    "writer": "Writer",
    "reconnecting": "ReconnectingWriter",
    "opening": "listen_reader listen_writer open_reader open_writer serve",
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names.split():
            value = globals()[name] = getattr(import_module(f"framestream.sync.{module}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
