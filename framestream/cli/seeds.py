"""`framestream seeds`: write seeds for coverage-guided fuzzers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from framestream.cli.values import drawing
from framestream.fuzzing.seeds import write_seeds

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

__all__ = ["add"]

_DRAWN = 200
"""Payloads that are drawn, with the same seed each time."""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the parser of the command."""
    made = subparsers.add_parser(
        "seeds",
        help="write seeds for libFuzzer, AFL and cargo-fuzz",
        description="Write small files of whole streams, control frames and payloads, good and bad ones, as seeds for "
        "libFuzzer, AFL and cargo-fuzz, and a dictionary. They are the same each time.",
    )
    made.add_argument("folder", metavar="DIR", help="folder to write into; README says what the folders in it are")
    made.add_argument(
        "--payloads", metavar="NAME", help="add payloads of a strategy: dnstap, or MODULE:FUNCTION (needs Hypothesis)"
    )
    made.set_defaults(run=lambda words: _run(words, made))


def _run(words: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    try:
        payloads = _drawn(words.payloads) if words.payloads else []
    except ValueError as error:
        parser.error(str(error))
    try:
        count = write_seeds(words.folder, payloads)
    except OSError as error:
        print(f"framestream: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(f"{count} seeds written to {words.folder}")  # noqa: T201
    return 0


def _drawn(name: str) -> Iterable[bytes]:
    made = drawing()
    drawn: list[bytes] = made.drawn(made.find_payloads(name), 0, _DRAWN)
    return drawn
