"""The other implementations that the interop tests run."""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

__all__ = ["missing", "require"]

OURS = Path(sys.executable).parent


def require(program: str) -> str:
    """Return the path of a program; without it, skip the test, or fail if REQUIRE_PEERS=1 is in the environment.

    Programs of this Python's environment do not count: the Go tool is called dnstap as ours is.
    """
    folders = [folder for folder in os.get_exec_path() if Path(folder) != OURS] + ["/usr/sbin", "/sbin"]
    path = shutil.which(program, path=os.pathsep.join(folders))
    return path or missing(f"{program} is not installed")


def missing(what: str) -> NoReturn:
    """Skip the test for this reason, or let it fail if REQUIRE_PEERS=1 is in the environment."""
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(f"{what}, and REQUIRE_PEERS=1")
    pytest.skip(what)
