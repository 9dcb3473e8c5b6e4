"""Decoding real payloads of about 120 octets: ours beside betterproto2's own codec and Google's protobuf (upb).

    python benchmarks/decoding.py [--json] [--rounds N]

The payloads are those of 110 to 130 octets in the captures of tests/data, from each server there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import betterproto2
from google.protobuf.internal import api_implementation

from benchmarks.contest import arguments, contest, own
from dnstap import Dnstap
from dnstap.codec import decode as generic
from dnstap.codec.fields import ENUM, MESSAGE, table_of
from framestream import TruncatedStreamError, read_file
from tests.judge import google

DATA = Path(__file__).parents[1] / "tests" / "data"


def payloads() -> list[bytes]:
    """The payloads, no more than 200 of a server."""
    found = []
    for path in sorted(DATA.glob("*.fstrm")):
        fitting: list[bytes] = []
        # One capture is cut off, on purpose.
        with read_file(path) as reader, contextlib.suppress(TruncatedStreamError):
            fitting += (payload for payload in reader if 110 <= len(payload) <= 130)
        found += fitting[:200]
    return found


def plain(cls: type[Any]) -> type[Any]:
    """The same class with betterproto2's own wire code."""
    fields = []
    for field in table_of(cls).fields:
        python_type = plain(field.python_type) if field.kind == MESSAGE else field.python_type
        annotation = python_type | None if field.kind in (ENUM, MESSAGE) else Any | None
        fields.append((field.name, annotation, betterproto2.field(field.number, field.type_name, optional=True)))
    return dataclasses.make_dataclass(
        f"Plain{cls.__name__}", fields, bases=(betterproto2.Message,), namespace={"__module__": __name__}
    )


def decode(parse: Any, data: list[bytes]) -> None:
    """Objects only."""
    for payload in data:
        parse(payload)


def decode_and_read(parse: Any, data: list[bytes]) -> None:
    """Objects, and each of their usual fields, which upb makes when it is read."""
    for payload in data:
        dnstap = parse(payload)
        dnstap.type, dnstap.identity, dnstap.version, dnstap.extra  # noqa: B018
        m = dnstap.message
        m.type, m.socket_family, m.socket_protocol, m.query_address, m.response_address  # noqa: B018
        m.query_port, m.response_port, m.query_time_sec, m.query_time_nsec, m.query_message  # noqa: B018
        m.query_zone, m.response_time_sec, m.response_time_nsec, m.response_message  # noqa: B018


def main() -> None:
    """Both jobs."""
    options = arguments(__doc__.splitlines()[0])
    data = payloads()
    parsers = {
        "dnstap": Dnstap.parse,
        "dnstap, generic decoder alone": functools.partial(generic, Dnstap),
        f"Google protobuf ({api_implementation.Type()})": google("Dnstap").FromString,
        "betterproto2's own parse": plain(Dnstap).parse,
    }
    for job, run in ("decode", decode), ("decode and read", decode_and_read):
        contestants = {name: functools.partial(own(run), parse, data) for name, parse in parsers.items()}
        title = f"{job} {len(data)} payloads of {sum(map(len, data)) / len(data):.0f} octets"
        contest(title, len(data), contestants, options, ["protobuf", "betterproto2"])


if __name__ == "__main__":
    main()
