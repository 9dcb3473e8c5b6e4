"""Hostile DNS messages in valid payloads: every format stays well-formed and safe for a terminal, in bounded time."""

from __future__ import annotations

import csv
import json
import struct
import time
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dnstap import FORMATS, Dnstap, DnstapType, Message, MessageType, Style, render
from dnstap.fields.catalogue import FIELDS
from tests.dnstap.dns.test_cached_texts import EXAMPLE, IN_A, IN_NAME, message, opt, record

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY_LIMIT = 65_000
NASTY = b"\0\n\r\t\"'<&>\\%\x1b[31m\x07\x7f\x80\xff" + "\x85\u2028\u2029\ufeff".encode()

NASTY_OPTIONS = b"".join(struct.pack(">HH", code, len(NASTY)) + NASTY for code in (3, 4, 10, 12, 15, 65001))
CHAIN = b"".join(struct.pack(">H", 0xC000 | 31 + 2 * number) for number in range(2000))


def many(part: bytes) -> bytes:
    """Return a message full of these records, with larger counts in its header."""
    records = part * (BODY_LIMIT // len(part))
    return struct.pack(">6H", 7, 0x8180, 1, 65535, 65535, 65535) + EXAMPLE + IN_A + records


HOSTILE = {
    "a name that points to itself": message(record(1, b"\1\2\3\4", b"\xc0\x1d")),
    "a loop of two": message(record(2, b"\xc0\x2b\xc0\x29")),
    "a loop in the question": struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\1a" + IN_NAME + IN_A,
    "a pointer forward": message(record(2, b"\xc0\x38"), record(16, b"\0\1b\0")),
    "255 octets": message(name=(b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\0"),
    "256 octets": message(name=(b"\x3f" + b"a" * 63) * 3 + b"\x3e" + b"b" * 62 + b"\0"),
    "rdata that is cut off": message(record(6, b"\0\0\0")),
    "counts that are wrong": message(record(1, b"\1\2\3\4"), counts=(9, 9, 9)),
    "no octets": b"",
    "nasty names": message(record(5, b"%c%b\0" % (len(NASTY), NASTY)), name=b"%c%b\0" % (len(NASTY), NASTY)),
    "nasty texts": message(record(16, b"%c%b" % (len(NASTY), NASTY)), record(257, b"\0\5issue" + NASTY)),
    "nasty octets": message(record(10, NASTY), record(999, NASTY)),
    "nasty options": message(opt(NASTY_OPTIONS), counts=(0, 0, 1)),
    "thousands of addresses": many(record(1, b"\1\2\3\4")),
    "thousands of names": many(record(2, b"\1a\xc0\x0c", b"\1b\xc0\x14")),
    "thousands of texts": many(record(16, b"\3\x1b[m")),
    "thousands of empty options": many(opt(b"\0\3\0\0" * 10)),
    "thousands of pointers": many(record(55, b"\0\0\0\0" + IN_NAME * 1000)),
    "a long chain of pointers": many(record(999, CHAIN)),
    "a bitmap of all types": message(record(47, b"\0" + b"".join(bytes((n, 32)) + b"\xff" * 32 for n in range(256)))),
}


def dnstap(wire: bytes) -> Dnstap:
    fields: dict[str, Any] = {"query_message": wire, "response_message": wire}
    return Dnstap(NASTY, NASTY, NASTY, Message(MessageType.CLIENT_RESPONSE, **fields), DnstapType.MESSAGE)


@pytest.fixture
def long_fields() -> Iterator[None]:
    """Let the csv module read the longest texts."""
    before = csv.field_size_limit(1 << 24)
    yield
    csv.field_size_limit(before)


@pytest.mark.usefixtures("long_fields")
@pytest.mark.parametrize("wire", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_stays_well_formed(name: str, wire: bytes) -> None:
    assert len(wire) < 65536
    began = time.process_time()
    text = render(name, dnstap(wire))
    assert time.process_time() - began < 10
    # No lone surrogates, and no control characters except those that Go does not escape in JSON.
    allowed = ["\n", "\t", *map(chr, range(0x7F, 0xA0) if name == "json" else ())]
    assert not any(unicodedata.category(character) == "Cc" for character in set(text) - set(allowed))
    text.encode()
    if name == "quiet":
        assert text.count("\n") == 1
    elif name in ("csv", "tsv"):
        assert text.count("\n") == 1
        (record,) = csv.DictReader([text], [*FIELDS], delimiter="," if name == "csv" else "\t", strict=True)
        assert record["type"] == "CLIENT_RESPONSE"
    elif name.startswith("json"):
        assert text.count("\n") == 1
        assert json.loads(text)["type"] == "MESSAGE"
    else:
        (document,) = [found for found in yaml.load_all(text, yaml.CSafeLoader) if found]
        assert document["type"] == "MESSAGE"


@pytest.mark.parametrize("wire", HOSTILE.values(), ids=HOSTILE)
def test_lines_of_fields(wire: bytes) -> None:
    text = render("quiet", dnstap(wire), Style("utc", fields=tuple(FIELDS)))
    assert text[:-1].isprintable()
    assert len(text.split(" ")) == len(FIELDS)
    text = render("json", dnstap(wire), Style(fields=("all",)))
    assert text[:-1].isprintable()
    assert [*json.loads(text)] == [*FIELDS]


@pytest.mark.parametrize("name", ["a name that points to itself", "rdata that is cut off", "256 octets", "no octets"])
def test_the_fault_is_named(name: str) -> None:
    message = dnstap(HOSTILE[name])
    assert render("quiet", message).endswith(" X \n")
    assert "# response_message: parse failed: dns: " in render("yaml", message)
    assert '"response_message":"parse failed: dns: ' in render("json", message)
    for full in "json-full", "yaml-full":
        loaded = yaml.safe_load(render(full, message))
        assert loaded["message"]["response_message"]["error"].startswith("dns: ")
