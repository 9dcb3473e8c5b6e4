"""One YAML document a message, as the Go tool's `dnstap -y` (0.4.0) prints it, byte for byte where that is YAML.

    type: MESSAGE
    identity: "ns1"
    message:
      type: CLIENT_QUERY
      query_time: !!timestamp 2026-11-24 09:00:00.25
      query_message: |
        ;; opcode: QUERY, status: NOERROR, id: 7
        ...
    ---

What differs is in docs/formats.md: where the Go tool's text is no YAML, or loads as something else, or it crashes.

Source: golang-dnstap 0.4.0, YamlFormat.go.
"""

from __future__ import annotations

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
    from dnstap.messages import Dnstap, Message

__all__ = ["quoted", "render"]

_TIME = "%04d-%02d-%02d %02d:%02d:%02d"

_WHITE_SPACE = "\t\n\v\f\r \x85\xa0"
"""What Go takes off the end of the text."""


def render(dnstap: Dnstap) -> str:
    """The document, with the line that ends it."""
    lines = [f"type: {enum_text(DNSTAP_TYPES, dnstap.type or 0)}"]
    if dnstap.identity is not None:
        lines.append(f"identity: {quoted(raw_text(dnstap.identity))}")
    if dnstap.version is not None:
        lines.append(f"version: {quoted(raw_text(dnstap.version))}")
    if dnstap.message is not None:
        lines.append("message:")
        lines += _message(dnstap.message)
    return "\n".join([*lines, "---\n"])


def _message(message: Message) -> list[str]:
    m = message
    scalars = {
        "type": enum_text(MESSAGE_TYPES, m.type or 0),
        "query_time": _time(m.query_time_sec, m.query_time_nsec),
        "response_time": _time(m.response_time_sec, m.response_time_nsec),
        "socket_family": None if m.socket_family is None else enum_text(FAMILIES, m.socket_family),
        "socket_protocol": None if m.socket_protocol is None else enum_text(PROTOCOLS, m.socket_protocol),
        "query_address": _address(m.query_address),
        "response_address": _address(m.response_address),
        "query_port": m.query_port,
        "response_port": m.response_port,
    }
    lines = [f"  {name}: {value}" for name, value in scalars.items() if value is not None]
    if m.query_zone is not None:
        try:
            lines.append(f"  query_zone: {quoted(unpack_name(m.query_zone, 0, len(m.query_zone))[0])}")
        except DnsMessageError as error:
            lines.append(f"  # query_zone: parse failed: {error}")
    for name, wire in ("query_message", m.query_message), ("response_message", m.response_message):
        if wire is not None:
            lines += _dns_message(name, wire)
    return lines


def _time(seconds: int | None, nanoseconds: int | None) -> str | None:
    text = moment_text(seconds, nanoseconds, _TIME)
    return text and f"!!timestamp {text}"


_is_no_string = re.compile(r".*:|[1-9][0-9]*(?::[0-5]?[0-9])+").fullmatch


def _address(octets: bytes | None) -> str | None:
    """In quotes where YAML would take it for a key, or for a number to the base 60."""
    if octets is None:
        return None
    text = address_text(octets)
    return f'"{text}"' if _is_no_string(text) else text


def _dns_message(name: str, wire: bytes) -> list[str]:
    try:
        text = message_text(unpack(wire))
    except DnsMessageError as error:
        return [f"  # {name}: parse failed: {error}"]
    text = _not_in_yaml.sub(_escape, text.rstrip(_WHITE_SPACE))
    return [f"  {name}: |", "    " + text.replace("\n", "\n    ")]


# Octets of EDE, NSID, ESU and NULL records. What YAML 1.1 takes for line breaks, too; 1.2 does not.
_not_in_yaml = re.compile("[^\t\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def _escape(found: re.Match[str]) -> str:
    """As octets of a name or string are escaped."""
    return "".join([f"\\{octet:03d}" for octet in found[0].encode("utf-8", "surrogateescape")])


_QUOTED = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}


def quoted(text: str) -> str:
    """In quotes, as Go's strconv.Quote does, of which YAML understands all."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join([_QUOTED.get(character) or _shown(character) for character in text])}"'


def _shown(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # an octet that is no UTF-8
        return f"\\x{number - 0xDC00:02x}"
    if character.isprintable():
        return character
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
