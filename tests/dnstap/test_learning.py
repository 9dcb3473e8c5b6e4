"""dnstap._learning: remembering is bounded where nothing repeats, and never stops where things do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dnstap._learning import Credit


def credit(*, limit: int = 10, rest: int = 8, max_rest: int = 32, refill: int = 4, patience: int = 1) -> Credit:
    return Credit(limit=limit, rest=rest, max_rest=max_rest, refill=refill, patience=patience)


def rests(of: Credit, messages: int) -> list[int]:
    """Return the lengths of the rests of a stream in which nothing repeats."""
    lengths: list[int] = []
    for _ in range(messages):
        before = of.resting
        if before:
            of.skip()
        else:
            of.spend()
        if of.resting > before:
            lengths.append(of.resting)
    return lengths


def test_no_rest_while_there_is_credit() -> None:
    ours = credit(limit=3)
    assert [ours.spend() for _ in range(4)] == [True, True, True, False]
    assert ours.resting == 8


def test_credit_after_a_rest_is_its_refill() -> None:
    ours = credit(limit=2)
    assert [ours.spend() for _ in range(3)] == [True, True, False]
    for left in range(8, 0, -1):
        assert ours.resting == left
        ours.skip()
    assert ours.resting == 0
    assert [ours.spend() for _ in range(3)] == [True, True, False]


def test_rests_get_longer_until_something_is_found() -> None:
    ours = credit()
    assert rests(ours, 200)[:5] == [8, 16, 32, 32, 32]
    ours.resting = 0
    ours.earn(1)
    assert rests(ours, 200)[:2] == [8, 16]


def test_patience() -> None:
    ours = credit(limit=0, patience=3)
    assert [(ours.spend(), ours.resting) for _ in range(3)] == [(False, 0), (False, 0), (False, 8)]
    ours = credit(limit=0, patience=3)
    ours.spend()
    ours.earn(0)
    assert [(ours.spend(), ours.resting) for _ in range(3)] == [(False, 0), (False, 0), (False, 8)]


def test_a_debt_is_paid_off_first() -> None:
    ours = credit(limit=2)
    assert ours.spend(5)
    ours.earn(3)
    assert not ours.spend()
    ours.earn(1)
    assert ours.spend()


def test_a_rest_that_has_ended_stays_ended() -> None:
    """Two threads may count its last message."""
    ours = credit()
    ours.skip()
    assert ours.resting == 0


def test_warm_up() -> None:
    ours = Credit(limit=1, rest=8, max_rest=8, refill=1, warm_up=2)
    ours.skip()
    assert ours.resting == 1
    ours.skip()
    assert ours.resting == 0


@given(
    st.fixed_dictionaries(
        {
            "limit": st.integers(1, 20),
            "rest": st.integers(1, 10),
            "max_rest": st.integers(10, 40),
            "refill": st.integers(1, 20),
            "patience": st.integers(1, 5),
        }
    ),
    st.lists(st.booleans(), max_size=500),
    st.integers(1, 3),
)
def test_what_is_remembered_is_paid_for(limits: dict[str, int], stream: list[bool], reward: int) -> None:
    """For any stream; True is a message that was seen before."""
    ours = credit(**limits)
    new, found, skipped = 0, 0, 0
    for known in stream:
        if ours.resting:
            ours.skip()
            skipped += 1
        elif known:
            ours.earn(reward)
            found += 1
        else:
            new += ours.spend()
        assert ours.left <= limits["limit"]
        assert 0 <= ours.resting <= limits["max_rest"]
        # A rest gives its credit when it begins.
        assert new <= limits["limit"] + found * reward + (skipped + ours.resting) // limits["refill"]
    if all(stream):
        assert skipped == 0
