"""Plans: functions that take payloads of one layout apart, made while decoding.

One sender's payloads are alike: the same fields in the same order, and only values differ. So the first octets of a
payload, from its start through the length of its Message and the enums that a Message begins with (the key), nearly
settle where everything else lies. A plan is made for one key and one layout. It takes a payload apart by a single
struct.unpack, compares every tag and length octet with those that it was made for, and stores the values; those within
the key it knows already. Whatever does not fit raises one of MISS, and is left to another plan or to the generic
decoder: a plan makes decoding faster, never different.

A Shape is what the plans have in common whose payloads have the same fields in the same order and of the same widths,
but contents of other lengths: the code, which is generated and compiled once. A plan is that code with other defaults:
the struct, the known values, and the octets to compare with.
"""

from __future__ import annotations

import struct
from functools import partial
from operator import attrgetter
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from dnstap.codec.strict import decode, varint
from dnstap.codec.tables import BYTES, FIXED32, MESSAGE, Field, Table, table_of
from dnstap.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["MISS", "Part", "Plan", "Shape", "parts_of"]

MISS = (KeyError, IndexError, TypeError, ValueError, struct.error, DecodeError)
"""What a plan raises for a payload that it is not for; the last for a policy that is no Policy."""

MAX_MEMO = 256
"""Entries of a memo of slowly changing octets."""

MAX_MASK = 256
"""Octets of a payload behind the key by which plans of the same key are told apart."""

Plan = Any
"""Callable[[bytes], Dnstap], which raises MISS when the payload does not fit."""

Part = tuple[Table, int, int, int, int]
"""One field of a payload: the Table of its message, its tag, and where its tag, its value and the next field begin."""

# What the octets of a port add to it. Dicts, because an octet with the wrong continuation bit is then a KeyError.
_LAST_OF_2 = {octet: octet << 7 for octet in range(128)}
_LAST_OF_3 = {
    second | third << 8: (second & 127) << 7 | third << 14 for second in range(128, 256) for third in range(4)
}


def parts_of(table: Table, f: bytes) -> tuple[list[Part], int]:
    """The parts of a payload that the generic decoder has accepted, in the order of the octets: those of its Message in
    the place of the Message; and the offset of the Message.

    Raises: KeyError: something that no plan takes.
    """
    parts: list[Part] = []
    messages: list[int] = []
    _walk(table, f, 0, len(f), parts, messages)
    (message,) = messages
    return parts, message


def _walk(table: Table, f: bytes, p: int, end: int, parts: list[Part], messages: list[int] | None) -> None:
    by_tag = table.by_tag
    while p < end:
        start = p
        tag = f[p]
        p += 1
        if tag > 127:
            tag, p = varint(table, f, start)
        kind, _, sub = by_tag[tag]
        wire_type = tag & 7
        size = 1
        if wire_type == 2:
            size = f[p]
            p += 1
            if size > 127:
                size, p = varint(table, f, p - 1)
            if kind == MESSAGE and messages is not None:
                messages.append(start)
                _walk(sub, f, p, p + size, parts, None)
                p += size
                continue
        elif wire_type == 5:
            size = 4
        else:
            while f[p + size - 1] > 127:
                size += 1
        parts.append((table, tag, start, p, p + size))
        p += size


