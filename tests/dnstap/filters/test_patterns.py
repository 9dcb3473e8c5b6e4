"""dnstap.filters.patterns: regular expressions in linear time."""

from __future__ import annotations

import random
import re
import warnings

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dnstap.filters.patterns import MAX_DEPTH, MAX_POSITIONS, MAX_STEPS, MAX_TEXT, Pattern

ATOMS = [
    "a",
    "b",
    "B",
    ".",
    r"\.",
    "^",
    "$",
    r"\b",
    r"\B",
    r"\A",
    r"\Z",
    "[ab]",
    "[^a]",
    "[a-c_]",
    "[]a]",
    "[a-]",
    "[[]",
]
ATOMS += [
    r"\w",
    r"\W",
    r"\d",
    r"\D",
    r"\s",
    r"\S",
    r"[\d.]",
    r"[^\w]",
    r"\n",
    r"\x61",
    r"\u0062",
    r"\0",
    r"\012",
    "{",
    "}",
]
ATOMS += ["{,}", "{a}", r"[\b]", r"\-", "\N{LATIN SMALL LETTER E WITH ACUTE}", " ", "é", r"\U00000061"]
REPETITIONS = ["", "", "", "*", "+", "?", "{2}", "{1,2}", "{0,2}", "{2,}", "{,2}", "{0}", "*?", "{1,2}?"]

pieces = st.tuples(st.sampled_from(ATOMS), st.sampled_from(REPETITIONS)).map("".join)
patterns = st.recursive(
    st.lists(pieces, max_size=4).map("".join),
    lambda inner: (
        st.lists(inner, max_size=3).map("".join)
        | st.lists(inner, min_size=1, max_size=3).map("|".join)
        | st.tuples(st.sampled_from(["(", "(?:", "(?P<name>", "(?s:"]), inner, st.sampled_from(REPETITIONS)).map(
            lambda parts: f"{parts[0]}{parts[1]}){parts[2]}"
        )
    ),
    max_leaves=6,
)
texts = st.text("abBcé._-1 \n\0{}[]", min_size=1, max_size=12)


def reference(pattern: str) -> re.Pattern[str] | None:
    with warnings.catch_warnings():
        # Of [[, which may mean something else one day.
        warnings.simplefilter("ignore", FutureWarning)
        try:
            return re.compile(pattern)
        except re.error:
            return None


@given(patterns, st.lists(texts, max_size=5))
@example("(^)*a", ["ba", "a"])
@example("(?s)a.b", ["a\nb"])
@example("(?i)B", ["b"])
@example("(|a)+$", ["ba\n"])
@example(r"(a\b|b)*\Bc", ["abc", "a c"])
@example("a$", ["a\n", "a\n\n", "ba"])
@example(r"a\Z", ["a\n", "a"])
@example(r"\012|\0[\07]", ["\n"])
@example("", ["a"])
@example("^", ["\n"])
@example("a||b", ["c"])
@example("(?P<n>a)(?P<m>b)", ["ab"])
def test_answers_are_those_of_re(pattern: str, some: list[str]) -> None:
    expected = reference(pattern)
    if expected is None:
        with pytest.raises(ValueError, match="at position"):
            Pattern(pattern)
        return
    ours = Pattern(pattern)
    # Again, from what was remembered.
    for text in [*some, *some]:
        assert ours.search(text) is (expected.search(text) is not None), (pattern, text)


@pytest.mark.parametrize("atom", ATOMS)
def test_each_atom_alone(atom: str) -> None:
    atom = "a" + atom if reference(atom) is None else atom
    ours, expected = Pattern(atom), reference(atom)
    assert expected is not None
    for text in ("a", "b", "_", "é", "1", ".", "-", " ", "\n", "\0", "\b", "{", "}", "[", "{a}", "a{,}"):
        assert ours.search(text) is (expected.search(text) is not None), text


