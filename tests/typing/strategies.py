"""dnstap.strategies: each strategy has the type of its values."""

from typing import assert_type

from hypothesis.strategies import SearchStrategy

from dnstap import Dnstap, Message, Policy
from dnstap.strategies import (
    SENDERS,
    Logged,
    WireField,
    dnstaps,
    edits,
    fields_of,
    hostile_payloads,
    logged,
    messages,
    policies,
    server_payloads,
    unknown_fields,
    written,
)


def values() -> None:
    assert_type(dnstaps(nameless=True, lenient=True, max_bytes=65536), SearchStrategy[Dnstap])
    assert_type(messages(), SearchStrategy[Message])
    assert_type(policies(nameless=True), SearchStrategy[Policy])
    assert_type(messages(lenient=True), SearchStrategy[Message])
    dnstaps(True)  # type: ignore[call-arg]
    policies(lenient=True)  # type: ignore[call-arg]
    messages(max_bytes="9")  # type: ignore[arg-type]


def payloads() -> None:
    assert_type(server_payloads(["dnsdist"]), SearchStrategy[bytes])
    assert_type(logged(), SearchStrategy[Logged])
    logged([b"NSD"])  # type: ignore[list-item]
    assert_type(hostile_payloads(server_payloads()), SearchStrategy[bytes])
    assert_type(edits(b"payload"), SearchStrategy[bytes])
    hostile_payloads(b"payload")  # type: ignore[arg-type]
    edits("payload")  # type: ignore[arg-type]


def contents(log: Logged) -> None:
    assert_type((log.server, log.payload, log.dnstap), tuple[str, bytes, Dnstap])
    assert_type(SENDERS["NSD"].version, bytes)


def wire_fields(payload: bytes) -> None:
    assert_type(fields_of(payload), tuple[WireField, ...])
    assert_type(written(fields_of(payload)), bytes)
    assert_type(WireField(1, 0, 7).wire, bytes)
    assert_type(unknown_fields(), SearchStrategy[WireField])
