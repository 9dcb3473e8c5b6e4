"""The learned decoder: by a plan or not, it gives the same as the strict one."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dnstap import (
    DecodeError,
    Decoder,
    Dnstap,
    DnstapType,
    HttpProtocol,
    Message,
    MessageType,
    MissingFieldError,
    Policy,
    SocketFamily,
    SocketProtocol,
)
from dnstap.codec import decode as generic
from dnstap.codec.learned import LIMITS, LearningLimits, _leaves
from dnstap.codec.templates import ShapeCache
from framestream import TruncatedStreamError, read_file
from tests.threads import start
from tests.wait import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DATA = Path(__file__).parents[2] / "data"


def learner(shapes: ShapeCache | None = None, **limits: int) -> Decoder[Dnstap]:
    """Return a decoder that has no warm-up, and shares nothing with others."""
    shapes = ShapeCache() if shapes is None else shapes
    return Decoder(Dnstap, limits=LearningLimits(**{"warm_up": 0, **limits}), shapes=shapes)


def test_no_plan_for_the_first_payloads() -> None:
    alike = payloads(10, query_port=20000)
    for warm_up, misses in (0, 2), (3, 2), (8, 2), (9, 1), (10, 0):
        decoder = learner(warm_up=warm_up)
        assert [decoder.decode(payload) for payload in alike] == [generic(Dnstap, payload) for payload in alike]
        assert decoder._misses == misses


class Watched:
    """A Decoder beside the strict one: both must give the same. Counts payloads that no plan took."""

    def __init__(self, shapes: ShapeCache | None = None, **limits: int) -> None:
        self.decoder = learner(shapes, **limits)

    def __call__(self, payload: bytes) -> None:
        ours, expected = outcome(self.decoder.decode, payload), outcome(lambda data: generic(Dnstap, data), payload)
        assert ours == expected, payload.hex()
        assert repr(ours) == repr(expected), payload.hex()

    def misses(self, payloads: Iterable[bytes]) -> int:
        """Return how many of these payloads no plan takes."""
        before = self.decoder._misses
        for payload in payloads:
            self(payload)
        return self.decoder._misses - before


def outcome(decode: Callable[[bytes], Any], payload: bytes) -> Any:
    try:
        return decode(payload)
    except DecodeError as error:
        return str(error)


def capture(path: Path) -> list[bytes]:
    payloads: list[bytes] = []
    with read_file(path) as reader, contextlib.suppress(TruncatedStreamError):  # one is cut off, on purpose
        payloads += reader
    return payloads


def sample(number: int = 0, **values: Any) -> Dnstap:
    """Return a payload of a sender; port, time and name differ in each."""
    fields: dict[str, Any] = {
        "type": MessageType.CLIENT_QUERY,
        "socket_family": SocketFamily.INET,
        "socket_protocol": SocketProtocol.UDP,
        "query_address": bytes((10, 0, number % 7, number % 256)),
        "response_address": b"\x7f\0\0\1",
        "query_port": 30000 + number % 20000,
        "response_port": 53,
        "query_time_sec": 1_700_000_000 + number // 100,
        "query_time_nsec": number,
        "query_message": number.to_bytes(2) + bytes(30),
    }
    return Dnstap(identity=b"ns", version=b"v1", message=Message(**fields | values), type=DnstapType.MESSAGE)


def payloads(count: int = 20, **values: Any) -> list[bytes]:
    return [bytes(sample(number, **values)) for number in range(count)]


def with_extra(payload: bytes, extra: bytes) -> bytes:
    """The payload of sample() with an extra before its Message, as CoreDNS and Knot Resolver write it."""
    return payload[:8] + extra + payload[8:]


@pytest.mark.parametrize("path", sorted(DATA.glob("*.fstrm")), ids=lambda path: path.stem)
def test_captures(path: Path) -> None:
    watched, real = Watched(), capture(path)
    watched.misses(real)
    watched.misses(real)  # a shape is learned when it is seen again
    assert watched.misses(real) == 0


def test_senders_in_one_stream() -> None:
    watched = Watched()
    captures = [capture(path)[:200] for path in sorted(DATA.glob("*.fstrm"))]
    mixed = [payload for each in itertools.zip_longest(*captures) for payload in each if payload]
    for _ in range(3):
        watched.misses(mixed)
    assert watched.misses(mixed) == 0
    assert watched.misses(itertools.chain(*captures)) == 0


@pytest.mark.parametrize("port", [0, 53, 127, 128, 853, 16383, 16384, 65535, 65536, 2**32 - 1])
def test_ports(port: int) -> None:
    watched = Watched()
    most = 2 if port < 65536 else 4  # no port is so great, so no plan need take it
    assert watched.misses(payloads(4, query_port=port)) <= most
    assert watched.misses(payloads(4, query_port=port, response_port=port)) <= most


def test_ports_of_two_and_of_three_bytes() -> None:
    watched = Watched()
    mixed = [
        bytes(sample(number, query_port=port, query_message=bytes(size)))
        for number in range(40)
        for port, size in ((20000, 20), (2000, 21), (20, 22))
    ]
    watched.misses(mixed)
    assert watched.misses(mixed) == 0
    (fork,) = [node for node in watched.decoder._known[0].values() if node.offset]
    assert len(_leaves(fork)) == 3


def test_zones_and_messages_of_any_length() -> None:
    watched = Watched()
    mixed = [
        bytes(
            sample(
                number,
                type=MessageType.RESOLVER_RESPONSE,
                query_port=port,
                query_message=None,
                query_zone=bytes(zone),
                response_time_sec=1_700_000_000,
                response_time_nsec=number,
                response_message=bytes(200 - zone),
            )
        )
        for number, zone, port in itertools.product(range(3), range(1, 60), (5000, 50000))
    ]
    for _ in range(2):
        watched.misses(mixed)
    assert watched.misses(mixed) == 0


@pytest.mark.parametrize(
    "values",
    [
        {"http_protocol": HttpProtocol.HTTP2},
        {"policy": Policy(type="RPZ", rule=b"\1x\0")},
        {"policy": Policy(), "http_protocol": HttpProtocol.HTTP3},
        {"socket_family": None, "socket_protocol": None},
        {"socket_protocol": None},
        {"query_time_nsec": None, "query_address": None},
        {"query_port": None, "query_time_sec": None},
        {"response_port": None, "query_time_sec": None},
        {"socket_protocol": SocketProtocol(77)},
        {"query_message": bytes(300)},
        {"query_message": bytes(20000)},
        {"query_message": None, "query_zone": b""},
    ],
    ids=str,
)
def test_fields(values: dict[str, Any]) -> None:
    watched = Watched()
    watched.misses(payloads(10, **values))
    assert watched.misses(payloads(10, **values)) == 0


def test_nothing_behind_the_key() -> None:
    watched = Watched()
    assert watched.misses([bytes.fromhex("7801 7202080b")] * 4) == 4


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(bytes(Dnstap(type=DnstapType.MESSAGE)), id="no message"),
        pytest.param(bytes(sample()) + bytes.fromhex("7202080a"), id="two messages"),
        pytest.param(b"\x0a\1x" + bytes(sample()), id="two identities"),
        pytest.param(bytes(sample()) + bytes.fromhex("a00601"), id="unknown field"),
        pytest.param(bytes(sample()) + bytes.fromhex("73087f74"), id="a group"),
        pytest.param(bytes(sample())[:-2] + bytes.fromhex("f80001"), id="overlong tag of a scalar"),
        pytest.param(
            bytes.fromhex("0a026e7392000176") + bytes(sample())[8:],
            id="overlong tag",
        ),
        pytest.param(b"\x0a\x80\1" + bytes(128) + bytes(sample())[4:], id="identity of 128 bytes"),
        pytest.param(b"x\x81\0" + bytes(sample())[:-2], id="overlong type"),
    ],
)
def test_what_no_plan_takes(payload: bytes) -> None:
    watched = Watched()
    assert watched.misses([payload] * 5) == 5


def test_policies_are_checked() -> None:
    watched = Watched()
    good = bytes(sample(policy=Policy(type="RPZ", value=b"xyz")))
    assert watched.misses([good] * 5) == 2
    assert watched.misses([good.replace(b"\x2a\3xyz", b"\x2a\4xyz"), good.replace(b"\x2a\3xyz", b"\x32\3xyz")]) == 1


def test_type_before_the_message() -> None:
    watched = Watched()
    moved = [payload[:8] + b"x\1" + payload[8:-2] for payload in payloads()]
    watched.misses(moved)
    assert watched.misses(moved) == 0


EXTRAS = [
    b"\x1a\1e",
    b"\x1a\0",
    b"\x1a\x7f" + bytes(127),
    b"\x1a\x80\1" + bytes(128),
    b"\x1a\x81\0e",
]


@pytest.mark.parametrize("extra", EXTRAS, ids=bytes.hex)
def test_extra_before_the_message(extra: bytes) -> None:
    watched = Watched()
    watched.misses(payloads())
    assert watched.misses(with_extra(payload, extra) for payload in payloads()) == 0
    # The last one counts.
    ended = [payload + b"\x1a\3end" for payload in payloads()]
    watched.misses(ended)
    assert watched.misses(with_extra(payload, extra) for payload in ended) == 0


def test_extra_before_the_message_always() -> None:
    watched = Watched()
    real = [with_extra(payload, EXTRAS[number % len(EXTRAS)]) for number, payload in enumerate(payloads(40))]
    assert watched.misses(real) == 2
    assert watched.misses(real) == 0


def test_extra_before_the_message_and_several_plans() -> None:
    watched = Watched()
    real = [
        with_extra(bytes(sample(number, query_port=port, query_message=bytes(size))), b"\x1a\1e") + end
        for number in range(20)
        for port, size, end in ((20000, 20, b""), (2000, 21, b""), (20000, 20, b"\x1a\3end"))
    ]
    watched.misses(real)
    assert watched.misses(real) == 0
    assert watched.decoder._place == (8, True)


def test_many_extras_are_not_taken_out_one_by_one() -> None:
    """Each would take a copy of the rest: a minute for the longest frame."""
    watched = Watched()
    began = time.process_time()
    watched.misses([b"\x1a\0" * 500_000 + bytes(sample())] * 2)
    assert watched.decoder._misses == 2
    assert time.process_time() - began < 10


def test_no_extra_is_seen_in_contents() -> None:
    """An identity of 128 bytes, misread as ending a byte early, and what looks like an extra within it."""
    watched = Watched()
    rest = bytes(sample())[4:]
    for filler in (b"\x0a\x02ab", b"\x1a\2ab"):
        identity = bytes(127) + b"\x0a" + b"\x02ab"
        identity = identity[:124] + filler
        watched.misses([b"\x0a\x80\1" + identity + rest] * 4)


@pytest.mark.parametrize("extra", ["1a8181818181", "1a818080808000", "1aff", "1a7f", "1affffffff0f"])
def test_bad_extra_before_the_message(extra: str) -> None:
    watched = Watched()
    watched.misses(payloads())
    bad = [with_extra(payload, bytes.fromhex(extra)) for payload in payloads(3)]
    assert watched.misses(bad) == 0  # refused, not decoded: none is counted
    assert all(isinstance(outcome(watched.decoder.decode, payload), str) for payload in bad)


def test_extra_behind_the_message_now_and_then() -> None:
    watched = Watched()
    ends = [b"", b"\x1a\1e", b"\x1a\0", b"\x1a\x7f" + bytes(127), b"\x1a\x80\1" + bytes(128)]
    mixed = [payload + ends[number % 5] for number, payload in enumerate(payloads(60))]
    for _ in range(3):
        watched.misses(mixed)
    assert watched.misses(mixed) == 0
    watched.misses([mixed[1] + b"e", mixed[1][:-1]])


def test_any_buffer() -> None:
    watched = Watched()
    shown = [payload + b"\x1a\1e" for payload in payloads()]
    watched.misses(shown)
    decode = watched.decoder.decode
    for payload in shown:
        view: Any = memoryview(payload)
        for data in (bytearray(payload), view, view.cast("c"), view.cast("b")):
            dnstap = decode(data)
            assert dnstap == generic(Dnstap, payload)
            assert type(dnstap.extra) is bytes
    with pytest.raises(TypeError):
        decode("text")  # type: ignore[arg-type, unused-ignore]


def test_any_buffer_with_an_extra_before_the_message() -> None:
    watched = Watched()
    shown = [with_extra(payload, b"\x1a\1e") for payload in payloads()]
    watched.misses(shown)
    assert watched.decoder._place == (8, True)
    for payload in shown:
        assert watched.decoder.decode(bytearray(payload)) == generic(Dnstap, payload)


def test_lenient_decoding_teaches_nothing() -> None:
    watched = Watched()
    untyped = [payload[:-2] for payload in payloads()]
    for payload in untyped:
        assert watched.decoder.decode(payload, lenient=True).type is None
    with pytest.raises(MissingFieldError):
        watched.decoder.decode(untyped[0])
    assert not watched.decoder._known[0]
    watched.misses(payloads())
    assert watched.decoder.decode(payloads()[0], lenient=True) == sample()


def test_every_byte_changed() -> None:
    watched = Watched()
    watched.misses(payloads())
    assert watched.misses(payloads()) == 0
    good = payloads()[3]
    for at, change in itertools.product(range(len(good)), (1, 2, 8, 64, 128, 255)):
        watched(good[:at] + bytes((good[at] ^ change,)) + good[at + 1 :])
    for at in range(len(good)):
        watched(good[:at])
        watched(good[:at] + good[at + 1 :])
        watched(good[:at] + b"\0" + good[at:])
    watched.misses(payloads())
    assert watched.misses(payloads()) == 0


def test_a_key_that_would_reach_into_contents_gets_shorter() -> None:
    watched = Watched()
    watched.misses(payloads())
    bare = [
        bytes(Dnstap(message=Message(type=MessageType.TOOL_QUERY, query_message=payload), type=DnstapType.MESSAGE))
        for payload in (number.to_bytes(2) + bytes(20) for number in range(50))
    ]
    assert watched.misses(bare) == 2
    assert watched.misses(payloads()) == 2
    assert watched.misses(bare + payloads()) == 0


def hostile(count: int) -> list[bytes]:
    """Return payloads that all differ in identity and in length."""
    return [
        bytes(
            Dnstap(
                identity=number.to_bytes(3),
                version=bytes(number % 100),
                message=sample().message,
                type=DnstapType.MESSAGE,
            )
        )
        for number in range(count)
    ]


def test_learning_stops_where_nothing_repeats() -> None:
    watched = Watched()
    watched.misses(payloads())
    credit = watched.decoder._credit
    watched.misses(hostile(2000))
    assert credit.left < 10
    assert credit.resting > 0
    assert watched.decoder._count < LIMITS.credit + 10
    # After the rest, those that are known are decoded by their plans as before.
    watched.misses(payloads(LIMITS.max_rest))
    assert credit.resting == 0
    watched.misses(payloads(40))
    assert watched.misses(payloads(40)) == 0
    # New ones are learned again, in time.
    other = payloads(20, type=MessageType.AUTH_QUERY)
    for _ in range(2 * LIMITS.max_rest // 20):
        watched.misses(other)
    assert watched.misses(other) == 0


@pytest.mark.parametrize(
    ("credit", "count"),
    [
        pytest.param(2, 0, id="used up by plans"),
        pytest.param(20, 1, id="used up by the first shape"),
        pytest.param(22, 2, id="less left than the second shape costs"),
    ],
)
def test_no_shape_without_credit(credit: int, count: int) -> None:
    shapes = ShapeCache()
    watched = Watched(shapes, credit=credit)
    for values in ({}, {"response_port": None}, {"query_time_sec": None}):
        watched.misses(payloads(2, **values))
    assert len(shapes) == count


def test_the_usual_place_is_found_again() -> None:
    watched = Watched(credit=30, rest=4)
    watched.misses(payloads())
    assert watched.decoder._place == (8, False)
    watched.misses(hostile(60))
    assert watched.decoder._key is None
    watched.misses(payloads(40))
    assert watched.misses(payloads()) == 0
    assert watched.decoder._place == (8, False)
    assert watched.decoder._key is not None


def test_a_place_that_is_no_longer_usual_is_given_up() -> None:
    watched = Watched()
    watched.misses(payloads())
    named = [b"\x0a\4long" + payload[4:] for payload in payloads()]
    watched.misses(named)
    watched.misses(named)
    assert watched.decoder._place is None
    assert watched.misses(named + payloads()) == 0


def test_limits() -> None:
    shapes = ShapeCache(max_shapes=3, max_entries=4)
    watched = Watched(shapes, max_plans=10)
    varied = [bytes(sample(number, query_message=bytes(number % 30))) for number in range(100)]
    watched.misses(varied)
    assert watched.decoder._count <= 11
    for values in ({}, {"query_time_sec": None}, {"query_time_nsec": None}, {"response_port": None}, {"query_port": 1}):
        watched.misses(payloads(4, **values))
    assert len(shapes) <= 3
    times = [bytes(sample(number, query_time_sec=number + 2**30)) for number in range(20)]
    watched.misses(times)
    assert watched.misses(times) == 0


def test_shapes_seen_once_have_a_limit() -> None:
    """Each payload has another subset of the fields."""
    watched = Watched(credit=10**6)
    names = ["query_address", "response_address", "response_port", "query_time_sec", "query_message"]
    names += ["socket_family", "socket_protocol", "query_time_nsec", "query_port"]
    subsets = itertools.product([False, True], repeat=len(names))
    left_out: list[dict[str, Any]] = [dict.fromkeys(itertools.compress(names, subset)) for subset in subsets]
    assert watched.misses(bytes(sample(0, **values)) for values in left_out)
    assert 0 < len(watched.decoder._seen) <= 256


def test_error_is_shown_alone() -> None:
    """No failed look-up of a plan is shown before it."""
    bad = bytes(sample())[:-1]
    decoders = [learner(), learner(), learner(warm_up=100)]
    for payload in payloads():
        decoders[1].decode(payload)
    for decoder in decoders:
        with pytest.raises(DecodeError) as caught:
            decoder.decode(bad)
        text = "".join(traceback.format_exception(caught.value))
        assert text.count("Traceback") == 1
        assert caught.value.__context__ is None


def test_threads() -> None:
    """Threads share a decoder, which learns, forgets and changes the usual place all the time."""
    decoder = learner(ShapeCache(max_shapes=20, max_entries=20), max_plans=500)
    captures = [capture(path)[:150] for path in sorted(DATA.glob("*.fstrm"))]
    expected = [[generic(Dnstap, payload) for payload in each] for each in captures]
    wrong: list[int] = []

    def work(first: int) -> None:
        for turn in range(len(captures)):
            index = (first + turn) % len(captures)
            if [decoder.decode(payload) for payload in captures[index]] != expected[index]:
                wrong.append(index)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for working in [start(work, 3 * number) for number in range(4)]:
            working.result(DEADLINE_S)
    finally:
        sys.setswitchinterval(interval)
    assert not wrong


def test_subclasses_are_parsed_as_what_they_are() -> None:
    class Mine(Dnstap):
        """A subclass of another program."""

    assert type(Mine.parse(bytes(sample()))) is Mine
    assert type(Dnstap.parse(bytes(sample()))) is Dnstap
    assert Dnstap().parse(bytes(sample())) == sample()


def test_policies_that_repeat() -> None:
    """Each message has a policy of its own, so changing one changes no other."""
    watched = Watched(ShapeCache(max_entries=4))
    each = [bytes(sample(policy=Policy(rule=bytes([n])))) for n in range(9)]
    watched.misses(each)
    assert watched.misses(each) == 0
    for number, payload in enumerate(each * 3):
        decoded = watched.decoder.decode(payload).message
        assert decoded is not None
        assert decoded.policy == Policy(rule=bytes([number % 9]))
        decoded.policy.rule = b"changed"


@pytest.mark.parametrize("cls", [None, 5, int, Message, Policy])
def test_other_classes(cls: Any) -> None:
    with pytest.raises(TypeError, match=r"^cls: expected Dnstap, got "):
        Decoder(cls)
