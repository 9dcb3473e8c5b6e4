"""The typed classes of dnstap.proto: Dnstap, Message and Policy, as betterproto2 messages with presence.

Every field is optional: None means absent, and 0 and b"" are values like any other. Attribute names are those of the
schema (dnstap/schema/fields.py, from which the classes inherit them). Unknown fields are kept, in copies too, and
written back; enum numbers that the schema does not name are kept as nameless members (they are ints). `parse` and
`bytes()` are our own strict codec, not betterproto2's; the rest of betterproto2's surface works as it does there.

Source: dnstap.proto of the dnstap project (docs/dnstap.proto), public domain.
"""

from __future__ import annotations

from abc import ABCMeta
from copy import deepcopy
from dataclasses import InitVar, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import betterproto2

from dnstap._generated import compile_function
from dnstap.codec import Decoder, decode, encoder_of
from dnstap.errors import DecodeError
from dnstap.messages.accessors import Accessors, Found
from dnstap.messages.constructors import Constructors
from dnstap.messages.readers import of_thread
from dnstap.schema.fields import DnstapFields, Fields, PolicyFields, rows
from framestream.arguments import check_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import SupportsRead

    from dnstap.fields.kinds import Value

__all__ = [
    "Dnstap",
    "Message",
    "Policy",
]

M = TypeVar("M", bound="_Payload")


class _PayloadType(ABCMeta):
    """Metaclass of the message classes, so that help() works for them."""

    def __dir__(cls) -> list[str]:
        # help() reads each name from all base classes, and betterproto2.Message raises AssertionError for this one.
        return [name for name in super().__dir__() if name != "_betterproto"]


@dataclass(init=False, eq=False, repr=False)
class _Payload(betterproto2.Message, metaclass=_PayloadType):
    """Base of the message classes: our codec under betterproto2's interface, and unknown fields that are kept."""

    __slots__ = ()
    # No field, so betterproto2 does not see it; but dataclasses.replace reads it and hands it to the constructor.
    _unknown_fields: InitVar[bytes] = field(default=b"", kw_only=True)

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview, *, lenient: bool = False) -> Self:
        """Decode a message from all of `data`.

        Args: lenient: accept a message without its required `type`, as None.
        Raises: DecodeError: not such a message (docs/decoding.md); MissingFieldError: `type` is absent.
        """
        return decode(cls, data, lenient)

    def encode(self, *, lenient: bool = False) -> bytes:
        """Encode the message; `bytes(message)` is the same.

        Args: lenient: encode a message whose required `type` is None.
        Raises: EncodeError: a value of the wrong type or out of its field's range, or `type` is None.
        """
        return self._encode(lenient=lenient)

    if TYPE_CHECKING:

        def _encode(self, *, lenient: bool = False) -> bytes:
            """Encode the message: the generated encoder of each class."""

    def __bytes__(self) -> bytes:
        return self._encode()

    def load(self, stream: SupportsRead[bytes], size: int | None = None) -> Self:
        """Merge the bytes of a stream into this message, as betterproto2's `load` does, but strictly.

        Args: size: number of bytes; None: all; betterproto2.SIZE_DELIMITED: it stands before them, as a varint.
        Raises: DecodeError, also if the stream ends before `size` bytes.
        """
        if size == betterproto2.SIZE_DELIMITED:
            try:
                size = betterproto2.load_varint(stream)[0]
            except (EOFError, ValueError) as error:
                raise DecodeError(f"expected the size of the message, got: {error}", 0, type(self).__name__) from None
        data = stream.read() if size is None else stream.read(size)
        if size is not None and len(data) < size:
            raise DecodeError(f"expected {size} bytes, got {len(data)}", len(data), type(self).__name__)
        # Concatenated encodings decode to the merged message, in protobuf and here (docs/decoding.md).
        merged = decode(type(self), self.encode(lenient=True) + data)
        for name in (*self._names(), "_unknown_fields"):
            setattr(self, name, getattr(merged, name))
        return self

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        same_unknown_fields = self._unknown_fields == cast("Self", other)._unknown_fields
        return same_unknown_fields and super().__eq__(other)

    def __repr__(self) -> str:
        """Return the fields that are set, and unknown ones after them if there are any."""
        text = super().__repr__()
        if self._unknown_fields:
            comma = "" if text.endswith("()") else ", "
            text = f"{text[:-1]}{comma}_unknown_fields={self._unknown_fields!r})"
        return text

    def __copy__(self, _: Any = None) -> Self:
        return _restore(type(self), self._values(), self._unknown_fields)

    def __deepcopy__(self, memo: Any = None) -> Self:
        return _restore(type(self), deepcopy(self._values(), memo), self._unknown_fields)

    def __reduce__(self) -> tuple[Any, ...]:
        # Not by way of the bytes, as betterproto2 does: a message that cannot be encoded can be pickled.
        return _restore, (type(self), self._values(), self._unknown_fields)

    def _names(self) -> list[str]:
        return [field.name for field in fields(cast("Any", self))]

    def _values(self) -> list[Any]:
        return [getattr(self, name) for name in self._names()]

    def _get_field_default(self, field_name: str) -> None:
        """Return None: every field is optional. betterproto2's own saves and restores warning filters at each call."""


