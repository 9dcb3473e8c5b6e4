"""A real CoreDNS, which is the program of the folder coredns/, and what it says that it has answered."""

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

__all__ = ["CoreDns", "coredns", "named"]

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
"""Names under example.test are its own, those under plain.test another server's, and whoami takes the rest."""

_NOT_LOGGED = bytes.fromhex("7e57 1000 0000 0000 0000 0000")
"""A query with opcode STATUS: CoreDNS answers NOTIMP before any plugin, dnstap and log, has seen it."""


def named(endpoint: str) -> str:
    """An endpoint of ours as CoreDNS writes it."""
    return endpoint.replace(":", "://", 1)


class CoreDns:
    """One that runs.

    Attributes:
        port, upstream_port: on 127.0.0.1, of it and of the server that it forwards to.
        process: it.
    """

    def __init__(self, port: int, upstream_port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port = port
        self.upstream_port = upstream_port
        self.process = process
        self._log = log

    def log(self) -> str:
        """What it has said, and those that had the same log before it."""
        return self._log.read_text()

    def answered(self, name: str = "") -> int:
        """How many queries it says it has answered, under a name."""
        return len(re.findall(rf"^\[INFO\] answered .*{re.escape(name)}$", self.log(), re.MULTILINE))

    def ask(self, query: bytes, *, tcp: bool = False) -> bytes:
        """The octets of its answer, of which it has by then made the dnstap messages.

        That is how it is given one query after the other: the answer itself comes earlier.
        """
        before = self.answered()
        answer = ask(self.port, query, tcp=tcp)
        wait_for(lambda: self.answered() > before, "CoreDNS's line of log")
        return answer


@contextmanager
def coredns(workdir: Path, taps: str, *, port: int = 0, environment: dict[str, str] | None = None) -> Iterator[CoreDns]:
    """CoreDNS with these lines of dnstap in its configuration, while the body runs.

    Args:
        port: that it had before; 0: one that is free.
        environment: of it, besides ours.
    """
    port, upstream_port = port or free_port(), free_port()
    corefile, log = workdir / "Corefile", workdir / "coredns.log"
    corefile.write_text(_COREFILE.format(port=port, upstream_port=upstream_port, taps=taps, zones=ZONES))
    command = [built("coredns"), "-conf", str(corefile)]
    with running(command, port, log, query=_NOT_LOGGED, environment={**os.environ, **(environment or {})}) as process:
        yield CoreDns(port, upstream_port, process, log)
