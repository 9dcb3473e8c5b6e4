"""The dnstap command as a process, as its users run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Command", "connecting", "listening", "run", "running"]

_ENVIRONMENT = {**os.environ, "TZ": "UTC", "PYTHONPATH": str(Path(__file__).parents[2])}


def run(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run `dnstap ARGUMENTS` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "dnstap", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=DEADLINE_S,
        env=_ENVIRONMENT,
        check=False,
    )


class Command:
    """A running `dnstap`, whose output goes to files so that it never waits for a reader.

    Attributes: endpoint: the endpoint that it listens on.
    """

    def __init__(self, arguments: list[str], workdir: Path) -> None:
        self.endpoint = ""
        self.stdout = workdir / "stdout"
        self.stderr = workdir / "stderr"
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dnstap", *arguments], stdout=out, stderr=err, env=_ENVIRONMENT
            )

    def stop(self, number: int = signal.SIGINT) -> int:
        """End the process by a signal; return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


@contextmanager
def running(workdir: Path, *arguments: str | Path) -> Iterator[Command]:
    """Run `dnstap ARGUMENTS` during the body; kill it afterwards if it still runs."""
    command = Command([*map(str, arguments)], workdir)
    try:
        yield command
    finally:
        command.process.kill()
        command.process.wait()


@contextmanager
def listening(endpoint: Path | str, workdir: Path, *arguments: str | Path) -> Iterator[Command]:
    """Run `dnstap --listen ENDPOINT ARGUMENTS`, or `-u PATH`, as `running`, and wait until it listens."""
    option = "-u" if isinstance(endpoint, Path) else "--listen"
    with running(workdir, option, str(endpoint), *arguments) as command:
        wait_for(lambda: b"opened input socket" in command.stderr.read_bytes(), "the socket")
        opened = command.stderr.read_text().partition("opened input socket ")[2].splitlines()[0]
        command.endpoint = opened if ":" in opened else f"unix:{opened}"
        yield command


@contextmanager
def connecting(endpoint: str, workdir: Path, *arguments: str | Path) -> Iterator[Command]:
    """Run `dnstap --connect ENDPOINT ARGUMENTS` as `running`."""
    with running(workdir, "--connect", endpoint, *arguments) as command:
        command.endpoint = endpoint
        yield command
