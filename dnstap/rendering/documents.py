"""The part that the Go tool's two document formats share: the fields of a message, in order, and their presence.

json_lines and yaml_documents each give a Layout, the text around every value, and the functions for values that the two
write differently.

Source: golang-dnstap 0.4.0, JsonFormat.go and YamlFormat.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dnstap.dns.bounded_cache import BoundedCache
from dnstap.dns.escapes import raw_text
from dnstap.dns.names import unpack_name
from dnstap.errors import DnsMessageError
from dnstap.rendering.fields import DNSTAP_TYPES, FAMILIES, MESSAGE_TYPES, PROTOCOLS, EnumTexts, enum_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages import Dnstap

__all__ = ["Layout", "document_renderer"]

# Sizes of the caches trade memory for look-ups that succeed: the process stays under 37 MiB with all of them full
# (docs/performance.md). Zones have a longer key because a name has up to 255 octets.
MAX_ADDRESSES = 8192
MAX_ZONES = 4096
MAX_ZONE_BYTES = 256


class Layout(NamedTuple):
    """The text of one format around the values, in the order of a document. `%s` stands for the value.

    A NamedTuple, because importing dataclasses would take a tenth of the command's time to start.

    Attributes:
        dnstap_type: first, with the start of the document; the Dnstap's type.
        no_message: end of a document without a Message.
        message_type: the start of the Message and its type.
        absent_enum: value of socket_family and socket_protocol where they are absent; empty to leave them out.
        bad_query_zone: in place of `query_zone` if the name does not parse; the value is the reason. The same holds for
            `bad_query_message` and `bad_response_message`.
        end: the end of the Message and the document.
        omit_empty: leave out an empty identity or version and port 0, as `omitempty` of Go's encoding/json does.
    """

    dnstap_type: str
    identity: str
    version: str
    no_message: str
    message_type: str
    query_time: str
    response_time: str
    socket_family: str
    socket_protocol: str
    absent_enum: str
    query_address: str
    response_address: str
    query_port: str
    response_port: str
    query_zone: str
    bad_query_zone: str
    query_message: str
    bad_query_message: str
    response_message: str
    bad_response_message: str
    end: str
    omit_empty: bool


def document_renderer(
    layout: Layout,
    text_value: Callable[[str], str],
    address_value: Callable[[bytes], str],
    timestamp: Callable[[int, int], str],
    dns_text: Callable[[bytes], str],
) -> Callable[[Dnstap], str]:
    """Return the function that renders one message as a document. It remembers addresses, zones and the sender.

    Args:
        layout: the text around the values.
        text_value: writes identity, version and the name of a zone.
        address_value: writes an address, of any length.
        timestamp: writes seconds since 1970 and nanoseconds.
        dns_text: writes a DNS message; raises DnsMessageError.
    """
    types = _enum_texts(layout.message_type, MESSAGE_TYPES, "0")
    families = _enum_texts(layout.socket_family, FAMILIES, layout.absent_enum)
    protocols = _enum_texts(layout.socket_protocol, PROTOCOLS, layout.absent_enum)
    query_addresses: BoundedCache[str] = BoundedCache(MAX_ADDRESSES)
    response_addresses: BoundedCache[str] = BoundedCache(MAX_ADDRESSES)
    zones: BoundedCache[str] = BoundedCache(MAX_ZONES, MAX_ZONE_BYTES)
    # An f-string of the two parts is twice as fast as the % operator on the whole.
    before_query_time, after_query_time = layout.query_time.split("%s")
    before_response_time, after_response_time = layout.response_time.split("%s")
    before_query_port, after_query_port = layout.query_port.split("%s")
    before_response_port, after_response_port = layout.response_port.split("%s")
    before_query_message, after_query_message = layout.query_message.split("%s")
    before_response_message, after_response_message = layout.response_message.split("%s")
    no_message, end, shows_zero = layout.no_message, layout.end, not layout.omit_empty

    def sender(identity: bytes | None, version: bytes | None, dnstap_type: int | None) -> str:
        text = layout.dnstap_type % enum_text(DNSTAP_TYPES, dnstap_type or 0)
        for form, value in (layout.identity, identity), (layout.version, version):
            # YamlFormat.go compares with nil; JsonFormat.go has `omitempty`, which leaves out empty texts too.
            if value or (value is not None and not layout.omit_empty):
                text += form % text_value(raw_text(value))
        return text

    def zone_text(zone: bytes) -> str:
        try:
            # Bytes after the name are ignored, as both Go files ignore the offset that UnpackDomainName returns.
            return layout.query_zone % text_value(unpack_name(zone, 0, len(zone))[0])
        except DnsMessageError as error:
            return layout.bad_query_zone % error

    def message_text(wire: bytes | None, form: str, bad_form: str) -> str:
        if wire is None:
            return ""
        try:
            return form % dns_text(wire)
        except DnsMessageError as error:
            return bad_form % error

    # One server usually writes a whole stream, so the text of the last sender is kept. Values are compared, not
    # identities: the decoder makes objects of its own for each size of payload.
    last: tuple[bytes | None, bytes | None, int | None, str] = None, None, None, sender(None, None, None)

    def render(dnstap: Dnstap) -> str:
        nonlocal last
        identity, version, dnstap_type, start = last
        if identity != dnstap.identity or version != dnstap.version or dnstap_type != dnstap.type:
            identity, version, dnstap_type = dnstap.identity, dnstap.version, dnstap.type
            start = sender(identity, version, dnstap_type)
            last = identity, version, dnstap_type, start
        message = dnstap.message
        if message is None:
            return start + no_message
        query_time = response_time = query_address = response_address = query_port = response_port = ""
        query_zone = query_message = response_message = ""
        # Go shows a time only if both parts are there.
        if (seconds := message.query_time_sec) is not None and (nanoseconds := message.query_time_nsec) is not None:
            query_time = f"{before_query_time}{timestamp(seconds, nanoseconds)}{after_query_time}"
        if (seconds := message.response_time_sec) is not None and (
            nanoseconds := message.response_time_nsec
        ) is not None:
            response_time = f"{before_response_time}{timestamp(seconds, nanoseconds)}{after_response_time}"
        if (address := message.query_address) is not None:
            query_address = query_addresses.get(address) or query_addresses.store(
                address, layout.query_address % address_value(address)
            )
        if (address := message.response_address) is not None:
            response_address = response_addresses.get(address) or response_addresses.store(
                address, layout.response_address % address_value(address)
            )
        if (port := message.query_port) or (port == 0 and shows_zero):
            query_port = f"{before_query_port}{port}{after_query_port}"
        if (port := message.response_port) or (port == 0 and shows_zero):
            response_port = f"{before_response_port}{port}{after_response_port}"
        if (zone := message.query_zone) is not None:
            query_zone = zones.get(zone) or zones.store(zone, zone_text(zone))
        try:
            if (wire := message.query_message) is not None:
                query_message = f"{before_query_message}{dns_text(wire)}{after_query_message}"
            if (wire := message.response_message) is not None:
                response_message = f"{before_response_message}{dns_text(wire)}{after_response_message}"
        except DnsMessageError:
            # Rare, so both are made again, each by itself: a bad one must not cost the other.
            query_message = message_text(message.query_message, layout.query_message, layout.bad_query_message)
            response_message = message_text(
                message.response_message, layout.response_message, layout.bad_response_message
            )
        return (
            f"{start}{types[message.type]}{query_time}{response_time}{families[message.socket_family]}"
            f"{protocols[message.socket_protocol]}{query_address}{response_address}{query_port}{response_port}"
            f"{query_zone}{query_message}{response_message}{end}"
        )

    return render


def _enum_texts(form: str, names: dict[int, str], absent: str) -> EnumTexts:
    return EnumTexts(form, names, form % absent if absent else "")
