"""The codec beside Google's protobuf (upb, C) and beside other Python codecs.

    python benchmarks/codec.py [--json] [--rounds N] [JOB ...]

Each job runs in processes of its own, the two sides in turn. The ratio is the median over the rounds of our processor
time divided by theirs. "Read" means reading each field, because upb makes Python objects of fields only then. The jobs:

    captures   decode and read each capture and synthetic sender by a new decoder
    generic    the same by our strict decoder alone, without plans
    first      decode and read 100,000 payloads by a new decoder, which learns
    senders    all of them by one decoder: shuffled, and one after the other
    hostile    decode payloads of which no two are alike, beside our strict decoder
    encode     build messages and encode them
    others     decode and encode by other Python codecs: their time over ours
    kept       memory of each message that a program keeps
    stream     peak memory while a stream of 1 GB is decoded
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import importlib
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import time
import tracemalloc
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import betterproto2
from google.protobuf.internal import api_implementation

from benchmarks.contest import own
from benchmarks.traffic import SENDERS, busy, captures, hostile, payloads_of
from dnstap import Decoder, Dnstap, Message
from dnstap.codec import decode as generic
from dnstap.codec.tables import BYTES, ENUM, FIXED32, MESSAGE, STRING, UINT, table_of
from dnstap.codec.templates import ShapeCache
from framestream import FrameDecoder, encode_data_frames
from tests.judge import google

if TYPE_CHECKING:
    from collections.abc import Callable

    Row = dict[str, Any]

upb = google("Dnstap")


def decode_and_read(parse: Any, data: list[bytes]) -> None:
    """Decode payloads and read each of their common fields."""
    for payload in data:
        dnstap = parse(payload)
        dnstap.type, dnstap.identity, dnstap.version, dnstap.extra  # noqa: B018
        # A short name keeps the lines of one statement for each field together; nothing else is timed here.
        m = dnstap.message
        m.type, m.socket_family, m.socket_protocol, m.query_address, m.response_address  # noqa: B018
        m.query_port, m.response_port, m.query_time_sec, m.query_time_nsec, m.query_message  # noqa: B018
        m.query_zone, m.response_time_sec, m.response_time_nsec, m.response_message  # noqa: B018


def duel(ours: Callable[[], object], theirs: Callable[[], object], count: int, rounds: int) -> Row:
    """Time two sides in turn; return the least microseconds of each per item, and the median of the ratios.

    Args: count: number of items that one call handles.
    """
    seconds: tuple[list[float], list[float]] = [], []
    for _ in range(rounds):
        for side, run in enumerate((ours, theirs)):
            gc.collect()
            began = time.process_time()
            run()
            seconds[side].append(time.process_time() - began)
    ratio = statistics.median(mine / other for mine, other in zip(*seconds, strict=True))
    ours_us, theirs_us = (min(times) / count * 1e6 for times in seconds)
    return {"ours_us": ours_us, "theirs_us": theirs_us, "ratio": ratio}


def against_upb(parse: Any, data: list[bytes], rounds: int, *, warm: int = 3) -> Row:
    """Time decoding and reading beside upb, after `warm` calls of ours that are not timed."""
    ours, theirs = partial(own(decode_and_read), parse, data), partial(own(decode_and_read), upb.FromString, data)
    for _ in range(warm):
        ours()
    return duel(ours, theirs, len(data), rounds)


def repeated(data: list[bytes], count: int) -> list[bytes]:
    """Return `count` payloads, repeating the list as needed."""
    return (data * (1 + count // len(data)))[:count]


def sender(name: str) -> list[bytes]:
    """Return the payloads of a capture or a synthetic sender."""
    return list(SENDERS[name]()) if name in SENDERS else payloads_of(name)


def job_captures(name: str, rounds: int) -> list[Row]:
    """Decode one sender by a decoder of its own."""
    return [against_upb(Decoder(Dnstap).decode, repeated(sender(name), 4000), 3 * rounds)]


def job_generic(name: str, rounds: int) -> list[Row]:
    """Decode one sender by the strict decoder, without plans."""
    return [against_upb(partial(generic, Dnstap), repeated(sender(name), 4000), rounds)]


def job_first(name: str, rounds: int) -> list[Row]:
    """Decode by a new decoder, with no shape known in the process."""
    data = busy(name, 100_000)
    run = own(decode_and_read)
    last: list[Decoder[Dnstap]] = []
    shapes: list[ShapeCache] = []

    def ours() -> None:
        shapes[:] = [ShapeCache()]
        last[:] = [Decoder(Dnstap, shapes=shapes[0])]
        run(last[0].decode, data)

    row = duel(ours, partial(own(decode_and_read), upb.FromString, data), len(data), rounds)
    row["note"] = f"{last[0]._misses} without a plan, {last[0]._count} plans and forks, {len(shapes[0])} shapes"
    again = against_upb(last[0].decode, data, rounds, warm=0)
    return [{**row, "name": name}, {**again, "name": f"{name}, again"}]


def job_senders(name: str, rounds: int) -> list[Row]:
    """Decode all senders by one decoder."""
    each = [repeated(sender(name), 1000) for name in [*captures(), *SENDERS]]
    data = [payload for payloads in each for payload in payloads]
    if name == "shuffled":
        random.Random(1).shuffle(data)
    return [against_upb(Dnstap.parse, data, rounds)]


def job_hostile(_: str, rounds: int) -> list[Row]:
    """Decode payloads from which there is nothing to learn."""
    data = hostile(80_000)
    row = duel(
        lambda: own(decode_and_read)(Decoder(Dnstap).decode, data),
        partial(own(decode_and_read), partial(generic, Dnstap), data),
        len(data),
        rounds,
    )
    tracemalloc.start()
    kept = Decoder(Dnstap, shapes=ShapeCache())
    decode_and_read(kept.decode, data)
    row["note"] = f"over our strict decoder; the decoder then has {tracemalloc.get_traced_memory()[0] / 1e6:.1f} MB"
    return [row]


def builds(data: list[bytes]) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """Return, for each way to build a message, two functions that build and encode all: ours, and Google's."""
    theirs_cls, theirs_inner = upb, type(upb().message)  # type: ignore[attr-defined]
    dictionaries: list[tuple[Any, Any, Any, Any]] = []
    for payload in data:
        ours = Dnstap.parse(payload)
        outer, inner = _set(ours), _set(ours.message)
        del outer["message"]
        plain = [{name: int(v) if isinstance(v, int) else v for name, v in d.items()} for d in (outer, inner)]
        dictionaries.append((outer, inner, plain[0], plain[1]))

    def by_dictionary_ours() -> None:
        for outer, inner, _, _ in dictionaries:
            Dnstap(message=Message(**inner), **outer).encode()

    def by_dictionary_theirs() -> None:
        for _, _, outer, inner in dictionaries:
            theirs_cls(message=theirs_inner(**inner), **outer).SerializeToString()

    keyword_runs: list[tuple[Any, Any, tuple[Any, ...], tuple[Any, ...]]] = []
    made: dict[Any, Any] = {}
    for outer, inner, outer_plain, inner_plain in dictionaries:
        shape = (*outer, None, *inner)
        if shape not in made:
            made[shape] = tuple(_by_keywords(outer, inner, encode) for encode in ("encode", "SerializeToString"))
        keyword_runs.append(
            (*made[shape], (*outer.values(), *inner.values()), (*outer_plain.values(), *inner_plain.values()))
        )

    def by_keywords_ours() -> None:
        for run, _, values, _ in keyword_runs:
            run(Dnstap, Message, *values)

    def by_keywords_theirs() -> None:
        for _, run, _, values in keyword_runs:
            run(theirs_cls, theirs_inner, *values)

    taps = [_tapped(outer, inner) for outer, inner, _, _ in dictionaries]

    def by_tap_ours() -> None:
        for make, wire, arguments, outer in taps:
            Dnstap(message=make(wire, **arguments), **outer).encode()

    return {
        "Dnstap(message=Message(**fields), ...)": (by_dictionary_ours, by_dictionary_theirs),
        "Dnstap(message=Message(type=...), ...)": (by_keywords_ours, by_keywords_theirs),
        "Dnstap(message=Message.client_query(...))": (by_tap_ours, by_dictionary_theirs),
    }


