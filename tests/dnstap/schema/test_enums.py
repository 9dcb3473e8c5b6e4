"""The enums: numbers without a name, and one home. That they are those of the schema, tests/dnstap/codec checks."""

from __future__ import annotations

import copy
import pickle
from typing import Any

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
    assert {*enums.__all__} - {"OpenEnum"} < set(vars(dnstap)["__all__"])


def test_names_from_text() -> None:
    """The interface of betterproto2's enums, which from_dict and from_json use."""
    assert MessageType.from_string("AUTH_QUERY") is MessageType.AUTH_QUERY
    assert MessageType.AUTH_QUERY.proto_name is None
    assert MessageType.betterproto_renamed_proto_names_to_value() == {}
    with pytest.raises(ValueError, match=r"^expected a member of SocketProtocol, got 'SMTP'$"):
        SocketProtocol.from_string("SMTP")


def test_text() -> None:
    assert (str(SocketProtocol.DOQ), repr(SocketProtocol.DOQ)) == ("DOQ", "<SocketProtocol.DOQ: 7>")
    assert (str(SocketProtocol(99)), repr(SocketProtocol(99))) == ("UNKNOWN(99)", "<SocketProtocol.~UNKNOWN: 99>")


@pytest.mark.parametrize("value", ["UDP", 1.5, None])
def test_only_integers_are_members(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid SocketProtocol"):
        SocketProtocol(value)
