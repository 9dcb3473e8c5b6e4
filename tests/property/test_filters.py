"""Filters compared with plain evaluators: of their tree, and of the meaning with which the expression was drawn."""

from __future__ import annotations

import operator
import re
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnstap import (
    Dnstap,
    DnstapError,
    HttpProtocol,
    MessageType,
    PolicyAction,
    SocketFamily,
    SocketProtocol,
    compile_filter,
)
from dnstap.dns import class_text, type_text
from dnstap.dns.escapes import raw_text
from dnstap.dns.text import FLAGS
from dnstap.filters.grammar import parse_expression
from dnstap.strategies import dnstaps, hostile_payloads, server_payloads
from tests.plain_filters import ADDRESSES, NAMES, PORTS, TEXTS, TIMES, captured, evaluate, made, name_of, value

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hypothesis.strategies import DrawFn, SearchStrategy

    Check = Callable[[Dnstap], bool]

# Strategies are made anew for each example, which takes long on a busy machine.
pytestmark = pytest.mark.timeout(600)

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

ENUMS: dict[str, Any] = {
    "type": MessageType,
    "family": SocketFamily,
    "protocol": SocketProtocol,
    "http": HttpProtocol,
    "policy": PolicyAction,
}
FOLDER: list[Path] = []
"""The folder of files with values."""


@pytest.fixture(scope="module", autouse=True)
def _folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    FOLDER[:] = [tmp_path_factory.mktemp("values")]


NOW_NS = 1_795_000_000_000_000_000
"""The time that relative times count from."""

NUMBERS: dict[str, list[int]] = {
    **{name: [0, 53, 65535] for name in PORTS},
    **{name: [0, 1_700_000_000_123_456_789] for name in TIMES},
    "latency": [-1, 0, 20_000_000],
    "size": [0, 12, 512],
    "id": [0, 7],
    "opcode": [0, 4, 5],
    "rcode": [0, 3, 5, 16],
    "answers": [0, 1, 2],
    "qtype": [1, 28, 65],
    "qclass": [1, 3],
}


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _quoted_name(text: str) -> str:
    # A star without a backslash is refused in filters.
    return quoted(text.replace("*", "\\*"))


def spelled(draw: DrawFn, name: str, wanted: Any) -> str | None:
    """Return the text of a value in an expression; None if it has none."""
    if name in TEXTS:
        return quoted(raw_text(wanted))
    if name in NAMES:
        return _quoted_name(draw(st.sampled_from([str.upper, str.lower]))(name_of(wanted)))
    if name in ADDRESSES:
        return draw(st.sampled_from([str(wanted), quoted(str(wanted))]))
    if name in TIMES:
        seconds, nanoseconds = divmod(wanted, 1_000_000_000)
        way = draw(st.sampled_from(["date", "date", "epoch", "now"]))
        # A duration has 24 digits at most.
        if way == "now" and abs(wanted - NOW_NS) < 10**24:
            return f"{wanted - NOW_NS:+d}ns"
        if way == "epoch" and 9 <= len(str(seconds)) <= 11:
            return f"{seconds}.{nanoseconds:09d}"
        if seconds > 250_000_000_000:
            return None
        ahead = draw(st.sampled_from([0, 60, -330]))
        local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, minutes=ahead)
        zone = f"{'-' if ahead < 0 else '+'}{abs(ahead) // 60:02d}:{abs(ahead) % 60:02d}"
        zone = zone if ahead else draw(st.sampled_from(["", "Z", "+00:00"]))
        return f"{local:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}{zone}" if local.year > 999 else None
    if name == "latency":
        return f"{wanted}ns" if abs(wanted) < 10**12 else None
    if name == "qr":
        return "Q" if wanted else "r"
    spellings = [str(int(wanted))]
    if name in ENUMS and ENUMS[name](wanted).name:
        spellings += [ENUMS[name](wanted).name, ENUMS[name](wanted).name.lower()]
    if name == "qtype":
        spellings += [type_text(wanted), f"type{wanted}"]
    if name == "qclass":
        spellings += [class_text(wanted), f"CLASS{wanted}"]
    if name == "rcode":
        spellings += [f"RCODE{wanted}", *{0: ["NOERROR"], 3: ["nxdomain"], 16: ["BADVERS"]}.get(wanted, [])]
    greatest = (1 << 32) - 1 if name == "size" else 65535
    return draw(st.sampled_from(spellings)) if name in ENUMS or wanted <= greatest else None


