"""Programs in Go, built once per machine from folders here.

`python -m tests.interop.go_build` builds them all, so that no test has to wait for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path

from tests.interop.peers import OURS, missing
from tests.wait import DEADLINE_S

__all__ = ["BUILD_S", "built"]

PROGRAMS = ("go", "go_collector", "go_libraries", "coredns")
HERE = Path(__file__).parent

BUILD_S = 30 * DEADLINE_S
"""Seconds to fetch and compile the modules of a program; Go keeps them for the next build."""

FAILURE_S = 600
"""Seconds before a failed build is tried again, so that the tests of one run do not all wait for it."""


@cache
def built(name: str) -> str:
    """Return the path of the program whose source is the folder of this name.

    Without Go, or if the build fails, the test is skipped or fails, as `missing` says.
    """
    go = _go()
    if go is None:
        missing("go is not installed")
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dnstap-tests"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / f"{name}-{_version(go, name)}"
    failure = program.with_suffix(".failed")
    # Test processes run side by side: one builds, the others wait for the result.
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if program.exists():
            return str(program)
        if failure.exists() and time.time() - failure.stat().st_mtime < FAILURE_S:
            missing(f"{failure.read_text()} (less than {FAILURE_S} s ago; remove {failure} to try again)")
        problem = _build(go, name, program)
        if problem:
            failure.write_text(problem)
            missing(problem)
    return str(program)


def _go() -> str | None:
    """Return the path of the Go that scripts/test has installed into our environment, or else of the system's."""
    return shutil.which("go", path=os.pathsep.join([str(OURS), *os.get_exec_path()]))


def _version(go: str, name: str) -> str:
    """Return a digest of everything that the program is made from."""
    digest = hashlib.sha256(subprocess.run([go, "env", "GOVERSION"], capture_output=True, check=True).stdout)
    for path in sorted((HERE / name).iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _build(go: str, name: str, program: Path) -> str:
    """Fetch the modules and build the program; return the problem, or "" if there was none."""
    # Without cgo no C compiler is needed. Debian sets GOTOOLCHAIN so that a Go which is too old fetches no newer one.
    environment = {"GOTOOLCHAIN": "auto", **os.environ, "CGO_ENABLED": "0"}
    new = program.with_suffix(".new")
    # Nobody debugs it: linking takes half the time without debugging information.
    build = [go, "build", "-mod=readonly", "-buildvcs=false", "-ldflags=-w", "-o", str(new), "."]
    for command in ([go, "mod", "download"], build):
        try:
            process = subprocess.run(
                command,
                cwd=HERE / name,
                env=environment,
                capture_output=True,
                text=True,
                timeout=BUILD_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            return str(error)
        if process.returncode:
            return f"{HERE / name} cannot be built: {' '.join(command[:3])}: {process.stderr.strip()}"
    new.rename(program)
    return ""


if __name__ == "__main__":
    for name in PROGRAMS:
        print(built(name))  # noqa: T201
