"""Steps: the bytes that they send."""

from __future__ import annotations

import pytest

from dnstap import Dnstap, MessageType
from framestream.conformance.steps import Batch, control, data, field, payload, word


@pytest.mark.parametrize("size", [0, *range(20, 300), 16383, 16384, 16400, 65535, 98304, 1 << 20, (1 << 21) + 20])
def test_payloads_are_dnstap_messages(size: int) -> None:
    made = payload(7, size)
    assert len(made) == (size or 67)
    parsed = Dnstap.parse(made)
    assert parsed.identity is not None
    assert parsed.identity.rstrip(b".") == b"frame-7"
    assert parsed.message is not None
    assert parsed.message.type is MessageType.CLIENT_QUERY


def test_payloads_ask_for_a_name_of_their_own() -> None:
    for made in (payload(7), payload(7, 68), payload(7, 300)):
        message = Dnstap.parse(made).message
        assert message
        assert message.qname == "frame-7."
    assert b"\x07frame-7" not in payload(7, 60)[10:]


def test_payloads_have_a_least_size() -> None:
    with pytest.raises(ValueError, match="no payload has 14 bytes"):
        payload(7, 14)


def test_payloads_with_content() -> None:
    parsed = Dnstap.parse(payload(7, content=bytes(200)))
    assert parsed.identity == b"frame-7" + bytes(200)


def test_batches() -> None:
    batch = Batch(3, 5, 40)
    assert list(batch) == batch[:] == [payload(number, 40) for number in (3, 4, 5)]
    assert len(batch) == 3
    assert batch[-1] == payload(5, 40)
    assert payload(6, 40) not in batch


def test_bytes() -> None:
    assert word(258).hex() == "00000102"
    assert data(b"1", b"22").hex() == "0000000131000000023232"
    assert control(6, field(b"x")).hex() == "000000000000000d00000006000000010000000178"
    assert control(6, field(b"x", number=2, length=9), length=5).hex()[8:] == "0000000500000006000000020000000978"
