"""Parsing of domain names and character strings from DNS wire format.

A name consists of labels and compression pointers. miekg/dns follows a pointer to anywhere in the octets it was given,
forward too, and stops after 126 of them or 255 octets of labels; so does this module, with its errors in its order.

A message of 64 KiB can hold 32,000 names of 250 steps each. Hence a memo for each message, which holds the rest of a
name from each offset where a label or pointer was read, so that none is read twice. An entry is what a successful walk
found and what it used of each limit; if that exceeds a limit of the name being read, the walk goes on by itself and
raises the error that Go raises.

Source: miekg/dns 1.1.50, UnpackDomainName (msg.go) and unpackString (msg_helpers.go).
"""

import re
from functools import lru_cache

from dnstap.dns.walker import MAX_LABEL, MAX_NAME, WalkError
from dnstap.errors import DnsMessageError

__all__ = [
    "BUFFER_TOO_SMALL",
    "NameMemo",
    "labels_text",
    "name_octets",
    "unpack_name",
    "unpack_string",
    "without_blanks",
]

BUFFER_TOO_SMALL = "dns: buffer size too small"

MAX_NAME_OCTETS = 255
MAX_POINTERS = 126

NameMemo = dict[int, tuple[str, int, int, int, int]]
"""The names of one message. Begin each message with an empty one.

Offset -> the text from there on (empty for the root), its share of MAX_NAME_OCTETS and of MAX_POINTERS, the offset
after the last octet that it was read from, and the offset after the name at this offset.
"""

_ESCAPED = [
    f"\\{chr(octet)}" if octet in b".' @;()\"\\" else chr(octet) if 32 <= octet <= 126 else f"\\{octet:03d}"
    for octet in range(256)
]

_PLAIN = rb"[!#-&*-\-/-:<-?A-\[\]-~]"
_is_plain = re.compile(_PLAIN + b"*").fullmatch

# The usual lengths first. Length octets above 32 are left to the loop, since they are plain characters themselves.
_LENGTHS = 3, 4, 5, 6, 7, 8, 2, 1, *range(9, 33)
_are_plain_labels = re.compile(
    b"(?:%b)+\0?" % b"|".join([b"%b%b{%d}" % (re.escape(bytes((length,))), _PLAIN, length) for length in _LENGTHS])
).fullmatch
_DOTS = bytes([ord(".") if octet <= 32 else octet for octet in range(256)])


def unpack_name(wire: bytes, offset: int, end: int, memo: NameMemo | None = None) -> tuple[str, int]:
    """Return the name at an offset as text with its final dot, and the offset after it.

    Args:
        end: the offset at which reading stops, after pointers too.
        memo: the names of the same message that were read before.

    Raises: DnsMessageError.
    """
    if memo is None:
        memo = {}
    steps = []
    octets = pointers = 0
    while True:
        tail = memo.get(offset)
        if (
            # Only if the rest of the name stays within all limits: else the walk goes on, to raise Go's error where Go
            # does.
            tail is not None
            and octets + tail[1] < MAX_NAME_OCTETS
            and pointers + tail[2] <= MAX_POINTERS
            and tail[3] <= end
        ):
            break
        if offset >= end:
            raise DnsMessageError(BUFFER_TOO_SMALL)
        length = wire[offset]
        start = offset
        offset += 1
        if length == 0:
            tail = ("", 0, 0, offset, offset)
            break
        if length < 0x40:
            offset += length
            if offset > end:
                raise DnsMessageError(BUFFER_TOO_SMALL)
            octets += length + 1
            # One octet is left for the root (RFC 1035, 3.1).
            if octets >= MAX_NAME_OCTETS:
                raise DnsMessageError("dns: domain name exceeded 255 wire-format octets")
            steps.append((start, _label_text(wire[start + 1 : offset])))
        elif length < 0xC0:
            # The upper bits 01 and 10 are reserved (RFC 1035, 4.1.4).
            raise DnsMessageError("dns: bad rdata")
        else:
            if offset >= end:
                raise DnsMessageError(BUFFER_TOO_SMALL)
            pointers += 1
            if pointers > MAX_POINTERS:
                raise DnsMessageError("dns: too many compression pointers")
            steps.append((start, ""))
            offset = (length & 0x3F) << 8 | wire[offset]

    text, octets, pointers, reach, after = tail
    # From the end of the name to its beginning, so that the entry for each step is the whole rest of the name.
    for start, label in reversed(steps):
        if label:
            text = label + text
            octets += wire[start] + 1
        else:
            pointers += 1
            # The name ends here after its first pointer, wherever that led.
            after = start + 2
            reach = max(reach, after)
        memo[start] = text, octets, pointers, reach, after
    return text or ".", after


