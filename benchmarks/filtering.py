"""Filters beside Google's protobuf (upb, C) with the same test written in Python.

    python benchmarks/filtering.py [--json] [--rounds N]

Measures a payload, decoding included, over 40,000 like those of a busy Unbound (benchmarks/traffic.py). Payloads whose
DNS message does not parse are left out. Both sides must select the same. The functions for protobuf read only the
fields they need, cheap ones first, and search for the name in the DNS message as a program written for one test would:
without checking that the message is well-formed.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.contest import arguments, contest
from benchmarks.traffic import busy
from dnstap import Dnstap, compile_filter
from tests.judge import google

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 40_000

_parse: Any = google("Dnstap").FromString


def is_client_query(payload: bytes) -> bool:
    return bool(_parse(payload).message.type == 5)


def is_client_query_under_org(payload: bytes) -> bool:
    message = _parse(payload).message
    if message.type != 5:
        return False
    wire = message.query_message
    return bool(wire[12 : wire.find(b"\0", 12) + 1].lower().endswith(b"\3org\0"))


def asks_for_aaaa(payload: bytes) -> bool:
    message = _parse(payload).message
    wire = message.query_message if message.type % 2 else message.response_message
    end = wire.find(b"\0", 12)
    return bool(wire[end + 1 : end + 3] == b"\0\x1c")


def is_from_network(payload: bytes) -> bool:
    address = _parse(payload).message.query_address
    return len(address) == 4 and address[0] >> 2 == 48


def is_servfail(payload: bytes) -> bool:
    """Compare the header's bits only: those in EDNS would take a parser of the whole message."""
    message = _parse(payload).message
    return not message.type % 2 and message.response_message[3] & 15 == 2


JOBS: dict[str, Callable[[bytes], bool]] = {
    "type = CLIENT_QUERY and qname under org": is_client_query_under_org,
    "type = CLIENT_QUERY": is_client_query,
    "qtype = AAAA": asks_for_aaaa,
    "client in 192.0.0.0/6": is_from_network,
    "rcode = SERVFAIL": is_servfail,
}


def by_function(test: Callable[[bytes], bool], payloads: list[bytes]) -> list[bytes]:
    """Return the payloads for which a function returns True."""
    return [payload for payload in payloads if test(payload)]


def by_object(text: str, payloads: list[bytes]) -> list[bytes]:
    """Return the payloads that a filter matches as decoded objects."""
    matches, parse = compile_filter(text).matches, Dnstap.parse
    return [payload for payload in payloads if matches(parse(payload))]


def main() -> None:
    """Run the benchmark and print one table per expression."""
    options = arguments((__doc__ or "").splitlines()[0], rounds=9)
    payloads = compile_filter("has edns and has qname").select(busy("unbound-unix", COUNT))
    for text, test in JOBS.items():
        expression = compile_filter(text)
        selected = expression.select(payloads)
        if not selected or not selected == by_function(test, payloads) == by_object(text, payloads):
            raise SystemExit(f"{text}: the two sides select different payloads, or none")
        contest(
            f"{text}: {len(selected)} of {len(payloads)}",
            len(payloads),
            {
                "Filter.select": partial(expression.select, payloads),
                "Filter.matches(Dnstap.parse())": partial(by_object, text, payloads),
                "protobuf (upb) and a function": partial(by_function, test, payloads),
            },
            options,
            ["protobuf"],
        )


if __name__ == "__main__":
    main()
