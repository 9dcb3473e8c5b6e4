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

docs/formats.md lists the differences: the cases in which the Go tool's text is not YAML, loads as something else, or in
which the tool crashes.

Source: golang-dnstap 0.4.0, YamlFormat.go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dnstap.dns.addresses import address_text
from dnstap.dns.cached_texts import CachedTexts
from dnstap.dns.escapes import EscapeTable, printable
from dnstap.rendering.documents import Layout, document_renderer
from dnstap.rendering.times import local_time_formatter, timestamp_formatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages import Dnstap
    from dnstap.rendering.style import Style

__all__ = ["quoted", "renderer"]

_LAYOUT = Layout(
    dnstap_type="type: %s\n",
    identity="identity: %s\n",
    version="version: %s\n",
    no_message="---\n",
    message_type="message:\n  type: %s\n",
    query_time="  query_time: %s\n",
    response_time="  response_time: %s\n",
    socket_family="  socket_family: %s\n",
    socket_protocol="  socket_protocol: %s\n",
    absent_enum="",
    query_address="  query_address: %s\n",
    response_address="  response_address: %s\n",
    query_port="  query_port: %s\n",
    response_port="  response_port: %s\n",
    query_zone="  query_zone: %s\n",
    bad_query_zone="  # query_zone: parse failed: %s\n",
    query_message="  query_message: |\n    %s\n",
    bad_query_message="  # query_message: parse failed: %s\n",
    response_message="  response_message: |\n    %s\n",
    bad_response_message="  # response_message: parse failed: %s\n",
    end="---\n",
    omit_empty=False,
)

_WHITE_SPACE = "\t\n\v\f\r \x85\xa0"
"""Go's strings.TrimSpace takes these characters off the end of a DNS message's text."""

_INDENT = "\n    "


def renderer(style: Style) -> Callable[[Dnstap], str]:
    """Return the function that renders a message as one YAML document, ending with the line `---`.

    It remembers parts of what it has rendered, so use one for a whole stream.

    Raises: ValueError: unknown time zone.
    """
    timestamp = timestamp_formatter(_tagged_time_formatter(style.time_zone))
    block = _block_for_terminal if style.terminal else _block
    dns_text = CachedTexts(block, lambda text: text.rstrip(_WHITE_SPACE) + "\n").text
    return document_renderer(_LAYOUT, quoted, _address, timestamp, dns_text)


_YEAR_1_S, _YEAR_10000_S = -62_135_596_800, 253_402_300_800
"""From the first year on, and up to this one, YAML has timestamps of four digits, and loaders have types for them."""


def _tagged_time_formatter(time_zone: str | None) -> Callable[[int], tuple[str, str]]:
    """Return the function from seconds since 1970 to a timestamp with its tag, or text in quotes, and the end of it.

    Raises: ValueError: unknown time zone.
    """
    local_time = local_time_formatter("%04d-%02d-%02d %02d:%02d:%02d", time_zone, "", " ")
    # A time zone is up to a day ahead of UTC or behind it.
    margin = 0 if time_zone in (None, "utc") else 86_400

    def tagged(seconds: int) -> tuple[str, str]:
        text, zone = local_time(seconds)
        if _YEAR_1_S + margin <= seconds < _YEAR_10000_S - margin:
            return f"!!timestamp {text}", zone
        return f'"{text}', f'{zone}"'

    return tagged


_needs_quotes = re.compile(r".*:|[1-9][0-9]*(?::[0-5]?[0-9])+").fullmatch
"""Addresses that YAML 1.1 would load as something else: a key, or a number to the base 60 (1:2:3:4:5:6:7:8)."""


def _address(address: bytes) -> str:
    text = address_text(address)
    return f'"{text}"' if _needs_quotes(text) else text


_NOT_IN_YAML = "[^\t\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]+"
"""Characters that a literal block cannot hold, from EDE, NSID, ESU and NULL; and U+2028, U+2029, U+0085, which are line
breaks in YAML 1.1 and not in 1.2. Compiled at first use, which takes 5 ms, a tenth of the command's time to start."""


def _block(text: str) -> str:
    """Indent the text of a DNS message for a literal block, and escape what YAML does not allow there."""
    # Nearly every message takes this way, which is faster than looking for the characters to escape.
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text.replace("\n", _INDENT)
    return re.sub(_NOT_IN_YAML, _escape, text).replace("\n", _INDENT)


def _escape(found: re.Match[str]) -> str:
    # All of these cannot be seen.
    return printable(found[0])


def _block_for_terminal(text: str) -> str:
    """Indent the text of a DNS message for a literal block, and escape every character that cannot be seen."""
    return re.sub("[^\t\n -~]+", _escape, text).replace("\n", _INDENT)


def _quoted_character(character: str) -> str:
    """Return the escape of a character that cannot be seen."""
    code_point = ord(character)
    if 0xDC80 <= code_point <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\x{code_point - 0xDC00:02x}"
    if code_point < 0x80:
        return f"\\x{code_point:02x}"
    return f"\\u{code_point:04x}" if code_point < 0x10000 else f"\\U{code_point:08x}"


_QUOTED = EscapeTable(
    _quoted_character,
    {
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
        '"': '\\"',
        "\\": "\\\\",
    },
)


def quoted(text: str) -> str:
    """Return the text in double quotes, escaped as Go's strconv.Quote does; YAML knows all of its escapes."""
    if text.isprintable():
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{text}"'
    return f'"{text.translate(_QUOTED)}"'
