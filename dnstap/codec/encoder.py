"""Message objects to payload octets: checks every value, and says which field is wrong and what it may hold.

Fields are written in ascending order of their numbers and unknown fields behind them, as Google's serializer does, so
what a server wrote in that order comes out as the same octets.

There are two ways. The usual one (`_UsualWay`) is one expression for each class, generated from its table, which joins
the octets of the fields. It encodes no number: it looks all of them up, and what it does not find, or is not of the
exact type, it leaves to the careful way. That one goes through the table, knows every rule, and adds to what can be
looked up. Threads may share it all: a memo is only added to or cleared, and what is found in it is right.
"""

from __future__ import annotations

import struct
from functools import partial
from itertools import groupby
from operator import attrgetter, index
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

from dnstap.codec.tables import BYTES, ENUM, FIXED32, MESSAGE, STRING, UINT, Field, Table, table_of
from dnstap.errors import EncodeError

if TYPE_CHECKING:
    from collections.abc import Callable

    import betterproto2

__all__ = ["encode", "encoder_of", "values_of", "varint"]

MAX_MEMO = 4096
"""Entries of what is kept for one field or run of fields."""

CONSTANT = ("identity", "version")
"""Fields that are the same in all messages of one sender, and so are looked up together."""

Encoder = Any
"""What `encode` is for one class: Callable[[Message], bytes] with the keyword lenient."""

_ways: dict[type[betterproto2.Message], _UsualWay] = {}

MISS = (KeyError, TypeError, ValueError, struct.error)
"""What the usual way raises for a message that it cannot encode."""


def encode(message: betterproto2.Message, *, lenient: bool = False) -> bytes:
    """The octets of a message, ready to be the payload of a data frame; `bytes(message)` is the same.

    Args: lenient: write a message whose required `type` is None.
    Raises: EncodeError: a value of the wrong type or out of its field's range, or a required field that is None.
    """
    octets: bytes = encoder_of(type(message))(message, lenient=lenient)
    return octets


def encoder_of(cls: type[betterproto2.Message]) -> Encoder:
    """`encode` for messages of this class and no other, which saves asking for it."""
    return _way_of(table_of(cls)).encode


def values_of(cls: type[betterproto2.Message]) -> tuple[Callable[[Any], tuple[Any, ...]], Callable[[Any], bytes]]:
    """Encoding in two steps: from a message to the values of its fields, by number, and from those to the octets.

    The first takes little time, and what is set in the message afterwards makes no difference to the second, which
    raises as `encode` does. A message inside it is not copied.
    """
    way = _way_of(table_of(cls))
    return way.values, way.encode_values


def _careful(table: Table, message: betterproto2.Message, lenient: bool, path: str = "") -> bytes:
    """The octets of a message of any kind and with any error in it; what can be looked up later is kept."""
    way = _way_of(table)
    out = {}
    for field in table.by_number:
        value = getattr(message, field.name)
        if value is None:
            if field.index == table.required and not lenient:
                raise EncodeError(f"{path}{field.name}", f"is required, but None; {_expected(field)} expected")
            continue
        contents = b""
        if field.kind in (BYTES, STRING, MESSAGE):
            contents = _contents(field, value, lenient, f"{path}{field.name}")
            number = len(contents)
        else:
            number = _number(field, value, f"{path}{field.name}")
        octets = number.to_bytes(4, "little") if field.kind == FIXED32 else varint(number & 0xFFFFFFFFFFFFFFFF)
        out[field.name] = field.tag_octets + octets + contents
        way.keep_number(field, number, field.tag_octets + octets)
    way.keep_runs(message, out)
    return b"".join([*out.values(), message._unknown_fields])  # noqa: SLF001 (where betterproto2 keeps them)


def _contents(field: Field, value: Any, lenient: bool, path: str) -> bytes:
    if field.kind == BYTES:
        if not isinstance(value, bytes | bytearray | memoryview):
            _wrong_type(field, value, path)
        return bytes(value)
    if not isinstance(value, field.python_type):
        _wrong_type(field, value, path)
    if field.kind == MESSAGE:
        return _careful(table_of(type(value)), value, lenient, f"{path}.")
    try:
        octets: bytes = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise EncodeError(path, f"{value!r:.60} has no UTF-8: {error.reason}") from None
    return octets


def _number(field: Field, value: Any, path: str) -> int:
    try:
        number = index(value)
    except TypeError:
        _wrong_type(field, value, path)
    least, greatest = (-(1 << 31), (1 << 31) - 1) if field.kind == ENUM else (0, field.greatest)
    if not least <= number <= greatest:
        raise EncodeError(path, f"{number} does not fit in {field.type_name}, {least} to {greatest}")
    return number


def _expected(field: Field) -> str:
    name: str = field.python_type.__name__
    return name


def _wrong_type(field: Field, value: Any, path: str) -> NoReturn:
    raise EncodeError(path, f"{value!r:.60} is {type(value).__name__}; {_expected(field)} expected")


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _no() -> NoReturn:
    raise TypeError


_HIGH = {high: varint(high) for high in range(1, 512)}
"""What follows the first octet of a port from 128 on."""


