"""Types of the codec as mypy --strict sees them: each `type: ignore` is an error that must be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

import pytest

from dnstap import Decoder, Dnstap, DnstapType
from dnstap.codec import decode

if TYPE_CHECKING:
    from collections.abc import Callable

PAYLOAD = bytes(Dnstap(type=DnstapType.MESSAGE))


def test_decoder() -> None:
    decoder = Decoder(Dnstap)
    assert_type(decoder, Decoder[Dnstap])
    assert_type(decoder.decode(PAYLOAD), Dnstap)
    assert_type(decoder.decode(memoryview(PAYLOAD), lenient=True), Dnstap)
    assert_type(decode(Dnstap, PAYLOAD), Dnstap)


def test_decoder_of_a_subclass() -> None:
    class Mine(Dnstap):
        """Subclass of Dnstap."""

    assert_type(Decoder(Mine).decode(PAYLOAD), Mine)


def test_decode_can_be_passed_on() -> None:
    function: Callable[[bytes], Dnstap] = Decoder(Dnstap).decode
    assert_type(function(PAYLOAD), Dnstap)


def test_what_is_no_payload_is_refused() -> None:
    decoder = Decoder(Dnstap)
    with pytest.raises(TypeError):
        decoder.decode(3.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        decoder.decode(PAYLOAD, nonsense=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        decoder.decode(PAYLOAD, True)  # type: ignore[call-arg]
