"""dnstap.rendering.documents: the part that the two document formats of the Go tool share."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dnstap import Dnstap, DnstapType, Message, MessageType
from dnstap.rendering import FORMATS, renderer
from dnstap.strategies import dnstaps

QUESTION = b"\7example\3com\0" + struct.pack(">HH", 1, 1)
QUERY = struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + QUESTION


def dnstap(**fields: Any) -> Dnstap:
    return Dnstap(type=DnstapType.MESSAGE, message=Message(**{"type": MessageType.CLIENT_QUERY} | fields))


def loaded(name: str, message: Dnstap) -> Any:
    """Load our text by a library."""
    text = FORMATS[name](message)
    if name == "json":
        assert text.count("\n") == 1
        return json.loads(text)
    assert text.endswith("\n---\n")
    return yaml.safe_load(text.removesuffix("---\n"))


def with_record(rrtype: int, rdata: bytes) -> bytes:
    record = b"\0" + struct.pack(">HHIH", rrtype, 1, 0, len(rdata)) + rdata
    return struct.pack(">6H", 1, 0x8180, 1, 1, 0, 0) + QUESTION + record


def test_libraries_load_the_same_of_both() -> None:
    message = dnstap(
        query_time_sec=1_700_000_000,
        query_time_nsec=250_000_000,
        query_address=b"\x7f\0\0\1",
        query_port=53,
        query_zone=b"\3com\0",
        query_message=QUERY,
    )
    message.identity = b"caf\xc3\xa9 \xff\0\n"
    in_json, in_yaml = loaded("json", message), loaded("yaml", message)
    text = in_json["message"].pop("query_message")
    assert text.startswith(";; opcode: QUERY, status: NOERROR, id: 1\n")
    assert in_yaml["message"].pop("query_message") == text
    assert in_json == {
        "type": "MESSAGE",
        "identity": "café \ufffd\0\n",
        "message": {
            "type": "CLIENT_QUERY",
            "query_time": "2023-11-14T22:13:20.25Z",
            "socket_family": "<nil>",
            "socket_protocol": "<nil>",
            "query_address": "127.0.0.1",
            "query_port": 53,
            "query_zone": "com.",
        },
    }
    assert in_yaml == {
        "type": "MESSAGE",
        "identity": "café ÿ\0\n",
        "message": {
            "type": "CLIENT_QUERY",
            "query_time": datetime(2023, 11, 14, 22, 13, 20, 250_000, UTC).replace(tzinfo=None),
            "query_address": "127.0.0.1",
            "query_port": 53,
            "query_zone": "com.",
        },
    }


@pytest.mark.parametrize("name", ["yaml", "json"])
def test_a_dnstap_without_a_message(name: str) -> None:
    """The Go tool crashes."""
    assert loaded(name, Dnstap(type=DnstapType.MESSAGE, identity=b"a")) == {"type": "MESSAGE", "identity": "a"}


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (bytes(16), "::"),
        (b"\xfe\x80" + bytes(14), "fe80::"),
        (struct.pack(">8H", *range(1, 9)), "1:2:3:4:5:6:7:8"),
        (struct.pack(">8H", *range(0x10, 0x18)), "10:11:12:13:14:15:16:17"),
        (bytes(15) + b"\1", "::1"),
        (b"abc", "?616263"),
    ],
)
@pytest.mark.parametrize("name", ["yaml", "json"])
def test_addresses_load_as_text(address: bytes, text: str, name: str) -> None:
    """In YAML, `::` would be no scalar, and `1:2:3:4:5:6:7:8` a number; after `?616263` the Go tool's -j is silent."""
    assert loaded(name, dnstap(query_address=address))["message"]["query_address"] == text


