"""Shorter variants of a stream that still have its effect.

Frames are removed, then pieces of their contents, with the lengths around them set right. A length within a payload is
found by trying: a varint that could be the length of something around a removed piece is lowered by its size. So fields
of protobuf messages get shorter, although nothing is known here of them.
"""

from __future__ import annotations

import struct
import time
from contextlib import suppress
from itertools import combinations
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

__all__ = ["shrink", "split"]

T = TypeVar("T", bytes, list[bytes])

_SHORT_BYTES = 32
"""Contents of which every piece is tried, at most 528. With 5 to 50 ms for each, that takes some seconds."""

_NEAR_BYTES = 64
"""Bytes at the beginning of the content, and before the piece, in which lengths are looked for."""

_MOST_AROUND = 6
"""Possible lengths around a piece for which all pairs are tried: a message in a message has two."""


def shrink(
    wire: bytes, fails: Callable[[bytes], bool], *, timeout_s: float = 60.0, atoms: Collection[bytes] = ()
) -> bytes:
    """Return the shortest variant that is found; the stream itself if there is none.

    Args:
        fails: whether a variant still has the effect. It is called only once for each.
        timeout_s: time limit, in seconds.
        atoms: payloads that are removed as a whole or not at all.
    """
    return _Shrinker(fails, time.monotonic() + timeout_s, atoms).shrunk(wire)


def split(wire: bytes) -> list[bytes]:
    """Return the frames of a stream, each with its length, and as the last part what is not a whole frame."""
    parts, offset = [], 0
    while size := _frame_bytes(wire, offset):
        parts.append(wire[offset : offset + size])
        offset += size
    return [*parts, wire[offset:]] if offset < len(wire) else parts


def _frame_bytes(wire: bytes, offset: int) -> int:
    """Return the size of the whole frame at an offset; 0 if there is none."""
    for head in (4, 8):
        if len(wire) < offset + head:
            return 0
        (length,) = struct.unpack_from(">I", wire, offset + head - 4)
        if length:
            return head + length if offset + head + length <= len(wire) else 0
    # A control frame of length 0.
    return 8


class _TimeUpError(Exception):
    """The time limit."""


class _Shrinker:
    def __init__(self, fails: Callable[[bytes], bool], deadline: float, atoms: Collection[bytes]) -> None:
        self._fails = fails
        self._deadline = deadline
        self._atoms = atoms
        self._tried: set[bytes] = set()
        self._shortest = b""

    def _holds(self, wire: bytes) -> bool:
        """Return whether a variant that was not tried has the effect."""
        if time.monotonic() > self._deadline:
            raise _TimeUpError
        if wire in self._tried:
            return False
        self._tried.add(wire)
        if self._fails(wire):
            self._shortest = wire
            return True
        return False

    def shrunk(self, wire: bytes) -> bytes:
        self._shortest = wire
        before = None
        with suppress(_TimeUpError):
            while before != self._shortest:
                before = self._shortest
                parts = _reduced(split(before), lambda parts: self._holds(b"".join(parts)))
                for number in range(len(parts)):
                    self._shrink_part(parts, number)
                _reduced(b"".join(parts), self._holds)
        return self._shortest

    def _shrink_part(self, parts: list[bytes], number: int) -> None:
        """Replace a part by a shorter one."""
        part = parts[number]
        if _frame_bytes(part, 0) != len(part):
            return
        head = 4 if any(part[:4]) else 8
        if part[head:] in self._atoms:
            return

        def made(content: bytes) -> bytes:
            return part[: head - 4] + struct.pack(">I", len(content)) + content

        def holds(content: bytes) -> bool:
            return self._holds(b"".join([*parts[:number], made(content), *parts[number + 1 :]]))

        content = _zeroed(_cut(part[head:], holds), holds)
        parts[number] = made(content)


def _reduced(items: T, holds: Callable[[T], bool]) -> T:
    """Return items without the pieces that are not needed: large pieces first, down to single items."""
    size = len(items)
    while size:
        start = 0
        while start < len(items):
            without = items[:start] + items[start + size :]
            if holds(without):
                items = without
            else:
                start += size
        size //= 2
    return items


def _cut(content: bytes, holds: Callable[[bytes], bool]) -> bytes:
    """Return content without the pieces that are not needed, with the lengths around each lowered."""
    size = len(content)
    while size:
        # Of short contents, pieces of every size at every place.
        short = len(content) <= _SHORT_BYTES
        start = 0
        while start < len(content):
            shorter = next(filter(holds, _without(content, start, min(start + size, len(content)))), None)
            if shorter is None:
                start += 1 if short else size
            else:
                content = shorter
        size = min(size - 1, len(content)) if short else size // 2
    return content


def _without(content: bytes, start: int, end: int) -> Iterator[bytes]:
    """Yield content without a piece, as it is, and with one or two of the lengths around it lowered."""
    yield content[:start] + content[end:]
    places = [*range(min(start, _NEAR_BYTES)), *range(max(_NEAR_BYTES, start - _NEAR_BYTES), start)]
    around = [place for place in places if _encloses(content, place, start, end)]
    for chosen in [*combinations(around, 1), *(combinations(around, 2) if len(around) <= _MOST_AROUND else ())]:
        before, removed = content[:start], end - start
        for place in reversed(chosen):
            length, size = _varint(content, place)
            lowered = _encoded(max(0, length - removed))
            before = before[:place] + lowered + before[place + size :]
            removed += size - len(lowered)
        yield before + content[end:]


def _encloses(content: bytes, place: int, start: int, end: int) -> bool:
    """Return whether there may be the length of something that encloses a piece."""
    length, size = _varint(content, place)
    return 0 < size <= start - place and length >= end - start and end <= place + size + length <= len(content)


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """Return a varint of at most three bytes and its size; the size is 0 if there is none."""
    value = 0
    for size, byte in enumerate(content[place : place + 3]):
        value |= (byte & 0x7F) << 7 * size
        if byte < 0x80:
            return value, size + 1
    return 0, 0


def _encoded(number: int) -> bytes:
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*made, number])


def _zeroed(content: bytes, holds: Callable[[bytes], bool]) -> bytes:
    """Return content with zeros in place of the bytes whose values do not matter."""
    size = len(content)
    while size:
        for start in range(0, len(content), size):
            piece = content[start : start + size]
            zeros = content[:start] + bytes(len(piece)) + content[start + size :]
            if any(piece) and holds(zeros):
                content = zeros
        size //= 2
    return content
