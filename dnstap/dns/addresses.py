"""IP addresses as text, as Go's net package prints them.

Written out here because neither inet_ntop nor ipaddress agrees with Go: IPv4 mapped into IPv6 is plain IPv4, ::1.2.3.4
is `::102:304`, and bytes that are not an address have a text too.

Source: Go, net.IP.String.
"""

import re
import struct
from functools import lru_cache

from framestream.arguments import refuse_type

__all__ = ["V4_MAPPED", "address_text"]

V4_MAPPED = bytes(10) + b"\xff\xff"
"""The first 12 of the 16 bytes of an IPv4 address mapped into IPv6 (RFC 4291, 2.5.5.2)."""

_groups = struct.Struct(">8H").unpack
_zero_runs = re.compile(r"\b0(?::0)+\b").finditer


def address_text(address: bytes) -> str:
    """Return the text of an address of 4 or 16 bytes, `<nil>` for none, `?` and hexadecimal digits otherwise."""
    try:
        if len(address) == 16 and address.startswith(V4_MAPPED):
            address = address[12:]
        if len(address) == 4:
            return "%d.%d.%d.%d" % tuple(address)  # noqa: UP031 (twice as fast)
        if len(address) == 16:
            return _ipv6_text(address)
        return f"?{address.hex()}" if address else "<nil>"
    except (AttributeError, TypeError):
        refuse_type("address", "bytes", address)


@lru_cache(maxsize=4096)
def _ipv6_text(address: bytes) -> str:
    # Two groups of zeros are four zero bytes; four zero bytes may also lie across three groups.
    text = "%x:%x:%x:%x:%x:%x:%x:%x" % _groups(address)  # noqa: UP031 (twice as fast)
    if b"\0\0\0\0" not in address:
        return text
    # The longest run of two or more zeros is left out, the first of equal ones (RFC 5952, 4.2); `max` keeps the first.
    longest = max(_zero_runs(text), key=lambda run: run.end() - run.start(), default=None)
    if longest is None:
        return text
    return text[: longest.start()].removesuffix(":") + "::" + text[longest.end() :].removeprefix(":")
