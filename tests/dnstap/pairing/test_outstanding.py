"""Messages that wait for their counterpart."""

from __future__ import annotations

from dnstap.pairing.outstanding import SLACK, Outstanding, Waiting, lower, same_question

A = b"\1a\0\0\1\0\1"
B = b"\1b\0\0\1\0\1"


def waiting(number: int, question: bytes | None = A, time: int | None = 0, variant: int = 0) -> Waiting:
    return Waiting((1,), question, time, variant, number, since=number, size=10)


def filled(*messages: Waiting) -> Outstanding:
    outstanding = Outstanding()
    for message in messages:
        outstanding.add(message)
    return outstanding


def taken(outstanding: Outstanding, question: bytes | None = A, variant: int = 0) -> list[int]:
    """Take messages until there are none, and return their numbers."""
    numbers = []
    while found := outstanding.take((1,), question, variant, 0, 10):
        numbers.append(found.number)
    return numbers


def test_one() -> None:
    message = waiting(1)
    outstanding = filled(message)
    assert outstanding.take((2,), A, 0, 0, 10) is None
    assert outstanding.take((1,), B, 0, 0, 10) is None
    assert outstanding.take((1,), A, 0, 1, 10) is None
    assert (outstanding.count, outstanding.size) == (1, 10)
    assert outstanding.take((1,), A.upper()[:3] + A[3:], 0, 0, 10) is message
    assert (outstanding.count, outstanding.size, outstanding.by_key, message.waits) == (0, 0, {}, False)


def test_without_times() -> None:
    assert filled(waiting(1, time=None)).take((1,), A, 0, 5, 10)
    assert filled(waiting(1)).take((1,), A, 0, None, None)
    assert filled(waiting(1), waiting(2, time=None)).take((1,), A, 0, None, None)


def test_several() -> None:
    """The oldest of the same variant comes first, then the oldest."""
    messages = [waiting(1, B), waiting(2), waiting(3, None), waiting(4, variant=1), waiting(5, time=11)]
    outstanding = filled(*messages)
    assert taken(outstanding, variant=1) == [4, 2, 3]
    assert taken(outstanding) == []
    assert taken(outstanding, B) == [1]
    assert outstanding.count == 1


def test_several_for_one_without_a_question() -> None:
    outstanding = filled(waiting(1, B), waiting(2), waiting(3, None), waiting(4))
    assert taken(outstanding, None) == [1, 2, 3, 4]
    assert (outstanding.count, outstanding.by_key) == (0, {})


def test_order_of_arrival() -> None:
    messages = [waiting(1), waiting(2, B), waiting(3)]
    outstanding = filled(*messages)
    assert outstanding.oldest() is messages[0]
    outstanding.remove(messages[1])
    outstanding.remove(messages[0])
    assert outstanding.oldest() is messages[2]
    outstanding.remove(messages[2])
    assert outstanding.oldest() is None


def test_what_has_left_is_not_kept() -> None:
    """Beside one that waits long, others come and go."""
    outstanding = filled(Waiting((0,), A, 0, 0, 0, 0))
    messages = []
    for number in range(1, 3 * SLACK):
        messages.append(waiting(number))
        outstanding.add(messages[-1])
        outstanding.remove(messages[-1])
    oldest = outstanding.oldest()
    assert oldest is not None
    assert oldest.number == 0
    outstanding.remove(oldest)
    assert outstanding.oldest() is None
    assert outstanding.count == 0


def test_questions() -> None:
    """The case of names does not count; type and class are numbers, though they may look like letters."""
    assert lower(b"\1A\0\0A\0B") == b"\1a\0\0A\0B"
    assert same_question(b"\1A\0\0A\0B", b"\1a\0\0A\0B")
    assert not same_question(b"\1A\0\0A\0B", b"\1A\0\0a\0B")
    assert same_question(None, A)
    assert same_question(A, None)
    assert lower(None) is None
