"""Text formats: one file each, and one row of FORMATS by the name that the command has for it."""

from dnstap.rendering.formats import FORMATS, render, renderer
from dnstap.rendering.style import Style

__all__ = ["FORMATS", "Style", "render", "renderer"]
