"""golang-framestream as the peer: the program of the folder go/, built once a session, and run as a process."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.interop.go_build import built
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from framestream import Tls

__all__ = ["GoPeer", "go_peer"]


class GoPeer:
    """The running program, with files for input and output so that it never waits for the test.

    Args:
        workdir: folder for the files.
        words: flags of the program.
        sends: payloads that it writes.
    """

    def __init__(self, workdir: Path, words: Iterable[str], sends: Iterable[bytes] = ()) -> None:
        folder = Path(tempfile.mkdtemp(prefix="go-", dir=workdir))
        self._stdout, self._stderr = folder / "stdout", folder / "stderr"
        stdin = folder / "stdin"
        stdin.write_text("".join(f"{payload.hex()}\n" for payload in sends))
        with stdin.open("rb") as source, self._stdout.open("wb") as out, self._stderr.open("wb") as err:
            self.process = subprocess.Popen([built("go"), *words], stdin=source, stdout=out, stderr=err)

    @property
    def listening(self) -> str:
        """The endpoint that it listens on; waits until it does."""
        wait_for(lambda: self._said("listening ") or self.process.poll() is not None, "the Go listener")
        assert self._said("listening "), self.problem
        return self._said("listening ")

    @property
    def content_type(self) -> bytes:
        """The content type of the stream that it has opened, b"" for none; waits until it has."""
        wait_for(lambda: self._said("content type ") or self.process.poll() is not None, "the Go content type")
        return self._said("content type ").strip('"').encode()

    @property
    def payloads(self) -> list[bytes]:
        """The payloads that it has read."""
        return [bytes.fromhex(line) for line in self._stdout.read_text().splitlines()]

    @property
    def problem(self) -> str:
        """The error that it reports; "" for none."""
        return self._said("peer: ")

    def wait(self) -> int:
        """Wait until it ends; return the exit status."""
        return self.process.wait(DEADLINE_S)

    def _said(self, begin: str) -> str:
        """Return the rest of the complete line of standard error that begins with a text, "" if there is none."""
        lines = self._stderr.read_text().splitlines(keepends=True)
        return next((line[len(begin) : -1] for line in lines if line.startswith(begin) and line.endswith("\n")), "")


@contextmanager
def go_peer(
    workdir: Path,
    role: Literal["reader", "writer"],
    endpoint: str,
    *,
    listen: bool,
    mode: Literal["bidirectional", "unidirectional"] = "bidirectional",
    content_types: Iterable[bytes] = (),
    tls: Tls | None = None,
    sends: Iterable[bytes] = (),
) -> Iterator[GoPeer]:
    """Run the program in a role at an endpoint during the body; kill it afterwards if it still runs.

    Args:
        listen: whether it listens there, or connects.
        tls: its certificate, key and authorities; it always verifies its peer.
        sends: payloads that a writer sends.
    """
    words = ["-role", role, "-mode", mode, "-listen" if listen else "-connect", endpoint, "-timeout", f"{DEADLINE_S}s"]
    for content_type in content_types:
        words += ["-content-type", content_type.decode()]
    if tls is not None:
        for flag, path in (("-cert", tls.certificate), ("-key", tls.key), ("-ca", tls.ca)):
            words += [flag, os.fspath(path)] if path else []
    peer = GoPeer(workdir, words, sends)
    try:
        yield peer
    finally:
        peer.process.kill()
        peer.process.wait()
