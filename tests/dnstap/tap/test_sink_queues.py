"""SinkQueues: every sink gets every frame, and counts once its stream has begun."""

from __future__ import annotations

import pytest

from dnstap.tap.counts import TapCounts
from dnstap.tap.limits import TapLimits
from dnstap.tap.sink_queues import SinkQueues


def test_without_sinks_frames_are_dropped() -> None:
    queues = SinkQueues(10)
    queues.put(b"0")
    assert not queues.connected
    assert queues.counts() == TapCounts(submitted=1, not_connected=1)
    queues.shutdown()
    queues.put(b"1")
    assert queues.counts() == TapCounts(submitted=2, not_connected=1, closed=1)


def test_each_sink_gets_every_frame_since_it_connected() -> None:
    queues = SinkQueues(10)
    first = queues.add()
    queues.begin(first)
    queues.put(b"0")
    second = queues.add()
    queues.begin(second)
    queues.put(b"1")
    assert queues.connected
    assert queues.connections == 2
    assert (first.take(0), second.take(0)) == ([b"0", b"1"], [b"1"])
    first.finish_batch([], sent=2)
    assert queues.counts() == TapCounts(submitted=2, copies=1, sent=2, waiting=1)


def test_a_sink_counts_once_its_stream_has_begun() -> None:
    queues = SinkQueues(10)
    silent = queues.add()
    queues.put(b"0")
    assert not queues.connected
    assert queues.counts() == TapCounts(submitted=1, not_connected=1)
    queues.remove(silent)
    assert queues.counts() == TapCounts(submitted=1, not_connected=1)


def test_frames_that_wait_for_a_sink_that_has_gone_are_dropped() -> None:
    queues = SinkQueues(10)
    queue = queues.add()
    queues.begin(queue)
    queues.put(b"0")
    queues.put(b"1")
    queue.take(0)
    queue.finish_batch([b"1"], sent=1)
    queues.remove(queue)
    assert not queues.connected
    assert queues.counts() == TapCounts(submitted=2, sent=1, not_connected=1)


def test_shutdown_reaches_all_sinks_and_later_ones() -> None:
    queues = SinkQueues(10)
    queue = queues.add()
    queues.begin(queue)
    queues.put(b"0")
    queues.shutdown()
    queues.put(b"1")
    assert queue.is_shutdown
    assert queue.take(0) == [b"0"]
    queue.finish_batch([], sent=1)
    assert queues.add().is_shutdown
    queues.remove(queue)
    assert queues.counts() == TapCounts(submitted=2, sent=1, closed=1)


def test_frames_of_any_size() -> None:
    queues = SinkQueues(10, TapLimits(queue_bytes=1000))
    first, second = queues.add(), queues.add()
    queues.begin(first)
    queues.begin(second)
    for size in (400, 500, 600):
        queues.put_any(bytes(size))
    assert (len(first.take(0)), len(second.take(0))) == (1, 1)
    with pytest.raises(TypeError):
        queues.put_any(5)  # It is put into none of the queues, and not counted.
    assert queues.counts() == TapCounts(submitted=3, copies=3, waiting=2, queue_full=4)
