"""The texts of the errors, and that they survive copying."""

from __future__ import annotations

import copy
import pickle

import pytest

from dnstap import (
    DecodeError,
    DnsMessageError,
    DnstapError,
    EncodeError,
    FilterError,
    KeyFileError,
    MissingFieldError,
)

TEXTS: list[tuple[DnstapError, str]] = [
    (DecodeError("field number 0", 7, "Dnstap"), "Dnstap: field number 0, at byte 7"),
    (MissingFieldError("type", "Message"), "Message: required field type is missing"),
    (EncodeError("message.query_port", "-1 does not fit"), "message.query_port: -1 does not fit"),
    (DnsMessageError("dns: bad rdata"), "dns: bad rdata"),
    (KeyFileError("key", "32 octets", "33 octets"), "key: 32 octets expected, 33 octets came"),
    (FilterError("a = b", 2, "in", "'='"), "in expected, '=' came\n  a = b\n    ^"),
]


@pytest.mark.parametrize(("error", "text"), TEXTS)
def test_text(error: DnstapError, text: str) -> None:
    assert str(error) == text
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(again), str(again), vars(again)) == (type(error), text, vars(error))


def test_tree() -> None:
    assert issubclass(MissingFieldError, DecodeError)
    for error, _ in TEXTS:
        assert isinstance(error, DnstapError)
