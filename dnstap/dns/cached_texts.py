"""The text of many DNS messages as miekg/dns prints it, put together from pieces that are remembered.

This is the fast way to `message_text(unpack(wire))`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnstap.dns.addresses import address_text
from dnstap.dns.cached_parts import CachedParts
from dnstap.dns.message import unpack
from dnstap.dns.record_text import rdata_text
from dnstap.dns.text import (
    QUESTION_HEADING,
    SECTION_HEADINGS,
    flags_text,
    message_text,
    opt_heading,
    options_text,
    question_text,
    record_names,
    status_text,
)
from dnstap.dns.walker import WalkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.dns.edns import Option

__all__ = ["CachedTexts"]


class CachedTexts(CachedParts):
    """The texts of the DNS messages of one stream, escaped and without their last line feed.

    Args:
        escape: from text to its form in the document, character by character.
        tidy: applied to the text of a whole message before it is escaped.
        options: see CachedParts.
    """

    def __init__(self, escape: Callable[[str], str], tidy: Callable[[str], str] = str, **options: Any) -> None:
        line_feed = escape("\n")
        # No heading is printed where the OPT record is the only one.
        sections = tuple([(line_feed + escape(heading), "", "") for heading in SECTION_HEADINGS])
        super().__init__(escape, sections, line_feed, **options)
        self._tidy = tidy
        self._line_feed = line_feed
        self._tab = escape("\t")

    def exact(self, wire: bytes) -> str:
        return self.escape(self._tidy(message_text(unpack(wire), len(wire)))[:-1])

    def header(self, flags: int, counts: tuple[int, ...]) -> tuple[str, str]:
        return self.escape(status_text(flags, flags & 15)), self.escape(flags_text(flags, *counts))

    def question(self, rrtype: int, rrclass: int) -> tuple[str, str]:
        return self.escape(QUESTION_HEADING + ";"), self.escape(question_text(rrtype, rrclass)[:-1])

    def opt(self, rrclass: int, ttl: int, options: tuple[Option, ...]) -> tuple[str, str]:
        return self.escape(f"{opt_heading(rrclass, ttl)}{options_text(options)}\n"), ""

    def cookie_heading(self, rrclass: int, ttl: int) -> str:
        return self.escape(f"{opt_heading(rrclass, ttl)}\n; COOKIE: ")

    def cookie(self, heading: str, cookie: bytes) -> tuple[str, str]:
        return f"{heading}{cookie.hex()}{self._line_feed}", ""

    def record(self, rrtype: int, rrclass: int) -> tuple[str, str]:
        return self._tab, self.escape(record_names(rrtype, rrclass))

    def rdata(self, rrtype: int, values: tuple[Any, ...]) -> str:
        shown = self.escape(rdata_text(rrtype, values))
        # White space at the end of a message is left out by the Go tool, and so by `tidy`.
        if shown == "" or shown[-1].isspace():
            raise WalkError("white space at the end of rdata")
        return shown

    def address(self, rrtype: int, address: bytes) -> str:  # noqa: ARG002
        return address_text(address)
