"""Chosen fields for programs: one JSON object, or one record of CSV or TSV, a line; docs/formats.md has the types.

CSV is that of RFC 4180, with line feeds alone: what contains the separator or a quote is in quotes, what is absent is
empty. No value has a line feed in it, so a record is a line.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from dnstap.fields.catalogue import ALL, columns
from dnstap.fields.generated import namespace
from dnstap.fields.kinds import TEXTS, TIME, Remembered
from dnstap.rendering.columns import line_function
from dnstap.rendering.times import local_time_formatter, nanosecond_formatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.fields.catalogue import Field
    from dnstap.messages import Dnstap
    from dnstap.peer import CurrentPeer
    from dnstap.rendering.style import Style

__all__ = ["header", "json_renderer", "separated_renderer"]

SEPARATORS = {"csv": ",", "tsv": "\t"}
"""The character between two values, by the name of the format."""


class _Notation(NamedTuple):
    """The notation of values.

    Attributes:
        absent: text of what is absent.
        quote: what is before and behind a time.
        text, texts: functions that return the notation of a text, and of several texts or numbers.
    """

    absent: str
    quote: str
    text: Callable[[str], str]
    texts: Callable[[tuple[Any, ...]], str]


_encode = json.JSONEncoder(separators=(",", ":")).encode

_JSON = _Notation("null", '"', _encode, _encode)


def json_renderer(style: Style, *, peer: CurrentPeer | None = None) -> Callable[[Dnstap], str]:
    """Return the function that renders chosen fields of a message as one flat JSON object with its line feed.

    Args: peer: the sender of each message that it is called with.
    Raises: ValueError: unknown field or time zone, or a field that comes twice.
    """
    form = ",".join([f"{_encode(name)}:%s" for name, _ in columns(style.fields)])
    return _renderer(f"{{{form}}}\n", style.fields, _JSON, style, peer)


def separated_renderer(name: str, style: Style, *, peer: CurrentPeer | None = None) -> Callable[[Dnstap], str]:
    """Return the function that renders chosen fields of a message, or all, as one record with its line feed.

    Args:
        name: "csv" or "tsv".
        peer: the sender of each message that it is called with.
    Raises: ValueError: unknown field or time zone, or a field that comes twice.
    """
    separator = SEPARATORS[name]

    def cell(text: str) -> str:
        if separator in text or '"' in text:
            text = text.replace('"', '""')
            return f'"{text}"'
        return text

    def cells(values: tuple[Any, ...]) -> str:
        # As in lines, so that a program can take the texts apart.
        return cell(",".join([str(value).replace(",", "\\044") for value in values]))

    names = style.fields or (ALL,)
    number = len(columns(names))
    # A line without a character is no record.
    notation = _Notation("" if number > 1 else '""', "", cell, cells)
    return _renderer(separator.join(["%s"] * number) + "\n", names, notation, style, peer)


def header(name: str, style: Style) -> str:
    """Return the first line of a file, with its line feed.

    Args: name: "csv" or "tsv".
    """
    return SEPARATORS[name].join([column for column, _ in columns(style.fields or (ALL,))]) + "\n"


def _renderer(
    form: str, names: tuple[str, ...], notation: _Notation, style: Style, peer: CurrentPeer | None
) -> Callable[[Dnstap], str]:
    local_time = local_time_formatter("%04d-%02d-%02dT%02d:%02d:%02d", style.time_zone, "Z", "")
    timestamp, quote = nanosecond_formatter(local_time), notation.quote
    space = {
        **namespace(peer),
        "absent": notation.absent,
        "words": {None: notation.absent, True: "true", False: "false"},
        "texts": notation.texts,
        "time": lambda nanoseconds: f"{quote}{timestamp(nanoseconds)}{quote}",
    }
    fields = [field for _, field in columns(names)]
    texts = [_text(number, field, notation, space) for number, field in enumerate(fields)]
    return line_function(form, texts, names, space)


def _text(number: int, field: Field, notation: _Notation, space: dict[str, Any]) -> str:
    """Return the source of the text of a field, and put the function that it calls into the globals."""
    kind = field.kind
    source = field.shown or field.source
    text = "value"
    if kind.python_type is bool:
        return f"words[{source}]"
    if kind.is_remembered:
        # Texts, or numbers with few names each: those of the flags, of the types of records.
        written: Callable[[Any], str] = notation.text if kind.python_type is str else notation.texts
        in_row = kind.in_row or tuple
        space[f"text_{number}"] = Remembered(lambda value: written(in_row(value)), notation.absent)
        return f"text_{number}[{source}]"
    if kind is TIME:
        text = "time(value)"
    elif kind is TEXTS:
        space[f"text_{number}"] = kind.in_row
        text = f"texts(text_{number}(value))"
    return f"(absent if (value := {source}) is None else {text})"
