"""What makes readers, writers and listeners from endpoints, blocking."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from framestream.endpoints import FileEndpoint, parse_endpoint
from framestream.files import open_input, open_output
from framestream.protocol import Transport
from framestream.streams import (
    AT_ONCE,
    DEADLINES,
    LIMITS,
    NO_DEADLINES,
    Batching,
    Deadlines,
    Limits,
    check_appendable,
    reader_protocol,
    writer_protocol,
)
from framestream.sync.channels import InputChannel, OutputChannel, connect
from framestream.sync.listener import Listener
from framestream.sync.reader import Reader
from framestream.sync.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from framestream.endpoints import Endpoint, Path, Tls
    from framestream.files import FileMode, Readable, Writable

__all__ = ["listen_reader", "listen_writer", "open_reader", "open_writer", "read_file", "serve", "write_file"]


def open_reader(
    endpoint: Path | Endpoint,
    content_types: Iterable[bytes] = (),
    *,
    limits: Limits = LIMITS,
    deadlines: Deadlines = DEADLINES,
    tls: Tls | None = None,
) -> Reader:
    """A Reader of a writer that listens, or of a file.

    Args:
        content_types: those taken, the most wanted first; none: any.
        tls: for an endpoint that is text and begins with "tls:".
    Raises: OSError; TimeoutError; LocalProtocolError: no endpoint.
    """
    endpoint = parse_endpoint(endpoint, tls)
    if isinstance(endpoint, FileEndpoint):
        return read_file(endpoint.path, content_types, limits=limits)
    protocol = reader_protocol(content_types, limits)
    return Reader(connect(endpoint, deadlines.connect_s), protocol, deadlines, peer=str(endpoint))


def open_writer(
    endpoint: Path | Endpoint,
    content_types: Iterable[bytes] = (),
    *,
    transport: Transport = Transport.BIDIRECTIONAL,
    limits: Limits = LIMITS,
    deadlines: Deadlines = DEADLINES,
    batching: Batching = AT_ONCE,
    tls: Tls | None = None,
) -> Writer:
    """A Writer to a reader that listens, or to a file; the handshake is done.

    Args:
        content_types: those offered, the most wanted first.
        transport: whether the reader talks too; one behind a file does not.
        tls: for an endpoint that is text and begins with "tls:".
    Raises: RemoteProtocolError: the reader does not want it; OSError; TimeoutError; LocalProtocolError: no endpoint.
    """
    endpoint = parse_endpoint(endpoint, tls)
    if isinstance(endpoint, FileEndpoint):
        return write_file(endpoint.path, content_types, limits=limits, batching=batching)
    protocol = writer_protocol(content_types, limits, transport)
    return _opened(Writer(connect(endpoint, deadlines.connect_s), protocol, deadlines, batching, peer=str(endpoint)))


def listen_reader(
    endpoint: Path | Endpoint,
    content_types: Iterable[bytes] = (),
    *,
    limits: Limits = LIMITS,
    deadlines: Deadlines = DEADLINES,
    tls: Tls | None = None,
) -> Listener[Reader]:
    """A Listener that gives a Reader of each writer that connects.

    Args: as of open_reader.
    Raises: OSError: EADDRINUSE if somebody listens there, EEXIST if it is no socket; LocalProtocolError: no endpoint
        to listen on.
    """
    content_types = tuple(content_types)
    reader_protocol(content_types, limits)  # Now is the time to say that they are no content types.
    return Listener(
        parse_endpoint(endpoint, tls),
        lambda channel, peer: Reader(channel, reader_protocol(content_types, limits), deadlines, peer=peer),
    )


def listen_writer(
    endpoint: Path | Endpoint,
    content_types: Iterable[bytes] = (),
    *,
    transport: Transport = Transport.BIDIRECTIONAL,
    limits: Limits = LIMITS,
    deadlines: Deadlines = DEADLINES,
    batching: Batching = AT_ONCE,
    tls: Tls | None = None,
) -> Listener[Writer]:
    """A Listener that gives a Writer to each reader that connects.

    The Writer's handshake is done by `handshake()` or its first write.

    Args: as of open_writer.
    Raises: as listen_reader.
    """
    content_types = tuple(content_types)
    writer_protocol(content_types, limits, transport).start()  # Now is the time to say that they do not fit.
    return Listener(
        parse_endpoint(endpoint, tls),
        lambda channel, peer: Writer(
            channel, writer_protocol(content_types, limits, transport), deadlines, batching, peer=peer
        ),
    )


def serve(
    endpoint: Path | Endpoint,
    handler: Callable[[Reader], object],
    content_types: Iterable[bytes] = (),
    *,
    limits: Limits = LIMITS,
    deadlines: Deadlines = DEADLINES,
    tls: Tls | None = None,
) -> None:
    """Listen for writers, and call the handler with a Reader of each, in a thread of its own, for ever.

    Args: as of listen_reader and Listener.serve.
    Raises: as listen_reader.
    """
    with listen_reader(endpoint, content_types, limits=limits, deadlines=deadlines, tls=tls) as listener:
        listener.serve(handler)


def read_file(
    file: Path | Readable,
    content_types: Iterable[bytes] = (),
    *,
    limits: Limits = LIMITS,
    follow: bool = False,
) -> Reader:
    """A Reader of a file, a pipe, standard input ("-") or a file object, also compressed by gzip, bzip2, xz or zstd.

    Streams that follow each other are read through to the end.

    Args:
        file: its path, or a binary file object, which is left open.
        content_types: those that it may hold; none: any.
        follow: whether to wait for a regular file to grow, until end_input(), or until its name has been given to
            another file.
    Raises: OSError. What is wrong in the file is raised by reading; a regular file that ends without STOP is truncated,
        unless it is followed.
    """
    opened = open_input(file, follow=follow)
    protocol = reader_protocol(
        content_types, limits, transport=Transport.UNIDIRECTIONAL, require_stop=opened.regular and not follow
    )
    return Reader(InputChannel(opened), protocol, peer=str(file), file=True)


def write_file(
    file: Path | Writable,
    content_types: Iterable[bytes] = (),
    *,
    mode: FileMode = "replace",
    limits: Limits = LIMITS,
    batching: Batching = AT_ONCE,
) -> Writer:
    """A Writer to a file, a pipe, standard output ("-") or a file object.

    If a write to a regular file fails, no part of it stays there.

    Args:
        file: its path, or a binary file object, which is left open.
        content_types: the first of them is named in START.
        mode: what becomes of a file that is there. "replace": it is overwritten from now on. "append": a further stream
            is written behind those in it, which must end by STOP. "atomic": it is replaced by close(), at once, and
            left as it is if the body of `with` or a write fails. "new": FileExistsError.
    Raises: OSError; LocalProtocolError: content types that do not fit in a frame; RemoteProtocolError: the stream to
        append to is not whole.
    """
    protocol = writer_protocol(content_types, limits, Transport.UNIDIRECTIONAL)
    if mode == "append" and isinstance(file, str | os.PathLike):
        check_appendable(file)
    return _opened(Writer(OutputChannel(open_output(file, mode)), protocol, NO_DEADLINES, batching, peer=str(file)))


def _opened(writer: Writer) -> Writer:
    try:
        writer.handshake()
    except BaseException:
        writer.abort()
        raise
    return writer
