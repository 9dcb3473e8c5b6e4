"""dnstap.dns.names: names with their pointers, limits and escapes; character strings."""

import pytest

from dnstap.dns.names import NameMemo, labels_text, name_octets, unpack_name, unpack_string, without_blanks
from dnstap.dns.walker import WalkError
from dnstap.errors import DnsMessageError

BUFFER = "dns: buffer size too small"
RDATA = "dns: bad rdata"
LONG = "dns: domain name exceeded 255 wire-format octets"
POINTERS = "dns: too many compression pointers"


def pointer(target: int) -> bytes:
    return (0xC000 | target).to_bytes(2, "big")


def read(wire: bytes, offset: int = 0) -> tuple[str, int]:
    """The name there; with a memo twice, which must not change anything."""
    result = unpack_name(wire, offset, len(wire))
    memo: NameMemo = {}
    assert unpack_name(wire, offset, len(wire), memo) == result
    assert unpack_name(wire, offset, len(wire), memo) == result
    return result


def error(wire: bytes, offset: int = 0, memo: NameMemo | None = None) -> str:
    with pytest.raises(DnsMessageError) as caught:
        unpack_name(wire, offset, len(wire), memo)
    return str(caught.value)


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b"\0", "."),
        (b"\3www\7example\3com\0", "www.example.com."),
        (b"\3WwW\0", "WwW."),
        (b"\1*\5_a-b$\0", "*._a-b$."),
        (b"\11.' @;()\"\\\0", "\\.\\'\\ \\@\\;\\(\\)\\\"\\\\."),
        (b"\6\0\t\x1f\x7f\x80\xff\0", "\\000\\009\\031\\127\\128\\255."),
        (b"\5!#&*~\0", "!#&*~."),
    ],
)
def test_labels(wire: bytes, text: str) -> None:
    assert read(wire) == (text, len(wire))
    assert read(b"..." + wire + b"behind", 3) == (text, 3 + len(wire))


def test_pointers() -> None:
    wire = b"\7example\3com\0" + b"\3www" + pointer(0) + pointer(13) + pointer(12)
    assert read(wire, 13) == ("www.example.com.", 19)
    assert read(wire, 19) == ("www.example.com.", 21)
    assert read(wire, 21) == (".", 23)


def test_pointer_forward() -> None:
    wire = pointer(5) + b"\1x\0" + b"\1y" + pointer(2)
    assert read(wire) == ("y.x.", 2)
    # The name behind the pointer is then known, and so is where it ends.
    memo: NameMemo = {}
    assert unpack_name(wire, 0, len(wire), memo) == ("y.x.", 2)
    assert unpack_name(wire, 5, len(wire), memo) == ("y.x.", 9)
    assert unpack_name(wire, 2, len(wire), memo) == ("x.", 5)


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"", BUFFER),
        (b"\3ww", BUFFER),
        (b"\3www", BUFFER),
        (b"\xc0", BUFFER),
        (pointer(2), BUFFER),
        (pointer(0x3FFF), BUFFER),
        (b"\x40" + bytes(64), RDATA),
        (b"\1a\xbf", RDATA),
        (pointer(0), POINTERS),
        (pointer(2) + pointer(0), POINTERS),
        (b"\1a" + pointer(0), POINTERS),
        (b"\2aa" + pointer(0), LONG),
    ],
)
def test_errors(wire: bytes, reason: str) -> None:
    assert error(wire) == reason
    assert error(wire, memo={}) == reason


@pytest.mark.parametrize("length", [59, 60, 61])
def test_up_to_254_octets_of_labels(length: int) -> None:
    # Three labels of 64 octets before it; the root makes 255.
    wire = (b"\x3f" + b"a" * 63) * 3 + bytes([length]) + b"b" * length + b"\0"
    assert read(wire) == (("a" * 63 + ".") * 3 + "b" * length + ".", len(wire))


def test_254_octets_of_labels_are_the_most() -> None:
    start = (b"\x3f" + b"a" * 63) * 3
    assert error(start + b"\x3e" + bytes(62) + b"\0") == LONG
    # The limit comes before the end of the octets does, but after that of the label.
    assert error(start + b"\x3e" + bytes(62)) == LONG
    assert error(start + b"\x3e" + bytes(61)) == BUFFER


