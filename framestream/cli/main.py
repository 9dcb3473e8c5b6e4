"""The command `framestream`: its subcommands, and what they have in common."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from framestream import __version__
from framestream.cli import check, fuzz, seeds

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "run"]

_COMMANDS = (check.add, fuzz.add, seeds.add)
"""Functions that add a subcommand to the parser: one module each."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 if something failed, 2 if it could not be done.

    Args: argv: arguments after the name of the command; None for those of the process.
    Raises: SystemExit: the command line is invalid, or asks for the help or the version.
    """
    parser = argparse.ArgumentParser(prog="framestream", description="Test programs that speak Frame Streams.")
    parser.add_argument("--version", action="version", version=f"framestream {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in _COMMANDS:
        add(subparsers)
    words = parser.parse_args(argv)
    status: int = words.run(words)
    return status


def run() -> None:
    """Run the command and exit with its status."""
    try:
        status = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        status = 141  # As the shell has it for a process that was killed by SIGPIPE.
        # What is left in the buffer would be written at exit, and fail again.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    sys.exit(status)
