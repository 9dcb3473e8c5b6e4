"""Limits over all connections of one or more listeners: their number, and the memory that unfinished frames take."""

from __future__ import annotations

import errno
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from framestream.sockets import PeerAddress

__all__ = ["ROOM_S", "Connection", "Connections", "Member", "out_of_descriptors"]

IDLE_S = 10.0
"""Seconds without a byte after which an open stream may be ended for a new connection, if all places are taken.

Servers send within a second of a query. One without queries loses nothing, because it reconnects before its next one.
"""

UNFINISHED_BYTES = 1 << 26
"""Memory for frames that have begun and not ended, over all connections. Few good ones are unfinished at any time."""

ROOM_S = 0.5
"""Seconds between attempts to find room while no connection may be ended: the longest to notice that one is idle."""


class Connection(Protocol):
    """A connection that has a place: a reader, a writer, or anything else that can be interrupted.

    Attributes:
        origin: text that is the same for all connections of one peer; "" if it is not known.
        started: whether the handshake is complete.
        progress: number that changes whenever the peer sends something.
    """

    @property
    def origin(self) -> str: ...
    @property
    def started(self) -> bool: ...
    @property
    def progress(self) -> int: ...
    def interrupt(self, error: OSError | None = None, /) -> None: ...


class _Activity:
    """The last progress of a connection that was seen."""

    def __init__(self, progress: int, now: float) -> None:
        self.progress = progress
        self.since = now


