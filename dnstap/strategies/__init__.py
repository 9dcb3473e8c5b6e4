"""Hypothesis strategies for dnstap: any legal values, payloads of real servers, and hostile payloads.

They are for tests of programs that read or write dnstap; docs/testing.md shows how to use them. Only this package and
framestream.strategies need Hypothesis: `pip install hypothesis`.
"""

try:
    import hypothesis  # noqa: F401 (to say what is missing)
except ImportError as error:
    raise ImportError("dnstap.strategies needs Hypothesis: pip install hypothesis") from error

from dnstap.strategies.hostile import edits, hostile_payloads, unknown_fields
from dnstap.strategies.senders import SENDERS
from dnstap.strategies.servers import Logged, logged, server_payloads
from dnstap.strategies.values import dnstaps, messages, policies
from dnstap.strategies.wire_fields import WireField, fields_of, written

__all__ = [
    "SENDERS",
    "Logged",
    "WireField",
    "dnstaps",
    "edits",
    "fields_of",
    "hostile_payloads",
    "logged",
    "messages",
    "policies",
    "server_payloads",
    "unknown_fields",
    "written",
]
