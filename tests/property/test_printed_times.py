"""Times as they are printed: in a filter each of them means what is printed in this way, and nothing else."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnstap import Dnstap, DnstapType, Message, MessageType, Style, compile_filter, renderer
from dnstap.rendering.formats import time_zone
from tests.made_messages import DATA, read_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONES = [None, "utc", "local", "Europe/Prague", "Asia/Kathmandu", "America/St_Johns"]
FORMATS = [
    ("quiet", False, (), r"^(\S+) CQ"),
    ("quiet", True, (), r"^(\S+ \S+) CQ"),
    ("quiet", False, ("qr", "query_time"), r"^Q (\S+)$"),
    ("quiet", True, ("query_time",), r"^(\S+)$"),
    ("yaml", False, (), r"query_time: !!timestamp (.*)$"),
    ("json", False, (), r'"query_time":"(.*?)"'),
    ("json-full", False, (), r'"query_time":"(.*?)"'),
    ("yaml-full", False, (), r'query_time: "(.*)"$'),
]
SECONDS = [1_792_888_200, 1_792_891_800, 1_774_746_000, 1_700_000_000, 0, 1_767_225_599]
"""With the hours that come twice in Prague (2026-10-25, 02:30), the one that does not come at all, and the new year."""

nanoseconds = st.sampled_from([0, 1, 999, 1000, 1001, 120_000_000, 123_456_000, 123_456_789, 999_999_999])
times = st.tuples(st.sampled_from(SECONDS) | st.integers(0, 4_000_000_000), nanoseconds)


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Australia/Lord_Howe")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def query(seconds: int, nanoseconds: int) -> Dnstap:
    message = Message(type=MessageType.CLIENT_QUERY, query_time_sec=seconds, query_time_nsec=nanoseconds)
    return Dnstap(type=DnstapType.MESSAGE, message=message)


@pytest.mark.parametrize(("name", "date", "fields", "pattern"), FORMATS)
@given(some=st.lists(times, min_size=1, max_size=6), zone=st.sampled_from(ZONES))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_printed_time_means_the_same(
    name: str, date: bool, fields: tuple[str, ...], pattern: str, some: list[tuple[int, int]], zone: str | None
) -> None:
    style = Style(zone, date=date, fields=fields)
    render = renderer(name, style)
    messages = [query(*one) for one in some]
    printed = []
    for message in messages:
        found = re.search(pattern, render(message), re.MULTILINE)
        assert found
        printed.append(found[1])
    for text in printed:
        wanted = compile_filter(f"query_time = {text}", time_zone(name, style))
        # A time without digits behind the microsecond may be that of a line, so it is all of the microsecond.
        short = len(text.partition(".")[2].partition("+")[0].partition("-")[0].rstrip("Z ")) <= 6
        same = [
            other == text or (short and name != "quiet" and _microsecond(other) == _microsecond(text))
            for other in printed
        ]
        assert [wanted.matches(message) for message in messages] == same


def _microsecond(text: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"(.*?\d\d:\d\d:\d\d)(?:\.(\d+))?(.*)", text)
    assert found
    return found[1], (found[2] or "").ljust(9, "0")[:6], found[3]


@pytest.mark.parametrize("zone", ["utc", "Europe/Prague"])
def test_times_of_lines_are_in_order(zone: str) -> None:
    """The lines before a printed time, and those behind it: `<` and `>=`, `<=` and `>` divide all messages."""
    messages = [Dnstap.parse(payload) for payload in read_frames(DATA / "nsd-auth.fstrm")]
    messages = [message for message in messages if message.message and message.message.query_time_sec is not None]
    render = renderer("quiet", Style(zone, date=True, fields=("query_time",)))
    lines = [render(message).strip() for message in messages]
    for text in sorted(set(lines))[::20]:
        before = compile_filter(f"query_time < {text}", zone)
        within = compile_filter(f"query_time <= {text}", zone)
        assert [before.matches(message) for message in messages] == [line < text for line in lines]
        assert [within.matches(message) for message in messages] == [line <= text for line in lines]
        for negated, operator in ((before, ">="), (within, ">")):
            rest = compile_filter(f"query_time {operator} {text}", zone)
            assert all(rest.matches(message) is not negated.matches(message) for message in messages)


def test_a_zone_that_is_unknown() -> None:
    with pytest.raises(ValueError, match="unknown time zone 'Mars'"):
        compile_filter("has time", "Mars")


def test_two_hours_of_one_name() -> None:
    """The clock shows 02:30 twice when summer time ends; either is what a filter finds."""
    messages = [query(second, 0) for second in SECONDS[:2]]
    for text, matching in (("2026-10-25 02:30", 2), ("2026-10-25T02:30+02:00", 1), ("02:30", 2), ("2026-10-25", 0)):
        wanted = compile_filter(f"time = {text}", "Europe/Prague")
        assert sum(wanted.matches(message) for message in messages) == matching
    assert [one + 3600 for one, _ in pairwise(SECONDS[:2])] == SECONDS[1:2]
