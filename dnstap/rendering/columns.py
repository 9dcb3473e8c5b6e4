"""Lines of chosen fields, and the colours of lines.

Every field is one word, so that a line can be split at its spaces: an absent field is `-`, and white space in names and
in texts of the sender is escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnstap._generated import compile_function
from dnstap.fields.catalogue import chosen, reads
from dnstap.fields.generated import beginning, namespace
from dnstap.fields.kinds import Notation, Remembered
from dnstap.rendering.times import clock_formatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.fields.catalogue import Field
    from dnstap.messages import Dnstap
    from dnstap.peer import CurrentPeer
    from dnstap.rendering.style import Style

__all__ = ["line_function", "paint", "renderer"]

ABSENT = "-"

BAD = "X"
"""Text of a field that is there and does not parse."""

_COLOURS = {"dim": "2", "bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def paint(text: str, colour: str) -> str:
    """Return the text in a colour, for a terminal."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def _colour(name: str, text: str) -> str | None:
    if text == BAD:
        return "red"
    if name.endswith("time"):
        return "dim"
    if name == "qname":
        return "bold"
    if name in ("qr", "type"):
        return "cyan" if text.endswith(("Q", "QUERY")) else "green"
    if name == "rcode":
        return {"NOERROR": "green", "NXDOMAIN": "yellow", ABSENT: None}.get(text, "red")
    return None


def renderer(style: Style, peer: CurrentPeer | None = None) -> Callable[[Dnstap], str]:
    """Return the function that renders a message as one line with its line feed.

    Args: peer: the sender of each message that it is called with.
    Raises: ValueError: unknown field or time zone.
    """
    fields = chosen(style.fields)
    clock = clock_formatter("local" if style.time_zone is None else style.time_zone, date=style.date)
    notation = Notation(clock, style.escape)
    space = {**namespace(peer), "absent": ABSENT, "bad": BAD}
    texts = []
    for number, (_, field) in enumerate(fields):
        text = _text(number, field, notation, space)
        if style.colour:
            space[f"paint_{number}"] = _painter(field.name)
            text = f"paint_{number}({text})"
        texts.append(text)
    form = " ".join(["%s"] * len(fields)) + "\n"
    return line_function(form, texts, style.fields, space)


def line_function(
    form: str, texts: list[str], names: tuple[str, ...], space: dict[str, Any]
) -> Callable[[Dnstap], str]:
    """Return the function from a message to a line.

    Args:
        form: the line, with %s for each text.
        texts: sources of the texts.
        names: the fields that these read.
        space: globals of the function, see generated.namespace.
    """
    body = f"    return {form!r} % (\n{''.join([f'        {text},{chr(10)}' for text in texts])}    )\n"
    return compile_function("render", beginning("render", body, reads(names)) + body, space)


def _text(number: int, field: Field, notation: Notation, space: dict[str, Any]) -> str:
    """Return the source of the text of a field, and put the function that it calls into the globals."""
    source = field.shown or field.source
    text = field.kind.texts(notation)
    if not field.kind.is_remembered:
        space[f"text_{number}"] = text
        return f"(text_{number}(value) if (value := {source}) is not None else {_missing(field)})"
    # None is looked up like any other value where it can only mean that the field is absent.
    space[f"text_{number}"] = Remembered(text, ABSENT)
    if not field.bad:
        return f"text_{number}[{source}]"
    return f"(text_{number}[value] if (value := {source}) is not None else {_missing(field)})"


def _missing(field: Field) -> str:
    """Return the source of the text of a field without a value."""
    return f"bad if {field.bad} else absent" if field.bad else "absent"


def _painter(name: str) -> Callable[[str], str]:
    """Return the function that colours the text of a field."""

    def painted(text: str) -> str:
        colour = _colour(name, text)
        return paint(text, colour) if colour else text

    return painted