class Shape:
    """What plans have in common whose payloads differ in values, and in the lengths of their contents.

    Args:
        outer: the Table of Dnstap.
        parts: those of such a payload.
        known: how many of them lie within the key.
    Raises: KeyError: no plan takes such payloads.
    """

    def __init__(self, outer: Table, parts: list[Part], known: int) -> None:
        ((message, inner),) = outer.messages
        self._outer, self._inner = outer, inner
        self._known: list[tuple[bool, str]] = []
        self._targets: list[str] = []
        self._format: list[str] = []
        self._mask: list[bytes] = []
        self._checks: list[str] = []
        self._lines: list[str] = []
        self._constants: list[int] = []
        self._contents: list[int] = []
        self._run: list[tuple[Field, int]] = []
        self._open_end = False
        self._absent = [f"m.{field.name}" for field in inner.fields]
        self._absent += [f"d.{field.name}" for field in outer.fields if field.index != message]
        self._kept = {f"m.{name}" for name in inner.kept} | {f"d.{name}" for name in outer.kept}
        self._space: dict[str, Any] = {
            "new_d": partial(object.__new__, outer.cls),
            "new_m": partial(object.__new__, inner.cls),
        }
        for part in parts[:known]:
            self._know(*self._place(part))
        for index, part in enumerate(parts[known:], known):
            self._add(part, index, last=index == len(parts) - 1)
        self._flush()
        self._code = self._compile(outer.fields[message].name)

    def _place(self, part: Part) -> tuple[Field, str]:
        """The field of a part, and where its value is stored; KeyError when it comes again."""
        table, tag, _, _, _ = part
        field = table.fields[table.by_tag[tag][1]]
        target = f"{'d' if table is self._outer else 'm'}.{field.name}"
        if target not in self._absent:
            raise KeyError(target)
        self._absent.remove(target)
        return field, target

    def _add(self, part: Part, index: int, *, last: bool) -> None:
        table, _, start, value, end = part
        field, target = self._place(part)
        if field.kind in (BYTES, MESSAGE):
            self._flush()
            self._add_contents(
                field, target, part, index, open_end=last and field.name == "extra" and value - start == 2
            )
            return
        if value - start != len(field.tag_octets):
            raise KeyError(field.name)
        self._mask.append(b"\xff" * (value - start) + (b"\0" if field.kind == FIXED32 else b"\x80") * (end - value))
        if field.kind == FIXED32:
            # A run that ends here takes the tag with it.
            if self._run:
                self._run.append((field, 0))
                self._flush()
            else:
                self._compare(1)
            self._take(self._target(target), "I")
        elif field.name == "query_port" and end - value in (2, 3):
            self._flush()
            self._add_port(field, target, end - value)
        elif table is self._outer:
            self._flush()
            self._compare(end - start)
            self._know(field, target)
        else:
            self._run.append((field, end - value))

    def _add_contents(self, field: Field, target: str, part: Part, index: int, *, open_end: bool) -> None:
        _, _, start, value, _ = part
        if open_end:
            # The extra of dnsdist is of another length in each payload.
            self._compare(1)
            self._take("n", "B")
            self._checks += ["n > 127", "n + end != len(f)", "type(f) is not bytes"]
            self._lines.append(f"{target} = f[end:]")
            self._mask.append(b"\xff")
            self._open_end = True
            return
        self._mask.append(b"\xff" * (value - start) + b"%b")
        self._compare(value - start)
        self._contents.append(index)
        if field.kind == MESSAGE:
            # A policy is applied again and again.
            self._take("x", "%ds")
            table = table_of(field.python_type)
            self._space["new_sub"] = partial(object.__new__, table.cls)
            self._space["subs"], self._space["read_sub"] = _memo_of(table)
            self._lines += [
                "try: values = subs[x]",
                "except KeyError: values = read_sub(x)",
                f"{self._target(target)} = sub = new_sub()",
                f"{', '.join(f'sub.{inner.name}' for inner in table.fields)} = values",
            ]
        elif target in self._kept:
            self._take(target, "%ds")
        else:
            self._format.append("%dx")

    def _add_port(self, field: Field, target: str, width: int) -> None:
        """The port of who asks is another in each payload, so no memo knows it."""
        self._space["first"] = {field.tag | octet << 8: octet & 127 for octet in range(128, 256)}
        self._space["rest"] = _LAST_OF_2 if width == 2 else _LAST_OF_3
        self._take("p", "H")
        self._take("q", "B" if width == 2 else "H")
        self._lines.append(f"{self._target(target)} = first[p] + rest[q]")

    def _target(self, target: str) -> str:
        """Where a value is stored: nowhere, if nobody wants it."""
        return target if target in self._kept else "_"

    def _take(self, target: str, form: str) -> None:
        self._targets.append(target)
        self._format.append(form)

    def _compare(self, octets: int) -> None:
        """Octets that must be as in the payload that the plan is made from."""
        for size in [2] * (octets // 2) + [1] * (octets % 2):
            index = len(self._targets)
            self._constants.append(index)
            self._take(f"c{index}", "xBH"[size])
            self._checks.append(f"c{index} != k{index}")

    def _know(self, field: Field, target: str) -> None:
        """A value that is as in the payload that the plan is made from: the key or a comparison holds its octets."""
        if target not in self._kept:
            return
        self._lines.append(f"{target} = v{len(self._known)}")
        self._known.append((target[0] == "d", field.name))

    def _flush(self) -> None:
        """The run of slowly changing fields that ends here: all their octets are looked up at once."""
        if not self._run:
            return
        index = len(self._targets)
        self._take(f"r{index}", f"{sum(len(field.tag_octets) + width for field, width in self._run)}s")
        names = [field.name for field, width in self._run if width]
        tag = b"".join(field.tag_octets for field, width in self._run if not width)
        targets = ", ".join(self._target(f"m.{name}") for name in names)
        self._space[f"memo{index}"], self._space[f"read{index}"] = _memo(self._inner, names, tag)
        self._lines += [
            f"try: {targets} = memo{index}[r{index}]",
            f"except KeyError: {targets} = read{index}(r{index})",
        ]
        self._run = []

    def _compile(self, message: str) -> CodeType:
        if not self._targets:
            raise KeyError
        arguments = [f"v{index}" for index in range(len(self._known))] + [f"k{index}" for index in self._constants]
        body = [
            f"d = new_d(); d.{message} = m = new_m()",
            f"{', '.join(self._targets)}, = unpack(f)",
            f"if {' or '.join(self._checks) or False}: raise KeyError",
            *self._lines,
            f"{' = '.join(['_', *[target for target in self._absent if target in self._kept]])} = None",
            "return d",
        ]
        source = f"def plan(f, unpack, end, {', '.join(arguments)}):\n    " + "\n    ".join(body)
        exec(source, self._space)  # noqa: S102 (made of the names of fields alone)
        code: CodeType = self._space["plan"].__code__
        return code

    def plan(self, f: bytes, parts: list[Part], known: int, at: int, decoded: Any) -> tuple[Plan, int, int]:
        """The plan for payloads in which everything lies as in f, which has been decoded; and the octets behind the key
        by which it can be told from others: a mask and their values, little-endian.
        """
        start = parts[known][2]
        lengths = [parts[index][4] - parts[index][3] for index in self._contents]
        layout = struct.Struct("".join(("<%dx", *self._format)) % (start, *lengths))
        unpack = layout.unpack_from if self._open_end else layout.unpack
        values = unpack(f)
        defaults = [getattr(decoded if outer else decoded.message, name) for outer, name in self._known]
        defaults += [values[index] for index in self._constants]
        plan = FunctionType(self._code, self._space, "plan", (unpack, layout.size, *defaults))
        octets = bytes(start - at) + b"".join(self._mask) % tuple(map(bytes, lengths))
        mask = int.from_bytes(octets[:MAX_MASK], "little")
        return plan, mask, int.from_bytes(f[at : at + MAX_MASK], "little") & mask


def _memo_of(table: Table) -> tuple[dict[bytes, Any], Callable[[bytes], Any]]:
    """A memo of the octets of whole messages, and the function for octets that it has not: to the values of all fields.

    Raises: KeyError: the values could be changed, since some are messages themselves.
    """
    if table.messages:
        raise KeyError(table.cls)
    memo: dict[bytes, Any] = {}
    get = attrgetter(*[field.name for field in table.fields])

    def read(octets: bytes) -> Any:
        message = decode(table.cls, octets)
        # Unknown groups in it would be counted as less deep than they are.
        if message._unknown_fields:  # noqa: SLF001 (where betterproto2 keeps them)
            raise KeyError(octets)
        return _kept(memo, octets, get(message))

    return memo, read


def _kept(memo: dict[bytes, Any], octets: bytes, values: Any) -> Any:
    if len(memo) >= MAX_MEMO:
        memo.clear()
    memo[octets] = values
    return values


def _memo(inner: Table, names: list[str], tag: bytes) -> tuple[dict[bytes, Any], Callable[[bytes], Any]]:
    """A memo of the octets of a run, and the function for octets that it has not: to the value, or the tuple of values.

    Args:
        names: the fields in the run.
        tag: what follows them, the tag of the next field, belongs to the octets too.
    """
    memo: dict[bytes, Any] = {}
    get = attrgetter(*names)
    fields = [field.name for field in inner.fields]

    def read(octets: bytes) -> Any:
        if not octets.endswith(tag):
            raise KeyError(octets)
        message = decode(inner.cls, octets.removesuffix(tag), lenient=True)
        # Whole fields, in whatever order: so these and no others are what the octets say.
        if message._unknown_fields or {field for field in fields if getattr(message, field) is not None} != set(names):  # noqa: SLF001
            raise KeyError(octets)
        return _kept(memo, octets, get(message))

    return memo, read
