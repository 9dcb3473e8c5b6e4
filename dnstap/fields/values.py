"""Values of fields, as they are in rows: of a Message one by one, of a Dnstap as a dict.

Accessors, dicts and rows are generated from the same expressions, so that none of them can read a field differently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnstap._generated import compile_function
from dnstap.fields.catalogue import NAMES, columns, reads
from dnstap.fields.generated import beginning
from dnstap.fields.kinds import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnstap.fields.catalogue import Field

__all__ = ["dict_reader", "message_reader", "value_source"]


def value_source(field: Field, space: dict[str, Any]) -> str:
    """Return the source of the value of a field in a row, and put the function that it calls into the globals."""
    source = field.shown or field.source
    if field.kind.in_row is None:
        return source
    function = f"value_of_{field.name}"
    if field.kind.python_type is tuple:
        space[function] = field.kind.in_row
        return f"(None if (value := {source}) is None else {function}(value))"
    if function not in space:
        space[function] = Remembered(field.kind.in_row)
    return f"{function}[{source}]"


def message_reader(name: str, space: dict[str, Any]) -> Callable[[Any], Any]:
    """Return the function from a Message to the value of one field.

    That of "rcode" is

        def rcode_of_message(message):
            is_query = direction(message.type)
            if is_query or (is_query is None and message.response_message is None):
                wire = message.query_message
            else:
                wire = message.response_message
            question = outcome = edns = sections = None
            return value_of_rcode[(None if is_query else (outcome or (outcome := read_outcome(wire)))[0])]

    Args:
        name: name or alias of a field that reads nothing of a Dnstap but its Message.
        space: the globals, from `namespace`; the functions that have the same share their caches.
    """
    field = NAMES[name]
    function = f"{field.name}_of_message"
    body = f"    return {value_source(field, space)}\n"
    return compile_function(function, beginning(function, body, field.reads.split(), of="message") + body, space)


def dict_reader(fields: tuple[str, ...], space: dict[str, Any]) -> Callable[[Any], dict[str, Any]]:
    """Return the function from a Dnstap to a dict of the values of fields.

    Args:
        fields: names or aliases, which become the keys.
        space: see message_reader.
    Raises: ValueError: a field is unknown, comes twice, or there is none; MissingLibraryError: a field needs a library
        that is not installed.
    """
    items = [f"        {name!r}: {value_source(field, space)},\n" for name, field in columns(fields)]
    body = f"    return {{\n{''.join(items)}    }}\n"
    return compile_function("as_dict", beginning("as_dict", body, reads(fields)) + body, space)
