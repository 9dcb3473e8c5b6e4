"""json-full: all of a message as one JSON object a line, in ASCII; its keys are in docs/formats.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dnstap.render.structure import structure

if TYPE_CHECKING:
    from dnstap.messages import Dnstap

__all__ = ["render"]


def render(dnstap: Dnstap) -> str:
    """The object, with its line feed."""
    return json.dumps(structure(dnstap), separators=(",", ":")) + "\n"
