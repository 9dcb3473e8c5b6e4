"""Loops and commands for analysis, beside a loop over Decoder and the Go tool with jq.

    python benchmarks/analysis.py [--json] [--rounds N] [FILE...]

Measures the processor time of a frame, of this process and of those that it starts: loops over dnstap.read, messages or
rows of seven fields, with a filter and with pairing, and commands, whose start is included. Go's JSON has the DNS
message as text, so jq takes qname, qtype and rcode out of that, as a user would; how many of its rows are like ours is
printed, and the seconds and memory to load a million names.

Without files it makes 100,000 payloads like those of a busy Unbound, and then the same "cold", with no repeated
contents (benchmarks/traffic.py). Given files are read as they are and then cold. Nothing in such traffic belongs
together, so pairing has 40,000 queries and responses of its own, those of benchmarks/pairing.py.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import dnstap
from benchmarks.contest import arguments, contest, processor
from benchmarks.filtering import loading, made_names
from benchmarks.pairing import traffic
from benchmarks.rendering import ENVIRONMENT, GO, OURS, write
from dnstap import CONTENT_TYPE, DecodeError, Decoder, Dnstap, Pairs, compile_filter, row_reader
from framestream import aio, read_file

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from dnstap import Filter

FIELDS = ("time", "qr", "client", "qname", "qtype", "rcode", "latency")
PAIRED = 40_000
FILTER = "type = CQ and qname under org"

JQ = r"""
def parts: [(.[0:19] + "Z" | fromdate), ((.[20:-1] + "000000000")[0:9] | tonumber)];
.message as $m
| ($m.response_message // $m.query_message // "") as $text
| ([$text | capture(
    "status: (?<rcode>\\w+)[\\s\\S]*?;; QUESTION SECTION:\n;(?<qname>\\S+)\t\\S+\t (?<qtype>\\S+)"
  )][0]) as $dns
| {time: ($m.response_time // $m.query_time), qr: (if $m.response_message then "R" else "Q" end),
   client: $m.query_address, qname: $dns.qname, qtype: $dns.qtype,
   rcode: (if $m.response_message then $dns.rcode else null end),
   latency: (if $m.response_time and $m.query_time
     then ($m.response_time | parts) as [$s, $n] | ($m.query_time | parts) as [$t, $o]
       | ($s - $t) * 1000000000 + $n - $o
     else null end)}
"""


def spent(run: Callable[[], object]) -> float:
    """Return the processor seconds of a call, those of the processes that it runs to their end included."""
    began = time.process_time()
    return processor(run) + time.process_time() - began


def by_decoder(path: Path) -> int:
    """Return the number of messages with a type, with a loop over payloads."""
    number = 0
    decode = Decoder(Dnstap).decode
    with read_file(path, [CONTENT_TYPE]) as reader:
        for payload in reader:
            try:
                message = decode(payload)
            except DecodeError:
                continue
            if message.message is not None:
                number += message.message.type is not None
    return number


def by_read(path: Path) -> int:
    """Return the same, read by dnstap.read."""
    number = 0
    for message in dnstap.read(path):
        number += message.message.type is not None
    return number


def paired_by_read(path: Path, *, hold_queries: bool) -> int:
    """Return the same, with pairing."""
    number = 0
    for message in dnstap.read(path, pairs=Pairs(hold_queries=hold_queries)):
        number += message.message.type is not None
    return number


async def by_async_decoder(path: Path) -> int:
    """Return the same, with a loop over payloads with asyncio."""
    number = 0
    decode = Decoder(Dnstap).decode
    async with aio.read_file(path, [CONTENT_TYPE]) as reader:
        async for payload in reader:
            try:
                message = decode(payload)
            except DecodeError:
                continue
            if message.message is not None:
                number += message.message.type is not None
    return number


async def by_async_read(path: Path) -> int:
    """Return the same, read by dnstap.aio.read."""
    number = 0
    async for message in dnstap.aio.read(path):
        number += message.message.type is not None
    return number


def filtered_by_decoder(path: Path) -> int:
    """Return the number of messages that match, with a loop over payloads."""
    number = 0
    decode, matches = Decoder(Dnstap).decode, compile_filter(FILTER).matches
    with read_file(path, [CONTENT_TYPE]) as reader:
        for payload in reader:
            try:
                number += matches(decode(payload))
            except DecodeError:
                continue
    return number


def filtered_by_read(path: Path) -> int:
    """Return the same, read by dnstap.read."""
    return sum(1 for _ in dnstap.read(path, filter=FILTER))


def rows_by_reader(path: Path) -> int:
    """Return the number of rows with a name, made by row_reader."""
    number = 0
    row = row_reader(FIELDS)
    with read_file(path, [CONTENT_TYPE]) as reader:
        for payload in reader:
            try:
                number += row(payload).qname is not None
            except DecodeError:
                continue
    return number


def rows_by_read(path: Path) -> int:
    """Return the same, read by dnstap.read."""
    return sum(row.qname is not None for row in dnstap.read(path, fields=FIELDS))


def selected(path: Path, wanted: Filter) -> int:
    """Return the number of payloads that a filter selects."""
    with read_file(path, [CONTENT_TYPE]) as reader:
        return sum(len(wanted.select(payloads)) for payloads in reader.batches())


def command(path: Path, *options: str, output: int | Any = subprocess.DEVNULL) -> None:
    """Run our command to its end."""
    words = [OURS, "-r", str(path), *options]
    subprocess.run(words, check=True, stdout=output, stderr=subprocess.DEVNULL, env=ENVIRONMENT)


def go(path: Path, *, jq: bool = False, output: int | Any = subprocess.DEVNULL) -> None:
    """Run the Go tool with -j to its end, into jq if that is wanted."""
    words = [GO, "-r", str(path), "-j"]
    if not jq:
        subprocess.run(words, check=True, stdout=output, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
        return
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as tool:
        subprocess.run(["jq", "-c", JQ], check=True, stdin=tool.stdout, stdout=output)
    if tool.returncode:
        raise SystemExit(f"{GO} ended with {tool.returncode}")


def like_ours(path: Path) -> float:
    """Return the share of jq's rows that are the same as ours, in their order."""
    with tempfile.TemporaryFile("w+") as ours, tempfile.TemporaryFile("w+") as theirs:
        command(path, "--fields", ",".join(FIELDS), "-j", output=ours)
        go(path, jq=True, output=theirs)
        ours.seek(0)
        theirs.seek(0)
        # Go leaves the zeros at the end of a second out.
        same = [
            {**json.loads(mine), "time": None} == {**json.loads(other), "time": None}
            for mine, other in zip_longest(ours, theirs, fillvalue="{}")
        ]
    return sum(same) / len(same)


def compare(name: str, path: Path, wanted: Filter, options: argparse.Namespace) -> None:
    """Print the table of one recording."""
    frames = by_decoder(path)
    assert frames == by_read(path) == asyncio.run(by_async_read(path))
    assert filtered_by_decoder(path) == filtered_by_read(path)
    assert rows_by_reader(path) == rows_by_read(path)
    fields = ",".join(FIELDS)
    contestants: dict[str, Callable[[], object]] = {
        "Decoder": partial(by_decoder, path),
        "read": partial(by_read, path),
        "Decoder, asyncio": lambda: asyncio.run(by_async_decoder(path)),
        "aio.read": lambda: asyncio.run(by_async_read(path)),
        "Decoder, Filter": partial(filtered_by_decoder, path),
        "read(filter=)": partial(filtered_by_read, path),
        "Filter.select, a million names": partial(selected, path, wanted),
        "row_reader, 7 fields": partial(rows_by_reader, path),
        "read(fields=), 7 fields": partial(rows_by_read, path),
        "dnstap -q": partial(command, path, "-q"),
        "dnstap --fields, 7": partial(command, path, "--fields", fields),
        "dnstap --fields -j": partial(command, path, "--fields", fields, "-j"),
        "dnstap --fields --format csv": partial(command, path, "--fields", fields, "--format", "csv"),
        "Go dnstap -j": partial(go, path),
        "Go dnstap -j | jq, 7 fields": partial(go, path, jq=True),
    }
    title = f"{name}: {frames} frames, {like_ours(path):.1%} of jq's rows like ours"
    # A full garbage collection would look at all the names of the filter, in one loop or another.
    gc.collect()
    gc.freeze()
    contest(title, frames, contestants, options, [], spent, of="Decoder")


def compare_pairing(path: Path, options: argparse.Namespace) -> None:
    """Print the table of pairing, over queries with their responses."""
    frames = by_decoder(path)
    assert frames == by_read(path) == paired_by_read(path, hold_queries=True)
    fields = ",".join(FIELDS)
    contestants: dict[str, Callable[[], object]] = {
        "Decoder": partial(by_decoder, path),
        "read": partial(by_read, path),
        "read(pairs=)": partial(paired_by_read, path, hold_queries=False),
        "read(pairs=), queries held": partial(paired_by_read, path, hold_queries=True),
        "dnstap --fields, 7": partial(command, path, "--fields", fields),
        "dnstap --fields --pair": partial(command, path, "--fields", fields, "--pair"),
    }
    contest(f"pairing: {frames} frames", frames, contestants, options, [], spent, of="Decoder")


def main() -> None:
    """Run the benchmark and print one table for each recording."""
    options = arguments((__doc__ or "").splitlines()[0], rounds=5, files=True)
    with tempfile.TemporaryDirectory() as folder:
        path, names = Path(folder) / "capture", Path(folder) / "names"
        with dnstap.write(path) as writer:
            writer.write_many(traffic(PAIRED // 2))
        compare_pairing(path, options)
        for source in options.files or ["unbound-unix"]:
            write(source, path, is_cold=False)
            with read_file(path, [CONTENT_TYPE]) as reader:
                payloads = compile_filter("has edns and has qname").select(list(reader))
            names.write_text("\n".join(made_names(payloads)))
            loading(names, options)
            wanted = compile_filter(f"qname in @{names}")
            compare(Path(source).stem, path, wanted, options)
            write(source, path, is_cold=True)
            compare(f"{Path(source).stem}, cold", path, wanted, options)


if __name__ == "__main__":
    main()
