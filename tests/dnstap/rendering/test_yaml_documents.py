"""dnstap.rendering.yaml_documents: the text of `dnstap -y`."""

from __future__ import annotations

import gzip
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dnstap import Dnstap, DnstapType, Message, MessageType, SocketFamily, SocketProtocol, Style, render, renderer
from dnstap.rendering.yaml_documents import quoted
from tests.made_messages import DATA, read_frames

if TYPE_CHECKING:
    from pathlib import Path


def rendered(message: Message | None = None, identity: bytes | None = None) -> str:
    return render("yaml", Dnstap(identity, type=DnstapType.MESSAGE, message=message))


@pytest.mark.parametrize("path", sorted(DATA.glob("*.fstrm")), ids=lambda path: path.stem)
def test_captures_give_the_text_of_the_go_tool(path: Path) -> None:
    text = "".join([render("yaml", Dnstap.parse(payload)) for payload in read_frames(path)])
    assert text.encode("utf-8", "surrogateescape") == gzip.decompress(path.with_suffix(".y.yaml.gz").read_bytes())


def test_keys_are_in_the_order_of_the_go_tool() -> None:
    message = Message(
        type=MessageType.AUTH_RESPONSE,
        socket_family=SocketFamily.INET6,
        socket_protocol=SocketProtocol.DOQ,
        query_address=b"\xc0\0\2\1",
        response_address=b"",
        query_port=0,
        response_port=2,
        query_time_sec=1,
        query_time_nsec=0,
        query_zone=b"\3org\0",
        response_time_sec=2,
        response_time_nsec=500_000_000,
        response_message=b"",
    )
    assert rendered(message, b"") == (
        'type: MESSAGE\nidentity: ""\nmessage:\n  type: AUTH_RESPONSE\n'
        "  query_time: !!timestamp 1970-01-01 00:00:01\n  response_time: !!timestamp 1970-01-01 00:00:02.5\n"
        "  socket_family: INET6\n  socket_protocol: 7\n  query_address: 192.0.2.1\n  response_address: <nil>\n"
        '  query_port: 0\n  response_port: 2\n  query_zone: "org."\n'
        "  # response_message: parse failed: dns: overflow unpacking uint16\n---\n"
    )


def test_absent_enums_are_left_out() -> None:
    assert rendered(Message()) == "type: MESSAGE\nmessage:\n  type: 0\n---\n"


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (bytes(15) + b"\1", "::1"),
        (bytes(16), '"::"'),
        (b"\xfe\x80" + bytes(14), '"fe80::"'),
        (bytes.fromhex("00010002000300040005000600070008"), '"1:2:3:4:5:6:7:8"'),
        (bytes.fromhex("00100011001200130014001500160060"), "10:11:12:13:14:15:16:60"),
    ],
)
def test_quotes_addresses_that_yaml_would_misread(address: bytes, text: str) -> None:
    message = Message(type=MessageType.CLIENT_QUERY, query_address=address)
    assert f"  query_address: {text}\n" in rendered(message)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", '"plain"'),
        ('"\\', '"\\"\\\\"'),
        ("\a\b\f\n\r\t\v", '"\\a\\b\\f\\n\\r\\t\\v"'),
        ("\0\x1b\x7f", '"\\x00\\x1b\\x7f"'),
        ("caf\xe9\udcff", '"caf\xe9\\xff"'),
        ("\x85\u2028\U000e0001", '"\\u0085\\u2028\\U000e0001"'),
    ],
)
def test_quotes_as_go_does(text: str, expected: str) -> None:
    assert quoted(text) == expected


@given(st.text(max_size=30))
def test_quoted_text_loads_as_itself(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()  # no surrogates
    assert yaml.safe_load(quoted(text)) == text


EDGES = [0, 253_402_300_799, 253_402_300_800, 253_402_214_399, 253_402_214_400, 2**63 - 1]
# Before 1970 they are negative in Go.
EDGES += [
    2**64 - 62_135_596_800,
    2**64 - 62_135_596_801,
    2**64 - 62_135_510_400,
    2**64 - 62_167_219_200,
    2**63,
    2**64 - 1,
]


@given(
    st.sampled_from(EDGES) | st.integers(0, 2**64 - 1) | st.integers(253_402_200_000, 253_402_400_000),
    st.sampled_from([0, 5, 999_999_999, 2**32 - 1]),
    st.sampled_from([None, "utc", "Pacific/Kiritimati", "America/Adak"]),
)
def test_times_of_all_years_load(seconds: int, nanoseconds: int, time_zone: str | None) -> None:
    message = Message(type=MessageType.CLIENT_QUERY, query_time_sec=seconds, query_time_nsec=nanoseconds)
    text = render("yaml", Dnstap(type=DnstapType.MESSAGE, message=message), Style(time_zone))
    signed = (seconds + 2**63) % 2**64 - 2**63 + nanoseconds // 10**9
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        time = next(yaml.load_all(text, loader))["message"]["query_time"]
        if isinstance(time, datetime):
            time = time if time.tzinfo else time.replace(tzinfo=UTC)
            assert (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) == signed
        else:
            assert isinstance(time, str)
            # All times but those of datetime's first and last day in a time zone, which it may not have in UTC.
            assert not -62_135_596_800 + 86_400 <= signed < 253_402_300_800 - 86_400
            assert time_zone not in (None, "utc") or not -62_135_596_800 <= signed < 253_402_300_800


HOSTILE_TEXT = "caf\u00e9 \x85\x9b\x7f \u202e\u2066\u200f \u2028 \U000e0001 \ue000".encode() + b"\xff\n"


def test_a_terminal_gets_nothing_that_cannot_be_seen() -> None:
    option = struct.pack(">HHH", 15, 2 + len(HOSTILE_TEXT), 0) + HOSTILE_TEXT
    opt = b"\0" + struct.pack(">HHIH", 41, 1232, 0, len(option)) + option
    wire = struct.pack(">6H", 7, 0x8180, 0, 0, 0, 1) + opt
    message = Message(type=MessageType.CLIENT_RESPONSE, response_message=wire)
    dnstap = Dnstap(HOSTILE_TEXT, type=DnstapType.MESSAGE, message=message)
    text = render("yaml", dnstap, Style(terminal=True))
    assert text.replace("\n", "").replace("\t", "").isprintable()
    assert r"(café \194\133\194\155\127 \226\128\174" in text
    assert "\u202e" in render("yaml", dnstap)
    loaded = yaml.safe_load(text.removesuffix("---\n"))
    assert loaded["message"]["response_message"].splitlines()[1].endswith("ADDITIONAL: 1")


def test_a_terminal_gets_usual_text_as_it_is() -> None:
    on_a_terminal = renderer("yaml", Style(terminal=True))
    for payload in read_frames(DATA / "unbound-unix.fstrm"):
        dnstap = Dnstap.parse(payload)
        assert on_a_terminal(dnstap) == render("yaml", dnstap)
