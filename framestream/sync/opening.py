"""What makes readers, writers and listeners from endpoints, blocking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framestream.endpoints import FileEndpoint, parse_endpoint
from framestream.protocol import Transport
from framestream.streams import (
    AT_ONCE,
    DEADLINES,
    LIMITS,
    Batching,
    Deadlines,
    Limits,
    reader_protocol,
    writer_protocol,
)
from framestream.sync.channels import connect
from framestream.sync.listener import Listener
from framestream.sync.reader import Reader
from framestream.sync.recordings import opened, read_file, write_file
from framestream.sync.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from framestream.endpoints import Endpoint, Path, Tls

__all__ = ["listen_reader", "listen_writer", "open_reader", "open_writer", "serve"]


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
    return opened(Writer(connect(endpoint, deadlines.connect_s), protocol, deadlines, batching, peer=str(endpoint)))


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