def listed(draw: DrawFn, values: list[str]) -> str:
    """Return @ and the path of a file with values, one a line."""
    noise = st.sampled_from([[], [""], ["# values"], ["  "], ["# one", "", "#"]])
    lines = [line for value in values for line in [*draw(noise), value + draw(st.sampled_from(["", " ", " # one"]))]]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = end.join([*lines, *draw(noise)])
    contents = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode("utf-8", "surrogateescape")
    path = FOLDER[0] / sha256(contents).hexdigest()
    path.write_bytes(contents)
    return f'@"{path}"'


def usual(name: str) -> list[Any]:
    """Return values of a field that some messages have."""
    if name in TEXTS:
        return [b"ns1", b'a "b\\"', b"caf\xc3\xa9\xff"]
    if name in NAMES:
        return [(), ("org",), ("example", "org"), ("www", "example", "org"), ("a\\.b",), ("com",), ("net",)]
    if name in ADDRESSES:
        return [ip_address(text) for text in ("127.0.0.1", "192.0.2.1", "::1", "2001:db8::1")]
    if name == "qr":
        return [True, False]
    return list(ENUMS[name]) if name in ENUMS else NUMBERS[name]


@st.composite
def comparisons(draw: DrawFn, pool: list[Dnstap]) -> tuple[str, Check]:
    """Draw a test, and a function with its meaning."""
    name = draw(st.sampled_from([*TEXTS, *NAMES, *ADDRESSES, *ENUMS, *NUMBERS, "qr", "flag", "address", "port"]))
    if name == "flag":
        bit, flag = draw(st.sampled_from(FLAGS))
        return f"flag {draw(st.sampled_from([flag, flag.upper()]))}", lambda d: bool((value("flags", d) or 0) & bit)
    names = {"address": ADDRESSES, "port": PORTS}.get(name, [name])
    if draw(st.integers(0, 9)) == 0:
        return f"has {name}", lambda d: any(value(each, d) is not None for each in names)
    found = [value(each, dnstap) for each in names for dnstap in pool]
    choices = st.sampled_from([each for each in found if each is not None] * 2 + usual(names[0]))
    wanted: Any = None
    text = None
    while text is None:
        wanted = draw(choices)
        text = spelled(draw, names[0], wanted)
    ways = ["=", "==", "!=", "in", "not in"]
    if names[0] in NUMBERS:
        ways += ["<", "<=", ">", ">="]
    ways += {"qname": ["under", "under"], "zone": ["under"]}.get(name, [])
    ways += ["~", "like"] if name in (*TEXTS, *NAMES) else []
    ways += ["net", "not net"] if names[0] in ADDRESSES else []
    way = draw(st.sampled_from(ways))
    if way in COMPARISONS:
        check = _compared(COMPARISONS[way], wanted)
    elif way in ("in", "not in"):
        other = draw(choices)
        other_text = spelled(draw, names[0], other)
        values, both = ([text], (wanted,)) if other_text is None else ([other_text, text], (wanted, other))
        text = draw(st.sampled_from([f"({', '.join(values)})", listed(draw, values)]))
        check = _among(both, negated=way == "not in")
    elif way == "under":
        below = draw(st.integers(0, len(wanted)))
        text = _quoted_name(name_of(wanted[below:]))
        text = draw(st.sampled_from([text, listed(draw, ["nowhere", text])]))
        check = _under(wanted[below:])
    elif way == "~":
        pattern = draw(st.sampled_from(["^www", "a", "example\\.org\\.$", "[0-9]", re.escape(str(wanted)[2:5])]))
        text = quoted(pattern)
        check = _searched(pattern, name)
    elif way == "like":
        shown = shown_for_glob(wanted)
        glob = draw(st.sampled_from(["www*", "*a*", "*.org", "?*[0-9]*", "[!w]*", f"{shown[:3]}*", f"*{shown[2:5]}*"]))
        text = quoted(glob)
        check = _globbed(glob, name)
    else:
        network = ip_network((wanted, draw(st.integers(0, wanted.max_prefixlen))), strict=False)
        text = draw(st.sampled_from([str(network), listed(draw, [str(network)])]))
        check = _within(network, negated=way == "not net")
        way = way.replace("net", "in")
    return f"{name} {way} {text}", lambda d: any((got := value(each, d)) is not None and check(got) for each in names)


def _compared(compare: Callable[[Any, Any], bool], wanted: Any) -> Callable[[Any], bool]:
    return lambda got: compare(got, wanted)


def _among(wanted: tuple[Any, ...], *, negated: bool) -> Callable[[Any], bool]:
    return lambda got: (got in wanted) is not negated


def _under(wanted: tuple[str, ...]) -> Callable[[Any], bool]:
    return lambda got: got[len(got) - len(wanted) :] == wanted if len(wanted) <= len(got) else False


