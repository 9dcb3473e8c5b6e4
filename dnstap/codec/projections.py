"""Dnstap, Message and Policy without betterproto2, for what is only read, and only in part.

Importing betterproto2 takes longer than printing a thousand messages. These classes have the attributes of the typed
ones, but enums are plain numbers; and of a payload that is decoded by a plan only the attributes of KEPT are set. What
is not kept is checked all the same.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from dnstap.codec.tables import Declared

__all__ = ["for_documents", "for_fields", "for_quiet", "lean"]

_POLICY = "type:1:string rule:2:bytes action:3:enum match:4:enum value:5:bytes"
_MESSAGE = """
    type:1:enum socket_family:2:enum socket_protocol:3:enum query_address:4:bytes response_address:5:bytes
    query_port:6:uint32 response_port:7:uint32 query_time_sec:8:uint64 query_time_nsec:9:fixed32 query_message:10:bytes
    query_zone:11:bytes response_time_sec:12:uint64 response_time_nsec:13:fixed32 response_message:14:bytes
    policy:15:message http_protocol:16:enum
"""
_DNSTAP = "identity:1:bytes version:2:bytes extra:3:bytes message:14:message type:15:enum"


def lean(name: str, schema: str, kept: str = "", **messages: type[Any]) -> type[Any]:
    """A class with the fields of a schema, each `name:number:type`; kept: those that a plan sets, all by default."""
    declared = []
    for field in schema.split():
        field_name, number, type_name = field.split(":")
        declared.append(Declared(field_name, int(number), type_name, messages.get(field_name, int)))
    names = [field.name for field in declared]

    space: dict[str, Any] = {"__slots__": (*names, "_unknown_fields"), "__module__": __name__}
    assignments = "; ".join([f"self.{name} = {name}" for name in names])
    exec(f"def __init__(self, {', '.join(names)}):\n    {assignments}; self._unknown_fields = b''", {}, space)  # noqa: S102
    return type(name, (), space | {"SCHEMA": tuple(declared), "KEPT": frozenset(kept.split() or names)})


_TIMES = "query_time_sec query_time_nsec response_time_sec response_time_nsec"
_QUIET = f"type socket_protocol query_address response_address {_TIMES} query_message response_message"
_DOCUMENTS = f"{_QUIET} socket_family query_port response_port query_zone"


@cache
def for_quiet() -> type[Any]:
    """Dnstap for `dnstap -q`."""
    # An extra before the Message is cut out and set by the decoder.
    return _dnstap("extra message type", _QUIET)


@cache
def for_documents() -> type[Any]:
    """Dnstap for `dnstap -y` and `-j`."""
    return _dnstap("", _DOCUMENTS)


@cache
def for_fields(names: frozenset[str]) -> type[Any]:
    """Dnstap with these attributes, its own and those of its Message, and with both types.

    Classes are kept for good, so let there be few sets of names.
    """
    kept = " ".join(sorted(names))
    return _dnstap(f"extra message type {kept}", f"type {kept}")


def _dnstap(kept: str, kept_of_message: str) -> type[Any]:
    message = lean("Message", _MESSAGE, kept_of_message, policy=lean("Policy", _POLICY))
    return lean("Dnstap", _DNSTAP, kept, message=message)
