"""Programs in C for libfstrm, compiled from the folder c/ once a process."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.interop.peers import missing

__all__ = ["c_program", "needed"]

HERE = Path(__file__).parent


def needed() -> None:
    """Skip the test, or let it fail, as `missing` says, if there is no libfstrm-dev or no compiler."""
    for path in (shutil.which("cc"), "/usr/include/fstrm.h"):
        if path is None or not Path(path).exists():
            missing("a C compiler and libfstrm-dev are not installed")


@cache
def c_program(name: str) -> str:
    """Return the path of the program."""
    needed()
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    program = f"{folder}/{name}"
    source = str(HERE / "c" / f"{name}.c")
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", source, "-o", program, "-lfstrm", "-lpthread"], check=True)
    return program
