"""dnstap.fields.kinds: the texts of values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dnstap.dns.text import FLAGS
from dnstap.fields import kinds
from dnstap.fields.kinds import MAX_ITEMS, MAX_KEY, MAX_SECONDS, MAX_TEXTS, Notation, Remembered, enum_kind, name_text
from dnstap.schema.enums import SocketProtocol

if TYPE_CHECKING:
    from dnstap.fields.kinds import Kind

PLAIN = Notation(str)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (enum_kind(SocketProtocol), 7, "DOQ"),
        (enum_kind(SocketProtocol), SocketProtocol.DOT, "DOT"),
        (enum_kind(SocketProtocol), 99, "99"),
        (kinds.DIRECTION, True, "Q"),
        (kinds.DIRECTION, False, "R"),
        (kinds.NUMBER, 5, "5"),
        (kinds.COUNT, 5, "5"),
        (kinds.PORT, 53, "53"),
        (kinds.SIZE, 5, "5b"),
        (kinds.OPCODE, 4, "NOTIFY"),
        (kinds.OPCODE, 7, "OPCODE7"),
        (kinds.RCODE, 3, "NXDOMAIN"),
        (kinds.RCODE, 14, "RCODE14"),
        (kinds.RCODE, 16, "BADVERS"),
        (kinds.TYPE, 65, "HTTPS"),
        (kinds.CLASS, 255, "CLASS255"),
        (kinds.FLAGS, 0x8583, "qr,aa,rd,ra"),
        (kinds.DURATION, 1_500_500, "1.500ms"),
        (kinds.DURATION, -1_500_500, "-1.500ms"),
        (kinds.TIME, 1_999_999_999, "1.999999"),
        (kinds.ADDRESS, b"\xc0\0\2\1", "192.0.2.1"),
        (kinds.NAME, b"\3a b\3Org\0", "a\\032b.Org."),
        (kinds.BYTES, b"my \xff\x1b\\", "my\\032\\255\\027\\"),
        (kinds.BOOLEAN, True, "true"),
        (kinds.BOOLEAN, False, "false"),
        (kinds.NUMBERS, (22, 3), "22,3"),
        (kinds.TYPES, (28, 999), "AAAA,TYPE999"),
        (kinds.CLASSES, (1, 255), "IN,CLASS255"),
        (kinds.OCTETS, b"\0\xab", "00ab"),
        (kinds.SUBNET, (4, 8, 0xC00002), "192.0.2.0/24"),
        (kinds.SUBNET, (16, 128, 0), "::/0"),
        (kinds.TEXTS, ("192.0.2.1", 'a "b"\x1b'), '192.0.2.1,a\\032"b"\\027'),
        (kinds.TEXTS, ("a,b", "c"), "a\\044b,c"),
        (kinds.PEER, "192.0.2.1:53", "192.0.2.1:53"),
        (kinds.PEER, "/run/my dnstap[7]", "/run/my\\032dnstap[7]"),
    ],
)
def test_texts(kind: Kind, value: Any, text: str) -> None:
    text_of = kind.texts(PLAIN)
    # A second time, since many are remembered.
    assert (text_of(value), text_of(value)) == (text, text)


def test_all_flags() -> None:
    assert kinds.FLAGS.texts(PLAIN)(0xFFFF) == ",".join([name for _, name in FLAGS])


def test_without_escapes() -> None:
    raw = Notation(str, escape=False)
    assert kinds.BYTES.texts(raw)(b"my \xff\x1b") == "my\\032\udcff\x1b"


def test_times_with_a_date_are_one_word() -> None:
    assert kinds.TIME.texts(Notation(lambda second: f"day {second}"))(0) == "dayT0.000000"


def test_seconds_are_remembered_and_bounded() -> None:
    asked = []

    def clock(second: int) -> str:
        asked.append(second)
        return f"{second}"

    text = kinds.TIME.texts(Notation(clock))
    for second in (*range(MAX_SECONDS), 7, MAX_SECONDS, 7):
        assert text(second * 10**9) == f"{second}.000000"
    assert asked == [*range(MAX_SECONDS), MAX_SECONDS, 7]


def test_name_text() -> None:
    assert name_text(b"\3a.b\3org\0") == "a\\.b.org."


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (enum_kind(SocketProtocol), 7, "DOQ"),
        (enum_kind(SocketProtocol), 99, "99"),
        (kinds.DIRECTION, True, "Q"),
        (kinds.BOOLEAN, False, False),
        (kinds.SIZE, 5, 5),
        (kinds.DURATION, -1_500_500, -1_500_500),
        (kinds.TIME, 1_999_999_999, 1_999_999_999),
        (kinds.NUMBERS, (22, 3), (22, 3)),
        (kinds.TYPES, (28, 999), ("AAAA", "TYPE999")),
        (kinds.CLASSES, (1, 255), ("IN", "CLASS255")),
        (kinds.OCTETS, b"\0\xab", "00ab"),
        (kinds.RCODE, 16, "BADVERS"),
        (kinds.TYPE, 65, "HTTPS"),
        (kinds.FLAGS, 0x8583, ("qr", "aa", "rd", "ra")),
        (kinds.ADDRESS, b"\xc0\0\2\1", "192.0.2.1"),
        (kinds.NAME, b"\3a b\3Org\0", "a\\032b.Org."),
        (kinds.SUBNET, (4, 8, 0xC00002), "192.0.2.0/24"),
        (kinds.BYTES, b"my \xff\x1b\n\t\\", "my \\255\\027\\010\\009\\\\"),
        (kinds.TEXTS, ("a, b", "c\x1b\n"), ("a, b", "c\\027\\010")),
        (kinds.PEER, "/run/my dnstap[7]", "/run/my dnstap[7]"),
    ],
)
def test_values_in_rows(kind: Kind, value: Any, expected: Any) -> None:
    found = kind.in_row(value) if kind.in_row else value
    assert found == expected
    assert type(found) is kind.python_type


def test_what_is_remembered() -> None:
    asked = []

    def make(value: Any) -> str:
        asked.append(value)
        return f"<{value!r}>"

    remembered = Remembered(make, "nothing")
    assert [remembered[value] for value in (None, 5, None, 5)] == ["nothing", "<5>"] * 2
    assert asked == [5]
    for long in (b"x" * (MAX_KEY + 1), "x" * (MAX_KEY + 1), (1,) * (MAX_ITEMS + 1)):
        assert [remembered[long] for _ in range(2)] == [f"<{long!r}>"] * 2
    assert len(asked) == 7
    assert [remembered[(1,) * MAX_ITEMS] for _ in range(2)] == [f"<{(1,) * MAX_ITEMS!r}>"] * 2
    assert len(asked) == 8
    for value in range(2 * MAX_TEXTS):
        assert remembered[value] == f"<{value}>"
        assert len(remembered) <= MAX_TEXTS
    assert remembered[None] == "nothing"
