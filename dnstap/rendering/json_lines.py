"""One JSON object a line, as the Go tool's `dnstap -j` (0.4.0) prints it, byte for byte.

    {"type":"MESSAGE","identity":"ns1","message":{"type":"CLIENT_QUERY","query_time":"2026-11-24T09:00:00.25Z",...}}

docs/formats.md lists the differences: the cases in which the Go tool crashes or stops printing.

Source: golang-dnstap 0.4.0, JsonFormat.go; Go, encoding/json.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from dnstap.dns.addresses import address_text
from dnstap.dns.cached_texts import CachedTexts
from dnstap.dns.escapes import EscapeTable
from dnstap.rendering.documents import Layout, document_renderer
from dnstap.rendering.times import local_time_formatter, timestamp_formatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages import Dnstap
    from dnstap.rendering.style import Style

__all__ = ["renderer"]


_LAYOUT = Layout(
    dnstap_type='{"type":"%s"',
    identity=',"identity":"%s"',
    version=',"version":"%s"',
    no_message="}\n",
    message_type=',"message":{"type":"%s"',
    query_time=',"query_time":"%s"',
    response_time=',"response_time":"%s"',
    socket_family=',"socket_family":"%s"',
    socket_protocol=',"socket_protocol":"%s"',
    # Go prints a nil pointer as <nil>, and encoding/json escapes < and >.
    absent_enum="\\u003cnil\\u003e",
    query_address=',"query_address":"%s"',
    response_address=',"response_address":"%s"',
    query_port=',"query_port":%s',
    response_port=',"response_port":%s',
    query_zone=',"query_zone":"%s"',
    bad_query_zone=',"query_zone":"parse failed: %s"',
    # The text of miekg/dns ends with a line feed. JsonFormat.go keeps it; YamlFormat.go trims it.
    query_message=',"query_message":"%s\\n"',
    bad_query_message=',"query_message":"parse failed: %s"',
    response_message=',"response_message":"%s\\n"',
    bad_response_message=',"response_message":"parse failed: %s"',
    end="}}\n",
    omit_empty=True,
)


def renderer(style: Style) -> Callable[[Dnstap], str]:
    """Return the function that renders a message as one JSON object with its line feed.

    It remembers parts of what it has rendered, so use one for a whole stream.

    Raises: ValueError: unknown time zone.
    """
    # jsonTime in JsonFormat.go formats the time itself, so years after 9999, which Go's time.Time refuses to marshal,
    # are printed like any other.
    timestamp = timestamp_formatter(local_time_formatter("%04d-%02d-%02dT%02d:%02d:%02d", style.time_zone, "Z", ""))
    escape = _escape_for_terminal if style.terminal else _escape
    return document_renderer(_LAYOUT, escape, _address, timestamp, CachedTexts(escape).text)


def _address(address: bytes) -> str:
    # net.IP has two texts for an empty address: MarshalText gives "", String, which the other formats use, <nil>.
    return address_text(address) if address else ""


_is_plain = re.compile("[ !#-%'-;=?-\\[\\]-~]*").fullmatch
"""Printable ASCII without the quote, the backslash, <, > and &."""

_escaped_by_go_alone = re.compile("[<>&\b\f\u2028\u2029\udc80-\udcff]").search
"""Characters for which Go's escape differs from that of Python's json."""

_ESCAPES = str.maketrans(
    {chr(code): f"\\u{code:04x}" for code in (*range(32), *map(ord, "<>&\u2028\u2029"))}
    | {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
    # A byte that is not UTF-8 becomes the replacement character, as in Go.
    | dict.fromkeys(map(chr, range(0xDC80, 0xDD00)), "\\ufffd")
)

_encode = json.JSONEncoder(ensure_ascii=False).encode


def _escape(text: str) -> str:
    """Escape text for a JSON string as Go's encoding/json does. The three ways are in the order of their speed."""
    if _is_plain(text):
        return text
    if not _escaped_by_go_alone(text):
        return _encode(text)[1:-1]
    return text.translate(_ESCAPES)


_INVISIBLE = EscapeTable(lambda character: json.dumps(character)[1:-1], {})


def _escape_for_terminal(text: str) -> str:
    """Escape text as Go does, and besides every character that cannot be seen."""
    text = _escape(text)
    return text if text.isprintable() else text.translate(_INVISIBLE)
