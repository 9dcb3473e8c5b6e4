"""The blocking collector: which thread does what, and how a run ends."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from dnstap import CONTENT_TYPE, BlockingCollector, Dnstap, DnstapType, Filter, Message, MessageType, Source
from dnstap.pairing import Pairs
from framestream import LocalProtocolError, Writer, open_writer
from tests.dnstap.pairing.messages import query, response
from tests.dnstap.pipeline.streams import Payloads, Server, file_of
from tests.threads import start
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WITHOUT_MESSAGE = bytes.fromhex("7801")


def payload(number: int = 0, kind: MessageType = MessageType.CLIENT_QUERY) -> bytes:
    return Dnstap(identity=b"%d" % number, type=DnstapType.MESSAGE, message=Message(type=kind)).encode()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "dnstap collector"]


def test_files_with_bad_payloads(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Handlers, outputs and those of payloads get everything; what does not decode is logged."""
    path = file_of(tmp_path / "a", payload(1), WITHOUT_MESSAGE, b"\xff", payload(2))
    identities, payloads, output = [], [], Payloads()
    with BlockingCollector() as collector:
        collector.read(path)
        collector.run(
            lambda messages, source: identities.extend([(one.identity, source) for one in messages]),
            output,
            payloads=lambda batch, source: payloads.extend([(one, source) for one in batch]),
        )
    source = Source(path, file=True, identity=b"1")
    assert identities == [(b"1", source), (b"2", source)]
    assert payloads == [(payload(1), source), (WITHOUT_MESSAGE, source), (b"\xff", source), (payload(2), source)]
    assert output == [payload for payload, _ in payloads]
    assert collector.counts.frames == 4
    assert [counts[:4] for counts in collector.output_counts] == [
        ("<lambda>", 4, 2, 2),
        ("Payloads", 4, 4, 0),
        ("<lambda>", 4, 4, 0),
    ]
    assert (collector.skipped, collector.unmatched, collector.failed_files, collector.interrupted) == (2, 0, 0, False)
    bad = "2 of 4 payloads do not decode and were left out; the first was payload 2: Dnstap: required field message is"
    assert caplog.record_tuples == [("dnstap", logging.WARNING, f"{bad} missing")]


def test_a_filter(tmp_path: Path) -> None:
    """It is for all outputs, and may have been used before."""
    payloads = [payload(1), payload(2, MessageType.CLIENT_RESPONSE), b"\xff", WITHOUT_MESSAGE]
    reports: list[str] = []
    condition = Filter("type = CQ")
    condition.select(payloads)
    for wanted in ("type = CQ", condition):
        output = Payloads()
        with BlockingCollector(reports.append) as collector:
            collector.read(file_of(tmp_path / "a", *payloads))
            collector.run(output, filter=wanted, stages=[lambda batch: batch * 2])
        assert output == [payload(1)] * 2
        assert (collector.skipped, collector.unmatched) == (1, 2)
    assert reports[0].startswith("1 of 4 payloads cannot be matched; the first was payload 3: ")


def test_handlers_are_called_by_the_thread_of_run(tmp_path: Path) -> None:
    """Another one receives meanwhile."""
    path = tmp_path / "s"
    threads, numbers = set(), []
    may, began = threading.Event(), threading.Event()

    def handle(messages: list[Any], source: Source) -> None:
        threads.add(threading.get_ident())
        began.set()
        assert may.wait(DEADLINE_S)
        numbers.extend([int(message.identity) for message in messages])
        assert source.peer is not None
        assert source.name == f"unix:{path}"

    with BlockingCollector() as collector:
        collector.listen(path)
        running = start(collector.run, handle)
        with open_writer(path, [CONTENT_TYPE]) as writer:
            for number in range(3):
                writer.write(payload(number))
                assert began.wait(DEADLINE_S)
                wait_for(lambda number=number: collector.counts.frames == number + 1, "the frame")  # type: ignore[misc]
            may.set()
        collector.stop()
        running.result(DEADLINE_S)
        assert threads == {running.thread.ident}
    assert numbers == [0, 1, 2]
    assert not path.exists()


def test_a_server_to_connect_to(tmp_path: Path) -> None:
    def write(writer: Writer, _: int) -> None:
        writer.write(payload(7))
        writer.close()

    seen: list[Any] = []

    def handle(messages: list[Any], source: Source) -> None:
        seen.extend([messages[0].identity, source.name])
        collector.stop()

    with closing(Server(tmp_path / "s", write)), BlockingCollector() as collector:
        collector.connect(tmp_path / "s")
        collector.run(handle)
    assert seen[:2] == [b"7", f"unix:{tmp_path / 's'}"]


