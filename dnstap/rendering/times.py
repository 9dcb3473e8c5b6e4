"""Text of times in any time zone, for all seconds that a uint64 can hold."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dnstap.dns.escapes import time_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["clock_formatter", "local_time_formatter", "nanosecond_formatter", "timestamp_formatter", "utc_offsets"]

MAX_SECONDS = 4096
"""Number of seconds whose text is remembered: the messages of one second come together, and out of order by at most
the time that a server takes to resolve."""

_FIRST_YEARS_S = -62_000_000_000
"""A second of the year 5; datetime starts with year 1, and a time zone's offset must not lead out of it."""
_LAST_DAYS_S = 253_402_300_800 - 2 * 86_400
"""Two days before the end of datetime, which a time zone's offset must not lead out of. Past it, Python's localtime
fails or differs from Go in daylight saving time."""
_CALENDAR_CYCLE_S = 146_097 * 86_400
"""400 years: a whole number of weeks, so that daylight saving time repeats too."""
_GO_YEAR_ONE_S = 9_223_372_028_715_321_600
"""Seconds from the year in which Go's absolute time starts to 1970. Go takes the time of day from the sum, modulo 2^64,
so that it jumps where the sum overflows (time/time.go, absolute time)."""


def utc_offsets(time_zone: str) -> Callable[[int], int]:
    """Return the function from seconds since 1970 to the offset of local time from UTC, in seconds.

    Args: time_zone: "utc", "local", or a name of the time zone database.
    Raises: ValueError: unknown time zone.
    """
    if time_zone == "utc":
        return lambda _: 0
    if time_zone == "local":
        return lambda seconds: time.localtime(_supported_second(seconds)).tm_gmtoff
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"unknown time zone {time_zone!r}: expected utc, local or a name of the time zone database"
        ) from None

    def offset(seconds: int) -> int:
        from_utc = datetime.fromtimestamp(_supported_second(seconds), zone).utcoffset()
        return 0 if from_utc is None else from_utc // timedelta(seconds=1)

    return offset


def _supported_second(seconds: int) -> int:
    """Return a second that datetime supports, with the same day of the year, weekday and time of day."""
    if _FIRST_YEARS_S < seconds < _LAST_DAYS_S:
        return seconds
    # A year from 9570 to 9969, or from 370 to 769: late or early enough to have the last or the first rule of a time
    # zone, as the year itself has.
    return seconds % _CALENDAR_CYCLE_S + (19 if seconds > 0 else -4) * _CALENDAR_CYCLE_S


def _signed(seconds: int) -> int:
    """Return the int64 that Go makes of a uint64."""
    return (seconds + (1 << 63)) % (1 << 64) - (1 << 63)


def clock_formatter(time_zone: str, *, date: bool) -> Callable[[int], str]:
    """Return the function from seconds since 1970 to `12:34:56`, or to `2026-11-24 12:34:56` with `date`.

    Raises: ValueError: unknown time zone.
    """
    offset = utc_offsets(time_zone)

    def clock(seconds: int) -> str:
        signed = _signed(seconds)
        local = signed + offset(signed)
        second_of_day = (local + _GO_YEAR_ONE_S) % (1 << 64)
        text = f"{second_of_day // 3600 % 24:02d}:{second_of_day // 60 % 60:02d}:{second_of_day % 60:02d}"
        return time_text(local, "%04d-%02d-%02d %02d:%02d:%02d")[:-8] + text if date else text

    return clock


def local_time_formatter(
    form: str, time_zone: str | None, utc: str, separator: str
) -> Callable[[int], tuple[str, str]]:
    """Return the function from seconds since 1970 to the time and its zone, between which a fraction may be put.

    Args:
        form: for the % operator, see time_text.
        time_zone: see utc_offsets; None for UTC.
        utc: text of the zone UTC.
        separator: text before the offset of another zone, such as `+01:00`.
    Raises: ValueError: unknown time zone.
    """
    offset = utc_offsets("utc" if time_zone is None else time_zone)

    def local_time(seconds: int) -> tuple[str, str]:
        # RFC 3339 has no seconds in an offset; before 1900 many zones had them.
        from_utc = offset(seconds) // 60 * 60
        zone = utc
        if time_zone not in (None, "utc"):
            minutes = abs(from_utc) // 60
            zone = f"{separator}{'-' if from_utc < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
        return time_text(seconds + from_utc, form), zone

    return local_time


def timestamp_formatter(
    local_time: Callable[[int], tuple[str, str]], max_seconds: int = MAX_SECONDS
) -> Callable[[int, int], str]:
    """Return the function from seconds since 1970 and nanoseconds to the time, without trailing zeros.

    Seconds are read as signed, as Go does; a second of nanoseconds or more carries.

    Args:
        local_time: see local_time_formatter.
        max_seconds: number of seconds whose text is remembered.
    """
    known: dict[int, tuple[str, str]] = {}

    def timestamp(seconds: int, nanoseconds: int) -> str:
        # time.Unix of Go takes an int64, and carries nanoseconds over. Few messages need either.
        if nanoseconds > 999_999_999 or seconds >> 63:
            carry, nanoseconds = divmod(nanoseconds, 1_000_000_000)
            seconds = _signed(seconds) + carry
        texts = known.get(seconds)
        if texts is None:
            if len(known) >= max_seconds:
                known.clear()
            texts = known[seconds] = local_time(seconds)
        text, zone = texts
        if nanoseconds:
            return text + (".%09d" % nanoseconds).rstrip("0") + zone  # noqa: UP031 (twice as fast as an f-string)
        return text + zone

    return timestamp


def nanosecond_formatter(local_time: Callable[[int], tuple[str, str]]) -> Callable[[int], str]:
    """Return the function from nanoseconds since 1970 to the time, with nine digits of the second.

    Seconds are read as signed, as by `timestamp_formatter`. All texts have one length, as columns of tables should.

    Args: local_time: see local_time_formatter.
    """
    known: dict[int, tuple[str, str]] = {}

    def timestamp(time_ns: int) -> str:
        seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
        texts = known.get(seconds)
        if texts is None:
            if len(known) >= MAX_SECONDS:
                known.clear()
            texts = known[seconds] = local_time(_signed(seconds))
        text, zone = texts
        return "%s.%09d%s" % (text, nanoseconds, zone)  # noqa: UP031 (faster than an f-string)

    return timestamp
