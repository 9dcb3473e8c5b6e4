"""Message objects to payload octets: checks every value, and says which field is wrong and what it may hold.

Fields are written in ascending order of their numbers and unknown fields behind them, as Google's serializer does, so
what a server wrote in that order comes out as the same octets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from dnstap.codec.fields import BYTES, ENUM, FIXED32, MESSAGE, STRING, Field, Table, table_of
from dnstap.errors import EncodeError

if TYPE_CHECKING:
    import betterproto2

__all__ = ["encode"]


def encode(message: betterproto2.Message, *, lenient: bool = False) -> bytes:
    """The octets of a message, ready to be the payload of a data frame.

    Args: lenient: write a message whose required `type` is None.
    Raises: EncodeError: a value of the wrong type or out of its field's range, or a required field that is None.
    """
    return _message(table_of(type(message)), message, lenient, "")


def _message(table: Table, message: betterproto2.Message, lenient: bool, path: str) -> bytes:
    out = []
    for field in table.by_number:
        value = getattr(message, field.name)
        if value is not None:
            out.append(field.tag_octets)
            out.append(_value(field, value, lenient, f"{path}{field.name}"))
        elif field.index == table.required and not lenient:
            raise EncodeError(f"{path}{field.name}", f"is required, but None; {field.python_type.__name__} expected")
    out.append(message._unknown_fields)  # noqa: SLF001 (where betterproto2 keeps them)
    return b"".join(out)


def _value(field: Field, value: Any, lenient: bool, path: str) -> bytes:
    if field.kind == BYTES:
        if not isinstance(value, bytes | bytearray | memoryview):
            _wrong_type(value, "bytes", path)
        return _prefixed(bytes(value))
    if field.kind == STRING:
        return _prefixed(_utf8(value, path))
    if field.kind == MESSAGE:
        if not isinstance(value, field.python_type):
            _wrong_type(value, field.python_type.__name__, path)
        return _prefixed(_message(table_of(type(value)), value, lenient, f"{path}."))
    if not isinstance(value, int):
        _wrong_type(value, field.python_type.__name__ if field.kind == ENUM else "int", path)
    least, greatest = (-(1 << 31), (1 << 31) - 1) if field.kind == ENUM else (0, field.greatest)
    if not least <= value <= greatest:
        raise EncodeError(path, f"{int(value)} does not fit in {field.type_name}, {least} to {greatest}")
    if field.kind == FIXED32:
        return int(value).to_bytes(4, "little")
    return _varint(value & 0xFFFFFFFFFFFFFFFF)


def _wrong_type(value: Any, expected: str, path: str) -> NoReturn:
    raise EncodeError(path, f"{value!r:.60} is {type(value).__name__}; {expected} expected")


def _utf8(value: Any, path: str) -> bytes:
    if not isinstance(value, str):
        _wrong_type(value, "str", path)
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise EncodeError(path, f"{value!r:.60} has no UTF-8: {error.reason}") from None


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _prefixed(octets: bytes) -> bytes:
    return _varint(len(octets)) + octets
