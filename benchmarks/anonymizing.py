"""Anonymizing: payloads beside the same written with Google's protobuf (upb, C), addresses beside PyPI's yacryptopan.

    python benchmarks/anonymizing.py [--json] [--rounds N]

Measures the processor time of a payload, from encoded to encoded, over 10,000 payloads like those of a busy Unbound
and 10,000 like those of a busy named, whose messages have cookies (benchmarks/traffic.py). Payloads whose DNS message
does not parse are left out. Both sides have seen the 1,000 client addresses before. Two programs use protobuf: one
changes only the address fields of the Message; the other also has dnspython look for a Client Subnet in messages that
contain the bytes of its option code. A filter is timed too, to show the cost of decoding and of the question alone.

Then single addresses that have not been seen before: IPv4 anywhere, IPv4 in one /16, and IPv6.
"""

from __future__ import annotations

import random
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import dns.edns
import dns.message
from yacryptopan import CryptoPAn

from benchmarks.contest import arguments, contest
from benchmarks.traffic import busy
from dnstap import Anonymizer, CryptoPan, Dnstap, compile_filter, truncate
from tests.judge import google

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.anonymize import Method

COUNT = 10_000
ADDRESSES = 2_000
READ_FRAMES = 400
KEY = bytes(range(32))

_parse: Any = google("Dnstap").FromString


def truncated(address: bytes) -> bytes:
    return address[:3] + b"\0" if len(address) == 4 else address[:6] + bytes(10)


_other = CryptoPAn(KEY)


def by_yacryptopan(address: bytes) -> bytes:
    number = _other.anonymize_bin(int.from_bytes(address, "big"), 4 if len(address) == 4 else 6)
    return int(number).to_bytes(len(address), "big")


def by_protobuf(
    method: Method, replace_in: Callable[[bytes], bytes] | None, known: dict[bytes, bytes], payloads: list[bytes]
) -> list[bytes]:
    """Replace the addresses of payloads.

    Args:
        replace_in: function from a DNS message to an anonymized one; None to leave DNS messages alone.
        known: replacements of addresses seen before.
    """
    anonymized = []
    for payload in payloads:
        dnstap = _parse(payload)
        message = dnstap.message
        for name in "query_address", "response_address":
            address = getattr(message, name)
            if address:
                if address not in known:
                    known[address] = method(address)
                setattr(message, name, known[address])
        if replace_in:
            if message.query_message:
                message.query_message = replace_in(message.query_message)
            if message.response_message:
                message.response_message = replace_in(message.response_message)
        anonymized.append(dnstap.SerializeToString())
    return anonymized


def by_dnspython(wire: bytes) -> bytes:
    """Look for a Client Subnet. Few messages have one, so replacing it would not change the figure."""
    if b"\0\x29" in wire and b"\0\x08" in wire:
        options = dns.message.from_wire(wire, ignore_trailing=True).options
        any(isinstance(option, dns.edns.ECSOption) for option in options)
    return wire


def in_reads(anonymizer: Anonymizer, payloads: list[bytes]) -> list[bytes]:
    """Anonymize payloads in batches of the size that reads of a socket return."""
    starts = range(0, len(payloads), READ_FRAMES)
    return [payload for start in starts for payload in anonymizer(payloads[start : start + READ_FRAMES])]


def by_new(make_method: Callable[[], Method], addresses: list[bytes]) -> list[bytes]:
    """Anonymize addresses by a new method, which has seen none of them."""
    return list(map(make_method(), addresses))


def process_time(run: Callable[[], object]) -> float:
    """Return the processor seconds of a call."""
    began = time.process_time()
    run()
    return time.process_time() - began


def parses(payload: bytes) -> bool:
    """Return whether dnspython parses the DNS message of a payload."""
    message = Dnstap.parse(payload).message
    try:
        return message is not None and message.dns is not None
    except Exception:  # noqa: BLE001 (dnspython raises more than it documents)
        return False


def same_addresses(one: list[bytes], other: list[bytes]) -> bool:
    """Return whether two lists of payloads have the same addresses."""

    def addresses(payload: bytes) -> tuple[bytes, bytes]:
        message = _parse(payload).message
        return message.query_address, message.response_address

    return [addresses(payload) for payload in one] == [addresses(payload) for payload in other]


def main() -> None:
    """Run the benchmark and print one table per job."""
    options = arguments((__doc__ or "").splitlines()[0], rounds=9)
    whole = compile_filter("has answers and has qname")
    by_type_and_name = compile_filter("type = CLIENT_QUERY and qname under org")
    methods: dict[str, tuple[Callable[[], Method], Method]] = {
        "truncate": (truncate, truncated),
        "Crypto-PAn": (lambda: CryptoPan(KEY), by_yacryptopan),
    }
    for capture in "unbound-unix", "named-recursor":
        payloads = list(filter(parses, whole.select(busy(capture, COUNT))))
        for name, (ours, theirs) in methods.items():
            default, answers = Anonymizer(ours()), Anonymizer(ours(), answers=True)
            known: dict[bytes, bytes] = {}
            if not same_addresses(in_reads(default, payloads), by_protobuf(theirs, None, known, payloads)):
                raise SystemExit(f"{name}: the two sides give different addresses")
            contest(
                f"{name}, {capture}, a payload",
                len(payloads),
                {
                    "Anonymizer": partial(in_reads, default, payloads),
                    "Anonymizer with answers": partial(in_reads, answers, payloads),
                    "a filter by type and name": partial(by_type_and_name.select, payloads),
                    "protobuf, only addresses": partial(by_protobuf, theirs, None, known, payloads),
                    "protobuf and dnspython": partial(by_protobuf, theirs, by_dnspython, known, payloads),
                },
                options,
                ["protobuf", "dnspython", "yacryptopan", "cryptography"],
                process_time,
            )
    randomness = random.Random(1)
    kinds = {
        "IPv4": [randomness.randbytes(4) for _ in range(ADDRESSES)],
        "IPv4 of one /16": [
            b"\xc0\0" + number.to_bytes(2, "big") for number in randomness.sample(range(65536), ADDRESSES)
        ],
        "IPv6": [randomness.randbytes(16) for _ in range(ADDRESSES)],
    }
    for kind, addresses in kinds.items():
        if [CryptoPan(KEY)(address) for address in addresses] != [by_yacryptopan(address) for address in addresses]:
            raise SystemExit(f"{kind}: the two sides give different addresses")
        contest(
            f"Crypto-PAn, a new address, {kind}",
            ADDRESSES,
            {
                "CryptoPan": partial(by_new, lambda: CryptoPan(KEY), addresses),
                "yacryptopan": partial(by_new, lambda: by_yacryptopan, addresses),
            },
            options,
            ["yacryptopan", "cryptography"],
            process_time,
        )


if __name__ == "__main__":
    main()
