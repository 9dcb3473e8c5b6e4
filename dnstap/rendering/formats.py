"""The table of formats, and the functions that render one message or many."""

from __future__ import annotations

import os
import time
from functools import lru_cache, partial
from importlib import import_module
from typing import TYPE_CHECKING

from dnstap.rendering.style import DEFAULT, Style
from framestream.arguments import check_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dnstap.messages import Dnstap
    from dnstap.peer import CurrentPeer

__all__ = [
    "FORMATS",
    "decoder_for",
    "header",
    "render",
    "renderer",
    "renderer_of_peer",
    "shows_answered",
    "shows_peer",
    "time_zone",
]

# Modules are imported on first use: the command starts faster with the one that it needs.
_MODULES = {
    "quiet": "quiet",
    "yaml": "yaml_documents",
    "json": "json_lines",
    "json-full": "json_full",
    "yaml-full": "yaml_full",
    "csv": "tables",
    "tsv": "tables",
}

TABLES = ("csv", "tsv")
"""Formats whose files begin with a header."""


def renderer(name: str, style: Style = DEFAULT) -> Callable[[Dnstap], str]:
    """Return the function that renders messages in a format.

    It remembers parts of what it has rendered, so that it gets faster: use one for all messages of a stream.

    Args: name: one of FORMATS.
    Raises: ValueError: unknown format, or a field or time zone of the style is unknown; TypeError: an argument of a
        wrong type; MissingLibraryError: a field needs a library that is not installed.
    """
    check_type("name", name, str, "the name of a format")
    check_type("style", style, Style, "a Style")
    if name not in _MODULES:
        raise ValueError(f"unknown format {name!r}: expected one of {', '.join(_MODULES)}")
    return renderer_of_peer(name, style, None)


def renderer_of_peer(name: str, style: Style, peer: CurrentPeer | None) -> Callable[[Dnstap], str]:
    """Return the function that renders messages in a format, and shows their sender if the format has a place for it.

    Raises: as `renderer`.
    """
    make: Callable[..., Callable[[Dnstap], str]]
    if name in TABLES or (name == "json" and style.fields):
        from dnstap.rendering import tables

        make = tables.json_renderer if name == "json" else partial(tables.separated_renderer, name)
    else:
        make = import_module(f"dnstap.rendering.{_MODULES[name]}").renderer
    return make(style, peer=peer) if shows_peer(name, style) else make(style)


def shows_peer(name: str, style: Style) -> bool:
    """Return whether a format shows the sender of messages."""
    return name in ("json-full", "yaml-full") or not {"peer", "all"}.isdisjoint(_fields(name, style))


def shows_answered(name: str, style: Style) -> bool:
    """Return whether a format shows if queries were answered."""
    return not {"answered", "all"}.isdisjoint(_fields(name, style))


def _fields(name: str, style: Style) -> tuple[str, ...]:
    """Return the fields that a format shows; none if it does not show chosen ones."""
    if name in TABLES:
        return style.fields or ("all",)
    return style.fields if name in ("quiet", "json") else ()


def header(name: str, style: Style) -> str:
    """Return the line that a file in a format begins with; "" if there is none."""
    if name not in TABLES:
        return ""
    from dnstap.rendering import tables

    return tables.header(name, style)


def time_zone(name: str, style: Style) -> str:
    """Return the time zone of a format's text: "utc", "local" or a name."""
    if style.time_zone is not None:
        return style.time_zone
    return "local" if name == "quiet" else "utc"


def decoder_for(name: str, style: Style) -> Callable[[bytes], Dnstap]:
    """Return the function that decodes payloads for renderer(name, style).

    Its messages may lack the fields that the format does not show, and their enums may be plain numbers.
    """
    from dnstap.codec.learned import Decoder

    # These formats show a fixed set of fields, or chosen ones. The others may show any, so they need the typed classes.
    if name in ("yaml", "json", "quiet", *TABLES):
        from dnstap.codec import projections

        if fields := _fields(name, style):
            from dnstap.fields.catalogue import reads

            return Decoder(projections.for_fields(reads(fields))).decode
        return Decoder(projections.for_quiet() if name == "quiet" else projections.for_documents()).decode
    from dnstap.messages import Dnstap

    return Decoder(Dnstap).decode


def render(name: str, dnstap: Dnstap, style: Style = DEFAULT) -> str:
    """Return the text of one message, with its final line feed.

    Bytes of the message that are not UTF-8 are lone surrogates in it: write it with `errors="surrogateescape"`.

    Args: name: one of FORMATS.
    Raises: ValueError: unknown format, or a field or time zone of the style is unknown; TypeError: an argument of a
        wrong type.
    """
    from dnstap.messages import Dnstap

    check_type("dnstap", dnstap, Dnstap, "a Dnstap, as Dnstap.parse returns it")
    check_type("style", style, Style, "a Style")
    return _shared_renderer(name, style, os.environ.get("TZ"), time.tzname)(dnstap)


@lru_cache(maxsize=16)
def _shared_renderer(name: str, style: Style, *_local_time: object) -> Callable[[Dnstap], str]:
    """Return the same renderer for each call. Local time is in the key because a renderer remembers its texts."""
    return renderer(name, style)


FORMATS: Mapping[str, Callable[[Dnstap], str]] = {name: partial(render, name) for name in _MODULES}
"""The function that renders one message, by the name of its format."""
