"""yaml-full: all of a message as one YAML document, which loads as what json-full has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnstap.rendering.structure import structures
from dnstap.rendering.yaml_documents import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dnstap.messages import Dnstap
    from dnstap.rendering.style import Style

__all__ = ["renderer"]


def renderer(style: Style) -> Callable[[Dnstap], str]:
    """The function to the document of a message, after the line that begins it.

    Raises: ValueError: there is no such time zone.
    """
    structure = structures(style)
    return lambda dnstap: "\n".join(["---", *_mapping(structure(dnstap)), ""])


def _mapping(values: dict[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        scalar = _scalar(value)
        if scalar is not None:
            yield f"{key}: {scalar}"
        else:
            yield f"{key}:"
            for line in _mapping(value) if isinstance(value, dict) else _sequence(value):
                yield f"  {line}"


def _sequence(values: list[Any]) -> Iterator[str]:
    for value in values:
        scalar = _scalar(value)
        lines = _mapping(value) if scalar is None else [scalar]
        for number, line in enumerate(lines):
            yield f"  {line}" if number else f"- {line}"


def _scalar(value: Any) -> str | None:
    """The value on one line; None for what has something in it. There are no lists in lists."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return None if value else "{}" if isinstance(value, dict) else "[]"
