"""dnstap.rendering.yaml_documents and json_lines: the texts of `dnstap -y` and `dnstap -j`."""

from __future__ import annotations

import gzip
import json
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dnstap import Dnstap, DnstapType, Message, MessageType
from dnstap.rendering import FORMATS
from dnstap.strategies import dnstaps
from tests.dnstap.rendering.test_quiet import frames

DATA = Path(__file__).parents[2] / "data"

QUESTION = b"\7example\3com\0" + struct.pack(">HH", 1, 1)
QUERY = struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + QUESTION


def dnstap(**fields: Any) -> Dnstap:
    return Dnstap(type=DnstapType.MESSAGE, message=Message(**{"type": MessageType.CLIENT_QUERY} | fields))


def loaded(name: str, message: Dnstap) -> Any:
    """What a library reads of our text."""
    text = FORMATS[name](message)
    if name == "json":
        assert text.count("\n") == 1
        return json.loads(text)
    assert text.endswith("\n---\n")
    return yaml.safe_load(text.removesuffix("---\n"))


def with_record(rrtype: int, rdata: bytes) -> bytes:
    record = b"\0" + struct.pack(">HHIH", rrtype, 1, 0, len(rdata)) + rdata
    return struct.pack(">6H", 1, 0x8180, 1, 1, 0, 0) + QUESTION + record


@pytest.mark.parametrize(("name", "suffix"), [("yaml", ".y.yaml.gz"), ("json", ".j.jsonl.gz")])
@pytest.mark.parametrize("path", sorted(DATA.glob("*.fstrm")), ids=lambda path: path.stem)
def test_captures_as_the_go_tool_prints_them(path: Path, name: str, suffix: str) -> None:
    text = "".join([FORMATS[name](Dnstap.parse(payload)) for payload in frames(path)])
    assert text.encode("utf-8", "surrogateescape") == gzip.decompress(path.with_suffix(suffix).read_bytes())


def test_what_a_library_loads() -> None:
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
def test_no_message(name: str) -> None:
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


def test_quotes_only_where_they_are_needed() -> None:
    assert "  query_address: ::1\n" in FORMATS["yaml"](dnstap(query_address=bytes(15) + b"\1"))
    assert '  query_address: "::"\n' in FORMATS["yaml"](dnstap(query_address=bytes(16)))


@pytest.mark.parametrize("octets", [b"\0\r\x1b[31m", b"\xff\xfe", "\x85\u2028\u2029\ufeff".encode(), bytes(range(256))])
@pytest.mark.parametrize("name", ["yaml", "json"])
def test_control_octets_of_a_record(octets: bytes, name: str) -> None:
    """NULL, of which the Go tool prints the octets as they are."""
    wire = with_record(10, octets + b".")
    text = loaded(name, dnstap(type=MessageType.CLIENT_RESPONSE, response_message=wire))["message"]["response_message"]
    assert ";; ANSWER SECTION:\n;.\t0\tIN\tNULL\t" in text
    if name == "yaml":
        assert "\\027[31m" in text or b"\x1b" not in octets[:4]


@given(st.binary(max_size=80), st.sampled_from([10, 16, 41, 64, 99, 257, 999]))
def test_any_rdata_gives_what_libraries_read(rdata: bytes, rrtype: int) -> None:
    message = dnstap(type=MessageType.CLIENT_RESPONSE, response_message=with_record(rrtype, rdata))
    in_json, in_yaml = loaded("json", message)["message"], loaded("yaml", message)["message"]
    # What does not parse is a comment in YAML.
    good = not in_json["response_message"].startswith("parse failed: ")
    assert good == ("response_message" in in_yaml)
    if good:
        assert in_yaml["response_message"].startswith(in_json["response_message"].split("\n", 1)[0])


@given(dnstaps(nameless=True))
def test_any_message_gives_what_libraries_read(message: Dnstap) -> None:
    assert set(loaded("json", message)) <= {"type", "identity", "version", "message"}
    if message.message is not None:
        # PyYAML's datetime has no more than the years of four digits, and checks them.
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