class Connections:
    """A set of open connections with limits. Listeners that are given the same one share its limits.

    A connection that finds no room has the oldest silent one ended: first of those that have sent nothing, then of
    those that have not completed their handshake, then of streams that have been idle for `idle_s`. Of several peers,
    the one with the most of these loses one, so that nobody can push others out. A stream that is in use is never
    ended: then new connections wait.

    All attributes may be changed at any time. Any thread may use it, if its connections are blocking ones; those of
    asyncio all belong to one loop.

    Args:
        max_connections: number of connections at the same time; None for no limit.
        max_handshakes: number of those that have not completed their handshake; None for no limit.
        max_unfinished_bytes: total length of what has been received of frames that have not ended; beyond that the
            connections with the oldest such frames are ended. None for no limit.
        idle_s: seconds without a byte after which an open stream may be ended; None for never.

    Attributes: ended: number of connections that were ended because of these limits.
    """

    def __init__(
        self,
        max_connections: int | None = None,
        max_handshakes: int | None = None,
        *,
        max_unfinished_bytes: int | None = UNFINISHED_BYTES,
        idle_s: float | None = IDLE_S,
    ) -> None:
        self.max_connections = max_connections
        self.max_handshakes = max_handshakes
        self.max_unfinished_bytes = max_unfinished_bytes
        self.idle_s = idle_s
        self.ended = 0
        self._lock = threading.Lock()
        # All of these in the order in which they came.
        self._open: dict[Connection, None] = {}
        self._handshaking: dict[Connection, None] = {}
        self._leaving: set[Connection] = set()
        self._seen: dict[Connection, _Activity] = {}
        self._unfinished: dict[Connection, int] = {}
        self._unfinished_bytes = 0
        self._watchers: dict[Callable[[], object], None] = {}

    @property
    def number(self) -> int:
        """Number of open connections."""
        return len(self._open)

    def has_room(self) -> bool:
        """Return whether another connection may be added. If not, the oldest silent one has been told to end."""
        with self._lock:
            if self.max_connections is not None and len(self._open) >= self.max_connections:
                self._make_room(len(self._open), self.max_connections, "connections", or_idle=True)
                return False
            if self.max_handshakes is not None and len(self._handshaking) >= self.max_handshakes:
                self._forget_started()
                if (number := len(self._handshaking)) >= self.max_handshakes:
                    self._make_room(number, self.max_handshakes, "connections without a stream", or_idle=False)
                    return False
            return True

    def make_room(self) -> None:
        """Have the oldest silent connection end, because the system allows no more."""
        with self._lock:
            self._make_room(len(self._open), len(self._open), "connections", or_idle=True)

    def add(self, connection: Connection) -> None:
        """Add a connection. It must be removed when its descriptor is closed."""
        with self._lock:
            self._open[connection] = None
            self._handshaking[connection] = None

    def remove(self, connection: Connection) -> None:
        """Remove a connection; it need not be in the set."""
        with self._lock:
            if connection not in self._open:
                return
            del self._open[connection]
            self._handshaking.pop(connection, None)
            self._seen.pop(connection, None)
            self._leaving.discard(connection)
            self._unfinished_bytes -= self._unfinished.pop(connection, 0)
            watchers = [*self._watchers]
        for watcher in watchers:
            watcher()

    def watch(self, watcher: Callable[[], object]) -> None:
        """Call a function whenever a connection has been removed, until `unwatch`."""
        self._watchers[watcher] = None

    def unwatch(self, watcher: Callable[[], object]) -> None:
        """Undo `watch`, if it was called."""
        self._watchers.pop(watcher, None)

    def set_unfinished(self, connection: Connection, size: int, *, new: bool) -> None:
        """Record how much has been received of a frame that has not ended; 0 if there is none.

        Args: new: whether it is another frame than at the last call.
        """
        with self._lock:
            before = self._unfinished.pop(connection, 0) if new or not size else self._unfinished.get(connection, 0)
            if size:
                self._unfinished[connection] = size
            self._unfinished_bytes += size - before
            limit = self.max_unfinished_bytes
            # A single frame has a limit of its own (Limits.max_data_bytes), which may be higher.
            while limit is not None and self._unfinished_bytes > limit and len(self._unfinished) > 1:
                # Good frames are unfinished for a moment only, so the oldest is the least likely to be good.
                oldest = next(iter(self._unfinished))
                self._unfinished_bytes -= self._unfinished.pop(oldest)
                self._end(oldest, f"more than {limit} bytes of unfinished frames, of which its frame is the oldest")

    def _make_room(self, number: int, limit: int, what: str, *, or_idle: bool) -> None:
        """End the oldest silent connection, unless enough are about to leave."""
        if number - len(self._leaving) < limit:
            return
        self._forget_started()
        # A sender whose READY has been received is about to begin its stream, if it is a good one.
        silent = [connection for connection in self._handshaking if not connection.progress]
        victim = self._oldest(silent) or self._oldest(self._handshaking)
        if victim is None and or_idle:
            victim = self._oldest(self._idle())
        if victim is not None:
            self._end(victim, f"the oldest silent one makes room, because there are {number} {what}")

    def _forget_started(self) -> None:
        # Nobody tells when a handshake is complete, which would cost good connections time.
        for connection in [connection for connection in self._handshaking if connection.started]:
            del self._handshaking[connection]

    def _oldest(self, connections: Iterable[Connection]) -> Connection | None:
        """Return the first of the peer that has most of these connections; None if there are none."""
        staying = [connection for connection in connections if connection not in self._leaving]
        origins = Counter(connection.origin for connection in staying)
        most = max(origins.values(), default=0)
        return next((connection for connection in staying if origins[connection.origin] == most), None)

    def _idle(self) -> list[Connection]:
        """Return the connections that have been idle for long enough, those idle for longest first."""
        # Only looked at when there is no room: so idleness is noticed late, and reading costs nothing more.
        now = time.monotonic()
        for connection in self._open:
            seen = self._seen.get(connection)
            if seen is None or seen.progress != connection.progress:
                self._seen[connection] = _Activity(connection.progress, now)
        if self.idle_s is None:
            return []
        idle = [connection for connection, seen in self._seen.items() if now - seen.since >= self.idle_s]
        return sorted(idle, key=lambda connection: self._seen[connection].since)

    def _end(self, connection: Connection, why: str) -> None:
        self.ended += 1
        self._leaving.add(connection)
        connection.interrupt(ConnectionAbortedError(errno.ECONNABORTED, f"ended by a limit: {why}"))


class Member:
    """Common base of readers and writers: their place among the connections, and the error of an interruption.

    Attributes: address: address of the peer, if it is known.
    """

    address: PeerAddress | None = None
    _connections: Connections | None = None
    _interruption: OSError | None = None

    @property
    def origin(self) -> str:
        """Text that is the same for all connections of one peer; "" if it is not known."""
        return self.address.origin if self.address else ""

    @property
    def started(self) -> bool:
        """True once the handshake is complete: START has been received or sent."""
        raise NotImplementedError

    @property
    def progress(self) -> int:
        """Number that changes whenever the peer sends something, or takes it."""
        raise NotImplementedError

    def interrupt(self, error: OSError | None = None) -> None:
        """Break the connection."""
        raise NotImplementedError

    def join(self, connections: Connections) -> None:
        """Take a place among connections, until this one is closed."""
        self._connections = connections
        connections.add(self)

    def _leave(self) -> None:
        if self._connections is not None:
            self._connections.remove(self)


def out_of_descriptors(error: OSError) -> bool:
    """Return whether an error says that this process, or the system, has no descriptor left."""
    return error.errno in (errno.EMFILE, errno.ENFILE)
