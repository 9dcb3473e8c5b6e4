"""Payloads for the benchmarks: those of the captures, and synthetic ones, the same at each run."""

from __future__ import annotations

import contextlib
import random
import struct
from dataclasses import replace
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from dnstap import Dnstap, HttpProtocol, Message, Policy, PolicyAction, PolicyMatch, SocketFamily
from dnstap.dns import unpack_name
from dnstap.dns.text import OPT
from dnstap.errors import DnsMessageError
from framestream import TruncatedStreamError, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["SENDERS", "busy", "captures", "cold", "hostile", "payloads_of"]

ROOT = Path(__file__).parents[1]


def captures() -> dict[str, Path]:
    """Return the paths of the captures by name."""
    paths = [*sorted((ROOT / "tests" / "data").glob("*.fstrm")), ROOT / "examples" / "coredns.fstrm"]
    return {path.stem: path for path in paths}


@cache
def payloads_of(capture: str) -> list[bytes]:
    """Return the payloads of a capture."""
    payloads: list[bytes] = []
    # One of the captures is truncated, as a test case.
    with read_file(captures()[capture]) as reader, contextlib.suppress(TruncatedStreamError):
        payloads.extend(reader)
    return payloads


def _message(dnstap: Dnstap) -> Message:
    assert dnstap.message is not None
    return dnstap.message


def _extra_before_message() -> Iterator[bytes]:
    """Yield payloads like those of CoreDNS with its plugin's `extra`: a changing field between version and Message."""
    for number, payload in enumerate(payloads_of("coredns")):
        dnstap = Dnstap.parse(payload)
        extra = b"client=%d;zone=example%d.org." % (number % 1000, number % 37)
        head = Dnstap(dnstap.identity, dnstap.version, extra).encode(lenient=True)
        yield head + replace(dnstap, identity=None, version=None).encode()


def _no_identity() -> Iterator[bytes]:
    for payload in payloads_of("unbound-unix"):
        yield replace(Dnstap.parse(payload), identity=None, version=None).encode()


def _ipv6() -> Iterator[bytes]:
    for number, payload in enumerate(payloads_of("named-recursor")):
        dnstap = Dnstap.parse(payload)
        message = _message(dnstap)
        message.socket_family = SocketFamily.INET6
        message.query_address = bytes(14) + number.to_bytes(2, "big")
        if message.response_address is not None:
            message.response_address = bytes(16)
        yield dnstap.encode()


def _http_and_policy() -> Iterator[bytes]:
    policies = [
        Policy("RPZ", b"\3bad\7example\0", PolicyAction.NXDOMAIN, PolicyMatch.QNAME, b"bad.example."),
        Policy("RPZ", b"\5worse\7example\0", PolicyAction.DROP, PolicyMatch.CLIENT_IP),
    ]
    for number, payload in enumerate(payloads_of("dnsdist-tcp")):
        dnstap = Dnstap.parse(payload)
        message = _message(dnstap)
        message.http_protocol = HttpProtocol.HTTP2
        message.policy = policies[number % 2]
        yield dnstap.encode()


SENDERS: dict[str, Callable[[], Iterator[bytes]]] = {
    "extra before the message": _extra_before_message,
    "no identity": _no_identity,
    "IPv6": _ipv6,
    "HTTP version and policy": _http_and_policy,
}
"""Synthetic senders, for fields that no capture has; each is made from a capture."""


