"""dnstap.filters.globs: texts that globs match, compared with fnmatch."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap.filters.globs import MAX_GLOB, glob_pattern, name_glob_pattern, name_glob_text


@pytest.mark.parametrize(
    ("glob", "inside", "outside"),
    [
        ("ad?.*", ("ad1.org", "ads.a.b", "ad?."), ("ad.org", "1ad1.org", "ad1org")),
        ("*", ("", "a", "a\nb"), ()),
        ("**a**", ("a", "bab"), ("", "b")),
        ("a", ("a",), ("A", "aa", "a\n", "\na", "")),
        ("[a-c]x", ("ax", "cx"), ("dx", "-x", "abx")),
        ("[!a-c]x", ("dx", "!x", "\nx"), ("ax", "x")),
        ("[]a]", ("]", "a"), ("[", "")),
        ("[!]]", ("a",), ("]",)),
        ("[a-]", ("a", "-"), ("b",)),
        ("[-a]", ("a", "-"), ("b",)),
        ("[^a]", ("^", "a"), ("b",)),
        (r"[\d]", ("\\", "d"), ("1",)),
        ("[", ("[",), ("",)),
        ("[]", ("[]",), ("",)),
        ("a[b", ("a[b",), ("ab",)),
        (r"\*\?\[\]\\", (r"*?[]\\"[:-1],), (r"\*",)),
        (r"a\.b\d", (r"a\.b\d",), ("a.b1", "a.bd")),
        ("(a|b)+$^{2}", ("(a|b)+$^{2}",), ("a", "aa")),
        ("\N{SNOWMAN}?", ("\N{SNOWMAN}\N{SNOWMAN}",), ("\N{SNOWMAN}",)),
    ],
)
def test_globs(glob: str, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    pattern = glob_pattern(glob)
    assert all(map(pattern.search, inside))
    assert not any(map(pattern.search, outside))


def test_names_match_in_any_case_and_without_the_final_dot() -> None:
    example, root, dotted = b"\3www\7example\3org\0", b"\0", b"\3a.b\1c\0"
    for glob in ("WWW.*", "*.example.org", "*.example.org.", "www.[E]x*", "*.???"):
        assert name_glob_pattern(glob).search(name_glob_text(example)), glob
    for glob in ("example.org", "*.example", "*.example.org..", "."):
        assert not name_glob_pattern(glob).search(name_glob_text(example)), glob
    for glob in (".", "*", "?"):
        assert name_glob_pattern(glob).search(name_glob_text(root)), glob
    for glob in (r"a\.b.c", r"a\.b.c.", "*.c"):
        assert name_glob_pattern(glob).search(name_glob_text(dotted)), glob
    assert name_glob_pattern("a\\.").search(name_glob_text(b"\2a.\0"))
    assert name_glob_pattern("a\\..").search(name_glob_text(b"\2a.\0"))


def test_wrong_globs() -> None:
    for glob, expected in {
        "": "1 to 2000 characters",
        "a" * (MAX_GLOB + 1): "1 to 2000 characters",
        "?" * 501: "more than 500 characters, with repetitions written out",
        "x[z-a]": "bad character range z-a",
    }.items():
        with pytest.raises(ValueError, match=f"^{expected}$"):
            glob_pattern(glob)


def test_hostile_globs_take_linear_time() -> None:
    assert not glob_pattern("*a" * 200 + "b").search("a" * 16_000)
    assert glob_pattern("[" * 400).search("[" * 400)


@given(st.text("ab.*?[]!-c", max_size=8), st.text("abc.]![-", max_size=8))
def test_as_fnmatch(glob: str, text: str) -> None:
    try:
        pattern = glob_pattern(glob)
    except ValueError:
        return
    assert pattern.search(text) is fnmatchcase(text, glob)