def _restore(cls: type[M], values: list[Any], unknown: bytes) -> M:
    message: M = cast("Any", cls)(*values, unknown)
    return message


_typed: dict[type[Fields], type[_Payload]] = {}
"""The class with these fields, for fields that are messages."""


def _from_schema(cls: type[M]) -> type[M]:
    """Make a class that inherits fields of the schema a dataclass of betterproto2.

    The constructor is generated, as dataclasses do it, but with None as the default of each field. One generated by
    dataclasses would call a factory for each absent field, and betterproto2's __post_init__ besides: making a Message
    took 1.4 us instead of 0.6 (CPython 3.11). That of Policy is

        def __init__(self, type=None, rule=None, action=None, match=None, value=None, _unknown_fields=b""):
            self.type = type
            self.rule = rule
            self.action = action
            self.match = match
            self.value = value
            if _unknown_fields:
                self._unknown_fields = _unknown_fields
    """
    declaring = next(base for base in cls.__mro__ if Fields in base.__bases__)
    # Submessages get their typed class here, so Policy, Message and Dnstap must be made in this order.
    own = [row._replace(python_type=_typed.get(row.python_type, row.python_type)) for row in rows(declaring)]
    arguments = [f"{row.name}=None" for row in own]
    lines = [f"self.{row.name} = {row.name}" for row in own]
    lines += ["if _unknown_fields:", "    self._unknown_fields = _unknown_fields"]
    body = "".join([f"    {line}\n" for line in lines])
    source = f'def __init__(self, {", ".join(arguments)}, _unknown_fields=b""):\n{body}'
    made: Any = cls
    made.__annotations__ = {row.name: row.python_type | None for row in own}
    for row in own:
        setattr(made, row.name, betterproto2.field(row.number, row.proto_type, optional=True))
    made.__init__ = compile_function(f"{cls.__name__}.__init__", source, {})
    made.__init__.__annotations__ = made.__annotations__ | {"_unknown_fields": bytes, "return": None}
    # With slots, dataclass returns a new class, so the class is registered only after this.
    made = dataclass(slots=True, init=False, eq=False, repr=False)(made)
    made.ROWS = tuple(own)
    made._encode = encoder_of(made)  # noqa: SLF001 (of this module's own base class)
    _typed[declaring] = made
    typed: type[M] = made
    return typed


@_from_schema
class Policy(PolicyFields, _Payload):
    """An operator policy, e.g. of a Response Policy Zone, that was applied to the message."""


@_from_schema
class Message(Accessors, Constructors, _Payload):
    """One DNS message on its way, with its addresses, ports and times.

    Addresses are 4 or 16 bytes, ports 0 to 65535, times seconds since 1970 UTC and nanoseconds within the second; DNS
    messages and query_zone are in wire format. The constructors by type, `Message.client_query` and so on, accept
    addresses as text, times in nanoseconds and dnspython's messages (docs/messages.md).
    """

    if TYPE_CHECKING:
        policy: Policy | None = None


@_from_schema
class Dnstap(Found, DnstapFields, _Payload):
    """The payload of a dnstap data frame: the sender, and the message that it logged."""

    if TYPE_CHECKING:
        message: Message | None = None

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview, *, lenient: bool = False) -> Self:
        """Decode the payload of a data frame.

        The layouts of payloads are learned, for the whole process, which makes this several times as fast as decoding
        them field by field. Programs that read several senders at once do better with a Decoder for each.

        Args: lenient: accept a message without its required `type`, as None.
        Raises: DecodeError: not such a message (docs/decoding.md); MissingFieldError: `type` is absent.
        """
        # Plans make objects of the class that they were made for, so a subclass is left to the strict decoder.
        if cls is not Dnstap:
            return decode(cls, data, lenient)
        # Without the keyword, which takes 50 ns of 750, in the usual case.
        return _decode(data, lenient=True) if lenient else _decode(data)  # type: ignore[return-value] # Self is Dnstap

    def as_dict(self, fields: Sequence[str] = ("all",)) -> dict[str, Value]:
        """Return the values of fields of the catalogue by name, in one flat dict.

        The values are those of `row_reader`: each field has one type, and None where it is absent or does not parse.
        Times are nanoseconds since 1970 UTC, latency nanoseconds, sizes bytes, flags of the header bool, addresses,
        names and enums text, and what may be there several times is a tuple. docs/formats.md lists the fields.

        Args: fields: names or aliases of fields, which become the keys, in this order; "all" stands for every field.
        Raises: ValueError: a field is unknown, comes twice, or there is none; TypeError: not a list or tuple of text;
            MissingLibraryError: a field needs a library that is not installed.
        """
        check_names("fields", fields)
        values: dict[str, Value] = of_thread.read[tuple(fields)](self)
        return values


_decode = Decoder(Dnstap).decode
