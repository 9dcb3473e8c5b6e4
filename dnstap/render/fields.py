"""What the Go tool's formats say alike of the fields of a Dnstap: names of enums, and times.

Source: golang-dnstap 0.4.0, whose schema ends with DOH; later transports are numbers there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.dns.escapes import time_text
from dnstap.enums import MessageType

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DNSTAP_TYPES", "FAMILIES", "MESSAGE_TYPES", "PROTOCOLS", "enum_text", "fraction_text", "moment_text"]

DNSTAP_TYPES = {1: "MESSAGE"}
FAMILIES = {1: "INET", 2: "INET6"}
PROTOCOLS = {1: "UDP", 2: "TCP", 3: "DOT", 4: "DOH"}
MESSAGE_TYPES = {int(member): member.name for member in MessageType}


def enum_text(names: Mapping[int, str], number: int) -> str:
    """The name of a number, or the number."""
    return names.get(number) or f"{number:d}"


def moment_text(seconds: int | None, nanoseconds: int | None, form: str) -> str | None:
    """A time in UTC with as many digits of its fraction as say something; None unless both halves are there.

    Seconds are read as signed, as Go does; a second of nanoseconds or more carries.
    """
    if seconds is None or nanoseconds is None:
        return None
    seconds = (seconds + (1 << 63)) % (1 << 64) - (1 << 63)
    carry, nanoseconds = divmod(nanoseconds, 1_000_000_000)
    return time_text(seconds + carry, form) + fraction_text(nanoseconds)


def fraction_text(nanoseconds: int) -> str:
    """`.5` of half a second; nothing of none."""
    return f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