def _set(message: Any) -> dict[str, Any]:
    """Return the fields that are set."""
    values = {sys.intern(field.name): getattr(message, field.name) for field in table_of(type(message)).fields}
    return {name: value for name, value in values.items() if value is not None}


def _by_keywords(outer: dict[str, Any], inner: dict[str, Any], encode: str) -> Any:
    """Compile a function that passes each field by keyword, as a program that taps does."""
    outside, inside = (", ".join(f"{name}=v_{kind}_{name}" for name in d) for kind, d in (("o", outer), ("i", inner)))
    parameters = ", ".join([*(f"v_o_{name}" for name in outer), *(f"v_i_{name}" for name in inner)])
    return eval(f"lambda D, M, {parameters}: D({outside}, message=M({inside})).{encode}()")


def _tapped(outer: dict[str, Any], inner: dict[str, Any]) -> tuple[Any, bytes | None, dict[str, Any], dict[str, Any]]:
    """Return the constructor for the type, and its arguments. Fields that it does not take are left out: `tappable`."""
    names = "query_address", "query_port", "response_address", "response_port", "socket_protocol"
    arguments = {name: inner[name] for name in names if name in inner}
    for side in "query", "response":
        if f"{side}_time_sec" in inner:
            nanoseconds = inner[f"{side}_time_sec"] * 1_000_000_000 + inner.get(f"{side}_time_nsec", 0)
            arguments[sys.intern(f"{side}_time")] = nanoseconds
    kind = inner["type"]
    wire = inner.get("query_message" if kind % 2 else "response_message")
    return getattr(Message, kind.name.lower()), wire, arguments, outer


