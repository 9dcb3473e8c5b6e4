"""Text formats: one module each, and one row in formats.py with the name that the command uses."""

from dnstap.rendering.formats import FORMATS, render, renderer
from dnstap.rendering.style import Style

__all__ = ["FORMATS", "Style", "render", "renderer"]
