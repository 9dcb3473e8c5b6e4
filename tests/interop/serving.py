"""Servers as commands: `python -m tests.interop.serving NAME SOCKET PORT` becomes a server that logs to a unix socket.

The conformance kit starts a writer by a command, for each case. PORT is where the server answers queries; no upstream
server runs, so that only what it answers by itself is answered: example.test, or refused.test of Unbound and dnsdist.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.interop.coredns import corefile
from tests.interop.go_build import built
from tests.interop.peers import require
from tests.interop.servers import configure, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["QUERIES", "SERVERS"]

SERVERS: dict[str, Callable[[Path, Path, int], list[str | Path]]] = {
    "unbound": lambda folder, tap, port: [
        *(require("unbound"), "-d", "-p", "-c"),
        configure(
            "unbound",
            folder,
            PORT=port,
            UPSTREAM_PORT=free_port(),
            SOCKET=tap,
            IP="",
            TLS="no",
            SERVER_NAME="",
            CERT_BUNDLE="",
            BIDIRECTIONAL="yes",
        ),
    ],
    "named": lambda folder, tap, port: [
        *(require("named"), "-g", "-c"),
        configure("named", folder, PORT=port, UPSTREAM_PORT=free_port(), OUTPUT=f'unix "{tap}"'),
    ],
    "knotd": lambda folder, tap, port: [
        *(require("knotd"), "-c"),
        configure("knotd", folder, PORT=port, SINK=f"unix:{tap}"),
    ],
    "nsd": lambda folder, tap, port: [
        *(require("nsd"), "-d", "-c"),
        configure("nsd", folder, PORT=port, DNSTAP="yes", SOCKET=tap),
    ],
    "dnsdist": lambda folder, tap, port: [
        *(require("dnsdist"), "--supervised", "--disable-syslog", "-C"),
        configure("dnsdist", folder, PORT=port, UPSTREAM_PORT=free_port(), LOGGER="Unix", ADDRESS=tap),
    ],
    "coredns": lambda folder, tap, port: [
        *(built("coredns"), "-conf"),
        corefile(folder, f"    dnstap {tap} full", port, free_port()),
    ],
}
"""Functions of a folder for the configuration, the path of the socket and the port, that return the command."""

QUERIES = {name: "refused.test" if name in ("unbound", "dnsdist") else "example.test" for name in SERVERS}
"""The name that a server answers for by itself."""


if __name__ == "__main__":
    name, tap, port = sys.argv[1:]
    command = SERVERS[name](Path(tap).parent, Path(tap), int(port))
    os.execv(command[0], [str(word) for word in command])
