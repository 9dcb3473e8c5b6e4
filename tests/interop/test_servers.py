"""Real servers that log into our command, or into files that it reads: each message is there once."""

from __future__ import annotations

import re
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.interop.accounting import Exchange, check_summary, payloads, so_far, unaccounted, wait_accounted
from tests.interop.command import listening, running
from tests.interop.command import run as run_ours
from tests.interop.peers import require
from tests.interop.servers import dnsdist, knotd, named, nsd
from tests.wait import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

STOP = bytes.fromhex("00000000 00000004 00000003")


@contextmanager
def serving(server: str, workdir: Path, tap: str, behind: str) -> Iterator[int]:
    """Run a server that logs to an endpoint; yield its port.

    Args: behind: endpoint that the upstream server of BIND logs to.
    """
    if server == "named":
        with knotd(workdir, behind) as upstream, named(workdir, tap, upstream) as port:
            yield port
    elif server == "dnsdist":
        with nsd(workdir) as upstream, dnsdist(workdir, tap, upstream) as port:
            yield port
    else:
        with {"knotd": knotd, "nsd": nsd}[server](workdir, tap) as port:
            yield port


@pytest.mark.parametrize(
    ("server", "transport", "stopped_first"),
    [
        ("nsd", "unix", "server"),
        ("nsd", "unix", "command"),
        ("knotd", "unix", "server"),
        ("knotd", "unix", "command"),
        ("named", "unix", "server"),
        ("named", "unix", "command"),
        ("dnsdist", "unix", "server"),
        ("dnsdist", "tcp", "command"),
    ],
)
def test_every_message_is_recorded(tmp_path: Path, server: str, transport: str, stopped_first: str) -> None:
    recording = tmp_path / "out.fstrm"
    where = f"unix:{tmp_path}/tap.sock" if transport == "unix" else "tcp:127.0.0.1:0"
    behind = tmp_path / "behind.sock"
    with listening(where, tmp_path, "--listen", f"unix:{behind}", "-w", recording, "--stats") as command:
        wait_for(behind.exists, "the second socket")
        with serving(server, tmp_path, command.endpoint, f"unix:{behind}") as port:
            # NSD drops what its sending process is behind by more than some 150 frames.
            exchange = Exchange(port, step=5 if server == "nsd" else 1)
            # What a server has not sent yet, it cannot send once we have ended; and dnsdist drops it when it ends.
            if stopped_first == "command" or server == "dnsdist":
                wait_accounted(lambda: so_far(recording), server, exchange)
            if stopped_first == "command":
                assert command.stop() == 0
        # Here the server has ended. BIND and Knot do so when we have answered their STOP, or the connection is closed.
        if stopped_first == "server":
            # The process of NSD that sends is another, and may end later.
            wait_accounted(lambda: so_far(recording), server, exchange)
            assert command.stop() == 0
    assert unaccounted(payloads(recording), server, exchange) == {}
    check_summary(command, recording, sources=2 if server == "named" else 1)
    assert recording.read_bytes().endswith(STOP)


@pytest.mark.parametrize("server", ["named", "knotd"])
def test_the_server_writes_a_file(tmp_path: Path, server: str) -> None:
    """We follow the file while it grows, and read it again when the server has ended."""
    path, followed, copied = tmp_path / "server.fstrm", tmp_path / "followed.fstrm", tmp_path / "copied.fstrm"
    (tmp_path / "behind").mkdir()
    asked = tmp_path / "behind" / "out.fstrm"
    with listening(asked.with_name("tap.sock"), asked.parent, "-w", asked) as other, ExitStack() as stack:
        with serving(server, tmp_path, f"file:{path}", other.endpoint) as port:
            wait_for(path.exists, "the file")
            follower = stack.enter_context(running(tmp_path, "-r", path, "--follow", "-w", followed, "--stats"))
            exchange = Exchange(port)
            # The server keeps what does not fill a block of 4096 octets to itself.
            wait_for(lambda: so_far(followed), "the first blocks")
        assert other.stop() == 0
        written = payloads(path)
        assert unaccounted([*written, *so_far(asked)], server, exchange) == {}
        assert path.read_bytes().endswith(STOP)
        wait_for(lambda: so_far(followed) == written, "the rest")
        assert follower.stop() == 0
    assert payloads(followed) == written
    check_summary(follower, followed, sources=1)

    done = run_ours("-r", path, "-w", copied)
    assert (done.returncode, done.stderr) == (0, b"")
    assert payloads(copied) == written


CHECKS = {
    "dnsdist": "dnsdist --check-config -C FILE",
    "knot": "knotc -c FILE conf-check",
    "named": "named-checkconf FILE",
    "nsd": "nsd-checkconf FILE",
    "unbound": "unbound-checkconf FILE",
}


@pytest.mark.parametrize("server", CHECKS)
def test_the_servers_take_what_the_docs_say(tmp_path: Path, server: str) -> None:
    """The servers accept the configuration lines of docs/collecting.md."""
    page = Path(__file__).parents[2] / "docs" / "collecting.md"
    [lines] = re.findall(rf"^```{server}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    config = tmp_path / "config"
    config.write_text(lines)
    program, *words = CHECKS[server].replace("FILE", str(config)).split()
    done = subprocess.run([require(program), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout.decode()
