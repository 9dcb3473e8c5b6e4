"""yaml-full: the whole message as one YAML document, which loads as the object of json-full.

It is written here and not by PyYAML, which is no dependency. Strings are always in double quotes, so that no reader
takes one for a number, a date or a boolean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnstap.rendering.structure_text import Notation, structure_renderer
from dnstap.rendering.yaml_documents import quoted

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.messages import Dnstap
    from dnstap.peer import CurrentPeer
    from dnstap.rendering.structure import Structure
    from dnstap.rendering.style import Style

__all__ = ["NOTATION", "renderer"]


def renderer(style: Style, *, peer: CurrentPeer | None = None) -> Callable[[Dnstap], str]:
    """Return the function that renders a message as one YAML document, starting with the line `---`.

    It remembers parts of what it has rendered, so use one for a whole stream.

    Args: peer: the sender of each message that it is called with.
    Raises: ValueError: unknown time zone.
    """
    return structure_renderer(NOTATION, style, peer)


def _members(structure: Structure, depth: int) -> str:
    lines = [""]
    _add_mapping(lines, "  " * depth, structure)
    return "\n".join(lines)


NOTATION = Notation(lambda structure: f"---{_members(structure, 0)}\n", _members, lambda text: quoted(text)[1:-1])


def _add_mapping(lines: list[str], indent: str, values: dict[str, Any], first: str | None = None) -> None:
    """Add the lines of a mapping.

    Args: first: what stands before its first key instead of the indent.
    """
    start = indent if first is None else first
    for key, value in values.items():
        scalar = _scalar(value)
        if scalar is not None:
            lines.append(f"{start}{key}: {scalar}")
        else:
            lines.append(f"{start}{key}:")
            if isinstance(value, dict):
                _add_mapping(lines, f"{indent}  ", value)
            else:
                _add_sequence(lines, f"{indent}  ", value)
        start = indent


def _add_sequence(lines: list[str], indent: str, values: list[Any]) -> None:
    for value in values:
        scalar = _scalar(value)
        if scalar is not None:
            lines.append(f"{indent}- {scalar}")
        else:
            # An item of a sequence is a mapping or a scalar, since sequences are never nested.
            _add_mapping(lines, f"{indent}  ", value, f"{indent}- ")


def _scalar(value: Any) -> str | None:
    """Return a value that fits on one line; None for a mapping or sequence with items. Sequences are never nested."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):  # before int, of which bool is a subclass
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return None if value else "{}" if isinstance(value, dict) else "[]"
