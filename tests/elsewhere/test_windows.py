"""Python on Windows, imitated: what does not need POSIX works, and the rest is refused by one clear error.

None of this has run on Windows: what is imitated is which modules and names there are, and which methods its default
event loop has.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from framestream import read_file
from tests.wait import DEADLINE_S

ROOT = Path(__file__).parents[2]
CAPTURE = ROOT / "examples" / "coredns.fstrm"

COMMAND = "import sys; from dnstap.cli.main import main; sys.exit(main(sys.argv[1:]))"


def windows(code: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program on the imitated system."""
    return run("from tests.elsewhere.shims import imitate_windows; imitate_windows()\n" + code, *arguments, cwd=cwd)


def run(code: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=3 * DEADLINE_S,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TZ": "UTC"},
    )


@pytest.mark.parametrize(
    "options",
    [
        ["-q"],
        ["-y"],
        ["-j"],
        ["--format", "json-full"],
        ["--format", "yaml-full"],
        ["--fields", "time,client,qname,rcode,latency"],
        ["-q", "--filter", "type = CR and qname under example.org"],
        ["-j", "--anonymize", "truncate"],
    ],
    ids=" ".join,
)
def test_text_is_the_same(tmp_path: Path, options: list[str]) -> None:
    done = windows(COMMAND, "-r", CAPTURE, *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run(COMMAND, "-r", CAPTURE, *options, cwd=tmp_path).stdout != ""


@pytest.mark.parametrize(
    "options",
    [
        ["-w", "out.fstrm"],
        ["-a", "-w", "out.fstrm"],
        ["-w", "out.fstrm.gz"],
        ["-w", "out.fstrm", "--rotate", "count=10", "--compress", "gzip"],
    ],
    ids=" ".join,
)
def test_recordings_are_whole(tmp_path: Path, options: list[str]) -> None:
    done = windows(COMMAND, "-r", CAPTURE, *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    payloads = []
    for path in sorted(tmp_path.iterdir(), key=lambda path: (path.name.startswith("out."), path.name)):
        with read_file(path) as reader:
            payloads += list(reader)
    with read_file(CAPTURE) as reader:
        assert payloads == list(reader)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["-u", "x.sock"], "this system has no unix sockets"),
        (["-r", str(CAPTURE), "-U", "x.sock"], "this system has no unix sockets"),
        (["--listen", "unix:x.sock"], "this system has no unix sockets"),
        (["-r", str(CAPTURE), "-q", "--jobs", "2"], "--jobs: expected a system that can fork"),
    ],
    ids=["-u", "-U", "--listen", "--jobs"],
)
def test_what_needs_posix_is_refused(tmp_path: Path, options: list[str], text: str) -> None:
    done = windows(COMMAND, *options, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2


STREAMS = """
import asyncio, sys, threading
from framestream import Tls, aio, listen_reader, open_writer

certificates = sys.argv[1]
server = Tls(certificate=certificates + "/certificate", key=certificates + "/key")
PAYLOADS = [b"%d" % number * 100 for number in range(3000)]


def blocking(scheme, tls, verify):
    found = []
    def read(listener):
        with listener.accept(60) as reader:
            found.extend(reader)
    with listen_reader(scheme + ":127.0.0.1:0", [b"text"], tls=tls) as listener:
        reading = threading.Thread(target=read, args=(listener,), daemon=True)
        reading.start()
        with open_writer(f"{scheme}:127.0.0.1:{listener.endpoint.port}", [b"text"], tls=verify) as writer:
            assert not writer.gone()
            writer.write_many(PAYLOADS)
        reading.join(60)
    assert found == PAYLOADS


async def with_asyncio(scheme, tls, verify):
    async with aio.listen_reader(scheme + ":127.0.0.1:0", [b"text"], tls=tls) as listener:
        async def read():
            async with await listener.accept(60) as reader:
                return [payload async for payload in reader]
        reading = asyncio.create_task(read())
        endpoint = f"{scheme}:127.0.0.1:{listener.endpoint.port}"
        async with aio.open_writer(endpoint, [b"text"], tls=verify) as writer:
            await writer.write_many(PAYLOADS)
        assert await reading == PAYLOADS


for options in (("tcp", None, None), ("tls", server, Tls(verify=False))):
    blocking(*options)
    asyncio.run(with_asyncio(*options))
print("done")
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import trustme

    folder = tmp_path_factory.mktemp("certificates")
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(folder / "certificate")
    issued.private_key_pem.write_to_path(folder / "key")
    return folder


def test_streams_over_tcp_and_tls(tmp_path: Path, certificates: Path) -> None:
    """Blocking, and by an event loop that cannot wait for descriptors."""
    done = windows(STREAMS, certificates, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


FILES = """
import asyncio, io
from framestream import aio, read_file, write_file

for mode in ("new", "replace", "append", "atomic"):
    with write_file("file", [b"text"], mode=mode) as writer:
        writer.write_many([b"1\\n", b"2\\r\\n"])
    with read_file("file") as reader:
        assert list(reader)[-2:] == [b"1\\n", b"2\\r\\n"]


async def main():
    async with aio.read_file("file", follow=True) as reader:
        assert await anext(aiter(reader)) == b"1\\n"
        reader.end_input()
        assert [payload async for payload in reader] == [b"2\\r\\n"]


asyncio.run(main())
print("done")
"""


def test_files(tmp_path: Path) -> None:
    done = windows(FILES, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


TAP = """
import asyncio, threading, time
from dnstap import Collector, Tap
from framestream import open_reader


class Output:
    def __init__(self):
        self.payloads = []

    def write_many(self, payloads):
        self.payloads += payloads


async def main():
    output, collector = Output(), Collector(report=print)
    endpoint = await collector.listen("tcp:127.0.0.1:0")
    running = asyncio.create_task(collector.run(output))
    tap = Tap(f"tcp:127.0.0.1:{endpoint.port}")
    for number in range(1000):
        tap.client_query(b"%d" % number, query_address="192.0.2.1")
    assert await asyncio.to_thread(tap.close, 60) == 0
    while len(output.payloads) < 1000:
        await asyncio.sleep(0.01)
    collector.stop()
    await running
    await collector.close()
    assert tap.counts.sent == 1000


asyncio.run(main())
with Tap("tcp:127.0.0.1:0", listen=True) as tap:
    with open_reader(f"tcp:127.0.0.1:{tap.endpoint.port}", [b"protobuf:dnstap.Dnstap"]) as reader:
        reader.handshake()
        while not tap.connected:
            time.sleep(0.01)
        tap.client_query(b"1")
        closing = threading.Thread(target=tap.close, daemon=True)
        closing.start()
        assert len(list(reader)) == 1
        closing.join(60)
print("done")
"""


def test_taps_and_collectors(tmp_path: Path) -> None:
    done = windows(TAP, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


RELAY = """
import asyncio, sys, threading
from dnstap.cli.main import main
from framestream import listen_reader

found = []
with listen_reader("tcp:127.0.0.1:0") as listener:
    def read():
        with listener.accept(60) as reader:
            found.extend(reader)
    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    status = main(["-r", sys.argv[1], "-T", f"127.0.0.1:{listener.endpoint.port}"])
    reading.join(60)
print(status, len(found))
"""


def test_the_command_relays(tmp_path: Path) -> None:
    done = windows(RELAY, CAPTURE, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 36\n", "")


def test_standard_streams_are_binary(tmp_path: Path) -> None:
    code = """
import msvcrt
from framestream import read_file, write_file

with read_file("-") as reader, write_file("-") as writer:
    writer.write_many(list(reader))
print(msvcrt.streams == {(0, 0x8000), (1, 0x8000)}, file=__import__("sys").stderr)
"""
    with CAPTURE.open("rb") as capture:
        done = subprocess.run(
            [sys.executable, "-c", f"from tests.elsewhere.shims import *; imitate_windows()\n{code}"],
            stdin=capture,
            capture_output=True,
            check=False,
            timeout=3 * DEADLINE_S,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
        )
    assert done.stderr == b"True\n"
    (tmp_path / "out").write_bytes(done.stdout)
    with read_file(tmp_path / "out") as reader, read_file(CAPTURE) as capture_reader:
        assert list(reader) == list(capture_reader)
