"""dnstap.dns.escapes: text of octets as miekg/dns writes it, and times of any year."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap.dns.escapes import (
    escaped,
    escaped_text,
    octet_text,
    printable,
    quoted,
    raw_text,
    string_text,
    time_text,
    unescaped_bytes,
)

FORM = "%04d-%02d-%02d %02d:%02d:%02d"


def test_strings() -> None:
    assert string_text(b"plain text") == "plain text"
    assert string_text(b'a"\\\x00\xff b') == r"a\"\\\000\255 b"
    assert quoted((b"a", b"b c", b"")) == '"a" "b c" ""'
    assert quoted(()) == ""


def test_special_characters() -> None:
    assert escaped(b'a;b" \x07', '"; ') == r"a\;b\"\ \007"


def test_bytes_that_are_not_utf8_survive() -> None:
    text = raw_text(b"\xc3\xa9\xff")
    assert text == "é\udcff"
    assert text.encode("utf-8", "surrogateescape") == b"\xc3\xa9\xff"


def test_unprintable_characters() -> None:
    assert printable("plain é") == "plain é"
    assert printable("a\tb\x7f\udcff\N{LINE SEPARATOR}") == r"a\009b\127\255\226\128\168"


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"plain", '"plain"'),
        # Escapes are resolved and written anew; that of a dot stays, and a lone backslash at the end is lost.
        (rb"x\099", '"xc"'),
        (rb"a\.b\q\"", r'"a\.bq\""'),
        (b"end\\", '"end"'),
        # Go computes in 8 bits.
        (rb"a\300", '"a,"'),
        (b"\xff\n", r'"\255\010"'),
    ],
)
def test_octets_that_go_escapes_twice(octets: bytes, text: str) -> None:
    assert octet_text(octets) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01 00:00:00"),
        (-1, "1969-12-31 23:59:59"),
        (951_782_400, "2000-02-29 00:00:00"),
        (4_107_542_399, "2100-02-28 23:59:59"),
        (4_107_542_400, "2100-03-01 00:00:00"),
        (253_402_300_800, "10000-01-01 00:00:00"),
        ((1 << 48) - 1, "8921556-12-07 10:44:15"),
    ],
)
def test_times(seconds: int, text: str) -> None:
    assert time_text(seconds, FORM) == text


@given(st.binary(max_size=20) | st.text("ab\\\\019\n\t\x1b\x85\u202e\u00e9\U0001f600 ", max_size=20).map(str.encode))
def test_bytes_come_back_from_their_text(data: bytes) -> None:
    text = escaped_text(data)
    assert unescaped_bytes(text) == data
    assert text.replace("\n", "").replace("\t", "").isprintable()
    text.encode()


def test_texts_of_bytes() -> None:
    assert escaped_text(b"rtt=39\n") == "rtt=39\n"
    assert escaped_text("caf\u00e9 \\ \x1b \x85 \u202e\u202e \U000e0001".encode() + b"\xff") == (
        r"caf\u00e9 \\ \027 \194\133 \226\128\174\226\128\174 \243\160\128\129\255".replace(r"\u00e9", "\u00e9")
    )


@pytest.mark.parametrize("text", ["\\", "a\\b", r"\12", r"\256", r"\1x2", "\\\\\\"])
def test_texts_of_no_bytes(text: str) -> None:
    with pytest.raises(ValueError, match="a backslash and a number from 000 to 255, got"):
        unescaped_bytes(text)
