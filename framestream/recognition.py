"""Names of other protocols and formats, recognised by their first bytes, for error messages.

A guess for people to read; no behaviour depends on it. Input that begins like a stream, with four zeros, gets here only
if TLS was expected.
"""

from __future__ import annotations

import re

__all__ = ["FIRST_BYTES", "recognise"]

FIRST_BYTES = 16
"""Number of bytes that suffice for all formats."""

# Compiled at first use, since most streams are what they should be.
_KNOWN = (
    ("Frame Streams without TLS", rb"\x00{4}"),
    ("a data frame", rb"\x00\x00.."),
    # Record type handshake, version 3.x, a length; then the type of the handshake message.
    ("a TLS ClientHello (is TLS expected here?)", rb"\x16\x03[\x00-\x04]..\x01|\x16\x03[\x00-\x04].?.?\Z"),
    ("a TLS record", rb"[\x14-\x17]\x03[\x00-\x04]"),
    ("an HTTP request", rb"(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|CONNECT|PATCH|TRACE|PRI) "),
    ("an HTTP answer", rb"HTTP/"),
    # A 16-bit length; then type 1 to 4, and a message identifier of 16 bytes.
    ("PowerDNS protobuf (16-bit lengths; not dnstap)", rb"..\x08[\x01-\x04](?:\x12\x10|\Z)"),
    # A 16-bit length; then identifier, flags with Z clear, and the counts: one question, few records.
    ("DNS over TCP", rb"(?:\x00[\x0c-\xff]|[\x01-\x0f].)..[\x00-\xaf][\x00-\x3f\x80-\xbf]\x00\x01\x00.\x00.\x00."),
    ("gzip data", rb"\x1f\x8b"),
    ("bzip2 data", rb"BZh[1-9]"),
    ("xz data", rb"\xfd7zXZ"),
    ("zstd data", rb"\x28\xb5\x2f\xfd"),
    ("a pcap file", rb"\xd4\xc3\xb2\xa1|\xa1\xb2\xc3\xd4|\x4d\x3c\xb2\xa1|\xa1\xb2\x3c\x4d"),
    ("a pcapng file", rb"\x0a\x0d\x0d\x0a"),
)


def recognise(first: bytes) -> str:
    """Return the name of the protocol or format that begins with these bytes, "" if none is known.

    Args: first: the first FIRST_BYTES of the input, or all of it if shorter.
    """
    return next((name for name, pattern in _KNOWN if re.match(pattern, first, re.DOTALL)), "")
