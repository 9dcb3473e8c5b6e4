"""What makes readers, writers and listeners from endpoints, for asyncio."""

from __future__ import annotations

import asyncio
import os
from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from framestream.aio.channels import InputChannel, OutputChannel, connect
from framestream.aio.listener import Listener, listen
from framestream.aio.reader import Reader
from framestream.aio.writer import Writer
from framestream.endpoints import FileEndpoint, parse_endpoint
from framestream.files import FileInput, FileOutput, ObjectInput, ObjectOutput, open_input, open_output
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

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
    from types import TracebackType

    from framestream.endpoints import Endpoint, Path, Tls
    from framestream.files import FileMode, Readable, Writable

__all__ = ["listen_reader", "listen_writer", "open_reader", "open_writer", "read_file", "serve", "write_file"]


P = ParamSpec("P")
File = TypeVar("File", FileInput | ObjectInput, FileOutput | ObjectOutput)
Opened = TypeVar("Opened", bound=Reader | Writer | Listener[Any])


class Opening(Generic[Opened]):
    """Something that is being opened: await it, or use it in `async with`, which closes it again."""

    def __init__(self, coroutine: Coroutine[Any, Any, Opened]) -> None:
        self._coroutine = coroutine
        self._opened: Opened

    def __await__(self) -> Generator[Any, Any, Opened]:
        return self._coroutine.__await__()

    async def __aenter__(self) -> Opened:
        self._opened = await self._coroutine
        return self._opened

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._opened.__aexit__(kind, error, traceback)


def _opening(function: Callable[P, Coroutine[Any, Any, Opened]]) -> Callable[P, Opening[Opened]]:
    @wraps(function)
    def opening(*args: P.args, **kwargs: P.kwargs) -> Opening[Opened]:
        return Opening(function(*args, **kwargs))

    return opening


@_opening
async def open_reader(
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
        return await read_file(endpoint.path, content_types, limits=limits)
    protocol = reader_protocol(content_types, limits)
    return Reader(await connect(endpoint, deadlines.connect_s), protocol, deadlines, peer=str(endpoint))


@_opening
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
    """A Writer to a reader that listens, or to a file; the handshake is done.

    Args:
        content_types: those offered, the most wanted first.
        transport: whether the reader talks too; one behind a file does not.
        tls: for an endpoint that is text and begins with "tls:".
    Raises: RemoteProtocolError: the reader does not want it; OSError; TimeoutError; LocalProtocolError: no endpoint.
    """
    endpoint = parse_endpoint(endpoint, tls)
    if isinstance(endpoint, FileEndpoint):
        return await write_file(endpoint.path, content_types, limits=limits, batching=batching)
    protocol = writer_protocol(content_types, limits, transport)
    return await _opened(
        Writer(await connect(endpoint, deadlines.connect_s), protocol, deadlines, batching, peer=str(endpoint))
    )


@_opening
async def listen_reader(
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
    return await listen(
        parse_endpoint(endpoint, tls),
        lambda channel, peer: Reader(channel, reader_protocol(content_types, limits), deadlines, peer=peer),
    )


@_opening
async def listen_writer(
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
    return await listen(
        parse_endpoint(endpoint, tls),
        lambda channel, peer: Writer(
            channel, writer_protocol(content_types, limits, transport), deadlines, batching, peer=peer
        ),
    )


async def serve(
    endpoint: Path | Endpoint,
    handler: Callable[[Reader], Awaitable[object]],
    content_types: Iterable[bytes] = (),
    *,
    limits: Limits = LIMITS,
    deadlines: Deadlines = DEADLINES,
    tls: Tls | None = None,
) -> None:
    """Listen for writers, and call the handler with a Reader of each, in a task of its own, until it is cancelled.

    Args: as of listen_reader and Listener.serve.
    Raises: as listen_reader.
    """
    async with listen_reader(endpoint, content_types, limits=limits, deadlines=deadlines, tls=tls) as listener:
        await listener.serve(handler)


@_opening
async def read_file(
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
    opened = await _in_thread(lambda: open_input(file, follow=follow), lambda unused: unused.close())
    protocol = reader_protocol(
        content_types, limits, transport=Transport.UNIDIRECTIONAL, require_stop=opened.regular and not follow
    )
    return Reader(InputChannel(opened), protocol, peer=str(file), file=True)


@_opening
async def write_file(
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
        await asyncio.to_thread(check_appendable, file)
    opened = await _in_thread(lambda: open_output(file, mode), lambda unused: unused.close(keep=False))
    return await _opened(Writer(OutputChannel(opened), protocol, NO_DEADLINES, batching, peer=str(file)))


async def _opened(writer: Writer) -> Writer:
    try:
        await writer.handshake()
    except BaseException:
        await writer.abort()
        raise
    return writer


async def _in_thread(open_file: Callable[[], File], give_up: Callable[[File], object]) -> File:
    """What a thread opens, as a named pipe waits for its other end; given up, once it is open, if that is cancelled."""
    opening = asyncio.get_running_loop().run_in_executor(None, open_file)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(lambda done: done.exception() or give_up(done.result()))
        raise
