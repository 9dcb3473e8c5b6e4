"""Errors: their texts, their attributes, and copies of them."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

from dnstap import (
    DecodeError,
    DnsMessageError,
    DnstapError,
    EncodeError,
    FilterError,
    KeyFileError,
    MissingFieldError,
    errors,
)

ERRORS: list[tuple[DnstapError, str]] = [
    (DecodeError("field number 0", 7, "Dnstap"), "Dnstap: field number 0, at byte 7"),
    (MissingFieldError("type", "Message"), "Message: required field type is missing"),
    (EncodeError("message.query_port", "-1 does not fit"), "message.query_port: -1 does not fit"),
    (EncodeError("", "not a message"), "not a message"),
    (DnsMessageError("dns: bad rdata"), "dns: bad rdata"),
    (KeyFileError("key", "32 bytes", "33 bytes"), "key: expected 32 bytes, got 33 bytes"),
    (FilterError("a = b", 2, "in", "'='"), "expected in, got '='\n  a = b\n    ^"),
]


@pytest.mark.parametrize(("error", "text"), ERRORS)
class TestEachError:
    def test_the_text_tells_what_was_expected(self, error: DnstapError, text: str) -> None:
        assert str(error) == text

    def test_the_attributes_hold_the_data(self, error: DnstapError, text: str) -> None:
        parameters = inspect.signature(type(error)).parameters
        assert tuple(getattr(error, name) for name in parameters) == error.args
        assert set(vars(error)) >= set(parameters)

    def test_a_copy_is_equal(self, error: DnstapError, text: str) -> None:
        for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
            assert (type(again), str(again), vars(again)) == (type(error), text, vars(error))


def test_the_tree_in_the_docstring_is_that_of_the_classes() -> None:
    drawn = re.findall(r"^([│├└─ ]*)(\w+Error)\b(?=  |$)", errors.__doc__ or "", re.MULTILINE)
    path: list[type[BaseException]] = []
    for indentation, name in drawn:
        error = getattr(errors, name)
        del path[len(indentation) // 4 :]
        assert error.__base__ is (path[-1] if path else Exception)
        path.append(error)
    assert sorted(name for _, name in drawn) == sorted(errors.__all__)
