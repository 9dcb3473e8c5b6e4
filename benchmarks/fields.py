"""Chosen fields beside `-q`, decoding included: lines (`--fields`), rows, and typed lines of JSON and CSV.

Then fields of messages that are decoded: accessors and `as_dict`, beside `question`, dnspython and betterproto2's
`to_dict`.

    python benchmarks/fields.py [--json] [--rounds N]

Measures the processor time for a payload, over 40,000 like those of a busy Unbound (benchmarks/traffic.py), and 4,000
where the slow ways take part. Each run remembers nothing of the one before.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

import dns.exception

from benchmarks.contest import arguments, contest
from benchmarks.traffic import busy
from dnstap import DnsMessageError, Dnstap, Message, Style, row_reader
from dnstap.rendering.formats import decoder_for, renderer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

COUNT = 40_000
SLOW_COUNT = 4_000

CHOICES = (
    "time,qr,client,qname,qtype,rcode,latency",
    "time,client,qname",
    "id,opcode,flags,ancount",
    "qname,edns_do,edns_udp_size,ecs,ede",
    "qname,answer_data",
    "all",
)

TYPED = "time,client,qname,rcode,latency"

ACCESSORS = (
    "rcode",
    "opcode",
    "id",
    "flags",
    "qname",
    "qtype",
    "client",
    "latency",
    "latency_ns",
    "time",
    "query_time",
)


def spent(run: Callable[[], object]) -> float:
    """Return the processor seconds of a call."""
    began = time.process_time()
    run()
    return time.process_time() - began


def lines(payloads: list[bytes], fields: tuple[str, ...], name: str = "quiet") -> int:
    """Render all payloads, and return the length of their text."""
    style = Style("utc", fields=fields)
    decode, render = decoder_for(name, style), renderer(name, style)
    return sum([len(render(decode(payload))) for payload in payloads])


def rows(payloads: list[bytes], fields: tuple[str, ...]) -> int:
    """Read the rows of all payloads, and return their number."""
    read = row_reader(fields)
    return len([read(payload) for payload in payloads])


def in_new_thread(run: Callable[[], object]) -> float:
    """Return the processor seconds of a call in a thread of its own, which has read no message before."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(spent, run).result()


def read(name: str, messages: Iterable[Message]) -> None:
    """Read an accessor of all messages."""
    get = attrgetter(name)
    for message in messages:
        get(message)


def question(messages: Iterable[Message]) -> None:
    """Read the questions of all messages; some do not parse."""
    for message in messages:
        with suppress(DnsMessageError):
            _ = message.question


def dns_rcode(messages: Iterable[Message]) -> None:
    """Read the rcode of all messages by dnspython; some do not parse."""
    for message in messages:
        with suppress(dns.exception.DNSException):
            if parsed := message.dns:
                parsed.rcode()


def dicts(dnstaps: Iterable[Dnstap], fields: Sequence[str]) -> None:
    """Make all messages dicts of fields."""
    for dnstap in dnstaps:
        dnstap.as_dict(fields)


def their_dicts(dnstaps: Iterable[Dnstap]) -> None:
    """Make all messages dicts by betterproto2."""
    for dnstap in dnstaps:
        dnstap.to_dict()


def main() -> None:
    """Run the benchmark and print one table."""
    options = arguments((__doc__ or "").splitlines()[0], rounds=5)
    payloads = busy("unbound-unix", COUNT)
    contestants: dict[str, Callable[[], object]] = {"-q": partial(lines, payloads, ())}
    contestants |= {f"--fields {names}": partial(lines, payloads, tuple(names.split(","))) for names in CHOICES}
    names = tuple(TYPED.split(","))
    contestants[f"row_reader {TYPED}"] = partial(rows, payloads, names)
    contestants |= {f"{name} {TYPED}": partial(lines, payloads, names, name) for name in ("quiet", "json", "csv")}
    contest("lines of chosen fields", COUNT, contestants, options, [], spent)

    dnstaps = [Dnstap.parse(payload) for payload in payloads]
    messages = [dnstap.message for dnstap in dnstaps if dnstap.message]
    contestants = {name: partial(read, name, messages) for name in ACCESSORS}
    contest("a field of a Message", COUNT, contestants, options, [], in_new_thread)
    some, their = dnstaps[:SLOW_COUNT], messages[:SLOW_COUNT]
    contestants = {
        "as_dict()": partial(dicts, some, ("all",)),
        f"as_dict({TYPED})": partial(dicts, some, names),
        "to_dict()": partial(their_dicts, some),
        "rcode": partial(read, "rcode", their),
        "dns.rcode()": partial(dns_rcode, their),
        "qname": partial(read, "qname", their),
        "question": partial(question, their),
    }
    contest("a Dnstap as a dict", SLOW_COUNT, contestants, options, ["betterproto2", "dnspython"], in_new_thread)


if __name__ == "__main__":
    main()
