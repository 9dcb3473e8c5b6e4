"""json-full: the whole message as one JSON object a line, in ASCII; docs/formats.md lists its keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dnstap.rendering.structure_text import Notation, structure_renderer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages import Dnstap
    from dnstap.peer import CurrentPeer
    from dnstap.rendering.structure import Structure
    from dnstap.rendering.style import Style

__all__ = ["NOTATION", "renderer"]

_encode = json.JSONEncoder(separators=(",", ":")).encode


def _members(structure: Structure, depth: int) -> str:  # noqa: ARG001 (an object has no indentation)
    return f",{_encode(structure)[1:-1]}" if structure else ""


NOTATION = Notation(lambda structure: f"{_encode(structure)}\n", _members, lambda text: _encode(text)[1:-1])


def renderer(style: Style, *, peer: CurrentPeer | None = None) -> Callable[[Dnstap], str]:
    """Return the function that renders a message as one JSON object with its line feed.

    It remembers parts of what it has rendered, so use one for a whole stream.

    Args: peer: the sender of each message that it is called with.
    Raises: ValueError: unknown time zone.
    """
    return structure_renderer(NOTATION, style, peer)
