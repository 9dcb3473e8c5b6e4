"""Readers and writers for asyncio: files, pipes, unix sockets, TCP and TLS.

| | peer listens | this side listens |
|---|---|---|
| read | `open_reader` | `listen_reader`, `serve` |
| write | `open_writer`, `ReconnectingWriter` | `listen_writer` |

Each takes an endpoint, as text or as an object (framestream.endpoints). `read_file` and `write_file` add the options
that only files have. framestream.sync has the same names, blocking.
"""

from framestream.aio.files import read_file, write_file
from framestream.aio.listener import Listener
from framestream.aio.opening import listen_reader, listen_writer, open_reader, open_writer, serve
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