def tappable(payload: bytes) -> bool:
    """Return whether a constructor can make the whole message."""
    ours = Dnstap.parse(payload)
    make, wire, arguments, outer = _tapped(_set(ours) | {"message": None}, _set(ours.message))
    made = Dnstap(**outer | {"message": make(wire, **arguments)})
    return bytes(made) == bytes(ours)


def job_encode(_: str, rounds: int) -> list[Row]:
    """Build and encode messages of all captures."""
    data = [payload for name in captures() for payload in payloads_of(name)[:300]]
    rows = []
    for name, (ours, theirs) in builds([payload for payload in data if tappable(payload)]).items():
        ours()
        rows.append({**duel(ours, theirs, sum(map(tappable, data)), 3 * rounds), "name": name})
    return rows


def betterproto2_classes() -> tuple[Any, Any]:
    """Return Dnstap and Message as classes that use betterproto2's own wire code."""
    return _plain(betterproto2, Dnstap, optional=True), _plain(betterproto2, Message, optional=True)


def betterproto_classes() -> tuple[Any, Any]:
    """Return Dnstap and Message as classes of the original betterproto."""
    betterproto = importlib.import_module("betterproto")
    return _plain(betterproto, Dnstap), _plain(betterproto, Message)


def _plain(library: Any, cls: type[Any], *, optional: bool = False) -> Any:
    type_names = {
        BYTES: "bytes",
        STRING: "string",
        MESSAGE: "message",
        UINT: "uint64",
        FIXED32: "fixed32",
        ENUM: "int32",
    }
    made = []
    for field in table_of(cls).fields:
        python_type = _plain(library, field.python_type, optional=optional) if field.kind == MESSAGE else int
        if field.kind in (BYTES, STRING):
            python_type = field.python_type
        if optional:
            kind = "enum" if field.kind == ENUM else field.type_name
            annotation = (field.python_type if field.kind == ENUM else python_type) | None
            made.append((field.name, annotation, library.field(field.number, kind, optional=True)))
        else:
            made.append((field.name, python_type, getattr(library, f"{type_names[field.kind]}_field")(field.number)))
    return dataclasses.make_dataclass(
        f"Plain{cls.__name__}", made, bases=(library.Message,), namespace={"__module__": __name__}
    )


def build_and_encode(outer: Any, inner: Any, encode: Any, fields: list[tuple[Any, Any]]) -> None:
    """Build messages from their fields, and encode them."""
    for outside, inside in fields:
        encode(outer(**{**outside, "message": inner(**inside)}))


def job_others(name: str, rounds: int) -> list[Row]:
    """Compare with another Python codec, on few payloads because these codecs are slow."""
    data = [payload for capture in captures() for payload in payloads_of(capture)[:150]]
    if name.startswith("protobuf"):
        assert api_implementation.Type() == "python", api_implementation.Type()
        cls: Any = upb
        inner: Any = type(upb().message)  # type: ignore[attr-defined]
        parse, version = cls.FromString, metadata.version("protobuf")
        encode = cls.SerializeToString
    else:
        cls, inner = betterproto2_classes() if name == "betterproto2" else betterproto_classes()
        parse = cls.parse if name == "betterproto2" else lambda payload: cls().parse(payload)
        encode, version = bytes, metadata.version(name)
    built = [(_set(dnstap), _set(dnstap.message)) for dnstap in map(Dnstap.parse, data)]
    sides = {
        "decode and read": (
            partial(own(decode_and_read), Dnstap.parse, data),
            partial(own(decode_and_read), parse, data),
        ),
        "build and encode": (
            partial(own(build_and_encode), Dnstap, Message, Dnstap.encode, built),
            partial(own(build_and_encode), cls, inner, encode, built),
        ),
    }
    rows = []
    for task, (ours, theirs) in sides.items():
        for _ in range(3):
            ours()
        # The other way round, so that the ratio is their time over ours.
        row = duel(theirs, ours, len(data), rounds)
        row["ours_us"], row["theirs_us"] = row["theirs_us"], row["ours_us"]
        rows.append({**row, "name": f"{name} {version}, {task}", "note": "theirs over ours"})
    return rows


