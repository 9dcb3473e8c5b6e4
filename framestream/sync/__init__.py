"""Blocking readers and writers, for files, pipes, unix sockets, TCP and TLS.

| | the other side listens | we listen |
|---|---|---|
| we read | `open_reader` | `listen_reader`, `serve` |
| we write | `open_writer`, `ReconnectingWriter` | `listen_writer` |

Each takes an endpoint, as text or as an object (framestream.endpoints). `read_file` and `write_file` have what only
files need. framestream.aio has the same names for asyncio.
"""

from framestream.sync.listener import Listener
from framestream.sync.opening import (
    listen_reader,
    listen_writer,
    open_reader,
    open_writer,
    read_file,
    serve,
    write_file,
)
from framestream.sync.reader import Reader
from framestream.sync.reconnecting import ReconnectingWriter
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