def busy(capture: str, count: int) -> list[bytes]:
    """Return payloads like those of a busy server, with the types, fields and answer sizes of a capture.

    There are 20,000 names and 1,000 clients, the n-th with a frequency proportional to 1/n. Each query has a random
    port, and there are 10,000 messages a second.
    """
    randomness = random.Random(1)
    labels = [
        randomness.randbytes(randomness.choice((3, 5, 6, 7, 8, 10, 13, 21))).hex().encode()[::2] for _ in range(20_000)
    ]
    names = [b"\3www" + bytes([len(label)]) + label + randomness.choice((b"\3com\0", b"\3org\0")) for label in labels]
    clients = [randomness.randbytes(4) for _ in range(1000)]
    name_weights = list(accumulate(1 / n for n in range(1, len(names) + 1)))
    client_weights = list(accumulate(1 / n for n in range(1, len(clients) + 1)))
    patterns = [Dnstap.parse(payload) for payload in payloads_of(capture)]
    made = []
    chosen = zip(
        randomness.choices(names, cum_weights=name_weights, k=count),
        randomness.choices(clients, cum_weights=client_weights, k=count),
        strict=True,
    )
    for number, (name, client) in enumerate(chosen):
        pattern = patterns[number % len(patterns)]
        message = replace(_message(pattern))
        if "CLIENT" in (message.type or message).name:  # type: ignore[union-attr]
            message.query_address = client
        if message.query_port is not None:
            message.query_port = randomness.randrange(1024, 65536)
        for side in "query", "response":
            wire = getattr(message, f"{side}_message")
            if wire is not None:
                setattr(message, f"{side}_message", _about(name, wire, randomness))
            if getattr(message, f"{side}_time_sec") is not None:
                setattr(message, f"{side}_time_sec", 1_795_000_000 + number // 10_000)
                setattr(message, f"{side}_time_nsec", number % 10_000 * 100_000 + randomness.randrange(100_000))
        made.append(replace(pattern, message=message).encode())
    return made


def _about(name: bytes, wire: bytes, randomness: random.Random) -> bytes:
    """Replace the name of the first question, and the ID.

    Compression pointers are not adjusted: no dnstap codec follows them.
    """
    end = wire.find(b"\0", 12) + 1
    return randomness.randbytes(2) + wire[2:12] + name + wire[end:]


def cold(payloads: list[bytes]) -> Iterator[bytes]:
    """Yield the payloads with contents that never repeat, in messages as well-formed as before.

    Random in each message: all labels of its question's name but the last two, the TTL of every record but OPT, and
    every A and AAAA address. Lengths do not change.
    """
    randomness = random.Random(7)
    for payload in payloads:
        dnstap = Dnstap.parse(payload)
        message = _message(dnstap)
        for name in "query_message", "response_message":
            wire = getattr(message, name)
            if wire is not None and wire[4:6] == b"\0\1":
                with contextlib.suppress(DnsMessageError, IndexError, struct.error):
                    setattr(message, name, _randomized(wire, randomness))
        yield dnstap.encode()


def _randomized(wire: bytes, randomness: random.Random) -> bytes:
    changed = bytearray(wire)
    offset, labels = 12, []
    while 0 < wire[offset] < 64:
        labels.append(slice(offset + 1, offset + 1 + wire[offset]))
        offset = labels[-1].stop
    for label in labels[:-2]:
        changed[label] = bytes(randomness.choices(b"abcdefghijklmnopqrstuvwxyz0123456789", k=label.stop - label.start))
    offset = unpack_name(wire, 12, len(wire))[1] + 4
    for _ in range(sum(struct.unpack_from(">3H", wire, 6))):
        _, offset = unpack_name(wire, offset, len(wire))
        rrtype, _, _, length = struct.unpack_from(">HHIH", wire, offset)
        start = offset + 10
        if rrtype != OPT:
            changed[offset + 4 : offset + 8] = randomness.randrange(604_800).to_bytes(4, "big")
        if (rrtype, length) in ((1, 4), (28, 16)):
            changed[start : start + length] = randomness.randbytes(length)
        offset = start + length
    return bytes(changed)


def hostile(count: int) -> list[bytes]:
    """Return payloads of which hardly two are alike: fields missing, in any order, with contents of any length."""
    randomness = random.Random(3)
    enums, numbers, contents = (1, 2, 3), (6, 7, 8, 12), (4, 5, 10, 11, 14)

    def field(number: int) -> bytes:
        if number in enums:
            return bytes((number << 3, randomness.choice((1, 2))))
        if number in numbers:
            return bytes((number << 3,)) + _varint(randomness.getrandbits(randomness.choice((7, 14, 16, 32))))
        if number in contents:
            size = 4 if number < 6 else randomness.randrange(1, 300)
            return bytes((number << 3 | 2,)) + _varint(size) + randomness.randbytes(size)
        return bytes((number << 3 | 5,)) + randomness.randbytes(4)

    made = []
    for _ in range(count):
        chosen = [1, *randomness.sample(range(2, 15), randomness.randrange(7, 13))]
        randomness.shuffle(chosen)
        message = b"".join(map(field, chosen))
        head = b"".join(
            b"%c%c%b" % (tag, size := randomness.randrange(1, 40), randomness.randbytes(size)) for tag in b"\x0a\x12"
        )
        made.append(head + b"r" + _varint(len(message)) + message + b"x\1")
    return made


def _varint(value: int) -> bytes:
    low_bytes = []
    while value > 127:
        low_bytes.append(value & 127 | 128)
        value >>= 7
    return bytes([*low_bytes, value])
