"""dnstap.rendering.times: times in any time zone, for any number of seconds."""

from __future__ import annotations

import pytest

from dnstap.rendering.times import (
    MAX_SECONDS,
    clock_formatter,
    local_time_formatter,
    nanosecond_formatter,
    timestamp_formatter,
    utc_offsets,
)

SUMMER, WINTER = 1_751_371_200, 1_767_268_800  # noon in UTC, in July 2025 and January 2026


def test_offsets() -> None:
    assert utc_offsets("utc")(SUMMER) == 0
    prague = utc_offsets("Europe/Prague")
    assert (prague(SUMMER), prague(WINTER)) == (7200, 3600)
    # Past the year 9999 there is daylight saving time; before the year 5, the offset of the first years.
    cycle = 400 * 365.2425 * 86_400
    assert prague(SUMMER + 25 * int(cycle)) == 7200
    assert prague(-(1 << 63)) == prague(-(1 << 63) + 1)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "/etc/passwd", "..", "Europe", "a\0b"])
def test_unknown_time_zone(name: str) -> None:
    with pytest.raises(ValueError, match="expected utc, local or a name of the time zone database"):
        utc_offsets(name)


def test_the_last_day_of_year_9999() -> None:
    """Midnight of the year 10000 comes earlier east of UTC."""
    for name, offset in (("Pacific/Kiritimati", 14 * 3600), ("America/Adak", -10 * 3600)):
        for seconds in range(253_402_300_800 - 3 * 86_400, 253_402_300_800 + 86_400, 3_600):
            assert utc_offsets(name)(seconds) == offset


def test_clocks() -> None:
    assert clock_formatter("utc", date=False)(SUMMER) == "12:00:00"
    assert clock_formatter("Asia/Kathmandu", date=False)(SUMMER) == "17:45:00"
    assert clock_formatter("America/New_York", date=True)(WINTER + 64_800) == "2026-01-02 01:00:00"


def test_timestamps() -> None:
    form = "%04d-%02d-%02d %02d:%02d:%02d"
    utc = timestamp_formatter(local_time_formatter(form, "utc", "Z", " "), max_seconds=2)
    other = timestamp_formatter(local_time_formatter(form, "America/New_York", "Z", " "), max_seconds=2)
    for _ in range(2):
        assert utc(SUMMER, 5) == "2025-07-01 12:00:00.000000005Z"
        assert other(SUMMER, 0) == "2025-07-01 08:00:00 -04:00"
        assert other(WINTER, 500_000_000) == "2026-01-01 07:00:00.5 -05:00"
        assert other(WINTER + 1, 0) == "2026-01-01 07:00:01 -05:00"
        assert utc((1 << 64) - 1, 1_000_000_000) == "1970-01-01 00:00:00Z"
    assert timestamp_formatter(local_time_formatter(form, None, "", " "))(0, 0) == "1970-01-01 00:00:00"
    assert (
        timestamp_formatter(local_time_formatter(form, "Asia/Kathmandu", "", ""))(SUMMER, 0)
        == "2025-07-01 17:45:00+05:45"
    )


def test_times_of_one_length() -> None:
    text = nanosecond_formatter(local_time_formatter("%04d-%02d-%02dT%02d:%02d:%02d", "Europe/Prague", "Z", ""))
    assert text(SUMMER * 10**9) == "2025-07-01T14:00:00.000000000+02:00"
    assert text(SUMMER * 10**9 + 120) == "2025-07-01T14:00:00.000000120+02:00"
    # Read as signed, as in the other formats.
    assert text(((1 << 64) - 1) * 10**9 + 5) == "1970-01-01T00:59:59.000000005+01:00"


def test_seconds_of_times_of_one_length_are_remembered_and_bounded() -> None:
    asked = []

    def local_time(second: int) -> tuple[str, str]:
        asked.append(second)
        return f"{second}", "Z"

    text = nanosecond_formatter(local_time)
    for second in (*range(MAX_SECONDS), 7, MAX_SECONDS, 7):
        assert text(second * 10**9) == f"{second}.000000000Z"
    assert asked == [*range(MAX_SECONDS), MAX_SECONDS, 7]
