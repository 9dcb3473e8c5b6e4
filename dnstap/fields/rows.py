"""Rows: from a payload to a named tuple of typed values."""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

from dnstap._generated import compile_function
from dnstap.codec.learned import Decoder
from dnstap.codec.paired import paired_decoder
from dnstap.codec.projections import for_fields
from dnstap.fields.catalogue import columns, reads
from dnstap.fields.generated import beginning, namespace
from dnstap.fields.values import value_source
from framestream.arguments import check_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnstap.fields.generated import Argument

__all__ = ["row_maker", "row_reader"]


def row_reader(fields: Sequence[str], *, paired: bool = False) -> Callable[[bytes], Any]:
    """Return the function from a payload to a named tuple with the values of fields.

    Each field has one type, and None where it is absent or does not parse: numbers are int (times nanoseconds since
    1970, latency nanoseconds, sizes bytes), flags of the header bool, what may be there several times is a tuple, and
    the rest is str. docs/messages.md lists them. The function raises DecodeError for a payload that does not decode. It
    remembers parts of what it has read, so that it gets faster: use one for all payloads of a stream, but not
    one in several threads at once.

    Args:
        fields: names or aliases of fields, which become the names in the tuple; "all" stands for every field.
        paired: read also what payloads carry that Pairs has returned.
    Raises: ValueError: a field is unknown, comes twice, or there is none; TypeError: not a list or tuple of text;
        MissingLibraryError: a field needs a library that is not installed.
    """
    check_names("fields", fields)
    wanted = reads(fields)
    decode: Callable[[bytes], Any] = Decoder(for_fields(wanted)).decode
    if paired:
        decode = paired_decoder(decode, answered="answered" in wanted)
    return _compiled(fields, "payload", decode=decode)


def row_maker(fields: Sequence[str]) -> Callable[[Any], Any]:
    """Return the function from a Dnstap, or a projection with what the fields read, to such a named tuple.

    Args, Raises: as row_reader.
    """
    check_names("fields", fields)
    return _compiled(fields, "dnstap")


def _compiled(fields: Sequence[str], of: Argument, **more: object) -> Callable[[Any], Any]:
    chosen = columns(fields)
    row = namedtuple("Row", [name for name, _ in chosen])  # type: ignore[misc]
    space = {**namespace(None), "new": tuple.__new__, "Row": row, **more}
    values = [f"        {value_source(field, space)},\n" for _, field in chosen]
    body = f"    return new(Row, (\n{''.join(values)}    ))\n"
    return compile_function("row", beginning("row", body, reads(fields), of=of) + body, space)
