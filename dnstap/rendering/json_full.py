"""json-full: the whole message as one JSON object a line, in ASCII; docs/formats.md lists its keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dnstap.rendering.structure import structure_builder

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages import Dnstap
    from dnstap.peer import CurrentPeer
    from dnstap.rendering.style import Style

__all__ = ["renderer"]


def renderer(style: Style, *, peer: CurrentPeer | None = None) -> Callable[[Dnstap], str]:
    """Return the function that renders a message as one JSON object with its line feed.

    Args: peer: the sender of each message that it is called with.
    Raises: ValueError: unknown time zone.
    """
    build = structure_builder(style, peer)
    encode = json.JSONEncoder(separators=(",", ":")).encode
    return lambda dnstap: encode(build(dnstap)) + "\n"
