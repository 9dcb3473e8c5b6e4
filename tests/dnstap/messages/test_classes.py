"""The typed classes: betterproto2's surface, with presence, unknown fields and unknown enum numbers kept."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import pickle
from typing import Any, cast

import betterproto2
import pytest

from dnstap import (
    DecodeError,
    Dnstap,
    DnstapType,
    EncodeError,
    Message,
    MessageType,
    Policy,
    PolicyMatch,
    SocketFamily,
    SocketProtocol,
)
from dnstap.fields.catalogue import FIELDS

UNKNOWN = bytes.fromhex("a00601")


def sample() -> Dnstap:
    """Absent fields, zeros, empty octets, an unknown enum number, and unknown fields at each level."""
    message = Message(
        type=MessageType.CLIENT_QUERY,
        socket_family=SocketFamily.INET,
        socket_protocol=SocketProtocol(77),
        query_address=b"\x7f\0\0\1",
        query_port=0,
        query_time_sec=1_700_000_000,
        query_time_nsec=0,
        query_message=b"",
        policy=Policy(type="RPZ", match=PolicyMatch.QNAME),
    )
    dnstap = Dnstap(identity=b"\xff\0", extra=b"", message=message, type=DnstapType.MESSAGE)
    data = bytes(dnstap)
    assert data.endswith(b"x\1")
    assert message.policy is not None
    for part in (dnstap, message, message.policy):
        part._unknown_fields = UNKNOWN
    return dnstap


def everywhere(dnstap: Dnstap) -> list[bytes]:
    """The unknown fields at each level."""
    assert dnstap.message is not None
    assert dnstap.message.policy is not None
    return [part._unknown_fields for part in (dnstap, dnstap.message, dnstap.message.policy)]


def test_presence() -> None:
    dnstap = Dnstap.parse(bytes(sample()))
    assert dnstap.message is not None
    assert (dnstap.version, dnstap.extra, dnstap.message.query_port) == (None, b"", 0)
    assert dnstap.message.query_message == b""
    assert dnstap.message.response_message is None
    assert dnstap.is_set("extra")
    assert not dnstap.is_set("version")


def test_to_dict_and_back() -> None:
    as_dict = sample().to_dict()
    assert as_dict["message"] == {
        "type": "CLIENT_QUERY",
        "socketFamily": "INET",
        "socketProtocol": 77,
        "queryAddress": "fwAAAQ==",
        "queryPort": 0,
        "queryTimeSec": "1700000000",
        "queryTimeNsec": 0,
        "queryMessage": "",
        "policy": {"type": "RPZ", "match": "QNAME"},
    }
    assert (as_dict["identity"], as_dict["extra"], as_dict["type"]) == ("/wA=", "", "MESSAGE")
    again = Dnstap.from_dict(as_dict)
    assert again.to_dict() == as_dict
    assert again.message is not None
    assert again.message.socket_protocol == SocketProtocol(77)


def test_to_dict_with_the_names_of_the_schema() -> None:
    as_dict = sample().to_dict(casing=betterproto2.Casing.SNAKE, output_format=betterproto2.OutputFormat.PYTHON)
    assert as_dict["message"]["query_address"] == b"\x7f\0\0\1"
    assert "response_port" not in as_dict["message"]


def test_json_and_back() -> None:
    text = sample().to_json()
    assert json.loads(text) == sample().to_dict()
    assert Dnstap.from_json(text).to_json() == text


def test_equality() -> None:
    assert sample() == sample()
    other = sample()
    other._unknown_fields = b""
    assert other != sample()
    assert sample() != sample().message
    assert Dnstap(identity=b"") != Dnstap()
    assert Message(query_port=0) != Message()
    with pytest.raises(TypeError):
        hash(sample())


def test_repr() -> None:
    assert (
        repr(Dnstap(identity=b"", message=Message(type=MessageType(99), query_port=0)))
        == "Dnstap(identity=b'', message=Message(type=<MessageType.~UNKNOWN: 99>, query_port=0))"
    )


def test_repr_of_unknown_fields() -> None:
    """Only where there are some; what it says makes an equal object."""
    assert repr(Policy(_unknown_fields=UNKNOWN)) == "Policy(_unknown_fields=b'\\xa0\\x06\\x01')"
    assert repr(Policy(rule=b"", _unknown_fields=UNKNOWN)) == "Policy(rule=b'', _unknown_fields=b'\\xa0\\x06\\x01')"
    assert repr(sample()).count("_unknown_fields=") == 3
    made = Message(query_port=1, policy=Policy(type="x", _unknown_fields=UNKNOWN))
    assert eval(repr(made)) == made


def pickled(protocol: int) -> Any:
    """A copy by way of pickle."""
    return lambda message: pickle.loads(pickle.dumps(message, protocol))


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, *(pickled(protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1))]
)
def test_copies(again: Any) -> None:
    original = sample()
    copied: Any = again(original)
    assert copied == original
    assert copied is not original
    assert type(copied) is Dnstap
    assert everywhere(copied) == [UNKNOWN] * 3
    assert original.message is not None
    assert (copied.message is original.message) == (again is copy.copy)


def test_what_cannot_be_encoded_can_be_copied() -> None:
    partial = Dnstap(message=Message(query_port=-1))
    with pytest.raises(EncodeError):
        bytes(partial)
    assert pickle.loads(pickle.dumps(partial)) == copy.deepcopy(partial) == partial


def test_replace() -> None:
    replaced = dataclasses.replace(sample(), identity=b"other")
    assert (replaced.identity, replaced.message) == (b"other", sample().message)
    assert everywhere(replaced) == [UNKNOWN] * 3
    assert bytes(replaced).endswith(UNKNOWN)


@pytest.mark.skipif(not hasattr(copy, "replace"), reason="copy.replace is new in Python 3.13")
def test_copy_replace() -> None:
    replace: Any = copy.replace  # type: ignore[attr-defined, unused-ignore]
    assert replace(sample(), identity=b"x") == dataclasses.replace(sample(), identity=b"x")
    assert everywhere(replace(sample())) == [UNKNOWN] * 3


@pytest.mark.parametrize("part", [sample(), sample().message, cast("Message", sample().message).policy])
def test_replace_of_each_part(part: Any) -> None:
    """Fields that are replaced are, and unknown ones stay, unless they are what is replaced."""
    assert dataclasses.replace(part) == part
    other = dataclasses.replace(part, type=None)
    assert other.type is None
    assert other._unknown_fields == part._unknown_fields == UNKNOWN
    without = dataclasses.replace(part, _unknown_fields=b"")
    assert without._unknown_fields == b""
    assert without != part


@pytest.mark.parametrize("cls", [Dnstap, Message, Policy])
def test_unknown_fields_are_no_field(cls: Any) -> None:
    """Neither for dataclasses nor for betterproto2, and only objects that have some need the room."""
    names = [field.name for field in dataclasses.fields(cls)]
    assert names == list(cls.__match_args__) == list(cls.__slots__)
    assert "_unknown_fields" not in names
    assert vars(cls()) == {}
    assert vars(cls(_unknown_fields=UNKNOWN)) == {"_unknown_fields": UNKNOWN}
    assert cls(_unknown_fields=UNKNOWN).to_dict() == {}
    assert cls._unknown_fields == b""


def test_the_octets_by_every_name() -> None:
    dnstap, data = sample(), bytes(sample())
    stream = io.BytesIO()
    dnstap.dump(stream, delimit=True)
    assert dnstap.encode() == dnstap.SerializeToString() == data
    assert stream.getvalue() == bytes([len(data)]) + data
    assert Dnstap.FromString(data) == dnstap


def test_unknown_fields_are_written_back() -> None:
    assert everywhere(Dnstap.parse(bytes(sample()))) == [UNKNOWN] * 3
    assert bytes(Dnstap.parse(bytes(sample()))) == bytes(sample())


def test_load() -> None:
    data = bytes(sample())
    assert Dnstap().load(io.BytesIO(data)) == sample()
    assert Dnstap().load(io.BytesIO(data + b"more"), len(data)) == sample()
    assert Dnstap().load(io.BytesIO(bytes([len(data)]) + data), betterproto2.SIZE_DELIMITED) == sample()


def test_load_merges() -> None:
    message = Message(type=MessageType.CLIENT_QUERY, query_port=1)
    assert message.load(io.BytesIO(bytes.fromhex("3002") + UNKNOWN)) is message
    assert message.query_port == 2
    assert message.type is MessageType.CLIENT_QUERY
    assert message._unknown_fields == UNKNOWN


@pytest.mark.parametrize(
    ("data", "size", "text"),
    [
        (b"x\1", 3, "Dnstap: expected 3 bytes, got 2, at byte 2"),
        (b"", betterproto2.SIZE_DELIMITED, "Dnstap: expected the size of the message, got: Stream ended unexpectedly"),
        (b"\xff" * 11, betterproto2.SIZE_DELIMITED, "Dnstap: expected the size of the message, got: Too many bytes"),
        (b"\1x", betterproto2.SIZE_DELIMITED, "Dnstap: the last field is cut off, at byte 1"),
    ],
)
def test_load_of_bad_input(data: bytes, size: int, text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Dnstap().load(io.BytesIO(data), size)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("cls", [Dnstap, Message, Policy])
def test_names_for_help(cls: Any) -> None:
    """help() reads all of them in all base classes, which betterproto2.Message refuses for one."""
    assert {"parse", "encode", "to_dict"} < {*dir(cls)}
    assert "_betterproto" not in dir(cls)


def test_as_dict() -> None:
    dnstap = sample()
    found = dnstap.as_dict(["time", "client", "type", "socket_protocol", "query_port", "policy_match", "rcode", "aa"])
    assert found == {
        "time": 1_700_000_000_000_000_000,
        "client": "127.0.0.1",
        "type": "CLIENT_QUERY",
        "socket_protocol": "77",
        "query_port": 0,
        "policy_match": "QNAME",
        "rcode": None,
        "aa": None,
    }
    assert Dnstap().as_dict(("client", "identity")) == {"client": None, "identity": None}
    everything = dnstap.as_dict()
    assert everything == dnstap.as_dict(["all"])
    assert list(everything) == list(FIELDS)
    assert everything.items() >= {"query_address": "127.0.0.1", "identity": "\\255\\000", "extra": None}.items()
    # Each call returns a new one.
    everything.clear()
    assert dnstap.as_dict() == dnstap.as_dict(["all"])


def test_as_dict_of_wrong_fields() -> None:
    dnstap: Any = sample()
    for fields, said in (
        (["what"], "unknown field 'what'"),
        (["time", "time"], "field 'time' is given more than once"),
        ([], "expected the name of a field, got none"),
    ):
        with pytest.raises(ValueError, match=f"^{said}"):
            dnstap.as_dict(fields)
    # "z" is also the name of a field.
    for wrong in ("time", "z", None, ["time", []], {"time"}):
        with pytest.raises(TypeError, match=r"^fields: expected a list of names, got "):
            dnstap.as_dict(wrong)


def test_parse_of_each_class() -> None:
    """Not by a learned decoder, which makes objects of the class Dnstap."""

    class Special(Dnstap):
        pass

    dnstap = sample()
    special = Special.parse(bytes(dnstap))
    assert type(special) is Special
    assert bytes(special) == bytes(dnstap)
    assert dnstap.message is not None
    assert Message.parse(bytes(dnstap.message)) == dnstap.message
