"""The formats by name, and the functions to text that a library needs: of one message, and of many."""

from __future__ import annotations

import os
import time
from functools import lru_cache, partial
from importlib import import_module
from typing import TYPE_CHECKING

from dnstap.rendering.style import DEFAULT, Style

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dnstap.messages import Dnstap

__all__ = ["FORMATS", "decoder_for", "render", "renderer"]

_MODULES = {
    "quiet": "quiet",
    "yaml": "yaml_documents",
    "json": "json_lines",
    "json-full": "json_full",
    "yaml-full": "yaml_full",
}


def renderer(name: str, style: Style = DEFAULT) -> Callable[[Dnstap], str]:
    """The function from a message to its text, for many messages: it is faster the more it has seen.

    Args: name: one of FORMATS.
    Raises: ValueError: there is no such format, or the style is wrong.
    """
    if name not in _MODULES:
        raise ValueError(f"format {name!r}: one of {', '.join(_MODULES)} expected")
    make: Callable[[Style], Callable[[Dnstap], str]] = import_module(f"dnstap.rendering.{_MODULES[name]}").renderer
    return make(style)


def decoder_for(name: str, style: Style) -> Callable[[bytes], Dnstap]:
    """The function from payloads to the messages that renderer(name, style) takes: those of the one may be no more than
    the other needs.
    """
    from dnstap.codec.learned import Decoder

    if name in ("yaml", "json") or (name == "quiet" and not style.fields):
        from dnstap.codec import projections

        return Decoder(projections.for_quiet() if name == "quiet" else projections.for_documents()).decode
    from dnstap.messages import Dnstap

    return Decoder(Dnstap).decode


def render(name: str, dnstap: Dnstap, style: Style = DEFAULT) -> str:
    """The text of a message, with the line feed at its end. The octets of a message that are no UTF-8 are lone
    surrogates in it: write it with `errors="surrogateescape"`.

    Args: name: one of FORMATS.
    Raises: ValueError: there is no such format, or the style is wrong.
    """
    return _kept(name, style, os.environ.get("TZ"), time.tzname)(dnstap)


@lru_cache(maxsize=16)
def _kept(name: str, style: Style, *_local_time: object) -> Callable[[Dnstap], str]:
    """What is remembered of local time is not good for another."""
    return renderer(name, style)


FORMATS: Mapping[str, Callable[[Dnstap], str]] = {name: partial(render, name) for name in _MODULES}
"""Name -> the function from a message to its text."""
