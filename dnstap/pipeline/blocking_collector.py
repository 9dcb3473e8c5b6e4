"""The blocking collector: the one for asyncio, run by a thread of its own, with handlers called by the caller's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

from dnstap.pipeline.collector import BACKOFF, Collector
from dnstap.pipeline.loop_thread import Calls, LoopThread
from dnstap.pipeline.outputs.custom import CustomOutput
from dnstap.pipeline.queues import QUEUE_BYTES
from framestream.streams import DEADLINES, LIMITS, Backoff, Deadlines, Limits

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from dnstap.filters.selecting import Filter
    from dnstap.pairing import Pairs
    from dnstap.pipeline.counters import Counts, OutputCounts
    from dnstap.pipeline.outputs.custom import Writable
    from dnstap.pipeline.outputs.handlers import MessageHandler, PayloadHandler
    from dnstap.pipeline.queues import Overload
    from framestream.endpoints import Endpoint, Tls

__all__ = ["BlockingCollector"]


class BlockingCollector:
    """A collector for programs without asyncio: passes the payloads of all its inputs to all its outputs.

    Add inputs, then `run`, then `close`, which `with` calls. It runs once. Frames are received by a thread of its own,
    so a handler may block: what comes meanwhile waits, up to `queue_bytes`. Handlers and outputs are called by the
    thread that calls `run`, one at a time; `report` and stages by the other one.

    Args: see Collector.
    """

    def __init__(
        self,
        report: Callable[[str], object] | None = None,
        *,
        limits: Limits = LIMITS,
        deadlines: Deadlines = DEADLINES,
        backoff: Backoff = BACKOFF,
        drain_s: float = 5.0,
        drain_most_s: float = 30.0,
        overload: Overload | None = None,
        queue_bytes: int = QUEUE_BYTES,
        max_connections: int | None = None,
        max_handshakes: int | None = None,
        verbose: bool = False,
    ) -> None:
        self._collector = Collector(
            report,
            limits=limits,
            deadlines=deadlines,
            backoff=backoff,
            drain_s=drain_s,
            drain_most_s=drain_most_s,
            overload=overload,
            queue_bytes=queue_bytes,
            max_connections=max_connections,
            max_handshakes=max_handshakes,
            verbose=verbose,
        )
        self._loop = LoopThread("dnstap collector")
        self._calls: Calls | None = None
        self._closed = False

    @property
    def counts(self) -> Counts:
        """Return the counts so far. May be called from another thread."""
        return self._collector.counts

    @property
    def output_counts(self) -> Sequence[OutputCounts]:
        """Return the counts so far of each output of the run. May be called from another thread."""
        return self._collector.output_counts

    @property
    def failed_files(self) -> int:
        """Return the number of files that could not be read to their end."""
        return self._collector.failed_files

    @property
    def interrupted(self) -> bool:
        """True if regular files were not read to their end because the run was stopped."""
        return self._collector.interrupted

    @property
    def skipped(self) -> int:
        """Number of payloads left out because they do not decode: by `filter`, and by each output of the run."""
        return self._collector.skipped

    @property
    def unmatched(self) -> int:
        """Number of payloads that `filter` left out, besides those that do not decode."""
        return self._collector.unmatched

    def read(self, path: str | os.PathLike[str], *, follow: bool = False) -> None:
        """Add a file, a named pipe, or standard input as "-".

        Args, Raises: see Collector.read.
        """
        self._check_open()
        self._loop.call(self._collector.read, path, follow=follow)

    def listen(self, endpoint: str | os.PathLike[str] | Endpoint, *, tls: Tls | None = None) -> Endpoint:
        """Add a socket to listen on, and return its endpoint, with the port that was chosen if it was 0.

        Args, Raises: see Collector.listen.
        """
        self._check_open()
        return self._loop.call(self._collector.listen, endpoint, tls=tls)

    def connect(self, endpoint: str | os.PathLike[str] | Endpoint, *, tls: Tls | None = None) -> None:
        """Add a server that listens, to connect to it, and to reconnect whenever its stream ends.

        Raises: see Collector.connect.
        """
        self._check_open()
        self._collector.connect(endpoint, tls=tls)

    def stop(self, *, complete: bool = False) -> None:
        """End the run once what has been received is passed on.

        May be called by a handler, a signal handler or another thread.

        Args: see Collector.stop.
        """
        self._collector.stop(complete=complete)

    def run(
        self,
        *outputs: MessageHandler | Writable,
        payloads: PayloadHandler | None = None,
        filter: str | Filter | None = None,
        pairs: Pairs | None = None,
        stages: Sequence[Callable[[list[bytes]], list[bytes]]] = (),
    ) -> None:
        """Receive until all files have been read and there are no other inputs, or until stop().

        KeyboardInterrupt, as any exception of a signal handler, ends it at once and is raised.

        Args: see Collector.run; but handlers and the method `write_many` of outputs are plain functions.
        Raises: see Collector.run; RuntimeError: asyncio is running in this thread.
        """
        self._check_open()
        calls = Calls()
        called = [_called(output, calls) for output in outputs]
        handler = calls.made_of(payloads, "payloads") if callable(payloads) else payloads
        run = partial(self._collector.run, *called, payloads=handler, filter=filter, pairs=pairs, stages=stages)
        cancel = self._loop.begin(run, calls.end)
        self._calls = calls
        try:
            calls.run()
        except BaseException:
            cancel()
            calls.discard()
            raise
        finally:
            if self._closed:
                self._loop.close()
        calls.result()

    def close(self) -> None:
        """Close all inputs and remove the sockets.

        Called during a run, this stops it and waits for its end. Called by the thread of the run, as handlers and
        signal handlers are, it does not wait: then they are closed when the run ends.
        """
        self._closed = True
        if self._loop.begun:
            self._loop.call(self._collector.close)
            if self._calls is None or self._calls.wait():
                self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the collector is closed")


def _called(output: Any, calls: Calls) -> Any:
    """Return an output whose function is called by the thread of the run; what is none stays as it is."""
    try:
        return CustomOutput(output, calls.made_of)
    except AttributeError:
        return calls.made_of(output) if callable(output) else output
