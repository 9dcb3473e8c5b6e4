"""dnstap.filters.grammar: expressions, and the errors of wrong ones."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from dnstap import FilterError, compile_filter
from dnstap.fields.catalogue import FIELDS
from dnstap.filters.grammar import MAX_DEPTH
from tests.dnstap.filters.examples import matches, response

TESTS = ", ".join([*FIELDS, "address", "port"])
if TYPE_CHECKING:
    from pathlib import Path

A_TIME = "a time such as 2026-11-23T21:45:12.973Z, 21:45:12, 1795470312.973 or -1h"
A_TEST = f"a test: (, not, has, flag, or a field: one of {TESTS}"


@pytest.mark.parametrize(
    ("text", "position", "expected", "came"),
    [
        ("", 0, A_TEST, "the end"),
        ("  ", 2, A_TEST, "the end"),
        ("qnme = a", 0, A_TEST, "'qnme'"),
        ('"type" = CQ', 0, A_TEST, "'\"type\"'"),
        ("type = CQ and", 13, A_TEST, "the end"),
        ("(type = CQ) or )", 15, A_TEST, "')'"),
        ("has", 3, f"a field: one of {TESTS}", "the end"),
        ("has nonsense", 4, f"a field: one of {TESTS}", "'nonsense'"),
        ("flags = RD", 0, "flag and one of qr, aa, tc, rd, ra, z, ad, cd", "'flags'"),
        ("flag XX", 5, "one of qr, aa, tc, rd, ra, z, ad, cd", "'XX'"),
        ("type", 4, "an operator: =, !=, in or not in", "the end"),
        ("type CQ", 5, "an operator: =, !=, in or not in", "'CQ'"),
        ('type "="', 5, "an operator: =, !=, in or not in", "'\"=\"'"),
        ("type < CQ", 5, "an operator of this field: =, !=, in or not in", "'<'"),
        ("size ~ a", 5, "an operator of this field: =, !=, in, <, <=, >, >= or not in", "'~'"),
        ("identity under a", 9, "an operator of this field: =, !=, in, ~, like or not in", "'under'"),
        ("qname not under a", 10, "in", "'under'"),
        ("type = XX", 7, "a message type such as CLIENT_QUERY or CQ or a number", "'XX'"),
        ("type = 2147483648", 7, "a message type such as CLIENT_QUERY or CQ or a number", "'2147483648'"),
        ("qr = S", 5, "Q or R", "'S'"),
        ("family = 0x1", 9, "INET, INET6 or a number", "'0x1'"),
        ("type = (CQ)", 7, "a message type such as CLIENT_QUERY or CQ or a number", "'('"),
        ("type in CQ", 8, "( and values, or @ and a file", "'CQ'"),
        ("type in (CQ", 11, ", or )", "the end"),
        ("type in ()", 9, "a message type such as CLIENT_QUERY or CQ or a number", "')'"),
        ("port = 65536", 7, "a port (0 to 65535)", "'65536'"),
        ("port > -1", 7, "a port (0 to 65535)", "'-1'"),
        ("port = " + "9" * 50, 7, "a port (0 to 65535)", f"'{'9' * 40}...'"),
        ("client = 192.0.2.0/24", 9, "an address", "'192.0.2.0/24'"),
        ("client = fe80::1%eth0", 9, "an address", "'fe80::1%eth0'"),
        ("client in 192.0.2.1/24", 10, "a network or an address", "'192.0.2.1/24'"),
        ("time > 2023-13-01", 7, A_TIME, "'2023-13-01'"),
        ("time > yesterday", 7, A_TIME, "'yesterday'"),
        ("time > 2026", 7, A_TIME, "'2026'"),
        ("time > 1764500000123", 7, A_TIME, "'1764500000123'"),
        ("time > -1w", 7, A_TIME, "'-1w'"),
        ("latency > 20", 10, "a duration such as 20ms, 1.5s or 300us", "'20'"),
        ("size > 4q", 7, "a number of bytes such as 512, 4k or 1MiB", "'4q'"),
        ("type = CQ# no comment", 7, "a message type such as CLIENT_QUERY or CQ or a number", "'CQ#'"),
        ("type = # CQ", 11, "a message type such as CLIENT_QUERY or CQ or a number", "the end"),
        ("# nothing\n", 10, A_TEST, "the end"),
        ("latency > 0.5ns", 10, "a duration such as 20ms, 1.5s or 300us", "'0.5ns'"),
        ("qtype = TYPE65536", 8, "a record type such as AAAA, TYPE65 or 65", "'TYPE65536'"),
        ("rcode = NOPE", 8, "an rcode such as NXDOMAIN, RCODE3 or 3", "'NOPE'"),
        ("qname = a..b", 8, "a domain name", "'a..b'"),
        ("qname = a\\", 8, "a domain name", "'a\\\\'"),
        ('qname = "a b"', 8, "a domain name", "'\"a b\"'"),
        ('qname = "a\t"', 8, "a domain name", "'\"a\\t\"'"),
        ("qname = @names", 8, "a domain name", "'@names'"),
        ("identity ~ @names", 11, "a regular expression", "'@names'"),
        ("qname in @", 9, "@ and the name of a file", "'@'"),
        ("qname in (a, @)", 13, "@ and the name of a file", "'@'"),
        ('qname in @""', 9, "@ and the name of a file", "'@\"\"'"),
        ('qname in @"a\0b"', 9, "@ and the name of a file", "'@\"a\\x00b\"'"),
        ('qname in @"names', 9, "@ and the name of a file", "'@'"),
        ("@names", 0, A_TEST, "'@names'"),
        ("type = CQ @and qr = Q", 10, "and, or, or the end", "'@and'"),
        ("qname = a\\999", 8, "a domain name", "'a\\\\999'"),
        ("qname = a\\1", 8, "a domain name", "'a\\\\1'"),
        ('qname = ""', 8, "a domain name", "'\"\"'"),
        (f"qname = {'a' * 64}", 8, "a domain name", f"'{'a' * 40}...'"),
        (f"qname = {'.'.join(['abc'] * 64)}", 8, "a domain name", f"'{'abc.' * 10}...'"),
        ('identity = ""', 11, "a text that is not empty", "'\"\"'"),
        ("identity = \ud800", 11, "a text that is not empty", "'\\ud800'"),
        (
            'qname ~ "("',
            8,
            "a regular expression (missing ), unterminated subpattern at position 0)",
            "'\"(\"'",
        ),
        ("qname ~", 7, "a regular expression", "the end"),
        ("qname like", 10, "a glob such as ad?.*", "the end"),
        ("qname like (a)", 11, "a glob such as ad?.*", "'('"),
        ('qname like ""', 11, "a glob such as ad?.* (1 to 2000 characters)", "'\"\"'"),
        ("qname like [z-a]", 11, "a glob such as ad?.* (bad character range z-a)", "'[z-a]'"),
        (
            f"identity like {'a' * 501}",
            14,
            "a glob such as ad?.* (more than 500 characters, with repetitions written out)",
            f"'{'a' * 40}...'",
        ),
        ("size like 5*", 5, "an operator of this field: =, !=, in, <, <=, >, >= or not in", "'like'"),
        ('identity = "abc', 11, 'a text with a " at its end', "the end"),
        ("rcode ! 3", 6, "!=", "'!'"),
        ("type = CQ type = CR", 10, "and, or, or the end", "'type'"),
        ("type = CQ)", 9, "and, or, or the end", "')'"),
        ("(type = CQ", 10, "and, or, or )", "the end"),
    ],
)
def test_errors_have_position_and_expectation(text: str, position: int, expected: str, came: str) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(text)
    error = caught.value
    assert (error.text, error.position, error.expected, error.got) == (text, position, expected, came)


def test_the_text_of_errors() -> None:
    ten = "type = CQ or " * 10
    for text, shown in {
        "type = CQ and port = x": "type = CQ and port = x\n                       ^",
        # White space is shown as spaces, so that the caret is in the right column.
        "type\n=\tCQ and port = x": "type = CQ and port = x\n                       ^",
        f"{ten}port = x": "... type = CQ or type = CQ or type = CQ or type = CQ or port = x\n" + " " * 65 + "^",
        f"port = x or {ten}": f"port = x or {ten[:88]}...\n         ^",
    }.items():
        with pytest.raises(FilterError) as caught:
            compile_filter(text)
        assert str(caught.value) == f"expected a port (0 to 65535), got 'x'\n  {shown}"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("qnam = example.org", "did you mean qname?"),
        ("has clientport", "did you mean client_port?"),
        ("adress = ::1", "did you mean address?"),
        ("qtype = AAA", "did you mean AAAA?"),
        ("qtype in (A, dnskye)", "did you mean DNSKEY?"),
        ("rcode = nxdomian", "did you mean NXDOMAIN?"),
        ("type = CLIENT_QUERRY", "did you mean CLIENT_QUERY?"),
        ("opcode = QERY", "did you mean QUERY?"),
        ("protocol = UPD", "did you mean UDP?"),
        ("qname undr org", "did you mean under?"),
        ("qname LIK *.org", "did you mean like?"),
        ("type contains CQ", ""),
        ("flag rdd", "did you mean rd?"),
        ("client = 10.0.0.0/8", "for a network: client in 10.0.0.0/8"),
        ("address != 2001:db8::1/32", "for a network: client in 2001:db8::/32"),
        ("server in 192.0.2.1/24", "for a network: server in 192.0.2.0/24"),
        ("client in (::1, 300.0.0.0/8)", ""),
        (
            "qname = *.example.org",
            r"for all names below a name: qname under example.org; for the name with a star: \*.example.org",
        ),
        ("zone under *.org", r"for all names below a name: zone under org; for the name with a star: \*.org"),
        ("qname in (a, ww*.org)", r"for a pattern: qname like ww*.org; for the name with a star: \*"),
        ("qname = a..org", ""),
        ("qname = )", ""),
        ("qname = @a", "@ and a file are for in, not in and under; a text that begins with @ is written in quotes"),
        (
            "identity in (@)",
            "@ and a file are for in, not in and under; a text that begins with @ is written in quotes",
        ),
        ("time > 1h30m", "for a time before now: -1h30m"),
        ("time > 2026", "seconds since 1970 have 9 to 11 digits; of a year, the first day is meant by 2026-01-01"),
        ("time > yesterday", ""),
        ("size = big", ""),
    ],
)
def test_hints(text: str, hint: str) -> None:
    """An error says how it could be written."""
    with pytest.raises(FilterError) as caught:
        compile_filter(text)
    assert caught.value.hint == hint
    assert str(caught.value).splitlines()[0].endswith(f" ({hint})" if hint else f"got {caught.value.got}")


def test_a_star_is_a_name_of_its_own() -> None:
    for text in r"qname = \*.example.org or zone under \*.a\*b", r"qname = \\\*.org":
        assert compile_filter(text).text == text
    wire = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + b"\1*\7example\3org\0" + bytes(4)
    assert matches(r"qname = \*.example.org", response(wire))


def test_comments() -> None:
    for text in (
        "# responses\ntype = CR # of clients\r\n and # all\n#\nqr = R",
        "type = CR #",
        "type in (CQ, # a query\n CR # a response\n)",
        'type = CR and not identity = "# no comment"',
    ):
        assert matches(text), text
    assert not matches("qname = a#b or type = CQ # or type = CR")


def test_files_of_values(tmp_path: Path) -> None:
    path = tmp_path / "names (all).txt"
    path.write_text("www.example.com\n*.example.net\n")
    # In quotes, @ begins a text.
    assert matches('identity != "@my" and not version in ("@my")')
    path.write_text("example.com # the first\nexample.org\n")
    assert matches(f'qname under @"{path}" and not qname in (www, @"{path}")')
    assert matches(f'qname in (www.example.org, @"{path}", a)')
    assert not matches(f'qname in (a, @"{path}")')
    (tmp_path / "nets").write_text("10.0.0.0/8\n192.0.2.1\n::1\n")
    assert matches(f"client in @{tmp_path}/nets and server in (::2, @{tmp_path}/nets)and address in @{tmp_path}/nets")


@pytest.mark.parametrize(
    ("lines", "test", "expected", "came", "hint"),
    [
        ("a\nb..c\n", "qname in", "a domain name", "'b..c' in line 2", ""),
        (
            "*.a\nb\n0.0.0.0 ads\nc",
            "qname under",
            "a domain name",
            "'*.a' in line 1",
            r"for all names below a name: qname under a; for the name with a star: \*.a; also wrong: line 3",
        ),
        (
            "10.0.0.1/8\n::/0\nx\ny\nz",
            "client not in",
            "a network or an address",
            "'10.0.0.1/8' in line 1",
            "for a network: client in 10.0.0.0/8; also wrong: line 3, 4, and the rest was not read",
        ),
        ("AAA\n", "qtype in", "a record type such as AAAA, TYPE65 or 65", "'AAA' in line 1", "did you mean AAAA?"),
        ("1\n65536", "port in", "a port (0 to 65535)", "'65536' in line 2", ""),
        ("x\0y", "identity in", "text in UTF-8", "'x\\x00y' in line 1", ""),
        ("a" * 65537, "qname in", "lines of at most 65536 bytes", f"'{'a' * 40}...' in line 1", ""),
    ],
)
def test_wrong_lines_of_files(tmp_path: Path, lines: str, test: str, expected: str, came: str, hint: str) -> None:
    path = tmp_path / "list"
    path.write_text(lines)
    for text, position in ((f"{test} @{path}", len(test) + 1), (f"{test} (@{path})", len(test) + 2)):
        with pytest.raises(FilterError) as caught:
            compile_filter(text)
        error = caught.value
        assert (error.position, error.expected, error.got, error.hint) == (
            position, expected, f"{came} of {str(path)!r}", hint
        )  # fmt: skip


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: '.*/names'"):
        compile_filter(f"qname in @{tmp_path}/names")
    with pytest.raises(IsADirectoryError):
        compile_filter(f"qname in @{tmp_path}")


def test_files_can_be_forbidden(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("a\n")
    for text in (f"qname in @{tmp_path}/names", f"qname in (a, @{tmp_path}/names)", "qname under @/none"):
        with pytest.raises(FilterError, match=r"^expected a value: this expression must not name files, got '@/"):
            compile_filter(text, files=False)
    assert compile_filter('qname in (a) and identity != "@a"', files=False).text


def test_nesting_is_limited() -> None:
    deep = "(" * MAX_DEPTH + "type = CR" + ")" * MAX_DEPTH
    assert matches(deep)
    alternating = "type = CR"
    for level in range(MAX_DEPTH):
        alternating = f"({alternating} {'or' if level % 2 else 'and'} qr = R)"
    assert matches(alternating)
    assert matches("not " * MAX_DEPTH + "type = CR")
    for text in (f"({deep})", "not " * 100_000 + "type = CR", "(" * 100_000):
        with pytest.raises(FilterError, match="expected no more than 64 parentheses and nots within each other, got"):
            compile_filter(text)


def test_hostile_regular_expressions() -> None:
    for pattern in ("(" * 20_000 + ")" * 20_000, "a{99999999999999999999}"):
        with pytest.raises(FilterError, match="a regular expression"):
            compile_filter(f'identity ~ "{pattern}"')
