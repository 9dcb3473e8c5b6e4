"""Hypothesis strategies for dnstap: any legal value, what real servers log, and payloads that are hostile.

For the tests of whatever reads or writes dnstap; docs/testing.md shows how to use them. The rest of the package does
not need Hypothesis, which this does: `pip install hypothesis`.
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
