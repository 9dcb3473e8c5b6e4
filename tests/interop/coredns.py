"""A real CoreDNS, built from the folder coredns/, and its log of answers."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.interop.go_build import built
from tests.interop.servers import ZONES, ask, free_port, running
from tests.wait import wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["CoreDns", "coredns", "corefile", "named"]

_COREFILE = """\
.:{port} {{
    bind 127.0.0.1
    metadata
    errors
    log . "answered {{name}}"
{taps}
    file {zones}/example.test.zone example.test
    forward plain.test 127.0.0.1:{upstream_port}
    whoami
}}
.:{upstream_port} {{
    bind 127.0.0.1
    file {zones}/plain.test.zone plain.test
}}
"""
"""It serves example.test itself, forwards plain.test to another server, and answers the rest by its whoami plugin."""

_NOT_LOGGED = bytes.fromhex("7e57 1000 0000 0000 0000 0000")
"""A query with opcode STATUS: CoreDNS answers NOTIMP before any plugin, dnstap and log included, sees it."""


def named(endpoint: str) -> str:
    """Return one of our endpoints in the syntax of CoreDNS."""
    return endpoint.replace(":", "://", 1)


class CoreDns:
    """A running CoreDNS.

    Attributes:
        port, upstream_port: ports on 127.0.0.1 of CoreDNS and of the server that it forwards to.
        process: the process.
    """

    def __init__(self, port: int, upstream_port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port = port
        self.upstream_port = upstream_port
        self.process = process
        self._log = log

    def log(self) -> str:
        """Return the log, which servers before this one may have begun."""
        return self._log.read_text()

    def answered(self, name: str = "") -> int:
        """Return the number of queries under a name that were answered, by the log."""
        return len(re.findall(rf"^\[INFO\] answered .*{re.escape(name)}$", self.log(), re.MULTILINE))

    def ask(self, query: bytes, *, tcp: bool = False) -> bytes:
        """Send a query; return the response, once CoreDNS has logged it, and so has made its dnstap messages.

        CoreDNS sends the response earlier, so only this way it handles one query after the other.
        """
        before = self.answered()
        answer = ask(self.port, query, tcp=tcp)
        wait_for(lambda: self.answered() > before, "CoreDNS's line of log")
        return answer


def corefile(workdir: Path, taps: str, port: int, upstream_port: int) -> Path:
    """Write the configuration with these lines of dnstap in it; return its path."""
    path = workdir / "Corefile"
    path.write_text(_COREFILE.format(port=port, upstream_port=upstream_port, taps=taps, zones=ZONES))
    return path


@contextmanager
def coredns(workdir: Path, taps: str, *, port: int = 0, environment: dict[str, str] | None = None) -> Iterator[CoreDns]:
    """Run CoreDNS during the body with these lines of dnstap in its configuration.

    Args:
        port: port that it had before; 0 for a free one.
        environment: variables to add to ours.
    """
    port, upstream_port = port or free_port(), free_port()
    log = workdir / "coredns.log"
    command = [built("coredns"), "-conf", str(corefile(workdir, taps, port, upstream_port))]
    with running(command, port, log, query=_NOT_LOGGED, environment={**os.environ, **(environment or {})}) as process:
        yield CoreDns(port, upstream_port, process, log)