@pytest.mark.parametrize("pattern", ["ab[C-D]", "[^A]b", r"\AAB", "É", "(?i:a)B"])
def test_any_case(pattern: str) -> None:
    ours, expected = Pattern(pattern, any_case=True), re.compile(pattern, re.IGNORECASE)
    for text in "abc", "ABC", "abd", "AB", "é", "É", "b", "cB", "":
        assert ours.search(text) is (expected.search(text) is not None)
    assert [Pattern("(?i:a)B").search(text) for text in ("aB", "AB", "ab")] == [True, True, False]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(a+)+\.$", "a" * 1000),
        ("(a|a)*b", "a" * 1000),
        ("(.*)(.*)(.*)(.*)(.*)(.*)x", "a" * 1000),
        ("a?" * 200 + "a" * 200, "a" * 199),
        ("a.*b", "a" * MAX_TEXT),
        (r"(\w+\s?)*$", "a" * 1000 + "!"),
    ],
)
def test_the_time_is_linear(pattern: str, text: str) -> None:
    """`re` would take longer than anybody can wait for most of these."""
    ours = Pattern(pattern)
    assert ours.search(text) is False or pattern.endswith("$")
    assert not ours.search(text[:20] + "!") or pattern.endswith(("a", "$"))


def test_what_is_remembered_is_bounded() -> None:
    chosen = random.Random(1)
    pattern = r"a.{20}b\b"
    ours = Pattern(pattern)
    for _ in range(3):
        text = "".join(chosen.choices("ac", k=MAX_STEPS))
        assert not ours.search(text)
        assert ours.search(text[:-1] + "b" if text[-22] == "a" else text[:-22] + "a" + "c" * 20 + "b")


def test_only_the_beginning_of_a_long_text_counts() -> None:
    ours = Pattern("b$")
    assert ours.search("a" * (MAX_TEXT - 1) + "b")
    assert ours.search("a" * (MAX_TEXT - 1) + "bc")
    assert not ours.search("a" * MAX_TEXT + "b")


@pytest.mark.parametrize(
    ("pattern", "error"),
    [
        ("a)", "unbalanced parenthesis at position 1"),
        ("a(b", "missing ), unterminated subpattern at position 1"),
        ("*a", "nothing to repeat at position 0"),
        ("a|+", "nothing to repeat at position 2"),
        ("{2}", "nothing to repeat at position 0"),
        ("^*", "nothing to repeat at position 1"),
        ("a**", "multiple repeat at position 2"),
        ("a{2}{3}", "multiple repeat at position 4"),
        ("a*+", "possessive repetition is not supported at position 1"),
        ("a{3,2}", "min repeat greater than max repeat at position 1"),
        ("[a", "unterminated character set at position 0"),
        ("[", "unterminated character set at position 0"),
        ("[a-", "unterminated character set at position 0"),
        ("x[b-a]", "bad character range b-a at position 2"),
        (r"[a-\d]", r"bad character range a-\d at position 1"),
        (r"[\w-a]", r"bad character range \w-a at position 1"),
        ("a\\", "bad escape (end of pattern) at position 1"),
        (r"\q", r"bad escape \q at position 0"),
        (r"\x6", "bad escape at position 0"),
        (r"\x+1", "bad escape at position 0"),
        (r"\uzzzz", "bad escape at position 0"),
        (r"\UFFFFFFFF", "bad escape at position 0"),
        (r"(a)\1", "back references are not supported at position 3"),
        ("a(?=b)", "only (?: (?P<name> (?i: and (?s: are supported of what begins with (? at position 1"),
        ("(?<!a)b", "only (?: (?P<name> (?i: and (?s: are supported of what begins with (? at position 0"),
        ("(?P=a)", "only (?: (?P<name> (?i: and (?s: are supported of what begins with (? at position 0"),
        ("(?x)a", "only (?: (?P<name> (?i: and (?s: are supported of what begins with (? at position 0"),
        ("(?P<1>a)", "bad name of a group, or one that is taken at position 0"),
        ("(?P<a>a)(?P<a>b)", "bad name of a group, or one that is taken at position 8"),
        ("(?P<a", "bad name of a group, or one that is taken at position 0"),
        (f"a{{{MAX_POSITIONS + 1}}}", "more than 500 repetitions at position 1"),
        (f"a{{1,{'9' * 5000}}}", "more than 500 repetitions at position 1"),
        ("(a{30}){30}", "more than 500 characters, with repetitions written out"),
        ("(" * (MAX_DEPTH + 1), "more than 100 groups within each other at position 100"),
    ],
)
def test_errors_say_where(pattern: str, error: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
        Pattern(pattern)


def test_the_greatest_pattern() -> None:
    assert Pattern("(" * MAX_DEPTH + "a{499}b" + ")" * MAX_DEPTH).search("a" * 500 + "b")
