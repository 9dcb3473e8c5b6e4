"""Readers and writers for asyncio: for files, pipes, unix sockets, TCP and TLS.

| | the other side listens | we listen |
|---|---|---|
| we read | `open_reader` | `listen_reader`, `serve` |
| we write | `open_writer`, `ReconnectingWriter` | `listen_writer` |

Each takes an endpoint, as text or as an object (framestream.endpoints). `read_file` and `write_file` have what only
files need. framestream.sync has the same names, which block.
"""

from framestream.aio.listener import Listener
from framestream.aio.opening import (
    listen_reader,
    listen_writer,
    open_reader,
    open_writer,
    read_file,
    serve,
    write_file,
)
from framestream.aio.reader import Reader
from framestream.aio.reconnecting import ReconnectingWriter
from framestream.aio.writer import Writer

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