def _searched(pattern: str, name: str) -> Callable[[Any], bool]:
    if name in NAMES:
        return lambda got: re.search(pattern, name_of(got), re.IGNORECASE) is not None
    return lambda got: re.search(pattern, raw_text(got)) is not None


def shown_for_glob(wanted: Any) -> str:
    """Return the text that a glob is compared with, without what has a meaning in globs."""
    text = raw_text(wanted) if isinstance(wanted, bytes) else name_of(wanted)[:-1]
    return re.sub(r"[][*?\\]", "", text)


def _globbed(glob: str, name: str) -> Callable[[Any], bool]:
    if name in NAMES:
        return lambda got: fnmatchcase((name_of(got)[:-1] or ".").lower(), glob.lower())
    return lambda got: fnmatchcase(raw_text(got), glob)


def _within(network: Any, *, negated: bool) -> Callable[[Any], bool]:
    def within(got: IPv4Address | IPv6Address) -> bool:
        return (got.version == network.version and got in network) is not negated

    return within


def expressions(pool: list[Dnstap]) -> SearchStrategy[tuple[str, Check]]:
    """Draw expressions, each with a function of its meaning."""
    return st.recursive(comparisons(pool), combined, max_leaves=8)


def combined(parts: SearchStrategy[tuple[str, Check]]) -> SearchStrategy[tuple[str, Check]]:
    grouped = parts.map(lambda part: (f"({part[0]})", part[1]))
    lists = st.lists(grouped, min_size=2, max_size=3)
    return st.one_of(
        grouped,
        grouped.map(lambda part: (f"not {part[0]}", lambda d: not part[1](d))),
        lists.map(lambda some: (" and ".join([text for text, _ in some]), lambda d: all(c(d) for _, c in some))),
        lists.map(lambda some: (" OR ".join([text for text, _ in some]), lambda d: any(c(d) for _, c in some))),
        # `and` binds more than `or`.
        st.tuples(grouped, grouped, grouped).map(
            lambda p: (f"{p[0][0]} or {p[1][0]} and {p[2][0]}", lambda d: p[0][1](d) or (p[1][1](d) and p[2][1](d)))
        ),
    )


# Sampled by number: Hypothesis would print all of a list in which it looks for one.
some_message = st.one_of(
    st.integers(0, 399).map(lambda index: Dnstap.parse(captured()[index])),
    st.integers(0, 399).map(lambda index: made()[index]),
    server_payloads().map(Dnstap.parse),
    dnstaps(nameless=True, lenient=True),
)


@given(st.data(), st.lists(some_message, min_size=1, max_size=6))
def test_matches_what_the_values_say(data: st.DataObject, messages: list[Dnstap]) -> None:
    text, check = data.draw(expressions(messages))
    matches = compile_filter(text, now_ns=NOW_NS).matches
    tree = parse_expression(text)
    # A second time, since texts and names of the first are remembered.
    for dnstap in messages + messages:
        assert matches(dnstap) is check(dnstap) is evaluate(tree, dnstap, NOW_NS), text


@given(st.data(), st.lists(some_message, min_size=1, max_size=3), st.lists(hostile_payloads() | server_payloads()))
def test_selects_what_matches(data: st.DataObject, messages: list[Dnstap], payloads: list[bytes]) -> None:
    text, _ = data.draw(expressions(messages))
    tree, chosen = parse_expression(text), compile_filter(text, now_ns=NOW_NS)
    payloads = payloads + [captured()[index] for index in data.draw(st.lists(st.integers(0, 399)))]
    expected, bad = [], []
    for number, payload in enumerate(payloads, 1):
        try:
            expected += [payload] if evaluate(tree, Dnstap.parse(payload), NOW_NS) else []
        except DnstapError as error:
            bad.append((number, str(error)))
    assert chosen.select(payloads) == expected
    assert (chosen.payloads, chosen.matched, chosen.bad) == (len(payloads), len(expected), len(bad))
    assert (chosen.first_bad and (chosen.first_bad[0], str(chosen.first_bad[1]))) == (bad[0] if bad else None)


@given(st.data(), st.lists(some_message, min_size=1, max_size=1))
@settings(max_examples=settings().max_examples // 4)
def test_selecting_from_a_whole_capture_gives_what_matches(data: st.DataObject, messages: list[Dnstap]) -> None:
    """With plans, which decode only the fields that a filter needs."""
    text, check = data.draw(comparisons(messages))
    payloads = captured()
    chosen = compile_filter(text, now_ns=NOW_NS)
    expected = [payload for payload in payloads if check(Dnstap.parse(payload))]
    assert chosen.select(payloads) == expected, text
    assert chosen.select(payloads) == expected, text
