"""The queue between a server and the thread that sends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dnstap.tap import outlet as module
from dnstap.tap.counts import TapCounts
from dnstap.tap.outlet import Outlet
from tests.threads import start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    import pytest


def adds_up(outlet: Outlet) -> bool:
    counts = outlet.counts()
    return counts.submitted + counts.copies == counts.sent + counts.waiting + counts.dropped


def test_in_order() -> None:
    outlet = Outlet(10)
    for number in range(5):
        outlet.put(number)
    assert outlet.waiting == 5
    assert outlet.take(0) == [0, 1, 2, 3, 4]
    assert outlet.waiting == 5
    outlet.settle([], sent=5)
    assert outlet.counts() == TapCounts(submitted=5, sent=5)
    assert outlet.take(0) == []
    outlet.settle([])


def test_the_oldest_give_way() -> None:
    outlet = Outlet(3)
    for number in range(5):
        outlet.put(number)
    assert outlet.counts() == TapCounts(submitted=5, waiting=3, not_connected=2)
    outlet.connected = True
    for number in range(5, 9):
        outlet.put(number)
    assert outlet.connected
    assert outlet.counts() == TapCounts(submitted=9, waiting=3, not_connected=2, queue_full=4)
    assert outlet.take(0) == [6, 7, 8]
    outlet.settle([7, 8], sent=1)
    assert outlet.take(0) == [7, 8]


def test_what_waits_again_is_before_all_others() -> None:
    outlet = Outlet(4)
    outlet.connected = True
    for number in range(4):
        outlet.put(number)
    assert outlet.take(0) == [0, 1, 2, 3]
    for number in range(4, 7):
        outlet.put(number)
    # Of these, one has place, the newest.
    outlet.settle([1, 2, 3], sent=1)
    assert adds_up(outlet)
    assert outlet.counts().queue_full == 2
    assert outlet.take(0) == [3, 4, 5, 6]
    outlet.put(7)
    outlet.put(8)
    outlet.put(9)
    outlet.put(10)
    outlet.settle([5, 6], sent=1, not_encodable=1)
    assert adds_up(outlet)
    assert outlet.take(0) == [7, 8, 9, 10]


def test_many_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BATCH", 3)
    outlet = Outlet(10)
    for number in range(7):
        outlet.put(number)
    taken = []
    while frames := outlet.take(0):
        taken.append(frames)
        assert adds_up(outlet)
        outlet.settle([], sent=len(frames))
    assert taken == [[0, 1, 2], [3, 4, 5], [6]]


def test_few_are_let_gather(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until there are enough, or the time is over."""
    monkeypatch.setattr(module, "GATHER_S", DEADLINE_S)
    monkeypatch.setattr(module, "BATCH", 3)
    outlet = Outlet(10)
    taking = start(outlet.take, DEADLINE_S)
    for number in range(3):
        wait_for(lambda number=number: outlet._wanted == (3 if number else 1), "the sender")  # type: ignore[misc]
        outlet.put(number)
    assert taking.result(DEADLINE_S) == [0, 1, 2]
    monkeypatch.setattr(module, "GATHER_S", 0.01)
    outlet.settle([], sent=3)
    outlet.put(3)
    assert outlet.take(DEADLINE_S) == [3]


def test_the_end() -> None:
    outlet = Outlet(2)
    outlet.put(0)
    outlet.put(1)
    outlet.end()
    outlet.end()
    outlet.put(2)
    assert outlet.counts() == TapCounts(submitted=3, waiting=2, closed=1)
    began = time.monotonic()
    assert outlet.take(DEADLINE_S) == [0, 1]
    outlet.settle([1], sent=1)
    assert outlet.give_up(closed=True) == 1
    assert outlet.take(DEADLINE_S) == []
    outlet.settle([])
    assert time.monotonic() - began < DEADLINE_S / 2
    assert outlet.counts() == TapCounts(submitted=3, sent=1, closed=2)


def test_given_up_because_the_receiver_has_gone() -> None:
    outlet = Outlet(2)
    outlet.put(0)
    assert outlet.give_up(closed=False) == 1
    assert outlet.counts() == TapCounts(submitted=1, not_connected=1)


def test_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends early, when it ends; and then is short."""
    outlet = Outlet(2)
    outlet.pause(0.001)
    pausing = start(outlet.pause, DEADLINE_S)
    outlet.end()
    pausing.result(DEADLINE_S / 2)
    began = time.monotonic()
    outlet.pause(DEADLINE_S)
    assert module.GATHER_S * 0.9 <= time.monotonic() - began < DEADLINE_S / 2


def test_many_threads() -> None:
    """Nothing is lost between them, and each one's frames stay in order."""
    outlet = Outlet(100)
    outlet.connected = True
    taken: list[tuple[int, int]] = []

    def put(name: int) -> None:
        for number in range(2000):
            outlet.put((name, number))

    putting = [start(put, name) for name in range(4)]
    while not all(each.done() for each in putting) or outlet.waiting:
        frames = outlet.take(0.01)
        taken += frames[::2]
        outlet.settle([], sent=len(frames[::2]), too_large=len(frames[1::2]))
    counts = outlet.counts()
    assert (counts.submitted, counts.sent, counts.waiting) == (8000, len(taken), 0)
    assert adds_up(outlet)
    for name in range(4):
        numbers = [number for thread, number in taken if thread == name]
        assert numbers == sorted(set(numbers))
