"""The enums: numbers without a name, and one home. That they are those of the schema, tests/dnstap/codec checks."""

from __future__ import annotations

import copy
import pickle

import pytest

import dnstap
from dnstap import DnstapType, MessageType, SocketProtocol, messages
from dnstap.schema import enums


@pytest.mark.parametrize("number", [0, 99, -1])
def test_numbers_without_a_name(number: int) -> None:
    member = MessageType(number)
    assert member == number
    assert member.name == ""
    assert copy.deepcopy(member) == pickle.loads(pickle.dumps(member)) == member
    assert isinstance(pickle.loads(pickle.dumps(member)), MessageType)


def test_named_members_are_one_object() -> None:
    assert MessageType(6) is MessageType.CLIENT_RESPONSE
    assert pickle.loads(pickle.dumps(SocketProtocol.DOQ)) is SocketProtocol.DOQ


def test_what_is_where() -> None:
    assert dnstap.DnstapType is DnstapType is enums.DnstapType
    assert messages.__all__ == ["Dnstap", "Message", "Policy"]
    assert set(enums.__all__) < set(vars(dnstap)["__all__"])
