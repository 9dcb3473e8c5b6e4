"""FrameQueue: frames in order, the oldest dropped, and an account that adds up."""

from __future__ import annotations

import signal
import time
from typing import Any

from dnstap.tap.counts import TapCounts
from dnstap.tap.frame_queue import FrameQueue
from dnstap.tap.limits import DEFAULT_LIMITS, TapLimits
from tests.threads import start
from tests.wait import DEADLINE_S, wait_for


def queue_of(max_frames: int, limits: TapLimits = DEFAULT_LIMITS, **options: Any) -> FrameQueue:
    """Return a queue of numbers, each of which takes that much memory."""
    return FrameQueue(max_frames, limits, memory_of=int, **options)


def adds_up(queue: FrameQueue) -> bool:
    counts = queue.counts()
    return counts.submitted + counts.copies == counts.sent + counts.waiting + counts.dropped


def test_frames_are_taken_in_order() -> None:
    queue = queue_of(10)
    for number in range(5):
        queue.put(number)
    assert queue.waiting == 5
    assert queue.take(0) == [0, 1, 2, 3, 4]
    assert queue.waiting == 5
    queue.finish_batch([], sent=5)
    assert queue.counts() == TapCounts(submitted=5, sent=5)
    assert queue.take(0) == []
    queue.finish_batch([])


def test_a_full_queue_drops_the_oldest_frames() -> None:
    queue = queue_of(3)
    for number in range(5):
        queue.put(number)
    assert queue.counts() == TapCounts(submitted=5, waiting=3, not_connected=2)
    queue.connected = True
    for number in range(5, 9):
        queue.put(number)
    assert queue.connected
    assert queue.counts() == TapCounts(submitted=9, waiting=3, not_connected=2, queue_full=4)
    assert queue.take(0) == [6, 7, 8]
    queue.finish_batch([7, 8], sent=1)
    assert queue.take(0) == [7, 8]


def test_unsent_frames_wait_before_all_others() -> None:
    queue = queue_of(4)
    queue.connected = True
    for number in range(4):
        queue.put(number)
    assert queue.take(0) == [0, 1, 2, 3]
    for number in range(4, 7):
        queue.put(number)
    # The queue has room for one of these, the newest.
    queue.finish_batch([1, 2, 3], sent=1)
    assert adds_up(queue)
    assert queue.counts().queue_full == 2
    assert queue.take(0) == [3, 4, 5, 6]
    for number in range(7, 11):
        queue.put(number)
    queue.finish_batch([5, 6], sent=1, not_encodable=1)
    assert adds_up(queue)
    assert queue.take(0) == [7, 8, 9, 10]


def test_many_frames_are_taken_in_batches() -> None:
    queue = queue_of(10, TapLimits(batch_frames=3))
    for number in range(7):
        queue.put(number)
    taken = []
    while frames := queue.take(0):
        taken.append(frames)
        assert adds_up(queue)
        queue.finish_batch([], sent=len(frames))
    assert taken == [[0, 1, 2], [3, 4, 5], [6]]


def test_the_oldest_frames_are_dropped_for_their_memory() -> None:
    queue = queue_of(10, TapLimits(queue_bytes=100))
    queue.connected = True
    for size in (30, 10, 20, 9, 9, 9):
        queue.put_any(size)
    assert queue.counts() == TapCounts(submitted=6, waiting=6)
    # Beside the shares of the small ones and itself there is room for 30 bytes, which the large ones take.
    queue.put(1)
    assert queue.counts() == TapCounts(submitted=7, waiting=7)
    queue.put(2)
    assert queue.counts() == TapCounts(submitted=8, waiting=7, queue_full=1)
    queue.put_any(51)
    assert queue.counts() == TapCounts(submitted=9, waiting=5, queue_full=4)
    queue.put_any(101)  # It does not fit at all.
    assert queue.counts() == TapCounts(submitted=10, queue_full=10)
    assert adds_up(queue)
    for _ in range(10):
        queue.put(9)
    assert queue.waiting == 10


def test_unsent_frames_take_their_memory_again() -> None:
    queue = queue_of(10, TapLimits(queue_bytes=100))
    queue.connected = True
    queue.put_any(60)
    queue.put_any(60)
    assert queue.take(0) == [60]
    queue.put_any(50)
    queue.finish_batch([60])
    assert queue.take(0) == [50]
    queue.finish_batch([50])
    assert queue.drop_waiting(closed=False) == 1
    for _ in range(10):
        queue.put(1)
    assert queue.counts() == TapCounts(submitted=13, waiting=10, queue_full=2, not_connected=1)


def test_frames_of_any_size_that_wait_at_the_end_are_left() -> None:
    queue = queue_of(2, TapLimits(queue_bytes=20))
    queue.put_any(20)
    assert queue.take(0) == [20]
    queue.put_any(20)
    queue.shutdown()
    queue.put_any(20)
    queue.finish_batch([20])
    assert queue.counts() == TapCounts(submitted=3, waiting=2, closed=1)
    assert queue.take(0) == [20]
    queue.finish_batch([], sent=1)
    assert queue.take(0) == [20]
    assert adds_up(queue)


def test_batches_of_large_frames_have_a_limit_by_memory() -> None:
    queue = queue_of(10, TapLimits(queue_bytes=100, batch_frames=3))
    for size in (11, 39, 20, 1, 1, 1):
        queue.put_any(size)
    taken = []
    while frames := queue.take(0):
        taken.append(frames)
        queue.finish_batch([], sent=len(frames))
    assert taken == [[11, 39], [20, 1, 1], [1]]


