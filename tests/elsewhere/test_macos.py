"""Python on macOS, imitated: there is no memfd, no O_PATH and no /proc, and some options have other names.

None of this has run on macOS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.elsewhere.test_windows import CAPTURE, COMMAND, FILES, STREAMS, TAP, certificates, run

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

__all__ = ["certificates"]


def macos(code: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program on the imitated system."""
    return run("from tests.elsewhere.shims import imitate_macos; imitate_macos()\n" + code, *arguments, cwd=cwd)


@pytest.mark.parametrize("options", [["-q"], ["-j"], ["-y", "--jobs", "2"]], ids=" ".join)
def test_text_is_the_same(tmp_path: Path, options: list[str]) -> None:
    """By several processes too, which exchange it by files without a name."""
    done = macos(COMMAND, "-r", CAPTURE, *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run(COMMAND, "-r", CAPTURE, *options, cwd=tmp_path).stdout != ""


@pytest.mark.parametrize("program", [STREAMS, FILES, TAP], ids=["streams", "files", "taps and collectors"])
def test_programs(tmp_path: Path, certificates: Path, program: str) -> None:
    done = macos(program, certificates, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


UNIX = """
import socket, sys, threading
from framestream import listen_reader, open_writer
from framestream.sockets import for_stream

found = []
with listen_reader("unix:s", [b"text"]) as listener:
    def read():
        with listener.accept(60) as reader:
            found.extend([reader.peer, *reader])
    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    with open_writer("unix:s", [b"text"]) as writer:
        writer.write(b"1")
    reading.join(60)
print(found)
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as sock:
    for_stream(sock, 100)
    print(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPALIVE))
try:
    listen_reader("unix:/tmp/" + "x" * 90)
except OSError as error:
    print(error.strerror)
"""


def test_sockets(tmp_path: Path) -> None:
    """The peer of a unix socket is not known, and a path leaves room for the temporary name."""
    done = macos(UNIX, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "['unix:s connection 1', b'1']",
        "50",
        "a path of at most 94 bytes expected",
    ]