def labels_text(labels: bytes, *, root: bool = True) -> str:
    """Return the text of labels without a pointer as unpack_name does, but faster.

    Args:
        labels: whole labels and nothing else, of up to MAX_NAME octets.
        root: the labels end with the root.

    Raises: WalkError: the octets are something else.
    """
    if len(labels) > MAX_NAME:
        raise WalkError("not a name without a pointer")
    if _are_plain_labels(labels) and root == (not labels[-1]):
        # All length octets become dots except the first, which is cut off; so does the root, as the final dot.
        text = labels[1:].translate(_DOTS).decode("ascii")
        return text if root else text + "."
    offset = 0
    texts = []
    while length := labels[offset] if offset < len(labels) else 0:
        if length > MAX_LABEL:
            raise WalkError("not a name without a pointer")
        texts.append(_label_text(labels[offset + 1 : offset + 1 + length]))
        offset += length + 1
    if offset + root != len(labels):
        raise WalkError("not a name without a pointer")
    return "".join(texts) or "."


_match_piece = re.compile(rb"\\([0-9]{3})|\\([^0-9])|(\.)|([^\\])", re.DOTALL).match


def name_octets(text: str) -> bytes:
    """Return the wire format of a name, without pointers, from its text (RFC 1035, 5.1). The final dot is optional.

    Raises: ValueError: not the text of a name.
    """
    octets = text.encode("utf-8", "surrogateescape")
    if octets == b".":
        return b"\0"
    name, label, offset = b"", b"", 0
    while offset < len(octets):
        piece = _match_piece(octets, offset)
        if piece is None:
            raise ValueError(text)
        offset = piece.end()
        digits, escaped, dot, plain = piece.groups()
        if not dot:
            # bytes() raises ValueError for a number over 255, as for any other bad name.
            label += bytes((int(digits),)) if digits else escaped or plain
        if dot or offset == len(octets):
            name += _label(label)
            label = b""
    # The root, which is one octet more, is not in it yet.
    if not 0 < len(name) < MAX_NAME_OCTETS:
        raise ValueError(text)
    return name + b"\0"


def _label(octets: bytes) -> bytes:
    if not 0 < len(octets) <= MAX_LABEL:
        raise ValueError(octets)
    return bytes((len(octets),)) + octets


def unpack_string(wire: bytes, offset: int, end: int) -> tuple[bytes, int]:
    """Return the octets of a character string, which follow a length octet, and the offset after them.

    Raises: DnsMessageError.
    """
    # Without a length octet the string exceeds the end as well: Go has one error for both.
    stop = offset + 1 + (wire[offset] if offset < end else 0)
    if stop > end:
        raise DnsMessageError("dns: overflow unpacking txt")
    return wire[offset + 1 : stop], stop


@lru_cache(maxsize=8192)
def _label_text(label: bytes) -> str:
    """Return a label as text with its dot. Cached, since the labels of a stream repeat."""
    text = label.decode("ascii") if _is_plain(label) else "".join([_ESCAPED[octet] for octet in label])
    return text + "."


def without_blanks(text: str) -> str:
    """Return the text of a name with `\\032` instead of `\\ `, its only white space, so that it is one word."""
    # A backslash in a label is two, so none of them is ever the first half of these two characters.
    return text.replace("\\ ", "\\032")