@pytest.mark.parametrize("known", [False, True])
def test_126_pointers_are_the_most(known: bool) -> None:
    # Pointer n at offset 1 + 2 * n leads to the one before it; the first leads to the root.
    wire = b"\0" + pointer(0) + b"".join(pointer(1 + 2 * index) for index in range(126))
    memo: NameMemo = {}
    if known:
        assert unpack_name(wire, 1 + 2 * 125, len(wire), memo) == (".", 253)
    assert unpack_name(wire, 1 + 2 * 125, len(wire), memo) == (".", 253)
    assert error(wire, 1 + 2 * 126, memo) == POINTERS


def test_known_tail_that_makes_the_name_too_long() -> None:
    tail = b"".join(b"\x0f" + b"a" * 15 for _ in range(15)) + b"\0"
    wire = tail + b"\x0c" + b"b" * 12 + pointer(0) + b"\x0e" + b"b" * 14 + pointer(0)
    memo: NameMemo = {}
    assert len(unpack_name(wire, len(tail), len(wire), memo)[0]) == 253
    assert error(wire, len(tail) + 15, memo) == LONG


def test_known_tail_that_reaches_beyond_the_end() -> None:
    wire = pointer(4) + pointer(0) + b"\3www\0"
    memo: NameMemo = {}
    assert unpack_name(wire, 2, 9, memo) == ("www.", 4)
    for end in (8, 7, 5, 4):
        with pytest.raises(DnsMessageError, match=BUFFER):
            unpack_name(wire, 2, end, memo)
    assert unpack_name(wire, 2, 9, memo) == ("www.", 4)


@pytest.mark.parametrize(
    ("wire", "octets", "behind"), [(b"\0", b"", 1), (b"\3a\0\xff", b"a\0\xff", 4), (b"\1ab", b"a", 2)]
)
def test_strings(wire: bytes, octets: bytes, behind: int) -> None:
    assert unpack_string(wire, 0, len(wire)) == (octets, behind)


@pytest.mark.parametrize(("wire", "end"), [(b"", 0), (b"\3abc", 0), (b"\3ab", 3), (b"\3abc", 3)])
def test_cut_strings(wire: bytes, end: int) -> None:
    with pytest.raises(DnsMessageError, match=r"^dns: overflow unpacking txt$"):
        unpack_string(wire, 0, end)


@pytest.mark.parametrize(
    "labels",
    [b"\0", b"\3www\7example\3com\0", b"\x20" + b"a" * 32 + b"\0", b"\x21" + b"a" * 33 + b"\0", b"\4a\0.b\3 \xff!\0"],
)
def test_labels_without_a_pointer(labels: bytes) -> None:
    assert labels_text(labels) == read(labels)[0]
    if len(labels) > 1:
        assert labels_text(labels[:-1], root=False) == read(labels)[0]
        with pytest.raises(WalkError):
            labels_text(labels[:-1])
        with pytest.raises(WalkError):
            labels_text(labels, root=False)


@pytest.mark.parametrize(
    "labels",
    [b"", b"\3ww", b"\3ww\0", b"\3www\0\0", b"\3www\xc0\x0c", b"\x40" + bytes(65), (b"\x3f" + bytes(63)) * 4 + b"\0"],
)
def test_no_labels(labels: bytes) -> None:
    with pytest.raises(WalkError):
        labels_text(labels)


def test_names_without_blanks() -> None:
    for label, text in (b"a b", r"a\032b."), (b"\\ ", r"\\\032."), (b"a\\", r"a\\."), (b"  \t", r"\032\032\009."):
        assert without_blanks(labels_text(bytes([len(label)]) + label + b"\0")) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (".", b"\0"),
        ("org", b"\3org\0"),
        ("WWW.Example.ORG.", b"\3WWW\7Example\3ORG\0"),
        (r"a\.b\065.org", b"\4a.bA\3org\0"),
        (r"a\\.org", b"\2a\\\3org\0"),
        (".".join(["a" * 63] * 3 + ["b" * 61]), (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\0"),
    ],
)
def test_octets_of_names(text: str, name: bytes) -> None:
    assert name_octets(text) == name


@pytest.mark.parametrize(
    "text", ["", "..", "a..b", ".a", "a" * 64, r"a\256", r"a\25", "a\\", ".".join(["a" * 63] * 3 + ["b" * 62])]
)
def test_no_octets_of_what_is_no_name(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (who asks knows where the text stands)
        name_octets(text)
