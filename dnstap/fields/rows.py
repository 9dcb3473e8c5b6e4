"""Rows: from a payload to a named tuple of typed values."""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

from dnstap._generated import compile_function
from dnstap.codec.learned import Decoder
from dnstap.codec.projections import for_fields
from dnstap.fields.catalogue import columns, reads
from dnstap.fields.generated import beginning, namespace
from dnstap.fields.kinds import Remembered
from framestream.arguments import check_type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnstap.fields.catalogue import Field

__all__ = ["row_reader"]


def row_reader(fields: Sequence[str]) -> Callable[[bytes], Any]:
    """Return the function from a payload to a named tuple with the values of fields.

    Each field has one type, and None where it is absent or does not parse: numbers are int (times nanoseconds since
    1970, latency nanoseconds, sizes bytes), flags of the header bool, what may be there several times is a tuple, and
    the rest is str. docs/messages.md lists them. The function raises DecodeError for a payload that does not decode. It
    remembers parts of what it has read, so that it gets faster: use one for all payloads of a stream.

    Args: fields: names or aliases of fields, which become the names in the tuple; "all" stands for every field.
    Raises: ValueError: a field is unknown, comes twice, or there is none; TypeError: not a list or tuple of text;
        MissingLibraryError: a field needs a library that is not installed.
    """
    check_type("fields", fields, (tuple, list), "a list of names")
    for name in fields:
        check_type("fields", name, str, "a list of names")
    chosen = columns(fields)
    row = namedtuple("Row", [name for name, _ in chosen])  # type: ignore[misc]
    wanted = reads(fields)
    space = {**namespace(None), "decode": Decoder(for_fields(wanted)).decode, "new": tuple.__new__, "Row": row}
    values = [_value(number, field, space) for number, (_, field) in enumerate(chosen)]
    body = f"    return new(Row, (\n{''.join([f'        {value},{chr(10)}' for value in values])}    ))\n"
    return compile_function("row", beginning("row", body, wanted, decoding=True) + body, space)


def _value(number: int, field: Field, space: dict[str, Any]) -> str:
    """Return the source of a value in a row, and put the function that it calls into the globals."""
    source = field.shown or field.source
    if field.kind.in_row is None:
        return source
    if field.kind.python_type is tuple:
        space[f"value_{number}"] = field.kind.in_row
        return f"(None if (value := {source}) is None else value_{number}(value))"
    space[f"value_{number}"] = Remembered(field.kind.in_row)
    return f"value_{number}[{source}]"
