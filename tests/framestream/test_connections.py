"""Limits over all connections: who is ended, and when."""

from __future__ import annotations

import errno

import pytest

from framestream.connections import Connections, Member, out_of_descriptors


class Peer:
    """A connection that does nothing, and is told to end."""

    def __init__(self, origin: str = "a", *, started: bool = False) -> None:
        self.origin = origin
        self.started = started
        self.progress = 0
        self.error: OSError | None = None

    def interrupt(self, error: OSError | None = None) -> None:
        self.error = error


def filled(connections: Connections, *peers: Peer) -> None:
    for peer in peers:
        connections.add(peer)


def told(*peers: Peer) -> list[bool]:
    """Return which of them were told to end."""
    return [peer.error is not None for peer in peers]


def test_without_limits() -> None:
    connections = Connections()
    filled(connections, *[Peer() for _ in range(1000)])
    assert connections.has_room()
    assert (connections.number, connections.ended) == (1000, 0)


class TestRoom:
    def test_the_oldest_silent_one_makes_it(self) -> None:
        connections = Connections(3)
        peers = [Peer(started=True), Peer(), Peer()]
        filled(connections, *peers)
        assert not connections.has_room()
        assert told(*peers) == [False, True, False]
        assert connections.ended == 1
        assert str(peers[1].error) == (
            f"[Errno {errno.ECONNABORTED}] ended by a limit: the oldest silent one makes room,"
            " because there are 3 connections"
        )
        # Until it is gone there is no room, and nobody else is ended.
        assert not connections.has_room()
        assert connections.ended == 1
        connections.remove(peers[1])
        assert connections.has_room()

    def test_of_those_without_a_stream(self) -> None:
        """Streams that have begun do not count."""
        connections = Connections(100, 2)
        peers = [Peer(), Peer(), Peer()]
        connections.add(peers[0])
        peers[0].started = True
        filled(connections, *peers[1:])
        assert not connections.has_room()
        assert told(*peers) == [False, True, False]
        peers[2].started = True
        assert connections.has_room()

    def test_those_that_have_sent_nothing_make_it_first(self) -> None:
        connections = Connections(100, 3)
        peers = [Peer(), Peer(), Peer()]
        peers[0].progress = peers[2].progress = 42
        filled(connections, *peers)
        assert not connections.has_room()
        assert told(*peers) == [False, True, False]
        connections.remove(peers[1])
        last = Peer()
        last.progress = 42
        connections.add(last)
        assert not connections.has_room()
        assert told(*peers, last) == [True, True, False, False]

    def test_the_peer_with_most_loses_one(self) -> None:
        """One that only connects pushes no other out."""
        connections = Connections(4)
        peers = [Peer("good"), Peer("bad"), Peer("other"), Peer("bad")]
        filled(connections, *peers)
        assert not connections.has_room()
        assert told(*peers) == [False, True, False, False]

    def test_streams_in_use_are_not_ended(self) -> None:
        """Those that are idle are, the one idle for longest first."""
        connections = Connections(2, idle_s=0.0)
        peers = [Peer(started=True), Peer(started=True)]
        filled(connections, *peers)
        connections.idle_s = 60.0
        assert not connections.has_room()
        assert told(*peers) == [False, False]
        peers[0].progress += 1
        assert not connections.has_room()  # Notices that.
        connections.idle_s = 0.0
        assert not connections.has_room()
        assert told(*peers) == [False, True]

    def test_idle_streams_may_stay(self) -> None:
        connections = Connections(1, idle_s=None)
        peer = Peer(started=True)
        connections.add(peer)
        assert not connections.has_room()
        assert not connections.has_room()
        assert told(peer) == [False]

    def test_without_descriptors(self) -> None:
        connections = Connections()
        peers = [Peer(), Peer()]
        filled(connections, *peers)
        connections.make_room()
        connections.make_room()
        assert told(*peers) == [True, False]

    def test_watchers(self) -> None:
        """They are told of places that become free."""
        connections = Connections(1)
        free: list[bool] = []

        def watcher() -> None:
            free.append(connections.has_room())

        connections.watch(watcher)
        peer = Peer()
        connections.add(peer)
        connections.remove(peer)
        connections.remove(peer)
        assert free == [True]
        connections.unwatch(watcher)
        connections.add(peer)
        connections.remove(peer)
        assert free == [True]


class TestUnfinishedFrames:
    def test_the_oldest_is_ended(self) -> None:
        connections = Connections(max_unfinished_bytes=100)
        peers = [Peer(), Peer(), Peer()]
        filled(connections, *peers)
        connections.set_unfinished(peers[0], 40, new=True)
        connections.set_unfinished(peers[1], 40, new=True)
        connections.set_unfinished(peers[0], 60, new=False)  # Still the same frame, the oldest.
        assert told(*peers) == [False, False, False]
        connections.set_unfinished(peers[2], 1, new=True)
        assert told(*peers) == [True, False, False]
        assert "more than 100 bytes of unfinished frames" in str(peers[0].error)

    def test_frames_that_have_ended_do_not_count(self) -> None:
        connections = Connections(max_unfinished_bytes=100)
        peers = [Peer(), Peer()]
        filled(connections, *peers)
        for _ in range(5):
            connections.set_unfinished(peers[0], 90, new=True)  # Another frame, after the last one has ended.
        connections.set_unfinished(peers[0], 0, new=True)
        connections.set_unfinished(peers[1], 90, new=True)
        connections.remove(peers[1])
        connections.set_unfinished(peers[0], 90, new=True)
        assert told(*peers) == [False, False]

    def test_a_single_one_has_a_limit_of_its_own(self) -> None:
        connections = Connections(max_unfinished_bytes=100)
        peer = Peer()
        connections.add(peer)
        connections.set_unfinished(peer, 1000, new=True)
        assert told(peer) == [False]

    def test_no_limit(self) -> None:
        connections = Connections(max_unfinished_bytes=None)
        peers = [Peer(), Peer()]
        filled(connections, *peers)
        for peer in peers:
            connections.set_unfinished(peer, 1 << 40, new=True)
        assert told(*peers) == [False, False]


class Bare(Member):
    """A reader or writer that only takes a place."""

    def leave(self) -> None:
        self._leave()


def test_members_have_a_place_until_they_leave() -> None:
    connections = Connections()
    member = Bare()
    member.leave()  # It has none.
    member.join(connections)
    assert connections.number == 1
    member.leave()
    assert connections.number == 0


def test_members_say_what_they_are() -> None:
    member = Member()
    assert member.origin == ""
    for name in ("started", "progress"):
        with pytest.raises(NotImplementedError):
            getattr(member, name)
    with pytest.raises(NotImplementedError):
        member.interrupt()


def test_out_of_descriptors() -> None:
    assert [out_of_descriptors(OSError(number, "")) for number in (errno.EMFILE, errno.ENFILE, errno.EIO)] == [
        True,
        True,
        False,
    ]
