"""One JSON object a line, as the Go tool's `dnstap -j` (0.4.0) prints it, byte for byte.

    {"type":"MESSAGE","identity":"ns1","message":{"type":"CLIENT_QUERY","query_time":"2026-11-24T09:00:00.25Z",...}}

What differs is in docs/formats.md: where the Go tool crashes, or says nothing more.

Source: golang-dnstap 0.4.0, JsonFormat.go; Go, encoding/json.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from dnstap.dns.addresses import address_text
from dnstap.dns.escapes import raw_text
from dnstap.dns.message import unpack
from dnstap.dns.names import unpack_name
from dnstap.dns.text import message_text
from dnstap.errors import DnsMessageError
from dnstap.render.fields import DNSTAP_TYPES, FAMILIES, MESSAGE_TYPES, PROTOCOLS, enum_text, moment_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages import Dnstap, Message

__all__ = ["render"]

_TIME = "%04d-%02d-%02dT%02d:%02d:%02d"

NONE = "<nil>"
"""What Go shows for an enum that is absent."""


def render(dnstap: Dnstap) -> str:
    """The object, with its line feed."""
    items = [_string("type", enum_text(DNSTAP_TYPES, dnstap.type or 0))]
    sender = {"identity": dnstap.identity, "version": dnstap.version}
    items += [_string(name, raw_text(octets)) for name, octets in sender.items() if octets]
    if dnstap.message is not None:
        items.append(f'"message":{{{",".join(_message(dnstap.message))}}}')
    return f"{{{','.join(items)}}}\n"


def _message(message: Message) -> list[str]:
    m = message
    texts = {
        "type": enum_text(MESSAGE_TYPES, m.type or 0),
        "query_time": _time(m.query_time_sec, m.query_time_nsec),
        "response_time": _time(m.response_time_sec, m.response_time_nsec),
        "socket_family": NONE if m.socket_family is None else enum_text(FAMILIES, m.socket_family),
        "socket_protocol": NONE if m.socket_protocol is None else enum_text(PROTOCOLS, m.socket_protocol),
        "query_address": _address(m.query_address),
        "response_address": _address(m.response_address),
    }
    items = [_string(name, text) for name, text in texts.items() if text is not None]
    ports = {"query_port": m.query_port, "response_port": m.response_port}
    items += [f'"{name}":{port}' for name, port in ports.items() if port]
    rest: list[tuple[str, bytes | None, Callable[[bytes], str]]] = [
        ("query_zone", m.query_zone, lambda zone: unpack_name(zone, 0, len(zone))[0]),
        ("query_message", m.query_message, lambda wire: message_text(unpack(wire))),
        ("response_message", m.response_message, lambda wire: message_text(unpack(wire))),
    ]
    for name, octets, text_of in rest:
        if octets is not None:
            try:
                items.append(_string(name, text_of(octets)))
            except DnsMessageError as error:
                items.append(_string(name, f"parse failed: {error}"))
    return items


def _time(seconds: int | None, nanoseconds: int | None) -> str | None:
    text = moment_text(seconds, nanoseconds, _TIME)
    return text and f"{text}Z"


def _address(octets: bytes | None) -> str | None:
    """Nothing of no octets, where the other formats say `<nil>`."""
    return None if octets is None else address_text(octets) if octets else ""


_special = re.compile('["\\\\<>&\x00-\x1f\u2028\u2029\udc80-\udcff]')

_differs = re.compile("[<>&\b\f\u2028\u2029\udc80-\udcff]").search
"""What Go escapes otherwise than Python's json does."""

_encode = json.JSONEncoder(ensure_ascii=False).encode

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def _string(name: str, text: str) -> str:
    if not _differs(text):
        return f'"{name}":{_encode(text)}'
    return f'"{name}":"{_special.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    # An octet that is no UTF-8 is lost, as in Go.
    return _ESCAPES.get(character) or ("\\ufffd" if character >= "\udc80" else f"\\u{ord(character):04x}")
