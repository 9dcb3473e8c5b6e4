"""Payloads of servers: fields in an order of the table, with values that make sense together."""

from __future__ import annotations

import itertools
import re
import struct
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings

from dnstap import Dnstap, DnstapType, SocketFamily, SocketProtocol
from dnstap.dns import unpack
from dnstap.strategies import SENDERS, Logged, logged, server_payloads
from tests.dnstap.strategies.captures import captured, form_of
from tests.drawing import draw_until_seen

until_found = settings(max_examples=50_000, phases=[Phase.generate])


@given(log=logged())
def test_payloads_have_their_values_in_the_order_of_the_table(log: Logged) -> None:
    assert Dnstap.parse(log.payload) == log.dnstap
    sender, form = SENDERS[log.server], form_of(log.payload)
    assert form.dnstap in sender.dnstap
    assert form.message in sender.messages[form.type]


@pytest.mark.parametrize("server", sorted({server for server, _ in captured()}))
def test_each_order_of_a_real_message_is_made(server: str) -> None:
    """Both the order of the fields of a Dnstap, and that of a Message by its type."""
    forms = [form for name, form in captured() if name == server]
    draw_until_seen(
        server_payloads([server]),
        {form.dnstap for form in forms} | {form[1:] for form in forms},
        lambda payload, _: [form_of(payload).dnstap, form_of(payload)[1:]],
    )


@given(log=logged())
def test_values_make_sense_together(log: Logged) -> None:
    message = log.dnstap.message
    assert message is not None
    assert log.dnstap.type is DnstapType.MESSAGE
    length = 4 if message.socket_family is SocketFamily.INET else 16
    for address in (message.query_address, message.response_address):
        assert address is None or len(address) == length
    assert message.query_port is not None
    assert 0 <= message.query_port <= 65535
    assert message.http_protocol is None or message.socket_protocol is SocketProtocol.DOH
    for nanosecond in (message.query_time_nsec, message.response_time_nsec):
        assert nanosecond is None or nanosecond < 1_000_000_000
    if message.query_time_sec is not None and message.response_time_sec is not None:
        asked = message.query_time_sec, message.query_time_nsec
        assert asked <= (message.response_time_sec, message.response_time_nsec)


@given(log=logged())
def test_dns_messages_can_be_parsed(log: Logged) -> None:
    message = log.dnstap.message
    assert message is not None
    assert message.type is not None
    for wire, bit in ((message.query_message, 0), (message.response_message, 1)):
        if wire is not None:
            found = unpack(wire)
            sections = [found.questions, found.answers, found.authorities, found.additionals]
            assert struct.unpack_from(">4H", wire, 4) == tuple(map(len, sections))
            assert found.flags >> 15 == bit
            assert (found.flags >> 11 & 15 == 5) is message.type.name.startswith("UPDATE")
            (question,) = found.questions
            assert all(answer.owner == question.name for answer in found.answers)
            name = wire[12 : 12 + wire[12:].index(struct.pack(">HH", question.rrtype, question.rrclass))]
            assert message.query_zone is None or name.endswith(message.query_zone)


def test_each_family_and_protocol_occurs() -> None:
    pairs: set[tuple[object, object]] = set(itertools.product(SocketFamily, SocketProtocol))
    draw_until_seen(
        logged(["dnsdist"]).map(lambda log: log.dnstap.message),
        pairs,
        lambda message, _: [(message.socket_family, message.socket_protocol)] if message else [],
    )


def test_long_responses_occur() -> None:
    find(server_payloads(), lambda payload: len(payload) > 1000, settings=until_found)


@pytest.mark.parametrize(
    ("servers", "message"),
    [
        ("dnsdist", "servers: expected a list of names, got 'dnsdist'"),
        ([53], "servers: expected a list of names, got 53"),
        ([], "servers: expected at least one"),
        (["CoreDNS", "unbound"], "servers: 'unbound' is not in SENDERS; did you mean Unbound?"),
        (["djbdns"], "servers: 'djbdns' is not in SENDERS; expected one of BIND, "),
    ],
)
def test_wrong_servers_are_refused_by_the_call(servers: Any, message: str) -> None:
    for strategy in (logged, server_payloads):
        with pytest.raises((TypeError, ValueError), match=re.escape(message)):
            strategy(servers)
