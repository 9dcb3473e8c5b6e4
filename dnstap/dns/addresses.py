"""IP addresses as text, as Go's net package prints them.

Written out here because neither inet_ntop nor ipaddress does as Go: IPv4 mapped into IPv6 is plain IPv4, ::1.2.3.4 is
`::102:304`, and octets that are no address at all have a text too.

Source: Go, net.IP.String.
"""

import re
import struct
from functools import lru_cache

__all__ = ["V4_MAPPED", "address_text"]

V4_MAPPED = bytes(10) + b"\xff\xff"
"""What the 16 octets of an IPv4 address mapped into IPv6 start with."""

_groups = struct.Struct(">8H").unpack
_zero_runs = re.compile(r"\b0(?::0)+\b").finditer


def address_text(octets: bytes) -> str:
    """An address of 4 or 16 octets as text; `<nil>` for none, `?` and hexadecimal digits for any other number."""
    if len(octets) == 16 and octets.startswith(V4_MAPPED):
        octets = octets[12:]
    if len(octets) == 4:
        return "%d.%d.%d.%d" % tuple(octets)  # noqa: UP031 (twice as fast)
    if len(octets) == 16:
        return _ipv6_text(octets)
    return f"?{octets.hex()}" if octets else "<nil>"


@lru_cache(maxsize=4096)
def _ipv6_text(octets: bytes) -> str:
    if b"\0\0\0\0" not in octets:
        return "%x:%x:%x:%x:%x:%x:%x:%x" % _groups(octets)  # noqa: UP031 (twice as fast)
    groups = [f"{octets[start] << 8 | octets[start + 1]:x}" for start in range(0, 16, 2)]
    text = ":".join(groups)
    # The longest run of two or more zeros is left out, the first of equals; `max` keeps the first.
    longest = max(_zero_runs(text), key=lambda run: run.end() - run.start(), default=None)
    if longest is None:
        return text
    return text[: longest.start()].removesuffix(":") + "::" + text[longest.end() :].removeprefix(":")
