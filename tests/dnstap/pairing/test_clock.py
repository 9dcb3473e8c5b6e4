"""The clock driven by messages."""

from __future__ import annotations

from dnstap.pairing.clock import AHEAD, BEHIND, MessageClock

LIMIT = 6400
START = 1_795_000_000_000_000_000


def test_goes_on_with_messages() -> None:
    clock = MessageClock(LIMIT)
    assert [clock.advance(START + time) for time in (0, 1000, 1000, 3000)] == [0, 1000, 1000, 3000]


def test_range_that_does_not_move_it() -> None:
    """Before the first message there is none."""
    clock = MessageClock(LIMIT)
    assert clock.low > clock.high
    clock.advance(START)
    assert (clock.low, clock.high) == (START - LIMIT, START + 100)
    assert [clock.advance(START + time) for time in (100, -LIMIT, 50)] == [0, 0, 0]
    assert clock.advance(START + 101) == 101


def test_goes_not_back() -> None:
    clock = MessageClock(LIMIT)
    assert [clock.advance(START + time) for time in (0, 2000, -3000, 2500)] == [0, 2000, 2000, 2500]


def test_garbled_times_cost_nothing() -> None:
    clock = MessageClock(LIMIT)
    clock.advance(START)
    for number in range(1, 50):
        clock.advance(2**64 * 10**9)
        clock.advance(0)
        assert clock.now == (number - 1) * 200
        assert clock.advance(START + number * 200) == number * 200


def test_jump() -> None:
    """After a silence it goes on, by a little more than the limit, at which the messages before came already."""
    clock = MessageClock(LIMIT)
    clock.advance(START)
    later = START + 10 * LIMIT
    for _ in range(AHEAD - 1):
        assert clock.advance(later) == LIMIT + 1
        assert clock.now == 0
    assert clock.advance(later) == LIMIT + 1
    assert clock.advance(later + 1000) == LIMIT + 1001


def test_behind() -> None:
    """It follows a sender that is behind once the one ahead has long been silent."""
    clock = MessageClock(LIMIT)
    clock.advance(START)
    earlier = START - 10 * LIMIT
    for _ in range(BEHIND):
        assert clock.advance(earlier) == 0
    assert clock.advance(earlier + 1000) == 1000
