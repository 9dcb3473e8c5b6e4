"""Problems: a count, the first error, and one report for those that are new."""

from __future__ import annotations

from dnstap import DecodeError
from dnstap.problems import Problems


def test_the_first_is_kept_and_all_are_counted() -> None:
    problems = Problems("left out")
    assert (problems.count, problems.first, list(problems.new_reports(1))) == (0, None, [])
    problems.add(2, DecodeError("cut off", 1, "Dnstap"))
    problems.add(5, DecodeError("too long", 7, "Dnstap"), 3)
    assert problems.count == 4
    assert problems.first
    assert (problems.first[0], str(problems.first[1])) == (2, "Dnstap: cut off, at byte 1")


def test_each_is_reported_once() -> None:
    problems = Problems("left out")
    problems.add(2, DecodeError("cut off", 1, "Dnstap"))
    assert list(problems.new_reports(3)) == [
        "1 of 3 payloads left out; the first was payload 2: Dnstap: cut off, at byte 1"
    ]
    assert list(problems.new_reports(4)) == []
    problems.add(5, DecodeError("too long", 7, "Dnstap"))
    assert list(problems.new_reports(5)) == [
        "2 of 5 payloads left out; the first was payload 2: Dnstap: cut off, at byte 1"
    ]


def test_counted_without_an_error() -> None:
    problems = Problems()
    problems.count += 3
    assert (problems.new(), problems.new()) == (3, 0)
    assert list(problems.new_reports(3)) == []