class TestEnds:
    """The ends of a run: by a handler, a signal handler, another thread, or an exception."""

    def run(self, path: Path, handler: Any, **options: Any) -> BlockingCollector:
        """Run a collector that is sent one message."""

        def send() -> None:
            with open_writer(path, [CONTENT_TYPE]) as writer:
                writer.write(payload())

        with BlockingCollector(**options) as collector:
            collector.listen(path)
            sending = start(send)
            try:
                collector.run(lambda messages, source: handler(collector))
            finally:
                sending.exception(DEADLINE_S)
                sending.join()
        assert not path.exists()
        return collector

    @pytest.mark.parametrize("end", [BlockingCollector.stop, BlockingCollector.close])
    def test_by_a_handler(self, tmp_path: Path, end: Any) -> None:
        collector = self.run(tmp_path / "s", end)
        assert collector.counts.frames == collector.output_counts[0].written == 1

    @pytest.mark.parametrize("end", [BlockingCollector.stop, BlockingCollector.close])
    def test_by_a_signal_handler(self, tmp_path: Path, end: Any) -> None:
        """While the run waits for the next message."""

        def handle(collector: BlockingCollector) -> None:
            signal.signal(signal.SIGALRM, lambda *_: end(collector))
            signal.setitimer(signal.ITIMER_REAL, 0.05)

        before = signal.getsignal(signal.SIGALRM)
        try:
            assert self.run(tmp_path / "s", handle).counts.frames == 1
        finally:
            signal.signal(signal.SIGALRM, before)

    @pytest.mark.parametrize("waits", [False, True])
    def test_by_ctrl_c(self, tmp_path: Path, waits: bool) -> None:
        """In a handler, or while the run waits."""
        reports: list[str] = []

        def handle(_: BlockingCollector) -> None:
            if not waits:
                raise KeyboardInterrupt
            signal.signal(signal.SIGALRM, signal.default_int_handler)
            signal.setitimer(signal.ITIMER_REAL, 0.05)

        before = signal.getsignal(signal.SIGALRM)
        try:
            with pytest.raises(KeyboardInterrupt):
                self.run(tmp_path / "s", handle, report=reports.append)
        finally:
            signal.signal(signal.SIGALRM, before)
        assert [line for line in reports if "not written" in line] == (
            [] if waits else ["<lambda>: 1 of 1 frames were not written"]
        )

    def test_by_the_exception_of_a_handler(self, tmp_path: Path) -> None:
        def handle(_: BlockingCollector) -> None:
            raise ZeroDivisionError

        reports: list[str] = []
        with pytest.raises(ZeroDivisionError):
            self.run(tmp_path / "s", handle, report=reports.append)
        assert reports == ["<lambda>: 1 of 1 frames were not written"]

    def test_by_another_thread_that_closes_it(self, tmp_path: Path) -> None:
        """It waits for the run, but not for a handler that does not return in time."""
        may, began = threading.Event(), threading.Event()
        reports: list[str] = []

        def handle(messages: list[Any], source: Source) -> None:
            began.set()
            assert may.wait(DEADLINE_S)

        with BlockingCollector(reports.append, drain_s=0.1) as collector:
            collector.listen(tmp_path / "s")
            running = start(collector.run, handle)
            with open_writer(tmp_path / "s", [CONTENT_TYPE]) as writer:
                writer.write(payload())
                assert began.wait(DEADLINE_S)
        assert reports == ["handle: 1 of 1 frames were not written"]
        assert not running.done()
        may.set()
        running.result(DEADLINE_S)

    def test_before_it_begins(self, tmp_path: Path) -> None:
        with BlockingCollector() as collector:
            collector.listen(tmp_path / "s")
            collector.stop(complete=True)
            collector.run()
        assert collector.counts.frames == 0


def test_wrong_uses(tmp_path: Path) -> None:
    async def later(messages: list[Any], source: Source) -> None: ...

    wrong: list[Any] = [later, lambda messages: None, 5]
    for handler in wrong:
        with BlockingCollector() as collector, pytest.raises(TypeError, match=r"^outputs: expected a .*function"):
            collector.run(handler)
        with BlockingCollector() as collector, pytest.raises(TypeError, match=r"^payloads: expected a .*function"):
            collector.run(payloads=handler)
    with BlockingCollector() as collector:
        with socket.create_server(("127.0.0.1", 0)) as busy, pytest.raises(OSError, match="in use"):
            collector.listen(f"tcp:127.0.0.1:{busy.getsockname()[1]}")
        with pytest.raises(FileNotFoundError):
            collector.read(str(tmp_path / "missing"))
        with pytest.raises(LocalProtocolError, match="is not a socket"):
            collector.connect("file:x")
        collector.run()
        with pytest.raises(RuntimeError, match="the collector runs, or has run"):
            collector.run()
        with pytest.raises(RuntimeError, match="the collector runs, or has run"):
            collector.listen(tmp_path / "s")
    collector.close()
    uses: list[Any] = [collector.run, lambda: collector.listen("x"), lambda: collector.read("x")]
    for use in (*uses, lambda: collector.connect("x")):
        with pytest.raises(ValueError, match="the collector is closed"):
            use()


def test_asyncio_is_not_blocked(tmp_path: Path) -> None:
    async def main() -> None:
        with BlockingCollector() as collector, pytest.raises(RuntimeError, match=r"use dnstap\.Collector$"):
            collector.listen(tmp_path / "s")

    asyncio.run(main())


def test_pairs(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a", query(0), query(1, query_port=1), response(2, query_port=1))
    found: list[bool | None] = []
    pairs = Pairs()
    with BlockingCollector() as collector:
        collector.read(path)
        collector.run(
            lambda messages, _: found.extend(each.answered for each in messages), filter="has answered", pairs=pairs
        )
    assert found == [True, False]
    assert pairs.counts.paired == 1
