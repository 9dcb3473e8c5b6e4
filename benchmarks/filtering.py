"""Filters beside Google's protobuf (upb, C) with the same test written in Python.

    python benchmarks/filtering.py [--json] [--rounds N]

Measures a payload, decoding included, over 40,000 like those of a busy Unbound (benchmarks/traffic.py). Payloads whose
DNS message does not parse are left out. Both sides must select the same. The functions for protobuf read only the
fields they need, cheap ones first, and search for the name in the DNS message as a program written for one test would:
without checking that the message is well-formed.

The last two filters have a list of a million names in a file, beside protobuf with a set of the names; before them come
the seconds and the memory (peak of the resident set) that either takes to load it, each in a process of its own.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.contest import arguments, contest
from benchmarks.traffic import busy
from dnstap import Dnstap, Filter, compile_filter
from dnstap.dns import unpack_name
from dnstap.dns.names import name_octets
from tests.judge import google

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

COUNT = 40_000
LISTED = 1_000_000

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


def name_of(payload: bytes) -> bytes:
    """Return the name of the question in wire format and in lower case, believing that it has no pointer."""
    message = _parse(payload).message
    wire = message.query_message if message.type % 2 else message.response_message
    name: bytes = wire[12 : wire.find(b"\0", 12) + 1].lower()
    return name


def is_listed(names: frozenset[bytes], payload: bytes) -> bool:
    return name_of(payload) in names


def is_below_listed(names: frozenset[bytes], payload: bytes) -> bool:
    name = name_of(payload)
    while name not in names:
        if len(name) < 2:
            return False
        name = name[name[0] + 1 :]
    return True


def made_names(payloads: list[bytes]) -> list[str]:
    """Return a million names, among them one of four that the payloads ask for."""
    asked = sorted({name_of(payload) for payload in payloads} - {b"\0"})[::4]
    generator = random.Random(1)
    names = [unpack_name(name, 0, len(name))[0] for name in asked]
    for number in range(LISTED - len(names)):
        label = "".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=generator.randint(4, 12)))
        names.append(f"{generator.choice(('www', 'ads', 'api'))}{number}.{label}.{generator.choice(('com', 'net'))}")
    return names


LOADERS = {
    "compile_filter": "from dnstap import compile_filter\nload = lambda path: compile_filter(f'qname in @{path}')",
    "set of the lines": "load = lambda path: {line.strip().lower() for line in open(path)}",
}
MEASURED = """
import json, re, sys, time
# Unlike ru_maxrss, this does not begin with the memory of the process that started this one.
used = lambda: int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024
before, began = used(), time.process_time()
loaded = load(sys.argv[1])
print(json.dumps({"seconds": time.process_time() - began, "mebibytes": used() - before}))
"""


def loading(path: Path, options: argparse.Namespace) -> None:
    """Load the list in a new process for each loader, and print processor seconds and memory."""
    rows = []
    for name, source in LOADERS.items():
        command = [sys.executable, "-c", source + MEASURED, str(path)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows.append({"contestant": name, **json.loads(printed)})
    if options.json:
        print(json.dumps({"job": "load a list", "names": LISTED, "results": rows}))
        return
    print(f"load a list of {LISTED} names")
    for row in rows:
        print(f"  {row['contestant']:32} {row['seconds']:9.3f} s   {row['mebibytes']:7.1f} MiB")


def by_function(test: Callable[[bytes], bool], payloads: list[bytes]) -> list[bytes]:
    """Return the payloads for which a function returns True."""
    return [payload for payload in payloads if test(payload)]


def by_object(wanted: Filter, payloads: list[bytes]) -> list[bytes]:
    """Return the payloads that a filter matches as decoded objects."""
    matches, parse = wanted.matches, Dnstap.parse
    return [payload for payload in payloads if matches(parse(payload))]


def main() -> None:
    """Run the benchmark and print one table per expression."""
    options = arguments((__doc__ or "").splitlines()[0], rounds=9)
    payloads = compile_filter("has edns and has qname").select(busy("unbound-unix", COUNT))
    run(JOBS, payloads, options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "names"
        names = made_names(payloads)
        path.write_text("\n".join(names))
        loading(path, options)
        wires = frozenset([name_octets(name) for name in names])
        listed = {
            f"qname in @{path}": partial(is_listed, wires),
            f"qname under @{path}": partial(is_below_listed, wires),
        }
        run(listed, payloads, options)


def run(jobs: Mapping[str, Callable[[bytes], bool]], payloads: list[bytes], options: argparse.Namespace) -> None:
    """Check that both sides select the same by each expression, and time them."""
    for text, test in jobs.items():
        expression = compile_filter(text)
        selected = expression.select(payloads)
        if not selected or not selected == by_function(test, payloads) == by_object(expression, payloads):
            raise SystemExit(f"{text}: the two sides select different payloads, or none")
        contest(
            f"{text}: {len(selected)} of {len(payloads)}",
            len(payloads),
            {
                "Filter.select": partial(expression.select, payloads),
                "Filter.matches(Dnstap.parse())": partial(by_object, expression, payloads),
                "protobuf (upb) and a function": partial(by_function, test, payloads),
            },
            options,
            ["protobuf"],
        )


if __name__ == "__main__":
    main()
