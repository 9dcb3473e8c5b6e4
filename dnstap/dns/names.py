"""Domain names and character strings out of DNS wire format.

A name is labels and compression pointers. miekg/dns lets a pointer go anywhere in the octets it was given, forward too,
and stops after 126 of them or 255 octets of labels; so do we, with its errors in its order.

A message of 64 KiB can hold 32,000 names of 250 steps each. Hence the memo, kept for one message: the rest of a name
from each offset where one was read, so that no octet is taken for a label or pointer twice. An entry only says what a
successful walk found and what it used of each limit; where that does not fit the name at hand, the walk goes on by
itself and raises what Go would have raised.

Source: miekg/dns 1.1.50, UnpackDomainName (msg.go) and unpackString (msg_helpers.go).
"""

import re
from functools import lru_cache

from dnstap.dns.walker import WalkError
from dnstap.errors import DnsMessageError

__all__ = ["BUFFER_TOO_SMALL", "NameMemo", "labels_text", "unpack_name", "unpack_string"]

BUFFER_TOO_SMALL = "dns: buffer size too small"

MAX_NAME_OCTETS = 255
MAX_POINTERS = 126

NameMemo = dict[int, tuple[str, int, int, int, int]]
"""The names of one message: start with an empty one, and never use it for other octets.

Offset -> the text from there on (empty for the root), what that takes of MAX_NAME_OCTETS and of MAX_POINTERS, the
offset behind the last octet it is made of, and the offset behind it where it was read.
"""

_ESCAPED = [
    f"\\{chr(octet)}" if octet in b".' @;()\"\\" else chr(octet) if 32 <= octet <= 126 else f"\\{octet:03d}"
    for octet in range(256)
]

_PLAIN = rb"[!#-&*-\-/-:<-?A-\[\]-~]"
_is_plain = re.compile(_PLAIN + b"*").fullmatch

# The usual lengths first. Lengths above 32 are left to the loop: they would be plain characters themselves.
_LENGTHS = 3, 4, 5, 6, 7, 8, 2, 1, *range(9, 33)
_are_plain_labels = re.compile(
    b"(?:%b)+\0?" % b"|".join([b"%b%b{%d}" % (re.escape(bytes((length,))), _PLAIN, length) for length in _LENGTHS])
).fullmatch
_DOTS = bytes([ord(".") if octet <= 32 else octet for octet in range(256)])


def unpack_name(wire: bytes, offset: int, end: int, memo: NameMemo | None = None) -> tuple[str, int]:
    """The name at an offset as text with its final dot, and the offset behind it.

    Args: end: no octet from here on is read, by way of pointers either; memo: see NameMemo.
    Raises: DnsMessageError.
    """
    if memo is None:
        memo = {}
    steps = []
    octets = pointers = 0
    while True:
        tail = memo.get(offset)
        if (
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
            if octets >= MAX_NAME_OCTETS:
                raise DnsMessageError("dns: domain name exceeded 255 wire-format octets")
            steps.append((start, _label_text(wire[start + 1 : offset])))
        elif length < 0xC0:
            raise DnsMessageError("dns: bad rdata")
        else:
            if offset >= end:
                raise DnsMessageError(BUFFER_TOO_SMALL)
            pointers += 1
            if pointers > MAX_POINTERS:
                raise DnsMessageError("dns: too many compression pointers")
            steps.append((start, ""))
            offset = (length & 0x3F) << 8 | wire[offset]

    text, octets, pointers, reach, behind = tail
    for start, label in reversed(steps):
        if label:
            text = label + text
            octets += wire[start] + 1
        else:
            pointers += 1
            behind = start + 2
            reach = max(reach, behind)
        memo[start] = text, octets, pointers, reach, behind
    return text or ".", behind


def labels_text(labels: bytes, *, root: bool = True) -> str:
    """The text of labels without a pointer, as unpack_name gives it, but faster.

    Args: labels: exactly that, at most 250 octets; root: the octet of the root ends them.
    Raises: WalkError: they are something else.
    """
    if len(labels) > 250:
        raise WalkError("no name without a pointer")
    if _are_plain_labels(labels) and root == (not labels[-1]):
        text = labels[1:].translate(_DOTS).decode("ascii")
        return text if root else text + "."
    offset = 0
    texts = []
    while length := labels[offset] if offset < len(labels) else 0:
        if length > 63:
            raise WalkError("no name without a pointer")
        texts.append(_label_text(labels[offset + 1 : offset + 1 + length]))
        offset += length + 1
    if offset + root != len(labels):
        raise WalkError("no name without a pointer")
    return "".join(texts) or "."


def unpack_string(wire: bytes, offset: int, end: int) -> tuple[bytes, int]:
    """The octets of a character string (one length octet before them), and the offset behind it.

    Raises: DnsMessageError.
    """
    # At the end of the octets there is no length to read, but the end is then exceeded all the same.
    stop = offset + 1 + (wire[offset] if offset < end else 0)
    if stop > end:
        raise DnsMessageError("dns: overflow unpacking txt")
    return wire[offset + 1 : stop], stop


@lru_cache(maxsize=8192)
def _label_text(label: bytes) -> str:
    """A label as text, with its dot. The labels of a stream repeat."""
    text = label.decode("ascii") if _is_plain(label) else "".join([_ESCAPED[octet] for octet in label])
    return text + "."
