"""Our codec beside Google's protobuf, on any message, any bytes, payloads of servers, hostile and mutated ones."""

from __future__ import annotations

import os
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnstap import DecodeError, Decoder, Dnstap, DnstapType, Message, MessageType, Policy
from dnstap.codec import decode as generic
from dnstap.codec.learned import LearningLimits
from dnstap.codec.tables import ENUM, MESSAGE, table_of
from dnstap.strategies import Logged, dnstaps, hostile_payloads, logged, messages, policies
from framestream import TruncatedStreamError, read_file
from tests.judge import cpp_refuses, differing_field, google, google_parse

DATA = Path(__file__).parents[1] / "data"
DECODER = Decoder(Dnstap, limits=LearningLimits(warm_up=0, credit=1 << 40))
"""Decoder that goes on learning: its credit is never used up here."""

MUTATIONS = int(os.environ.get("DNSTAP_MUTATIONS", "20000"))


@pytest.mark.parametrize("values", [of(nameless=True, max_bytes=1 << 16) for of in (dnstaps, messages, policies)])
def test_messages_survive_a_round_trip(values: st.SearchStrategy[Any]) -> None:
    @given(values)
    def check(message: Any) -> None:
        encoded = bytes(message)
        cls = type(message)
        assert cls.parse(encoded) == message
        judged = google_parse(cls.__name__, encoded)
        assert judged is not None
        assert differing_field(message, judged) is None

    check()


def with_and_without_plans(data: bytes) -> None:
    """Compare the strict decoder with one that may have made a plan from these bytes."""
    results = []
    parsers: list[Any] = [Dnstap.parse, *[DECODER.decode] * 3, partial(generic, Dnstap)]
    for parse in parsers:
        try:
            results.append(repr(parse(data)))
        except DecodeError as error:
            results.append(str(error))
    assert len(set(results)) == 1, data.hex()


def judge(name: str, data: bytes) -> str:
    """Compare our decoding of bytes, and the encoding of that, with Google's. Return the outcome."""
    cls: Any = {"Dnstap": Dnstap, "Message": Message, "Policy": Policy}[name]
    if name == "Dnstap":
        with_and_without_plans(data)
    theirs = google_parse(name, data)
    try:
        ours = cls.parse(data, lenient=True)
    except DecodeError as error:
        if theirs is not None:
            # Field number 0 in an unknown group, at which Google's Python does not look.
            refused = error.reason == "field number 0" and cpp_refuses(name, data)
            assert refused, f"refused by us alone: {data.hex()}"
        return "refused"
    assert theirs is not None, f"accepted by us alone: {data.hex()}"
    assert differing_field(ours, theirs) is None, data.hex()
    encoded = ours.encode(lenient=True)
    assert cls.parse(encoded, lenient=True) == ours, data.hex()
    if has_nameless_enum(ours):
        return "nameless"
    if encoded != theirs.SerializePartialToString():
        # A number without a name was superseded: a value of ours that is gone, an unknown field of theirs that stays.
        again: Any = google(name).FromString(encoded)
        theirs.DiscardUnknownFields()
        again.DiscardUnknownFields()
        assert again == theirs, data.hex()
        return "superseded"
    return "same"


def has_nameless_enum(message: Any) -> bool:
    """Return whether a message has an enum number without a name."""
    for field in table_of(type(message)).fields:
        value = getattr(message, field.name)
        if value is not None and field.kind == ENUM and not value.name:
            return True
        if value is not None and field.kind == MESSAGE and has_nameless_enum(value):
            return True
    return False


@given(st.sampled_from(["Dnstap", "Message", "Policy"]), st.binary(max_size=60))
def test_any_bytes_are_decoded_as_google_does(name: str, data: bytes) -> None:
    judge(name, data)


@pytest.mark.parametrize(
    ("encoded", "way"),
    [("7801 0b 0000 0c", "refused"), ("7200 0b 0b 0500000000 0c 0c", "refused"), ("7801 0b 0800 0c", "same")],
)
def test_field_number_0_in_a_group(encoded: str, way: str) -> None:
    data = bytes.fromhex(encoded)
    assert google_parse("Dnstap", data) is not None
    assert cpp_refuses("Dnstap", data) is (way == "refused")
    assert judge("Dnstap", data) == way


@given(logged())
def test_payloads_of_servers_are_decoded_as_google_does(log: Logged) -> None:
    assert judge("Dnstap", log.payload) == "same"
    assert Dnstap.parse(log.payload) == log.dnstap


@given(hostile_payloads())
def test_hostile_payloads_are_decoded_as_google_does(payload: bytes) -> None:
    judge("Dnstap", payload)


def payloads() -> list[bytes]:
    """Return real payloads of every sender, and synthetic ones with the fields that no sender here uses."""
    real = []
    for path in sorted(DATA.glob("*.fstrm")):
        with read_file(path) as reader:
            try:
                batches = [payload for payload, _ in zip(reader, range(300), strict=False)]
            except TruncatedStreamError:  # not within the first 300
                raise AssertionError(path) from None
        real += [payload for payload in batches if len(payload) < 3000]
    made = Message(
        type=MessageType.CLIENT_QUERY,
        policy=Policy(type="RPZ", rule=b"\0", value=b"x"),
        http_protocol=2,  # type: ignore[arg-type]
        query_port=53,
    )
    return real + [bytes(Dnstap(identity=b"made", extra=b"e", message=made, type=DnstapType.MESSAGE))] * 200


@pytest.fixture(scope="module")
def real() -> list[bytes]:
    """Return the payloads to mutate."""
    return payloads()


def test_real_payloads_come_out_as_they_went_in(real: list[bytes]) -> None:
    for payload in real:
        parsed = Dnstap.parse(payload)
        theirs = google_parse("Dnstap", payload)
        assert theirs is not None
        assert differing_field(parsed, theirs) is None
        # PowerDNS writes its fields in another order; bytes are compared with Google's, which sorts them too.
        assert bytes(parsed) == theirs.SerializePartialToString()
        assert len(bytes(parsed)) == len(payload)


@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_payloads_are_decoded_as_google_does(real: list[bytes], seed: int) -> None:
    generator = random.Random(seed)
    ways = {"same": 0, "refused": 0, "superseded": 0, "nameless": 0}
    for _ in range(MUTATIONS // 2):
        ways[judge("Dnstap", mutated(generator.choice(real), generator))] += 1
    assert min(ways["same"], ways["refused"], ways["nameless"]) > MUTATIONS // 500, ways


def mutated(payload: bytes, generator: random.Random) -> bytes:
    """Return a payload with one to three faults, most of them where the fields begin."""
    changed = bytearray(payload)
    for _ in range(generator.choice((1, 1, 2, 3))):
        if not changed:
            break
        at = generator.randrange(min(len(changed), generator.choice((60, 90, 400, 1 << 20))))
        to = generator.randrange(len(changed))
        match generator.randrange(8):
            case 0:
                changed[at] ^= 1 << generator.randrange(8)
            case 1:
                changed[at] = generator.choice((0, 1, 2, 127, 128, 255, generator.randrange(256)))
            case 2:
                changed[at] = (changed[at] + generator.choice((-1, 1))) % 256
            case 3:
                del changed[at : at + generator.randint(1, 4)]
            case 4:
                changed[at:at] = generator.randbytes(generator.randint(1, 4))
            case 5:
                del changed[to:]
            case 6:
                changed += changed[to : to + 30]
            case _:  # a byte moves: the length stays
                moved = changed[at : at + 1]
                del changed[at : at + 1]
                changed[to:to] = moved
    return bytes(changed)
