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

__all__ = ["renderer"]


def renderer(style: Style) -> Callable[[Dnstap], str]:
    """The function to the object of a message, with its line feed. It is faster the more it has seen.

    Raises: ValueError: there is no such time zone.
    """
    dns_text = MessageTexts(_escaped).text
    moment = moment_texts("%04d-%02d-%02dT%02d:%02d:%02d", style.time_zone, "Z", "")
    types = EnumTexts('"type":"%s"', MESSAGE_TYPES, '"type":"0"')
    # What Go shows for an enum that is absent is <nil>.
    families = EnumTexts(',"socket_family":"%s"', FAMILIES, ',"socket_family":"\\u003cnil\\u003e"')
    protocols = EnumTexts(',"socket_protocol":"%s"', PROTOCOLS, ',"socket_protocol":"\\u003cnil\\u003e"')
    query_addresses: Memo[str] = Memo(8192)
    response_addresses: Memo[str] = Memo(8192)
    zones: Memo[str] = Memo(4096, 256)
    # The sender is the same again and again.
    last: tuple[bytes | None, bytes | None, int | None, str] = None, None, None, _sender(None, None, None)

    def bad(wire: bytes) -> str:
        try:
            return dns_text(wire) + "\\n"
        except DnsMessageError as error:
            return f"parse failed: {error}"

    def render(dnstap: Dnstap) -> str:
        nonlocal last
        identity, version, dnstap_type, head = last
        if identity != dnstap.identity or version != dnstap.version or dnstap_type != dnstap.type:
            identity, version, dnstap_type = dnstap.identity, dnstap.version, dnstap.type
            head = _sender(identity, version, dnstap_type)
            last = identity, version, dnstap_type, head
        m = dnstap.message
        if m is None:
            return f"{head}}}\n"
        query_time = response_time = query_address = response_address = query_port = response_port = ""
        zone = query = response = ""
        if (seconds := m.query_time_sec) is not None and (nanoseconds := m.query_time_nsec) is not None:
            query_time = f',"query_time":"{moment(seconds, nanoseconds)}"'
        if (seconds := m.response_time_sec) is not None and (nanoseconds := m.response_time_nsec) is not None:
            response_time = f',"response_time":"{moment(seconds, nanoseconds)}"'
        if (octets := m.query_address) is not None:
            query_address = query_addresses.get(octets) or query_addresses.keep(
                octets, f',"query_address":"{_address(octets)}"'
            )
        if (octets := m.response_address) is not None:
            response_address = response_addresses.get(octets) or response_addresses.keep(
                octets, f',"response_address":"{_address(octets)}"'
            )
        if port := m.query_port:
            query_port = f',"query_port":{port}'
        if port := m.response_port:
            response_port = f',"response_port":{port}'
        if (octets := m.query_zone) is not None:
            zone = f',"query_zone":"{zones.get(octets) or zones.keep(octets, _zone(octets))}"'
        try:
            if (octets := m.query_message) is not None:
                query = f',"query_message":"{dns_text(octets)}\\n"'
            if (octets := m.response_message) is not None:
                response = f',"response_message":"{dns_text(octets)}\\n"'
        except DnsMessageError:
            query = "" if m.query_message is None else f',"query_message":"{bad(m.query_message)}"'
            response = "" if m.response_message is None else f',"response_message":"{bad(m.response_message)}"'
        return (
            f'{head},"message":{{{types[m.type]}{query_time}{response_time}{families[m.socket_family]}'
            f"{protocols[m.socket_protocol]}{query_address}{response_address}{query_port}{response_port}"
            f"{zone}{query}{response}}}}}\n"
        )

    return render


def _sender(identity: bytes | None, version: bytes | None, dnstap_type: int | None) -> str:
    items = [f'{{"type":"{enum_text(DNSTAP_TYPES, dnstap_type or 0)}"']
    if identity:
        items.append(f'"identity":"{_escaped(raw_text(identity))}"')
    if version:
        items.append(f'"version":"{_escaped(raw_text(version))}"')
    return ",".join(items)


def _address(octets: bytes) -> str:
    """Nothing of no octets, where the other formats say `<nil>`."""
    return address_text(octets) if octets else ""


def _zone(octets: bytes) -> str:
    try:
        return _escaped(unpack_name(octets, 0, len(octets))[0])
    except DnsMessageError as error:
        return f"parse failed: {error}"


_special = re.compile('["\\\\<>&\x00-\x1f\u2028\u2029\udc80-\udcff]')

_differs = re.compile("[<>&\b\f\u2028\u2029\udc80-\udcff]").search
"""What Go escapes otherwise than Python's json does."""

_encode = json.JSONEncoder(ensure_ascii=False).encode

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


_is_plain = re.compile("[ !#-%'-;=?-\\[\\]-~]*").fullmatch


def _escaped(text: str) -> str:
    if _is_plain(text):
        return text
    if not _differs(text):
        return _encode(text)[1:-1]
    return _special.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    # An octet that is no UTF-8 is lost, as in Go.
    return _ESCAPES.get(character) or ("\\ufffd" if character >= "\udc80" else f"\\u{ord(character):04x}")
