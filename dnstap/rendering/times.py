"""Times as text, in any time zone, for any number of seconds that a message can hold."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dnstap.dns.escapes import time_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["clock_texts", "local_texts", "offset_of", "timestamp_formatter"]

MAX_SECONDS = 4096
"""Number of seconds whose text is remembered: the messages of one second come together, and out of order by at most
the time that a server takes to resolve."""

_FIRST_S = -62_000_000_000
"""In the year 5."""
# To the year 10000. Farther away, Python's localtime fails, or differs from Go in daylight saving time.
_USUAL_S = 253_402_300_800
_CALENDAR_CYCLE_S = 146_097 * 86_400
"""400 years: whole weeks, so daylight saving time repeats too."""
_GO_YEAR_ONE_S = 9_223_372_028_715_321_600
"""Seconds from Go's absolute year one to 1970; Go counts from there, modulo 2^64."""


def offset_of(time_zone: str) -> Callable[[int], int]:
    """The function from seconds since 1970 to what local time is ahead of UTC, in seconds.

    Args: time_zone: "utc", "local", or a name of the time zone database.
    Raises: ValueError: there is no such time zone.
    """
    if time_zone == "utc":
        return lambda _: 0
    if time_zone == "local":
        return lambda seconds: time.localtime(_alike(seconds)).tm_gmtoff
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"time zone {time_zone!r}: utc, local or a name of the time zone database expected") from None

    def offset(seconds: int) -> int:
        ahead = datetime.fromtimestamp(_alike(seconds), zone).utcoffset()
        return 0 if ahead is None else ahead // timedelta(seconds=1)

    return offset


def _alike(seconds: int) -> int:
    """A second of the usual years with the same place in the calendar."""
    if _FIRST_S < seconds < _USUAL_S:
        return seconds
    return seconds % _CALENDAR_CYCLE_S + (19 if seconds > 0 else -4) * _CALENDAR_CYCLE_S


def _signed(seconds: int) -> int:
    """As Go reads a uint64."""
    return (seconds + (1 << 63)) % (1 << 64) - (1 << 63)


def clock_texts(time_zone: str, *, date: bool) -> Callable[[int], str]:
    """The function from seconds since 1970 to `12:34:56`, with the date before it if that is wanted.

    Raises: ValueError: there is no such time zone.
    """
    offset = offset_of(time_zone)

    def clock(seconds: int) -> str:
        signed = _signed(seconds)
        local = signed + offset(signed)
        of_day = (local + _GO_YEAR_ONE_S) % (1 << 64)
        text = f"{of_day // 3600 % 24:02d}:{of_day // 60 % 60:02d}:{of_day % 60:02d}"
        return time_text(local, "%04d-%02d-%02d %02d:%02d:%02d")[:-8] + text if date else text

    return clock


def local_texts(form: str, time_zone: str | None, utc: str, separator: str) -> Callable[[int], tuple[str, str]]:
    """The function from seconds since 1970, negative ones too, to the time and to what stands behind its fraction.

    Args: form: see time_text; utc: what stands behind times in UTC; separator: what is before `+01:00` otherwise.
    Raises: ValueError: there is no such time zone.
    """
    offset = offset_of(time_zone or "utc")

    def local(seconds: int) -> tuple[str, str]:
        ahead = offset(seconds) // 60 * 60
        zone = utc
        if time_zone not in (None, "utc"):
            minutes = abs(ahead) // 60
            zone = f"{separator}{'-' if ahead < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
        return time_text(seconds + ahead, form), zone

    return local


def timestamp_formatter(
    form: str, time_zone: str | None, utc: str, separator: str, max_seconds: int = MAX_SECONDS
) -> Callable[[int, int], str]:
    """Return the function from seconds since 1970 and nanoseconds to the time, without trailing zeros.

    Seconds are read as signed, as Go does; a second of nanoseconds or more carries.

    Args:
        form, time_zone, utc, separator: see local_texts.
        max_seconds: number of seconds whose text is remembered.
    Raises: ValueError: unknown time zone.
    """
    local = local_texts(form, time_zone, utc, separator)
    known: dict[int, tuple[str, str]] = {}

    def timestamp(seconds: int, nanoseconds: int) -> str:
        if nanoseconds > 999_999_999 or seconds >> 63:
            carry, nanoseconds = divmod(nanoseconds, 1_000_000_000)
            seconds = _signed(seconds) + carry
        texts = known.get(seconds)
        if texts is None:
            if len(known) >= max_seconds:
                known.clear()
            texts = known[seconds] = local(seconds)
        text, zone = texts
        if nanoseconds:
            return text + (".%09d" % nanoseconds).rstrip("0") + zone  # noqa: UP031 (twice as fast as an f-string)
        return text + zone

    return timestamp
