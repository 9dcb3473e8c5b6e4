"""Functions that open readers, writers and listeners from endpoints, for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framestream.aio.awaitable import awaitable
from framestream.aio.channels import connect
from framestream.aio.files import read_file, write_file
from framestream.aio.listener import Listener, listen
from framestream.aio.reader import Reader
from framestream.aio.writer import Writer, open_with_handshake
from framestream.arguments import check_callable, check_options
from framestream.connections import Connections
from framestream.endpoints import FileEndpoint, parse_endpoint
from framestream.protocol import Transport, checked_content_types
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

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from framestream.endpoints import Endpoint, Path, Tls

__all__ = ["listen_reader", "listen_writer", "open_reader", "open_writer", "serve"]


@awaitable
async def open_reader(
    endpoint: Path | Endpoint,
    content_types: Iterable[bytes] = (),
    *,
    limits: Limits = LIMITS,
    deadlines: Deadlines = DEADLINES,
    tls: Tls | None = None,
) -> Reader:
    """Connect to a writer that listens, or open a file, to read from.

    Args:
        content_types: content types to accept, in order of preference; any if there are none.
        tls: options for an endpoint given as text that begins with "tls:".
    Raises: OSError; TimeoutError; LocalProtocolError: not a valid endpoint.
    """
    check_options("deadlines", deadlines, Deadlines, optional=True)
    endpoint = parse_endpoint(endpoint, tls)
    if isinstance(endpoint, FileEndpoint):
        return await read_file(endpoint.path, content_types, limits=limits)
    protocol = reader_protocol(content_types, limits)
    channel = await connect(endpoint, deadlines)
    reader = Reader(channel, protocol, deadlines, connection=channel, peer=str(endpoint))
    reader.address = channel.peer_address(endpoint)
    return reader


@awaitable
async def open_writer(
    endpoint: Path | Endpoint,
    content_types: Iterable[bytes] = (),
    *,
    transport: Transport = Transport.BIDIRECTIONAL,
    limits: Limits = LIMITS,
    deadlines: Deadlines = DEADLINES,
    batching: Batching = AT_ONCE,
    tls: Tls | None = None,
) -> Writer:
    """Connect to a reader that listens, or open a file, to write to, and do the handshake.

    Args:
        content_types: content types to offer, in order of preference.
        transport: whether the reader answers over the connection. A file never does.
        tls: options for an endpoint given as text that begins with "tls:".
    Raises: RemoteProtocolError: the reader refuses the stream; OSError; TimeoutError; LocalProtocolError: not a valid
        endpoint.
    """
    check_options("deadlines", deadlines, Deadlines, optional=True)
    endpoint = parse_endpoint(endpoint, tls)
    if isinstance(endpoint, FileEndpoint):
        return await write_file(endpoint.path, content_types, limits=limits, batching=batching)
    protocol = writer_protocol(content_types, limits, transport)
    channel = await connect(endpoint, deadlines)
    return await open_with_handshake(
        Writer(channel, protocol, deadlines, batching, connection=channel, peer=str(endpoint))
    )


@awaitable
async def listen_reader(
    endpoint: Path | Endpoint,
    content_types: Iterable[bytes] = (),
    *,
    limits: Limits = LIMITS,
    deadlines: Deadlines = DEADLINES,
    tls: Tls | None = None,
    connections: Connections | None = None,
) -> Listener[Reader]:
    """Listen for writers, each of which becomes a Reader.

    Args: as for open_reader.
        connections: limits, which several listeners may share; none if there is none.
    Raises: OSError: EADDRINUSE if another process listens there, EEXIST if the path is not a socket;
        LocalProtocolError: not an endpoint to listen on.
    """
    check_options("deadlines", deadlines, Deadlines, optional=True)
    content_types = checked_content_types(content_types)
    reader_protocol(content_types, limits)  # Raises for invalid content types now, not at the first connection.
    return await listen(
        parse_endpoint(endpoint, tls),
        lambda channel, peer: Reader(
            channel, reader_protocol(content_types, limits), deadlines, connection=channel, peer=peer
        ),
        deadlines,
        connections,
    )


@awaitable
async def listen_writer(
    endpoint: Path | Endpoint,
    content_types: Iterable[bytes] = (),
    *,
    transport: Transport = Transport.BIDIRECTIONAL,
    limits: Limits = LIMITS,
    deadlines: Deadlines = DEADLINES,
    batching: Batching = AT_ONCE,
    tls: Tls | None = None,
    connections: Connections | None = None,
) -> Listener[Writer]:
    """Listen for readers, each of which becomes a Writer.

    The Writer's handshake is done by `handshake()` or its first write.

    Args: as for open_writer.
        connections: limits, which several listeners may share; none if there is none.
    Raises: as listen_reader.
    """
    check_options("deadlines", deadlines, Deadlines, optional=True)
    content_types = checked_content_types(content_types)
    # Raises for content types that do not fit in a frame now, not at the first connection.
    writer_protocol(content_types, limits, transport).start()
    return await listen(
        parse_endpoint(endpoint, tls),
        lambda channel, peer: Writer(
            channel,
            writer_protocol(content_types, limits, transport),
            deadlines,
            batching,
            connection=channel,
            peer=peer,
        ),
        deadlines,
        connections,
    )


async def serve(
    endpoint: Path | Endpoint,
    handler: Callable[[Reader], Awaitable[object]],
    content_types: Iterable[bytes] = (),
    *,
    limits: Limits = LIMITS,
    deadlines: Deadlines = DEADLINES,
    tls: Tls | None = None,
    connections: Connections | None = None,
    started: Callable[[Listener[Reader]], object] | None = None,
) -> None:
    """Listen for writers, and call the handler with a Reader for each, in a task of its own, until stopped.

    Args: as for listen_reader and Listener.serve. Without `connections`, those of this call have the limits that
        Connections has by default. `started` is called with the Listener once it listens: its `endpoint` has the port,
        and its `stop` ends this, as cancelling does.
    Raises: as listen_reader.
    """
    if started is not None:
        check_callable("started", started, "a function that takes a Listener")
    if connections is None:
        connections = Connections()
    async with listen_reader(
        endpoint, content_types, limits=limits, deadlines=deadlines, tls=tls, connections=connections
    ) as listener:
        if started is not None:
            started(listener)
        await listener.serve(handler)
