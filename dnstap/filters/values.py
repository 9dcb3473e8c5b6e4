"""Parsing of the values in a filter expression: numbers, sizes, texts, times, durations.

Text that is not such a value raises ValueError. The grammar, which knows its place in the expression, makes the error
that the user sees.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "Time",
    "enum_parser",
    "number_parser",
    "parse_any_text",
    "parse_duration",
    "parse_hex",
    "parse_size",
    "parse_text",
    "parse_time",
    "subdomain_matcher",
    "times_matcher",
    "unquoted",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)

_UNITS_NS = {"ns": 1, "us": 1000, "\N{MICRO SIGN}s": 1000, "\N{GREEK SMALL LETTER MU}s": 1000}
_UNITS_NS |= {"ms": 1_000_000, "s": 1_000_000_000}
_UNITS_NS |= {"m": 60 * _UNITS_NS["s"], "h": 3600 * _UNITS_NS["s"], "d": 86_400 * _UNITS_NS["s"]}

_escape = re.compile(r'\\(["\\])').sub
_is_integer = re.compile(r"-?[0-9]{1,10}").fullmatch
_CLOCK = r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
_match_time = re.compile(
    rf"([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})(?:[Tt ]{_CLOCK}(?:[Zz]|( ?[+-])([0-9]{{2}}):?([0-5][0-9]))?)?"
).fullmatch
_match_clock = re.compile(_CLOCK).fullmatch
_match_size = re.compile(r"([0-9]{1,10})(?:b|([kKMG])(?:iB)?)?").fullmatch
# With fewer digits than those of 1973 it is more likely a year or a date, and with more it is not in seconds.
_match_epoch = re.compile(r"([0-9]{9,11})(?:\.([0-9]{1,9}))?").fullmatch
_PART = rf"([0-9]{{1,24}})(?:\.([0-9]{{1,9}}))?({'|'.join(_UNITS_NS)})"
_is_duration = re.compile(rf"(?:{_PART})+").fullmatch
_parts = re.compile(_PART).findall


def enum_parser(names: Mapping[str, int]) -> Callable[[str], int]:
    """Return a function that parses a name of an enum in any case, or a number of 32 bits."""
    numbers = {name.upper(): number for name, number in names.items()}

    def parse(word: str) -> int:
        named = numbers.get(word.upper())
        return _integer(word, -(1 << 31), (1 << 31) - 1) if named is None else named

    return parse


def number_parser(greatest: int, names: Mapping[str, int] | None = None, prefix: str = "") -> Callable[[str], int]:
    """Return a function that parses a number from 0 on, a name in any case, or a number after a prefix (TYPE65)."""
    numbers = {name.upper(): number for name, number in (names or {}).items()}

    def parse(word: str) -> int:
        upper = word.upper()
        return numbers[upper] if upper in numbers else _integer(upper.removeprefix(prefix), 0, greatest)

    return parse


def _integer(word: str, least: int, greatest: int) -> int:
    if not _is_integer(word) or not least <= int(word) <= greatest:
        raise ValueError(word)
    return int(word)


def parse_size(word: str) -> int:
    """Return a number of bytes: 512, 512b as lines show it, 4k or 4KiB. As in options of the command, 1k is 1024."""
    found = _match_size(word)
    if found is None:
        raise ValueError(word)
    size = int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[(found[2] or "").upper()]
    if size >= 1 << 32:
        raise ValueError(word)
    return size


def parse_text(text: str) -> bytes:
    """Return the bytes of a text. An empty text is an error: it is as good as an absent one, which equals nothing."""
    return parse_any_text(text).encode("utf-8", "surrogateescape")


def parse_any_text(text: str) -> str:
    """Return a text that is not empty."""
    if not text:
        raise ValueError(text)
    return text


def parse_hex(word: str) -> bytes:
    """Return the bytes of hexadecimal digits, at least one."""
    data = bytes.fromhex(word)
    if not data:
        raise ValueError(word)
    return data


def subdomain_matcher(names: frozenset[bytes]) -> Callable[[bytes], bool]:
    """Return a function that tests whether a name is one of the names or below one, label by label."""

    def matches(name: bytes) -> bool:
        offset = 0
        while name[offset:] not in names:
            length = name[offset]
            if not length:
                return False
            offset += length + 1
        return True

    return matches


def unquoted(text: str) -> str:
    """Return what a text in quotes stands for."""
    return _escape(r"\1", text[1:-1])


class Time(NamedTuple):
    """A time as it is written.

    It is a microsecond, the precision of lines, unless it is written with more digits or relative to now.

    Attributes:
        scale: "instant" for nanoseconds since 1970 UTC, "local" for the same without a zone, "clock" for nanoseconds
            since midnight, of any day, without a zone, "now" for nanoseconds since the expression was compiled.
        first, last: its first and last nanosecond.
    """

    scale: Literal["instant", "local", "clock", "now"]
    first: int
    last: int


def parse_time(word: str) -> Time:
    """Return a time in ISO 8601 or without a date, as each of the text formats prints it, in seconds since 1970, or
    relative to now: now, -1h, +10m.
    """
    if word.lower() == "now":
        return Time("now", 0, 0)
    if word.startswith(("-", "+")) and word[1:2].isdecimal():
        relative = parse_duration(word.removeprefix("+"))
        return Time("now", relative, relative)
    scale: Literal["instant", "local", "clock"] = "instant"
    if found := _match_time(word):
        *numbers, fraction, sign, hours, minutes = found.groups("0")
        ahead = (3600 * int(hours) + 60 * int(minutes)) * (-1 if sign.endswith("-") else 1)
        if sign == "0" and word[-1] not in "Zz":
            scale = "local"
    elif found := _match_clock(word):
        # On the day of the epoch, so that the result is nanoseconds since midnight.
        *clock, fraction = found.groups("0")
        numbers, ahead, scale = ["1970", "1", "1", *clock], 0, "clock"
    elif found := _match_epoch(word):
        since, fraction = found.groups("0")
        numbers, ahead = ["1970", "1", "1", "0", "0", "0"], -int(since)
    else:
        raise ValueError(word)
    year, month, day, hour, minute, second = map(int, numbers)
    seconds: int = (datetime(year, month, day, hour, minute, second, tzinfo=UTC) - _EPOCH) // _SECOND
    first = (seconds - ahead) * 1_000_000_000 + int(fraction.ljust(9, "0"))
    return Time(scale, first, first if len(fraction) > 6 else first + 999)


def times_matcher(times: Iterable[Time]) -> Callable[[int], bool]:
    """Return a function that tests whether nanoseconds, since what the scale of all times counts from, are one of them.

    It takes one binary search, however many times there are.
    """
    firsts: list[int] = []
    lasts: list[int] = []
    for _, first, last in sorted(times):
        if lasts and first <= lasts[-1]:
            lasts[-1] = max(last, lasts[-1])
        else:
            firsts.append(first)
            lasts.append(last)

    def contains(nanoseconds: int) -> bool:
        index = bisect_right(firsts, nanoseconds) - 1
        return index >= 0 and nanoseconds <= lasts[index]

    return contains


def parse_duration(word: str) -> int:
    """Return nanoseconds, from numbers with units: 20ms, 1.5s, 1h30m."""
    magnitude = word.removeprefix("-")
    if not _is_duration(magnitude):
        raise ValueError(word)
    nanoseconds = 0
    for whole, fraction, unit in _parts(magnitude):
        part, rest = divmod(int(whole + fraction) * _UNITS_NS[unit], 10 ** len(fraction))
        # A part of a nanosecond is an error instead of being rounded: it would compare as another value.
        if rest:
            raise ValueError(word)
        nanoseconds += part
    return nanoseconds if magnitude == word else -nanoseconds
