"""Chosen fields beside `-q`, decoding included: lines (`--fields`), rows, and typed lines of JSON and CSV.

    python benchmarks/fields.py [--json] [--rounds N]

Measures the processor time for a payload, over 40,000 like those of a busy Unbound (benchmarks/traffic.py).
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.contest import arguments, contest
from benchmarks.traffic import busy
from dnstap import Style, row_reader
from dnstap.rendering.formats import decoder_for, renderer

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 40_000

CHOICES = (
    "time,qr,client,qname,qtype,rcode,latency",
    "time,client,qname",
    "id,opcode,flags,ancount",
    "qname,edns_do,edns_udp_size,ecs,ede",
    "qname,answer_data",
    "all",
)

TYPED = "time,client,qname,rcode,latency"


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


def main() -> None:
    """Run the benchmark and print one table."""
    options = arguments((__doc__ or "").splitlines()[0], rounds=5)
    payloads = busy("unbound-unix", COUNT)
    contestants = {"-q": partial(lines, payloads, ())}
    contestants |= {f"--fields {names}": partial(lines, payloads, tuple(names.split(","))) for names in CHOICES}
    names = tuple(TYPED.split(","))
    contestants[f"row_reader {TYPED}"] = partial(rows, payloads, names)
    contestants |= {f"{name} {TYPED}": partial(lines, payloads, names, name) for name in ("quiet", "json", "csv")}
    contest("lines of chosen fields", COUNT, contestants, options, [], spent)


if __name__ == "__main__":
    main()
