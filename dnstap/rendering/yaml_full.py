"""yaml-full: the whole message as one YAML document, which loads as the object of json-full.

It is written here and not by PyYAML, which is no dependency. Strings are always in double quotes, so that no reader
takes one for a number, a date or a boolean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnstap.rendering.structure import structure_builder
from dnstap.rendering.yaml_documents import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dnstap.messages import Dnstap
    from dnstap.peer import CurrentPeer
    from dnstap.rendering.style import Style

__all__ = ["renderer"]


def renderer(style: Style, *, peer: CurrentPeer | None = None) -> Callable[[Dnstap], str]:
    """Return the function that renders a message as one YAML document, starting with the line `---`.

    Args: peer: the sender of each message that it is called with.
    Raises: ValueError: unknown time zone.
    """
    build = structure_builder(style, peer)
    return lambda dnstap: "\n".join(["---", *_mapping_lines(build(dnstap)), ""])


def _mapping_lines(values: dict[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        scalar = _scalar(value)
        if scalar is not None:
            yield f"{key}: {scalar}"
        else:
            yield f"{key}:"
            for line in _mapping_lines(value) if isinstance(value, dict) else _sequence_lines(value):
                yield f"  {line}"


def _sequence_lines(values: list[Any]) -> Iterator[str]:
    for value in values:
        scalar = _scalar(value)
        # An item of a sequence is a mapping or a scalar, since sequences are never nested.
        lines = _mapping_lines(value) if scalar is None else [scalar]
        for number, line in enumerate(lines):
            yield f"  {line}" if number else f"- {line}"


def _scalar(value: Any) -> str | None:
    """Return a value that fits on one line; None for a mapping or sequence with items. Sequences are never nested."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):  # before int, of which bool is a subclass
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return None if value else "{}" if isinstance(value, dict) else "[]"
