"""The typed classes of dnstap.proto: Dnstap, Message and Policy, as betterproto2 messages with presence.

Every field is optional: None means absent, and 0 and b"" are values like any other. Attribute names are those of the
schema. Fields that the schema does not have are kept, in copies too, and written back; enum numbers that it does not
name are kept as nameless members (they are ints). `parse` and `bytes()` are our own strict codec, not betterproto2's;
the rest of betterproto2's surface works as it does there.

Source: dnstap.proto of the dnstap project (docs/dnstap.proto), public domain.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import InitVar, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

import betterproto2
from betterproto2.utils import classproperty

from dnstap.codec import Decoder, decode, encode, encoder_of
from dnstap.errors import DecodeError
from dnstap.messages.accessors import Reading
from dnstap.messages.constructors import MakeMessage, maker
from dnstap.schema.enums import (
    DnstapType,
    HttpProtocol,
    MessageType,
    PolicyAction,
    PolicyMatch,
    SocketFamily,
    SocketProtocol,
)

if TYPE_CHECKING:
    from _typeshed import SupportsRead

__all__ = [
    "Dnstap",
    "Message",
    "Policy",
]

M = TypeVar("M", bound="_Payload")


def _optional(number: int, proto_type: str) -> Any:
    return betterproto2.field(number, proto_type, optional=True)


class _Metadata(betterproto2.ProtoClassMetadata):
    """betterproto2's metadata of one class, which also says which class that is.

    help() looks for the class that an attribute comes from, unless `__objclass__` says so, by reading it from each base
    class; but betterproto2.Message itself has no metadata, and raises AssertionError.
    """

    def __init__(self, cls: type[betterproto2.Message]) -> None:
        super().__init__(cls)
        self.__objclass__ = cls


@dataclass(init=False, eq=False, repr=False)
class _Payload(betterproto2.Message):
    """What the three message classes share: our codec behind betterproto2's surface, and unknown fields that stay."""

    __slots__ = ()
    # No field, so betterproto2 does not see it; but dataclasses.replace reads it and hands it to the constructor.
    _unknown_fields: InitVar[bytes] = field(default=b"", kw_only=True)
    __hash__: ClassVar[None] = None  # type: ignore[assignment] # mutable, and compared by value

    @classproperty
    def _betterproto(cls: type[betterproto2.Message]) -> _Metadata:  # noqa: N805
        """Return the metadata of the class itself, never that of a base class."""
        if "_betterproto_meta" not in vars(cls):
            cls._betterproto_meta = _Metadata(cls)
        return cast("_Metadata", cls._betterproto_meta)

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview, *, lenient: bool = False) -> Self:
        """One message from the whole payload of a data frame.

        Args: lenient: accept a message without its required `type`, as None.
        Raises: DecodeError (docs/decoding.md says what is one); MissingFieldError: `type` is absent.
        """
        return decode(cls, data, lenient)

    encode = encode

    def __bytes__(self) -> bytes:
        return self.encode()

    def load(self, stream: SupportsRead[bytes], size: int | None = None) -> Self:
        """Merge the octets of a stream into this message, as betterproto2's `load` does, but strictly.

        Args: size: how many octets; None for all, betterproto2.SIZE_DELIMITED for a varint of their number before them.
        Raises: DecodeError, also when the stream ends before `size` octets.
        """
        if size == betterproto2.SIZE_DELIMITED:
            try:
                size = betterproto2.load_varint(stream)[0]
            except (EOFError, ValueError) as error:
                raise DecodeError(f"no size before the message: {error}", 0, type(self).__name__) from None
        data = stream.read() if size is None else stream.read(size)
        if size is not None and len(data) < size:
            raise DecodeError(f"{size} octets expected, {len(data)} came", len(data), type(self).__name__)
        merged = decode(type(self), encode(self, lenient=True) + data)
        for name in self._names():
            setattr(self, name, getattr(merged, name))
        self._unknown_fields = merged._unknown_fields  # noqa: SLF001 (ours)
        return self

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        same_unknown_fields = self._unknown_fields == cast("Self", other)._unknown_fields
        return same_unknown_fields and super().__eq__(other)

    def __repr__(self) -> str:
        """The fields that are set; unknown ones behind them, if there are any."""
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
        # Not by way of the octets, as betterproto2 does: a message that cannot be encoded can be pickled.
        return _restore, (type(self), self._values(), self._unknown_fields)

    def _names(self) -> list[str]:
        return [field.name for field in fields(cast("Any", self))]

    def _values(self) -> list[Any]:
        return [getattr(self, name) for name in self._names()]

    def _get_field_default(self, field_name: str) -> None:
        """None: every field is optional. betterproto2's own saves and restores all warning filters at each call."""


def _restore(cls: type[M], values: list[Any], unknown: bytes) -> M:
    message: M = cast("Any", cls)(*values, unknown)
    return message


@dataclass(slots=True, init=False, eq=False, repr=False)
class Policy(_Payload):
    """An operator policy, e.g. of a Response Policy Zone, that was applied to the message."""

    type: str | None = _optional(1, betterproto2.TYPE_STRING)
    rule: bytes | None = _optional(2, betterproto2.TYPE_BYTES)
    action: PolicyAction | None = _optional(3, betterproto2.TYPE_ENUM)
    match: PolicyMatch | None = _optional(4, betterproto2.TYPE_ENUM)
    value: bytes | None = _optional(5, betterproto2.TYPE_BYTES)

    def __init__(
        self,
        type: str | None = None,
        rule: bytes | None = None,
        action: PolicyAction | None = None,
        match: PolicyMatch | None = None,
        value: bytes | None = None,
        _unknown_fields: bytes = b"",
    ) -> None:
        self.type = type
        self.rule = rule
        self.action = action
        self.match = match
        self.value = value
        if _unknown_fields:
            self._unknown_fields = _unknown_fields


