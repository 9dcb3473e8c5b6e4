"""The fields of Dnstap, Message and Policy: the one list that everything else is made from.

The typed classes inherit from the classes here, so a type checker and `help` see their fields; the codec, the classes
that the command decodes into, the tap, the formats and the filters read `rows(cls)`. To add a field of the schema, add
one row: it is then parsed, encoded, accepted by the constructor, passed on by taps, shown by json-full and yaml-full,
and a number or an enum can be used in filters and in --fields by its name.

Source: dnstap.proto of the dnstap project (docs/dnstap.proto), public domain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, dataclass_transform

from dnstap.schema.enums import (
    DnstapType,
    HttpProtocol,
    MessageType,
    PolicyAction,
    PolicyMatch,
    SocketFamily,
    SocketProtocol,
)

__all__ = ["DnstapFields", "Fields", "MessageFields", "PolicyFields", "ProtoType", "Row", "Varies", "rows"]

ProtoType = Literal["bytes", "enum", "fixed32", "message", "string", "uint32", "uint64"]
"""The types that the schema uses, in the words of protobuf."""

Varies = Literal["", "always", "never"]
"""The frequency with which one sender changes a value: "never", as its identity; "always", with each message; "" in
between. The codec chooses by it which values to cache; it makes no difference to the result."""


class Row(NamedTuple):
    """One field of the schema.

    Attributes:
        python_type: the class of the values: bytes, int, str, an enum, or the fields class of a submessage.
    """

    name: str
    number: int
    proto_type: ProtoType
    python_type: Any
    varies: Varies = ""
    required: bool = False


def _field(
    number: int,
    proto_type: ProtoType,
    python_type: Any,
    *,
    default: None,  # noqa: ARG001 (for type checkers: without it, constructors would require the field)
    varies: Varies = "",
    required: bool = False,
) -> Any:
    """Declare a field; see Row. A required one may be None in a message, but such a message is not encoded."""
    return Row("", number, proto_type, python_type, varies, required)


@dataclass_transform(field_specifiers=(_field,))
class Fields:
    """Base of the classes below, which collects their rows.

    Attributes:
        ROWS: fields of the class, see `rows`.
        KEPT: names of the fields that the learned decoder sets; empty: all.
    """

    __slots__ = ()

    if TYPE_CHECKING:  # betterproto2 would take an annotation for a field.
        ROWS: ClassVar[tuple[Row, ...]]
        KEPT: ClassVar[frozenset[str]]
    else:
        KEPT = frozenset()

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        declared = {name: row for name, row in vars(cls).items() if isinstance(row, Row)}
        # Left in place, a row would be the value of the attribute in objects that do not set it.
        for name in declared:
            delattr(cls, name)
        if declared:
            cls.ROWS = tuple([row._replace(name=name) for name, row in declared.items()])
            # Types instead of their names, because betterproto2 looks for names in the module of the typed class.
            cls.__annotations__ = {row.name: row.python_type | None for row in cls.ROWS}


def rows(cls: type[Any]) -> tuple[Row, ...]:
    """Return the fields of a class here, or of a class made from it, in the order of the constructor's arguments."""
    declared: tuple[Row, ...] = cls.ROWS
    return declared


class PolicyFields(Fields):
    """Fields of Policy."""

    __slots__ = ()

    type: str | None = _field(1, "string", str, default=None)
    rule: bytes | None = _field(2, "bytes", bytes, default=None)
    action: PolicyAction | None = _field(3, "enum", PolicyAction, default=None)
    match: PolicyMatch | None = _field(4, "enum", PolicyMatch, default=None)
    value: bytes | None = _field(5, "bytes", bytes, default=None)


class MessageFields(Fields):
    """Fields of Message."""

    __slots__ = ()

    type: MessageType | None = _field(1, "enum", MessageType, default=None, required=True)
    socket_family: SocketFamily | None = _field(2, "enum", SocketFamily, default=None)
    socket_protocol: SocketProtocol | None = _field(3, "enum", SocketProtocol, default=None)
    query_address: bytes | None = _field(4, "bytes", bytes, default=None)
    response_address: bytes | None = _field(5, "bytes", bytes, default=None)
    query_port: int | None = _field(6, "uint32", int, default=None, varies="always")
    response_port: int | None = _field(7, "uint32", int, default=None)
    query_time_sec: int | None = _field(8, "uint64", int, default=None)
    query_time_nsec: int | None = _field(9, "fixed32", int, default=None)
    query_message: bytes | None = _field(10, "bytes", bytes, default=None)
    query_zone: bytes | None = _field(11, "bytes", bytes, default=None)
    response_time_sec: int | None = _field(12, "uint64", int, default=None)
    response_time_nsec: int | None = _field(13, "fixed32", int, default=None)
    response_message: bytes | None = _field(14, "bytes", bytes, default=None)
    policy: PolicyFields | None = _field(15, "message", PolicyFields, default=None)
    http_protocol: HttpProtocol | None = _field(16, "enum", HttpProtocol, default=None)


class DnstapFields(Fields):
    """Fields of Dnstap."""

    __slots__ = ()

    identity: bytes | None = _field(1, "bytes", bytes, default=None, varies="never")
    version: bytes | None = _field(2, "bytes", bytes, default=None, varies="never")
    extra: bytes | None = _field(3, "bytes", bytes, default=None, varies="always")
    message: MessageFields | None = _field(14, "message", MessageFields, default=None)
    type: DnstapType | None = _field(15, "enum", DnstapType, default=None, required=True)
