"""Helpers of the adapters: the methods of a tap by type, and the addresses of sockets."""

from __future__ import annotations

from typing import Any

import pytest

from dnstap import MessageType
from dnstap.adapters.exchanges import bound_to, host_and_port, methods
from tests.dnstap.adapters.recorder import Recorder


@pytest.mark.parametrize(
    "log_as", [message_type for message_type in MessageType if message_type % 2], ids=lambda it: it.name
)
def test_queries_and_responses_get_corresponding_types(log_as: MessageType) -> None:
    recorder = Recorder()
    for method in methods(recorder.tap, log_as):
        method(b"wire")
    assert [message.type for message in recorder.messages] == [log_as, log_as + 1]


@pytest.mark.parametrize("log_as", [MessageType.AUTH_RESPONSE, MessageType.TOOL_RESPONSE, MessageType(99)])
def test_a_type_that_is_not_of_queries_is_refused(log_as: MessageType) -> None:
    with pytest.raises(ValueError, match=r"log_as: expected a type of queries, such as .*, got <MessageType"):
        methods(Recorder().tap, log_as)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (("192.0.2.1", 53), ("192.0.2.1", 53)),
        (("2001:db8::1", 53, 0, 0), ("2001:db8::1", 53)),
        ("/run/dns.sock", (None, None)),
        (("192.0.2.1",), (None, None)),
        ((b"", 53), (None, None)),
        (b"", (None, None)),
        (None, (None, None)),
    ],
)
def test_addresses_of_the_socket_module(address: Any, expected: tuple[str | None, int | None]) -> None:
    assert host_and_port(address) == bound_to(address) == expected


@pytest.mark.parametrize("address", [("0.0.0.0", 53), ("::", 53, 0, 0), ("", 53)])
def test_the_address_of_a_socket_bound_to_all_is_unknown(address: Any) -> None:
    assert bound_to(address) == (None, 53)


def test_wrong_arguments() -> None:
    anything: Any = methods
    for log_as in (None, 5, "CLIENT_QUERY"):
        with pytest.raises(TypeError, match=r"^log_as: expected a type of queries"):
            anything(Recorder(), log_as)
    for tap in (None, "unix:/run/dnstap.sock"):
        with pytest.raises(TypeError, match=r"^tap: expected a Tap or an AsyncTap, got "):
            anything(tap, MessageType.CLIENT_QUERY)
