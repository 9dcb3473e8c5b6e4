"""Dnstap, Message and Policy without betterproto2: classes for decoding payloads that are only read, and only in part.

Importing betterproto2 takes longer than printing a thousand messages. These classes have the attributes of the typed
ones, but enums are plain numbers; and when the learned decoder makes an object, it sets only the attributes in KEPT.
Fields that are not kept are checked all the same.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from dnstap._generated import compile_function
from dnstap.schema.fields import DnstapFields, MessageFields, PolicyFields, rows

__all__ = ["for_documents", "for_fields", "for_quiet", "projection"]


class _Projection:
    """Base of these classes. Attributes: answered: see dnstap.messages.Dnstap."""

    __slots__ = ()
    answered: bool | None = None


def projection(fields: type[Any], kept: str = "", **messages: type[Any]) -> type[Any]:
    """Make a class for decoding.

    Args:
        fields: DnstapFields, MessageFields or PolicyFields.
        kept: names of the attributes that the learned decoder sets, separated by blanks; all by default. With
            "answered", which is no field of the schema, that can be set, too.
        messages: the class of each field that is a message.
    """
    own = tuple([row._replace(python_type=messages.get(row.name, int)) for row in rows(fields)])
    names = [row.name for row in own]
    name = fields.__name__.removesuffix("Fields")
    assignments = "\n".join([f"    self.{name} = {name}" for name in names])
    source = f"def __init__(self, {', '.join(names)}):\n{assignments}\n    self._unknown_fields = b''\n"
    space = {
        "__slots__": (*names, "_unknown_fields", *(["__dict__"] if "answered" in kept.split() else [])),
        "__module__": __name__,
        "__init__": compile_function(f"{name}.__init__", source, {}),
        "ROWS": own,
        "KEPT": frozenset(kept.split() or names),
    }
    return type(name, (_Projection,), space)


_TIMES = "query_time_sec query_time_nsec response_time_sec response_time_nsec"
_QUIET = f"type socket_protocol query_address response_address {_TIMES} query_message response_message"
_DOCUMENTS = f"{_QUIET} socket_family query_port response_port query_zone"


@cache
def for_quiet() -> type[Any]:
    """Return the Dnstap for `dnstap -q`."""
    return _dnstap("message type", _QUIET)


@cache
def for_documents() -> type[Any]:
    """Return the Dnstap for `dnstap -y` and `-j`."""
    return _dnstap("", _DOCUMENTS)


@cache
def for_fields(names: frozenset[str]) -> type[Any]:
    """Return a Dnstap with these attributes, its own and those of its Message, and with both types.

    A class is kept for each set of names, for ever, so callers must not ask for arbitrarily many sets.
    """
    kept = " ".join(sorted(names))
    return _dnstap(f"message type {kept}", f"type {kept}")


def _dnstap(kept: str, kept_of_message: str) -> type[Any]:
    message = projection(MessageFields, kept_of_message, policy=projection(PolicyFields))
    return projection(DnstapFields, kept, message=message)
