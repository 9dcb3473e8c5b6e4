"""dnstap.filters.values: values of filter expressions from their text, and a ValueError for any other text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dnstap.filters.values import (
    Time,
    enum_parser,
    number_parser,
    parse_any_text,
    parse_duration,
    parse_hex,
    parse_size,
    parse_text,
    parse_time,
    subdomain_matcher,
    times_matcher,
    unquoted,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = 1_000_000_000


def refuses(parse: Callable[[str], object], *words: str) -> None:
    for word in words:
        with pytest.raises(ValueError):  # noqa: PT011 (the grammar makes the error that a user sees)
            parse(word)


def test_enums() -> None:
    parse = enum_parser({"INET": 1, "DNSCryptUDP": 5})
    assert [parse(word) for word in ("INET", "inet", "dnscryptudp", "7", "-1")] == [1, 1, 5, 7, -1]
    refuses(parse, "INET7", "", "2147483648", "0x1")


def test_numbers() -> None:
    parse = number_parser(65535, {"AAAA": 28}, "TYPE")
    assert [parse(word) for word in ("28", "aaaa", "TYPE28", "type65535", "0")] == [28, 28, 28, 65535, 0]
    refuses(parse, "65536", "-1", "TYPE", "TYPE65536", "1.5", "28 ")
    assert number_parser(3)("3") == 3


def test_sizes() -> None:
    assert [parse_size(word) for word in ("0", "512", "512b", "4294967295")] == [0, 512, 512, (1 << 32) - 1]
    assert [parse_size(word) for word in ("1k", "4K", "4KiB", "1M", "1MiB", "3GiB")] == [
        1 << 10, 4 << 10, 4 << 10, 1 << 20, 1 << 20, 3 << 30
    ]  # fmt: skip
    refuses(parse_size, "", "b", "-1", "512bb", "4294967296", "4G", "1kb", "1MB", "1m", "1.5k", "1 k", "k")


def test_texts() -> None:
    assert parse_text("ns1 \N{SNOWMAN}") == "ns1 \N{SNOWMAN}".encode()
    assert parse_text("\udcff") == b"\xff"
    refuses(parse_text, "")
    assert parse_any_text("ns1") == "ns1"
    refuses(parse_any_text, "")


def test_times() -> None:
    """A time is a microsecond, unless it is written with more digits."""
    assert parse_time("1970-01-02") == Time("local", 86400 * SECOND, 86400 * SECOND + 999)
    assert parse_time("1970-01-01T00:00:01.5Z") == Time("instant", SECOND * 3 // 2, SECOND * 3 // 2 + 999)
    assert parse_time("1970-01-01 01:00:00+01:00") == Time("instant", 0, 999)
    assert parse_time("1970-01-01 01:00:00.000001 +01:00") == Time("instant", 1000, 1999)
    assert parse_time("1970-01-01t00:00-0030") == Time("instant", 1800 * SECOND, 1800 * SECOND + 999)
    assert parse_time("1970-01-01T00:00:00.000000001") == Time("local", 1, 1)
    assert parse_time("1970-01-01 00:00:00.0000001") == Time("local", 100, 100)
    assert parse_time("00:01") == Time("clock", 60 * SECOND, 60 * SECOND + 999)
    assert parse_time("23:59:59.123456") == Time("clock", 86399 * SECOND + 123456000, 86399 * SECOND + 123456999)
    refuses(parse_time, "", "1970", "1970-13-01", "1970-01-01T25:00", "1970-01-01T00:00:00.0000000001", "then")
    refuses(parse_time, "24:00", "1:00", "01:60", "01:00Z", "01:00:61", "0000-01-01", "1970-01-01+01:00")


def test_epoch_times() -> None:
    """They are as exact as they are written, and no shorter than a time that could be one."""
    assert parse_time("1764500000") == Time("instant", 1764500000 * SECOND, 1764500000 * SECOND + 999)
    assert parse_time("99999999999.25").first == 99999999999 * SECOND + SECOND // 4
    assert parse_time("100000000.000000001") == Time("instant", 100000000 * SECOND + 1, 100000000 * SECOND + 1)
    refuses(parse_time, "20261123", "2026", "1764500000123", "1764500000.", "1764500000.0000000001", ".5", "1e9", "0")


def test_times_relative_to_now() -> None:
    assert parse_time("now") == parse_time("NOW") == parse_time("-0s") == Time("now", 0, 0)
    assert parse_time("-1h") == Time("now", -3600 * SECOND, -3600 * SECOND)
    assert parse_time("-1d12h30m1.5s").first == -(131_401 * SECOND + SECOND // 2)
    assert parse_time("+10m") == Time("now", 600 * SECOND, 600 * SECOND)
    refuses(parse_time, "1h", "-1", "--1h", "+-1h", "-", "+", "-1w", "- 1h", "-h", "-1h-1m", "now-1h")


def test_times_among_many() -> None:
    words = "00:00:03", "00:00:01", "00:00:01.000000500", "00:00:01.0000009", "00:00:01.000001"
    contains = times_matcher([parse_time(word) for word in words])
    inside = SECOND, SECOND + 1999, 3 * SECOND, 3 * SECOND + 999
    outside = 0, SECOND - 1, SECOND + 2000, 3 * SECOND - 1, 3 * SECOND + 1000
    assert all(map(contains, inside))
    assert not any(map(contains, outside))
    assert not times_matcher([])(0)


def test_durations() -> None:
    assert parse_duration("20ms") == 20_000_000
    assert parse_duration("1.5s") == SECOND * 3 // 2
    assert parse_duration("-1us") == -1000
    assert parse_duration("1\N{MICRO SIGN}s") == parse_duration("1\N{GREEK SMALL LETTER MU}s") == 1000
    assert parse_duration("1.000000001s") == SECOND + 1
    # The longest that lines show: the seconds of times have 64 bits.
    assert parse_duration("18446744073709551615000.000ms") == ((1 << 64) - 1) * SECOND
    assert parse_duration("1h30m") == parse_duration("90m") == 5400 * SECOND
    assert parse_duration("-2d") == -48 * 3600 * SECOND
    refuses(parse_duration, "", "20", "1w", "1.5ns", "s", "1e3s", "1h30", "--1s", "1s-1s", "1 s", "-")


def test_texts_in_quotes() -> None:
    assert unquoted(r'"a \"b\" \\ \d"') == r'a "b" \ \d'
    assert unquoted('""') == ""


def test_subdomains() -> None:
    matches = subdomain_matcher(frozenset({b"\3org\0", b"\7example\3net\0"}))
    assert all(matches(name) for name in (b"\3org\0", b"\1a\3org\0", b"\7example\3net\0", b"\1a\1b\7example\3net\0"))
    assert not any(matches(name) for name in (b"\0", b"\3net\0", b"\4aorg\0", b"\x08xexample\3net\0"))
    assert subdomain_matcher(frozenset({b"\0"}))(b"\3org\0")


def test_hexadecimal_digits() -> None:
    assert (parse_hex("00fF"), parse_hex("00 ff")) == (b"\0\xff", b"\0\xff")
    refuses(parse_hex, "", " ", "0", "0g", "0x00")
