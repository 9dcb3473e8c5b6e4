"""Fields on the wire: bytes made by hand, and no loss when a payload is taken apart and put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from dnstap import DecodeError, Dnstap
from dnstap.conformance.wire import varint
from dnstap.strategies import WireField, fields_of, hostile_payloads, written
from dnstap.strategies.wire_fields import END_GROUP, FIXED32, FIXED64, GROUP, LENGTH, VARINT
from tests.dnstap.strategies.captures import real_payloads

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("value", "padding", "encoded"),
    [
        (0, 0, "00"),
        (127, 0, "7f"),
        (128, 0, "8001"),
        (2**64 - 1, 0, "ffffffffffffffffff01"),
        (0, 2, "808000"),
        (300, 1, "ac8200"),
        (1, 9, "81808080808080808000"),
    ],
)
def test_varints_are_as_long_as_asked_for(value: int, padding: int, encoded: str) -> None:
    assert varint(value, padding).hex() == encoded


ACCEPTED = [
    (WireField(15, VARINT, 1), "78 01"),
    (WireField(15, VARINT, 1, tag_padding=1, padding=2), "f800 818000"),
    (WireField(1, LENGTH, b"ab"), "0a 02 6162"),
    (WireField(1, LENGTH, b"ab", padding=1), "0a 8200 6162"),
    (WireField(14, LENGTH, (WireField(1, VARINT, 5), WireField(9, FIXED32, b"\1\2\3\4"))), "72 07 0805 4d01020304"),
    (WireField(14, LENGTH, ()), "72 00"),
    (WireField(4, FIXED64, bytes(8)), "21 0000000000000000"),
    (WireField(4, GROUP, (WireField(1, VARINT, 1),)), "23 0801 24"),
    (WireField(4, GROUP, (WireField(14, LENGTH, b"\x08\1"),), padding=1), "23 72020801 a400"),
    (WireField(2**29 - 1, VARINT, 2**64 - 1), "f8ffffff0f ffffffffffffffffff01"),
]


@pytest.mark.parametrize(("field", "encoded"), ACCEPTED, ids=lambda value: value if isinstance(value, str) else "")
def test_fields_have_these_bytes(field: WireField, encoded: str) -> None:
    assert field.wire == bytes.fromhex(encoded)
    before = WireField(2, LENGTH, b"v")
    assert fields_of(written([before, field, before])) == (before, field, before)


@pytest.mark.parametrize(
    ("field", "encoded"),
    [
        (WireField(0, VARINT, 1), "00 01"),
        (WireField(2**29, VARINT, 1), "8080808010 01"),
        (WireField(1, LENGTH, b"ab", length=3), "0a 03 6162"),
        (WireField(14, LENGTH, (WireField(1, VARINT, 5),), length=2**35), "72 808080808001 0805"),
        (WireField(1, LENGTH, 5), "0a 05"),
        (WireField(1, GROUP, b""), "0b"),
        (WireField(1, END_GROUP, b""), "0c"),
        (WireField(1, 7, b"a"), "0f 61"),
        (WireField(9, FIXED32, b"abc"), "4d 616263"),
        (WireField(1, VARINT, 0, tag_padding=5), "888080808000 00"),
        (WireField(1, VARINT, 0, padding=10), "08 8080808080808080808000"),
    ],
)
def test_invalid_fields_can_be_written(field: WireField, encoded: str) -> None:
    assert field.wire == bytes.fromhex(encoded)
    with pytest.raises(DecodeError):
        fields_of(field.wire)


def test_bits_beyond_64_are_kept() -> None:
    (field,) = fields_of(varint(15 << 3) + b"\xff" * 9 + b"\x7f")
    assert field == WireField(15, VARINT, 2**70 - 1)


def refusal(read: Callable[[], object]) -> str:
    """Return the error of the reader as text; "" if there is none."""
    try:
        read()
    except DecodeError as error:
        return str(error)
    return ""


@given(payload=hostile_payloads())
def test_any_accepted_payload_is_restored(payload: bytes) -> None:
    why = refusal(lambda: Dnstap.parse(payload, lenient=True))
    assert refusal(lambda: fields_of(payload)) == why
    if not why:
        assert written(fields_of(payload)) == payload


def test_payloads_of_real_servers_are_restored() -> None:
    for _, payload in real_payloads():
        fields = fields_of(payload)
        assert written(fields) == payload
        assert any(isinstance(field.value, tuple) for field in fields)