class _UsualWay:
    """How the usual messages of a class are encoded: by one expression, and what it looks up.

    A number is looked up by itself, so its type must be int: 1.0 would be found too. Ports from 128 on are another in
    each query, and looked up by halves. Enums are looked up together, with their types; and so is
    what is the same in all messages of a sender.
    """

    def __init__(self, table: Table) -> None:
        self._name = table.cls.__name__
        self._required = table.required
        self._numbers: dict[str, dict[int, bytes]] = {}
        self._runs: list[tuple[list[Field], dict[Any, bytes]]] = []
        self._space: dict[str, Any] = {"join": b"".join, "no": _no, "high": _HIGH, "text": str.encode}
        self._items: list[str] = []
        for together, fields in groupby(table.by_number, lambda f: f.kind == ENUM or f.name in CONSTANT):
            if together:
                self._look_up(list(fields))
            else:
                for field in fields:
                    self._add(field)
        self._items.append("m._unknown_fields")
        self._space |= {"MISS": MISS, "careful": partial(_careful, table)}
        source = f"""def encode(m, *, lenient=False):
            try: return {self._expression("m")}
            except MISS: return careful(m, lenient)\n"""
        names = [*[field.name for field in table.by_number], "_unknown_fields"]
        self._space["again"] = lambda values: SimpleNamespace(**dict(zip(names, values, strict=True)))
        source += f"""def encode_values(values):
            {", ".join([f"m_{name}" for name in names])} = values
            try: return {self._expression("m").replace("m.", "m_")}
            except MISS: return careful(again(values), False)"""
        exec(source, self._space)  # noqa: S102 (made of the names of fields alone)
        self.encode: Encoder = self._space["encode"]
        self.encode.__doc__ = encode.__doc__
        self.values: Callable[[Any], tuple[Any, ...]] = attrgetter(*names)
        self.encode_values: Callable[[Any], bytes] = self._space["encode_values"]

    def keep_number(self, field: Field, number: int, octets: bytes) -> None:
        """Keep the tag of a field with its number, or with the length of its contents."""
        memo = self._numbers.get(field.name)
        if memo is not None:
            _keep(memo, number, octets)

    def keep_runs(self, message: betterproto2.Message, octets: dict[str, bytes]) -> None:
        """Keep the octets of fields that are looked up together."""
        for fields, memo in self._runs:
            values = [getattr(message, field.name) for field in fields]
            hashable = not any(isinstance(value, bytearray | memoryview) for value in values)
            if hashable and all(field.index != self._required or field.name in octets for field in fields):
                types = [type(value) for value, field in zip(values, fields, strict=True) if field.kind == ENUM]
                _keep(memo, (*values, *types), b"".join(octets.get(field.name, b"") for field in fields))

    def _expression(self, message: str) -> str:
        """The source that encodes the message in a variable of this name."""
        return f"join(({', '.join(self._items)}))".replace("m.", f"{message}.")

    def _known_as(self, what: str, value: Any) -> str:
        name = f"{self._name}_{what}"
        self._space[name] = value
        return name

    def _look_up(self, fields: list[Field]) -> None:
        self._runs.append((fields, {}))
        memo = self._known_as(f"memo{len(self._runs)}", self._runs[-1][1])
        values = [f"(x{index} := m.{field.name})" for index, field in enumerate(fields)]
        types = [f"type(x{index})" for index, field in enumerate(fields) if field.kind == ENUM]
        found = f"{memo}[{', '.join(values + types)}]"
        if len(fields) == 1 and fields[0].index != self._required:
            found = f'b"" if m.{fields[0].name} is None else {found}'
        self._items.append(found)

    def _add(self, field: Field) -> None:
        name, tag = field.name, field.tag_octets
        self._numbers[name] = {}
        memo = self._known_as(name, self._numbers[name])
        absent = f'b"" if (x := m.{name}) is None else '
        number = f"{memo}[x] if type(x) is int else no()"
        if field.kind == FIXED32:
            pack = self._known_as(f"pack_{name}", struct.Struct(f"<{len(tag)}sI").pack)
            self._items.append(f"{absent}{pack}({tag!r}, x)")
        elif field.type_name == "uint32":
            low = self._known_as(f"low_{name}", {low: tag + bytes((low | 128,)) for low in range(128)})
            self._items.append(f"{absent}{low}[x & 127] + high[x >> 7] if x > 127 else {number}")
        elif field.kind == UINT:
            self._items.append(absent + number)
        else:
            right = f"type(x) is {self._known_as(f'is_{name}', field.python_type)}"
            contents = "x"
            if field.kind == STRING:
                contents = 'x := text(x, "utf-8", "surrogateescape")'
            elif field.kind == MESSAGE:
                inner = _way_of(table_of(field.python_type))
                self._space.update(inner._space)  # noqa: SLF001 (another of this class)
                contents = f"x := {inner._expression(f'{name}_')}"  # noqa: SLF001
                right = right.replace("(x)", f"({name}_ := x)")
            self._items += [f"{absent}{memo}[len({contents})] if {right} else no()", 'x or b""']


def _way_of(table: Table) -> _UsualWay:
    way = _ways.get(table.cls)
    if way is None:
        way = _ways[table.cls] = _UsualWay(table)
    return way


def _keep(memo: dict[Any, bytes], key: Any, octets: bytes) -> None:
    if len(memo) >= MAX_MEMO:
        memo.clear()
    memo[key] = octets