def test_large_frames_are_sent_at_once() -> None:
    queue = queue_of(10, TapLimits(queue_bytes=100, gather_s=10 * DEADLINE_S))
    taking = start(queue.take, DEADLINE_S)
    for size in (9, 30, 51):
        wait_for(lambda size=size: queue._wake_at == (1 if size == 9 else 10), "the sender")  # type: ignore[misc]
        queue.put_any(size)
    assert taking.result(DEADLINE_S / 2) == [9, 30, 51]
    queue.finish_batch([], sent=3)
    queue.put_any(70)
    assert queue.take(0) == [70]


def test_few_frames_gather_until_there_are_enough() -> None:
    queue = queue_of(10, TapLimits(gather_s=DEADLINE_S, gather_frames=3))
    taking = start(queue.take, DEADLINE_S)
    for number in range(3):
        wait_for(lambda number=number: queue._wake_at == (3 if number else 1), "the sender")  # type: ignore[misc]
        queue.put(number)
    assert taking.result(DEADLINE_S / 2) == [0, 1, 2]


def test_few_frames_gather_for_a_moment() -> None:
    queue = queue_of(10, TapLimits(gather_s=0.01))
    queue.put(0)
    assert queue.take(DEADLINE_S) == [0]


def test_after_shutdown_waiting_frames_are_taken_and_new_ones_dropped() -> None:
    queue = queue_of(2)
    queue.put(0)
    queue.put(1)
    queue.shutdown()
    queue.shutdown()
    queue.put(2)
    assert queue.counts() == TapCounts(submitted=3, waiting=2, closed=1)
    began = time.monotonic()
    assert queue.take(DEADLINE_S) == [0, 1]
    queue.finish_batch([1], sent=1)
    assert queue.drop_waiting(closed=True) == 1
    assert queue.take(DEADLINE_S) == []
    queue.finish_batch([])
    assert time.monotonic() - began < DEADLINE_S / 2
    assert queue.counts() == TapCounts(submitted=3, sent=1, closed=2)


def test_frames_of_a_receiver_that_has_gone_count_as_not_connected() -> None:
    queue = queue_of(2)
    queue.put(0)
    assert queue.drop_waiting(closed=False) == 1
    assert queue.counts() == TapCounts(submitted=1, not_connected=1)


def test_shutdown_cuts_a_pause_short() -> None:
    queue = queue_of(2)
    began = time.monotonic()
    queue.pause(0.02)
    assert time.monotonic() - began >= 0.02
    pausing = start(queue.pause, DEADLINE_S)
    queue.shutdown()
    pausing.result(DEADLINE_S / 2)
    queue.pause(10 * DEADLINE_S)


def test_shutdown_ends_a_wait_for_frames() -> None:
    queue = queue_of(2)
    taking = start(queue.take, 10 * DEADLINE_S)
    wait_for(lambda: queue._wake_at == 1, "the sender")
    queue.shutdown()
    assert taking.result(DEADLINE_S) == []


def test_frames_of_many_threads_stay_in_order() -> None:
    queue = FrameQueue(100, memory_of=len)
    queue.connected = True
    taken: list[tuple[int, int]] = []

    def put(name: int) -> None:
        for number in range(2000):
            queue.put((name, number))

    putting = [start(put, name) for name in range(4)]
    while not all(each.done() for each in putting) or queue.waiting:
        frames = queue.take(0.01)
        taken += frames[::2]
        queue.finish_batch([], sent=len(frames[::2]), too_large=len(frames[1::2]))
    counts = queue.counts()
    assert (counts.submitted, counts.sent, counts.waiting) == (8000, len(taken), 0)
    assert adds_up(queue)
    for name in range(4):
        numbers = [number for thread, number in taken if thread == name]
        assert numbers == sorted(set(numbers))


def test_signal_handlers_may_put_frames() -> None:
    """They interrupt the thread that holds the lock, which therefore must be reentrant."""
    queue = queue_of(10)
    handled = []

    def handle(number: int, frame: object) -> None:
        queue.put(number)
        handled.append(number)

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        while len(handled) < 100:
            queue.put(0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert adds_up(queue)


class TestFirstFrame:
    def test_it_starts_the_sender_once(self) -> None:
        started: list[bool] = []
        queue = queue_of(10, on_first_frame=lambda: started.append(True))
        assert started == []
        queue.put(0)
        assert started == [True]
        queue.put(1)
        assert started == [True]
        assert queue.take(0) == [0, 1]

    def test_the_next_frame_tries_again_if_no_thread_can_be_started(self) -> None:
        attempts: list[bool] = []

        def start_thread() -> None:
            attempts.append(True)
            if len(attempts) < 3:
                raise RuntimeError("can't start new thread")

        queue = queue_of(10, on_first_frame=start_thread)
        for number in range(5):
            queue.put(number)
        assert len(attempts) == 3
        assert queue.counts() == TapCounts(submitted=5, waiting=5)

    def test_after_shutdown_it_starts_nothing(self) -> None:
        started: list[bool] = []
        queue = queue_of(10, on_first_frame=lambda: started.append(True))
        queue.shutdown()
        queue.put(0)
        assert started == []
        assert queue.counts() == TapCounts(submitted=1, closed=1)
