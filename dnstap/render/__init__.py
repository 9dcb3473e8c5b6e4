"""Text formats: each is one pure function of a Dnstap, and one row of FORMATS, by the name the command has for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnstap.render import json_full, json_lines, quiet, yaml_documents, yaml_full

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages import Dnstap

__all__ = ["FORMATS"]

FORMATS: dict[str, Callable[[Dnstap], str]] = {
    "quiet": quiet.render,
    "yaml": yaml_documents.render,
    "json": json_lines.render,
    "json-full": json_full.render,
    "yaml-full": yaml_full.render,
}