@pytest.mark.parametrize("rdata", [b"\0\r\x1b[31m", b"\xff\xfe", "\x85\u2028\u2029\ufeff".encode(), bytes(range(256))])
@pytest.mark.parametrize("name", ["yaml", "json"])
def test_control_characters_of_a_record(rdata: bytes, name: str) -> None:
    """Of a NULL record, whose rdata the Go tool prints as it is."""
    wire = with_record(10, rdata + b".")
    text = loaded(name, dnstap(type=MessageType.CLIENT_RESPONSE, response_message=wire))["message"]["response_message"]
    assert ";; ANSWER SECTION:\n;.\t0\tIN\tNULL\t" in text
    if name == "yaml":
        assert "\\027[31m" in text or b"\x1b" not in rdata[:4]


@given(st.binary(max_size=80), st.sampled_from([10, 16, 41, 64, 99, 257, 999]))
def test_libraries_load_any_rdata(rdata: bytes, rrtype: int) -> None:
    message = dnstap(type=MessageType.CLIENT_RESPONSE, response_message=with_record(rrtype, rdata))
    in_json, in_yaml = loaded("json", message)["message"], loaded("yaml", message)["message"]
    # In YAML, a message that does not parse is a comment.
    good = not in_json["response_message"].startswith("parse failed: ")
    assert good == ("response_message" in in_yaml)
    if good:
        assert in_yaml["response_message"].startswith(in_json["response_message"].split("\n", 1)[0])


@given(dnstaps(nameless=True))
def test_libraries_load_any_message(message: Dnstap) -> None:
    assert set(loaded("json", message)) <= {"type", "identity", "version", "message"}
    if message.message is not None:
        # PyYAML loads times as datetime, which ends with the year 9999.
        message.message.query_time_sec = message.message.response_time_sec = None
    assert set(loaded("yaml", message)) <= {"type", "identity", "version", "message"}


@pytest.mark.parametrize(
    ("seconds", "nanoseconds", "text"),
    [
        (0, 0, "1970-01-01T00:00:00Z"),
        (951_782_399, 999_999_999, "2000-02-28T23:59:59.999999999Z"),
        (951_782_400, 100_000_000, "2000-02-29T00:00:00.1Z"),
        (1, 2_500_000_000, "1970-01-01T00:00:03.5Z"),
        (2**64 - 1, 0, "1969-12-31T23:59:59Z"),
        (253_402_300_800, 1, "10000-01-01T00:00:00.000000001Z"),
        (0, None, None),
        (None, 0, None),
    ],
)
def test_times(seconds: int | None, nanoseconds: int | None, text: str | None) -> None:
    message = loaded("json", dnstap(query_time_sec=seconds, query_time_nsec=nanoseconds))["message"]
    assert message.get("query_time") == text


def test_the_sender_is_compared_by_value() -> None:
    """The text of the last sender is kept, and written again only for one that is equal."""
    for name, text in ("yaml", "identity: "), ("json", '"identity":'):
        render = renderer(name)
        senders: list[tuple[bytes | None, bytes | None, DnstapType | None]] = [
            (b"a", None, DnstapType.MESSAGE),
            (b"b", None, DnstapType.MESSAGE),
            (b"b", b"1", DnstapType.MESSAGE),
            (b"b", b"1", None),
            (None, b"1", None),
            (b"a", None, DnstapType.MESSAGE),
        ]
        documents = [render(Dnstap(identity, version, type=kind)) for identity, version, kind in senders * 2]
        assert documents[:6] == documents[6:]
        assert documents[0] == documents[5]
        assert len(set(documents)) == 5
        assert sum(text in document for document in documents[:6]) == 5


@pytest.mark.parametrize("name", ["yaml", "json"])
def test_both_messages_where_one_does_not_parse(name: str) -> None:
    good, bad = QUERY, QUERY[:11]
    first = FORMATS[name](dnstap(query_message=good, response_message=bad))
    second = FORMATS[name](dnstap(query_message=bad, response_message=good))
    neither = FORMATS[name](dnstap(query_message=bad, response_message=bad))
    assert [text.count(";; opcode: QUERY") for text in (first, second, neither)] == [1, 1, 0]
    assert [text.count("parse failed: dns: ") for text in (first, second, neither)] == [1, 1, 2]
