"""SENDERS: the table agrees with the captures of real servers."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dnstap import Dnstap, Message, MessageType
from dnstap.strategies.senders import SENDERS, Order
from tests.dnstap.strategies.captures import Form, captured, real_payloads


@pytest.mark.parametrize(("server", "form"), captured())
def test_each_order_in_the_captures_is_in_the_table(server: str, form: Form) -> None:
    sender = SENDERS[server]
    assert form.dnstap in sender.dnstap
    assert form.message in sender.messages[form.type]


def test_their_versions_and_protocols_are_in_the_table() -> None:
    for server, payload in real_payloads():
        parsed = Dnstap.parse(payload)
        assert parsed.message is not None
        assert parsed.version == SENDERS[server].version
        assert parsed.message.socket_protocol in (None, *SENDERS[server].protocols)


def test_captures_are_of_most_servers() -> None:
    assert SENDERS.keys() - {server for server, _ in captured()} == {"PowerDNS Recursor", "Knot Resolver"}


@pytest.mark.parametrize("server", SENDERS)
def test_orders_have_known_fields_once_and_the_required_ones(server: str) -> None:
    sender = SENDERS[server]
    orders: list[tuple[Any, set[str], Order]] = []
    orders += [(Dnstap, {"message", "type"}, order) for order in sender.dnstap]
    orders += [(Message, {"type", "query_port"}, order) for several in sender.messages.values() for order in several]
    for cls, always, order in orders:
        assert len(set(order)) == len(order)
        assert always <= set(order) <= {field.name for field in dataclasses.fields(cls)}


def test_fields_with_a_question_mark_may_be_left_out() -> None:
    assert len(SENDERS["CoreDNS"].dnstap) == 8
    with_zone, without = sorted(SENDERS["NSD"].messages[MessageType.AUTH_RESPONSE], key=lambda order: -len(order))
    assert without == tuple(name for name in with_zone if name != "query_zone")