@dataclass(slots=True, init=False, eq=False, repr=False)
class Message(Reading, _Payload):
    """One DNS message as it passed, with its addresses, ports and times.

    Addresses are 4 or 16 octets, ports 0 to 65535, times seconds since 1970 UTC and nanoseconds within the second; DNS
    messages and query_zone are in wire format. The constructors by type, `Message.client_query` and so on, also take
    what people have (docs/messages.md).
    """

    type: MessageType | None = _optional(1, betterproto2.TYPE_ENUM)
    socket_family: SocketFamily | None = _optional(2, betterproto2.TYPE_ENUM)
    socket_protocol: SocketProtocol | None = _optional(3, betterproto2.TYPE_ENUM)
    query_address: bytes | None = _optional(4, betterproto2.TYPE_BYTES)
    response_address: bytes | None = _optional(5, betterproto2.TYPE_BYTES)
    query_port: int | None = _optional(6, betterproto2.TYPE_UINT32)
    response_port: int | None = _optional(7, betterproto2.TYPE_UINT32)
    query_time_sec: int | None = _optional(8, betterproto2.TYPE_UINT64)
    query_time_nsec: int | None = _optional(9, betterproto2.TYPE_FIXED32)
    query_message: bytes | None = _optional(10, betterproto2.TYPE_BYTES)
    query_zone: bytes | None = _optional(11, betterproto2.TYPE_BYTES)
    response_time_sec: int | None = _optional(12, betterproto2.TYPE_UINT64)
    response_time_nsec: int | None = _optional(13, betterproto2.TYPE_FIXED32)
    response_message: bytes | None = _optional(14, betterproto2.TYPE_BYTES)
    policy: Policy | None = _optional(15, betterproto2.TYPE_MESSAGE)
    http_protocol: HttpProtocol | None = _optional(16, betterproto2.TYPE_ENUM)

    auth_query: ClassVar[MakeMessage[Message]]
    auth_response: ClassVar[MakeMessage[Message]]
    resolver_query: ClassVar[MakeMessage[Message]]
    resolver_response: ClassVar[MakeMessage[Message]]
    client_query: ClassVar[MakeMessage[Message]]
    client_response: ClassVar[MakeMessage[Message]]
    forwarder_query: ClassVar[MakeMessage[Message]]
    forwarder_response: ClassVar[MakeMessage[Message]]
    stub_query: ClassVar[MakeMessage[Message]]
    stub_response: ClassVar[MakeMessage[Message]]
    tool_query: ClassVar[MakeMessage[Message]]
    tool_response: ClassVar[MakeMessage[Message]]
    update_query: ClassVar[MakeMessage[Message]]
    update_response: ClassVar[MakeMessage[Message]]

    def __init__(
        self,
        type: MessageType | None = None,
        socket_family: SocketFamily | None = None,
        socket_protocol: SocketProtocol | None = None,
        query_address: bytes | None = None,
        response_address: bytes | None = None,
        query_port: int | None = None,
        response_port: int | None = None,
        query_time_sec: int | None = None,
        query_time_nsec: int | None = None,
        query_message: bytes | None = None,
        query_zone: bytes | None = None,
        response_time_sec: int | None = None,
        response_time_nsec: int | None = None,
        response_message: bytes | None = None,
        policy: Policy | None = None,
        http_protocol: HttpProtocol | None = None,
        _unknown_fields: bytes = b"",
    ) -> None:
        self.type = type
        self.socket_family = socket_family
        self.socket_protocol = socket_protocol
        self.query_address = query_address
        self.response_address = response_address
        self.query_port = query_port
        self.response_port = response_port
        self.query_time_sec = query_time_sec
        self.query_time_nsec = query_time_nsec
        self.query_message = query_message
        self.query_zone = query_zone
        self.response_time_sec = response_time_sec
        self.response_time_nsec = response_time_nsec
        self.response_message = response_message
        self.policy = policy
        self.http_protocol = http_protocol
        if _unknown_fields:
            self._unknown_fields = _unknown_fields


@dataclass(slots=True, init=False, eq=False, repr=False)
class Dnstap(_Payload):
    """The payload of a dnstap data frame: who logged it, and the message."""

    identity: bytes | None = _optional(1, betterproto2.TYPE_BYTES)
    version: bytes | None = _optional(2, betterproto2.TYPE_BYTES)
    extra: bytes | None = _optional(3, betterproto2.TYPE_BYTES)
    message: Message | None = _optional(14, betterproto2.TYPE_MESSAGE)
    type: DnstapType | None = _optional(15, betterproto2.TYPE_ENUM)

    def __init__(
        self,
        identity: bytes | None = None,
        version: bytes | None = None,
        extra: bytes | None = None,
        message: Message | None = None,
        type: DnstapType | None = None,
        _unknown_fields: bytes = b"",
    ) -> None:
        self.identity = identity
        self.version = version
        self.extra = extra
        self.message = message
        self.type = type
        if _unknown_fields:
            self._unknown_fields = _unknown_fields

    def __init_subclass__(cls, **arguments: Any) -> None:
        super(Dnstap, cls).__init_subclass__(**arguments)
        # The plans below make a Dnstap, and its encoder knows no field of another class.
        cls.parse = classmethod(_Payload.parse.__func__)  # type: ignore[assignment, attr-defined]
        cls.encode = _Payload.encode


for _type in MessageType:
    setattr(Message, _type.name.lower(), staticmethod(maker(Message, _type)))
Dnstap.parse = staticmethod(Decoder(Dnstap).decode)  # type: ignore[method-assign]
Dnstap.encode = encoder_of(Dnstap)
