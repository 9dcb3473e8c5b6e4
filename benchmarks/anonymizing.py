"""Anonymizing payloads beside Google's protobuf (upb, C) with the same written in Python, and addresses beside PyPI's.

    python benchmarks/anonymizing.py [--json] [--rounds N]

Measured is a payload, from its octets to its octets, of 10,000 like those of a busy Unbound, and of a busy named, whose
messages have cookies (benchmarks/traffic.py); those whose DNS message does not parse are left out. Both sides know
the 1,000 clients. Two programs with protobuf stand beside ours: one changes the addresses of the Message alone, and
does not look into DNS messages; the other has dnspython look for Client Subnets, where the octets of their code are.
A filter beside them shows what decoding and one look at the question take. Then single addresses that have not been
seen: IPv4 anywhere and in one /16, and IPv6. The time is the processor's.
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
KEY = bytes(range(32))

_parse: Any = google("Dnstap").FromString


def by_cutting(address: bytes) -> bytes:
    return address[:3] + b"\0" if len(address) == 4 else address[:6] + bytes(10)


_other = CryptoPAn(KEY)


def by_yacryptopan(address: bytes) -> bytes:
    number = _other.anonymize_bin(int.from_bytes(address, "big"), 4 if len(address) == 4 else 6)
    return int(number).to_bytes(len(address), "big")


def by_protobuf(
    method: Method, look: Callable[[bytes], bytes] | None, known: dict[bytes, bytes], payloads: list[bytes]
) -> list[bytes]:
    """The payloads with other addresses; look: what becomes of a DNS message."""
    out = []
    for payload in payloads:
        d = _parse(payload)
        m = d.message
        for name in "query_address", "response_address":
            address = getattr(m, name)
            if address:
                if address not in known:
                    known[address] = method(address)
                setattr(m, name, known[address])
        if look:
            if m.query_message:
                m.query_message = look(m.query_message)
            if m.response_message:
                m.response_message = look(m.response_message)
        out.append(d.SerializeToString())
    return out


def by_dnspython(wire: bytes) -> bytes:
    """Looks for a Client Subnet. There are few, so that it does not matter that it is not replaced."""
    if b"\0\x29" in wire and b"\0\x08" in wire:
        options = dns.message.from_wire(wire, ignore_trailing=True).options
        any(isinstance(option, dns.edns.ECSOption) for option in options)
    return wire


def in_reads(anonymizer: Anonymizer, payloads: list[bytes]) -> list[bytes]:
    """In pieces such as reads bring."""
    return [out for start in range(0, len(payloads), 400) for out in anonymizer(payloads[start : start + 400])]


def each(method: Callable[[], Method], addresses: list[bytes]) -> list[bytes]:
    """Of addresses that have not been seen."""
    return list(map(method(), addresses))


def process_time(run: Callable[[], object]) -> float:
    """Seconds of the processor."""
    began = time.process_time()
    run()
    return time.process_time() - began


def parses(payload: bytes) -> bool:
    message = Dnstap.parse(payload).message
    try:
        return message is not None and message.dns is not None
    except Exception:  # noqa: BLE001 (dnspython raises more than it says)
        return False


def addresses_alike(one: list[bytes], other: list[bytes]) -> bool:
    def addresses(payload: bytes) -> tuple[bytes, bytes]:
        m = _parse(payload).message
        return m.query_address, m.response_address

    return [addresses(payload) for payload in one] == [addresses(payload) for payload in other]


def main() -> None:
    """Print a table a job."""
    options = arguments((__doc__ or "").splitlines()[0], rounds=9)
    whole = compile_filter("has answers and has qname")
    by_name = compile_filter("type = CLIENT_QUERY and qname under org")
    methods: dict[str, tuple[Callable[[], Method], Method]] = {
        "truncate": (truncate, by_cutting),
        "Crypto-PAn": (lambda: CryptoPan(KEY), by_yacryptopan),
    }
    for capture in "unbound-unix", "named-recursor":
        payloads = list(filter(parses, whole.select(busy(capture, COUNT))))
        for name, (ours, theirs) in methods.items():
            usual, answers = Anonymizer(ours()), Anonymizer(ours(), answers=True)
            known: dict[bytes, bytes] = {}
            if not addresses_alike(in_reads(usual, payloads), by_protobuf(theirs, None, known, payloads)):
                raise SystemExit(f"{name}: the sides do not make the same")
            contest(
                f"{name}, {capture}, a payload",
                len(payloads),
                {
                    "Anonymizer": partial(in_reads, usual, payloads),
                    "Anonymizer, answers too": partial(in_reads, answers, payloads),
                    "a filter by type and name": partial(by_name.select, payloads),
                    "protobuf, addresses alone": partial(by_protobuf, theirs, None, known, payloads),
                    "protobuf and dnspython": partial(by_protobuf, theirs, by_dnspython, known, payloads),
                },
                options,
                ["protobuf", "dnspython", "yacryptopan", "cryptography"],
                process_time,
            )
    rnd = random.Random(1)
    kinds = {
        "IPv4": [rnd.randbytes(4) for _ in range(ADDRESSES)],
        "IPv4 of one /16": [b"\xc0\0" + number.to_bytes(2, "big") for number in rnd.sample(range(65536), ADDRESSES)],
        "IPv6": [rnd.randbytes(16) for _ in range(ADDRESSES)],
    }
    for kind, addresses in kinds.items():
        if [CryptoPan(KEY)(address) for address in addresses] != [by_yacryptopan(address) for address in addresses]:
            raise SystemExit(f"{kind}: the sides do not make the same")
        contest(
            f"Crypto-PAn, a new address, {kind}",
            ADDRESSES,
            {
                "CryptoPan": partial(each, lambda: CryptoPan(KEY), addresses),
                "yacryptopan": partial(each, lambda: by_yacryptopan, addresses),
            },
            options,
            ["yacryptopan", "cryptography"],
            process_time,
        )


if __name__ == "__main__":
    main()
