"""Blocking readers and writers for files, pipes, unix sockets, TCP and TLS.

| | peer listens | this side listens |
|---|---|---|
| read | `open_reader` | `listen_reader`, `serve` |
| write | `open_writer`, `ReconnectingWriter` | `listen_writer` |

Each takes an endpoint, as text or as an object (framestream.endpoints). `read_file` and `write_file` add the options
that only files have. framestream.aio has the same names for asyncio.
"""

from typing import TYPE_CHECKING

from framestream._lazy import lazy_import

if TYPE_CHECKING:
    from framestream.sync.files import read_file as read_file
    from framestream.sync.files import write_file as write_file
    from framestream.sync.listener import Listener as Listener
    from framestream.sync.opening import listen_reader as listen_reader
    from framestream.sync.opening import listen_writer as listen_writer
    from framestream.sync.opening import open_reader as open_reader
    from framestream.sync.opening import open_writer as open_writer
    from framestream.sync.opening import serve as serve
    from framestream.sync.reader import Reader as Reader
    from framestream.sync.reconnecting import ReconnectingWriter as ReconnectingWriter
    from framestream.sync.writer import Writer as Writer

lazy_import(
    globals(),
    {
        "framestream.sync.listener": ("Listener",),
        "framestream.sync.opening": ("listen_reader", "listen_writer", "open_reader", "open_writer", "serve"),
        "framestream.sync.reader": ("Reader",),
        "framestream.sync.reconnecting": ("ReconnectingWriter",),
        "framestream.sync.files": ("read_file", "write_file"),
        "framestream.sync.writer": ("Writer",),
    },
)
