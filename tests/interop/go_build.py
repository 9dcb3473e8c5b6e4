"""Programs in Go, whose source is a folder here, built once a session."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.interop.peers import missing, require
from tests.wait import DEADLINE_S

__all__ = ["BUILD_S", "built"]

BUILD_S = 30 * DEADLINE_S
"""How long it may take to fetch and compile what a program is made of; Go keeps that for the next session."""


@cache
def built(name: str) -> str:
    """The path of the program whose source is the folder of this name.

    Without Go, or what the program is made of, the test is skipped or fails, as `require` says.
    """
    go = require("go")
    source = Path(__file__).parent / name
    # Without cgo no C compiler is needed. A Go that is too old may fetch a newer one, as it does unless it is told not
    # to, which Debian does in the file of its settings.
    environment = {"GOTOOLCHAIN": "auto", **os.environ, "CGO_ENABLED": "0"}
    download = subprocess.run(
        [go, "mod", "download"],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    if download.returncode:
        missing(f"what {source} is made of cannot be had ({download.stderr.strip()})")
    folder = tempfile.mkdtemp(prefix=f"{name}-")
    atexit.register(shutil.rmtree, folder)
    program = os.path.join(folder, name)
    # Nobody debugs it: without what that takes, it is linked in half the time.
    command = [go, "build", "-mod=readonly", "-buildvcs=false", "-ldflags=-w", "-o", program, "."]
    subprocess.run(command, cwd=source, env=environment, timeout=BUILD_S, check=True)
    return program
