"""Shorter streams with the same effect."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framestream.conformance.steps import STOP, data, ready, start
from framestream.conversations import wire_of
from framestream.fuzzing.shrinking import shrink, split


def field(number: int, content: bytes) -> bytes:
    """Return a field of a protobuf message."""
    length = [len(content)] if len(content) < 128 else [len(content) & 127 | 128, len(content) >> 7]
    return bytes([number << 3 | 2, *length]) + content


def parse(payload: bytes) -> list[tuple[int, bytes]] | None:
    """Return the fields of a message of such fields; None if it is not one."""
    fields, at = [], 0
    while at < len(payload):
        if payload[at] & 7 != 2 or at + 1 >= len(payload):
            return None
        number, length, at = payload[at] >> 3, payload[at + 1], at + 2
        if length & 128:
            if at >= len(payload):
                return None
            length, at = length & 127 | payload[at] << 7, at + 1
        if at + length > len(payload):
            return None
        fields.append((number, payload[at : at + length]))
        at += length
    return fields


def payloads(wire: bytes) -> list[bytes]:
    return [part[4:] for part in split(wire) if any(part[:4])]


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (b"", []),
        (b"\0\0\0\1x", [b"\0\0\0\1x"]),
        (b"\0\0\0\2x", [b"\0\0\0\2x"]),
        (bytes(4), [bytes(4)]),
        (bytes(9), [bytes(8), b"\0"]),
        (wire_of(STOP) + data(b"x"), [wire_of(STOP), data(b"x")]),
        (data(b"x") + b"\0\0\0\0\0\0\0\5x", [data(b"x"), b"\0\0\0\0\0\0\0\5x"]),
    ],
)
def test_split(wire: bytes, expected: list[bytes]) -> None:
    assert split(wire) == expected


@given(wire=st.binary() | st.lists(st.binary(min_size=1)).map(lambda some: data(*some)))
def test_parts_make_the_whole(wire: bytes) -> None:
    assert b"".join(split(wire)) == wire


def test_frames_are_removed() -> None:
    wire = wire_of(ready(b"a")) + wire_of(start(b"a")) + data(b"one", b"two", b"three") + wire_of(STOP)
    assert shrink(wire, lambda one: b"two" in payloads(one)) == data(b"two")
    assert shrink(wire, lambda one: True) == b""


def test_payloads_get_shorter_and_their_values_zero() -> None:
    wire = data(b"before", b"some bytes \xff and others" * 20, b"after")
    assert shrink(wire, lambda one: any(b"\xff" in payload for payload in payloads(one))) == data(b"\xff")
    long = shrink(wire, lambda one: any(len(payload) > 9 for payload in payloads(one)))
    assert long == data(bytes(10))


def test_control_frames_get_shorter() -> None:
    wire = wire_of(start(b"some name")) + data(b"x")
    assert shrink(wire, lambda one: one.startswith(b"\0\0\0\0") and b"am" in one) == b"\0\0\0\0am"


def test_values_that_are_no_lengths() -> None:
    wire = data(b"\xff\xff\xff\xff \x09\x08 \x07 \x06 \x05 \x04 \x03 \x02 bad")
    assert shrink(wire, lambda one: any(b"bad" in payload for payload in payloads(one))) == data(b"bad")


def test_bytes_that_are_no_frame() -> None:
    assert shrink(data(b"good") + b"\xff\xff\xff\xffgarbage", lambda one: b"bag" in one) == b"bag"


@pytest.mark.parametrize("long", [0, 100, 300])
def test_lengths_in_a_message_fit(long: int) -> None:
    """The bad value is in a message in a message, and both stay valid."""
    inner = field(1, b"a" * long) + field(2, b"\x80bad") + field(3, b"tail")
    payload = field(4, b"identity") + field(5, inner) + field(6, b"more")

    def fails(wire: bytes) -> bool:
        for payload in payloads(wire):
            for number, content in parse(payload) or []:
                if number == 5 and any(name == 2 and b"\x80" in value for name, value in parse(content) or []):
                    return True
        return False

    wire = data(b"first", payload, b"last")
    assert fails(wire)
    assert shrink(wire, fails) == data(field(5, field(2, b"\x80")))


def test_atoms_stay_whole() -> None:
    wire = data(b"marker", b"bad one", b"marker")
    assert shrink(wire, lambda one: b"marker" in one and b"bad" in one, atoms=[b"marker"]) in (
        data(b"bad", b"marker"),
        b"badmarker",
    )
    assert shrink(data(b"whole"), lambda one: one == data(b"whole") or len(one) == 8, atoms=[b"whole"])


def test_each_variant_is_tried_once() -> None:
    tried = []

    def fails(wire: bytes) -> bool:
        tried.append(wire)
        return len(wire) > 20

    shrink(data(*(bytes([number]) * number for number in range(1, 9))), fails)
    assert len(tried) == len(set(tried))


def test_the_time_is_limited() -> None:
    wire = data(b"x" * 50)
    assert shrink(wire, lambda one: True, timeout_s=0) == wire


@given(wire=st.binary(max_size=60), bad=st.integers(0, 255))
def test_the_effect_stays(wire: bytes, bad: int) -> None:
    whole = data(b"x") + struct.pack(">I", 1) + bytes([bad]) + wire
    found = shrink(whole, lambda one: bytes([bad]) in one)
    assert found == bytes([bad])