def job_kept(name: str, _: int) -> list[Row]:
    """Keep a million messages in a list; give the growth of the process, which includes the bytes of their fields."""
    data = busy("unbound-unix", 20_000)
    parse: Any = Decoder(Dnstap).decode if name == "ours" else upb.FromString
    decode_and_read(parse, data)
    before = resident()
    kept = [parse(payload) for _ in range(50) for payload in data]
    each = (resident() - before) / len(kept)
    mean = statistics.mean(map(len, data))
    return [{"note": f"{each:.0f} bytes for each of {len(kept):,} messages, with payloads of {mean:.0f} bytes"}]


def job_stream(_: str, __: int) -> list[Row]:
    """Pass a gigabyte through the frame decoder and the codec, in chunks of 64 KiB."""
    stream = encode_data_frames(busy("unbound-unix", 20_000))
    frames, decode = FrameDecoder(), Decoder(Dnstap).decode
    size = count = early = 0
    while size < 1_000_000_000:
        for start in range(0, len(stream), 65536):
            chunk = stream[start : start + 65536]
            frames.receive_data(chunk)
            while payloads := frames.next_payloads():
                assert isinstance(payloads, list)
                for payload in payloads:
                    decode(payload)
                count += len(payloads)
            size += len(chunk)
        if not early and size > 100_000_000:
            early = peak()
    return [
        {"note": f"{count:,} frames; at most {early / 2**20:.1f} MiB after 0.1 GB, {peak() / 2**20:.1f} after 1 GB"}
    ]


def resident() -> int:
    """Return the resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak() -> int:
    """Return the peak of the resident bytes of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


JOBS: dict[str, tuple[Callable[[str, int], list[Row]], list[str]]] = {
    "captures": (job_captures, [*captures(), *SENDERS]),
    "generic": (job_generic, [*captures()]),
    "first": (job_first, ["unbound-unix", "named-recursor"]),
    "senders": (job_senders, ["shuffled", "one after the other"]),
    "hostile": (job_hostile, ["no two alike"]),
    "encode": (job_encode, ["build and encode"]),
    "others": (job_others, ["protobuf in pure Python", "betterproto2", "betterproto"]),
    "kept": (job_kept, ["ours", "upb"]),
    "stream": (job_stream, ["1 GB"]),
}
"""Job -> function, and the names to call it with, each in a process of its own."""


def rows_of(job: str, name: str, rounds: int) -> list[Row]:
    """Return the rows that a new process measures."""
    environment = dict(os.environ)
    if name.startswith("protobuf"):
        environment["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
    command = [sys.executable, __file__, "--process", job, name, str(rounds)]
    process = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    rows: list[Row] = json.loads(process.stdout)
    return rows


def main() -> None:
    """Run the jobs of the command line, or all of them, and print their tables."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog=__doc__.partition("The jobs:")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="jobs to run (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--rounds", type=int, default=5, help="minimum runs of each side (default %(default)s)")
    options = parser.parse_args()
    if unknown := set(options.jobs) - set(JOBS):
        parser.error(f"no such job: {', '.join(unknown)}")
    versions = {"python": platform.python_version(), "protobuf": metadata.version("protobuf")}
    results: dict[str, list[Row]] = {}
    if not options.json:
        print(", ".join(f"{name} {version}" for name, version in versions.items()))
    for job in options.jobs or JOBS:
        results[job] = []
        for name in JOBS[job][1]:
            results[job] += rows_of(job, name, options.rounds)
        if not options.json:
            print(f"{job}:")
            for row in results[job]:
                print(_line(row), flush=True)
            _print_summary(results[job])
    if options.json:
        print(json.dumps({"rounds": options.rounds, "versions": versions, "results": results}))


def _line(row: Row) -> str:
    times = "  {ours_us:8.2f} us  {theirs_us:8.2f} us  {ratio:7.2f}".format_map(row) if "ratio" in row else ""
    return f"  {row['name']:44}{times}  {row.get('note', '')}  peak {row['peak_mib']:.0f} MiB"


def _print_summary(rows: list[Row]) -> None:
    ratios = [row["ratio"] for row in rows if "ratio" in row]
    if len(ratios) > 4:
        print(f"  median {statistics.median(ratios):.2f}, worst {max(ratios):.2f}")


def process(job: str, name: str, rounds: str) -> None:
    """Run in the process that measures the rows of one name, and print them."""
    rows = JOBS[job][0](name, int(rounds))
    print(json.dumps([{"name": name, "peak_mib": peak() / 2**20, **row} for row in rows]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--process"]:
        process(*sys.argv[2:])
    else:
        main()
