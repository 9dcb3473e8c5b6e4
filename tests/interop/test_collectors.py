"""Collectors of examples/, as processes: real senders beside one that sends anything."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import dns.message
import pytest

from dnstap import CONTENT_TYPE, Dnstap, DnstapType, Message, MessageType
from framestream import open_writer
from tests.interop.peers import require
from tests.interop.servers import ask, nsd, unbound
from tests.interop.test_short_examples import program
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


def hostile_payloads() -> Iterator[bytes]:
    """Yield payloads without a message, that do not decode, and with values that no server sends."""
    yield from (bytes.fromhex("7801"), b"\xff", bytes(1000))
    for wire in (None, b"", b"\0\1", bytes(12), bytes(5) + b"\1" + bytes(6), b"\xff" * 50):
        message = Message(type=MessageType.CLIENT_QUERY, query_message=wire, query_address=b"\1", query_zone=b"\xff")
        message.query_time_sec, message.query_time_nsec = 2**64 - 1, 2**32 - 1
        yield Dnstap(type=DnstapType.MESSAGE, message=message, identity=b"\xff\0\x1b").encode()


@pytest.mark.parametrize(
    ("name", "number"), [("collector_sqlite", signal.SIGTERM), ("collector_threads", signal.SIGINT)]
)
def test_collectors_take_everything_from_all(tmp_path: Path, name: str, number: signal.Signals) -> None:
    """Unbound, the Go tool, and a writer of hostile payloads, which cost nothing but themselves."""
    tap, path = tmp_path / "tap.sock", tmp_path / "log.db"
    hostile = list(hostile_payloads())

    def rows(condition: str) -> int:
        with closing(sqlite3.connect(path)) as database:
            (found,) = database.execute(f"SELECT count(*) FROM queries WHERE {condition}").fetchone()
        return int(found)

    with program(tmp_path, name, f"unix:{tap}", path) as running:
        wait_for(lambda: b"listening" in running.out.read_bytes(), "the socket")
        with open_writer(tap, [CONTENT_TYPE]) as writer:
            writer.write_many(hostile)
            go = [require("dnstap"), "-r", str(ROOT / "examples" / "coredns.fstrm"), "-U", str(tap)]
            subprocess.run(go, check=True, timeout=DEADLINE_S, capture_output=True)
            with nsd(tmp_path) as upstream, unbound(tmp_path, f"unix:{tap}", upstream) as port:
                query = dns.message.make_query("www.example.test.", "TYPE65280")
                for _ in range(3):
                    ask(port, query.to_wire())
                wait_for(lambda: rows("qname = 'www.example.test.' AND qtype = 'TYPE65280'") == 3, "the queries")
            writer.write_many(hostile)
        wait_for(lambda: rows("client IS NULL") == 12, "the hostile ones")
        assert rows("server = CAST('ns1.example.org' AS BLOB) AND qname IS NOT NULL") == 9
        assert rows("client = '127.0.0.1' AND peer LIKE 'pid %' AND time LIKE '20%'") >= 12
        listening, counts = running.end(number).splitlines()
        reports = running.err.read_text().splitlines()
    assert not tap.exists()
    assert listening == f"listening on unix:{tap}"
    assert counts.endswith("payloads, 4 of them bad")
    assert all("payloads cannot be matched; the first was payload " in line for line in reports)


def test_the_example_of_the_page(tmp_path: Path) -> None:
    """As it is copied from docs/collecting.md, but it listens. Bad payloads come between those of the Go tool."""
    page = (ROOT / "docs" / "collecting.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    text = next(block for block in blocks if "BlockingCollector" in block)
    tap, log = tmp_path / "dnstap.sock", tmp_path / "log"
    read = 'collector.read("examples/coredns.fstrm")  # or: '
    assert read in text
    # It ends by a signal, and says when it listens.
    text = text.replace(read, "signal.signal(signal.SIGTERM, lambda *_: collector.stop()); ").replace(
        '"unix:dnstap.sock")', '"unix:dnstap.sock"); print("listening", flush=True)'
    )
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", f"import signal\n{text}"],
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
        )
    try:
        wait_for(lambda: log.read_bytes() or process.poll() is not None, "the start")
        go = [require("dnstap"), "-r", str(ROOT / "examples" / "coredns.fstrm"), "-U", str(tap)]
        for _ in range(2):
            with open_writer(tap, [CONTENT_TYPE]) as writer:
                writer.write_many([bytes.fromhex("7801"), b"\xff"])
                subprocess.run(go, check=True, timeout=DEADLINE_S, capture_output=True)
                writer.write_many(hostile_payloads())
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    listening, *bad, names = log.read_text().splitlines()
    assert listening == "listening"
    assert names == "[('example.org.', 40), (None, 12)]"
    assert "10 of 94 payloads do not decode and were left out; the first was payload 1: " in bad[-1]
