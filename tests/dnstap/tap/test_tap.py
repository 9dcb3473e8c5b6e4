"""Tap: messages arrive as they were given, nothing reaches the server, and every frame is counted."""

from __future__ import annotations

import ipaddress
import socket
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dns.message
import pytest

from dnstap import Dnstap, Message, MessageType, SocketFamily, SocketProtocol, Tap, TapCounts
from framestream import LocalProtocolError
from tests.dnstap.tap.receivers import receiving
from tests.wait import DEADLINE_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUERY = dns.message.make_query("www.example.org.", "A", id=1)


class TestMessages:
    def test_values_of_many_types_arrive(self, tmp_path: Path) -> None:
        with receiving(tmp_path / "s") as receiver:
            before = time.time_ns()
            with Tap(f"unix:{tmp_path}/s", identity="ns1", version=b"1.0", extra="e") as tap:
                tap.client_query(QUERY, query_address="192.0.2.1", query_port=5353, socket_protocol=SocketProtocol.UDP)
                tap.client_response(
                    memoryview(b"answer"),
                    query_address=ipaddress.ip_address("2001:db8::1"),
                    response_address=bytes(15) + b"\1",
                    response_port=53,
                    query_time=datetime(2026, 1, 1, tzinfo=UTC),
                )
                tap.submit(Message(type=MessageType.RESOLVER_QUERY, query_zone=b"\0"))
            assert tap.counts == TapCounts(submitted=3, sent=3)
        first, second, third = map(Dnstap.parse, receiver.payloads)
        assert (first.identity, first.version, first.extra) == (b"ns1", b"1.0", b"e")
        assert first.message
        assert first.message.query_message == QUERY.to_wire()
        assert (first.message.query_ip, first.message.query_port) == (ipaddress.ip_address("192.0.2.1"), 5353)
        assert before <= (first.message.query_time_ns or 0) <= time.time_ns()
        assert first.message.response_time_ns is None
        assert second.message
        assert second.message.response_message == b"answer"
        assert second.message.socket_family is SocketFamily.INET6
        assert second.message.query_time == datetime(2026, 1, 1, tzinfo=UTC)
        assert before <= (second.message.response_time_ns or 0) <= time.time_ns()
        assert third.message == Message(type=MessageType.RESOLVER_QUERY, query_zone=b"\0")
        assert receiver.finished == 1

    def test_each_type_has_a_method(self, tmp_path: Path) -> None:
        with receiving(tmp_path / "s") as receiver, Tap(tmp_path / "s") as tap:
            for message_type in MessageType:
                getattr(tap, message_type.name.lower())(b"wire", query_time=1, response_time=2)
        messages = [Dnstap.parse(payload).message for payload in receiver.payloads]
        assert [message.type for message in messages if message] == list(MessageType)
        for message in messages:
            assert message
            assert (message.query_time_ns, message.response_time_ns) == (1, 2)
            assert (message.query_message, message.response_message) == (
                (b"wire", None) if message.is_query else (None, b"wire")
            )

    @pytest.mark.parametrize("message_type", MessageType, ids=lambda message_type: message_type.name)
    def test_the_method_names_its_type(self, message_type: MessageType) -> None:
        assert f"({message_type.name})" in getattr(Tap, message_type.name.lower()).__doc__

    def test_dns_messages_can_be_left_out(self, tmp_path: Path) -> None:
        with receiving(tmp_path / "s") as receiver, Tap(tmp_path / "s", full=False) as tap:
            tap.client_query(QUERY, query_address="192.0.2.1")
            tap.submit(Message(type=MessageType.CLIENT_RESPONSE, query_message=b"q", response_message=b"r"))
        messages = [Dnstap.parse(payload).message for payload in receiver.payloads]
        assert len(messages) == 2
        for message in messages:
            assert message
            assert message.query_message is message.response_message is None

    def test_bad_values_are_counted_and_logged_once(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        def extra(message: Message) -> str:
            if message.query_port == 1:
                raise RuntimeError("no extra for that")
            return "x" * (1 << 20 if message.query_port == 2 else 1)

        with receiving(tmp_path / "s") as receiver, Tap(tmp_path / "s", extra=extra) as tap:
            anything: Any = tap
            wrong: list[Callable[[], object]] = [
                lambda: tap.client_query(b"", query_address="nowhere"),
                lambda: tap.client_query(b"", query_port=65536),
                lambda: tap.client_query(b"", query_time=-1),
                lambda: anything.client_query(object()),
                lambda: anything.client_query(b"", query_address=7),
                lambda: anything.submit(None),
                lambda: anything.submit("message"),
                lambda: tap.submit(Message()),
                lambda: tap.submit(Message(type=MessageType.AUTH_QUERY, query_port=-1)),
                lambda: tap.client_query(b"", query_port=1),
            ]
            for call in wrong:
                assert call() is None
            tap.client_query(b"", query_port=2)
            tap.client_query(b"", query_port=3)
            wait_for(lambda: tap.counts.sent == 1, "the good one")
            assert tap.counts == TapCounts(submitted=12, sent=1, too_large=1, not_encodable=10)
        assert len(receiver.payloads) == 1
        lines = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
        assert lines == [
            f"unix:{tmp_path}/s: 11 frames dropped: 1 too large, 10 not encodable; the last error was "
            + lines[0].partition("the last error was ")[2]
        ]
        assert lines[0].endswith(("to 4294967295", "no extra for that"))


class TestArguments:
    @pytest.mark.parametrize("queue", [0, -1])
    def test_a_queue_has_room_for_a_frame(self, tmp_path: Path, queue: int) -> None:
        with pytest.raises(ValueError, match=f"queue: expected a whole number of at least 1, got {queue}"):
            Tap(tmp_path / "s", queue=queue)

    @pytest.mark.parametrize("endpoint", ["-", "file:x", "tcp:nowhere"])
    def test_an_endpoint_is_a_socket(self, endpoint: str) -> None:
        with pytest.raises(LocalProtocolError, match="HOST:PORT"):
            Tap(endpoint)


class TestClose:
    def test_frames_after_close_are_counted(self, tmp_path: Path) -> None:
        with receiving(tmp_path / "s") as receiver:
            tap = Tap(tmp_path / "s")
            tap.client_query(b"1")
            assert tap.close() == 0
            assert tap.close() == 0
            tap.client_query(b"2")
            assert tap.counts == TapCounts(submitted=2, sent=1, closed=1)
        assert receiver.finished == 1

    def test_it_ends_at_its_deadline_without_an_answer(self, tmp_path: Path) -> None:
        tap = Tap(tmp_path / "none")
        assert tap.close() == 0
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(tmp_path / "s"))
            listening.listen()
            tap = Tap(tmp_path / "s")
            tap.client_query(b"1")
            began = time.monotonic()
            assert tap.close(0.2) == 1
            assert 0.19 < time.monotonic() - began < DEADLINE_S / 2
