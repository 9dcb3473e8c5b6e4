"""The cases about dnstap, for the entry point of the group `framestream.conformance`."""

from __future__ import annotations

from dnstap.conformance import readers_dns, readers_payloads, readers_senders, readers_values, writers

__all__ = ["CASES", "FAMILIES"]

FAMILIES = (readers_senders.CASES, readers_payloads.CASES, readers_values.CASES, readers_dns.CASES, writers.CASES)
"""The families; within each, ids are dense."""

CASES = tuple([case for family in FAMILIES for case in family])
"""All of them."""
