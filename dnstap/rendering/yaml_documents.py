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
from dnstap.dns.cached_texts import MessageTexts
from dnstap.dns.escapes import raw_text
from dnstap.dns.memo import Memo
from dnstap.dns.names import unpack_name
from dnstap.errors import DnsMessageError
from dnstap.rendering.fields import DNSTAP_TYPES, FAMILIES, MESSAGE_TYPES, PROTOCOLS, EnumTexts, enum_text
from dnstap.rendering.times import moment_texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages import Dnstap
    from dnstap.rendering.style import Style

__all__ = ["quoted", "renderer"]

_WHITE_SPACE = "\t\n\v\f\r \x85\xa0"
"""What Go takes off the end of the text."""

_INDENT = "\n    "


def renderer(style: Style) -> Callable[[Dnstap], str]:
    """The function to the document of a message, with the line that ends it. It is faster the more it has seen.

    Raises: ValueError: there is no such time zone.
    """
    dns_text = MessageTexts(_block, lambda text: text.rstrip(_WHITE_SPACE) + "\n").text
    moment = moment_texts("%04d-%02d-%02d %02d:%02d:%02d", style.time_zone, "", " ")
    types = EnumTexts("  type: %s\n", MESSAGE_TYPES, "  type: 0\n")
    families = EnumTexts("  socket_family: %s\n", FAMILIES)
    protocols = EnumTexts("  socket_protocol: %s\n", PROTOCOLS)
    query_addresses: Memo[str] = Memo(8192)
    response_addresses: Memo[str] = Memo(8192)
    zones: Memo[str] = Memo(4096, 256)
    # The sender is the same again and again.
    last: tuple[bytes | None, bytes | None, int | None, str] = None, None, None, _sender(None, None, None)

    def bad(name: str, wire: bytes) -> str:
        try:
            return f"  {name}: |\n    {dns_text(wire)}\n"
        except DnsMessageError as error:
            return f"  # {name}: parse failed: {error}\n"

    def render(dnstap: Dnstap) -> str:
        nonlocal last
        identity, version, dnstap_type, head = last
        if identity != dnstap.identity or version != dnstap.version or dnstap_type != dnstap.type:
            identity, version, dnstap_type = dnstap.identity, dnstap.version, dnstap.type
            head = _sender(identity, version, dnstap_type)
            last = identity, version, dnstap_type, head
        m = dnstap.message
        if m is None:
            return f"{head}---\n"
        query_time = response_time = query_address = response_address = query_port = response_port = ""
        zone = query = response = ""
        if (seconds := m.query_time_sec) is not None and (nanoseconds := m.query_time_nsec) is not None:
            query_time = f"  query_time: !!timestamp {moment(seconds, nanoseconds)}\n"
        if (seconds := m.response_time_sec) is not None and (nanoseconds := m.response_time_nsec) is not None:
            response_time = f"  response_time: !!timestamp {moment(seconds, nanoseconds)}\n"
        if (octets := m.query_address) is not None:
            query_address = query_addresses.get(octets) or query_addresses.keep(
                octets, f"  query_address: {_address(octets)}\n"
            )
        if (octets := m.response_address) is not None:
            response_address = response_addresses.get(octets) or response_addresses.keep(
                octets, f"  response_address: {_address(octets)}\n"
            )
        if (port := m.query_port) is not None:
            query_port = f"  query_port: {port}\n"
        if (port := m.response_port) is not None:
            response_port = f"  response_port: {port}\n"
        if (octets := m.query_zone) is not None:
            zone = zones.get(octets) or zones.keep(octets, _zone(octets))
        try:
            if (octets := m.query_message) is not None:
                query = f"  query_message: |\n    {dns_text(octets)}\n"
            if (octets := m.response_message) is not None:
                response = f"  response_message: |\n    {dns_text(octets)}\n"
        except DnsMessageError:
            query = "" if m.query_message is None else bad("query_message", m.query_message)
            response = "" if m.response_message is None else bad("response_message", m.response_message)
        return (
            f"{head}message:\n{types[m.type]}{query_time}{response_time}{families[m.socket_family]}"
            f"{protocols[m.socket_protocol]}{query_address}{response_address}{query_port}{response_port}"
            f"{zone}{query}{response}---\n"
        )

    return render


def _sender(identity: bytes | None, version: bytes | None, dnstap_type: int | None) -> str:
    lines = [f"type: {enum_text(DNSTAP_TYPES, dnstap_type or 0)}\n"]
    if identity is not None:
        lines.append(f"identity: {quoted(raw_text(identity))}\n")
    if version is not None:
        lines.append(f"version: {quoted(raw_text(version))}\n")
    return "".join(lines)


_is_no_string = re.compile(r".*:|[1-9][0-9]*(?::[0-5]?[0-9])+").fullmatch


def _address(octets: bytes) -> str:
    """In quotes where YAML would take it for a key, or for a number to the base 60."""
    text = address_text(octets)
    return f'"{text}"' if _is_no_string(text) else text


def _zone(octets: bytes) -> str:
    try:
        return f"  query_zone: {quoted(unpack_name(octets, 0, len(octets))[0])}\n"
    except DnsMessageError as error:
        return f"  # query_zone: parse failed: {error}\n"


# Octets of EDE, NSID, ESU and NULL records. What YAML 1.1 takes for line breaks, too; 1.2 does not.
_not_in_yaml = re.compile("[^\t\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def _block(text: str) -> str:
    """Text in an indented block."""
    if text.isprintable() and text.isascii():
        return text
    return _not_in_yaml.sub(_escape, text).replace("\n", _INDENT)


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
